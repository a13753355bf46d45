"""The trade server's clock: which rule it follows, and the way between its epochs and UTC.

Why: everything the terminal shows is the broker's wall clock counted as if it were UTC; one constant offset is wrong twice a
year.
Promises: UTC to server and back is exact except in the hour that a clock shows twice (there the first counts; no currency trades
then); columns and single values agree.
Does not: read a clock, or find out which rule a server follows (`clock_witnesses`).
Rules: New York + 7 h (United States switch dates), Athens (European dates), or a fixed offset.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import Literal

import numpy as np

from quarterdeck.core.clock.time_zones import NEW_YORK, transitions
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.inputs import ServerClockRule
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, S_PER_HOUR, UtcNs

Rule = Literal["new_york_plus_7", "eet", "fixed"]

ATHENS = "Europe/Athens"
OFFSET_STEP_S = 900
OFFSET_NOISE_S = 60
OFFSET_MIN_S, OFFSET_MAX_S = -12 * S_PER_HOUR, 14 * S_PER_HOUR
_NEW_YORK_LEAD_S = 7 * S_PER_HOUR


class ServerClock:
    """One rule, ready to convert. Immutable in meaning; remembers the last stretch it looked up."""

    __slots__ = ("_high", "_low", "_offset", "_server_starts", "_server_table", "_utc_starts", "_utc_table", "fixed_s", "rule")

    def __init__(self, rule: Rule, fixed_s: int = 0) -> None:
        """`fixed_s` is the offset in seconds for the rule `fixed`, and nothing for the others."""
        self.rule: Rule = rule
        self.fixed_s = fixed_s if rule == "fixed" else 0
        self._utc_starts, self._server_starts, offsets = _table(rule, self.fixed_s)
        self._utc_table = (np.array(self._utc_starts, dtype=np.int64), np.array(offsets, dtype=np.int64))
        self._server_table = (np.array(self._server_starts, dtype=np.int64), self._utc_table[1])
        self._low, self._high, self._offset = 0, 0, 0

    def __repr__(self) -> str:
        """The rule and what a fixed one is."""
        return f"ServerClock({self.rule!r}, {self.fixed_s})"

    def offset_s(self, utc_ns: UtcNs) -> int:
        """Server wall clock minus UTC at an instant, seconds."""
        offsets = self._utc_table[1]
        return int(offsets[bisect_right(self._utc_starts, utc_ns // NS_PER_S) - 1])

    def utc_ns(self, server_s: int) -> UtcNs:
        """The instant of a server epoch in seconds."""
        return (server_s - self._offset_of_server(server_s)) * NS_PER_S

    def utc_ns_of_ms(self, server_ms: int) -> UtcNs:
        """The instant of a server epoch in milliseconds."""
        return (server_ms - self._offset_of_server(server_ms // 1000) * 1000) * NS_PER_MS

    def server_s(self, utc_ns: UtcNs) -> int:
        """The server epoch in whole seconds at an instant."""
        return utc_ns // NS_PER_S + self.offset_s(utc_ns)

    def utc_ns_column(self, server_s: IntArray) -> IntArray:
        """Instants of many server epochs in seconds."""
        starts, offsets = self._server_table
        found: IntArray = (server_s - offsets[np.searchsorted(starts, server_s, side="right") - 1]) * NS_PER_S
        return found

    def server_s_column(self, utc_ns: IntArray) -> IntArray:
        """Server epochs in whole seconds of many instants."""
        starts, offsets = self._utc_table
        utc_s = utc_ns // NS_PER_S
        found: IntArray = utc_s + offsets[np.searchsorted(starts, utc_s, side="right") - 1]
        return found

    def as_input(self, utc_ns: UtcNs, *, confirmed: bool) -> ServerClockRule:
        """What the desk is given, with the offset that holds at `utc_ns`."""
        return ServerClockRule(rule=self.rule, offset_s=self.offset_s(utc_ns), confirmed=confirmed)

    def _offset_of_server(self, server_s: int) -> int:
        if self._low <= server_s < self._high:
            return self._offset
        place = bisect_right(self._server_starts, server_s)
        self._low = self._server_starts[place - 1]
        self._high = self._server_starts[place] if place < len(self._server_starts) else 2**62
        self._offset = int(self._server_table[1][place - 1])
        return self._offset


@cache
def _table(rule: Rule, fixed_s: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Switches in UTC seconds, the same in server epochs (the later reading of a repeated hour), and the offsets from each on."""
    if rule == "fixed":
        return (-(2**62),), (-(2**62),), (fixed_s,)
    starts, zone_offsets = transitions(NEW_YORK if rule == "new_york_plus_7" else ATHENS)
    lead = _NEW_YORK_LEAD_S if rule == "new_york_plus_7" else 0
    offsets = tuple(offset + lead for offset in zone_offsets)
    switches = (start + max(before, after) for start, before, after in zip(starts[1:], offsets, offsets[1:], strict=False))
    return starts, (starts[0], *switches), offsets
