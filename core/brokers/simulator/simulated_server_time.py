"""The broker's wall clock: UTC instants to the server's epoch (its wall clock counted as if it were UTC) and back.

Why: everything the terminal shows carries server time, and which rule makes it differs by broker. This is the terminal's own
side of that border; the adapter has to find the rule from outside.
Does not: read any clock.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import numpy as np

from quarterdeck.core.clock import time_zones
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import NS_PER_S, S_PER_HOUR, UtcNs

ClockRule = Literal["new_york_plus_7", "eet", "fixed"]

_EET = "Europe/Athens"
_NEW_YORK_LEAD_S = 7 * S_PER_HOUR
ROLLOVER_S = 17 * S_PER_HOUR
"""The trading day turns at this second of the New York day."""


class ZoneOffsets:
    """Seconds east of UTC of a zone, for one instant and for columns."""

    def __init__(self, zone: str) -> None:
        """`zone` as the time zone database names it."""
        self._starts, self._offsets = time_zones.transitions(zone)
        self._start_column = np.array(self._starts, dtype=np.int64)
        self._offset_column = np.array(self._offsets, dtype=np.int64)

    def at(self, utc_ns: UtcNs) -> int:
        """Offset in seconds at a UTC instant."""
        return self._offsets[bisect_right(self._starts, utc_ns // NS_PER_S) - 1]

    def column(self, utc_ns: IntArray) -> IntArray:
        """Offsets in seconds of many UTC instants."""
        rows = np.searchsorted(self._start_column, utc_ns // NS_PER_S, side="right") - 1
        offsets: IntArray = self._offset_column[rows]
        return offsets


NEW_YORK_OFFSETS = ZoneOffsets(time_zones.NEW_YORK)


class SimulatedServerClock:
    """Which wall clock the trade server shows."""

    def __init__(self, rule: ClockRule, offset_s: int = 0, *, jump_s: int = 0) -> None:
        """`offset_s` counts for the rule `fixed` alone; `jump_s` is a fault: the server's clock is wrong by so much."""
        self.rule: ClockRule = rule
        self._fixed_s = offset_s
        self._jump_s = jump_s
        self._lead_s = _NEW_YORK_LEAD_S if rule == "new_york_plus_7" else 0
        self._zone_name = _EET if rule == "eet" else time_zones.NEW_YORK
        self._zone = ZoneOffsets(_EET) if rule == "eet" else NEW_YORK_OFFSETS

    def offset_s(self, utc_ns: UtcNs) -> int:
        """Server wall clock minus UTC, in seconds."""
        if self.rule == "fixed":
            return self._fixed_s + self._jump_s
        return self._zone.at(utc_ns) + self._lead_s + self._jump_s

    def server_ms(self, utc_ns: UtcNs) -> int:
        """Server epoch in milliseconds."""
        return utc_ns // 1_000_000 + self.offset_s(utc_ns) * 1_000

    def server_s(self, utc_ns: UtcNs) -> int:
        """Server epoch in whole seconds."""
        return utc_ns // NS_PER_S + self.offset_s(utc_ns)

    def server_s_column(self, utc_ns: IntArray) -> IntArray:
        """Server epochs in whole seconds of many instants."""
        if self.rule == "fixed":
            return utc_ns // NS_PER_S + (self._fixed_s + self._jump_s)
        return utc_ns // NS_PER_S + self._zone.column(utc_ns) + (self._lead_s + self._jump_s)

    def utc_ns(self, server_s: int) -> UtcNs:
        """UTC instant at which the server's clock shows `server_s`; in an hour that comes twice, the first."""
        if self.rule == "fixed":
            return (server_s - self._fixed_s - self._jump_s) * NS_PER_S
        return time_zones.utc_of_local(server_s - self._lead_s - self._jump_s, self._zone_name)


def new_york_wall_s(utc_ns: UtcNs) -> int:
    """New York wall clock, counted as if it were UTC, in whole seconds."""
    return time_zones.local_s(utc_ns, time_zones.NEW_YORK)


def new_york_week_s(utc_ns: UtcNs) -> int:
    """Seconds since Sunday 00:00 New York wall clock."""
    return time_zones.week_second(utc_ns, time_zones.NEW_YORK)


def next_rollover_ns(utc_ns: UtcNs) -> UtcNs:
    """The first 17:00 New York after `utc_ns`."""
    return time_zones.next_local_time(utc_ns, time_zones.NEW_YORK, ROLLOVER_S)
