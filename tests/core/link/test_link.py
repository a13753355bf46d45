"""The link over a real socket: who may speak, what is conflated, what a slow or rude client can do (law 10)."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect, unix_connect

from quarterdeck.core.link.link_address import find_address
from quarterdeck.core.link.link_client import EventBox, SocketClient
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    CommandResult,
    FromEngine,
    LinkBye,
    LinkHello,
    LinkState,
    LinkWelcome,
    LogQuery,
    LogReply,
    QueryBody,
    QueryFailed,
    ReplayControl,
    ReplyBody,
)
from quarterdeck.core.model.commands import Command, Pause
from quarterdeck.core.model.errors import EngineNotRunningError
from quarterdeck.core.model.snapshot import LogLine, Snapshot
from tests.tui.demo_desk import demo_snapshot


class FakeEngine:
    """An engine that obeys everything."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.controls: list[ReplayControl] = []

    def welcome(self) -> LinkWelcome:
        return LinkWelcome(version=LINK_VERSION, run_id="r1", pid=1, mode="replay")

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        self.commands.append(command)
        return CommandResult(command_id=command_id, ok=True, text=f"done for {origin}")

    async def answer(self, question: QueryBody) -> ReplyBody:
        if isinstance(question, LogQuery):
            return LogReply(lines=())
        raise LookupError("nothing known")

    def replay_control(self, control: ReplayControl) -> None:
        self.controls.append(control)


@pytest.fixture
async def engine(tmp_path: Path):
    side = FakeEngine()
    server = LinkServer(tmp_path, side)
    await server.start()
    yield side, server, tmp_path
    await server.stop("test over")


def dial(home: Path, **options: Any) -> connect:
    """A connection of one's own to the engine of this home, as the system of this machine makes it."""
    place = find_address(home)
    if place.socket:
        return unix_connect(place.socket, "ws://localhost/", **options)
    return connect(f"ws://127.0.0.1:{place.port}/", proxy=None, **options)


def hello(home: Path, *, client: str, watch: bool, version: int = LINK_VERSION) -> bytes:
    """The first words of a client that knows the token."""
    said = LinkHello(version=version, client=client, watch=watch, token=find_address(home).token)
    return msgspec.msgpack.encode(said)


def open_to_others(path: str | Path) -> int:
    return Path(path).stat().st_mode & 0o077


def exists(path: str | Path) -> bool:
    return Path(path).exists()


async def opened(home: Path, *, watch: bool) -> SocketClient:
    client = SocketClient(home, client="test", watch=watch)
    await client.start()
    return client


async def test_a_command_reaches_the_engine_and_its_answer_comes_back(engine) -> None:
    side, _, home = engine
    client = await opened(home, watch=False)
    result = await client.send(Pause())
    await client.close()
    assert (result.ok, result.text, side.commands) == (True, "done for test", [Pause()])


