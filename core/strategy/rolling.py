"""Figures over a fixed window of closed bars, the same bit for bit from a window as from a whole column.

Why: a running sum keeps the rounding errors of all bars before it, so a live window and a backtest's column would drift apart.
Promises: each value depends on its own window alone and is summed in one order; NaN where the window is not full.
"""

from __future__ import annotations

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.units import H1_NS, M15_NS

_FEW_WINDOWS = 64
"""Up to so many windows are summed in one call, beyond it bar by bar over all of them: the same sums in the same order."""


def lagged(values: FloatArray, bars: int) -> FloatArray:
    """The value `bars` bars ago."""
    result = _unknown(len(values))
    if bars < len(values):
        result[bars:] = values[: len(values) - bars]
    return result


def lagged_mean(values: FloatArray, bars: int, times: int) -> FloatArray:
    """Mean of the values `bars`, twice `bars`, ... `times` x `bars` bars ago."""
    rows, oldest = len(values), bars * times
    result = _unknown(rows)
    if oldest < rows:
        total = values[oldest - bars : rows - bars].copy()
        for ago in range(2 * bars, oldest + 1, bars):
            total += values[oldest - ago : rows - ago]
        total /= times
        result[oldest:] = total
    return result


def window_mean(values: FloatArray, bars: int) -> FloatArray:
    """Mean of the last `bars` values, this one included."""
    result = _unknown(len(values))
    full = len(values) - bars + 1
    if full > 0:
        if full <= _FEW_WINDOWS:
            total = _accumulated(_windows(values, bars, full))
        else:
            total = values[:full].copy()
            for ahead in range(1, bars):
                total += values[ahead : ahead + full]
        total /= bars
        result[bars - 1 :] = total
    return result


def slope(values: FloatArray, bars: int) -> FloatArray:
    """Slope per bar of the least-squares line through the last `bars` values."""
    result = _unknown(len(values))
    full = len(values) - bars + 1
    if full > 0:
        middle = (bars - 1) / 2.0
        if full <= _FEW_WINDOWS:
            ahead = np.arange(bars, dtype=np.float64) - middle
            total = _accumulated(ahead[:, None] * _windows(values, bars, full)) + 0.0  # as if it had begun at zero
        else:
            total = np.zeros(full)
            for place in range(bars):
                total += (place - middle) * values[place : place + full]
        result[bars - 1 :] = total / (bars * (bars * bars - 1) / 12.0)
    return result


def _unknown(rows: int) -> FloatArray:
    column = np.empty(rows)
    column.fill(np.nan)
    return column


def _windows(values: FloatArray, bars: int, full: int) -> FloatArray:
    """One column a window, one row a place in it; nothing is copied."""
    values = np.ascontiguousarray(values)
    step = values.itemsize
    return np.ndarray((bars, full), np.float64, values, 0, (step, step))


def _accumulated(windows: FloatArray) -> FloatArray:
    """Sum of each column, first row first: never pairwise, whatever the shape."""
    total: FloatArray = np.add.accumulate(windows, axis=0)[-1]
    return total


def true_range(candles: Candles) -> FloatArray:
    """The bar's range, stretched to the close before it, in price; the first bar's is its own range."""
    result: FloatArray = candles.high - candles.low
    if len(result) > 1:
        before = candles.close[:-1]
        result[1:] = np.maximum(candles.high[1:], before) - np.minimum(candles.low[1:], before)
    return result


def mean_true_range(candles: Candles, bars: int) -> FloatArray:
    """Plain mean of the last `bars` true ranges, in price."""
    result = window_mean(true_range(candles), bars)
    result[:bars] = np.nan  # the very first bar has no close before it
    return result


def efficiency(close: FloatArray, bars: int) -> FloatArray:
    """Kaufman's efficiency ratio: net way over the way gone in `bars` bars, 0..1; 0 where nothing moved."""
    steps = _unknown(len(close))
    steps[1:] = np.abs(close[1:] - close[:-1])
    way = window_mean(steps, bars) * bars
    net = np.abs(close - lagged(close, bars))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(way > 0.0, net / way, np.where(np.isnan(way), np.nan, 0.0))


def closed_h1_rows(m15: Candles, h1: Candles) -> IntArray:
    """For each M15 bar the row of the last H1 bar closed at or before its end, -1 where there is none."""
    rows: IntArray = np.searchsorted(h1.open_utc_ns, m15.open_utc_ns + (M15_NS - H1_NS), side="right") - 1
    return rows


def onto_m15(values: FloatArray, h1_rows: IntArray) -> FloatArray:
    """An H1 column as M15 bars see it; NaN before the first closed H1 bar."""
    if len(values) == 0:
        return _unknown(len(h1_rows))
    seen: FloatArray = values[np.maximum(h1_rows, 0)]
    seen[h1_rows < 0] = np.nan
    return seen


def ramp(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 at `low` and below, 1 at `high` and above, straight between; falls where `low` lies above `high`."""
    result: FloatArray = ((values - low) / (high - low)).clip(0.0, 1.0)
    return result
