"""On which clock a file was written: declared or detected, and proved by the hour at which the currency week opens and closes.

Why: nothing in a file of candles says so, and a clock that is wrong by hours trades sessions and news that never were.
Promises: a clock holds only if nearly all weekends of the file open within Sunday 17:00-18:30 and end within Friday
15:55-17:15 New York; of several that hold, the one usual for the layout is taken and the doubt is said. Without a weekend
nothing is proved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, known_zone, utc_of_local, week_second
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE

_HOUR_NS = S_PER_HOUR * NS_PER_S
_WEEKEND_NS = 30 * _HOUR_NS
_OPEN_FROM_S, _OPEN_TO_S = 17 * S_PER_HOUR, 18 * S_PER_HOUR + 30 * S_PER_MINUTE
_CLOSE_FROM_S = 5 * S_PER_DAY + 15 * S_PER_HOUR + 55 * S_PER_MINUTE
_CLOSE_TO_S = 5 * S_PER_DAY + 17 * S_PER_HOUR + 15 * S_PER_MINUTE
_HOLDS_SHARE = 0.8
_NAMED = ("utc", "new_york_plus_7", "eet", "est", "new_york")
_OFFSETS_H = (*range(1, 15), *range(-1, -13, -1))


class TimezoneProof(Struct, frozen=True, kw_only=True):
    """The clock taken, how many weekends there were, and how many of them fit it."""

    clock: str
    weekends: int
    fitting: int
    alike: tuple[str, ...] = ()
    """Other named clocks that fit as well over the days of this file."""

    @property
    def proved(self) -> bool:
        """The week's open and close fit this clock."""
        return self.weekends > 0 and self.fitting >= _HOLDS_SHARE * self.weekends

    @property
    def words(self) -> str:
        """The verdict in a line."""
        if not self.weekends:
            return f"{self.clock}; no weekend in the file proves it"
        doubt = f"; {', '.join(self.alike)} would fit as well" if self.alike else ""
        return f"{self.clock}; {self.fitting} of {self.weekends} weekends open and close as they should{doubt}"


class _Edges(NamedTuple):
    last: IntArray
    first: IntArray


def to_utc(wall_ns: IntArray, clock: str) -> IntArray:
    """Instants of wall times on a clock: one of `utc`, `new_york_plus_7`, `eet`, `est`, `new_york`, `utc+N`, or a zone's name.

    Raises:
        DataError: when there is no such clock.
    """
    fixed_s = _fixed_s(clock)
    if fixed_s is not None:
        return wall_ns - fixed_s * NS_PER_S
    zone, ahead_s = {"new_york_plus_7": (NEW_YORK, 7 * S_PER_HOUR), "eet": ("Europe/Athens", 0), "new_york": (NEW_YORK, 0)}.get(
        clock, (clock, 0)
    )
    if not known_zone(zone):
        raise DataError(
            f"{clock!r} is no clock", what_to_do=f"use one of {', '.join(_NAMED)}, utc+2, or a zone such as Asia/Tokyo"
        )
    hours, back = np.unique(wall_ns // _HOUR_NS, return_inverse=True)
    starts = np.array([utc_of_local(int(hour) * S_PER_HOUR - ahead_s, zone) for hour in hours], np.int64)
    instants: IntArray = starts[back] + wall_ns % _HOUR_NS
    return instants


def prove(wall_ns: IntArray, period_ns: int, clock: str) -> TimezoneProof:
    """How well a clock fits the weekends among sorted wall times of bars (or ticks, with a period of 0)."""
    edges = _weekends(wall_ns)
    return TimezoneProof(clock=clock, weekends=len(edges.first), fitting=_fitting(edges, period_ns, clock))


def detect(wall_ns: IntArray, period_ns: int, usual: str) -> TimezoneProof:
    """The clock that fits best; `usual`, the one usual for the layout, wins ties and stands where nothing is proved."""
    edges = _weekends(wall_ns)
    total = len(edges.first)
    if not total or period_ns > _HOUR_NS:
        return TimezoneProof(clock=usual, weekends=0, fitting=0)
    order = (usual, *(name for name in _NAMED if name != usual), *(f"utc{hours:+d}" for hours in _OFFSETS_H))
    fits = {name: _fitting(edges, period_ns, name) for name in order}
    best = max(order, key=lambda name: fits[name])
    alike = tuple(name for name in _NAMED if name != best and fits[name] == fits[best])
    return TimezoneProof(clock=best, weekends=total, fitting=fits[best], alike=alike if fits[best] else ())


def _fixed_s(clock: str) -> int | None:
    if clock in ("utc", "est"):
        return 0 if clock == "utc" else -5 * S_PER_HOUR
    if not clock.startswith(("utc+", "utc-")):
        return None
    try:
        hours = float(clock[3:])
    except ValueError:
        return None
    return round(hours * S_PER_HOUR) if abs(hours) <= 15 else None


def _weekends(wall_ns: IntArray) -> _Edges:
    """Last row before and first row after each pause as long as a weekend; pauses of more than four days prove nothing."""
    pauses = np.diff(wall_ns)
    rows = np.flatnonzero((pauses >= _WEEKEND_NS) & (pauses <= 4 * DAY_NS))
    return _Edges(wall_ns[rows], wall_ns[rows + 1])


def _fitting(edges: _Edges, period_ns: int, clock: str) -> int:
    if not len(edges.first):
        return 0
    ends = to_utc(edges.last, clock) + max(period_ns, NS_PER_S)
    starts = to_utc(edges.first, clock)
    good = 0
    for end, start in zip(ends.tolist(), starts.tolist(), strict=True):
        opened, closed = week_second(start, NEW_YORK), week_second(end - 1, NEW_YORK)
        good += _OPEN_FROM_S <= opened <= _OPEN_TO_S and _CLOSE_FROM_S <= closed <= _CLOSE_TO_S
    return good
