"""Windows around economic releases: no entry in a pair while one of its currencies has a release of a closing impact near.

Promises: an event that moved keeps the windows of all its times; one that lasts all day, or whose time is not announced, closes
its whole day; one that lost its date altogether is forgotten. A bank holiday closes from the time that the calendar gives it to
the bank day's end, where holidays close; else it is reported. Only time, currency and impact count, the title tells events apart.
Does not: fetch (core.calendar), or look at results: actual figures were not known before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time
from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.model.currencies import YUAN
from quarterdeck.core.model.inputs import Calendar, NewsEvent
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_HOUR, S_PER_MINUTE, UtcNs

ALL_CURRENCIES = "ALL"
HOLIDAY = "holiday"
_BANK_DAY_ENDS_S = 17 * S_PER_HOUR
_BANK_DAY_AT_MOST_NS = 2 * DAY_NS
_MOVED_AT_MOST_NS = 3 * DAY_NS
"""A release of the same name farther away is next week's, not a moved one."""
_MOVES = 4
"""How often one release is followed when it moves again and again."""
_KEPT_NS = 2 * DAY_NS
_MINUTE_NS = S_PER_MINUTE * NS_PER_S


class ScheduledRelease(Struct, frozen=True, kw_only=True):
    """A release and the other times it was announced for."""

    news: NewsEvent
    also_utc_ns: tuple[UtcNs, ...] = ()


class NewsSchedule(Struct, frozen=True, kw_only=True):
    """The releases as known, in order of time; empty and not available until a calendar was heard."""

    available: bool = False
    why: str = "no calendar was heard yet"
    fetched_utc_ns: UtcNs = 0
    planned: tuple[ScheduledRelease, ...] = ()


class NewsWindow(Struct, frozen=True, kw_only=True):
    """A stretch of time closed by a release; the end is not part of it."""

    from_utc_ns: UtcNs
    to_utc_ns: UtcNs
    planned: ScheduledRelease


class NewsPolicy(Struct, frozen=True, kw_only=True):
    """Which impacts close, and for how long around the release."""

    impacts: tuple[str, ...]
    before_ns: int
    after_ns: int


def update_schedule(book: NewsSchedule, calendar: Calendar, at_utc_ns: UtcNs) -> NewsSchedule:
    """The book after a new calendar: the events it names, with the earlier times of those that moved."""
    if not calendar.available:
        return NewsSchedule(available=False, why=calendar.why, fetched_utc_ns=book.fetched_utc_ns, planned=book.planned)
    old: dict[tuple[str, str], list[ScheduledRelease]] = {}
    for planned in book.planned:
        old.setdefault((planned.news.currency, planned.news.title), []).append(planned)
    new: dict[tuple[str, str], list[NewsEvent]] = {}
    for event in calendar.events:
        new.setdefault((event.currency, event.title), []).append(event)
    merged = [planned for key, events in new.items() for planned in _merge(old.get(key, []), events, at_utc_ns)]
    kept = (planned for planned in merged if max(planned.news.at_utc_ns, *planned.also_utc_ns, 0) > at_utc_ns - _KEPT_NS)
    ordered = tuple(sorted(kept, key=lambda planned: (planned.news.at_utc_ns, planned.news.currency, planned.news.title)))
    return NewsSchedule(available=True, why="", fetched_utc_ns=calendar.fetched_utc_ns, planned=ordered)


def _merge(before: list[ScheduledRelease], events: list[NewsEvent], at_utc_ns: UtcNs) -> list[ScheduledRelease]:
    """Same time: the same event. What is left over on both sides, in order and near enough, has moved."""
    by_time = {planned.news.at_utc_ns: planned for planned in before}
    times = {event.at_utc_ns for event in events}
    gone = [planned for planned in before if planned.news.at_utc_ns not in times and _timed(planned.news)]
    merged = []
    for event in sorted(events, key=lambda event: event.at_utc_ns):
        known = by_time.get(event.at_utc_ns)
        also = known.also_utc_ns if known is not None else ()
        if known is None and _timed(event):
            source = next((planned for planned in gone if _may_have_moved(planned, event, at_utc_ns)), None)
            if source is not None:
                gone.remove(source)
                also = (*source.also_utc_ns, source.news.at_utc_ns)
        merged.append(ScheduledRelease(news=event, also_utc_ns=tuple(time for time in also if time != event.at_utc_ns)))
    return merged


