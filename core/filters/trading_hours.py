"""When entries are allowed: hours in their own cities' time, the rollover, the weekend, and the symbol's own sessions.

Why: London is one hour nearer to New York for three weeks a year; a fixed offset trades the wrong hour then.
Promises: daylight saving follows the zone database at that instant; intervals include their start and exclude their end, and may
span midnight. Does not: know holidays that nobody listed (no tick comes then, and `freshness` sees that).
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, day_and_second, next_local_time, utc_of_local, week_second
from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, UtcNs

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
WEEK_OPEN_S = 17 * S_PER_HOUR
"""Sunday 17:00 New York, in seconds from Sunday 00:00."""
WEEK_CLOSE_S = 5 * S_PER_DAY + 17 * S_PER_HOUR
_S_PER_WEEK = 7 * S_PER_DAY
LONG_CLOSURE_S = 12 * S_PER_HOUR
"""A closure longer than this is a weekend or a holiday, not a daily break."""
_BANK_DAY_ENDS_S = 17 * S_PER_HOUR
_EPOCH = date(1970, 1, 1)
_USUAL_WEEK = ((WEEK_OPEN_S, WEEK_CLOSE_S),)


class DailyHours(Struct, frozen=True, kw_only=True):
    """A span of the day on a zone's wall clock; from > to spans midnight."""

    zone: str
    from_s: int
    to_s: int

    def contain(self, utc_ns: UtcNs) -> bool:
        """Whether the span holds at an instant."""
        return self.holds(day_and_second(utc_ns, self.zone)[1])

    def holds(self, second: int) -> bool:
        """Whether the span holds at a second of the day."""
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


def parse_hours(text: str, zone: str = "") -> DailyHours:
    """`Zone/City HH:MM-HH:MM`, or `HH:MM-HH:MM` in the zone given. Raises ValueError when it is no such text."""
    named, _, span = text.rpartition(" ")
    start, end = span.split("-")
    place = named.strip() or zone
    if not place:
        raise ValueError(f"{text!r} names no zone")
    return DailyHours(zone=place, from_s=parse_clock(start), to_s=parse_clock(end))


def parse_day_clock(text: str) -> int:
    """Seconds from Sunday 00:00 in `Fri 15:30`. Raises ValueError when it is no such text."""
    day, clock = text.split(" ")
    return _DAYS.index(day) * S_PER_DAY + parse_clock(clock)


class EarlyClose(Struct, frozen=True, kw_only=True):
    """A known close before the usual one: from then on the market is closed, until the bank day's end or the holiday's."""

    at_utc_ns: UtcNs
    until_utc_ns: UtcNs
    symbols: tuple[str, ...]
    """Empty: all."""


def parse_early_close(text: str) -> EarlyClose:
    """`2026-11-26 13:00 XAUUSD` closes then, New York time; `2026-12-25` is a bank day without a market, begun at 17:00 before.

    Raises:
        ValueError: no such text.
    """
    words = text.split()
    year, month, day = (int(part) for part in words[0].split("-"))
    midnight_s = (date(year, month, day) - _EPOCH).days * S_PER_DAY
    ends_s = midnight_s + _BANK_DAY_ENDS_S
    timed = len(words) > 1 and ":" in words[1]
    at_s = midnight_s + parse_clock(words[1]) if timed else ends_s - S_PER_DAY
    if at_s >= ends_s:
        raise ValueError(f"{text!r} is no early close: the bank day ends at 17:00")
    return EarlyClose(
        at_utc_ns=utc_of_local(at_s, NEW_YORK),
        until_utc_ns=utc_of_local(ends_s, NEW_YORK),
        symbols=tuple(words[2:] if timed else words[1:]),
    )


def early_closes_of(texts: tuple[str, ...], symbol: str) -> tuple[EarlyClose, ...]:
    """The early closes that concern a symbol, in order of time; a broker's suffix is no other pair. Raises ValueError."""
    found = (parse_early_close(text) for text in texts)
    concerned = [close for close in found if not close.symbols or any(symbol.startswith(name) for name in close.symbols)]
    return tuple(sorted(concerned, key=lambda close: close.at_utc_ns))


def entry_hours(at_utc_ns: UtcNs, spans: tuple[DailyHours, ...]) -> FilterResult:
    """Entries are allowed while any of the spans holds; without spans, always. The value is the hour in the first city."""
    if not spans:
        return FilterResult(check=Check("hours", None, None, True, "no hours are set"))
    first = spans[0]
    second = day_and_second(at_utc_ns, first.zone)[1]
    hour = second / S_PER_HOUR
    passed = first.holds(second) or any(span.contain(at_utc_ns) for span in spans[1:])
    note = ", ".join([_words(span) for span in spans])
    again = 0 if passed else min(span.next_start(at_utc_ns) for span in spans)
    return FilterResult(
        check=Check("hours", rounded(hour, 4), first.from_s / S_PER_HOUR, passed, note),
        may_pass_later=not passed,
        passes_from_utc_ns=again,
    )


def rollover(at_utc_ns: UtcNs, span: DailyHours) -> FilterResult:
    """No entries inside the span around the bank day's change."""
    second = day_and_second(at_utc_ns, span.zone)[1]
    inside, hour = span.holds(second), second / S_PER_HOUR
    again = span.next_end(at_utc_ns) if inside else 0
    check = Check("rollover", rounded(hour, 4), span.from_s / S_PER_HOUR, not inside, f"not in {_words(span)}")
    return FilterResult(check=check, may_pass_later=inside, passes_from_utc_ns=again)


