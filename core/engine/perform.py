"""Carrying out what the desk decided: the intent is durable first, then the broker is asked, then the desk is told.

Promises: nothing that can add risk leaves before its intent is flushed (law 5); where the journal cannot be written, an entry is
refused and a close goes on (the journal keeps it in its reserve). Closes leave before changes, changes before entries, then
questions.
"""

from __future__ import annotations

from typing import Protocol

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.model.effects import AskBook, AskFate, Cancel, Close, Effect, Modify, Request, Submit
from quarterdeck.core.model.inputs import Absent, Input, Report

_URGENCY: dict[type, int] = {Cancel: 0, Close: 1, Modify: 2, Submit: 3, AskFate: 4, AskBook: 5}


class IntentJournal(Protocol):
    """What performing needs of the journal."""

    @property
    def writable(self) -> bool:
        """Whether rows reach the disk."""
        ...

    async def flush(self) -> bool:
        """Make everything appended so far durable; false when that failed."""
        ...


def requests_of(effects: tuple[Effect, ...]) -> list[Request]:
    """The effects that concern the broker, most urgent first; equals stay in the desk's order."""
    found: list[Request] = [effect for effect in effects if isinstance(effect, (Submit, Modify, Close, Cancel, AskBook, AskFate))]
    if len(found) > 1:
        found.sort(key=lambda request: _URGENCY[type(request)])
    return found


class Performer:
    """Performs requests on one broker with one journal."""

    def __init__(self, broker: Broker, journal: IntentJournal | None) -> None:
        """`journal` is None where no intent needs to survive (backtests)."""
        self._broker = broker
        self._journal = journal

    async def perform(self, request: Request) -> tuple[Input, ...]:
        """What the desk must be told, in order."""
        if self._journal is not None and not isinstance(request, AskBook | AskFate):
            durable = await self._journal.flush()
            if not durable and isinstance(request, Submit):
                return (Report(client_id=request.client_id, fate=Absent(why="the journal cannot be written")),)
        return await self._broker.perform(request)
