"""When entries are allowed: hours in their own cities' time, the rollover, the weekend, and the symbol's own sessions.

Why: London is one hour nearer to New York for three weeks a year; a fixed offset trades the wrong hour then.
Promises: daylight saving follows the zone database at that instant; intervals include their start and exclude their end, and may
span midnight. Does not: know holidays (no tick comes then, and `freshness` sees that).
"""

from __future__ import annotations

from msgspec import Struct

from core.clock.zones import NEW_YORK, day_and_second, next_local_time, week_second
from core.filters.ruling import Ruling
from core.model.market import Instrument
from core.model.signals import Check
from core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, UtcNs

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
WEEK_OPEN_S = 17 * S_PER_HOUR
"""Sunday 17:00 New York, in seconds from Sunday 00:00."""
WEEK_CLOSE_S = 5 * S_PER_DAY + 17 * S_PER_HOUR
_S_PER_WEEK = 7 * S_PER_DAY
_USUAL_WEEK = ((WEEK_OPEN_S, WEEK_CLOSE_S),)


class Hours(Struct, frozen=True, kw_only=True):
    """A span of the day on a zone's wall clock; from > to spans midnight."""

    zone: str
    from_s: int
    to_s: int

    def contain(self, utc_ns: UtcNs) -> bool:
        """Whether the span holds at an instant."""
        second = day_and_second(utc_ns, self.zone)[1]
        if self.from_s <= self.to_s:
            return self.from_s <= second < self.to_s
        return second >= self.from_s or second < self.to_s

    def next_start(self, utc_ns: UtcNs) -> UtcNs:
        """The next instant at which the span begins."""
        return next_local_time(utc_ns, self.zone, self.from_s)

    def next_end(self, utc_ns: UtcNs) -> UtcNs:
        """The next instant at which the span ends."""
        return next_local_time(utc_ns, self.zone, self.to_s % S_PER_DAY)


def parse_clock(text: str) -> int:
    """Seconds of the day in `HH:MM`; `24:00` is the day's end. Raises ValueError when it is no such text."""
    hours, minutes = text.split(":")
    seconds = int(hours) * S_PER_HOUR + int(minutes) * S_PER_MINUTE
    if not 0 <= seconds <= S_PER_DAY or int(minutes) >= S_PER_MINUTE:
        raise ValueError(f"{text!r} is no time of the day")
    return seconds


def parse_hours(text: str, zone: str = "") -> Hours:
    """`Zone/City HH:MM-HH:MM`, or `HH:MM-HH:MM` in the zone given. Raises ValueError when it is no such text."""
    named, _, span = text.rpartition(" ")
    start, end = span.split("-")
    place = named.strip() or zone
    if not place:
        raise ValueError(f"{text!r} names no zone")
    return Hours(zone=place, from_s=parse_clock(start), to_s=parse_clock(end))


def parse_day_clock(text: str) -> int:
    """Seconds from Sunday 00:00 in `Fri 15:30`. Raises ValueError when it is no such text."""
    day, clock = text.split(" ")
    return _DAYS.index(day) * S_PER_DAY + parse_clock(clock)


def entry_hours(at_utc_ns: UtcNs, spans: tuple[Hours, ...]) -> Ruling:
    """Entries are allowed while any of the spans holds; without spans, always. The value is the hour in the first city."""
    if not spans:
        return Ruling(check=Check("hours", None, None, True, "no hours are set"))
    first = spans[0]
    hour = day_and_second(at_utc_ns, first.zone)[1] / S_PER_HOUR
    passed = any(span.contain(at_utc_ns) for span in spans)
    note = ", ".join(f"{span.zone} {_clock(span.from_s)}-{_clock(span.to_s)}" for span in spans)
    again = 0 if passed else min(span.next_start(at_utc_ns) for span in spans)
    return Ruling(
        check=Check("hours", round(hour, 4), first.from_s / S_PER_HOUR, passed, note), passing=not passed, again_utc_ns=again
    )


def rollover(at_utc_ns: UtcNs, span: Hours) -> Ruling:
    """No entries inside the span around the bank day's change."""
    inside = span.contain(at_utc_ns)
    hour = day_and_second(at_utc_ns, span.zone)[1] / S_PER_HOUR
    note = f"not in {span.zone} {_clock(span.from_s)}-{_clock(span.to_s)}"
    again = span.next_end(at_utc_ns) if inside else 0
    return Ruling(
        check=Check("rollover", round(hour, 4), span.from_s / S_PER_HOUR, not inside, note), passing=inside, again_utc_ns=again
    )


def weekend(at_utc_ns: UtcNs, from_week_s: int) -> Ruling:
    """No entries from this second of New York's week (`parse_day_clock`) until the week opens on Sunday 17:00."""
    second = week_second(at_utc_ns, NEW_YORK)
    inside = second >= from_week_s or second < WEEK_OPEN_S
    note = "no entries before the weekend" if inside else ""
    hours, limit = second / S_PER_HOUR, from_week_s / S_PER_HOUR
    again = _after_week_seconds(at_utc_ns, WEEK_OPEN_S) if inside else 0
    return Ruling(check=Check("weekend", round(hours, 4), limit, not inside, note), again_utc_ns=again)


def sessions_of(instrument: Instrument) -> tuple[tuple[int, int], ...]:
    """Open hours as (start, end) seconds from Sunday 00:00 New York."""
    return instrument.sessions or _USUAL_WEEK


def is_open(instrument: Instrument, at_utc_ns: UtcNs) -> bool:
    """Whether the symbol's own hours hold at an instant."""
    second = week_second(at_utc_ns, NEW_YORK)
    return any(start <= second < end for start, end in sessions_of(instrument))


def next_open(instrument: Instrument, at_utc_ns: UtcNs) -> UtcNs:
    """The next instant at which one of the symbol's sessions begins."""
    return min(_after_week_seconds(at_utc_ns, start) for start, _ in sessions_of(instrument))


def next_close(instrument: Instrument, at_utc_ns: UtcNs) -> UtcNs:
    """The next instant at which one of the symbol's sessions ends and no other follows at once."""
    starts = [start % _S_PER_WEEK for start, _ in sessions_of(instrument)]
    ends = [end for _, end in sessions_of(instrument) if end % _S_PER_WEEK not in starts]
    return min(_after_week_seconds(at_utc_ns, end) for end in ends) if ends else at_utc_ns + _S_PER_WEEK * NS_PER_S


def session(instrument: Instrument, at_utc_ns: UtcNs) -> Ruling:
    """The market of this symbol is open."""
    opened = is_open(instrument, at_utc_ns)
    again = 0 if opened else next_open(instrument, at_utc_ns)
    return Ruling(check=Check("session", None, None, opened, "" if opened else "the market is closed"), again_utc_ns=again)


def _after_week_seconds(utc_ns: UtcNs, week_s: int) -> UtcNs:
    """The next instant at which New York's week shows that second; the day's clock takes care of daylight saving."""
    second_of_day, day = week_s % S_PER_DAY, week_s // S_PER_DAY % 7
    instant = next_local_time(utc_ns, NEW_YORK, second_of_day)
    for _ in range(7):
        if week_second(instant, NEW_YORK) // S_PER_DAY == day:
            break
        instant = next_local_time(instant, NEW_YORK, second_of_day)
    return instant


def _clock(second: int) -> str:
    return f"{second // S_PER_HOUR:02d}:{second % S_PER_HOUR // S_PER_MINUTE:02d}"
