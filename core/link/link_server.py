"""The engine's side of the link: many clients, each with a bounded box, none able to slow the engine (law 10).

Promises: one snapshot waits per client, the newest; log lines are bounded and the loss is said; a client without the right
words gets one answer and the door. Does not: decide anything; commands and questions go to the `EngineSide` it was given.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed

from quarterdeck.core.link.link_address import LinkAddress, choose_address, clear_socket, publish_address, remove_address
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    MESSAGE_BYTES_MAX,
    CommandMessage,
    CommandResult,
    FromClient,
    FromEngine,
    LinkBye,
    LinkHello,
    LinkWelcome,
    QueryBody,
    QueryFailed,
    QueryMessage,
    QueryReply,
    ReplayControl,
    ReplyBody,
)
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.model.snapshot import LogLine, Snapshot

_LINES_PER_CLIENT_MAX = 1_000
_CLIENTS_MAX = 32
_REQUESTS_MAX = 64
_BOX_MAX = 2 * _LINES_PER_CLIENT_MAX
"""Room for answers beside the log lines; a client may have `_REQUESTS_MAX` questions open."""
_GOODBYE_S = 1.0


class EngineSide(Protocol):
    """What the link needs of the engine."""

    def welcome(self) -> LinkWelcome:
        """Who is speaking."""
        ...

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        """Carry a command to the desk and wait for what became of it."""
        ...

    async def answer(self, question: QueryBody) -> ReplyBody:
        """Answer a question."""
        ...

    def replay_control(self, control: ReplayControl) -> None:
        """Steer the replay, where there is one."""
        ...


class LinkServer:
    """Listens in a home and feeds whoever watches."""

    def __init__(self, home: Path, engine: EngineSide, *, on_watcher: Callable[[], None] | None = None) -> None:
        """Nothing is opened before `start`; `on_watcher` publishes a fresh snapshot for whoever comes to watch."""
        self._home = home
        self._engine = engine
        self._on_watcher = on_watcher
        self._watchers: list[_Watcher] = []
        self._server: Server | None = None
        self._place: LinkAddress | None = None
        self._last: Snapshot | None = None

    @property
    def watched(self) -> bool:
        """Whether anybody wants snapshots."""
        return bool(self._watchers)

    async def start(self) -> LinkAddress:
        """Listen and publish where. An old socket of a dead engine is replaced; the home's lock says that it is dead."""
        place = choose_address(self._home)
        if place.socket:
            clear_socket(place)
            before = os.umask(0o177)
            try:
                self._server = await unix_serve(
                    self._serve, place.socket, max_size=MESSAGE_BYTES_MAX, max_queue=_REQUESTS_MAX, compression=None
                )
            finally:
                os.umask(before)
        else:
            self._server = await serve(
                self._serve, "127.0.0.1", 0, max_size=MESSAGE_BYTES_MAX, max_queue=_REQUESTS_MAX, compression=None
            )
            port = next(iter(self._server.sockets)).getsockname()[1]
            place = msgspec.structs.replace(place, port=port)
        self._place = place
        publish_address(self._home, place)
        return place

    async def stop(self, why: str) -> None:
        """Say goodbye and close; answers under way are given a moment to leave."""
        for watcher in self._watchers:
            watcher.tell(LinkBye(why=why))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                for watcher in tuple(self._watchers):
                    await watcher.empty.wait()
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2.0)
        if self._place is not None:
            remove_address(self._home, self._place)

    def publish(self, snapshot: Snapshot) -> None:
        """Give every watcher the newest snapshot."""
        self._last = snapshot
        for watcher in self._watchers:
            watcher.show(snapshot)

    def log(self, line: LogLine) -> None:
        """Give every watcher a log line."""
        for watcher in self._watchers:
            watcher.tell(line)

    async def _serve(self, line: ServerConnection) -> None:
        try:
            hello = _decoder.decode(await asyncio.wait_for(line.recv(decode=False), 5.0))
            refusal = self._refusal(hello)
            if refusal:
                await line.send(msgspec.msgpack.encode(LinkBye(why=refusal)))
                return
            await line.send(msgspec.msgpack.encode(self._engine.welcome()))
            await self._converse(line, hello)
        except (ConnectionClosed, TimeoutError, EOFError):
            return
        except msgspec.DecodeError as error:
            with contextlib.suppress(ConnectionClosed):
                await line.send(msgspec.msgpack.encode(LinkBye(why=f"garbled message: {error}")))

    def _refusal(self, hello: FromClient) -> str:
        if not isinstance(hello, LinkHello):
            return "say hello first"
        if self._place is not None and self._place.token and not hmac.compare_digest(self._place.token, hello.token):
            return "wrong token"
        if hello.version != LINK_VERSION:
            return f"link version {hello.version} is not {LINK_VERSION}"
        # a command passes all the same: screens that somebody left open must not stand in the way of a flatten
        full = hello.watch and len(self._watchers) >= _CLIENTS_MAX
        return f"{_CLIENTS_MAX} screens are attached already, close one" if full else ""

    async def _converse(self, line: ServerConnection, hello: FromClient) -> None:
        assert isinstance(hello, LinkHello)
        watcher = _Watcher(line)
        sender = asyncio.create_task(watcher.run(), name=f"link to {hello.client}")
        tasks: set[asyncio.Task[None]] = set()
        if hello.watch:
            self._watchers.append(watcher)
            if self._on_watcher is not None:
                self._on_watcher()
            elif self._last is not None:
                watcher.show(self._last)
        try:
            async for raw in line:
                message = _decoder.decode(raw if isinstance(raw, bytes) else raw.encode())
                task = asyncio.create_task(self._handle(message, hello.client, watcher), name="link request")
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            if hello.watch:
                self._watchers.remove(watcher)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sender

    async def _handle(self, message: FromClient, origin: str, watcher: _Watcher) -> None:
        match message:
            case CommandMessage():
                watcher.tell(await self._engine.command(message.command, origin, message.command_id))
            case QueryMessage():
                watcher.tell(
                    QueryReply(
                        query_id=message.query_id, body=await reply_or_error(lambda: self._engine.answer(message.question))
                    )
                )
            case ReplayControl():
                self._engine.replay_control(message)
            case LinkHello():
                watcher.tell(LinkBye(why="hello was said before"))


