"""A million messages that nobody meant, at the link of an engine and at its gateway: answered, without effect, and nobody is late.

How many is QUARTERDECK_FUZZ_MESSAGES, half to either. Lateness is the loop's own processor time between two of its turns: what a
busy machine adds is not ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.account_file import AccountFile, SimulatedAccount
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions, GatewayServer
from quarterdeck.core.brokers.mt5.gateway.module_loader import SIMULATED
from quarterdeck.core.brokers.mt5.gateway.proof import proof_of
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import WorkerSupervisor
from quarterdeck.core.brokers.simulator.terminal_builder import account_terms
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.link.limits import REQUEST_BYTES_MAX, problem_of
from quarterdeck.core.link.link_address import find_address
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    CommandMessage,
    CommandResult,
    FromClient,
    FromEngine,
    LinkHello,
    LinkWelcome,
    QueryBody,
    QueryMessage,
    QueryReply,
    ReplayControl,
)
from quarterdeck.core.model.commands import Command, Pause
from quarterdeck.core.settings.settings_loader import load_settings
from tests.core.brokers.mt5.gateway.line import TOKEN
from tests.core.link.test_link import FakeEngine, opened

pytestmark = [
    pytest.mark.soak,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="a Unix socket is dialled by hand here"),
]
MESSAGES = int(os.environ.get("QUARTERDECK_FUZZ_MESSAGES", "1000000")) // 2
LATE_S = 0.1
_AT_ONCE, _LONG = 50, 500
_AT_THE_GATEWAY = 16
"""What a front reads ahead: with more on the way a line that it closes takes seconds to end."""
_FITTING = 0.998
"""Messages whose fields have the right types; the others end their conversation."""


class Lateness:
    """The longest that one turn of the loop took, in seconds of this thread's processor time."""

    worst_s = 0.0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        run_once = loop._run_once  # type: ignore[attr-defined] # there is no public seam

        def timed() -> None:
            began_s = time.thread_time()
            run_once()
            self.worst_s = max(self.worst_s, time.thread_time() - began_s)

        loop._run_once = timed  # type: ignore[attr-defined]
        await asyncio.sleep(0)


def wild(chance: random.Random) -> Any:
    """A value of any kind and size."""
    return chance.choice(
        (
            "",
            "EURUSD",
            "\x1b]0;x\x07",
            "x" * chance.choice((10, 1_000, 100_000)) if chance.random() < 0.01 else "y",
            chance.randint(-(2**63), 2**64 - 1),
            chance.choice((0, 1, -1)),
            float("nan"),
            float("inf"),
            1e300,
            chance.uniform(-1e9, 1e9),
            None,
            True,
            b"\xff\x00",
            [],
            [["a"] * 3] * 3,
            {"a": 1},
        )
    )


def fitting(chance: random.Random, hint: Any) -> Any:
    """A value of the type that a field wants, as large and as strange as that type goes."""
    if get_origin(hint) is Literal:
        return chance.choice(get_args(hint))
    if get_origin(hint) is tuple:
        return [["risk.risk_per_trade_pct", "1"]] * chance.choice((0, 1, 2_000))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return {}
    name = str(hint)
    if "Literal" in name or "tuple" in name or "list" in name:
        return None if "None" in name else []
    if hint is bool:
        return chance.random() < 0.5
    if "float" in name or "Price" in name or "Lots" in name:
        return chance.choice((float("nan"), float("inf"), -float("inf"), 1e300, 1e15, 1.1))
    if "int" in name or "Ns" in name:
        return chance.choice((2**63 - 1, 2**64 - 1, -(2**63), 0, 5))
    return chance.choice(("", "EURUSD", "x" * chance.choice((10, 5_000, 100_000)) if chance.random() < 0.02 else "y" * 4_001))


def mutated(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.choice((len(changed), len(changed), chance.randrange(1, len(changed) + 1)))])


def link_messages(chance: random.Random, count: int) -> Iterator[bytes]:
    """Commands, questions and controls with any field of any kind, or bytes changed; those that mean something are left out."""
    kinds = [*get_args(Command), *get_args(QueryBody), ReplayControl]
    encode, decoder = msgspec.msgpack.encode, msgspec.msgpack.Decoder(FromClient)
    while count:
        fits = chance.random() < _FITTING
        kind = chance.choice(kinds[:-1] if fits else kinds)  # a control has no answer to wait for
        hints = get_type_hints(kind)
        values = {name: fitting(chance, hints[name]) if fits else wild(chance) for name in kind.__struct_fields__}
        body = {"type": kind.__struct_config__.tag, **values}
        wrapped: type[msgspec.Struct] = CommandMessage if kind in get_args(Command) else QueryMessage
        inner = "command" if wrapped is CommandMessage else "question"
        whole = {"type": wrapped.__struct_config__.tag, "command_id": "1", "query_id": "1", inner: body}
        data = encode(body if kind is ReplayControl else whole)
        if not fits:
            data = mutated(chance, data)
        try:
            message = decoder.decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError):
            message = None
        if isinstance(message, CommandMessage | ReplayControl) and not problem_of(message):
            continue
        count -= 1
        yield data[:REQUEST_BYTES_MAX]


@contextlib.asynccontextmanager
async def link_line(home: Path) -> AsyncIterator[ClientConnection]:
    async with unix_connect(find_address(home).socket, "ws://localhost/", compression=None) as line:
        await line.send(msgspec.msgpack.encode(LinkHello(version=LINK_VERSION, client="fuzz", watch=False)))
        assert isinstance(msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine), LinkWelcome)
        yield line


