"""Replay and backtest over the same days with everything on: trades, refusals and equity compared row by row, kinds counted.

Run: `nice python -m tests.parity.row_comparison [CASE ...]`; it takes some minutes. The first four cases are the year and the month that
figures get; the others are short, with settings that provoke what a quiet year does not bring.
Promises: a case is equal only if every closed trade (exactly and the cent), every refusal (pair, bar, reason, number) and
every mark of equity is. Exit code 1 where one differs, or where a kind of exit or refusal that a replay can bring never came.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks._refusals import never_refused_by
from quarterdeck.core.backtest.recorded_days import DataRequest, load_market
from quarterdeck.core.backtest.result import BacktestResult, ResultCollector
from quarterdeck.core.brokers.simulator import terminal_builder
from quarterdeck.core.compiled.build import destination
from quarterdeck.core.compiled.load import backtested, is_compiled
from quarterdeck.core.compiled.rooms import renamed
from quarterdeck.core.engine.lockstep import END_OF_DATA
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.model.effects import Close, Effect
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.settings_loader import load_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.backtest import sample_runs

Values = tuple[tuple[str, Any], ...]
FOUR = ["EURUSD", "GBPUSD", "USDJPY", "USDCHF"]
YEAR = (date(2024, 1, 1), date(2024, 12, 31))
QUARTER = (date(2024, 7, 1), date(2024, 9, 30))
MONTH = (date(2024, 3, 4), date(2024, 4, 5))

EVERYTHING: Values = (
    ("strategy.confidence_min", 0.6),
    ("strategy.net_reward_risk_min", 1.2),
    ("correlation.over_limit_action", "shrink"),
    ("kelly.enabled", True),
    ("position.pyramid", True),
    ("breakers.drawdown_max_pct", 100.0),
    ("costs.slippage_pips", 0.1),
)
"""News, profit retracement, trail, break-even, age, weekend and the breakers are on as shipped; the drawdown breaker waits for a word that
nobody says here, so it has a case of its own."""
COIN: Values = (("strategy.name", "Coin"), ("filters.entry_hours", []), ("strategy.net_reward_risk_min", 0.5))

EXITS = (
    "stop", "target", "trail", "break_even", "give_back", "age", "weekend", "strategy", "reverse", "breaker",
    "funded_rule", "trim", "stop_out", "end",
)  # fmt: skip
"""Every reason that a run without an operator, a fault or a stop of the engine can have."""


class Case(NamedTuple):
    """One run, twice."""

    name: str
    pairs: list[str]
    days: tuple[date, date]
    values: Values
    folders: tuple[str, ...] = ("m15",)
    news: bool = True
    coin: bool = False
    stop_out_level_pct: float = terminal_builder.STOP_OUT_LEVEL_PCT
    """The broker's; under the caps of the desk the shipped one is never reached."""
    thinned: str = ""
    """A pair of whose minutes only five are in each quarter of an hour, so that its quotes grow old."""


class Outcome(NamedTuple):
    """What a case came to."""

    case: Case
    result: BacktestResult
    replayed: ResultCollector
    asked: Counter[str]
    """Closes that the replay's desk asked for, parts of a position too, by why."""
    differing: list[str]
    replay_s: float
    backtest_s: float


