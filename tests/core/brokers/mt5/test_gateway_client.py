"""The engine's end of a gateway: a line that breaks, half opens or talks nonsense, and one that is never had."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time

import pytest
from msgspec import structs
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError

from quarterdeck.core.brokers.base import CallNotSent, ReplyLost
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol, gateway_server
from quarterdeck.core.brokers.mt5.gateway.proof import proof_of
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal, _Line
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import Filled, Unconfirmed
from quarterdeck.core.model.reads import Unknown
from tests.core.brokers.mt5.gateway.far import FastClock
from tests.core.brokers.mt5.gateway.line import TOKEN, Line, asked, posix, until
from tests.core.brokers.mt5.kit import submit

pytestmark = [pytest.mark.processes]


async def test_a_front_that_ends_and_comes_back():
    async with Line() as line:
        await line.ready()
        await line.front.stop()
        assert isinstance(await line.broker.quotes(("EURUSD",)), Unknown)
        assert isinstance(await line.broker.quotes(("EURUSD",)), Unknown)
        await line.open_front()
        await line.known_book()
        ups = [item.is_connected for item in line.broker.take_events() if hasattr(item, "is_connected")]
        assert ups == [False, True]


async def relay(port, swallow):
    """A pipe between client and gateway that can stop carrying without closing: a half-open connection."""

    async def carry(source, sink, gate):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await source.read(65536):
                if gate and swallow.is_set():
                    continue
                sink.write(data)
                await sink.drain()

    async def serve_one(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(carry(far_reader, writer, True))
        await carry(reader, far_writer, False)
        far_writer.transport.abort()
        writer.transport.abort()
        await back

    return await asyncio.start_server(serve_one, "127.0.0.1", 0)


async def test_half_open_connection_leaves_order_unconfirmed_then_proven():
    async with Line(read_s=0.5, send_s=0.5) as line:
        swallow = asyncio.Event()
        server = await relay(line.port, swallow)
        client = line.new_client(server.sockets[0].getsockname()[1])
        line.broker = Mt5Broker(client, line.far.rig.policy, line.clock, server_clock=ServerClock("new_york_plus_7"))
        await line.ready()
        loop = asyncio.get_running_loop()
        line.far.before["order_send"] = lambda _: loop.call_soon_threadsafe(swallow.set) and time.sleep(0.05)
        assert isinstance(await line.fate(submit()), Unconfirmed)
        swallow.clear()
        assert isinstance(await line.proven(asked()), Filled)
        assert len((await line.known_book()).positions) == 1
        server.close()


async def test_a_gateway_that_talks_nonsense_is_left():
    async def nonsense(socket):
        hello = gateway_protocol.from_client(await socket.recv())
        await socket.send(
            gateway_protocol.encode(gateway_protocol.Challenge(b"n", proof_of(TOKEN, "gateway", hello.nonce, b"n")))
        )
        await socket.recv()
        await socket.send(gateway_protocol.encode(gateway_protocol.GatewayWelcome(gateway_protocol.PROTOCOL, "x", "x", "x")))
        await socket.recv()
        await socket.send(b"\xc1\xc1\xc1")
        await socket.wait_closed()

    async with serve(nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = GatewayTerminal(
            f"ws://127.0.0.1:{port}",
            TOKEN,
            CallTimeouts(read_s=1, send_s=1, start_s=1),
            FastClock(),
            retry_min_s=9,
            retry_max_s=9,
        )
        with pytest.raises(ReplyLost, match="garbled"):
            await client.call("account_info")
        with pytest.raises(CallNotSent):
            await client.call("account_info")
        await client.close()


async def test_connection_lost_while_sending_is_reported_once():
    class Breaking:
        transport = None

        async def send(self, _data):
            line.fail("the connection broke")
            raise ConnectionClosedError(None, None)

    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    deadlines = CallTimeouts(read_s=1, send_s=1, start_s=1)
    client = GatewayTerminal("ws://127.0.0.1:9", TOKEN, deadlines, FastClock(), retry_min_s=1, retry_max_s=1)
    line = client._line = _Line(Breaking(), gateway_protocol.GatewayWelcome(gateway_protocol.PROTOCOL, "", "", ""))
    with pytest.raises(ReplyLost, match="broke"):
        await client.call("account_info")
    gc.collect()
    assert not heard


async def test_unreachable_address_means_not_sent_and_retries_are_limited():
    client = GatewayTerminal(
        "ws://127.0.0.1:9", TOKEN, CallTimeouts(read_s=1, send_s=1, start_s=1), FastClock(), retry_min_s=60, retry_max_s=60
    )
    for _ in range(5):
        with pytest.raises(CallNotSent, match="nothing listens there") as refused:
            await client.call("order_send", {"action": 1})
        assert "account.gateway" in refused.value.what_to_do


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ws://", "nonsense", "ws://10.0.0.1:1", "ws://example.com:1"])
def test_an_address_that_would_tell_the_token_is_refused(address):
    with pytest.raises(BrokerError):
        GatewayTerminal(address, TOKEN, CallTimeouts(read_s=1, send_s=1, start_s=1), FastClock(), retry_min_s=1, retry_max_s=1)


# ------------------------------------------------------------------------------------------------------- at a start
def starting(line, token=TOKEN):
    """A broker that was not connected yet, and what it slept; a start may take long."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(seconds / line.speed)

    policy = structs.replace(line.far.rig.policy, start_timeout_s=1e6)
    return Mt5Broker(line.new_client(token=token), policy, line.clock, sleep=sleep), slept


async def test_a_wrong_token_ends_a_start_at_once():
    async with Line() as line:
        broker, slept = starting(line, Secret("w" * 32))
        with pytest.raises(BrokerError, match="another token") as refused:
            await broker.connect()
        assert "gateway.token" in refused.value.what_to_do
        assert not slept
        assert line.far.entered == []


async def test_a_gateway_of_another_version_ends_a_start_at_once():
    async def older(socket):
        await socket.recv()
        await socket.send(gateway_protocol.encode(gateway_protocol.GatewayBye("the gateway speaks version 0")))
        await socket.wait_closed()

    async with Line() as line, serve(older, "127.0.0.1", 0) as server:
        line.port = server.sockets[0].getsockname()[1]
        broker, slept = starting(line)
        with pytest.raises(BrokerError, match="speaks version 0") as refused:
            await broker.connect()
        assert "same Quarterdeck" in refused.value.what_to_do
        assert not slept


async def test_a_gateway_that_serves_too_many_is_waited_for(monkeypatch):
    async with Line() as line:
        monkeypatch.setattr(gateway_server, "CLIENTS_MAX", 0)
        broker, slept = starting(line)
        connecting = asyncio.create_task(broker.connect())
        await until(lambda: slept)
        monkeypatch.setattr(gateway_server, "CLIENTS_MAX", 8)
        assert (await connecting).account.login == 5001


@posix
async def test_hanging_child_at_start_is_replaced_within_the_read_deadline():
    async with Line(read_s=0.3, start_s=600.0) as line:
        os.kill(line.keeper.pid, signal.SIGSTOP)
        broker, _ = starting(line)
        async with asyncio.timeout(60.0):
            await broker.connect()
        assert line.keeper.replaced == 1
        assert [name for name, _ in line.far.entered].count("initialize") == 1
