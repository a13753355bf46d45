"""What falls due while a run continues: checkpoints, pruning, the calendar's next reading, a setting that goes back by itself.

Promises: each start and each broker midnight leaves a checkpoint, money that is not made up one every hour besides in which there
was something to replay, so that a restart replays little. Does not: end a run or trade; the desk books what is posted here like
any input.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import Calendar
from quarterdeck.core.model.units import H1_NS, NS_PER_S, S_PER_HOUR, UtcNs

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

    def begin(self, at_utc_ns: UtcNs) -> None:
        """The run begins: the state that it begins with is kept."""
        self._midnight_utc_ns = next_local_time(at_utc_ns, NEW_YORK, _DAY_START_S)
        self._hour_utc_ns = (at_utc_ns // H1_NS + 1) * H1_NS
        self.checkpoint("start")

    def run_due(self, at_utc_ns: UtcNs) -> None:
        """Do what is due by now."""
        engine = self._engine
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
            self._say_unusable(source)
        return self.calendar

    async def keep_calendar(self, source: CalendarSource) -> None:
        """Read the calendar again whenever a feed's time has come, for ever."""
        clock = self._engine.clock
        while True:
            now = clock.utc_ns()
            await asyncio.sleep(max((source.due_utc_ns(now) - now) / NS_PER_S, _CALENDAR_WAIT_MIN_S))
            self.take_calendar(await source.read(clock.utc_ns()))
            self._say_unusable(source)

    def take_calendar(self, calendar: Calendar) -> None:
        """Tell the desk, if it is another calendar than before."""
        before, self.calendar = self.calendar, calendar
        if (before.available, before.events, before.why) != (calendar.available, calendar.events, calendar.why):
            self._engine.run_loop.post(calendar)

    def _say_unusable(self, source: CalendarSource) -> None:
        """A calendar that settings name and that cannot be used is said, whatever the desk does without one."""
        health = self._engine.health
        before, health.calendar_why = health.calendar_why, source.unusable
        if source.unusable and source.unusable != before:
            policy = (
                "no new entries"
                if self._engine.runtime_settings.settings.news.no_calendar_action == "hold"
                else "entries continue without a news filter"
            )
            events = (
                "Releases from the other calendars still stop entries"
                if self.calendar.available
                else f"There is no news filter now; {policy}"
            )
            text = (
                f"An economic calendar cannot be used: {source.unusable}. {events}; open positions are still managed. "
                "Check news.files and news.urls."
            )
            self._engine.publisher.publish_alert(
                self._engine.runner.at_utc_ns, Alert(kind="calendar", level="warning", text=text)
            )

    def _market_calendar(self) -> Calendar:
        """The calendar of a market that makes its own time, as of now."""
        news = self._engine.venue.news() if self._engine.venue.news is not None else None
        if news is None:
            return Calendar(available=False, why="no calendar is set that reaches these days (news.files)")
        return Calendar(available=True, events=news, fetched_utc_ns=self._engine.runner.at_utc_ns)
