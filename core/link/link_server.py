"""The engine's side of the link: many clients, each with a bounded box, none able to slow the engine (law 10).

Promises: one snapshot waits per client, the newest; log lines are bounded and the loss is said; a client without the right
words gets one answer and the door; every command and question is answered, whatever it holds, and who does not read answers is
not read. Does not: decide anything; commands and questions go to the `EngineSide` it was given.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed

from quarterdeck.core.link.limits import CLIENT_LETTERS_MAX, REQUEST_BYTES_MAX, problem_of
from quarterdeck.core.link.link_address import (
    LinkAddress,
    choose_address,
    publish_address,
    published_place,
    remove_address,
)
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
from quarterdeck.core.model.errors import UNREADABLE, QuarterdeckError
from quarterdeck.core.model.plain_text import plain_text
from quarterdeck.core.model.snapshot import LogLine, Snapshot
from quarterdeck.core.settings.safe_files import clear_path

_LINES_PER_CLIENT_MAX = 1_000
_CLIENTS_MAX = 32
"""Screens; commands have places of their own."""
_COMMANDS_MAX = 64
_REQUESTS_MAX = 64
_BOX_MAX = 2 * _LINES_PER_CLIENT_MAX
"""Room for answers beside the log lines; a client may have `_REQUESTS_MAX` of them open, read by it or not."""
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
        self._servers: list[Server] = []
        """The newest last; one whose socket was removed continues with the clients that it has."""
        self._place: LinkAddress | None = None
        self._socket: tuple[int, int] = (0, 0)
        """Device and number of the socket's file, by which a removed or replaced one is known."""
        self._visits: list[_Visit] = []

    @property
    def watched(self) -> bool:
        """Whether anybody wants snapshots."""
        return bool(self._watchers)

    async def start(self) -> LinkAddress:
        """Listen and publish where. An old socket of a dead engine is replaced; the home's lock says that it is dead."""
        place = await self._listen(choose_address(self._home))
        publish_address(self._home, place)
        return place

    async def restored(self) -> bool:
        """Whether the files that lead to the link, or the whole home, had been removed or replaced; they are there again then.

        Raises:
            OSError: they cannot be written.
        """
        place = self._place
        if place is None:
            return False
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lost = bool(place.socket) and _identity(Path(place.socket)) != self._socket
        if lost:
            place = await self._listen(choose_address(self._home))
        elif published_place(self._home) == place:
            return False
        publish_address(self._home, place)
        return True

    async def _listen(self, place: LinkAddress) -> LinkAddress:
        if place.socket:
            clear_path(Path(place.socket))
            before = os.umask(0o177)
            try:
                server = await unix_serve(
                    self._serve, place.socket, max_size=REQUEST_BYTES_MAX, max_queue=_REQUESTS_MAX, compression=None
                )
            finally:
                os.umask(before)
            self._socket = _identity(Path(place.socket))
        else:
            server = await serve(
                self._serve, "127.0.0.1", 0, max_size=REQUEST_BYTES_MAX, max_queue=_REQUESTS_MAX, compression=None
            )
            port = next(iter(server.sockets)).getsockname()[1]
            place = msgspec.structs.replace(place, port=port)
        self._servers.append(server)
        self._place = place
        return place

    async def stop(self, why: str) -> None:
        """Say goodbye and close; answers under way are given a moment to leave."""
        for watcher in self._watchers:
            watcher.tell(LinkBye(why=why))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                for watcher in tuple(self._watchers):
                    await watcher.empty.wait()
        for server in self._servers:
            server.close()
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 2.0)
        if self._place is not None:
            remove_address(self._home, self._place)

    def publish(self, snapshot: Snapshot) -> None:
        """Give every watcher the newest snapshot."""
        for watcher in self._watchers:
            watcher.show(snapshot)

    def log(self, line: LogLine) -> None:
        """Give every watcher a log line."""
        for watcher in self._watchers:
            watcher.tell(line)

    async def _serve(self, line: ServerConnection) -> None:
        try:
            hello = _decoded(await asyncio.wait_for(line.recv(decode=False), 5.0))
            refusal = self._refusal(hello)
            if refusal:
                await line.send(msgspec.msgpack.encode(LinkBye(why=refusal)))
                return
            await line.send(msgspec.msgpack.encode(self._engine.welcome()))
            await self._converse(line, hello)
        except (ConnectionClosed, TimeoutError, EOFError):
            return
        except _Garbled as error:
            with contextlib.suppress(ConnectionClosed):
                await line.send(msgspec.msgpack.encode(LinkBye(why=f"garbled message: {error}")))

    def _refusal(self, hello: FromClient) -> str:
        if not isinstance(hello, LinkHello):
            return "say hello first"
        if problem := problem_of(hello):
            return problem
        if self._place is not None and self._place.token and not _same(self._place.token, hello.token):
            return "wrong token"
        if hello.version != LINK_VERSION:
            return f"link version {hello.version} is not {LINK_VERSION}"
        if not _stays(hello):
            return "" if self._room_for_command() else f"{_COMMANDS_MAX} commands are under way already"
        # screens that someone left open must not be in the way of a flatten, which watches too
        full = sum(visit.stays for visit in self._visits) >= _CLIENTS_MAX
        return f"{_CLIENTS_MAX} screens are attached already, close one" if full else ""

    def _room_for_command(self) -> bool:
        """Whether there is a place; the oldest command that waits for nothing gives up its own."""
        commands = [visit for visit in self._visits if not visit.stays]
        if len(commands) < _COMMANDS_MAX:
            return True
        idle = sorted((visit for visit in commands if visit.watcher.idle), key=lambda visit: visit.watches)
        if idle:
            self._visits.remove(idle[0])
            idle[0].line.transport.abort()
        return bool(idle)

    async def _converse(self, line: ServerConnection, hello: FromClient) -> None:
        assert isinstance(hello, LinkHello)
        watcher = _Watcher(line)
        visit = _Visit(line, watcher, stays=_stays(hello), watches=hello.watch)
        self._visits.append(visit)
        sender = asyncio.create_task(watcher.run(), name=f"link to {hello.client}")
        tasks: set[asyncio.Task[None]] = set()
        if hello.watch:
            self._watchers.append(watcher)
            if self._on_watcher is not None:
                self._on_watcher()
        try:
            async for raw in line:
                message = _decoded(raw if isinstance(raw, bytes) else raw.encode())
                if isinstance(message, CommandMessage | QueryMessage):
                    await watcher.room()
                task = asyncio.create_task(self._handle(message, hello.client, watcher), name="link request")
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            if hello.watch:
                self._watchers.remove(watcher)
            if visit in self._visits:
                self._visits.remove(visit)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sender

    async def _handle(self, message: FromClient, origin: str, watcher: _Watcher) -> None:
        problem = problem_of(message)
        match message:
            case CommandMessage():
                watcher.tell(await _carried(self._engine, message, origin, problem))
            case QueryMessage():
                body = (
                    QueryFailed(why=problem) if problem else await reply_or_error(lambda: self._engine.answer(message.question))
                )
                watcher.tell(QueryReply(query_id=message.query_id, body=body))
            case ReplayControl():
                if not problem:
                    self._engine.replay_control(message)
            case LinkHello():
                watcher.tell(LinkBye(why="hello was said before"))


