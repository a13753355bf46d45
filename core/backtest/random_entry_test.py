"""The entries of a run against entries at random times, both with the same simple exits, on the bars themselves.

Why: a trend, a wide stop or a lucky year earn money without any skill in the entry; random entries earn them too.
Promises: both sides are played by one function (first stop, target, time-out; the stop first where a bar holds both); random
entries keep pair, hour of the day, the distances in ATR and how many were bought, and draw times within the run; so neither a
trend nor a bias to one side passes for skill. Does not: know trails, give-back or caps.
Units: results in R of the first stop, the spread at entry paid.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from quarterdeck.core.backtest.result import BacktestResult, EntryRecord
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.units import H1_NS, M15_NS, UtcNs

_DRAWS = 400
_TRADES_MAX = 1_000
_TRADES_MIN = 10
_HOLD_BARS_MAX = 96
_RANGE_BARS = 14
_HOURS = 24


class RandomEntryTest(Struct, frozen=True, kw_only=True):
    """What random entries made of the same exits."""

    mean_r: float
    random_mean_r: float
    share_of_random_runs_as_good: float
    """Share of random sets with a mean at least as high; small is good."""
    draws: int


class _Entries(Struct):
    """Entries of one pair, as columns."""

    rows: IntArray
    sides: FloatArray
    stops: FloatArray
    """Distance of the first stop, price."""
    targets: FloatArray
    costs: FloatArray


def compare_with_random_entries(result: BacktestResult, candles: Mapping[str, Candles]) -> RandomEntryTest | None:
    """Compare; None with too few trades to say anything."""
    hours = result.settings["position"]["time_exit_hours"]
    hold = min(int(hours * 4) or _HOLD_BARS_MAX, _HOLD_BARS_MAX)
    rng = np.random.default_rng(int(result.summary.digest or "0", 16))
    real, random_sums = [], np.zeros(_DRAWS)
    for symbol in result.pairs:
        entries = [entry for entry in result.entered if entry.symbol == symbol][-_TRADES_MAX:]
        columns = candles.get(symbol)
        if columns is None or not entries:
            continue
        ranges = _mean_range(columns)
        found = _columns(entries, columns, hold)
        if not len(found.rows):
            continue
        real.append(entry_results_r(columns, found, hold))
        pools = _pools(columns, found, hold, (result.from_utc_ns, result.to_utc_ns), ranges)
        for draw in range(_DRAWS):
            random_sums[draw] += float(entry_results_r(columns, _drawn(rng, found, pools, ranges), hold).sum())
    results = np.concatenate(real) if real else np.zeros(0)
    if len(results) < _TRADES_MIN:
        return None
    means = random_sums / len(results)
    share = (1 + int(np.count_nonzero(means >= results.mean()))) / (1 + _DRAWS)
    return RandomEntryTest(
        mean_r=float(results.mean()), random_mean_r=float(means.mean()), share_of_random_runs_as_good=share, draws=_DRAWS
    )


def entry_results_r(candles: Candles, entries: _Entries, hold_bars: int) -> FloatArray:
    """Result of each entry in R: entered at the bar's open, out at stop, target, or the close of the last bar held."""
    rows, sides = entries.rows, entries.sides
    entered = candles.open[rows]
    result = np.full(len(rows), np.nan)
    for ahead in range(hold_bars):
        at = rows + ahead
        low, high = candles.low[at] - entered, candles.high[at] - entered
        against = np.where(sides > 0.0, -low, high)
        along = np.where(sides > 0.0, high, -low)
        still = np.isnan(result)
        result[still & (against >= entries.stops)] = -1.0
        still = np.isnan(result)
        reached = still & (along >= entries.targets)
        result[reached] = (entries.targets / entries.stops)[reached]
    left = np.isnan(result)
    closed = (candles.close[rows + hold_bars - 1] - entered) * sides / entries.stops
    result[left] = closed[left]
    final: FloatArray = result - entries.costs / entries.stops
    return final


def _columns(entries: list[EntryRecord], candles: Candles, hold: int) -> _Entries:
    at = np.array([entry.opened_utc_ns for entry in entries], dtype=np.int64)
    rows = np.searchsorted(candles.open_utc_ns, at - at % M15_NS)
    kept = (rows + hold < len(candles)) & (rows > _RANGE_BARS)
    stops = np.array([abs(entry.open_price - entry.stop_price) for entry in entries])
    targets = np.array(
        [np.inf if entry.target_price is None else abs(entry.target_price - entry.open_price) for entry in entries]
    )
    kept &= stops > 0.0
    sides = np.array([float(entry.side) for entry in entries])
    costs = np.array([entry.spread_price for entry in entries])
    return _Entries(rows[kept].astype(np.int64), sides[kept], stops[kept], targets[kept], costs[kept])


class _Pools(Struct):
    """For each entry the rows it could have been: those of the same hour of the day, one list after the other in `rows`."""

    rows: IntArray
    starts: IntArray
    counts: IntArray


def _pools(candles: Candles, found: _Entries, hold: int, span: tuple[UtcNs, UtcNs], ranges: FloatArray) -> _Pools:
    usable = np.arange(len(candles)) < len(candles) - hold
    usable &= ranges > 0.0
    usable &= (candles.open_utc_ns >= span[0]) & (candles.open_utc_ns < span[1])
    usable[found.rows] = True
    hours = candles.open_utc_ns // H1_NS % _HOURS
    order = np.lexsort((np.arange(len(candles)), hours))
    order = order[usable[order]]
    starts = np.searchsorted(hours[order], np.arange(_HOURS + 1))
    mine = hours[found.rows]
    return _Pools(order, starts[mine], starts[mine + 1] - starts[mine])


def _drawn(rng: np.random.Generator, found: _Entries, pools: _Pools, ranges: FloatArray) -> _Entries:
    rows = pools.rows[pools.starts + (rng.random(len(found.rows)) * pools.counts).astype(np.int64)]
    scale = ranges[rows] / ranges[found.rows]
    return _Entries(rows, rng.permutation(found.sides), found.stops * scale, found.targets * scale, found.costs)


def _mean_range(candles: Candles) -> FloatArray:
    """Plain mean of the ranges of the bars before each row."""
    total = np.concatenate(([0.0], np.cumsum(candles.high - candles.low)))
    result = np.full(len(candles), np.nan)
    result[_RANGE_BARS:] = (total[_RANGE_BARS:-1] - total[: -_RANGE_BARS - 1]) / _RANGE_BARS
    return result
