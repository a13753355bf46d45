"""What the engine looks at of itself while it runs: its parts, its heartbeat, what is wrong, and that it can be reached.

Promises: the heartbeat, `status`, the screen and the metrics tell the same, for all are made of one snapshot. Does not: trade
or repair, but for the files that lead to the link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from quarterdeck.core.engine.alarms import Alarms
from quarterdeck.core.engine.record_watch import RecordWatch
from quarterdeck.core.engine.vitals import Facts, Vitals
from quarterdeck.core.journal.heartbeat import HeartbeatWriter
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import UtcNs

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine
    from quarterdeck.core.engine.metrics_endpoint import Metrics

Keep = Callable[[str, Callable[[], Awaitable[None]]], None]
"""Runs a task under supervision, by its name."""

_LINK_LOOK_S = 2.0


class Monitoring:
    """See the module."""

    def __init__(self, engine: Engine, record: RecordWatch) -> None:
        """`engine` has its health, journal and drive already; nothing is written yet. `record` looks at each beat."""
        self.heart = HeartbeatWriter(engine.home.heartbeat, engine.journal)
        self.vitals = Vitals(engine.clock, lambda: engine.runner.at_utc_ns)
        self.alarms = Alarms(engine.tell, lambda: engine.runtime_settings.settings.alerts, engine.clock)
        self._engine = engine
        self._record = record
        self._metrics: Metrics | None = None

    def look(self, desk: DeskView) -> None:
        """Judge the parts; recorded days have none that could be late."""
        engine = self._engine
        engine.health.parts = () if engine.venue.ends else self.vitals.look(self._facts(desk))
        engine.health.alarms = self.alarms.view

    async def beating(self) -> None:
        """A beat now and then, for ever."""
        while True:
            await asyncio.sleep(self._engine.runtime_settings.settings.engine.heartbeat_s)
            self.beat()

    def beat(self) -> None:
        """Write the heartbeat, and tell what began to be wrong, lasts or is over."""
        self.alarms.look(self.heart.beat(self._engine.snapshot()).problems)
        self._record.look()

    def keep_reachable(self, keep: Keep) -> None:
        """Keep the link's files, and offer metrics where the settings ask for them; nothing is imported where they do not."""
        keep("link", self.keeping_link)
        wanted = self._engine.runtime_settings.settings.metrics
        if wanted.port or wanted.text_file:
            from quarterdeck.core.engine.metrics_endpoint import Metrics

            self._metrics = Metrics(self._engine, self.heart)
            self._metrics.keep(keep)

    def stopped(self, wall_utc_ns: UtcNs, why: str, *, clean: bool) -> None:
        """Write the last heartbeat; a clean end leaves no figures behind that would be taken for those of a dead engine."""
        self.heart.stopped(wall_utc_ns, why, clean=clean)
        if clean and self._metrics is not None:
            self._metrics.remove_text_file()

    async def keeping_link(self) -> None:
        """Nobody who takes the link's files away makes the engine unreachable."""
        while True:
            await asyncio.sleep(_LINK_LOOK_S)
            if await self._engine.link.restored():
                self._engine.say(
                    "warning", "link", "The files by which commands find this engine were removed; they are written again"
                )

    def _facts(self, desk: DeskView) -> Facts:
        engine = self._engine
        alerts, source = engine.publisher.alerts, engine.venue.calendar
        feed_up, feed_why = engine.run_loop.feed_status
        return Facts(
            desk=desk,
            seen=engine.run_loop.seen,
            feed_up=feed_up,
            feed_why=feed_why,
            journal_writable=engine.journal.writable,
            journal_lag_s=engine.health.journal_lag_s,
            calendar=engine.maintenance.calendar,
            calendar_why=engine.health.calendar_why,
            news_off=engine.health.news_off,
            calendar_configured=source is not None and source.configured,
            alerts_active=alerts.active,
            alerts_failing_s=alerts.failing_s,
            alerts_waiting=alerts.waiting,
            alerts_taken_s=alerts.taken_s,
        )