async def test_too_many_screens_keep_no_command_out(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    side, _, home = engine
    monkeypatch.setattr("quarterdeck.core.link.link_server._CLIENTS_MAX", 2)
    screens = [await opened(home, watch=True) for _ in range(2)]
    with pytest.raises(EngineNotRunningError, match="2 screens are attached already"):
        await opened(home, watch=True)
    client = await opened(home, watch=False)
    assert (await client.send(Pause())).ok
    assert side.commands == [Pause()]
    for one in (client, *screens):
        await one.close()


async def test_screens_leave_a_watching_command_its_place(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _, server, home = engine
    monkeypatch.setattr("quarterdeck.core.link.link_server._CLIENTS_MAX", 2)
    screens = [await opened(home, watch=True) for _ in range(2)]
    flatten = SocketClient(home, client="command", watch=True, brief=True)
    await flatten.start()
    server.publish(demo_snapshot(5))
    while not isinstance(event := await flatten.next(), Snapshot):
        pass
    assert event.number == 5
    for one in (flatten, *screens):
        await one.close()


async def test_commands_that_never_leave_keep_no_command_out(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    side, _, home = engine
    monkeypatch.setattr("quarterdeck.core.link.link_server._COMMANDS_MAX", 3)
    idle = [await opened(home, watch=False) for _ in range(8)]
    assert (await idle[-1].send(Pause())).ok
    client = await opened(home, watch=False)
    assert (await client.send(Pause())).ok
    assert len(side.commands) == 2
    for one in (client, *idle):
        await one.close()


@pytest.mark.posix
@pytest.mark.parametrize("removed", [("link.sock",), ("link.json",), ("link.sock", "link.json")])
async def test_a_link_whose_files_are_removed_is_published_again(engine, removed: tuple[str, ...]) -> None:
    side, server, home = engine
    before = await opened(home, watch=True)
    assert not await server.restored(), "nothing is amiss"
    for name in removed:
        (home / name).unlink()
    assert await server.restored()
    after = await opened(home, watch=False)
    assert (await after.send(Pause())).ok
    assert (await before.send(Pause())).ok, "who was there continues undisturbed"
    assert len(side.commands) == 2
    assert not await server.restored()
    assert open_to_others(find_address(home).socket) == 0
    for one in (before, after):
        await one.close()


@pytest.mark.posix
@pytest.mark.parametrize("name", ["link.sock", "link.json"])
@pytest.mark.parametrize(
    "put",
    [lambda path: path.write_text("a note"), Path.mkdir, lambda path: path.symlink_to("nowhere"), getattr(os, "mkfifo", None)],
)
async def test_what_replaces_a_file_of_the_link_is_replaced(engine, name: str, put: Callable[[Path], object]) -> None:
    side, server, home = engine
    for _ in range(2):
        (home / name).unlink()
        put(home / name)
        assert await server.restored()
    client = await opened(home, watch=False)
    assert (await client.send(Pause())).ok
    assert side.commands == [Pause()]
    await client.close()
    for name in ("link.sock", "link.json"):
        (home / name).unlink()
        (home / name).mkdir()
    await server.stop("what is in its place does not hinder the end")


@pytest.mark.posix
async def test_an_engine_whose_home_was_removed_is_reached_again(engine) -> None:
    side, server, home = engine
    shutil.rmtree(home)
    assert await server.restored()
    client = await opened(home, watch=False)
    assert (await client.send(Pause())).ok
    assert side.commands == [Pause()]
    assert open_to_others(home) == 0
    await client.close()


async def test_a_question_that_has_no_answer_says_why(engine) -> None:
    _, _, home = engine
    client = await opened(home, watch=False)
    known = await client.ask(LogQuery())
    from quarterdeck.core.link.messages import CalendarQuery

    unknown = await client.ask(CalendarQuery())
    await client.close()
    assert isinstance(known, LogReply)
    assert isinstance(unknown, QueryFailed)
    assert "nothing known" in unknown.why


@pytest.mark.posix
async def test_socket_is_private_and_removed_with_the_engine(tmp_path: Path) -> None:
    server = LinkServer(tmp_path, FakeEngine())
    place = await server.start()
    assert open_to_others(place.socket) == open_to_others(tmp_path / "link.json") == 0
    await server.stop("over")
    assert not exists(place.socket)
    with pytest.raises(EngineNotRunningError):
        find_address(tmp_path)


@pytest.mark.posix
async def test_a_long_home_gets_a_private_folder_for_its_socket(tmp_path: Path) -> None:
    home = tmp_path / ("a" * 60) / ("b" * 60)
    home.mkdir(parents=True)
    server = LinkServer(home, FakeEngine())
    place = await server.start()
    client = await opened(home, watch=False)
    result = await client.send(Pause())
    await client.close()
    await server.stop("over")
    assert result.ok
    assert not exists(Path(place.socket).parent)


async def test_another_version_is_told_so(engine) -> None:
    _, _, home = engine
    async with dial(home) as line:
        await line.send(hello(home, client="old", watch=True, version=LINK_VERSION + 1))
        answer = msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine)
    assert isinstance(answer, LinkBye)
    assert "version" in answer.why


@pytest.mark.parametrize("words", [b"", b"\x00\x01garbage", b"{}", msgspec.msgpack.encode({"type": "order"})])
async def test_garbage_ends_one_conversation_and_no_other(engine, words: bytes) -> None:
    side, _, home = engine
    client = await opened(home, watch=True)
    async with dial(home) as line:
        await line.send(words)
        answer = msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine)
    assert isinstance(answer, LinkBye)
    assert (await client.send(Pause())).ok
    await client.close()
    assert side.commands == [Pause()]


async def test_watcher_receives_lines_up_to_capacity_and_drop_count(engine) -> None:
    _, server, home = engine
    client = await opened(home, watch=True)
    assert isinstance(await client.next(), LinkState)
    for number in range(5_000):
        server.log(LogLine(at_utc_ns=number, level="info", kind="test", text=str(number)))
    texts = []
    while not (texts and "left out" in texts[-1]):
        event = await asyncio.wait_for(client.next(), 10)
        if isinstance(event, LogLine):
            texts.append(event.text)
    await client.close()
    assert texts[0] == "0"
    assert len(texts) == 1_001


async def test_a_client_comes_back_when_the_engine_does(tmp_path: Path) -> None:
    first = LinkServer(tmp_path, FakeEngine())
    await first.start()
    client = await opened(tmp_path, watch=True)
    assert (await client.next()) == LinkState(up=True, mode="replay")
    await first.stop("restart")
    seen = []
    while not (seen and isinstance(seen[-1], LinkState) and not seen[-1].up):
        seen.append(await asyncio.wait_for(client.next(), 10))
    second = LinkServer(tmp_path, FakeEngine())
    await second.start()
    while not (isinstance(seen[-1], LinkState) and seen[-1].up):
        seen.append(await asyncio.wait_for(client.next(), 10))
    assert (await client.send(Pause())).ok
    await client.close()
    await second.stop("over")
    assert any(isinstance(event, LinkBye) and event.why == "restart" for event in seen)


async def test_without_an_engine_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineNotRunningError) as caught:
        await opened(tmp_path, watch=False)
    assert "quarterdeck run" in caught.value.one_line()


