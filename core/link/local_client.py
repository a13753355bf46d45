"""The link without a socket: the same client face over an engine in this process, for demos and tests."""

from __future__ import annotations

import itertools

from quarterdeck.core.link.link_client import EventBox
from quarterdeck.core.link.link_server import EngineSide, obeyed, reply_or_error
from quarterdeck.core.link.messages import (
    CommandMessage,
    CommandResult,
    LinkBye,
    LinkEvent,
    LinkState,
    QueryBody,
    ReplayControl,
    ReplyBody,
)
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.snapshot import LogLine, Snapshot


class LocalClient:
    """Speaks to an engine in the same event loop."""

    def __init__(self, engine: EngineSide) -> None:
        """`engine` must be started by the caller, and must hand its snapshots to `publish`."""
        self._engine = engine
        self._events = EventBox()
        self._ids = (f"local-{number}" for number in itertools.count(1))
        self._events.put(LinkState(up=True, mode=engine.welcome().mode))

    def publish(self, event: Snapshot | LogLine | LinkBye) -> None:
        """Take a snapshot, a log line or the goodbye from the engine."""
        self._events.put(event)
        if isinstance(event, LinkBye):
            self._events.put(LinkState(up=False, why=f"engine ended: {event.why}", ended=True))

    async def next(self) -> LinkEvent:
        """See `LinkClient.next`."""
        return await self._events.get()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        """See `LinkClient.send`."""
        return await obeyed(self._engine, CommandMessage(command_id=next(self._ids), command=command), "screen")

    async def ask(self, question: QueryBody, *, timeout_s: float = 10.0) -> ReplyBody:
        """See `LinkClient.ask`."""
        return await reply_or_error(lambda: self._engine.answer(question))

    async def control(self, control: ReplayControl) -> None:
        """See `LinkClient.control`."""
        self._engine.replay_control(control)

    async def close(self) -> None:
        """Nothing to close: the engine is its starter's."""
