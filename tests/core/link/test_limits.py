"""Whatever a client sends is answered, and nothing in it costs the loop more than a look (law 17)."""

from __future__ import annotations

import asyncio
import math
import random
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import unix_connect

from quarterdeck.core.link.limits import REQUEST_BYTES_MAX, ROWS_MAX, problem_of, rows_within
from quarterdeck.core.link.link_address import find_address
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.local_client import LocalClient
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    BarsQuery,
    CalendarQuery,
    CommandMessage,
    CommandResult,
    FromClient,
    FromEngine,
    LinkBye,
    LinkHello,
    LinkWelcome,
    LogQuery,
    LogReply,
    QueryBody,
    QueryFailed,
    QueryMessage,
    QueryReply,
    ReplayControl,
)
from quarterdeck.core.model.commands import Acknowledge, ClosePosition, Command, MoveStop, Pause, SetSettings
from quarterdeck.core.model.errors import UsageError
from tests.core.bounded import MILLION, little_work
from tests.core.link.test_link import FakeEngine, opened

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a Unix socket is dialled manually here")


class BrittleEngine(FakeEngine):
    """Breaks on every command and question, each time in another way."""

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        raise OverflowError("too large for SQLite")

    async def answer(self, question: QueryBody) -> Any:
        if isinstance(question, LogQuery):
            return LogReply(lines=())
        raise ZeroDivisionError("nothing asked for")


async def speaking(home: Path):
    line = await unix_connect(find_address(home).socket, "ws://localhost/", max_size=None)
    await line.send(msgspec.msgpack.encode(LinkHello(version=LINK_VERSION, client="rude", watch=False)))
    assert isinstance(msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine), LinkWelcome)
    return line


@pytest.mark.parametrize(
    "command",
    [
        Acknowledge(what="a" * 5_000),
        MoveStop(position_id=1, stop_price=math.nan),
        MoveStop(position_id=1, stop_price=math.inf),
        ClosePosition(position_id=2**64 - 1),
        SetSettings(changes=(("risk.risk_per_trade_pct", "1"),), minutes=1e300),
        SetSettings(changes=(("a", "b"),) * 1_001),
    ],
)
async def test_an_order_out_of_bounds_is_refused_by_name(command: Command) -> None:
    engine = FakeEngine()
    result = await LocalClient(engine).send(command)
    assert not result.ok
    assert any(name in result.text for name in ("what", "stop_price", "position_id", "minutes", "changes"))
    assert engine.commands == []


async def test_whatever_a_request_meets_it_is_answered(tmp_path: Path) -> None:
    server = LinkServer(tmp_path, BrittleEngine())
    await server.start()
    client = await opened(tmp_path, watch=False)
    try:
        result = await client.send(Pause())
        answer = await client.ask(CalendarQuery())
        assert (result.ok, "OverflowError" in result.text) == (False, True)
        assert isinstance(answer, QueryFailed)
        assert "ZeroDivisionError" in answer.why
        assert isinstance(await client.ask(LogQuery()), LogReply)
    finally:
        await client.close()
        await server.stop("over")


async def test_a_million_letters_are_refused_before_they_travel(tmp_path: Path) -> None:
    engine = FakeEngine()
    server = LinkServer(tmp_path, engine)
    await server.start()
    client = await opened(tmp_path, watch=False)
    try:
        with pytest.raises(UsageError, match="at most"):
            await client.send(Acknowledge(what="a" * MILLION))
        assert (await client.send(Pause())).ok
        rude = await speaking(tmp_path)
        with little_work():
            await rude.send(msgspec.msgpack.encode(CommandMessage(command_id="1", command=Acknowledge(what="a" * MILLION))))
            await rude.wait_closed()
        assert (await client.send(Pause())).ok
        assert engine.commands == [Pause(), Pause()]
    finally:
        await client.close()
        await server.stop("over")


async def test_who_reads_no_answers_loses_none(tmp_path: Path) -> None:
    server = LinkServer(tmp_path, FakeEngine())
    await server.start()
    try:
        line = await speaking(tmp_path)
        count = 5_000

        async def ask() -> None:
            for number in range(count):
                await line.send(msgspec.msgpack.encode(QueryMessage(query_id=f"{number}", question=LogQuery())))

        asking = asyncio.create_task(ask())
        await asyncio.sleep(0.2)
        seen = []
        while len(seen) < count:
            told = msgspec.msgpack.decode(await asyncio.wait_for(line.recv(decode=False), 20), type=FromEngine)
            seen += [told.query_id] if isinstance(told, QueryReply) else []
        await asking
        assert sorted(seen, key=int) == [f"{number}" for number in range(count)]
        await line.close()
    finally:
        await server.stop("over")


async def test_a_token_of_any_letters_is_only_wrong(tmp_path: Path) -> None:
    server = LinkServer(tmp_path, FakeEngine())
    await server.start()
    server._place = msgspec.structs.replace(find_address(tmp_path), token="right")
    try:
        async with unix_connect(find_address(tmp_path).socket, "ws://localhost/") as line:
            await line.send(msgspec.msgpack.encode(LinkHello(version=LINK_VERSION, client="x", watch=False, token="schlüssel")))
            told = msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine)
        assert told == LinkBye(why="wrong token")
    finally:
        await server.stop("over")


def messages() -> st.SearchStrategy[Any]:
    kinds = [*get_args(Command), *get_args(QueryBody), ReplayControl]
    wild = st.one_of(
        st.text(max_size=40), st.integers(-(2**64), 2**64 - 1), st.floats(), st.booleans(), st.none(), st.binary(max_size=9)
    )
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.fixed_dictionaries(dict.fromkeys(kind.__struct_fields__, wild)).map(
            lambda fields: {"type": kind.__struct_config__.tag, **fields}
        )
    )


@given(messages())
def test_what_passes_the_look_is_finite_and_fits_a_table(plain: dict[str, Any]) -> None:
    wrapped = {"type": "order", "command_id": "1", "command": plain}
    try:
        message = msgspec.convert(wrapped, FromClient, strict=False)
    except msgspec.ValidationError:
        return
    if not problem_of(message):
        for value in msgspec.structs.astuple(message.command):
            assert not isinstance(value, float) or math.isfinite(value)
            assert not isinstance(value, int) or -(2**63) < value < 2**63


@given(st.integers())
def test_rows_asked_for_are_within_reason(count: int) -> None:
    assert 1 <= rows_within(count) <= ROWS_MAX


async def test_random_bytes_end_at_most_their_own_conversation(tmp_path: Path) -> None:
    engine = FakeEngine()
    server = LinkServer(tmp_path, engine)
    await server.start()
    client, chance = await opened(tmp_path, watch=False), random.Random(16)
    real = [
        msgspec.msgpack.encode(CommandMessage(command_id="1", command=MoveStop(position_id=1, stop_price=1.1))),
        msgspec.msgpack.encode(QueryMessage(query_id="2", question=BarsQuery(symbol="EURUSD", timeframe="M15"))),
        b"\x91" * 100_000,
        b"\x81\xa4type" + b"\x91" * 50_000,
    ]
    try:
        with little_work():
            for _ in range(150):
                data = bytearray(chance.choice(real))
                for _ in range(chance.randrange(4)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
                line = await speaking(tmp_path)
                await line.send(bytes(data[:REQUEST_BYTES_MAX]))
                await line.recv(decode=False)
                await line.close()
        assert (await client.send(Pause())).ok
    finally:
        await client.close()
        await server.stop("over")
