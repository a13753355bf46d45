"""Carrying out what the desk decided: the intent is durable first, then the broker is asked, then the desk is given.

Promises: nothing that can add risk leaves before its intent is flushed (law 5); where the journal cannot be written, an entry is
refused and a close continues (the journal keeps it in its reserve). Closes leave before changes, changes before entries, then
questions.
"""

from __future__ import annotations

from typing import Protocol

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.model.effects import BrokerRequest, Cancel, Close, Effect, Modify, QueryBook, QueryOrder, Submit
from quarterdeck.core.model.inputs import ExecutionReport, Input, NotExecuted

_URGENCY: dict[type, int] = {Cancel: 0, Close: 1, Modify: 2, Submit: 3, QueryOrder: 4, QueryBook: 5}


class IntentJournal(Protocol):
    """What performing needs of the journal."""

    @property
    def writable(self) -> bool:
        """Whether rows reach the disk."""
        ...

    async def flush(self) -> bool:
        """Make everything appended so far durable; false when that failed."""
        ...


def requests_by_urgency(effects: tuple[Effect, ...]) -> list[BrokerRequest]:
    """The effects that concern the broker, most urgent first; equals stay in the desk's order."""
    found: list[BrokerRequest] = [
        effect for effect in effects if isinstance(effect, (Submit, Modify, Close, Cancel, QueryBook, QueryOrder))
    ]
    if len(found) > 1:
        found.sort(key=lambda request: _URGENCY[type(request)])
    return found


class OrderSender:
    """Performs requests on one broker with one journal."""

    def __init__(self, broker: Broker, journal: IntentJournal | None) -> None:
        """`journal` is None where no intent needs to survive (backtests)."""
        self._broker = broker
        self._journal = journal

    async def perform(self, request: BrokerRequest) -> tuple[Input, ...]:
        """What the desk must learn, in order."""
        if self._journal is not None and not isinstance(request, QueryBook | QueryOrder):
            durable = await self._journal.flush()
            if not durable and isinstance(request, Submit):
                return (
                    ExecutionReport(client_id=request.client_id, order_outcome=NotExecuted(why="the journal cannot be written")),
                )
        return await self._broker.execute_request(request)
