"""Wall clocks of named zones at a given instant: the only use of the time zone database. Reads no clock.

Promises: pure functions of the instant. Instants are UTC nanoseconds; seconds of the week count from Sunday 00:00 local.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, UtcNs

NEW_YORK = "America/New_York"
_FIRST_YEAR, _LAST_YEAR = 1990, 2050
_THURSDAY_S: Final = 4 * S_PER_DAY
"""1970-01-01 was a Thursday, the week begins on Sunday."""
_S_PER_WEEK: Final = 7 * S_PER_DAY
_LONG_AGO: Final = -(2**61)
_FAR_AHEAD: Final = 2**61


class ZoneTransitions:
    """The offsets of a zone, and the stretch that the last answer came from: the next instant mostly lies in it as well."""

    __slots__ = ("_stretch", "offsets", "starts")

    def __init__(self, starts: list[int], offsets: list[int]) -> None:
        """UTC seconds at which the offset changes, the first long ago, and the offsets in seconds that hold from each on."""
        self.starts, self.offsets = starts, offsets
        self._stretch = (0, 0, 0)

    def at(self, utc_s: int) -> int:
        """The offset that holds at an instant."""
        since, until, offset = self._stretch
        if since <= utc_s < until:
            return offset
        row = bisect_right(self.starts, utc_s)
        offset = self.offsets[row - 1]
        self._stretch = (self.starts[row - 1], self.starts[row] if row < len(self.starts) else _FAR_AHEAD, offset)
        return offset


def local_s(utc_ns: UtcNs, zone: str) -> int:
    """Seconds since 1970-01-01 00:00 on the zone's own wall clock."""
    utc_s = utc_ns // NS_PER_S
    return utc_s + _offsets(zone).at(utc_s)


def day_and_second(utc_ns: UtcNs, zone: str) -> tuple[int, int]:
    """Weekday (0 Monday .. 6 Sunday) and second of the day on the zone's wall clock."""
    wall = local_s(utc_ns, zone)
    return (wall // S_PER_DAY + 3) % 7, wall % S_PER_DAY


def week_second(utc_ns: UtcNs, zone: str) -> int:
    """Seconds since Sunday 00:00 on the zone's wall clock."""
    return (local_s(utc_ns, zone) + _THURSDAY_S) % _S_PER_WEEK


@lru_cache(maxsize=256)
def utc_of_local(wall_s: int, zone: str) -> UtcNs:
    """The instant at which the zone's wall clock shows `wall_s`: the earlier one where it shows it twice, the end of a skip."""
    offsets = _offsets(zone)
    guess = wall_s - offsets.at(wall_s)
    for candidate in (guess - S_PER_DAY, guess, guess + S_PER_DAY):
        offset = offsets.at(candidate)
        instant = wall_s - offset
        if offsets.at(instant) == offset:
            return instant * NS_PER_S
    after_skip = wall_s - offsets.at(guess - S_PER_DAY)
    return offsets.starts[bisect_right(offsets.starts, after_skip) - 1] * NS_PER_S


def next_local_time(utc_ns: UtcNs, zone: str, second_of_day: int) -> UtcNs:
    """The next instant after `utc_ns` at which the zone's clock shows that second of the day."""
    wall = local_s(utc_ns, zone)
    day = wall - wall % S_PER_DAY
    for ahead in range(3):
        instant = utc_of_local(day + ahead * S_PER_DAY + second_of_day, zone)
        if instant > utc_ns:
            return instant
    return utc_ns + 2 * S_PER_DAY * NS_PER_S


def day_started(utc_ns: UtcNs, zone: str, second_of_day: int) -> UtcNs:
    """The latest instant, not after `utc_ns`, at which the zone's clock showed that second of the day."""
    wall = local_s(utc_ns, zone)
    day = wall - wall % S_PER_DAY
    for back in range(3):
        instant = utc_of_local(day - back * S_PER_DAY + second_of_day, zone)
        if instant <= utc_ns:
            return instant
    return utc_ns - 2 * S_PER_DAY * NS_PER_S


def local_words(utc_ns: UtcNs, zone: str) -> str:
    """An instant as the zone's clock shows it, with the same in UTC: `Wed 2026-03-04 17:00 America/New_York (Wed 22:00 UTC)`."""
    here, there = (datetime.fromtimestamp(second, UTC) for second in (local_s(utc_ns, zone), utc_ns // NS_PER_S))
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    local = f"{days[here.weekday()]} {here:%Y-%m-%d %H:%M} {zone}"
    return local if here == there else f"{local} ({days[there.weekday()]} {there:%H:%M} UTC)"


def transitions(zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """UTC seconds at which the zone's offset changes, the first long ago, and the offsets in seconds that hold from each on."""
    held = _offsets(zone)
    return tuple(held.starts), tuple(held.offsets)


@lru_cache(maxsize=256)
def known_zone(zone: str) -> bool:
    """Whether the time zone database has that name."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


@cache
def _offsets(zone: str) -> ZoneTransitions:
    """Instants at which the offset changes and the offsets that hold from then on, seconds; found by bisection over hours."""
    if not known_zone(zone):
        raise SettingsError(f"time zone {zone!r} is not known", what_to_do="use a name such as Europe/London")
    info = ZoneInfo(zone)
    moment, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (_FIRST_YEAR, _LAST_YEAR))
    offset = _offset(moment, info)
    starts, offsets = [_LONG_AGO], [offset]
    step = 14 * S_PER_DAY  # no zone changes twice within it: the shortest summer or fast lasts four weeks
    while moment < end:
        later = moment + step
        after = _offset(later, info)
        if after != offset:
            low, high = moment, later
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(middle, info) != offset else (middle, high)
            starts.append(high)
            offsets.append(after)
            offset = after
        moment = later
    return ZoneTransitions(starts, offsets)


def _offset(utc_s: int, info: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(utc_s, info).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