async def test_the_box_keeps_only_the_newest_snapshot() -> None:
    box = EventBox()
    for number in range(3):
        box.put(demo_snapshot(number))
    event = await box.get()
    assert isinstance(event, Snapshot)
    assert event.number == 2


async def test_who_comes_to_watch_is_shown_nothing_old(engine) -> None:
    _, server, home = engine
    server.publish(demo_snapshot(7))
    client = await opened(home, watch=True)
    await client.ask(LogQuery())
    server.publish(demo_snapshot(8))
    while not isinstance(event := await client.next(), Snapshot):
        pass
    assert event.number == 8
    await client.close()


async def test_who_comes_to_watch_is_shown_what_is_now(tmp_path: Path) -> None:
    side, numbers = FakeEngine(), iter((7, 8))
    server = LinkServer(tmp_path, side, on_watcher=lambda: server.publish(demo_snapshot(next(numbers))))
    await server.start()
    try:
        for expected in (7, 8):
            client = await opened(tmp_path, watch=True)
            while not isinstance(event := await client.next(), Snapshot):
                pass
            assert event.number == expected
            await client.close()
    finally:
        await server.stop("test over")


async def test_goodbye_reaches_watchers_and_is_no_lost_connection(engine) -> None:
    _, server, home = engine
    client = await opened(home, watch=True)
    server.publish(demo_snapshot(1))
    for number in range(50):
        server.log(LogLine(at_utc_ns=number, level="info", kind="test", text=f"line {number}"))
    await server.stop("the recorded data have ended")
    heard = []
    while not (heard and isinstance(heard[-1], LinkState) and not heard[-1].up):
        heard.append(await asyncio.wait_for(client.next(), 10))
    assert [event.why for event in heard if isinstance(event, LinkBye)] == ["the recorded data have ended"]
    assert len([event for event in heard if isinstance(event, LogLine)]) == 50, "all that was said before came first"
    assert heard[-1] == LinkState(up=False, why="engine ended: the recorded data have ended", ended=True)
    await client.close()


async def test_a_line_that_breaks_without_a_goodbye_is_lost(engine) -> None:
    _, server, home = engine
    client = await opened(home, watch=True)
    for line in tuple(server._servers[-1].connections):
        line.transport.abort()
    heard = []
    while not (heard and isinstance(heard[-1], LinkState) and not heard[-1].up):
        heard.append(await asyncio.wait_for(client.next(), 10))
    assert not heard[-1].ended
    assert "connection lost" in heard[-1].why
    await client.close()


async def test_once_the_engine_said_goodbye_its_journal_answers(engine) -> None:
    _, server, home = engine
    asked: list[QueryBody] = []

    def past(question: QueryBody) -> ReplyBody:
        asked.append(question)
        return LogReply(lines=())

    client = SocketClient(home, client="screen", watch=True, past=past)
    await client.start()
    await client.ask(LogQuery())
    assert asked == [], "a living engine answers for itself"
    await server.stop("the recorded data have ended")
    while not (isinstance(event := await client.next(), LinkState) and event.ended):
        pass
    assert isinstance(await client.ask(LogQuery()), LogReply)
    assert asked == [LogQuery()]
    with pytest.raises(EngineNotRunningError):
        await client.send(Pause())
    await client.close()
