"""Reading settings: shipped values < the operator's file < overrides.toml, validated as a whole, every mistake reported.

Promises: one `SettingsError` lists all mistakes of a file, each with the key, what was found and what is allowed, and for an
unknown key the nearest known one; a key missing in an older file takes the shipped value; the operator's file is never written.
Does not: read secrets (`core.settings.secrets`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.time_zones import known_zone
from quarterdeck.core.model.errors import UNREADABLE, SettingsError
from quarterdeck.core.model.renamed_keys import current_key, current_tree
from quarterdeck.core.settings.addresses import ALERT_URLS, NEWS_URLS, place_of_secret, secrets_in
from quarterdeck.core.settings.alert_routes import KINDS, alert_route
from quarterdeck.core.settings.overrides import OVERRIDES_NAME, Override, read_overrides
from quarterdeck.core.settings.packaged_files import shipped_text
from quarterdeck.core.settings.parameters import OWN, TABLES, Parameter, parameters, sections, table_annotation
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.toml_file import odd_letter, toml_file_text

SETTINGS_NAME = "settings.toml"
Tree = dict[str, Any]
StrategyParameters = tuple[Parameter, ...]
"""A strategy's own parameters, where they are known; a tree alone tells nothing of them."""
_OF_THE_STRATEGY = ("name", "file", "time_limit_ms", "load_timeout_s", "memory_max_mb")
_KEY_LETTERS_MAX, _VALUE_LETTERS_MAX = 200, 4_000
_MISTAKES_SHOWN, _MISTAKE_LETTERS_MAX = 20, 400
_HOURS = r"([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d"


class LoadedSettings(Struct, frozen=True):
    """Settings as they hold, where each overridden or filed key came from, and what to tell the operator."""

    settings: Settings
    tree: Tree
    file_tree: Tree
    """Shipped values and the operator's file, without overrides."""
    overrides: dict[str, Override]
    notes: tuple[str, ...]
    alert_urls: tuple[str, ...] = ()
    """Addresses that are in a file of settings although they are secrets: used, and in no tree."""
    news_urls: tuple[str, ...] = ()


def load_settings(home: Path, extra: Iterable[tuple[str, Any]] = ()) -> LoadedSettings:
    """Settings of a home folder; `extra` are (key, value) pairs of the command line, strongest of all.

    Raises:
        SettingsError: with every mistake of the first file that has any.
    """
    shipped = shipped_tree()
    path = home / SETTINGS_NAME
    mine, renamed = current_tree(read_toml(path)) if path.is_file() else ({}, ())
    file_tree = merged(shipped, mine)
    if not _sound(file_tree):
        _refuse(str(path), mistakes(mine))
    overrides, notes = read_overrides(home / OVERRIDES_NAME, lambda key: look_up(file_tree, key))
    tree = with_values(file_tree, ((key, item.value) for key, item in overrides.items()))
    lifted = {key: secrets_in(key, look_up(tree, key)) for key in (ALERT_URLS, NEWS_URLS)}
    file_tree, tree = _without_secrets(file_tree), _without_secrets(tree)
    notes += tuple(
        f"{key} holds a secret, which does not belong in a settings file: {place_of_secret(key)}"
        for key, found in lifted.items()
        if found
    )
    extra_tree = with_values({}, ((current_key(key), value) for key, value in extra))
    _refuse("--set", [*mistakes(extra_tree), *_secret_mistakes(extra_tree)])
    tree = merged(tree, extra_tree)
    settings = validated(tree, str(path if mine else SETTINGS_NAME))
    _refuse(str(path), _secret_mistakes(tree))
    return LoadedSettings(settings, tree, file_tree, overrides, (*renamed, *notes), lifted[ALERT_URLS], lifted[NEWS_URLS])


def _without_secrets(tree: Tree) -> Tree:
    """A tree as it may be written: without the addresses of alert services, and those of calendars that carry a secret."""
    for key in (ALERT_URLS, NEWS_URLS):
        found = secrets_in(key, look_up(tree, key))
        if found:
            tree = with_values(tree, ((key, [text for text in look_up(tree, key) if text not in found]),))
    return tree


def _secret_mistakes(tree: Tree) -> list[str]:
    """Values that hold a secret, by key alone: the text is asked to nobody."""
    found = []
    for key in parameters():
        value = look_up(tree, key)
        if secrets_in(key, list(value.values()) if isinstance(value, dict) else value):
            found.append(f"{key}: a secret does not belong in the settings; {place_of_secret(key)}")
    return found


def shipped_tree() -> Tree:
    """The shipped settings.toml as plain data."""
    return tomllib.loads(shipped_text(SETTINGS_NAME))