async def test_half_a_million_link_messages_have_no_effect(tmp_path: Path) -> None:
    engine, late, chance = FakeEngine(), Lateness(), random.Random(16)
    server = LinkServer(tmp_path, engine)
    await server.start()
    client = await opened(tmp_path, watch=False)
    messages, sent, answers, doors = link_messages(chance, MESSAGES), 0, 0, 0
    await late.watch()
    try:
        more = True
        while more:
            async with link_line(tmp_path) as line:
                with contextlib.suppress(ConnectionClosed, AttributeError):
                    while batch := list(itertools.islice(messages, _AT_ONCE)):
                        for data in batch:
                            await line.send(data)
                        sent += len(batch)
                        for _ in batch:
                            told = msgspec.msgpack.decode(await line.recv(decode=False), type=FromEngine)
                            answers += isinstance(told, QueryReply | CommandResult)
                    more = False
            doors += more
        assert (await client.send(Pause())).ok
        assert engine.commands == [Pause()]
    finally:
        await client.close()
        await server.stop("over")
    print(f"link: {sent} messages, {answers} answered, {doors} shown the door, longest turn {late.worst_s * 1000:.0f} ms")
    assert answers
    assert doors
    assert late.worst_s < LATE_S


def gateway_messages(chance: random.Random, count: int) -> Iterator[bytes]:
    """Calls, leases, proofs and hellos of any content; orders among them that the list refuses or that have no lease."""
    names = (
        "eval",
        "order_send",
        "account_info",
        "symbol_info",
        "copy_rates_range",
        "__class__",
        "initialize",
        "order_check",
        "",
    )
    for number in range(count):
        step = chance.random()
        if step < 0.7:
            args = tuple(wild(chance) for _ in range(chance.randrange(4)))
            if chance.random() < 0.3:
                args = ({key: wild(chance) for key in chance.sample(("action", "sl", "volume", "position", "q"), 3)},)
            keys = {chance.choice(("login", "ticket", "group", "x")): wild(chance) for _ in range(chance.randrange(3))}
            call = TerminalCall(chance.choice(names), args, keys)
            deadline_s = chance.choice((30.0, float("nan"), 1e300))
            # many long calls would cost this loop, in which the client lives as well, its time
            count_of_calls = 1 if len(data_of(call)) > _LONG else chance.choice((1, 1, 1, 0, 300))
            message: Any = gateway_protocol.CallBatch(number, (call,) * count_of_calls, deadline_s)
        elif step < 0.8:
            message = gateway_protocol.AskLease(number, "", "\x1b[2J" * 50, chance.choice((7, 2**40, -1)))
        else:
            message = gateway_protocol.AskLease(number, "", "", 0)
        if chance.random() > _FITTING:
            message = chance.choice((gateway_protocol.Proof(b"x" * 32), gateway_protocol.GatewayHello(2), message))
            yield mutated(chance, gateway_protocol.encode(message))
        else:
            yield gateway_protocol.encode(message)


def data_of(call: TerminalCall) -> bytes:
    return gateway_protocol.encode(call)


@contextlib.asynccontextmanager
async def gateway_line(port: int) -> AsyncIterator[ClientConnection]:
    nonce = b"n" * 32
    async with connect(f"ws://127.0.0.1:{port}", proxy=None, compression=None) as line:
        await line.send(gateway_protocol.encode(gateway_protocol.GatewayHello(gateway_protocol.PROTOCOL, nonce=nonce)))
        challenge = gateway_protocol.from_front(await line.recv())
        assert isinstance(challenge, gateway_protocol.Challenge)
        proof = proof_of(TOKEN, "client", nonce, challenge.nonce)
        await line.send(gateway_protocol.encode(gateway_protocol.Proof(proof)))
        assert isinstance(gateway_protocol.from_front(await line.recv()), gateway_protocol.GatewayWelcome)
        yield line


@contextlib.asynccontextmanager
async def served(home: Path) -> AsyncIterator[tuple[GatewayServer, WorkerSupervisor]]:
    """A gateway in this loop over a simulated terminal in a process of its own."""
    (home / "settings.toml").write_text("[simulation]\nhistory_days = 30\n[desk]\npairs = ['EURUSD']\n")
    clock = WallClock()
    keeper = WorkerSupervisor((SIMULATED, str(home)), clock)
    front = GatewayServer(GatewayOptions(host="127.0.0.1", port=0, token=TOKEN, home=home), keeper, clock)
    await keeper.start()
    await front.start()
    try:
        yield front, keeper
    finally:
        await front.stop()
        await keeper.stop()


async def test_half_a_million_gateway_messages_send_no_order(tmp_path: Path) -> None:
    late, chance = Lateness(), random.Random(17)
    sent = answers = doors = 0
    async with served(tmp_path) as (front, keeper):
        messages = gateway_messages(chance, MESSAGES)
        await late.watch()
        more = True
        while more:
            async with gateway_line(front.port) as line:
                with contextlib.suppress(ConnectionClosed, AttributeError):
                    while batch := list(itertools.islice(messages, _AT_THE_GATEWAY)):
                        for data in batch:
                            await line.send(data)
                        sent += len(batch)
                        for _ in batch:
                            told = gateway_protocol.from_front(await line.recv())
                            answers += isinstance(told, gateway_protocol.CallResult | gateway_protocol.LeaseAnswer)
                    more = False
            doors += more
        assert keeper.replaced == 0, "the process that owns the module lives"
    kept = AccountFile(tmp_path, SimulatedAccount).read(account_terms(load_settings(tmp_path).settings))
    assert kept is not None
    assert [deal.symbol for deal in kept.books.deals] == [""], "the first deposit alone"
    print(f"gateway: {sent} messages, {answers} answered, {doors} shown the door, longest turn {late.worst_s * 1000:.0f} ms")
    assert answers
    assert late.worst_s < LATE_S
