"""The broker's wall clock: UTC instants to the server's epoch (its wall clock counted as if it were UTC) and back.

Why: everything the terminal shows carries server time, and which rule makes it differs by broker. This is the terminal's own
side of that border; the adapter has to find the rule from outside.
Does not: read any clock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from core.model.market import IntArray
from core.model.units import DAY_NS, H1_NS, NS_PER_S, S_PER_HOUR, UtcNs

ClockRule = Literal["new_york_plus_7", "eet", "fixed"]

NEW_YORK = ZoneInfo("America/New_York")
_EET = ZoneInfo("Europe/Athens")
_NEW_YORK_LEAD_S = 7 * S_PER_HOUR
_ROLLOVER_HOUR = 17
_CACHE_MAX = 100_000


class ZoneOffsets:
    """Seconds east of UTC of a zone, remembered per UTC hour (no zone in use changes inside an hour)."""

    def __init__(self, zone: ZoneInfo) -> None:
        """`zone` from the system's or the package's zone data."""
        self._zone = zone
        self._by_hour: dict[int, int] = {}

    def at(self, utc_ns: UtcNs) -> int:
        """Offset in seconds at a UTC instant."""
        hour = utc_ns // H1_NS
        known = self._by_hour.get(hour)
        if known is None:
            moment = datetime.fromtimestamp(hour * S_PER_HOUR, UTC)
            delta = moment.astimezone(self._zone).utcoffset()
            known = 0 if delta is None else int(delta.total_seconds())
            if len(self._by_hour) >= _CACHE_MAX:
                self._by_hour.clear()
            self._by_hour[hour] = known
        return known

    def column(self, utc_ns: IntArray) -> IntArray:
        """Offsets in seconds of many UTC instants."""
        days, place = np.unique(utc_ns // DAY_NS, return_inverse=True)
        first = np.array([self.at(int(day) * DAY_NS) for day in days], dtype=np.int64)
        after = np.array([self.at((int(day) + 1) * DAY_NS) for day in days], dtype=np.int64)
        offsets: IntArray = first[place]
        changing = np.flatnonzero((first != after)[place])
        offsets[changing] = [self.at(int(utc_ns[row])) for row in changing]
        return offsets


NEW_YORK_OFFSETS = ZoneOffsets(NEW_YORK)


class ServerClock:
    """Which wall clock the trade server shows."""

    def __init__(self, rule: ClockRule, offset_s: int = 0) -> None:
        """`offset_s` counts for the rule `fixed` alone."""
        self.rule: ClockRule = rule
        self.jump_s = 0
        """A fault: seconds by which the server's clock is wrong from now on."""
        self._fixed_s = offset_s
        self._zone = ZoneOffsets(_EET) if rule == "eet" else NEW_YORK_OFFSETS

    def offset_s(self, utc_ns: UtcNs) -> int:
        """Server wall clock minus UTC, in seconds."""
        if self.rule == "fixed":
            return self._fixed_s + self.jump_s
        lead = _NEW_YORK_LEAD_S if self.rule == "new_york_plus_7" else 0
        return self._zone.at(utc_ns) + lead + self.jump_s

    def server_ms(self, utc_ns: UtcNs) -> int:
        """Server epoch in milliseconds."""
        return utc_ns // 1_000_000 + self.offset_s(utc_ns) * 1_000

    def server_s(self, utc_ns: UtcNs) -> int:
        """Server epoch in whole seconds."""
        return utc_ns // NS_PER_S + self.offset_s(utc_ns)

    def server_s_column(self, utc_ns: IntArray) -> IntArray:
        """Server epochs in whole seconds of many instants."""
        if self.rule == "fixed":
            offsets: IntArray = np.full(len(utc_ns), self._fixed_s, dtype=np.int64)
        else:
            offsets = self._zone.column(utc_ns) + (_NEW_YORK_LEAD_S if self.rule == "new_york_plus_7" else 0)
        return utc_ns // NS_PER_S + offsets + self.jump_s

    def utc_ns(self, server_s: float) -> UtcNs:
        """UTC instant at which the server's clock shows `server_s`; in an hour that comes twice, the first."""
        guess = round(server_s * NS_PER_S)
        for probe in (guess - 15 * H1_NS, guess + 15 * H1_NS):
            candidate = guess - self.offset_s(probe) * NS_PER_S
            if self.offset_s(candidate) == self.offset_s(probe):
                return candidate
        return guess - self.offset_s(guess) * NS_PER_S


def new_york_wall_s(utc_ns: UtcNs) -> int:
    """New York wall clock, counted as if it were UTC, in whole seconds."""
    return utc_ns // NS_PER_S + NEW_YORK_OFFSETS.at(utc_ns)


def new_york_week_s(utc_ns: UtcNs) -> int:
    """Seconds since Sunday 00:00 New York wall clock."""
    # 1970-01-01 was a Thursday, four days after a Sunday
    return (new_york_wall_s(utc_ns) + 4 * 86_400) % (7 * 86_400)


def next_rollover_ns(utc_ns: UtcNs) -> UtcNs:
    """The first 17:00 New York after `utc_ns`."""
    wall = new_york_wall_s(utc_ns)
    target = wall - wall % 86_400 + _ROLLOVER_HOUR * S_PER_HOUR
    if target <= wall:
        target += 86_400
    # the offset may change on the way; 17:00 itself is never inside a change
    for offset in (NEW_YORK_OFFSETS.at(utc_ns), NEW_YORK_OFFSETS.at((target - NEW_YORK_OFFSETS.at(utc_ns)) * NS_PER_S)):
        candidate = (target - offset) * NS_PER_S
        if new_york_wall_s(candidate) == target and candidate > utc_ns:
            return candidate
    return (target - NEW_YORK_OFFSETS.at(utc_ns)) * NS_PER_S
