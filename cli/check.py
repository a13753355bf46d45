"""`quarterdeck check`: does a strategy look ahead, and does it know how much past it needs?

Promises: the column at fault is named with a bar and both values; the same bars give the same answer every time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import typer

from quarterdeck.cli.option_parsing import parse_days, parse_pairs, parse_settings
from quarterdeck.cli.options import FromOption, HomeOption, JsonOption, PairsOption, SetOption, ToOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.backtest.backtest_settings import settings_for_backtest
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.terminal_builder import seeded_terminal
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.data.recorded_prices import load_recording
from quarterdeck.core.data.resample import bars_of_ticks, resample_bars
from quarterdeck.core.data.series import PairData, TickSeries
from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import CheckFailedError, DataError, UsageError
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.settings.home import Home, resolve_home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import class_names, load_strategy
from quarterdeck.core.study.cuts import SIGNAL
from quarterdeck.core.study.file_access import watched
from quarterdeck.core.study.strategy_checks import (
    WARMUP_TOLERANCE,
    CheckedPair,
    Live,
    StrategyCheck,
    check_lookahead_all,
    check_warmup,
)

GROUP = typer.Typer(add_completion=False, rich_markup_mode=None)
StrategyOption: TypeAlias = Annotated[
    Path | None, typer.Option("--strategy", metavar="FILE", help="A strategy file. [as in settings]")
]
NameOption: TypeAlias = Annotated[str, typer.Option("--name", metavar="CLASS", help="The class, if the file contains several.")]
DataOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FOLDER", help="Recorded prices; may be given several times. [the simulated market]"),
]
RowsOption: TypeAlias = Annotated[int, typer.Option("--rows", min=2, max=100_000, help="How many bars are tried, per pair.")]
_ROWS = 60
_COLUMNS_SHOWN = 12
Check = Callable[[Sequence[CheckedPair]], list[StrategyCheck]]


@GROUP.callback(invoke_without_command=True)
def command(context: typer.Context) -> None:
    """Does a strategy look ahead, and does it know how much past it needs?"""
    if context.invoked_subcommand is None:
        print(context.get_help())


@GROUP.command("lookahead")
def lookahead(
    strategy: StrategyOption = None,
    name: NameOption = "",
    data: DataOption = None,
    pairs: PairsOption = None,
    first: FromOption = None,
    last: ToOption = None,
    rows: RowsOption = _ROWS,
    values: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hide the future at one bar after the other: what was computed before must not change.

    Ends with 0 when nothing changes, with 9 when the strategy looks ahead; then the column is named, with a bar and both values.
    """
    settings, place = _settings(strategy, name, pairs, values, home)
    candles = _candles(settings, data, first, last)

    def check(pairs: Sequence[CheckedPair]) -> list[StrategyCheck]:
        with _live(settings, place) as live:
            return check_lookahead_all(pairs, rows=rows, live=live)

    _run(settings, place, candles, check, as_json)


@GROUP.command("warmup")
def warmup(
    strategy: StrategyOption = None,
    name: NameOption = "",
    data: DataOption = None,
    pairs: PairsOption = None,
    first: FromOption = None,
    last: ToOption = None,
    rows: RowsOption = _ROWS,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Relative difference of a column that is accepted.")
    ] = WARMUP_TOLERANCE,
    values: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute bars from the declared warm-up alone and from all the past: columns and decisions must agree.

    Ends with 0 when they do, with 9 when more past changes something; then the column is named, with a bar and both values.
    """
    settings, place = _settings(strategy, name, pairs, values, home)
    candles = _candles(settings, data, first, last)

    def check(pairs: Sequence[CheckedPair]) -> list[StrategyCheck]:
        return [check_warmup(one.plan, one.instrument, one.m15, rows=rows, tolerance=tolerance) for one in pairs]

    _run(settings, place, candles, check, as_json)


def _settings(
    strategy: Path | None, name: str, pairs: str | None, values: list[str] | None, home: Path | None
) -> tuple[Settings, Home]:
    place = resolve_home(home)
    wanted: list[tuple[str, Any]] = []
    if strategy is not None:
        file = strategy.expanduser().absolute()
        wanted += [("strategy.file", str(file)), ("strategy.name", name or _only_class(file)), ("strategy.parameters", {})]
    elif name:
        wanted.append(("strategy.name", name))
    wanted += parse_settings(values or [])
    if pairs is not None:
        wanted.append(("desk.pairs", list(parse_pairs(pairs))))
    return settings_for_backtest(place, None, wanted), place


def _only_class(file: Path) -> str:
    names = class_names(file)
    if len(names) != 1:
        has = f"several strategies: {', '.join(names)}" if names else "no strategy"
        raise UsageError(f"{file} has {has}", what_to_do="choose with --name" if names else "see `quarterdeck init --strategy`")
    return names[0]


def _candles(settings: Settings, data: list[Path] | None, first: str | None, last: str | None) -> dict[str, Candles]:
    """M15 bars of each pair: recorded ones, or the past of the simulated market."""
    from_day, to_day = parse_days(first, last)
    if data:
        recording = load_recording(data, settings.desk.pairs, from_day=from_day, to_day=to_day)
        return {pair.symbol: _quarters(pair) for pair in recording.pairs}
    if first or last:
        raise UsageError("--from and --to belong to recorded prices", what_to_do="add --data FOLDER")
    market = seeded_terminal(settings).market
    found = {symbol: market.columns(symbol, "M15") for symbol in settings.desk.pairs}
    return {symbol: candles for symbol, candles in found.items() if candles is not None}


def _quarters(pair: PairData) -> Candles:
    """The pair's M15 bars as recorded, else made of the finest there is."""
    recorded = pair.find("M15")
    series = recorded if recorded is not None else pair.series[0]
    if isinstance(series, TickSeries):
        return bars_of_ticks(series, "M15").bid
    if series.timeframe not in ("M1", "M5", "M15"):
        raise DataError(f"{pair.symbol}: only {series.timeframe} data; M15 bars or finer are needed", what_to_do="add such data")
    return series.bid if series.timeframe == "M15" else resample_bars(series, "M15").bid


