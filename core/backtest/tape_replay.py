"""A stretch of a tape in place of a scanner, a flat account and a calendar: what it begins with, and what it tells on the way.

Promises: the operator's commands, changed settings, news and troubles of the tape reach the desk at their own instants; all else
(bars, quotes, deals, the clock) comes from the simulated terminal. Does not: read the tape (`tape_slice`), or judge (`whatif`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.backtest.driver import Driver
from quarterdeck.core.brokers.simulator.books import LedgerSnapshot
from quarterdeck.core.engine.lockstep import BarScanner
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.model.commands import ClosePosition, MoveStop
from quarterdeck.core.model.effects import Effect, PositionOpened
from quarterdeck.core.model.inputs import CommandReceived, Input
from quarterdeck.core.model.units import UtcNs

TimedInput = tuple[UtcNs, Input]
"""An input of the tape and when the desk heard it."""


class TapeInputs(Struct, frozen=True, kw_only=True):
    """What a tape gives to a run."""

    answers: BarScanner
    """The strategy's answers, as they were."""
    state: bytes
    """The desk as it stood when the stretch begins."""
    books: LedgerSnapshot
    """The broker's books at that instant."""
    told: tuple[TimedInput, ...]
    """In order of time."""
    signals: dict[int, str] = {}
    """Positions that were really opened in the stretch, with the signals they came of; here they have other numbers."""


class TapeDriver:
    """A driver that tells the desk, between the market's steps, what the tape says from outside."""

    def __init__(self, driver: Driver, next_ns: Callable[[], UtcNs | None], taped: TapeInputs) -> None:
        """`next_ns` says when the driver's next step falls; what was reported earlier is passed on first, at one instant last."""
        self._driver, self._next_ns, self._told, self._place = driver, next_ns, taped.told, 0
        self._signals = taped.signals
        self._here: dict[str, int] = {}
        """Positions of this run by their signals."""
        driver.runner.listen(self._hear)

    @property
    def runner(self) -> DeskRunner:
        """See `Driver`."""
        return self._driver.runner

    @runner.setter
    def runner(self, runner: DeskRunner) -> None:
        self._driver.runner = runner

    @property
    def ending(self) -> bool:
        """See `Driver`."""
        return self._driver.ending

    @ending.setter
    def ending(self, ending: bool) -> None:
        self._driver.ending = ending

    @property
    def bars(self) -> int:
        """See `Driver`."""
        return self._driver.bars

    @property
    def bars_fed(self) -> int:
        """See `Driver`."""
        return self._driver.bars_fed

    def step(self) -> bool:
        """See `Driver`."""
        ahead = self._next_ns()
        while ahead is not None and self._place < len(self._told) and self._told[self._place][0] < ahead:
            at, item = self._told[self._place]
            self._place += 1
            self._driver.feed_input(self._meant(item), at)
            ahead = self._next_ns()
        return self._driver.step()

    def _hear(self, _at_utc_ns: UtcNs, effect: Effect) -> None:
        if isinstance(effect, PositionOpened):
            self._here[effect.signal_id] = effect.position_id

    def _meant(self, item: Input) -> Input:
        """What the operator said of a position is meant for the one of the same signal."""
        if not isinstance(item, CommandReceived) or not isinstance(item.command, ClosePosition | MoveStop):
            return item
        here = self._here.get(self._signals.get(item.command.position_id, ""))
        return item if here is None else replace(item, command=replace(item.command, position_id=here))

    def finish(self) -> None:
        """See `Driver`."""
        self._driver.finish()

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """See `Driver`."""
        self._driver.feed_input(item, at_utc_ns)
