"""Whether the machine's clock was moved or stood still: said as it happens, and nothing that waits for an instant sleeps over it.

Promises: each jump is one alert with the seconds; the desk's own time continues without it. Does not: judge which offset the
broker's server keeps (`core.brokers.mt5.server_time`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.core.clock.steady import SteadyClock, Step
from quarterdeck.core.engine.live_feed import LiveFeed
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import EngineFault

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

_TEXTS: dict[str, Callable[[float], str]] = {
    "slept": lambda s: (
        f"The engine was stopped for {s:.0f} s (the machine slept, or the process was paused). During that time only the "
        "stops at the broker protected open positions. The engine manages them again now. Switch off the machine's sleep mode."
    ),
    "set": lambda s: (
        f"This machine's clock was set {'forward' if s > 0 else 'back'} by {abs(s):.0f} s. "
        "Positions are managed by the "
        "desk's own clock; entries stop while the broker's clock contradicts this machine's. Check the time synchronisation "
        "(NTP) of this machine."
    ),
    "followed": lambda s: (
        f"The desk's clock was {s:.0f} s behind this machine and the broker's ticks; it is corrected. Time exits that became "
        "due are carried out now. Nothing to do."
    ),
    "behind": lambda s: (
        f"The desk's clock is {s:.0f} s ahead of this machine and the broker's ticks, and cannot go back: run `quarterdeck "
        "restart`. Open positions are still managed"
    ),
}


class ClockWatch:
    """Looks once a second."""

    def __init__(self, engine: Engine, feed: LiveFeed) -> None:
        """`feed` is nudged after a jump."""
        self._engine = engine
        self._feed = feed

    def look(self) -> None:
        """Tell what happened to the clock since the last look."""
        clock = self._engine.clock
        if not isinstance(clock, SteadyClock):
            return
        for step in clock.look(*self._feed.newest_tick()):
            self._tell(step)

    def _tell(self, step: Step) -> None:
        engine = self._engine
        text = _TEXTS[step.kind](step.seconds)
        engine.health.count_error("ClockJump")
        engine.journal.error("clock", text, level="warning")
        if step.kind == "behind":
            engine.run_loop.post(EngineFault(kind="clock", active=True, why=text))
        else:
            unwatched = step.kind == "slept" and engine.desk.view().positions
            alert = Alert(kind="error", level="critical" if unwatched else "warning", text=text)
            engine.publisher.publish_alert(engine.runner.at_utc_ns, alert)
        self._feed.nudge()
