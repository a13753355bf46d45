"""The one consumer of the desk: stamps each input, lets the desk decide, records both, hands the effects on.

Promises: inputs are numbered without a gap, market time never goes back, an effect is recorded before anybody may act on it, and
a broken promise of the desk stops everything (no input is fed after it). Does not: perform anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import Input, SequencedInput
from quarterdeck.core.model.units import UtcNs

EffectListener = Callable[[UtcNs, Effect], None]
"""A listener that gets each effect: log, link, alerts, counters."""


class DeskInterface(Protocol):
    """The desk, as the shells see it."""

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        """Take one input, give the decisions."""
        ...

    def wake_at(self) -> UtcNs | None:
        """When it next cares, market time."""
        ...


class TapeWriter(Protocol):
    """The record of inputs and decisions."""

    def append(self, stamped: SequencedInput, effects: tuple[Effect, ...]) -> None:
        """Add one input with what the desk made of it."""
        ...


class DeskRunner:
    """Feeds one desk, one input at a time."""

    def __init__(self, desk: DeskInterface, tape: TapeWriter | None, at_utc_ns: UtcNs = 0) -> None:
        """`tape` is None where nobody asked for one (backtests)."""
        self.desk = desk
        self.at_utc_ns = at_utc_ns
        self.seq = 0
        self.broken: str = ""
        self.told: tuple[Effect, ...] = ()
        """All that the newest decision came to, for outlets that look at its parts together."""
        self._tape = tape
        self._outlets: list[EffectListener] = []
        self._awaited: dict[int, tuple[Input, Callable[[], None]]] = {}

    def listen(self, outlet: EffectListener) -> None:
        """Tell `outlet` each effect from now on, in order."""
        self._outlets.append(outlet)

    def when_decided(self, item: Input, then: Callable[[], None]) -> None:
        """Call `then` once, when this very input and its decisions are on the tape."""
        self._awaited[id(item)] = (item, then)

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> tuple[Effect, ...]:
        """Feed one input at an instant of market time (a slightly older one counts as now) and return the effects.

        Raises:
            InvariantBroken: the desk broke a promise, now or before.
        """
        if self.broken:
            raise InvariantError(f"nothing is fed after a broken promise: {self.broken}")
        self.at_utc_ns = max(self.at_utc_ns, at_utc_ns)
        self.seq += 1
        stamped = SequencedInput(seq=self.seq, at_utc_ns=self.at_utc_ns, input=item)
        try:
            effects = self.desk.on(stamped)
        except Exception as error:  # the desk may have booked half of the input: it is not fed again
            self.broken = str(error) if isinstance(error, InvariantError) else f"{type(error).__name__}: {error}"
            if self._tape is not None:
                self._tape.append(stamped, ())
            if isinstance(error, InvariantError):
                raise
            raise InvariantError(f"the desk answers every input (seq={self.seq}): {self.broken}") from error
        if self._tape is not None:
            self._tape.append(stamped, effects)
        if effects:
            self.told = effects
            for effect in effects:
                for outlet in self._outlets:
                    outlet(self.at_utc_ns, effect)
        if self._awaited and (awaited := self._awaited.pop(id(item), None)) is not None:
            awaited[1]()
        return effects
