"""Whether a backtest's result can be believed: each question with its figure, its answer in words, and how bad it is.

Why: a good curve is easily had by luck, by one trade, by costs that were too low, or by a first day that suited.
Promises: deterministic (chance is seeded by the run's digest); a question that the trades are too few for says so; what a figure
is computed from is in its text: the run's own trades, or the same days run again where that was done (`stress_runs`).
Does not: run anything.
Sources: entries against chance with the exits kept (Aronson 2006, chapter 6).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct

from quarterdeck.core.backtest.monte_carlo import SHUFFLES, balance_returns, max_drawdown, run_seed, shuffled_drawdowns
from quarterdeck.core.backtest.random_entry_test import compare_with_random_entries, day_of, market_days
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.backtest.result_tables import equity_points
from quarterdeck.core.backtest.stress_runs import StressRuns
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.desk.trading_state import WAYS_BACK
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.study import metrics

FindingLevel = Literal["fine", "doubt", "warning"]
_FEW, _SOME = 30, 100
_FIRST_DAYS = 20
_FLAT_SHARE = 0.5
_IDLE_SHARE = 0.1
"""Without an entry at the end for so much of the days: worth a look at what stood against it."""
_STOPPED_SHARE = 0.9


class DiagnosisFinding(Struct, frozen=True, kw_only=True):
    """One question and its answer."""

    name: str
    level: FindingLevel
    text: str
    value: float | None = None


def diagnose(result: BacktestResult, candles: Mapping[str, Candles], again: StressRuns | None = None) -> list[DiagnosisFinding]:
    """All questions in the order in which they matter; `candles` are the M15 bars of the traded pairs."""
    if not result.trades:
        return [DiagnosisFinding(name="Any trades?", level="warning", text="There are no trades to judge.", value=0.0)]
    questions: list[Callable[[], DiagnosisFinding]] = [
        lambda: _enough(result),
        lambda: _to_the_end(result),
        lambda: random_entry_finding(result, candles),
        lambda: _carried(result),
        lambda: _twice_the_costs(result, again),
        lambda: _band(result),
        lambda: _flat(result),
        lambda: _first_day(result, again),
        lambda: _ambiguous(result),
    ]
    return [ask() for ask in questions]


def results_r(result: BacktestResult) -> list[float]:
    """Results in R, in the order in which trades closed."""
    return [trade.result_r for trade in result.trades]


def _enough(result: BacktestResult) -> DiagnosisFinding:
    results = results_r(result)
    count, middle, spread = len(results), metrics.mean(results) or 0.0, metrics.deviation(results)
    if spread is None or spread == 0.0:
        return DiagnosisFinding(name="Enough trades?", level="warning", text=f"{count}: far too few.", value=float(count))
    alone, by_day = spread / math.sqrt(count), _error_by_day(result)
    error = max(alone, by_day)
    clear = abs(middle) >= 2.0 * error
    level: FindingLevel = "warning" if count < _FEW else "doubt" if count < _SOME or not clear else "fine"
    needed = (
        ""
        if middle == 0.0
        else f"; to tell that mean from zero would take about {math.ceil(count * (2.0 * error / middle) ** 2):,}"
    )
    told = ", more than two errors from zero" if clear else f": it cannot be distinguished from zero{needed}"
    counted = ", by day" if by_day > alone else ""
    text = f"{count} trades, mean {middle:+.3f} R with a standard error of {error:.3f} R{counted}{told}."
    return DiagnosisFinding(name="Enough trades?", level=level, text=text, value=float(count))


def _error_by_day(result: BacktestResult) -> float:
    """Standard error of the mean result, trades of one day counted as one cluster: what happens at once is no second witness.

    Source: Liang and Zeger (1986), the sandwich estimator of a mean, with D/(D-1) for D days. 0 on one day.
    """
    starts = market_days(result.from_utc_ns, result.to_utc_ns)
    results = np.array(results_r(result))
    days = day_of(starts, np.array([trade.opened_utc_ns for trade in result.trades], dtype=np.int64))
    sums = np.bincount(days, weights=results - results.mean())
    count = len(np.unique(days))
    return float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(results) if count > 1 else 0.0


def _to_the_end(result: BacktestResult) -> DiagnosisFinding:
    """Whether entries ended for good long before the days did: what follows is no part of the result."""
    name, last = "Traded to the end?", max(trade.opened_utc_ns for trade in result.trades)
    idle = (result.to_utc_ns - last) / max(result.to_utc_ns - result.from_utc_ns, 1)
    after = Counter(one.reason for one in result.rejected if one.bar_open_utc_ns >= last)
    reason, count = after.most_common(1)[0] if after else ("", 0)
    day = iso(last)[:10]
    if idle < _IDLE_SHARE or reason not in WAYS_BACK or count < _STOPPED_SHARE * after.total():
        return DiagnosisFinding(name=name, level="fine", text=f"The last entry was on {day}.", value=idle)
    text = (
        f"Nothing was entered after {day}: {count} of {after.total()} candidates since then were refused by {reason}. "
        f"Entries resume when {WAYS_BACK[reason][1]}. This is why the equity is flat after that day."
    )
    return DiagnosisFinding(name=name, level="warning", text=text, value=idle)


def random_entry_finding(result: BacktestResult, candles: Mapping[str, Candles]) -> DiagnosisFinding:
    """Whether the same entries on random days, with the same stops, targets and time-out, would have done as well."""
    name = "Better than chance?"
    found = compare_with_random_entries(result, candles)
    if found is None:
        return DiagnosisFinding(name=name, level="doubt", text="The trades are too few to compare with random entries.")
    level: FindingLevel = (
        "fine"
        if found.share_of_random_runs_as_good <= 0.05
        else "doubt"
        if found.share_of_random_runs_as_good <= 0.2
        else "warning"
    )
    text = (
        f"With first stop, target and time-out alone these entries make {found.mean_r:+.3f} R a trade; the same entries on "
        f"random days, each day's together, make {found.random_mean_r:+.3f} R. "
        f"{100.0 * found.share_of_random_runs_as_good:.1f} % of {found.draws} random sets were as good."
    )
    return DiagnosisFinding(name=name, level=level, text=text, value=found.share_of_random_runs_as_good)


def _carried(result: BacktestResult) -> DiagnosisFinding:
    results = sorted(results_r(result))
    total, best = math.fsum(results), results[-1]
    few = max(1, len(results) // 20)
    without = math.fsum(results[: len(results) - few])
    name = "Carried by few trades?"
    if total <= 0.0:
        text = f"The sum is {total:+.1f} R; the best trade brought {best:+.1f} R."
        return DiagnosisFinding(name=name, level="fine", text=text, value=best)
    level: FindingLevel = "warning" if total - best <= 0.0 else "doubt" if without <= 0.0 and few < len(results) // 10 else "fine"
    text = f"The best trade is {100.0 * best / total:.0f} % of {total:+.1f} R; without the best {few} it is {without:+.1f} R."
    return DiagnosisFinding(name=name, level=level, text=text, value=best / total)


def _twice_the_costs(result: BacktestResult, again: StressRuns | None) -> DiagnosisFinding:
    name, total = "Result at twice the costs?", math.fsum(results_r(result))
    after = total - _costs_r(result)
    told = f"{total:+.1f} R becomes {after:+.1f} R with commission, swap and the spread at entry of the same trades paid twice"
    if again is None:
        level: FindingLevel = "doubt" if total <= 0.0 else "fine" if after > 0.0 else "warning"
        return DiagnosisFinding(name=name, level=level, text=f"{told}; not run again.", value=after)
    dear = math.fsum(results_r(again.at_double_costs)) - _swap_r(again.at_double_costs)
    level = "doubt" if total <= 0.0 else "warning" if dear <= 0.0 else "fine" if after > 0.0 else "doubt"
    count = len(again.at_double_costs.trades)
    more = f"; run again at twice spread, commission, slippage and swap it is {dear:+.1f} R in {count} trades."
    return DiagnosisFinding(name=name, level=level, text=told + more, value=dear)


def _costs_r(result: BacktestResult) -> float:
    """Commission, swap and spread at entry, in R. The spread in R is its share of the stop distance."""
    spreads = {entry.position_id: entry for entry in result.entered}
    paid = _swap_r(result)
    for trade in result.trades:
        if trade.risk_money > 0.0:
            paid -= min(trade.commission_money, 0.0) / trade.risk_money
        entry = spreads.get(trade.position_id)
        if entry is not None and entry.open_price != entry.stop_price:
            paid += entry.spread_price / abs(entry.open_price - entry.stop_price)
    return paid


def _swap_r(result: BacktestResult) -> float:
    """Swap paid, in R; swap received is no cost."""
    return math.fsum(-min(trade.swap_money, 0.0) / trade.risk_money for trade in result.trades if trade.risk_money > 0.0)


def _band(result: BacktestResult) -> DiagnosisFinding:
    name = "Drawdown by luck?"
    returns = balance_returns(result)
    if len(returns) < _FEW:
        return DiagnosisFinding(name=name, level="doubt", text="The trades are too few for a band.")
    falls = shuffled_drawdowns(returns, run_seed(result))
    low, middle, high = (float(np.percentile(falls, pct)) for pct in (5, 50, 95))
    seen, whole = max_drawdown(returns), metrics.drawdown(equity_points(result))
    level: FindingLevel = "doubt" if seen < low else "fine"
    lucky = " The order of the trades was lucky." if seen < low else ""
    equity = "" if whole is None else f", {100.0 * whole.fraction:.1f} % including floating P&L"
    text = (
        f"{100.0 * seen:.1f} % was seen counted trade by trade{equity}; the same trades in {SHUFFLES} other orders: "
        f"{100.0 * low:.1f} to {100.0 * high:.1f} % (5 to 95 of 100), middle {100.0 * middle:.1f} %.{lucky}"
    )
    return DiagnosisFinding(name=name, level=level, text=text, value=high)


def _flat(result: BacktestResult) -> DiagnosisFinding:
    span = max(result.to_utc_ns - result.from_utc_ns, 1)
    points = equity_points(result)
    peak, since, longest = points[0].equity_money, points[0].at_utc_ns, 0
    for point in points:
        if point.equity_money > peak:
            longest = max(longest, point.at_utc_ns - since)
            peak, since = point.equity_money, point.at_utc_ns
    longest = max(longest, result.to_utc_ns - since)
    idle = _longest_pause(result)
    level: FindingLevel = "doubt" if longest > _FLAT_SHARE * span else "fine"
    text = (
        f"{longest / DAY_NS:.0f} of {span / DAY_NS:.0f} days without a new peak at the longest; "
        f"the longest pause between trades was {idle / DAY_NS:.0f} days."
    )
    return DiagnosisFinding(name="Flat periods?", level=level, text=text, value=longest / span)


def _longest_pause(result: BacktestResult) -> int:
    opened = sorted(trade.opened_utc_ns for trade in result.trades)
    edges = [result.from_utc_ns, *opened, result.to_utc_ns]
    return max(later - earlier for earlier, later in pairwise(edges))


def _first_day(result: BacktestResult, again: StressRuns | None) -> DiagnosisFinding:
    name = "Sensitive to the first day?"
    if again is None or not again.later_starts:
        span = max(2, min(_FIRST_DAYS, (result.to_utc_ns - result.from_utc_ns) // (2 * DAY_NS)))
        sums = [_from_day(result, day) for day in range(span)]
        why = "not run again" if again is None else "too short to be run again"
        what = f"Begun on any of the first {span} days the sum of the same trades is"
    else:
        sums = [math.fsum(results_r(result)), *(math.fsum(results_r(run)) for _, run in again.later_starts)]
        days = ", ".join(str(day) for day, _ in again.later_starts)
        kept = sum(_shared(result, run) for _, run in again.later_starts) / len(again.later_starts)
        why = f"{100.0 * kept:.0f} % of the later runs' trades are this run's too"
        what = f"Begun now and run again {days} days later it comes to"
    low, high = min(sums), max(sums)
    level: FindingLevel = "warning" if low <= 0.0 < high else "fine"
    return DiagnosisFinding(name=name, level=level, text=f"{what} {low:+.1f} to {high:+.1f} R; {why}.", value=high - low)


def _from_day(result: BacktestResult, day: int) -> float:
    begin = result.from_utc_ns + day * DAY_NS
    return math.fsum(trade.result_r for trade in result.trades if trade.opened_utc_ns >= begin)


def _shared(result: BacktestResult, later: BacktestResult) -> float:
    """Share of a later run's trades that the first run entered too: same pair, side and instant."""
    mine = {(trade.symbol, trade.side, trade.opened_utc_ns) for trade in result.trades}
    theirs = [(trade.symbol, trade.side, trade.opened_utc_ns) in mine for trade in later.trades]
    return sum(theirs) / len(theirs) if theirs else 1.0


def _ambiguous(result: BacktestResult) -> DiagnosisFinding:
    count, total = result.summary.ambiguous, len(result.trades)
    share = count / total
    level: FindingLevel = "doubt" if share > 0.05 else "fine"
    text = (
        f"{count} of {total} exits depend on what came first inside a bar; "
        "see them as optimistic and pessimistic with --all-intrabar."
    )
    return DiagnosisFinding(name="Ambiguous bars?", level=level, text=text, value=share)


def worst_level(findings: Sequence[DiagnosisFinding]) -> FindingLevel:
    """The worst of the answers."""
    order: tuple[FindingLevel, ...] = ("fine", "doubt", "warning")
    return max((one.level for one in findings), key=order.index, default="fine")
