"""Whether a backtest's result can be believed: each question with its figure, its answer in words, and how bad it is.

Why: a good curve is easily had by luck, by one trade, by costs that were too low, or by a first day that suited.
Promises: deterministic (chance is seeded by the run's digest); a question that the trades are too few for says so.
Does not: run anything again; what a figure is computed from stands in its text.
Sources: Monte Carlo by reshuffling trades (Vince 1990); entries against chance with the exits kept (Aronson 2006, chapter 6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct

from core.backtest.chance import against_chance
from core.backtest.figures import equity_points
from core.backtest.result import BacktestResult
from core.model.market import Candles
from core.model.units import DAY_NS
from core.study import metrics

Level = Literal["fine", "doubt", "warning"]
_FEW, _SOME = 30, 100
_SHUFFLES = 1_000
_FIRST_DAYS = 20
_FLAT_SHARE = 0.5


class Finding(Struct, frozen=True, kw_only=True):
    """One question and its answer."""

    name: str
    level: Level
    text: str
    value: float | None = None


def diagnose(result: BacktestResult, candles: Mapping[str, Candles]) -> list[Finding]:
    """All questions in the order in which they matter; `candles` are the M15 bars of the traded pairs."""
    if not result.trades:
        return [Finding(name="Trades", level="warning", text="there is none, so nothing can be said.", value=0.0)]
    questions: list[Callable[[], Finding]] = [
        lambda: _enough(result),
        lambda: against_random(result, candles),
        lambda: _carried(result),
        lambda: _twice_the_costs(result),
        lambda: _band(result),
        lambda: _flat(result),
        lambda: _first_day(result),
        lambda: _ambiguous(result),
    ]
    return [ask() for ask in questions]


def results_r(result: BacktestResult) -> list[float]:
    """Results in R, in the order in which trades closed."""
    return [trade.result_r for trade in result.trades]


def _enough(result: BacktestResult) -> Finding:
    results = results_r(result)
    count, middle, spread = len(results), metrics.mean(results) or 0.0, metrics.deviation(results)
    level: Level = "warning" if count < _FEW else "doubt" if count < _SOME else "fine"
    if spread is None or spread == 0.0:
        return Finding(name="Enough trades?", level="warning", text=f"{count}: far too few.", value=float(count))
    error = spread / math.sqrt(count)
    needed = "" if middle == 0.0 else f"; two errors apart from zero would take {math.ceil((2.0 * spread / middle) ** 2)}"
    text = f"{count} trades, mean {middle:+.3f} R with a standard error of {error:.3f} R{needed}."
    return Finding(name="Enough trades?", level=level, text=text, value=float(count))


def against_random(result: BacktestResult, candles: Mapping[str, Candles]) -> Finding:
    """Whether entries at random times, with the same stops, targets and time-out, would have done as well."""
    name = "Better than chance?"
    found = against_chance(result, candles)
    if found is None:
        return Finding(name=name, level="doubt", text="the trades are too few to compare with random entries.")
    level: Level = "fine" if found.share_as_good <= 0.05 else "doubt" if found.share_as_good <= 0.2 else "warning"
    text = (
        f"with first stop, target and time-out alone these entries make {found.mean_r:+.3f} R a trade; entries at random times "
        f"of the same hours, either side, make {found.random_mean_r:+.3f} R. {100.0 * found.share_as_good:.1f} % of "
        f"{found.draws} random sets were as good."
    )
    return Finding(name=name, level=level, text=text, value=found.share_as_good)


def _carried(result: BacktestResult) -> Finding:
    results = sorted(results_r(result))
    total, best = math.fsum(results), results[-1]
    few = max(1, len(results) // 20)
    without = math.fsum(results[: len(results) - few])
    name = "Carried by few trades?"
    if total <= 0.0:
        text = f"the sum is {total:+.1f} R; the best trade brought {best:+.1f} R."
        return Finding(name=name, level="fine", text=text, value=best)
    level: Level = "warning" if total - best <= 0.0 else "doubt" if without <= 0.0 and few < len(results) // 10 else "fine"
    text = f"the best trade is {100.0 * best / total:.0f} % of {total:+.1f} R; without the best {few} it is {without:+.1f} R."
    return Finding(name=name, level=level, text=text, value=best / total)


def _twice_the_costs(result: BacktestResult) -> Finding:
    spreads = {entry.position_id: entry for entry in result.entered}
    more = 0.0
    for trade in result.trades:
        paid = -min(trade.commission_money, 0.0) - min(trade.swap_money, 0.0)
        more += paid / trade.risk_money if trade.risk_money > 0.0 else 0.0
        entry = spreads.get(trade.position_id)
        if entry is not None and entry.open_price != entry.stop_price:
            more += entry.spread_price / abs(entry.open_price - entry.stop_price)
    total = math.fsum(results_r(result))
    name, after = "Result at twice the costs?", total - more
    level: Level = "doubt" if total <= 0.0 else "fine" if after > 0.0 else "warning"
    text = f"{total:+.1f} R becomes {after:+.1f} R with commission, swap and the spread at entry paid twice."
    return Finding(name=name, level=level, text=text, value=after)


def _band(result: BacktestResult) -> Finding:
    name = "Drawdown by luck?"
    fractions = np.array(
        [trade.net_money / trade.risk_money for trade in result.trades if trade.risk_money > 0.0], dtype=np.float64
    )
    if len(fractions) < _FEW:
        return Finding(name=name, level="doubt", text="the trades are too few for a band.")
    share = result.settings["risk"]["risk_per_trade_pct"] / 100.0
    falls = shuffled_drawdowns(fractions * share, seed_of(result))
    low, middle, high = (float(np.percentile(falls, pct)) for pct in (5, 50, 95))
    seen = metrics.drawdown(equity_points(result))
    fraction = seen.fraction if seen is not None else 0.0
    level: Level = "doubt" if fraction < low else "fine"
    lucky = " The order of the trades was lucky." if fraction < low else ""
    text = (
        f"{100.0 * fraction:.1f} % was seen; the same trades in {_SHUFFLES} other orders, each at {100.0 * share:g} % risk: "
        f"{100.0 * low:.1f} to {100.0 * high:.1f} % (5 to 95 of 100), middle {100.0 * middle:.1f} %.{lucky}"
    )
    return Finding(name=name, level=level, text=text, value=high)


def shuffled_drawdowns(
    returns: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Deepest drawdown, as a fraction, of compounded returns in each of many random orders."""
    rng = np.random.default_rng(seed)
    falls = np.empty(_SHUFFLES)
    for draw in range(_SHUFFLES):
        equity = np.cumprod(np.maximum(1.0 + rng.permutation(returns), 1e-9))
        peaks = np.maximum.accumulate(np.concatenate(([1.0], equity)))
        falls[draw] = float(np.max(1.0 - np.concatenate(([1.0], equity)) / peaks))
    return falls