CASES = (
    Case("2024, dollars, hedging", FOUR, YEAR, EVERYTHING),
    Case(
        "2024, euros, netting",
        FOUR,
        YEAR,
        (*EVERYTHING, ("simulation.currency", "EUR"), ("simulation.hedging", False)),
    ),
    Case(
        "2024, yen, hedging", FOUR, YEAR, (*EVERYTHING, ("simulation.currency", "JPY"), ("simulation.balance_money", 1_500_000.0))
    ),
    Case(
        "2025-10, minutes",
        ["EURUSD", "GBPUSD", "USDCAD"],
        (date(2025, 10, 1), date(2025, 10, 31)),
        EVERYTHING,
        folders=("m1", "m15"),
    ),
)
PROVOKED = (
    Case("drawdown stops", FOUR, QUARTER, (("breakers.drawdown_max_pct", 3.0),)),
    Case("low limits that flatten", FOUR, QUARTER, (
        *COIN, ("risk.risk_per_trade_pct", 0.3), ("breakers.day_loss_max_pct", 0.7), ("breakers.trip_action", "flatten"),
        ("breakers.entries_per_day_max", 4), ("breakers.positions_max", 2), ("breakers.consecutive_losses_max", 2),
        ("costs.slippage_pips", 5.0), ("risk.round_trip_cost_max_pct", 100.0), ("breakers.drawdown_max_pct", 100.0),
        ("strategy.net_reward_risk_min", 0.0), ("kelly.risk_min_pct", 0.1),
    ), coin=True),
    Case("a drawdown that flattens", FOUR, QUARTER, (
        *COIN, ("breakers.drawdown_max_pct", 2.0), ("breakers.trip_action", "flatten"), ("breakers.positions_per_pair_max", 2),
    ), coin=True),
    Case("little room in the budget", FOUR, QUARTER, (
        *COIN, ("risk.open_risk_max_pct", 1.5), ("strategy.net_reward_risk_min", 1.7), ("exposure.gap_risk_max_pct", 40.0),
        ("breakers.drawdown_max_pct", 100.0), ("correlation.risk_max_pct", 50.0), ("breakers.consecutive_losses_max", 100),
    ), coin=True),
    Case("every stop with its gap", FOUR, QUARTER, (
        *COIN, ("exposure.gap_risk_max_pct", 5.0), ("breakers.drawdown_max_pct", 100.0), ("exposure.gap_pct", 0.4),
        ("breakers.consecutive_losses_max", 100), ("scan.price_moved_max_pct", 1.0),
    ), coin=True),
    Case("two hundred dollars", FOUR, MONTH, (*COIN, ("simulation.balance_money", 200.0), ("strategy.net_reward_risk_min", 0.5)), coin=True),
    Case("a coin on both sides, closed by the next", ["EURUSD", "USDJPY"], MONTH, (
        *COIN, ("filters.opposite_signal_action", "close"), ("correlation.risk_max_pct", 0.6), ("risk.open_risk_max_pct", 1.2),
        ("position.profit_retrace_close_pct", 100.0), ("position.profit_retrace_pct", 10.0), ("breakers.entries_per_day_max", 100),
        ("breakers.consecutive_losses_max", 100), ("breakers.positions_per_pair_max", 2),
    ), coin=True),
    Case("a coin that reverses, on netting", ["EURUSD", "USDJPY"], MONTH, (
        *COIN, ("filters.opposite_signal_action", "reverse"), ("simulation.hedging", False), ("breakers.entries_per_day_max", 100),
        ("position.time_exit_hours", 0.0), ("position.weekend_no_entries_from", "Fri 15:25"), ("breakers.consecutive_losses_max", 100),
    ), coin=True),
    Case("a funded account", FOUR, QUARTER, (
        *COIN, ("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 1.2), ("prop_firm.overall_loss_pct", 3.0),
        ("prop_firm.best_day_max_pct", 30.0), ("breakers.drawdown_max_pct", 100.0), ("breakers.day_loss_max_pct", 20.0),
        ("risk.risk_per_trade_pct", 0.25), ("kelly.risk_min_pct", 0.1), ("exposure.gap_pct", 0.0), ("exposure.gap_weekend_pct", 0.0),
        ("prop_firm.close_buffer_pct", 60.0), ("prop_firm.reduce_only_buffer_pct", 65.0), ("breakers.consecutive_losses_max", 100),
        ("breakers.positions_per_pair_max", 2), ("breakers.entries_per_day_max", 100),
    ), coin=True),
    Case("a funded account with little room for a day", FOUR, MONTH, (
        *COIN, ("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 3.0), ("prop_firm.overall_loss_pct", 50.0), ("exposure.gap_pct", 0.2),
    ), coin=True),
    Case("a funded account near its end", FOUR, QUARTER, (
        *COIN, ("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 50.0), ("prop_firm.overall_loss_pct", 3.0),
        ("breakers.drawdown_max_pct", 100.0), ("risk.risk_per_trade_pct", 0.25), ("kelly.risk_min_pct", 0.1),
        ("breakers.consecutive_losses_max", 100), ("exposure.gap_pct", 0.0), ("prop_firm.close_buffer_pct", 1.0),
        ("prop_firm.reduce_only_buffer_pct", 2.0), ("breakers.entries_per_day_max", 100),
    ), coin=True),
    Case("a cap of lots on a funded account", FOUR, MONTH, (
        *COIN, ("prop_firm.enabled", True), ("prop_firm.lots_max", 0.05), ("prop_firm.day_loss_pct", 50.0), ("prop_firm.overall_loss_pct", 90.0),
        ("breakers.drawdown_max_pct", 100.0),
    ), coin=True),
    Case("a broker that stops out early", ["GBPUSD"], (date(2024, 9, 30), date(2024, 10, 11)), (
        *COIN, ("strategy.parameters", {"every": 1, "stop_x": 20.0, "target_x": 60.0, "only_buys": True}),
        ("simulation.leverage", 34), ("risk.risk_per_trade_pct", 5.0), ("risk.open_risk_max_pct", 50.0),
        ("exposure.position_max_x_equity", 100.0), ("exposure.currency_max_x_equity", 200.0), ("exposure.total_max_x_equity", 300.0),
        ("exposure.gap_risk_max_pct", 100.0), ("exposure.gap_pct", 0.0), ("breakers.margin_level_min_pct", 0.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.day_loss_max_pct", 100.0), ("correlation.risk_max_pct", 100.0),
        ("breakers.positions_max", 100), ("breakers.positions_per_pair_max", 100), ("breakers.entries_per_day_max", 100),
        ("position.time_exit_hours", 0.0), ("strategy.confidence_min", 0.0),
    ), news=False, coin=True, stop_out_level_pct=90.0),
    Case("a funded account with a best day", ["XAUUSD"], (date(2024, 2, 26), date(2024, 4, 12)), (
        *COIN, ("strategy.parameters", {"every": 4, "stop_x": 4.0, "target_x": 12.0, "only_buys": True}),
        ("prop_firm.enabled", True), ("prop_firm.best_day_max_pct", 5.0), ("prop_firm.day_loss_pct", 50.0), ("prop_firm.overall_loss_pct", 90.0),
        ("breakers.drawdown_max_pct", 100.0), ("strategy.confidence_min", 0.0), ("breakers.consecutive_losses_max", 100),
        ("breakers.entries_per_day_max", 100), ("filters.atr_price_max_pct", 2.0),
    ), coin=True),
    Case("a funded account that closes at its buffer", FOUR, YEAR, (
        *COIN, ("prop_firm.enabled", True), ("prop_firm.day_loss_pct", 3.0), ("prop_firm.overall_loss_pct", 90.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.day_loss_max_pct", 20.0), ("risk.risk_per_trade_pct", 0.5),
        ("kelly.risk_min_pct", 0.1), ("exposure.gap_pct", 0.0), ("exposure.gap_weekend_pct", 0.0), ("prop_firm.close_buffer_pct", 80.0),
        ("prop_firm.reduce_only_buffer_pct", 80.0), ("breakers.consecutive_losses_max", 100), ("breakers.entries_per_day_max", 100),
        ("costs.intrabar_order", "optimistic"),
    ), coin=True),
    Case("two places", FOUR, MONTH, (
        *COIN, ("breakers.positions_max", 2), ("risk.risk_per_trade_pct", 0.3), ("kelly.risk_min_pct", 0.1),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.entries_per_day_max", 100),
    ), coin=True),
    Case("Kelly that stops", FOUR, QUARTER, (
        *COIN, ("kelly.enabled", True), ("kelly.lookback_trades_min", 10), ("kelly.negative_action", "reduce_only"),
        ("breakers.drawdown_max_pct", 100.0),
    ), coin=True),
    Case("no calendar, so no entries", ["EURUSD"], MONTH, (("news.no_calendar_action", "hold"),), news=False),
    Case("dear fills that are trimmed", FOUR, MONTH, (
        *EVERYTHING, ("costs.slippage_pips", 4.0), ("risk.fill_risk_action", "trim"), ("risk.fill_risk_max_pct", 101.0),
    )),
    Case("adds of every kind", FOUR, QUARTER, (
        *COIN, ("position.pyramid", True), ("position.pyramid_from_r", 0.3), ("position.pyramid_pullback_x_atr", 0.2), ("position.time_exit_hours", 30.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.positions_per_pair_max", 3), ("position.pyramid_adds_max", 1),
        ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100), ("position.profit_retrace_pct", 100.0),
        ("strategy.parameters", {"every": 6}),
    ), coin=True),
    Case("adds behind loose stops", FOUR, QUARTER, (
        *COIN, ("position.pyramid", True), ("position.pyramid_from_r", 0.0), ("position.pyramid_pullback_x_atr", 0.0), ("position.time_exit_hours", 30.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.positions_per_pair_max", 4), ("position.pyramid_adds_max", 3),
        ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100), ("position.profit_retrace_pct", 100.0),
        ("position.trail_x_atr", 0.0), ("strategy.parameters", {"every": 6, "stop_x": 4.0, "target_x": 12.0}), ("simulation.hedging", False),
    ), coin=True),
    Case("adds behind near stops, on netting", FOUR, QUARTER, (
        *COIN, ("position.pyramid", True), ("position.pyramid_from_r", 0.1), ("position.pyramid_pullback_x_atr", 0.0), ("position.time_exit_hours", 30.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.positions_per_pair_max", 4), ("position.pyramid_adds_max", 3),
        ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100), ("position.profit_retrace_pct", 100.0),
        ("position.trail_from_r", 0.1), ("position.trail_x_atr", 0.6), ("risk.stop_atr_min_x", 2.5), ("simulation.hedging", False),
        ("strategy.parameters", {"every": 6, "stop_x": 3.0, "target_x": 12.0}), ("strategy.confidence_min", 0.0),
    ), coin=True),
    Case("early closes, a cap on the spread, a full book", FOUR, MONTH, (
        *COIN, ("position.early_closes", ["2024-03-13 13:00", "2024-03-29"]), ("pair.USDCHF.filters.spread_pips_max", 0.45),
        ("exposure.total_max_x_equity", 8.0), ("exposure.currency_max_x_equity", 40.0), ("correlation.risk_max_pct", 50.0),
        ("breakers.drawdown_max_pct", 100.0), ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100),
        ("breakers.margin_level_min_pct", 0.0), ("exposure.gap_risk_max_pct", 100.0), ("news.tighten_stops", True),
        ("costs.intrabar_order", "neutral"),
    ), coin=True),
    Case("an account that the caps leave nothing", FOUR, MONTH, (
        *COIN, ("simulation.balance_money", 500.0), ("exposure.position_max_x_equity", 0.5),
        ("pair.EURUSD.exposure.position_max_x_equity", 7.0), ("pair.USDCHF.exposure.position_max_x_equity", 7.0),
        ("correlation.over_limit_action", "shrink"), ("correlation.risk_max_pct", 0.8), ("breakers.drawdown_max_pct", 100.0),
        ("strategy.confidence_min", 0.0),
    ), coin=True),
    Case("minutes that are missing", ["EURUSD", "USDCAD"], (date(2025, 10, 1), date(2025, 10, 10)), (
        *COIN, ("strategy.parameters", {"every": 3}), ("breakers.drawdown_max_pct", 100.0), ("strategy.confidence_min", 0.0),
        ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100),
    ), folders=("m1", "m15"), coin=True, thinned="USDCAD"),
    Case("ticks inside the bars", ["EURUSD", "GBPUSD"], (date(2025, 9, 24), date(2025, 9, 26)), (
        *COIN, ("strategy.parameters", {"every": 3}), ("breakers.drawdown_max_pct", 100.0), ("strategy.confidence_min", 0.0),
        ("breakers.entries_per_day_max", 100), ("breakers.consecutive_losses_max", 100), ("position.pyramid", True),
    ), folders=("ticks", "m15"), coin=True),
    Case("little margin", FOUR, MONTH, (
        *COIN, ("simulation.leverage", 5), ("breakers.margin_level_min_pct", 0.0), ("exposure.position_max_x_equity", 50.0),
        ("exposure.currency_max_x_equity", 100.0), ("exposure.total_max_x_equity", 100.0), ("breakers.drawdown_max_pct", 100.0),
    ), coin=True),
)  # fmt: skip


def run_case(case: Case, data: Path) -> Outcome:
    """Both runs, in a home of their own."""
    with TemporaryDirectory() as folder, _stopped_out_at(case.stop_out_level_pct):
        home, more = Home(Path(folder)), [("desk.pairs", case.pairs)]
        if case.coin:
            more.append(("strategy.file", str(sample_runs.coin_file(home.root))))
        if case.news:
            more.append(("news.files", [str(data / "calendar" / "investing_2023-2025.csv.gz")]))
        values, folders = (*case.values, *more), tuple(data / name for name in case.folders)
        if case.thinned:
            folders = (_thinned(home.root / "m1", folders[0], case), *folders[1:])
        began = time.process_time()
        replayed, asked = _replayed(home, folders, values, case.days)
        middle = time.process_time()
        result = _backtested(home, folders, values, case.days)
        return Outcome(case, result, replayed, asked, _differing(replayed, result), middle - began, time.process_time() - middle)


def _thinned(made: Path, minutes: Path, case: Case) -> Path:
    """The minutes of a case's pairs once more; of one pair only those from the fifth to the ninth of each quarter of an hour."""
    made.mkdir()
    first, last = case.days[0].isoformat(), case.days[1].isoformat()
    for pair in case.pairs:
        file = next(minutes.glob(f"{pair}_M1_{case.days[0].year}*"))
        with gzip.open(file, "rt", encoding="ascii") as read, (made / f"{pair}_M1.csv").open("w", encoding="ascii") as kept:
            kept.write(next(read))
            kept.writelines(
                row for row in read if first <= row[:10] <= last and (pair != case.thinned or 5 <= int(row[14:16]) % 15 < 10)
            )
    return made


def _replayed(
    home: Home, folders: tuple[Path, ...], values: Values, days: tuple[date, date]
) -> tuple[ResultCollector, Counter[str]]:
    heard, asked = ResultCollector(), Counter[str]()

    def hear(_at_utc_ns: UtcNs, effect: Effect) -> None:
        if isinstance(effect, Close):
            asked[effect.why] += 1

    async def live() -> None:
        wish = RunRequest(home=home, values=values, replay=folders, from_day=days[0], to_day=days[1])
        ready = await start_run(wish, on_step=lambda _text: None)
        ready.engine.runner.listen(heard.on_effect)
        ready.engine.runner.listen(hear)
        end = await run_to_end(ready)
        if not end.clean or end.why != END_OF_DATA:
            raise RuntimeError(f"the replay did not reach the end of its data: {end.why}")

    asyncio.run(live())
    return heard, asked


@contextmanager
def _stopped_out_at(level_pct: float) -> Iterator[None]:
    """Another broker's stop out, on the plain and on the compiled side."""
    with ExitStack() as sides:
        sides.enter_context(patch.object(terminal_builder, "STOP_OUT_LEVEL_PCT", level_pct))
        if is_compiled():
            sys.path.append(str(destination()))
            other = importlib.import_module(renamed(terminal_builder.__name__))
            sides.enter_context(patch.object(other, "STOP_OUT_LEVEL_PCT", level_pct))
        yield


def _backtested(home: Home, folders: tuple[Path, ...], values: Values, days: tuple[date, date]) -> BacktestResult:
    settings = load_settings(home.root, values).settings
    strategy = load_strategy(settings, home.root)
    wish = DataRequest(folders=folders, from_day=days[0], to_day=days[1])
    return backtested(load_market(wish, settings, strategy, home), settings, strategy)


def _differing(replayed: ResultCollector, result: BacktestResult) -> list[str]:
    """The first row of each kind that is not the same in both."""
    found = []
    columns: tuple[tuple[str, Sequence[object], Sequence[object]], ...] = (
        ("trades", replayed.trades, result.trades),
        ("refusals", replayed.rejected, result.rejected),
        ("marks of equity", replayed.equity, result.equity),
    )
    for name, mine, theirs in columns:
        if list(mine) == list(theirs):
            continue
        place = next((row for row, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
        if place is None:
            found.append(f"{name}: {len(mine)} and {len(theirs)}")
        else:
            found.append(f"{name} from row {place} on: {mine[place]} and {theirs[place]}")
    if replayed.tally.summary() != result.summary:
        found.append("the summaries differ")
    return found


def missing(outcomes: Sequence[Outcome]) -> tuple[list[str], list[str]]:
    """(exits, refusals) that never came."""
    exits, refusals = counted(outcomes)
    return (
        [reason for reason in EXITS if not exits[reason]],
        never_refused_by(refusals),
    )


def counted(outcomes: Sequence[Outcome]) -> tuple[Counter[str], Counter[str]]:
    """(exits, refusals) by reason, over all cases."""
    exits: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for outcome in outcomes:
        exits.update(trade.reason for trade in outcome.result.trades)
        exits.update({why: count for why, count in outcome.asked.items() if why in ("give_back", "trim")})
        refusals.update(rejected.reason for rejected in outcome.result.rejected)
    return exits, refusals


def main() -> int:
    """Run the cases named (a part of the name will do), else all; print the tables."""
    data = Path(os.environ.get("QUARTERDECK_DATA", "../shared/data"))
    asked = [case for case in (*CASES, *PROVOKED) if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:])]
    outcomes = []
    print(
        "| case | trades | refused | exits | digest | the same | CPU s, replay and backtest |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for case in asked:
        outcome = run_case(case, data)
        outcomes.append(outcome)
        total = outcome.result.summary
        exits = ", ".join(f"{reason} {count}" for reason, count in total.exits.items())
        same = "yes" if not outcome.differing else "NO"
        spent = f"{outcome.replay_s:.1f}, {outcome.backtest_s:.1f}"
        refused = sum(total.refusals.values())
        print(f"| {case.name} | {total.trades} | {refused} | {exits} | `{total.digest}` | {same} | {spent} |", flush=True)
        for difference in outcome.differing:
            print(f"  differs: {difference}", flush=True)
    exits, refusals = counted(outcomes)
    print(f"\n{sum(exits.values())} trades. Exits: {', '.join(f'{name} {count}' for name, count in exits.most_common())}")
    print(f"{sum(refusals.values())} refusals: {', '.join(f'{name} {count}' for name, count in refusals.most_common())}")
    lacking = missing(outcomes)
    print(f"never an exit by: {', '.join(lacking[0]) or '-'}; never a refusal by: {', '.join(lacking[1]) or '-'}")
    return int(any(outcome.differing for outcome in outcomes) or (not sys.argv[1:] and bool(lacking[0] or lacking[1])))


if __name__ == "__main__":
    sys.exit(main())
