"""When the quotes of a pair have fallen silent: longer without a new one than the pair ever is at that hour.

Why: a line that is up says nothing of one symbol; one fixed limit is too long for EURUSD at noon, too short for a cross at night.
Guarantees: silence is counted by a monotonic clock from the moment a new quote was seen, so a wrong clock makes none; hours in
which a symbol is closed do not count; an episode is reported once, with its end. Does not: decide what follows (the desk does).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.inputs import ConnectionState
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs

_HOURS = 24
_BAR_S = M15_NS / NS_PER_S
_FORGET = 0.9
"""Of the longest gap known at an hour, what is left a day later without such a gap."""


def usual_gaps_s(candles: Candles) -> list[float]:
    """Longest usual gap between two ticks by hour of the UTC day, from the ticks that bars counted; 0 where no bar is.

    n ticks at random in a span are at most span / n x (ln n + 1) apart, on average (the harmonic sum).
    """
    ticks = [0.0] * _HOURS
    bars = [0] * _HOURS
    for opened, volume in zip(candles.open_utc_ns.tolist(), candles.tick_volume.tolist(), strict=True):
        hour = opened // NS_PER_S % S_PER_DAY // S_PER_HOUR
        ticks[hour] += max(volume, 1)
        bars[hour] += 1
    gaps = []
    for total, count in zip(ticks, bars, strict=True):
        mean = total / count if count else 0.0
        gaps.append(_BAR_S / mean * (math.log(mean) + 1.0) if mean else 0.0)
    return gaps


class QuoteSilence:
    """Keeps, for each symbol, when its quote last changed and what gaps are usual."""

    def __init__(self, is_open: Callable[[str, UtcNs], bool], gaps_s: Mapping[str, list[float]]) -> None:
        """`is_open` tells a symbol's own hours; `gaps_s` are usual gaps by hour, learned on from here."""
        self._is_open = is_open
        self._gaps_s = {symbol: list(gaps) for symbol, gaps in gaps_s.items()}
        self._changed: dict[str, tuple[UtcNs, float]] = {}
        """Quote's own time and the monotonic second at which it was seen first."""
        self._since: dict[str, UtcNs] = {}

    def limit_s(self, symbol: str, at_utc_ns: UtcNs, *, least_s: float, usual_x: float) -> float:
        """How long a symbol may be without a new quote at that hour."""
        gaps = self._gaps_s.get(symbol)
        usual = gaps[_hour(at_utc_ns)] if gaps else 0.0
        return max(least_s, usual_x * (usual or _BAR_S))

    def look(
        self, symbol: str, quote: Quote | None, now_s: float, at_utc_ns: UtcNs, *, least_s: float, usual_x: float
    ) -> ConnectionState | None:
        """Take what was read of a symbol; what the desk must learn, where an episode begins or ends."""
        known = self._changed.get(symbol)
        stamp = 0 if quote is None else quote.at_utc_ns
        if known is None or (quote is not None and stamp != known[0]) or not self._is_open(symbol, at_utc_ns):
            if known is not None and stamp != known[0]:
                self._learn(symbol, at_utc_ns, now_s - known[1])
            self._changed[symbol] = (stamp, now_s)
            began = self._since.pop(symbol, None)
            if began is None:
                return None
            lasted_s = (at_utc_ns - began) / NS_PER_S
            return ConnectionState(is_connected=True, symbol=symbol, why=f"Quotes are back after {lasted_s:.0f} s")
        silent_s = now_s - known[1]
        if symbol in self._since or silent_s <= self.limit_s(symbol, at_utc_ns, least_s=least_s, usual_x=usual_x):
            return None
        self._since[symbol] = at_utc_ns - int(silent_s * NS_PER_S)
        return ConnectionState(
            is_connected=False, symbol=symbol, why=f"No new quote for {silent_s:.0f} s during its trading hours"
        )

    def _learn(self, symbol: str, at_utc_ns: UtcNs, gap_s: float) -> None:
        """Gaps of an episode teach nothing: they are what is to be noticed."""
        if symbol in self._since:
            return
        gaps = self._gaps_s.setdefault(symbol, [0.0] * _HOURS)
        hour = _hour(at_utc_ns)
        gaps[hour] = max(gap_s, gaps[hour] * _FORGET ** (gap_s / S_PER_DAY))


def _hour(at_utc_ns: UtcNs) -> int:
    return at_utc_ns // NS_PER_S % S_PER_DAY // S_PER_HOUR
