"""A wall clock that runs on the monotonic clock, so that nobody who sets the machine's clock moves it.

Why: deadlines, ages and verifications compare instants. A clock set back by two hours stops them all; one set forward closes
positions by age. Promises: `utc_ns` never goes back, and the time of a suspended machine counts. `look` tells how far the
machine's clock is away. Only that clock and the broker's ticks together move this one, and only forward; `correct` is for one who
knows that the machine's clock is wrong.
Does not: alert (`core.engine.clock_watch`).
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, UtcNs

MS_PER_S = 1_000
TOLERANCE_S = 2.0
"""Steps of a time server below this are not worth a word."""
_AGREE_S = 10.0
"""So near to each other the machine's clock and a tick name the same time; a server that moved its own stands alone."""
_FRESH_S = 60.0
"""A tick first seen so long ago says no more where the truth is."""
_STILL_S = 10.0
"""Nobody looked for so long: the machine slept, or the process was stopped."""

Kind = Literal["slept", "set", "followed", "behind"]


class MachineClock(Protocol):
    """The machine's clocks."""

    def utc_ns(self) -> int:
        """Wall time, which may be set."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...

    def elapsed_s(self) -> float:
        """The same, and the time counts in which the machine was suspended."""
        ...


class Step(Struct, frozen=True, kw_only=True):
    """What became of a clock since the last look.

    slept: time passed while nobody looked. set: the machine's clock was moved by `seconds`, and this one keeps its own time.
    followed: this clock went forward by `seconds`, the machine's clock and the broker's ticks agree that it was late. behind:
    they agree that this clock is `seconds` ahead of the truth, and it cannot go back.
    """

    kind: Kind
    seconds: float


class SteadyClock:
    """See the module; a `Clock`."""

    def __init__(self, machine: MachineClock) -> None:
        """Begin at the machine's now."""
        self.machine = machine
        self.speed = float(getattr(machine, "speed", 1.0))
        """Seconds of `utc_ns` per second of life; above 1 in a rehearsal alone."""
        self._base_utc_ns = machine.utc_ns() // NS_PER_MS * NS_PER_MS
        self._base_s = self._looked_s = machine.elapsed_s()
        self._told_s = 0.0
        self._ahead_told = False

    def utc_ns(self) -> UtcNs:
        """Now by this clock, in whole milliseconds: so the tape packs quotes."""
        return self._base_utc_ns + int((self.machine.elapsed_s() - self._base_s) * MS_PER_S) * NS_PER_MS

    def monotonic_s(self) -> float:
        """The machine's seconds that never go back."""
        return self.machine.monotonic_s()

    def correct(self, by_s: float) -> None:
        """Move by so many seconds: witnesses outweigh the machine's clock. Back only before anything was done by this clock."""
        self._base_utc_ns += int(by_s * MS_PER_S) * NS_PER_MS
        self._told_s = (self.machine.utc_ns() - self.utc_ns()) / NS_PER_S
        self._ahead_told = False

    def look(self, tick_utc_ns: UtcNs, tick_age_s: float) -> list[Step]:
        """Compare with the machine's clock and with the newest tick, first seen `tick_age_s` ago; an instant of 0 is no tick."""
        steps: list[Step] = []
        now_s = self.machine.elapsed_s()
        silent_s, self._looked_s = now_s - self._looked_s, now_s
        if silent_s >= _STILL_S * self.speed:
            steps.append(Step(kind="slept", seconds=silent_s))
        machine_s = (self.machine.utc_ns() - self.utc_ns()) / NS_PER_S
        truth_s = (tick_utc_ns - self.utc_ns()) / NS_PER_S + tick_age_s if tick_utc_ns else None
        """At least so much later it is, in truth, than this clock says."""
        agree = truth_s is not None and tick_age_s < _FRESH_S and abs(machine_s - truth_s) <= _AGREE_S
        if agree and machine_s > TOLERANCE_S:
            self._base_utc_ns += int(machine_s * MS_PER_S) * NS_PER_MS
            self._told_s = 0.0
            return [*steps, Step(kind="followed", seconds=machine_s)]
        if abs(machine_s - self._told_s) > TOLERANCE_S:
            steps.append(Step(kind="set", seconds=machine_s - self._told_s))
            self._told_s = machine_s
            self._ahead_told = False
        if agree and machine_s < -TOLERANCE_S:
            if not self._ahead_told:
                steps.append(Step(kind="behind", seconds=-machine_s))
            self._ahead_told = True
        return steps
