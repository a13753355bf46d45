"""Bars from ticks and from shorter bars: bid and ask apart, the smallest spread kept as the recorded one.

Promises: a bar exists where there is at least one tick or shorter bar; nothing is filled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quarterdeck.core.data.series import PERIOD_NS, BarSeries, Period, TickSeries, candles_of, point_price
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray


def bars_of_ticks(ticks: TickSeries, period: Period) -> BarSeries:
    """Ticks as bars of one period; volume is the number of ticks."""
    starts, opens = _groups(ticks.at_utc_ns, PERIOD_NS[period])
    points = np.rint(np.minimum.reduceat(ticks.ask - ticks.bid, starts) / point_price(ticks.symbol)) if len(starts) else None
    volume = np.diff(np.append(starts, len(ticks)))
    return BarSeries(
        symbol=ticks.symbol,
        timeframe=period,
        bid=candles_of(opens, _folded(starts, *([ticks.bid] * 4)), volume, points),
        ask=candles_of(opens, _folded(starts, *([ticks.ask] * 4))),
        spread_known=True,
        files=ticks.files,
    )


def resample_bars(bars: BarSeries, period: Period) -> BarSeries:
    """Bars of a longer period; the last one may be unfinished."""
    starts, opens = _groups(bars.bid.open_utc_ns, PERIOD_NS[period])
    volume = np.add.reduceat(bars.bid.tick_volume, starts) if len(starts) else None
    spread = np.minimum.reduceat(bars.bid.spread_points, starts) if len(starts) else None
    return BarSeries(
        symbol=bars.symbol,
        timeframe=period,
        bid=candles_of(opens, _of(bars.bid, starts), volume, spread),
        ask=None if bars.ask is None else candles_of(opens, _of(bars.ask, starts)),
        spread_known=bars.spread_known,
        files=bars.files,
    )


def _groups(stamps: IntArray, period_ns: int) -> tuple[IntArray, IntArray]:
    slots = stamps // period_ns
    starts = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1)) if len(slots) else np.zeros(0, np.int64)
    return starts, slots[starts] * period_ns


def _of(candles: Candles, starts: IntArray) -> list[Any]:
    return _folded(starts, candles.open, candles.high, candles.low, candles.close)


def _folded(starts: IntArray, opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> list[Any]:
    if not len(starts):
        return [np.zeros(0)] * 4
    ends = np.append(starts[1:], len(close)) - 1
    return [opened[starts], np.maximum.reduceat(high, starts), np.minimum.reduceat(low, starts), close[ends]]