@contextmanager
def _live(settings: Settings, place: Home) -> Iterator[Live | None]:
    """The process that answers for a file's strategy beside a live market; None where the shipped one needs none."""
    if not settings.strategy.file:
        yield None
        return
    with asyncio.Runner() as runner:
        process = StrategyProcess(settings, place.root, WallClock())
        runner.run(process.start())
        try:
            yield lambda look: runner.run(process.ask(look))
        finally:
            runner.run(process.stop())


def _run(settings: Settings, place: Home, candles: dict[str, Candles], check: Check, as_json: bool) -> None:
    if sys.stderr.isatty():
        print(f"\rchecking {', '.join(candles)} ...", end="\r", file=sys.stderr, flush=True)
    with redirect_stdout(sys.stderr):  # what a strategy prints is no part of the answer
        with watched() as opened:
            loaded = load_strategy(settings, place.root)
        pairs = [
            CheckedPair(plan=scan_plan_for(loaded, settings, symbol), instrument=instrument(symbol), m15=m15)
            for symbol, m15 in candles.items()
        ]
        found = dict(zip(candles, check(pairs), strict=True))
    for what in opened if settings.strategy.file else ():
        print(f"note: {loaded.name} {what} when it is loaded; what it reads there cannot be checked")
    for symbol, result in found.items():
        print("\n".join(_lines(symbol, result, candles[symbol])))
    if as_json:
        print_json(_plain(loaded.name, found))
    failed = [symbol for symbol, result in found.items() if not result.passed]
    if failed:
        columns = dict.fromkeys(column for symbol in failed for column in found[symbol].causes)
        at_fault = f" in {', '.join(columns)}" if columns else ""
        raise CheckFailedError(
            f"{loaded.name} {_what_failed([found[symbol] for symbol in failed])}{at_fault} ({', '.join(failed)})"
        )


def _what_failed(failed: Sequence[StrategyCheck]) -> str:
    """What the failed checks show, in the order of what is known for certain."""
    if any(result.memory for result in failed):
        return "answers from its memory of other calls, which it does not have live,"
    if not any(result.faults for result in failed):
        return "fails"
    if failed[0].check == "warmup":
        return "depends on how much past it sees (its warm-up is too short, or it looks ahead)"
    if all(column.startswith(SIGNAL) for result in failed for column in result.causes):
        return "answers otherwise live than in a backtest (it looks ahead or remembers, or its warm-up is too short)"
    return "looks ahead"


def _lines(symbol: str, result: StrategyCheck, m15: Candles) -> list[str]:
    over = f"{result.rows_tried} of {len(m15):,} bars tried, {iso(int(m15.open_utc_ns[0]))[:10]} to {_last_day(m15)}"
    over += f", {result.live_rows:,} asked as live" if result.live_rows else ""
    if result.check == "warmup":
        over += f"; worst drift {result.worst_drift:.2g}, tolerance {result.tolerance:.2g}"
    lines = [f"{symbol}: {'passes' if result.passed else 'FAILS'}: {result.strategy}, {over}"]
    if result.error:
        lines.append(f"  error   {result.error}")
    lines += [f"  memory  {sentence}" for sentence in result.memory]
    first = {fault.column: fault for fault in reversed(result.faults)}
    for column in result.columns[:_COLUMNS_SHOWN]:
        fault = first[column]
        seen = " from the declared warm-up"
        if result.check == "lookahead":
            live = column.startswith(SIGNAL)
            seen = " when asked as live" if live else f" when seen to {iso(fault.seen_to_utc_ns)[:16]}"
        bar = iso(fault.bar_open_utc_ns)[:16]
        lines.append(f"  {column:<24} bar {bar}: {fault.was:.10g} becomes {fault.becomes:.10g}{seen}")
    more = len(result.columns) - _COLUMNS_SHOWN
    return [*lines, f"  and {more} more columns"] if more > 0 else lines


def _last_day(m15: Candles) -> str:
    return iso(int(m15.open_utc_ns[-1]))[:10]


def _plain(strategy: str, found: dict[str, StrategyCheck]) -> dict[str, Any]:
    passed = all(result.passed for result in found.values())
    columns = list(dict.fromkeys(column for result in found.values() for column in result.columns))
    # JSON knows no NaN or infinity: msgspec writes null
    return {"passed": passed, "strategy": strategy, "columns": columns, "pairs": msgspec.to_builtins(found)}
