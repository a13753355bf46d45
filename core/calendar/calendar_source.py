"""All calendars of the settings together, cut to what the desk needs, as one `Calendar`.

Promises: available means that the events reach to now, however old they are; the age travels with them. A file is read again when
it changed. Does not: raise for a feed that is down, or a file that went bad while running: that is the calendar's `why`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quarterdeck.core.calendar.calendar_file import read_calendar
from quarterdeck.core.calendar.clocks import AUTO
from quarterdeck.core.calendar.coverage import covered_until, gap_ahead
from quarterdeck.core.calendar.feed_download import CalendarFeed, FetchPolicy, Opener, open_url
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import Calendar, NewsEvent
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, UtcNs

AHEAD_NS = 8 * DAY_NS
BEHIND_NS = DAY_NS
_NONE_SET = "no calendar is set (news.urls, news.files)"
_PUBLIC_LEAST_S = 3_600.0
"""A public feed refuses whoever asks more often."""
_AGAIN_NS = 3_600 * NS_PER_S
"""Without a feed there is still the window to move along with the market's time."""


def calendar_at(events: Sequence[NewsEvent], at_utc_ns: UtcNs, *, fetched_utc_ns: UtcNs, why: str = "") -> Calendar:
    """The calendar as known at an instant: the last day and eight days ahead; not available when nothing reaches to now."""
    if covered_until(events) < at_utc_ns:
        return Calendar(available=False, why=why or "it ends before now", fetched_utc_ns=fetched_utc_ns)
    near = tuple(event for event in events if at_utc_ns - BEHIND_NS <= event.at_utc_ns <= at_utc_ns + AHEAD_NS)
    return Calendar(available=True, events=near, why=why, fetched_utc_ns=fetched_utc_ns)


class CalendarSource:
    """The files and feeds of the settings."""

    def __init__(
        self,
        *,
        files: Sequence[Path],
        urls: Sequence[str] = (),
        private_urls: Sequence[str] = (),
        default_urls: Sequence[str] = (),
        policy: FetchPolicy | None = None,
        cache: Path | None = None,
        opener: Opener = open_url,
        files_clock: str = AUTO,
    ) -> None:
        """Name the calendars; nothing is read yet.

        Feeds need a `policy`; those of `urls` are public and asked at most once an hour, whatever it says. `default_urls`
        are those that no operator chose: they may fail where other calendars cover what lies ahead. `cache` is the folder
        in which feeds keep what they fetched; `files_clock` is the clock of tables whose times have no zone.
        """
        self.unusable = ""
        """Why a calendar that is named cannot be used; empty where all of them can."""
        self._files = {path: _File(path, files_clock) for path in files}
        self._feeds: list[CalendarFeed] = []
        if policy is not None:
            seldom = msgspec.structs.replace(policy, asked_least_s=max(policy.asked_least_s, _PUBLIC_LEAST_S))
            wanted = [*((url, seldom) for url in urls), *((url, policy) for url in private_urls)]
            self._feeds = [CalendarFeed(url, policy=own, cache=cache, opener=opener) for url, own in wanted]
        self._default_urls = tuple(default_urls)
        self._merged: tuple[NewsEvent, ...] = ()
        self._stale = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What rows of the calendars leave open, and how it is taken."""
        files = [note for held in self._files.values() for note in held.notes]
        return (*files, *(note for feed in self._feeds for note in feed.notes))

    @property
    def configured(self) -> bool:
        """Whether there is any calendar to read."""
        return bool(self._files or self._feeds)

    def uncovered(self, at_utc_ns: UtcNs) -> str:
        """Why the releases of the next 24 h of open market are not known; empty where they are."""
        if not self.configured:
            return _NONE_SET
        return self.unusable or gap_ahead(self._merged, at_utc_ns)

    def due_utc_ns(self, at_utc_ns: UtcNs) -> UtcNs:
        """When to read again: at the earliest feed's time, at the latest in an hour."""
        return min([at_utc_ns + _AGAIN_NS, *(max(feed.due_utc_ns, at_utc_ns + NS_PER_S) for feed in self._feeds)])

    def read_files(self, at_utc_ns: UtcNs) -> Calendar:
        """The calendar out of files alone, for recorded days.

        Raises:
            DataError: when a file is missing, damaged or of no known format.
        """
        for held in self._files.values():
            self._stale |= held.refresh()
        return self._cut(at_utc_ns, "")

    async def read(self, at_utc_ns: UtcNs) -> Calendar:
        """The calendar out of files and feeds; feeds are asked when their time has come, all at once. Nothing is raised."""
        troubles = []
        for held in self._files.values():
            try:
                self._stale |= await asyncio.to_thread(held.refresh)
            except DataError as error:
                troubles.append(error.one_line())
        unusable = list(troubles)
        changed = await asyncio.gather(*(feed.refresh(at_utc_ns) for feed in self._feeds))
        self._stale |= any(changed)
        troubles += [feed.error for feed in self._feeds if feed.error]
        calendar = self._cut(at_utc_ns, "; ".join(troubles))
        covered = not gap_ahead(self._merged, at_utc_ns)
        needed = [feed for feed in self._feeds if not (covered and feed.url in self._default_urls)]
        unusable += [feed.error for feed in needed if feed.error and not feed.events]
        self.unusable = "; ".join(unusable) or ("" if calendar.available or not self.configured else calendar.why)
        return calendar

    def _cut(self, at_utc_ns: UtcNs, why: str) -> Calendar:
        if not self.configured:
            return Calendar(available=False, why=_NONE_SET)
        if self._stale or not self._merged:
            every = [event for held in self._files.values() for event in held.events]
            every += [event for feed in self._feeds for event in feed.events]
            self._merged = tuple(sorted(dict.fromkeys(every), key=lambda event: (event.at_utc_ns, event.currency, event.title)))
            self._stale = False
        fetched = [feed.fetched_utc_ns for feed in self._feeds if feed.fetched_utc_ns]
        return calendar_at(self._merged, at_utc_ns, fetched_utc_ns=min(fetched) if fetched else at_utc_ns, why=why)


class _File:
    """One file with its events, read again when its time or size changed; a bad version keeps the last good one."""

    def __init__(self, path: Path, clock: str) -> None:
        self.events: tuple[NewsEvent, ...] = ()
        self.notes: list[str] = []
        self._path, self._clock = path, clock
        self._seen: tuple[int, int] | None = None

    def refresh(self) -> bool:
        """True when it was read anew. Raises DataError when it is missing or damaged."""
        try:
            facts = self._path.stat()
        except OSError as error:
            self._seen = None
            raise DataError(f"{self._path}: {error.strerror}", what_to_do="check news.files in settings.toml") from error
        now = (facts.st_mtime_ns, facts.st_size)
        if now == self._seen:
            return False
        notes: list[str] = []
        self.events = read_calendar(self._path, self._clock, notes)
        self.notes = notes
        self._seen = now
        return True