def weekend(at_utc_ns: UtcNs, from_week_s: int) -> FilterResult:
    """No entries from this second of New York's week (`parse_day_clock`) until the week opens on Sunday 17:00."""
    second = week_second(at_utc_ns, NEW_YORK)
    inside = second >= from_week_s or second < WEEK_OPEN_S
    note = "no entries before the weekend" if inside else ""
    hours, limit = second / S_PER_HOUR, from_week_s / S_PER_HOUR
    again = _after_week_seconds(at_utc_ns, WEEK_OPEN_S) if inside else 0
    return FilterResult(check=Check("weekend", rounded(hours, 4), limit, not inside, note), passes_from_utc_ns=again)


def early_close(
    at_utc_ns: UtcNs, instrument: Instrument, known: tuple[EarlyClose, ...], *, no_entries_ns: int
) -> FilterResult | None:
    """No entries so long before a known early close, and until it is over; None where none is known to lie ahead.

    Known are those listed, and a session of the symbol that ends before the usual week does with a long closure behind it.
    The value is hours until that close, negative after it.
    """
    times = [(close.at_utc_ns, close.until_utc_ns) for close in known if close.until_utc_ns > at_utc_ns]
    closes = _closes_early(instrument, at_utc_ns)
    if closes is not None:
        times.append((closes, next_open(instrument, closes)))
    if not times:
        return None
    first, again = times[0][0], 0
    for closed, opened in times:
        first = min(first, closed)
        if closed - no_entries_ns <= at_utc_ns:
            again = max(again, opened)
    per_hour = S_PER_HOUR * NS_PER_S
    check = Check("early_close", rounded((first - at_utc_ns) / per_hour, 4), no_entries_ns / per_hour, again == 0)
    return FilterResult(check=check, passes_from_utc_ns=again)


def _closes_early(instrument: Instrument, at_utc_ns: UtcNs) -> UtcNs | None:
    """When the session that holds now ends, where that is a long closure before the usual week is over."""
    sessions = instrument.sessions
    if not sessions:
        return None
    second, ending = week_second(at_utc_ns, NEW_YORK), WEEK_CLOSE_S
    for start, end in sessions:
        if start <= second < end:
            ending = end
            break
    if ending >= WEEK_CLOSE_S:
        return None
    following = min((start - ending) % _S_PER_WEEK for start, _ in sessions)
    return at_utc_ns + (ending - second) * NS_PER_S if following >= LONG_CLOSURE_S else None


def sessions_of(instrument: Instrument) -> tuple[tuple[int, int], ...]:
    """Open hours as (start, end) seconds from Sunday 00:00 New York."""
    return instrument.sessions or _USUAL_WEEK


def is_open(instrument: Instrument, at_utc_ns: UtcNs, known: tuple[EarlyClose, ...] = ()) -> bool:
    """Whether the symbol's own hours hold at an instant, but for the early closes and holidays that are known."""
    for close in known:
        if close.at_utc_ns <= at_utc_ns < close.until_utc_ns:
            return False
    second = week_second(at_utc_ns, NEW_YORK)
    for start, end in sessions_of(instrument):  # noqa: SIM110 - asked too often for a generator
        if start <= second < end:
            return True
    return False


def next_open(instrument: Instrument, at_utc_ns: UtcNs, known: tuple[EarlyClose, ...] = ()) -> UtcNs:
    """The next instant at which one of the symbol's sessions begins, or continues after a known early close."""
    over = max((close.until_utc_ns for close in known if close.at_utc_ns <= at_utc_ns < close.until_utc_ns), default=0)
    opens = over if over and is_open(instrument, over) else _next_session(instrument, over or at_utc_ns)
    return opens if is_open(instrument, opens, known) else next_open(instrument, opens, known)


def _next_session(instrument: Instrument, at_utc_ns: UtcNs) -> UtcNs:
    return min(_after_week_seconds(at_utc_ns, start) for start, _ in sessions_of(instrument))


def next_close(instrument: Instrument, at_utc_ns: UtcNs) -> UtcNs:
    """The next instant at which one of the symbol's sessions ends and no other follows at once."""
    starts = [start % _S_PER_WEEK for start, _ in sessions_of(instrument)]
    ends = [end for _, end in sessions_of(instrument) if end % _S_PER_WEEK not in starts]
    return min(_after_week_seconds(at_utc_ns, end) for end in ends) if ends else at_utc_ns + _S_PER_WEEK * NS_PER_S


def session(instrument: Instrument, at_utc_ns: UtcNs) -> FilterResult:
    """The market of this symbol is open."""
    opened = is_open(instrument, at_utc_ns)
    again = 0 if opened else next_open(instrument, at_utc_ns)
    return FilterResult(
        check=Check("session", None, None, opened, "" if opened else "the market is closed"), passes_from_utc_ns=again
    )


def _after_week_seconds(utc_ns: UtcNs, week_s: int) -> UtcNs:
    """The next instant at which New York's week shows that second; the day's clock takes management of daylight saving."""
    second_of_day, day = week_s % S_PER_DAY, week_s // S_PER_DAY % 7
    instant = next_local_time(utc_ns, NEW_YORK, second_of_day)
    for _ in range(7):
        if week_second(instant, NEW_YORK) // S_PER_DAY == day:
            break
        instant = next_local_time(instant, NEW_YORK, second_of_day)
    return instant


@lru_cache(maxsize=64)
def _words(span: DailyHours) -> str:
    return f"{span.zone} {_clock(span.from_s)}-{_clock(span.to_s)}"


def _clock(second: int) -> str:
    return f"{second // S_PER_HOUR:02d}:{second % S_PER_HOUR // S_PER_MINUTE:02d}"
