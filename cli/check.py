"""`quarterdeck check`: does a strategy look ahead, and does it know how much past it needs?

Promises: the column at fault is named with a bar and both values; the same bars give the same answer every time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.data.recording import load_recording
from quarterdeck.core.data.resample import bars_of_ticks, resample_bars
from quarterdeck.core.data.series import PairData, TickSeries
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import CheckFailedError, DataError, UsageError
from quarterdeck.core.scan.plan import ScanPlan, scan_plan_for
from quarterdeck.core.settings.home import Home, resolve_home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import class_names, load_strategy
from quarterdeck.core.study.strategy_checks import WARMUP_TOLERANCE, StrategyCheck, check_lookahead, check_warmup

GROUP = typer.Typer(add_completion=False, rich_markup_mode=None)
StrategyOption: TypeAlias = Annotated[
    Path | None, typer.Option("--strategy", metavar="FILE", help="A strategy file. [as in settings]")
]
NameOption: TypeAlias = Annotated[str, typer.Option("--name", metavar="CLASS", help="Which class of it, where it holds several.")]
DataOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FOLDER", help="Recorded prices; may be given several times. [the simulated market]"),
]
RowsOption: TypeAlias = Annotated[int, typer.Option("--rows", min=2, max=100_000, help="How many bars are tried, per pair.")]
_ROWS = 60
_COLUMNS_SHOWN = 12
Check = Callable[[ScanPlan, str, Candles], StrategyCheck]


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
    """Cut the future off at one bar after the other: what was computed up to there must not change.

    Ends with 0 when nothing changes, with 9 when the strategy looks ahead; then the column is named, with a bar and both values.
    """
    settings, place = _settings(strategy, name, pairs, values, home)
    candles = _candles(settings, data, first, last)
    _run(settings, place, candles, lambda plan, symbol, m15: check_lookahead(plan, instrument(symbol), m15, rows=rows), as_json)


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
        float, typer.Option("--tolerance", min=0.0, help="Relative drift of a column that is let pass.")
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

    def check(plan: ScanPlan, symbol: str, m15: Candles) -> StrategyCheck:
        return check_warmup(plan, instrument(symbol), m15, rows=rows, tolerance=tolerance)

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


def _run(settings: Settings, place: Home, candles: dict[str, Candles], check: Check, as_json: bool) -> None:
    loaded = load_strategy(settings, place.root)
    found: dict[str, StrategyCheck] = {}
    for symbol, m15 in candles.items():
        if sys.stderr.isatty():
            print(f"\r{symbol} ({len(found) + 1} of {len(candles)})  ", end="\r", file=sys.stderr, flush=True)
        found[symbol] = check(scan_plan_for(loaded, settings, symbol), symbol, m15)
        print("\n".join(_lines(symbol, found[symbol], m15)))
    if as_json:
        print_json(_plain(loaded.name, found))
    failed = [symbol for symbol, result in found.items() if not result.passed]
    if failed:
        columns = dict.fromkeys(column for symbol in failed for column in found[symbol].causes)
        at_fault = f" in {', '.join(columns)}" if columns else ""
        raise CheckFailedError(f"{loaded.name} {_FAILED[found[failed[0]].check]}{at_fault} ({', '.join(failed)})")


_FAILED = {"lookahead": "looks ahead", "warmup": "hangs on how much past it sees (its warm-up is too short, or it looks ahead)"}


def _lines(symbol: str, result: StrategyCheck, m15: Candles) -> list[str]:
    over = f"{result.rows_tried} of {len(m15):,} bars tried, {iso(int(m15.open_utc_ns[0]))[:10]} to {_last_day(m15)}"
    if result.check == "warmup":
        over += f"; worst drift {result.worst_drift:.2g}, tolerance {result.tolerance:.2g}"
    lines = [f"{symbol}: {'passes' if result.passed else 'FAILS'}: {result.strategy}, {over}"]
    if result.error:
        lines.append(f"  error   {result.error}")
    first = {fault.column: fault for fault in reversed(result.faults)}
    for column in result.columns[:_COLUMNS_SHOWN]:
        fault = first[column]
        seen = f" when seen to {iso(fault.seen_to_utc_ns)[:16]}" if result.check == "lookahead" else " from the declared warm-up"
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
