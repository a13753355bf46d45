"""The spread of recorded bars: from the smallest one that a bar stores to what an order would have met.

Why: a bar's recorded spread is the minimum inside it, zero in most bars of a raw-spread account; trading at it would be free.
Rule: at a bar's open the greater of the last closed bar's and the new one's plus a floor; inside the bar a multiple of that,
never under the usual figure of that quarter hour of the New York week, learned from earlier bars only; a least width over the
rollover. The week is New York's because the widening is: it follows the 17:00 roll through both clock changes.
"""

from __future__ import annotations

import math
from bisect import insort
from typing import NamedTuple

import numpy as np

from core.brokers.simulator.servertime import NEW_YORK_OFFSETS
from core.model.market import FloatArray, Instrument, IntArray
from core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from core.settings.schema import Costs

QUARTER_S = 900
QUARTERS_A_WEEK = 7 * S_PER_DAY // QUARTER_S
_EPOCH_WEEKDAY_S = 4 * S_PER_DAY
_ROLLOVER_HOUR = 17


class Spreads(NamedTuple):
    """Spread in price at each bar's open and inside it."""

    at_open: FloatArray
    inside: FloatArray


def week_quarters(open_utc_ns: IntArray) -> IntArray:
    """Quarter hour of the New York week of each instant, 0 .. 671 from Sunday 00:00."""
    wall = open_utc_ns // NS_PER_S + NEW_YORK_OFFSETS.column(open_utc_ns)
    quarters: IntArray = (wall + _EPOCH_WEEKDAY_S) % (7 * S_PER_DAY) // QUARTER_S
    return quarters


def rollover_mask(open_utc_ns: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which instants lie between 17:00 and 18:00 New York."""
    wall = open_utc_ns // NS_PER_S + NEW_YORK_OFFSETS.column(open_utc_ns)
    hours = wall % S_PER_DAY // S_PER_HOUR
    mask: np.ndarray[tuple[int], np.dtype[np.bool_]] = hours == _ROLLOVER_HOUR
    return mask


def usual_before(values: FloatArray, slots: IntArray, pct: float) -> FloatArray:
    """For each row the `pct` percentile of the earlier rows in the same slot; 0 where there is none."""
    seen: list[list[float]] = [[] for _ in range(QUARTERS_A_WEEK)]
    usual = [0.0] * len(values)
    fraction = pct / 100.0
    for row, (value, slot) in enumerate(zip(values.tolist(), slots.tolist(), strict=True)):
        past = seen[slot]
        if past:
            usual[row] = past[max(0, math.ceil(fraction * len(past)) - 1)]
        insort(past, value)
    return np.array(usual, dtype=np.float64)


def spreads(open_utc_ns: IntArray, spread_points: IntArray, spec: Instrument, costs: Costs) -> Spreads:
    """Spreads of a column of bars, oldest first."""
    recorded = spread_points * spec.point
    before = np.concatenate((recorded[:1], recorded[:-1]))
    at_open = np.maximum(recorded, before) + costs.spread_floor_pips * spec.pip
    usual = usual_before(at_open, week_quarters(open_utc_ns), costs.spread_usual_percentile)
    inside = np.maximum(at_open * costs.spread_inside_x, usual)
    least = np.where(rollover_mask(open_utc_ns), costs.rollover_spread_pips_min * spec.pip, 0.0)
    return Spreads(
        np.round(np.maximum(at_open, least), spec.digits),
        np.round(np.maximum(inside, least), spec.digits),
    )