class _Visit:
    """One conversation: whether it is a screen's, which stays, or a command's, and whether it watches."""

    __slots__ = ("line", "stays", "watcher", "watches")

    def __init__(self, line: ServerConnection, watcher: _Watcher, *, stays: bool, watches: bool) -> None:
        self.line, self.watcher, self.stays, self.watches = line, watcher, stays, watches


class _Watcher:
    """One client's box: answers are kept, log lines bounded, of snapshots only the newest."""

    def __init__(self, line: ServerConnection) -> None:
        self._line = line
        self._messages: deque[FromEngine] = deque(maxlen=_BOX_MAX)
        self._snapshot: Snapshot | None = None
        self._waiting = asyncio.Event()
        self._lost_lines = 0
        self._open = 0
        """Requests whose answer has not left yet."""
        self._answered = asyncio.Event()
        self.empty = asyncio.Event()
        """Nothing waits to be sent."""
        self.empty.set()

    @property
    def idle(self) -> bool:
        """Whether no answer is owed."""
        return not self._open

    async def room(self) -> None:
        """Take one more request, once fewer than the bound wait for their answer to leave."""
        while self._open >= _REQUESTS_MAX:
            self._answered.clear()
            await self._answered.wait()
        self._open += 1

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
            message = self._messages.popleft()
            await self._line.send(_encoded(message))
            if isinstance(message, QueryReply | CommandResult):
                self._open -= 1
                self._answered.set()
        if self._lost_lines:
            text = f"{self._lost_lines} log lines were left out: this line is slow"
            at = snapshot.engine.wall_utc_ns if snapshot else 0
            self._lost_lines = 0
            await self._line.send(msgspec.msgpack.encode(LogLine(at_utc_ns=at, level="warning", kind="link", text=text)))


