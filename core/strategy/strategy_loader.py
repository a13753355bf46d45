"""Take in the strategy that settings name: the shipped one, or a class from a file of the operator's own.

Promises: the file's folder is never put on the import path; what runs is what was hashed; parameters are checked against the
ranges the strategy declares; a file's strategy is tried twice on the same window and must answer the same both times.
Whatever is wrong is a `SettingsError` with file and remedy. The hash names code, parameters and file, so that a signal tells
what made it.
Does not: bound a strategy's time (`core.engine.strategy_process` does, beside a market), or keep it from reaching the system: the
file is the operator's own.
This is the one module of the room that reads files, and only at the start.
"""

from __future__ import annotations

import hashlib
import re
import sys  # impure: a class's annotations are looked up in its registered module
from pathlib import Path  # impure: strategy files are read here, once, at the start
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import H1_NS, M15_NS
from quarterdeck.core.settings.extras import extra_of, install_hint, is_installed
from quarterdeck.core.settings.parameters import Parameter, declared_parameters
from quarterdeck.core.settings.schema import Settings, StrategySection
from quarterdeck.core.settings.settings_loader import for_pair
from quarterdeck.core.strategy import indicators, interface, rolling, trend
from quarterdeck.core.strategy.answers import candidates_of, columns_of, decision_of, warmup_of
from quarterdeck.core.strategy.dataframe_strategy import DataFrameStrategy, is_dataframe_rule
from quarterdeck.core.strategy.guarded_call import CallFailure, call_guarded
from quarterdeck.core.strategy.interface import Strategy
from quarterdeck.core.strategy.trend import TrendStrategy

_HASH_DIGITS = 16
_TRIED_ROWS = 40
_TEMPLATE = "template.py.txt"
_MISSING_MODULE = re.compile(r"No module named '(\w+)")
_OLD_NAMES = ("core", "tui", "cli")
"""Up to version 0.1 the program was imported by these names."""
_TIMEFRAMES = ("M15", "H1")
_WANTED = ("name", "timeframes", "Parameters", "warmup_bars", "warmup_h1_bars", "prepare", "candidates", "decide")


class LoadedStrategy(Struct, frozen=True, kw_only=True):
    """A strategy with its parameters, and what names it."""

    strategy: Strategy
    name: str
    hash: str
    own: bool
    """It comes from a file of the operator's: it runs under a time limit."""
    parameters: tuple[Parameter, ...] = ()
    """What it declares, each with meaning, unit, range and default."""
    pairs: dict[str, LoadedStrategy] = {}
    """The same with other parameters, for the pairs that have some of their own; they go by the same hash."""

    def of(self, symbol: str) -> LoadedStrategy:
        """The strategy with the parameters that hold for a pair."""
        return self.pairs.get(symbol, self)


def load_strategy(settings: Settings, home: Path | None = None) -> LoadedStrategy:
    """The strategy that settings name; a relative file is looked for in the `home` folder.

    Raises:
        SettingsError: no such file or class, a syntax error, a bad parameter, or different answers to the same question.
    """
    section = settings.strategy
    kind, source = _class(section, home)
    parameters = checked_parameters(kind.Parameters, section.parameters)
    strategy = _tried(kind, parameters, section, home)
    name = str(kind.name)
    others = {
        symbol: checked_parameters(kind.Parameters, for_pair(settings, symbol).strategy.parameters)
        for symbol, parts in settings.pair.items()
        if parts.get("strategy", {}).get("parameters")
    }
    plain = LoadedStrategy(
        strategy=strategy,
        name=name,
        hash=_hash(name, source, parameters, others),
        own=bool(section.file),
        parameters=declared_parameters(kind.Parameters),
    )
    pairs = {symbol: replace(plain, strategy=_tried(kind, mine, section, home)) for symbol, mine in others.items()}
    return replace(plain, pairs=pairs) if pairs else plain


def strategy_parameters(section: StrategySection, home: Path | None = None) -> tuple[Parameter, ...]:
    """The parameters that the strategy which `section` names declares. Raises SettingsError."""
    return declared_parameters(_class(section, home)[0].Parameters)


