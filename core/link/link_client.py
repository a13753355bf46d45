"""A screen's or a command's side of the link.

`LinkClient` is what the faces are written against; `SocketClient` reaches an engine in another process, reconnects on its own and
says so with `LinkState`. The in-process twin is `core.link.local_client`. Promises: events are bounded, snapshots conflated.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from quarterdeck.core.link.limits import REQUEST_BYTES_MAX
from quarterdeck.core.link.link_address import LinkAddress, find_address
from quarterdeck.core.link.link_server import reply_or_error
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    MESSAGE_BYTES_MAX,
    CommandMessage,
    CommandResult,
    FromEngine,
    LinkBye,
    LinkEvent,
    LinkHello,
    LinkState,
    LinkWelcome,
    QueryBody,
    QueryFailed,
    QueryMessage,
    QueryReply,
    ReplayControl,
    ReplyBody,
)
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import UNREADABLE, EngineNotRunningError, UsageError
from quarterdeck.core.model.snapshot import LogLine, Snapshot

_LOG_LINES_MAX = 2_000
_SEE_STATUS = "see `quarterdeck status`"
_RECONNECT_S = (0.2, 5.0)


class LinkClient(Protocol):
    """What the faces need of an engine."""

    async def next(self) -> LinkEvent:
        """The next thing to know; snapshots are conflated to the newest."""
        ...

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        """Give a command and wait for what became of it.

        Raises:
            NoEngineError: the connection is down or silent. UsageError: the command has too many letters to travel.
        """
        ...

    async def ask(self, question: QueryBody, *, timeout_s: float = 10.0) -> ReplyBody:
        """Ask and wait for the answer. Raises NoEngineError when the connection is down or silent."""
        ...

    async def control(self, control: ReplayControl) -> None:
        """Steer a replay."""
        ...

    async def close(self) -> None:
        """Leave; the engine continues."""
        ...


class EventBox:
    """A bounded box of events with one place for the newest snapshot."""

    def __init__(self) -> None:
        """An empty box."""
        self._lines: deque[LinkEvent] = deque(maxlen=_LOG_LINES_MAX)
        self._snapshot: Snapshot | None = None
        self._waiting = asyncio.Event()

    def put(self, event: LinkEvent) -> None:
        """Add an event; a newer snapshot takes the place of an older one."""
        if isinstance(event, Snapshot):
            self._snapshot = event
        else:
            self._lines.append(event)
        self._waiting.set()

    async def get(self) -> LinkEvent:
        """The oldest line, else the newest snapshot; waits for one."""
        while True:
            if self._lines:
                return self._lines.popleft()
            if self._snapshot is not None:
                event, self._snapshot = self._snapshot, None
                return event
            self._waiting.clear()
            await self._waiting.wait()


class SocketClient:
    """Reaches the engine of a home over its socket; with `watch` it reconnects until closed."""

    def __init__(
        self,
        home: Path,
        *,
        client: str,
        watch: bool,
        brief: bool = False,
        past: Callable[[QueryBody], ReplyBody] | None = None,
    ) -> None:
        """Nothing is opened before `start`. `brief` is a command, which takes no screen's place.

        `past` answers once the engine has said goodbye, from what it left behind; it is asked in a thread.
        """
        self._home = home
        self._client = client
        self._watch = watch
        self._brief = brief
        self._past = past
        self._events = EventBox()
        self._waiting: dict[str, asyncio.Future[CommandResult | QueryReply]] = {}
        self._ids = (f"{client}-{os.getpid()}-{number}" for number in itertools.count(1))
        self._line: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._goodbye = ""
        """What the engine said last, if it said goodbye."""
        self._ended_said = False
        self.welcome: LinkWelcome | None = None

    async def start(self) -> LinkWelcome:
        """Connect and shake hands. Raises NoEngineError when nobody answers."""
        welcome = await self._open()
        self._task = asyncio.create_task(self._run(), name="link client")
        return welcome

    async def next(self) -> LinkEvent:
        """See `LinkClient.next`."""
        return await self._events.get()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        """See `LinkClient.send`."""
        command_id = next(self._ids)
        result = await self._exchange(command_id, CommandMessage(command_id=command_id, command=command), timeout_s)
        assert isinstance(result, CommandResult)
        return result

    async def ask(self, question: QueryBody, *, timeout_s: float = 10.0) -> ReplyBody:
        """See `LinkClient.ask`."""
        past = self._past
        if self._line is None and self._goodbye and past is not None:
            return await reply_or_error(lambda: asyncio.to_thread(past, question))
        query_id = next(self._ids)
        result = await self._exchange(query_id, QueryMessage(query_id=query_id, question=question), timeout_s)
        return result.body if isinstance(result, QueryReply) else QueryFailed(why=result.text)

    async def control(self, control: ReplayControl) -> None:
        """See `LinkClient.control`."""
        await self._write(control)

    async def close(self) -> None:
        """See `LinkClient.close`."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._line is not None:
            await self._line.close()
            self._line = None

    async def _exchange(self, key: str, message: CommandMessage | QueryMessage, timeout_s: float) -> CommandResult | QueryReply:
        future: asyncio.Future[CommandResult | QueryReply] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            await self._write(message)
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise EngineNotRunningError(f"the engine did not answer within {timeout_s:g} s", what_to_do=_SEE_STATUS) from error
        finally:
            self._waiting.pop(key, None)

    async def _write(self, message: CommandMessage | QueryMessage | ReplayControl) -> None:
        if self._line is None:
            raise EngineNotRunningError("the connection to the engine is down", what_to_do="wait, or see `quarterdeck status`")
        data = msgspec.msgpack.encode(message)
        if len(data) > REQUEST_BYTES_MAX:
            raise UsageError(
                f"that is {len(data):,} bytes, at most {REQUEST_BYTES_MAX:,} travel", what_to_do="send a shorter request"
            )
        try:
            await self._line.send(data)
        except ConnectionClosed as error:
            raise EngineNotRunningError("the connection to the engine broke", what_to_do=_SEE_STATUS) from error

    async def _open(self) -> LinkWelcome:
        place = find_address(self._home)
        hello = LinkHello(version=LINK_VERSION, client=self._client, watch=self._watch, token=place.token, brief=self._brief)
        try:
            line = await _connect(place)
            await line.send(msgspec.msgpack.encode(hello))
            first = _decoder.decode(await asyncio.wait_for(line.recv(decode=False), 5.0))
        except (OSError, TimeoutError, WebSocketException, InvalidHandshake, EOFError, *UNREADABLE) as error:
            raise EngineNotRunningError(
                f"the engine of {self._home} does not answer ({type(error).__name__})",
                what_to_do=f"start one with `quarterdeck run --home {self._home}`",
            ) from error
        if not isinstance(first, LinkWelcome):
            why = first.why if isinstance(first, LinkBye) else "it answered in an unknown format"
            raise EngineNotRunningError(f"the engine refused: {why}", what_to_do="use the same version on both sides")
        self._line, self.welcome, self._goodbye = line, first, ""
        self._events.put(LinkState(up=True, mode=first.mode))
        return first

    async def _run(self) -> None:
        delay_s, delay_max_s = _RECONNECT_S
        while True:
            why = await self._listen()
            self._line = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(EngineNotRunningError("the connection to the engine broke", what_to_do=_SEE_STATUS))
            self._down(why)
            while self._watch and self._line is None:
                await asyncio.sleep(delay_s)
                try:
                    await self._open()
                    delay_s = _RECONNECT_S[0]
                except EngineNotRunningError as error:
                    self._down(str(error))
                    delay_s = min(delay_s * 2, delay_max_s)
            if not self._watch:
                return

    def _down(self, why: str) -> None:
        """Say that nobody is there: after a goodbye the end of the run, else the loss of the line."""
        if not self._goodbye:
            self._events.put(LinkState(up=False, why=why))
        elif not self._ended_said:
            self._ended_said = True
            self._events.put(LinkState(up=False, why=f"engine ended: {self._goodbye}", ended=True))

    async def _listen(self) -> str:
        line = self._line
        if line is None:
            return "not connected"
        try:
            async for raw in line:
                self._take(_decoder.decode(raw if isinstance(raw, bytes) else raw.encode()))
        except ConnectionClosed as error:
            return f"connection lost ({type(error).__name__})"
        except UNREADABLE as error:
            await line.close()
            return f"garbled message: {error}"
        return "the engine closed the line"

    def _take(self, message: FromEngine) -> None:
        match message:
            case Snapshot() | LogLine():
                self._events.put(message)
            case LinkBye():
                self._goodbye, self._ended_said = message.why or "in order", False
                self._events.put(message)
            case CommandResult(command_id=key) | QueryReply(query_id=key):
                future = self._waiting.get(key)
                if future is not None and not future.done():
                    future.set_result(message)
            case LinkWelcome():
                self.welcome = message


_decoder: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


async def _connect(place: LinkAddress) -> ClientConnection:
    if place.socket:
        return await unix_connect(
            place.socket, "ws://localhost/", max_size=MESSAGE_BYTES_MAX, compression=None, open_timeout=5.0, proxy=None
        )
    return await connect(
        f"ws://127.0.0.1:{place.port}/", max_size=MESSAGE_BYTES_MAX, compression=None, open_timeout=5.0, proxy=None
    )