def _flat(result: BacktestResult) -> Finding:
    span = max(result.to_utc_ns - result.from_utc_ns, 1)
    points = equity_points(result)
    peak, since, longest = points[0].equity_money, points[0].at_utc_ns, 0
    for point in points:
        if point.equity_money > peak:
            longest = max(longest, point.at_utc_ns - since)
            peak, since = point.equity_money, point.at_utc_ns
    longest = max(longest, result.to_utc_ns - since)
    idle = _longest_pause(result)
    level: Level = "doubt" if longest > _FLAT_SHARE * span else "fine"
    text = (
        f"{longest / DAY_NS:.0f} of {span / DAY_NS:.0f} days without a new peak at the longest; "
        f"the longest pause between trades was {idle / DAY_NS:.0f} days."
    )
    return Finding(name="Flat periods?", level=level, text=text, value=longest / span)


def _longest_pause(result: BacktestResult) -> int:
    opened = sorted(trade.opened_utc_ns for trade in result.trades)
    edges = [result.from_utc_ns, *opened, result.to_utc_ns]
    return max(later - earlier for earlier, later in pairwise(edges))


def _first_day(result: BacktestResult) -> Finding:
    name = "Sensitive to the first day?"
    sums = []
    for day in range(_FIRST_DAYS):
        begin = result.from_utc_ns + day * DAY_NS
        sums.append(math.fsum(trade.result_r for trade in result.trades if trade.opened_utc_ns >= begin))
    low, high = min(sums), max(sums)
    level: Level = "warning" if low <= 0.0 < high else "fine"
    sums_text = f"between {low:+.1f} and {high:+.1f} R (sums of the same trades)"
    text = f"begun on any of the first {_FIRST_DAYS} days it comes to {sums_text}."
    return Finding(name=name, level=level, text=text, value=high - low)


def _ambiguous(result: BacktestResult) -> Finding:
    count, total = result.summary.ambiguous, len(result.trades)
    share = count / total
    level: Level = "doubt" if share > 0.05 else "fine"
    text = f"{count} of {total} exits hang on what came first inside a bar; see them as optimistic and pessimistic with --paths."
    return Finding(name="Ambiguous bars?", level=level, text=text, value=share)


def seed_of(result: BacktestResult) -> int:
    """A seed that belongs to the run."""
    return int(result.summary.digest or "0", 16)


def worst_level(findings: Sequence[Finding]) -> Level:
    """The worst of the answers."""
    order: tuple[Level, ...] = ("fine", "doubt", "warning")
    return max((one.level for one in findings), key=order.index, default="fine")