def checked_parameters(kind: type[Struct], values: dict[str, Any]) -> Struct:
    """Values as an instance of the strategy's own parameters. Raises SettingsError naming every one that will not do."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    wrong = []
    for key, value in values.items():
        if key not in fields:
            from difflib import get_close_matches  # only a mistake needs it

            near = get_close_matches(key, fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(fields) or 'none'}"
            wrong.append(f"strategy.parameters.{key}: the strategy has no such parameter{hint}")
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            wrong.append(f"strategy.parameters.{key} = {value!r}: {error}")
    if wrong:
        raise SettingsError("; ".join(wrong), what_to_do="correct it in settings.toml, or take it out of overrides.toml")
    try:
        made: Struct = msgspec.convert(values, kind)
        return msgspec.convert(msgspec.to_builtins(made), kind)  # defaults are checked as well
    except msgspec.ValidationError as error:
        raise SettingsError(f"strategy.parameters: {error}", what_to_do="correct the strategy's parameters") from error


def class_names(file: Path) -> tuple[str, ...]:
    """Names of the classes in a file that could serve as a strategy, in its order. Raises SettingsError."""
    module, _ = _read(file)
    return tuple(name for name, item in _classes(module).items() if is_dataframe_rule(item) or hasattr(item, "prepare"))


def template_text() -> str:
    """A strategy file to begin with, for `quarterdeck init --strategy`."""
    return (Path(__file__).parent / _TEMPLATE).read_text(encoding="utf-8")


def _path(section: StrategySection, home: Path | None) -> Path:
    path = Path(section.file).expanduser()
    return path if path.is_absolute() or home is None else home / path


def _class(section: StrategySection, home: Path | None) -> tuple[Any, bytes]:
    if not section.file:
        if section.name != TrendStrategy.name:
            raise SettingsError(
                f"strategy.name = {section.name!r}: no shipped strategy has that name; there is {TrendStrategy.name}",
                what_to_do="name the file of your own in strategy.file",
            )
        return TrendStrategy, b"".join(_source(module) for module in (trend, rolling, indicators, interface))
    path = _path(section, home)
    module, source = _read(path)
    classes = _classes(module)
    named = [item for name, item in classes.items() if section.name in (name, getattr(item, "name", None))]
    if not named:
        usable = [name for name, item in classes.items() if is_dataframe_rule(item) or hasattr(item, "prepare")]
        raise SettingsError(
            f"strategy.name = {section.name!r}: {path} has no such class; it has {', '.join(usable) or 'no strategy'}",
            what_to_do="set strategy.name to a class of that file",
        )
    kind = _complete(named[0], path)
    if is_dataframe_rule(kind) and not is_installed("pandas"):
        raise SettingsError(
            f"{path}: {section.name} works on pandas frames, and pandas is not installed", what_to_do=install_hint("frames")
        )
    return kind, _unix(source)


def _read(path: Path) -> tuple[ModuleType, bytes]:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"strategy.file: {path} cannot be read: {error.strerror or error}",
            what_to_do="write one with `quarterdeck init --strategy`",
        ) from error
    return _executed(path, source), source


def _classes(module: ModuleType) -> dict[str, Any]:
    return {
        name: value for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    }


def _complete(kind: Any, path: Path) -> Any:
    wanted = ("name", "Parameters") if is_dataframe_rule(kind) else _WANTED
    missing = [name for name in wanted if not hasattr(kind, name)]
    if not missing and not (isinstance(kind.Parameters, type) and issubclass(kind.Parameters, Struct)):
        missing = ["Parameters as a msgspec.Struct"]
    wanted_bars = getattr(kind, "timeframes", ())
    wanted_bars = wanted_bars if isinstance(wanted_bars, tuple | list) else (wanted_bars,)
    other = [name for name in wanted_bars if name not in _TIMEFRAMES]
    if other:
        raise SettingsError(
            f"{path}: {kind.__name__} wants bars of {', '.join(map(str, other))}; there are {' and '.join(_TIMEFRAMES)}",
            what_to_do="build what you need from M15 bars in prepare()",
        )
    if missing:
        raise SettingsError(
            f"{path}: {kind.__name__} lacks {', '.join(missing)}",
            what_to_do="see the file that `quarterdeck init --strategy` writes",
        )
    return kind


def _executed(path: Path, source: bytes) -> ModuleType:
    # compiled here and not by the import system: nothing is written beside the operator's file, and the hash is of what runs
    name = f"quarterdeck_strategy_{hashlib.sha256(source).hexdigest()[:_HASH_DIGITS]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # annotations are looked up there
    done = call_guarded(str(path), _run, source, module)
    if isinstance(done, CallFailure):
        raise SettingsError(f"{path}: line {done.line}: {done.error}", what_to_do=_beside(path, done) or _remedy(done.error))
    return module


def _remedy(error: str) -> str:
    """What to do about a file that cannot be executed."""
    found = _MISSING_MODULE.search(error)
    top = found[1] if found else ""
    if top in _OLD_NAMES:
        return f"the program is one package now: write `from quarterdeck import ...` instead of {top}"
    extra = extra_of(top)
    return "correct that line" if extra is None else install_hint(extra)


def _run(source: bytes, module: ModuleType) -> None:
    exec(compile(source, str(module.__file__), "exec"), module.__dict__)  # impure: the operator's own file


def _tried(kind: Any, parameters: Struct, section: StrategySection, home: Path | None) -> Strategy:
    strategy = _made(kind, parameters, section)
    if section.file:
        _try(strategy, _path(section, home))
    return strategy


def _made(kind: Any, parameters: Struct, section: StrategySection) -> Strategy:
    made = (
        call_guarded("", DataFrameStrategy, kind, parameters) if is_dataframe_rule(kind) else call_guarded("", kind, parameters)
    )
    bars = made if isinstance(made, CallFailure) else call_guarded("", warmup_of, made)
    if isinstance(bars, CallFailure):
        raise SettingsError(f"strategy {section.name}: {bars.error}", what_to_do="correct the strategy")
    strategy: Strategy = made
    return strategy


def _try(strategy: Strategy, path: Path) -> None:
    """Ask the same question twice: a strategy that remembers, draws lots or looks at a clock gives itself away."""
    answers = [call_guarded("", _trial, strategy) for _ in range(2)]
    for answer in answers:
        if isinstance(answer, CallFailure):
            raise SettingsError(
                f"{path}: fails on a trial window: {answer.error}", what_to_do=_beside(path, answer) or "correct the strategy"
            )
    if answers[0] != answers[1]:
        raise SettingsError(
            f"{path}: answers differently when asked the same twice",
            what_to_do="keep nothing between calls; use no random numbers and no clock",
        )


def _beside(path: Path, failed: CallFailure) -> str:
    """What to do about an import of a module that lies beside the strategy's file; empty where that is not the failure."""
    if "attempted relative import" in failed.error:
        return "a strategy is one file (its hash names all that runs): move that code into it, or install it as a package"
    name = failed.module.partition(".")[0]
    beside = next((path.parent / one for one in (f"{name}.py", name) if name and (path.parent / one).exists()), None)
    if beside is None:
        return ""
    return (
        f"{beside.name} lies beside it, but a strategy is one file (its hash names all that runs): move that code into it, "
        f"or install {name} as a package"
    )