def _timed(event: NewsEvent) -> bool:
    return not (event.all_day or event.tentative)


def _may_have_moved(planned: ScheduledRelease, event: NewsEvent, at_utc_ns: UtcNs) -> bool:
    """What is long past happened; it cannot move any more."""
    still_open = planned.news.at_utc_ns > at_utc_ns - DAY_NS // 24
    return still_open and abs(planned.news.at_utc_ns - event.at_utc_ns) <= _MOVED_AT_MOST_NS


def closed_windows(
    book: NewsSchedule, currencies: tuple[str, str], policy: NewsPolicy, *, around_utc_ns: UtcNs | None = None
) -> tuple[NewsWindow, ...]:
    """Closed stretches of a pair, in the order of the book; with `around_utc_ns` those that could touch that time alone."""
    return tuple(
        NewsWindow(from_utc_ns=start, to_utc_ns=end, planned=planned)
        for planned in (book.planned if around_utc_ns is None else _around(book.planned, around_utc_ns, policy))
        if _concerns(planned.news, currencies, policy.impacts)
        for start, end in _stretches(planned, policy)
    )


def _around(planned: tuple[ScheduledRelease, ...], at_utc_ns: UtcNs, policy: NewsPolicy) -> tuple[ScheduledRelease, ...]:
    """A book may hold years; a release reaches as far as its window, its day, or the days it may have moved."""
    reach = max(policy.before_ns, policy.after_ns, DAY_NS) + _MOVES * _MOVED_AT_MOST_NS
    low = bisect_left(planned, at_utc_ns - reach, key=_time)
    return planned[low : bisect_right(planned, at_utc_ns + reach, lo=low, key=_time)]


def _begin(window: NewsWindow) -> UtcNs:
    return window.from_utc_ns


def _time(planned: ScheduledRelease) -> UtcNs:
    return planned.news.at_utc_ns


def _concerns(event: NewsEvent, currencies: tuple[str, str], impacts: tuple[str, ...]) -> bool:
    if event.impact not in impacts:
        return False
    if event.currency in currencies or event.currency.upper() == ALL_CURRENCIES:
        return True
    return event.currency in YUAN and (YUAN[0] in currencies or YUAN[1] in currencies)


def _stretches(planned: ScheduledRelease, policy: NewsPolicy) -> list[tuple[UtcNs, UtcNs]]:
    event = planned.news
    if not _timed(event):
        return [(event.at_utc_ns, event.at_utc_ns + DAY_NS)]
    instants = (event.at_utc_ns, *planned.also_utc_ns)
    if event.impact == HOLIDAY:
        return [(instant, next_local_time(instant, NEW_YORK, _BANK_DAY_ENDS_S)) for instant in instants]
    return [(instant - policy.before_ns, instant + policy.after_ns) for instant in instants]


