"""H1 bars from M15 bars: the desk's own, built the same way live and in a backtest.

Promises: only hours that are over at the last M15 bar's end, and that were seen from their first quarter (an hour that the
window cuts is left out); an hour with missing quarters is built from those there are. The smallest spread of the quarters is
kept.
"""

from __future__ import annotations

import numpy as np

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.units import H1_NS, M15_NS


def build_h1(m15: Candles, *, cut: bool = True) -> Candles:
    """Closed H1 bars of a window of M15 bars, oldest first; without `cut` the window is known to begin between two hours."""
    hours = m15.open_utc_ns // H1_NS
    starts = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1)) if len(hours) else np.zeros(0, np.int64)
    if cut and len(starts) and m15.open_utc_ns[0] % H1_NS != 0:
        starts = starts[1:]
    if not len(starts):
        return m15[:0]
    opens = hours[starts] * H1_NS
    ends = np.append(starts[1:], len(hours)) - 1
    built = Candles(
        opens,
        m15.open[starts],
        np.maximum.reduceat(m15.high, starts),
        np.minimum.reduceat(m15.low, starts),
        m15.close[ends],
        np.add.reduceat(m15.tick_volume, starts),
        np.minimum.reduceat(m15.spread_points, starts),
    )
    over = opens[-1] + H1_NS <= m15.open_utc_ns[-1] + M15_NS
    return built if over else built[: len(starts) - 1]


def h1_difference(own: Bar, brokers: Bar, *, tick_size: float, tolerance_ticks: float) -> str:
    """Where the broker's H1 bar is another than the one built from its M15 bars, beyond so many ticks; empty where it is not."""
    parts = []
    for name in ("open", "high", "low", "close"):
        ours, theirs = getattr(own, name), getattr(brokers, name)
        if abs(ours - theirs) > (tolerance_ticks + 0.5) * tick_size:
            parts.append(f"{name} {theirs:g} where its M15 bars give {ours:g}")
    return ", ".join(parts)
