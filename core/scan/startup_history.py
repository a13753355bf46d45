"""What the desk begins with for one pair: H1 closes for the correlation, and the spread usual in each quarter of the week."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.inputs import History
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, PriceDistance
from quarterdeck.core.scan.h1_bars import build_h1

QUARTERS_A_WEEK = 672
_QUARTER_S = 900
_WEEK_S = 7 * S_PER_DAY
_EPOCH_WEEKDAY_S = 4 * S_PER_DAY
"""1970-01-01 was a Thursday, four days after a Sunday."""


def startup_history(
    symbol: str,
    candles_m15: Candles,
    *,
    point: PriceDistance,
    h1_bars: int,
    percentile_pct: float,
    add_price: PriceDistance = 0.0,
) -> History:
    """The input that tells the desk a pair's past: the last `h1_bars` closed H1 bars and the usual spreads.

    `point` is the size of a recorded spread's unit; `add_price` what the market adds to a recorded minimum before it is quoted.
    """
    h1 = build_h1(candles_m15)
    h1 = h1[max(0, len(h1) - h1_bars) :]
    usual = usual_spreads(candles_m15, percentile_pct)
    return History(
        symbol=symbol,
        h1_open_utc_ns=tuple(h1.open_utc_ns.tolist()),
        h1_close_price=tuple(h1.close.tolist()),
        usual_spread_price=tuple(np.where(np.isnan(usual), 0.0, usual * point + add_price).tolist()),
    )


def learned_notes(bars: Mapping[str, int], wanted: int, before: str) -> tuple[str, ...]:
    """From how many M15 bars what is usual of each pair was learned, of those `wanted`; pairs of one number share a line."""
    pairs: dict[int, list[str]] = {}
    for symbol, count in bars.items():
        pairs.setdefault(min(count, wanted), []).append(symbol)
    return tuple(
        f"{', '.join(symbols)}: usual spreads and ATR percentiles are learned from {count:,} M15 bars before {before}"
        + (f", {wanted:,} are wanted" if count < wanted else "")
        for count, symbols in pairs.items()
    )


def usual_spreads(candles_m15: Candles, percentile_pct: float) -> FloatArray:
    """A percentile of the recorded spreads, points, per quarter hour of the week from Sunday 00:00 UTC; NaN where none was.

    The nearest rank, not interpolated: a figure that was really seen.
    """
    usual = np.full(QUARTERS_A_WEEK, np.nan)
    if not len(candles_m15):
        return usual
    slots = week_quarters(candles_m15.open_utc_ns)
    order = np.lexsort((candles_m15.spread_points, slots))
    sorted_slots, spreads = slots[order], candles_m15.spread_points[order]
    present, starts, counts = np.unique(sorted_slots, return_index=True, return_counts=True)
    ranks = np.clip(np.ceil(counts * (percentile_pct / 100.0)).astype(np.int64) - 1, 0, counts - 1)
    usual[present] = spreads[starts + ranks]
    return usual


def week_quarters(utc_ns: IntArray) -> IntArray:
    """Quarter hour of the UTC week of each instant, 0 .. 671 from Sunday 00:00."""
    quarters: IntArray = (utc_ns // NS_PER_S + _EPOCH_WEEKDAY_S) % _WEEK_S // _QUARTER_S
    return quarters