class PairReleases:
    """The releases of one book that concern one pair, in order of time, so that most instants need one look at each list."""

    __slots__ = ("_bank_days", "_bank_from", "_from", "_next", "_times", "_to", "book", "currencies", "policy")

    def __init__(self, book: NewsSchedule, currencies: tuple[str, str], policy: NewsPolicy) -> None:
        """All three are kept as they are; another book, pair or policy needs other releases."""
        self.book, self.currencies, self.policy = book, currencies, policy
        concerned = [planned for planned in book.planned if _concerns(planned.news, currencies, policy.impacts)]
        self._next = [planned.news for planned in concerned if _timed(planned.news)]
        self._times = [event.at_utc_ns for event in self._next]
        holidays = NewsPolicy(impacts=(HOLIDAY,), before_ns=0, after_ns=0)
        self._bank_days = sorted(closed_windows(book, currencies, holidays), key=_begin)
        self._bank_from = [window.from_utc_ns for window in self._bank_days]
        self._from: list[UtcNs] = []
        self._to: list[UtcNs] = []
        for start, end in sorted(stretch for planned in concerned for stretch in _stretches(planned, policy)):
            if self._to and start <= self._to[-1]:
                self._to[-1] = max(self._to[-1], end)
            else:
                self._from.append(start)
                self._to.append(end)

    def near(self, at_utc_ns: UtcNs) -> bool:
        """Whether an instant lies in a stretch that any of them closes."""
        row = bisect_right(self._from, at_utc_ns) - 1
        return row >= 0 and at_utc_ns < self._to[row]

    def following(self, at_utc_ns: UtcNs) -> NewsEvent | None:
        """The next one whose time is announced."""
        row = bisect_left(self._times, at_utc_ns)
        return self._next[row] if row < len(self._next) else None

    def bank_holidays(self, at_utc_ns: UtcNs) -> str:
        """The bank holidays that hold at an instant, in words; asked where none of them closes."""
        end = bisect_right(self._bank_from, at_utc_ns)
        first = bisect_right(self._bank_from, at_utc_ns - _BANK_DAY_AT_MOST_NS, 0, end)
        held = [_said(window.planned.news) for window in self._bank_days[first:end] if at_utc_ns < window.to_utc_ns]
        return f"{', '.join(held)}: closes nothing" if held else ""


def news_window(at_utc_ns: UtcNs, releases: PairReleases, *, hold_when_unavailable: bool) -> FilterResult:
    """No release is near. The value is minutes until the release that closes (negative after it), or until the next one."""
    book, policy = releases.book, releases.policy
    missing = "" if book.available else f"no calendar: {book.why}" if book.why else "no calendar"
    if missing and hold_when_unavailable:
        return FilterResult(check=Check("news", None, None, False, missing), may_pass_later=True)
    closed = closed_windows(book, releases.currencies, policy, around_utc_ns=at_utc_ns) if releases.near(at_utc_ns) else ()
    inside = [window for window in closed if window.from_utc_ns <= at_utc_ns < window.to_utc_ns]
    limit = policy.before_ns / _MINUTE_NS
    if not inside:
        following = releases.following(at_utc_ns)
        minutes = None if following is None else (following.at_utc_ns - at_utc_ns) / _MINUTE_NS
        said = ("" if following is None else _said(following), releases.bank_holidays(at_utc_ns))
        return FilterResult(check=Check("news", minutes, limit, True, missing or "; ".join(part for part in said if part)))
    event = inside[0].planned.news
    minutes = (event.at_utc_ns - at_utc_ns) / _MINUTE_NS
    more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
    check = Check("news", minutes, limit, False, _said(event) + more)
    return FilterResult(check=check, may_pass_later=True, passes_from_utc_ns=_reopens(at_utc_ns, closed))


def _reopens(at_utc_ns: UtcNs, closed: tuple[NewsWindow, ...]) -> UtcNs:
    """The end of all windows that overlap each other from now on."""
    end = at_utc_ns
    moved = True
    while moved:
        moved = False
        for window in closed:
            if window.from_utc_ns <= end < window.to_utc_ns:
                end, moved = window.to_utc_ns, True
    return end


def next_release(at_utc_ns: UtcNs, book: NewsSchedule, currencies: tuple[str, ...], impacts: tuple[str, ...]) -> NewsEvent | None:
    """The next announced release, for any of the currencies, of one of the impacts."""
    first = bisect_left(book.planned, at_utc_ns, key=_time)
    for planned in book.planned[first:]:
        event = planned.news
        named = event.currency in currencies or event.currency.upper() == ALL_CURRENCIES
        if named and event.impact in impacts and _timed(event):
            return event
    return None


def _said(event: NewsEvent) -> str:
    when = "all day" if event.all_day else "time not announced" if event.tentative else ""
    return " ".join([part for part in (event.currency, event.impact, event.title, f"({when})" if when else "") if part])
