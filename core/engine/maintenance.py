"""What falls due while a run continues: checkpoints, pruning, the calendar's next reading, a setting that goes back by itself.

Promises: each start and each broker midnight leaves a checkpoint, money that is not made up one every hour besides in which there
was something to replay, so that a restart replays little. Does not: end a run or trade; the desk books what is posted here like
any input.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.calendar.coverage import news_rules_on
from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import Calendar
from quarterdeck.core.model.units import H1_NS, NS_PER_S, S_PER_HOUR, UtcNs
from quarterdeck.core.settings.schema import Settings

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

_DAY_START_S = 17 * S_PER_HOUR
_REPLAYED_MIN = 500
"""Inputs that a restart replays in a hundredth of a second: no checkpoint is worth its place in the journal for less."""
_CALENDAR_WAIT_MIN_S = 1.0


class Maintenance:
    """Looks at the time after every step (or second) of the drive."""

    def __init__(self, engine: Engine, *, made_up: bool) -> None:
        """`made_up` money needs no checkpoint to come back to."""
        self.calendar = Calendar(available=False, why="not read yet")
        self._engine = engine
        self._made_up = made_up
        self._midnight_utc_ns: UtcNs = 0
        self._hour_utc_ns: UtcNs = 0
        self._kept_seq = 0
        self._reviewed: Settings | None = None
        """The settings by which news was reviewed last."""
        self._notes_told: list[str] = []

    def begin(self, at_utc_ns: UtcNs) -> None:
        """The run begins: the state that it begins with is kept."""
        self._midnight_utc_ns = next_local_time(at_utc_ns, NEW_YORK, _DAY_START_S)
        self._hour_utc_ns = (at_utc_ns // H1_NS + 1) * H1_NS
        self.checkpoint("start")

    def run_due(self, at_utc_ns: UtcNs) -> None:
        """Do what is due by now."""
        engine = self._engine
        if engine.runtime_settings.settings is not self._reviewed:
            self.review_news()
        change = engine.runtime_settings.due(at_utc_ns)
        if change is not None:
            engine.run_loop.post(change)
        if at_utc_ns >= self._midnight_utc_ns:
            self._midnight_utc_ns = next_local_time(at_utc_ns, NEW_YORK, _DAY_START_S)
            self.checkpoint("broker midnight")
            if engine.venue.terminal is not None:
                self.take_calendar(self._market_calendar())
            if not self._made_up:
                engine.journal.prune()
        elif at_utc_ns >= self._hour_utc_ns and not self._made_up and engine.runner.seq - self._kept_seq >= _REPLAYED_MIN:
            self.checkpoint("hour")
        self._hour_utc_ns = max(self._hour_utc_ns, (at_utc_ns // H1_NS + 1) * H1_NS)

    def checkpoint(self, why: str) -> None:
        """Keep the desk's state as it stands after the newest input."""
        engine = self._engine
        self._kept_seq = engine.runner.seq
        engine.journal.checkpoint(engine.runner.at_utc_ns, engine.desk.checkpoint(), why)

    # ---------------------------------------------------------------------------------------------------- calendar
    async def first_calendar(self) -> Calendar:
        """What the desk knows of news at the start."""
        source = self._engine.venue.calendar
        if source is None:
            self.calendar = self._market_calendar()
        else:
            self.calendar = await source.read(self._engine.clock.utc_ns())
        self.review_news(first=True)
        return self.calendar

    async def keep_calendar(self, source: CalendarSource) -> None:
        """Read the calendar again whenever a feed's time has come, for ever."""
        clock = self._engine.clock
        while True:
            now = clock.utc_ns()
            await asyncio.sleep(max((source.due_utc_ns(now) - now) / NS_PER_S, _CALENDAR_WAIT_MIN_S))
            self.take_calendar(await source.read(clock.utc_ns()))
            self.review_news()

    def take_calendar(self, calendar: Calendar) -> None:
        """Tell the desk, if it is another calendar than before."""
        before, self.calendar = self.calendar, calendar
        if (before.available, before.events, before.why) != (calendar.available, calendar.events, calendar.why):
            self._engine.run_loop.post(calendar)

    def review_news(self, *, first: bool = False) -> None:
        """Say that news rules have no calendar for what lies ahead, whatever the desk does without one, or that they are off."""
        engine, source = self._engine, self._engine.venue.calendar
        settings = self._reviewed = engine.runtime_settings.settings
        health = engine.health
        health.news_off = not news_rules_on(settings)
        if source is None:
            return
        for note in source.notes:
            if note not in self._notes_told and not health.news_off:
                self._notes_told.append(note)
                engine.say("warning", "calendar", note)
        self._notes_told = [note for note in self._notes_told if note in source.notes]
        before, health.calendar_why = health.calendar_why, "" if health.news_off else source.uncovered(engine.clock.utc_ns())
        if health.news_off:
            if first:
                self._alert("info", "News rules are off by your setting news.impacts = []. No release stops entries.")
        elif health.calendar_why and health.calendar_why != before:
            self._alert("warning", self._gap_text(source, settings, health.calendar_why))

    def _gap_text(self, source: CalendarSource, settings: Settings, why: str) -> str:
        policy = "no new entries" if settings.news.no_calendar_action == "hold" else "entries continue without a news filter"
        if not self.calendar.available:
            what = "An economic calendar cannot be used"
            then = f"There is no news filter now; {policy}; open positions are still managed"
        elif source.unusable:
            what, then = "An economic calendar cannot be used", "Releases from the other calendars still stop entries"
        else:
            what = "The economic calendar does not cover the next 24 h of open market"
            then = f"Until then its releases stop entries; after that {policy}"
        return f"{what}: {why}. {then}. Check news.urls and news.files, or set news.impacts = [] to trade without news rules."

    def _alert(self, level: Literal["info", "warning"], text: str) -> None:
        engine = self._engine
        engine.publisher.publish_alert(engine.runner.at_utc_ns, Alert(kind="calendar", level=level, text=text))

    def _market_calendar(self) -> Calendar:
        """The calendar of a market that makes its own time, as of now."""
        news = self._engine.venue.news() if self._engine.venue.news is not None else None
        if news is None:
            return Calendar(available=False, why="no calendar is set that reaches these days (news.files)")
        return Calendar(available=True, events=news, fetched_utc_ns=self._engine.runner.at_utc_ns)
