"""The doctor inside a running engine: the same examination, over the engine's own line to its terminal.

Promises: sends nothing that trades, and has a session of its own, so that what the engine knows of names, deals and clocks stays.
"""

from __future__ import annotations

from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.doctor import DoctorFinding, DoctorRequirements, examine
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.scanner_setup import warmup_bars
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy


class DoctorClock:
    """The market's instant with the machine's spans, for a terminal that makes its own time."""

    def __init__(self, market: Clock, machine: Clock) -> None:
        """Two clocks, one question for each."""
        self._market = market
        self._machine = machine

    def utc_ns(self) -> UtcNs:
        """Where the market stands."""
        return self._market.utc_ns()

    def monotonic_s(self) -> float:
        """The machine's spans."""
        return self._machine.monotonic_s()


def doctor_requirements(settings: Settings, strategy: LoadedStrategy) -> DoctorRequirements:
    """What a desk on these settings needs of a broker."""
    return DoctorRequirements(
        symbols=settings.desk.pairs,
        bars=warmup_bars(strategy, settings),
        round_trip_ms_max=settings.engine.read_timeout_s * 1000.0,
    )


async def run_live_doctor(
    venue: Venue, wanted: DoctorRequirements, clock: Clock, home: Home, *, limit_s: float
) -> tuple[DoctorFinding, ...]:
    """Examine the way to the venue's terminal within `limit_s`. Raises ValueError for a broker that has none."""
    broker = venue.broker
    if not isinstance(broker, Mt5Broker):
        raise ValueError("the simulated broker has no terminal to examine")
    session = broker.session
    server = None if venue.terminal is None else session.server  # a market that keeps its own time is measured anew
    return await examine(
        session.terminal,
        session.policy,
        wanted,
        DoctorClock(session.clock, clock),
        sleep=session.sleep,
        server_clock=server,
        clock_file=ServerClockFile(home.root, read_only=True),
        machine=session.clock.machine if isinstance(session.clock, SteadyClock) else None,
        limit_s=limit_s,
    )
