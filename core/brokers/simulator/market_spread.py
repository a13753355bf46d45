"""The spread of recorded bars: from the smallest one that a bar stores to what an order would have met.

Why: a bar's recorded spread is the minimum inside it, zero in most bars of a raw-spread account; trading at it would be free.
Rule: at a bar's open the greater of the last closed bar's and the new one's plus a floor; inside the bar a multiple of that,
never under the usual figure of that quarter hour of the New York week, learned from earlier bars only; a least width over the
rollover. The week is New York's because the widening is: it follows the 17:00 roll through both clock changes.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from quarterdeck.core.brokers.simulator.simulated_server_time import NEW_YORK_OFFSETS
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from quarterdeck.core.settings.schema import CostsSection

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
    """For each row the `pct` percentile of the earlier rows in the same slot; 0 where there is none.

    Spreads are few different figures, so that each slot keeps how often it saw each; a week of all slots is done at once.
    """
    usual = np.zeros(len(values))
    figures, which = np.unique(values, return_inverse=True)
    order = np.argsort(slots, kind="stable")
    earlier: IntArray = np.arange(len(slots)) - slots[order].searchsorted(slots[order])
    by_week = np.argsort(earlier, kind="stable")
    rows, ranks = order[by_week], earlier[by_week]
    edges = ranks.searchsorted(np.arange(int(ranks[-1]) + 2)).tolist() if len(ranks) else [0]
    seen = np.zeros((QUARTERS_A_WEEK, len(figures)), dtype=np.int32)
    fraction = pct / 100.0
    for week, (first, end) in enumerate(pairwise(edges)):
        here = rows[first:end]
        if week:
            wanted = max(1, math.ceil(fraction * week))
            usual[here] = figures[(seen[slots[here]].cumsum(axis=1) >= wanted).argmax(axis=1)]
        seen[slots[here], which[here]] += 1
    return usual


def spreads(open_utc_ns: IntArray, spread_points: IntArray, spec: Instrument, costs: CostsSection) -> Spreads:
    """Spreads of a column of bars, oldest first."""
    recorded = spread_points * spec.point
    before = np.concatenate((recorded[:1], recorded[:-1]))
    at_open = np.maximum(recorded, before) + costs.spread_floor_pips * spec.pip
    usual = usual_before(at_open, week_quarters(open_utc_ns), costs.spread_typical_percentile)
    inside = np.maximum(at_open * costs.spread_intrabar_x, usual)
    least = np.where(rollover_mask(open_utc_ns), costs.rollover_spread_pips_min * spec.pip, 0.0)
    return Spreads(
        np.round(np.maximum(at_open, least), spec.digits),
        np.round(np.maximum(inside, least), spec.digits),
    )