def _trial(strategy: Strategy) -> bytes:
    m15_bars, h1_bars = warmup_of(strategy)
    m15, h1 = trial_candles(m15_bars + _TRIED_ROWS, max(h1_bars, 1))
    columns = columns_of(strategy.prepare(m15[:], h1[:], TRIAL_INSTRUMENT), m15.open_utc_ns)
    found = candidates_of(strategy.candidates(columns), m15).tolist()
    last = list(range(len(m15) - _TRIED_ROWS, len(m15)))
    rows = [row for row, at in enumerate(found) if at][-_TRIED_ROWS:] + last
    return msgspec.json.encode((found, [decision_of(strategy.decide(columns, row, TRIAL_INSTRUMENT)) for row in rows]))


TRIAL_INSTRUMENT = Instrument(
    symbol="EURUSD",
    base_currency="EUR",
    profit_currency="USD",
    margin_currency="EUR",
    digits=5,
    point=0.00001,
    tick_size=0.00001,
    pip=0.0001,
    contract_size=100_000.0,
    volume_min_lots=0.01,
    volume_max_lots=100.0,
    volume_step_lots=0.01,
)


def trial_candles(m15_rows: int, h1_rows: int) -> tuple[Candles, Candles]:
    """Made-up waves, the same every time: M15 bars, and H1 bars that reach as far back and end with them."""

    def waves(count: int, period_ns: int, end_ns: int) -> Candles:
        opens = end_ns - period_ns * np.arange(count, 0, -1, dtype=np.int64)
        t = (opens - end_ns) / M15_NS
        level = 1.1 + 0.01 * np.sin(t / 397.0) + 0.004 * np.sin(t / 61.0) + 0.001 * np.sin(t / 7.3) + 0.0003 * np.sin(t * 1.7)
        opened, close = level, np.roll(level, -1)
        close[-1] = level[-1]
        reach = 0.0002 * (1.5 + np.sin(t / 13.0))
        return Candles(opens, opened, np.maximum(opened, close) + reach, np.minimum(opened, close) - reach, close)

    end_ns = 480_000 * H1_NS
    return waves(m15_rows, M15_NS, end_ns), waves(max(h1_rows, m15_rows // 4 + 1), H1_NS, end_ns)


def _hash(name: str, source: bytes, parameters: Struct, pairs: dict[str, Struct]) -> str:
    digest = hashlib.sha256()
    own = [msgspec.json.encode(pairs, order="sorted")] if pairs else []
    for part in (name.encode(), source, msgspec.json.encode(parameters, order="sorted"), *own):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:_HASH_DIGITS]


def _source(module: ModuleType) -> bytes:
    return _unix(Path(str(module.__file__)).read_bytes())


def _unix(source: bytes) -> bytes:
    return source.replace(b"\r\n", b"\n")
