"""The entries of a run against the same entries on random days, both with the same simple exits, on the bars themselves.

Why: a trend, a wide stop or a lucky year earn money without any skill in the entry; random entries earn them too.
Guarantees: both sides are played by one function (first stop, target, time-out; the stop first where a bar holds both). All
entries of a day, of every pair, are moved together to another day of the run: pair, side, time of day, distances in ATR and what
happens at one instant stay as they are. So neither a trend, a bias to one side nor entries that come in clusters pass for skill:
without skill the days could as well be any others.
Does not: know trails, profit retracement or caps.
Units: results in R of the first stop, the spread at entry paid. Source: permutation of blocks (Good 2005, chapter 3).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from quarterdeck.core.backtest.result import BacktestResult, EntryRecord
from quarterdeck.core.clock.time_zones import NEW_YORK, day_started, next_local_time
from quarterdeck.core.filters.trading_hours import WEEK_CLOSE_S
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.units import M15_NS, S_PER_DAY, UtcNs

_DRAWS = 400
_TRADES_MAX = 1_000
_TRADES_MIN = 10
_DAYS_MIN = 5
_HOLD_BARS_MAX = 96
_RANGE_BARS = 14
_DAY_START_S = WEEK_CLOSE_S % S_PER_DAY
"""The market's day begins at 17:00 New York, so that no day is cut by the weekend."""
_FULL_DAY_SHARE = 0.5
_ROUNDING_R = 1e-12


class RandomEntryTest(Struct, frozen=True, kw_only=True):
    """What random entries made of the same exits."""

    mean_r: float
    random_mean_r: float
    share_of_random_runs_as_good: float
    """Share of sets on random days with a mean at least as high; small is good."""
    draws: int


class _Entries(Struct):
    """Entries of one pair, as columns."""

    rows: IntArray
    sides: FloatArray
    stops: FloatArray
    """Distance of the first stop, price."""
    targets: FloatArray
    costs: FloatArray


class _PairEntries(Struct):
    """One pair's entries, and the bars at which they could have been."""

    candles: Candles
    entries: _Entries
    ranges: FloatArray
    usable_rows: IntArray
    days: IntArray
    """Day of each entry."""
    since_start_ns: IntArray
    """From the beginning of its day."""


def compare_with_random_entries(result: BacktestResult, candles: Mapping[str, Candles]) -> RandomEntryTest | None:
    """Compare; None with too few trades, or days with trades, to say anything."""
    hours = result.settings["position"]["time_exit_hours"]
    hold = min(int(hours * 4) or _HOLD_BARS_MAX, _HOLD_BARS_MAX)
    span = (result.from_utc_ns, result.to_utc_ns)
    starts = market_days(*span)
    pairs = []
    for symbol in result.pairs:
        entries = [entry for entry in result.entered if entry.symbol == symbol][-_TRADES_MAX:]
        columns = candles.get(symbol)
        if columns is not None and entries:
            pairs.append(_pair(columns, entries, hold, span, starts))
    results = np.concatenate([entry_results_r(one.candles, one.entries, hold) for one in pairs]) if pairs else np.zeros(0)
    entered = np.unique(np.concatenate([one.days for one in pairs])) if pairs else np.zeros(0, np.int64)
    if len(results) < _TRADES_MIN or len(entered) < _DAYS_MIN:
        return None
    pool = np.union1d(_full_days(pairs, starts), entered)
    rng = np.random.default_rng(int(result.summary.digest or "0", 16))
    means = np.zeros(_DRAWS)
    for draw in range(_DRAWS):
        moved_to = np.zeros(len(starts), np.int64)
        moved_to[entered] = rng.permutation(pool)[: len(entered)]
        sums = [float(entry_results_r(one.candles, _moved(one, starts[moved_to[one.days]]), hold).sum()) for one in pairs]
        means[draw] = sum(sums) / len(results)
    mean = float(results.mean())
    share = (1 + int(np.count_nonzero(means >= mean - _ROUNDING_R))) / (1 + _DRAWS)
    return RandomEntryTest(mean_r=mean, random_mean_r=float(means.mean()), share_of_random_runs_as_good=share, draws=_DRAWS)


def market_days(from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> IntArray:
    """Beginnings of the market's days, 17:00 New York, from the one that holds the first instant to the one with the last."""
    start = day_started(from_utc_ns, NEW_YORK, _DAY_START_S)
    starts = [start]
    while (start := next_local_time(start, NEW_YORK, _DAY_START_S)) <= to_utc_ns:
        starts.append(start)
    return np.array(starts, dtype=np.int64)


def day_of(starts: IntArray, at_utc_ns: IntArray) -> IntArray:
    """Which of these days each instant lies in."""
    days: IntArray = np.clip(np.searchsorted(starts, at_utc_ns, side="right") - 1, 0, len(starts) - 1)
    return days


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


def _pair(candles: Candles, entries: list[EntryRecord], hold: int, span: tuple[UtcNs, UtcNs], starts: IntArray) -> _PairEntries:
    found, ranges = _columns(entries, candles, hold), _mean_range(candles)
    usable = np.arange(len(candles)) < len(candles) - hold
    usable &= ranges > 0.0
    usable &= (candles.open_utc_ns >= span[0]) & (candles.open_utc_ns < span[1])
    usable[found.rows] = True
    opened = candles.open_utc_ns[found.rows]
    days = day_of(starts, opened)
    return _PairEntries(candles, found, ranges, np.flatnonzero(usable), days, opened - starts[days])


def _full_days(pairs: list[_PairEntries], starts: IntArray) -> IntArray:
    """Days on which the market was open for at least half as long as usual."""
    bars = np.zeros(len(starts))
    for one in pairs:
        bars += np.bincount(day_of(starts, one.candles.open_utc_ns[one.usable_rows]), minlength=len(starts))
    return np.flatnonzero(bars >= _FULL_DAY_SHARE * np.median(bars[bars > 0.0]))


def _moved(one: _PairEntries, to_days_utc_ns: IntArray) -> _Entries:
    """The same entries at the same time of these days, at the nearest bar there is."""
    times = one.candles.open_utc_ns[one.usable_rows]
    wanted = to_days_utc_ns + one.since_start_ns
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    rows = one.usable_rows[np.where(np.abs(times[before] - wanted) < np.abs(times[after] - wanted), before, after)]
    found, scale = one.entries, one.ranges[rows] / one.ranges[one.entries.rows]
    return _Entries(rows, found.sides, found.stops * scale, found.targets * scale, found.costs)


def _mean_range(candles: Candles) -> FloatArray:
    """Plain mean of the ranges of the bars before each row."""
    total = np.concatenate(([0.0], np.cumsum(candles.high - candles.low)))
    result = np.full(len(candles), np.nan)
    result[_RANGE_BARS:] = (total[_RANGE_BARS:-1] - total[: -_RANGE_BARS - 1]) / _RANGE_BARS
    return result
