"""The trade server's clock: which rule it follows, and the way between its epochs and UTC.

Why: everything the terminal shows is the broker's wall clock counted as if it were UTC; one constant offset is wrong twice a
year.
Promises: UTC to server and back is exact except in the hour that a clock shows twice (there the first counts; no currency trades
then); columns and single values agree. A rule is called confirmed only when ticks that changed under our eyes agree with it.
Does not: read a clock or poll; `measured_offset` judges samples that others take.
Rules: New York + 7 h (United States switch dates), Athens (European dates), or a fixed offset.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

import numpy as np
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, transitions
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.inputs import ServerClockRule
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs

Rule = Literal["new_york_plus_7", "eet", "fixed"]

ATHENS = "Europe/Athens"
OFFSET_STEP_S = 900
OFFSET_NOISE_S = 60
SAMPLES_MIN = 3
OFFSET_MIN_S, OFFSET_MAX_S = -12 * S_PER_HOUR, 14 * S_PER_HOUR
_NEW_YORK_LEAD_S = 7 * S_PER_HOUR
_WEEK_S = 7 * S_PER_DAY
_OPEN_S = 17 * S_PER_HOUR
"""Of Sunday, New York: when the week opens."""
_WEEKS_MIN = 4


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


class OffsetSample(Struct, frozen=True):
    """A tick that changed between two polls: what its stamp said, and what our clock said when we saw it."""

    server_ms: int
    seen_utc_ns: UtcNs

    @property
    def rounded_s(self) -> int | None:
        """The offset in seconds on the quarter-hour grid; None when the stamp is no fresh tick of any sane clock."""
        delta_s = self.server_ms / 1000.0 - self.seen_utc_ns / NS_PER_S
        rounded = round(delta_s / OFFSET_STEP_S) * OFFSET_STEP_S
        sane = OFFSET_MIN_S <= rounded <= OFFSET_MAX_S
        return rounded if sane and abs(delta_s - rounded) < OFFSET_NOISE_S else None


def measured_offset(samples: Iterable[OffsetSample]) -> int | None:
    """Server minus UTC in seconds where at least three samples agree and none contradicts; else None."""
    offsets = [offset for offset in (sample.rounded_s for sample in samples) if offset is not None]
    if len(offsets) < SAMPLES_MIN or min(offsets) != max(offsets):
        return None
    return offsets[0]


def week_opens(server_s: IntArray, gap_s: int = S_PER_DAY) -> IntArray:
    """Server epochs of the first bar of each week among sorted bar opens: those after a pause of more than `gap_s`."""
    if len(server_s) < 2:
        return server_s[:0]
    opens: IntArray = server_s[1:][np.diff(server_s) > gap_s]
    return opens


def recognise_clock(weeks: Sequence[int], offset_s: int | None, at_utc_ns: UtcNs) -> tuple[ServerClock | None, bool]:
    """The rule that fits what was seen, and whether ticks confirm it.

    `weeks` are server epochs of weekly opens over as many weeks as there are, `offset_s` what ticks showed at `at_utc_ns`.
    Each rule scores a point per week that it puts at Sunday 17:00 New York; ties go to New York + 7, then Athens. Without ticks a
    rule needs nearly all weeks. Without weeks the offset alone decides, by the same order.
    """
    fixed = [offset_s] if offset_s is not None else [hours * S_PER_HOUR for hours in range(-12, 15)]
    candidates = [ServerClock("new_york_plus_7"), ServerClock("eet"), *(ServerClock("fixed", item) for item in fixed)]
    if offset_s is not None:
        candidates = [clock for clock in candidates if clock.offset_s(at_utc_ns) == offset_s]
    scores = [_weeks_that_fit(clock, weeks) for clock in candidates]
    best = max(scores)
    if offset_s is None and (len(weeks) < _WEEKS_MIN or best < 0.8 * len(weeks)):
        return None, False
    return candidates[scores.index(best)], offset_s is not None


def _weeks_that_fit(clock: ServerClock, weeks: Sequence[int]) -> int:
    new_york = ServerClock("new_york_plus_7")
    wall = (new_york.server_s(clock.utc_ns(server_s)) - _NEW_YORK_LEAD_S for server_s in weeks)
    # 1970-01-01 was a Thursday: four days after a Sunday
    return sum((second + 4 * S_PER_DAY) % _WEEK_S == _OPEN_S for second in wall)
