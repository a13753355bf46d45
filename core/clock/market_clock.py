"""A market time of its own for rehearsals: it begins at a date, runs faster than life, and the machine's clock may be wrong.

Why: a fortnight is rehearsed in an hour, and a clock change on the day before it comes.
Guarantees: all processes that are given the same `MarketClock` agree on market time. Deadlines and watchdogs stay in life's
seconds.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.clock.steady import MachineClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.units import NS_PER_S, UtcNs


class MarketClock(Struct, frozen=True, kw_only=True):
    """How market time follows from the machine's: `start_utc_ns` was when the machine showed `began_utc_ns`."""

    began_utc_ns: UtcNs
    start_utc_ns: UtcNs
    speed: float = 1.0
    """Market seconds per second of life."""
    pc_clock_off_s: float = 0.0
    """How far the engine's machine is ahead of market time; the broker's stamps are right."""

    def at(self, machine_utc_ns: UtcNs) -> UtcNs:
        """Market time while the machine shows `machine_utc_ns`."""
        return self.start_utc_ns + int((machine_utc_ns - self.began_utc_ns) * self.speed)


class BrokerMarketClock:
    """The clock of a simulated broker: market time, right whatever the engine's machine shows."""

    def __init__(self, market: MarketClock, machine: Clock) -> None:
        """`machine` is the clock that both processes can read."""
        self._market, self._machine = market, machine

    def utc_ns(self) -> UtcNs:
        """Market time now."""
        return self._market.at(self._machine.utc_ns())

    def monotonic_s(self) -> float:
        """Life's seconds that never go back."""
        return self._machine.monotonic_s()


class RehearsalMachine:
    """The clocks of an engine's machine during a rehearsal; a `MachineClock` whose wall time runs at the market's speed."""

    def __init__(self, market: MarketClock, machine: MachineClock) -> None:
        """`machine` is the real one."""
        self.speed = market.speed
        self._machine = machine
        off_ns = int(market.pc_clock_off_s * NS_PER_S)
        self._base_utc_ns = market.at(machine.utc_ns()) + off_ns
        self._base_s = machine.elapsed_s()

    def utc_ns(self) -> UtcNs:
        """What this machine shows: market time and its error."""
        return self._base_utc_ns + int((self._machine.elapsed_s() - self._base_s) * self.speed * NS_PER_S)

    def life_utc_ns(self) -> UtcNs:
        """What the real machine's clock shows."""
        return self._machine.utc_ns()

    def monotonic_s(self) -> float:
        """Life's seconds that never go back."""
        return self._machine.monotonic_s()

    def elapsed_s(self) -> float:
        """Market seconds that never go back; a suspended machine's time counts."""
        return self._base_s + (self._machine.elapsed_s() - self._base_s) * self.speed