class _Watcher:
    """One client's box: answers are kept, log lines bounded, of snapshots only the newest."""

    def __init__(self, line: ServerConnection) -> None:
        self._line = line
        self._messages: deque[FromEngine] = deque(maxlen=_BOX_MAX)
        self._snapshot: Snapshot | None = None
        self._waiting = asyncio.Event()
        self._lost_lines = 0
        self.empty = asyncio.Event()
        """Nothing waits to be sent."""
        self.empty.set()

    def tell(self, message: FromEngine) -> None:
        if isinstance(message, LogLine) and len(self._messages) >= _LINES_PER_CLIENT_MAX:
            self._lost_lines += 1
        else:
            self._messages.append(message)
        self._wake()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._wake()

    def _wake(self) -> None:
        self.empty.clear()
        self._waiting.set()

    async def run(self) -> None:
        try:
            while True:
                await self._waiting.wait()
                self._waiting.clear()
                await self._send()
                if not self._waiting.is_set():
                    self.empty.set()
        finally:
            self.empty.set()

    async def _send(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            await self._line.send(msgspec.msgpack.encode(snapshot))
        while self._messages:
            await self._line.send(msgspec.msgpack.encode(self._messages.popleft()))
        if self._lost_lines:
            text = f"{self._lost_lines} log lines were left out: this line is slow"
            at = snapshot.engine.wall_utc_ns if snapshot else 0
            self._lost_lines = 0
            await self._line.send(msgspec.msgpack.encode(LogLine(at_utc_ns=at, level="warning", kind="link", text=text)))


_decoder: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)


async def reply_or_error(ask: Callable[[], Awaitable[ReplyBody]]) -> ReplyBody:
    """The answer, or why there is none: a question never ends the conversation."""
    try:
        return await ask()
    except QuarterdeckError as error:
        return QueryFailed(why=error.one_line())
    except (LookupError, ValueError, OSError) as error:
        return QueryFailed(why=str(error))