def shipped_settings(*changes: tuple[str, Any]) -> Settings:
    """The shipped values, with `changes` on top; what tests and tools start from."""
    return validated(with_values(shipped_tree(), changes), SETTINGS_NAME)


def _sound(tree: Tree) -> bool:
    """The quick look: no mistake in any section, and no table whose own keys a slow one would have to name."""
    try:
        msgspec.convert(tree, Settings, strict=True)
    except msgspec.ValidationError:
        return False
    return not any(tree.get(name) for name in TABLES)


def validated(tree: Tree, origin: str, own: StrategyParameters = ()) -> Settings:
    """The typed tree. Raises SettingsError with all mistakes found in `tree`, named after `origin`."""
    try:
        settings = msgspec.convert(tree, Settings, strict=True)
    except msgspec.ValidationError:
        # it names the first mistake alone, and a type where an operator wants a range
        _refuse(origin, [*mistakes(tree, own), *_missing(tree), *_contradictions(tree)])
        raise
    found = [*mistakes({name: tree[name] for name in TABLES if tree.get(name)}, own), *_contradictions(tree)]
    if own:
        found += _own_mistakes(tree["strategy"]["parameters"], own)
    _refuse(origin, found or _unreadable_times(tree))
    return settings


def settings_from_tape(plain: bytes) -> Settings:
    """Settings as a tape holds them; what its version did not have takes the shipped value, what this one lost is left out.

    Raises:
        SettingsError: a value that is not allowed any more.
    """
    try:
        return msgspec.msgpack.decode(plain, type=Settings)
    except msgspec.ValidationError:
        tree, _ = current_tree(msgspec.msgpack.decode(plain))
        own = _known_sections(tree)
        pairs = {symbol: _known_sections(parts) for symbol, parts in tree.get("pair", {}).items()}
        tables = {"pip": tree.get("pip", {}), "pair": pairs}
        return validated({**merged(shipped_tree(), own), **tables}, "the tape")


def _known_sections(tree: Tree) -> Tree:
    known = parameters()
    return {
        section: {name: value for name, value in values.items() if f"{section}.{name}" in known}
        for section, values in tree.items()
        if section in sections()
    }


def read_toml(path: Path) -> Tree:
    """A TOML file as plain data. Raises SettingsError naming file, place and remedy."""
    text = ""
    try:
        text = toml_file_text(path)
        return tomllib.loads(text)
    except UNREADABLE as error:
        odd = odd_letter(text)
        if odd:
            raise SettingsError(f"{path}: not valid TOML: {odd}", what_to_do="type it anew on the keyboard") from error
        raise SettingsError(f"{path}: not valid TOML: {error}", what_to_do="correct that line") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}", what_to_do="check the file's rights") from error


def mistakes(tree: Tree, own: StrategyParameters = ()) -> list[str]:
    """Every mistake among the keys that `tree` has, each on one line."""
    found: list[str] = []
    for section, content in tree.items():
        if section in TABLES:
            found.extend(_table_mistakes(section, content, own))
        elif section not in sections():
            found.append(_unknown(section, [*sections(), *TABLES]))
        elif not isinstance(content, dict):
            found.append(f"{section} = {toml_text(content)}: must be a section, [{section}]")
        else:
            known = parameters()
            for name, value in content.items():
                key = f"{section}.{name}"
                found.extend(_value_mistakes(known[key], value) if key in known else [_unknown(key, known)])
                if own and key == OWN and isinstance(value, dict):
                    found.extend(_own_mistakes(value, own))
    return found


def with_strategy_parameters(tree: Tree, own: StrategyParameters) -> Tree:
    """`tree` with the default of each of the strategy's own parameters that it leaves out."""
    defaults = [(row.key, row.default) for row in own if row.default is not None]
    return merged(with_values({}, defaults), tree)


def merge_overrides(
    overrides: dict[str, Override], file_tree: Tree, values: Iterable[tuple[str, Any]], own: StrategyParameters = ()
) -> dict[str, Override]:
    """What is overridden once `values` are set: nothing that the files say anyway, and no parameter of a strategy that goes."""
    found, plain, changes = dict(overrides), with_strategy_parameters(file_tree, own), dict(values)
    for key, value in changes.items():
        held = found.pop(key, None)
        before = look_up(file_tree, key) if held is None else held.value
        if key in ("strategy.name", "strategy.file") and value != before:
            found = {name: item for name, item in found.items() if f"{OWN}." not in name or name in changes}
        if value != look_up(plain, key):
            found[key] = Override(value, look_up(file_tree, key))
    return found