_decoder: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
_log = logging.getLogger("link")


class _Garbled(Exception):
    """What came is no message."""


def _decoded(data: bytes) -> FromClient:
    try:
        return _decoder.decode(data)
    except UNREADABLE as error:
        raise _Garbled(plain_text(str(error))) from error


def _encoded(message: FromEngine) -> bytes:
    """A message as it travels; an answer that nobody could take is answered by the reason."""
    data = msgspec.msgpack.encode(message)
    if isinstance(message, QueryReply) and len(data) > MESSAGE_BYTES_MAX:
        too_much = f"the answer has {len(data):,} bytes, at most {MESSAGE_BYTES_MAX:,} travel; ask for less at once"
        return msgspec.msgpack.encode(QueryReply(query_id=message.query_id, body=QueryFailed(why=too_much)))
    return data


def _stays(hello: LinkHello) -> bool:
    return hello.watch and not hello.brief


def _identity(path: Path) -> tuple[int, int]:
    """Device and number of a file; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _same(token: str, given: str) -> bool:
    return hmac.compare_digest(token.encode(), given.encode())


async def _carried(engine: EngineSide, order: CommandMessage, origin: str, problem: str) -> CommandResult:
    """What became of an order; one that cannot be carried out is refused with the reason."""
    try:
        if not problem:
            return await engine.command(order.command, plain_text(origin[:CLIENT_LETTERS_MAX]), order.command_id)
    except QuarterdeckError as error:
        problem = error.one_line()
    except Exception as error:  # noqa: BLE001 - the rim of a conversation: whoever ordered is answered
        _log.exception("an order was not carried out")
        problem = f"it could not be carried out: {type(error).__name__}: {error}"
    return CommandResult(command_id=order.command_id, ok=False, text=problem)


async def reply_or_error(ask: Callable[[], Awaitable[ReplyBody]]) -> ReplyBody:
    """The answer, or why there is none: a question never ends the conversation."""
    try:
        return await ask()
    except QuarterdeckError as error:
        return QueryFailed(why=error.one_line())
    except (LookupError, ValueError, OSError) as error:
        return QueryFailed(why=str(error))
    except Exception as error:  # noqa: BLE001 - the rim of a conversation: whoever asked is answered
        _log.exception("a question was not answered")
        return QueryFailed(why=f"it cannot be answered: {type(error).__name__}: {error}")


async def obeyed(engine: EngineSide, order: CommandMessage, origin: str) -> CommandResult:
    """What became of an order, within the bounds of the link and answered in any case: for a face in this process."""
    return await _carried(engine, order, origin, problem_of(order))
