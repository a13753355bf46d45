"""The two ways of driving a backtest's desk: every instant through the lockstep driver, or only those that can matter.

Both take the same inputs from the same terminal; neither has an event loop.
"""

from __future__ import annotations

from typing import Protocol

from quarterdeck.core.engine.lockstep import Lockstep, run_without_loop
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.units import UtcNs


class Driver(Protocol):
    """What a backtest needs of whoever feeds its desk."""

    runner: DeskRunner
    ending: bool
    """The data are over and the desk still has something to finish."""

    @property
    def bars(self) -> int:
        """Symbol-bars that are over."""
        ...

    @property
    def bars_fed(self) -> int:
        """Symbol-bars that the desk got one by one."""
        ...

    def step(self) -> bool:
        """Live the next instant that matters; False when the data are over."""
        ...

    def finish(self) -> None:
        """The market is over: what is open is closed at the last bid or ask, and the desk is asked to end."""
        ...

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """Feed one input and perform all that follows from it."""
        ...


class EveryBarDriver:
    """Every bar and every quote that a replay's desk gets."""

    def __init__(self, lockstep: Lockstep) -> None:
        """Drives `lockstep` without an event loop."""
        self.runner = lockstep.runner
        self._lockstep = lockstep

    @property
    def ending(self) -> bool:
        """See `Driver`."""
        return self._lockstep.ending

    @ending.setter
    def ending(self, ending: bool) -> None:
        self._lockstep.ending = ending

    @property
    def bars(self) -> int:
        """See `Driver`."""
        return self._lockstep.bars

    @property
    def bars_fed(self) -> int:
        """See `Driver`."""
        return self._lockstep.bars

    def step(self) -> bool:
        """See `Driver`."""
        return run_without_loop(self._lockstep.step())

    def finish(self) -> None:
        """See `Driver`."""
        run_without_loop(self._lockstep.finish())

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """See `Driver`."""
        run_without_loop(self._lockstep.feed_input(item, at_utc_ns))