def without(tree: Tree, key: str) -> Tree:
    """`tree` without what is under a dotted key."""
    first, _, rest = key.partition(".")
    kept = {name: value for name, value in tree.items() if name != first}
    inner = tree.get(first)
    return {**kept, first: without(inner, rest)} if rest and isinstance(inner, dict) else kept


def _own_mistakes(values: Tree, own: StrategyParameters) -> list[str]:
    known = {row.key: row for row in own}
    found: list[str] = []
    for name, value in values.items():
        key = f"{OWN}.{name}"
        found.extend(_value_mistakes(known[key], value) if key in known else [_unknown(key, known)])
    return found


def merged(base: Tree, top: Tree) -> Tree:
    """`top` laid over `base`, section by section; tables by symbol are merged by symbol."""
    result = dict(base)
    for key, value in top.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) and key != "keys" else value
    return result


def with_values(tree: Tree, changes: Iterable[tuple[str, Any]]) -> Tree:
    """`tree` with dotted keys set; missing levels are made."""
    result = tree
    for key, value in changes:
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        result = merged(result, nested)
    return result


def look_up(tree: Tree, key: str) -> Any:
    """The value under a dotted key, or None."""
    node: Any = tree
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return node


def parse_value(key: str, text: str, own: StrategyParameters = ()) -> Any:
    """A value as an operator types it: TOML, or a bare word where a text or a choice is wanted.

    Raises:
        SettingsError: unknown key, or a value that is not allowed.
    """
    if len(key) > _KEY_LETTERS_MAX or len(text) > _VALUE_LETTERS_MAX:
        what = f"{key[:_KEY_LETTERS_MAX]}: a value of {len(text):,} letters under a key of {len(key):,}"
        raise SettingsError(what, what_to_do=f"at most {_VALUE_LETTERS_MAX:,} and {_KEY_LETTERS_MAX} are allowed")
    value = _typed(key, text)
    row = parameters(own).get(".".join(key.split(".")[2:]) if key.startswith("pair.") else key)
    if row is not None and row.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if row is not None and row.kind == "list" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    tree = with_values({}, [(key, value)])
    _refuse(key, _secret_mistakes(tree) or mistakes(tree, own))
    return value


def _typed(key: str, text: str) -> Any:
    """The one value that `text` is in TOML, else the text itself."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    except UNREADABLE as error:
        raise SettingsError(
            f"{key}: not a valid value ({type(error).__name__})", what_to_do="write it as settings.toml does"
        ) from error
    if found.keys() != {"value"}:
        more = ", ".join(sorted(found.keys() - {"value"}))
        raise SettingsError(f"{key}: the value has further lines of TOML in it ({more})", what_to_do="set one key at a time")
    return found["value"]


def for_pair(settings: Settings, symbol: str) -> Settings:
    """The settings that hold for one pair: `[pair.SYMBOL]` laid over the rest."""
    mine = settings.pair.get(symbol)
    if not mine:
        return settings
    tree = merged(msgspec.to_builtins(settings), mine)
    return msgspec.convert(tree, Settings, strict=False)


def toml_text(value: Any) -> str:
    """A value as TOML would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_text(key)} = {toml_text(item)}" for key, item in value.items()) + " }" if value else "{}"
    return repr(value) if isinstance(value, float) else str(value)


def _value_mistakes(row: Parameter, value: Any) -> list[str]:
    seen = "***" if secrets_in(row.key, value) else toml_text(value)
    return [] if row.takes(value) else [f"{row.key} = {seen}: must be {row.allowed}"]


def _table_mistakes(name: str, content: Any, own: StrategyParameters) -> list[str]:
    try:
        msgspec.convert(content, table_annotation(name), strict=True)
    except msgspec.ValidationError as error:
        return [f"[{name}]: {error}"]
    if name == "pip":
        return [f"pip.{symbol} = {toml_text(pip)}: must be above 0" for symbol, pip in content.items() if not 0 < pip < 1e6]
    found: list[str] = []
    for symbol, tree in content.items():
        found.extend(f"pair.{symbol}.{line}" for line in mistakes(tree, own))
        alone = (name for name in tree.get("strategy", {}) if name in _OF_THE_STRATEGY)
        found.extend(
            f"pair.{symbol}.strategy.{name}: cannot be set for one pair, because one strategy scans all pairs" for name in alone
        )
    return found


def _missing(tree: Tree) -> list[str]:
    return [f"{key} is missing" for key in parameters() if look_up(tree, key) is None]


