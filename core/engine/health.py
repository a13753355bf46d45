"""How the machine itself is: lag of the event loop, pace of the journal, errors by class, progress of a replay.

Promises: figures only; nothing here acts. A figure that is not known is None.
"""

from __future__ import annotations

import asyncio
import os

from quarterdeck.core.clock.market_clock import RehearsalMachine
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.replay_speed import Pacer
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.snapshot import AlarmView, EngineHealth, PartView
from quarterdeck.core.model.units import NS_PER_S, UtcNs

_LAG_EVERY_S = 0.25
_LAG_KEEP = 0.9


class HealthMonitor:
    """Collects what `EngineHealth` shows."""

    def __init__(self, venue: Venue, clock: Clock, pacer: Pacer | None, home: str) -> None:
        """`pacer` where the market's pace is ours."""
        self.ready = False
        self.feed_up = True
        self.feed_why = ""
        self.errors: dict[str, int] = {}
        self.round_trip_ms: float | None = None
        self.lag_ms = 0.0
        self.scanning = ""
        self.scanning_up = True
        self.calendar_why = ""
        self.history_why = ""
        self.news_off = False
        self.parts: tuple[PartView, ...] = ()
        self.alarms: tuple[AlarmView, ...] = ()
        self._venue = venue
        self._clock = clock
        self._pacer = pacer
        self._home = home
        self._machine = clock.machine if isinstance(clock, SteadyClock) else clock
        self._started_s = clock.monotonic_s()
        self._rate: tuple[float, int] = (clock.monotonic_s(), 0)
        self._bars_per_s: float | None = None
        self._queued_since_s: float | None = None

    async def watch_loop(self) -> None:
        """Measure how late the loop serves a timer, for ever; the figure is a slowly forgotten maximum."""
        while True:
            due_s = self._clock.monotonic_s() + _LAG_EVERY_S
            await asyncio.sleep(_LAG_EVERY_S)
            late_ms = max(0.0, (self._clock.monotonic_s() - due_s) * 1000.0)
            self.lag_ms = max(late_ms, self.lag_ms * _LAG_KEEP)

    def count_queue(self, queued: int) -> None:
        """Note how many entries wait for the disk now; how long some have been waiting is the journal's lag."""
        if not queued:
            self._queued_since_s = None
        elif self._queued_since_s is None:
            self._queued_since_s = self._clock.monotonic_s()

    @property
    def journal_lag_s(self) -> float:
        """How long entries have been waiting for the disk."""
        return 0.0 if self._queued_since_s is None else self._clock.monotonic_s() - self._queued_since_s

    def count_error(self, kind: str) -> None:
        """One more of a class."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def count_bars(self, bars: int) -> None:
        """Keep the rate of bars per second of life."""
        then_s, then = self._rate
        now_s = self._clock.monotonic_s()
        if now_s - then_s >= 1.0:
            self._bars_per_s = (bars - then) / (now_s - then_s)
            self._rate = (now_s, bars)

    def view(self, at_utc_ns: UtcNs, seq: int, journal: tuple[bool, int] = (True, 0)) -> EngineHealth:
        """The figures now; `journal` is (writable, bytes a day)."""
        writable, bytes_day = journal
        span = self._venue.until_utc_ns - self._venue.from_utc_ns
        fraction = min(max((at_utc_ns - self._venue.from_utc_ns) / span, 0.0), 1.0) if self._venue.ends and span > 0 else None
        wall_utc_ns = self.wall_utc_ns()
        return EngineHealth(
            run_id=self._venue.run_id,
            pid=os.getpid(),
            started_utc_ns=wall_utc_ns - round(self.up_s * NS_PER_S),
            wall_utc_ns=wall_utc_ns,
            ready=self.ready,
            connection_up=self.feed_up,
            connection_reason=self.feed_why,
            broker_round_trip_ms=self.round_trip_ms,
            journal_lag_ms=round(self.journal_lag_s * 1000.0),
            journal_writable=writable,
            tape_seq=seq,
            tape_bytes_day=bytes_day,
            loop_lag_ms=round(self.lag_ms, 1),
            errors=tuple(sorted(self.errors.items())),
            replay_fraction=fraction,
            replay_speed=None if self._pacer is None else self._pacer.speed,
            bars_per_s=self._bars_per_s if self._venue.ends else None,
            home=self._home,
            market=self._venue.label,
            scanning=self.scanning,
            scanning_up=self.scanning_up,
            calendar_why=self.calendar_why,
            history_why=self.history_why,
            news_off=self.news_off,
            parts=self.parts,
            alarms=self.alarms,
        )

    @property
    def up_s(self) -> float:
        """Seconds since the start, whatever became of the machine's clock."""
        return self._clock.monotonic_s() - self._started_s

    def wall_utc_ns(self) -> UtcNs:
        """The machine's clock, by which watchers in other processes judge how old a sign of life is."""
        machine = self._machine
        return machine.life_utc_ns() if isinstance(machine, RehearsalMachine) else machine.utc_ns()
