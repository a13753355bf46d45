"""Wall clocks of named zones at a given instant: the only use of the time zone database. Reads no clock.

Promises: pure functions of the instant. Instants are UTC nanoseconds; seconds of the week count from Sunday 00:00 local.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.model.errors import SettingsError
from core.model.units import NS_PER_S, S_PER_DAY, UtcNs

NEW_YORK = "America/New_York"
_FIRST_YEAR, _LAST_YEAR = 1990, 2050


@lru_cache(maxsize=64)
def local_s(utc_ns: UtcNs, zone: str) -> int:
    """Seconds since 1970-01-01 00:00 on the zone's own wall clock."""
    utc_s = utc_ns // NS_PER_S
    starts, offsets = _transitions(zone)
    return utc_s + offsets[bisect_right(starts, utc_s) - 1]


def day_and_second(utc_ns: UtcNs, zone: str) -> tuple[int, int]:
    """Weekday (0 Monday .. 6 Sunday) and second of the day on the zone's wall clock."""
    days, second = divmod(local_s(utc_ns, zone), S_PER_DAY)
    return (days + 3) % 7, second


@lru_cache(maxsize=64)
def week_second(utc_ns: UtcNs, zone: str) -> int:
    """Seconds since Sunday 00:00 on the zone's wall clock."""
    days, second = divmod(local_s(utc_ns, zone), S_PER_DAY)
    return (days + 4) % 7 * S_PER_DAY + second


@lru_cache(maxsize=256)
def utc_of_local(wall_s: int, zone: str) -> UtcNs:
    """The instant at which the zone's wall clock shows `wall_s` (the earlier one where it shows it twice)."""
    starts, offsets = _transitions(zone)
    guess = wall_s - offsets[bisect_right(starts, wall_s) - 1]
    for candidate in (guess - S_PER_DAY, guess, guess + S_PER_DAY):
        offset = offsets[bisect_right(starts, candidate) - 1]
        instant = wall_s - offset
        if offsets[bisect_right(starts, instant) - 1] == offset:
            return instant * NS_PER_S
    return guess * NS_PER_S


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


def transitions(zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """UTC seconds at which the zone's offset changes, the first long ago, and the offsets in seconds that hold from each on."""
    starts, offsets = _transitions(zone)
    return tuple(starts), tuple(offsets)


@lru_cache(maxsize=256)
def known_zone(zone: str) -> bool:
    """Whether the time zone database has that name."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


@cache
def _transitions(zone: str) -> tuple[list[int], list[int]]:
    """Instants at which the offset changes and the offsets that hold from then on, seconds; found by bisection over hours."""
    if not known_zone(zone):
        raise SettingsError(f"time zone {zone!r} is not known", what_to_do="use a name such as Europe/London")
    info = ZoneInfo(zone)
    moment, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (_FIRST_YEAR, _LAST_YEAR))
    offset = _offset(moment, info)
    starts, offsets = [-(2**62)], [offset]
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
    return starts, offsets


def _offset(utc_s: int, info: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(utc_s, info).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