def _contradictions(tree: Tree) -> list[str]:
    """Pairs of values that are allowed alone and not together."""
    rules = (
        ("correlation.lookback_bars_min", "correlation.lookback_bars"),
        ("filters.atr_percentile_min", "filters.atr_percentile_max"),
        ("scan.reevaluate_volatile_s", "scan.reevaluate_calm_s"),
        ("engine.retry_min_s", "engine.retry_max_s"),
        ("kelly.risk_min_pct", "risk.risk_per_trade_pct"),
        ("risk.risk_per_trade_pct", "risk.open_risk_max_pct"),
        ("breakers.positions_per_pair_max", "breakers.positions_max"),
    )
    found = []
    for low_key, high_key in rules:
        low, high = look_up(tree, low_key), look_up(tree, high_key)
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            found.append(f"{low_key} = {toml_text(low)}: must not be above {high_key} = {toml_text(high)}")
    pairs, queue = look_up(tree, "desk.pairs"), look_up(tree, "scan.queue_max")
    if isinstance(pairs, list | tuple) and isinstance(queue, int) and queue < len(pairs):
        found.append(f"scan.queue_max = {queue}: must be at least {len(pairs)}, one for each pair, or signals are lost")
    return found


def _unreadable_times(tree: Tree) -> list[str]:
    """Texts that must name time zones, days or hours; looked at once everything else has the right type."""
    found = []
    for place, own in (("", tree), *((f"pair.{symbol}.", over) for symbol, over in tree.get("pair", {}).items())):
        found += [
            f"{place}filters.entry_hours = {toml_text(text)}: must read like Europe/London 07:00-20:00"
            for text in own.get("filters", {}).get("entry_hours", ())
            if not _hours_of_a_city(text)
        ]
        found += [
            f"{place}position.early_closes = {toml_text(text)}: must read like 2026-11-26 13:00 XAUUSD, or 2026-12-25"
            for text in own.get("position", {}).get("early_closes", ())
            if not _early_close(text)
        ]
    quiet = tree["alerts"]["quiet_hours"]
    if quiet and not _hours_of_a_city(quiet):
        found.append(f"alerts.quiet_hours = {toml_text(quiet)}: must read like Europe/Berlin 22:00-07:00, or be empty")
    found += [
        f"alerts.routes = {toml_text(text)}: must read like `fill,close,summary 2`; kinds are {', '.join(KINDS)}"
        for text in tree["alerts"]["routes"]
        if not _route(text)
    ]
    zone, funded_zone = tree["breakers"]["day_zone"], tree["prop_firm"]["day_zone"]
    if not known_zone(zone):
        found.append(f"breakers.day_zone = {toml_text(zone)}: must be a time zone such as America/New_York")
    if funded_zone and not known_zone(funded_zone):
        found.append(f"prop_firm.day_zone = {toml_text(funded_zone)}: must be a time zone such as Europe/Prague, or empty")
    return found


def _early_close(text: str) -> bool:
    """A date, perhaps an hour before the bank day's end, perhaps pairs."""
    day, *rest = text.split() or [""]
    clock = rest[0] if rest and ":" in rest[0] else "00:00"
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return len(day) == len("2026-12-25") and re.fullmatch(r"(0\d|1[0-6]):[0-5]\d", clock) is not None


def _route(text: str) -> bool:
    try:
        alert_route(text)
    except ValueError:
        return False
    return True


def _hours_of_a_city(text: str) -> bool:
    zone, _, hours = text.partition(" ")
    return known_zone(zone) and re.fullmatch(_HOURS, hours) is not None


def _unknown(key: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only a mistake needs it

    names = list(known)
    near = get_close_matches(key, names, n=1, cutoff=0.5)
    if not near and "." in key:
        short = {name.rsplit(".", 1)[-1]: name for name in names}
        near = [short[hit] for hit in get_close_matches(key.rsplit(".", 1)[-1], list(short), n=1, cutoff=0.5)]
    hint = f", did you mean {near[0]}?" if near else ""
    return f"{key} is not a setting{hint}"


def _refuse(origin: str, found: list[str]) -> None:
    if not found:
        return
    count, them = ("1 invalid setting", "it") if len(found) == 1 else (f"{len(found)} invalid settings", "them")
    shown = [_cut(line) for line in found[:_MISTAKES_SHOWN]]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more")
    raise SettingsError(f"{origin}: {count}", found=tuple(shown), what_to_do=f"correct {them} and start again")


def _cut(line: str) -> str:
    """A mistake with its beginning and its end, where the reason is: a value may be endless."""
    if len(line) <= _MISTAKE_LETTERS_MAX:
        return line
    half = _MISTAKE_LETTERS_MAX // 2
    return f"{line[:half]}...{line[-half:]}"
