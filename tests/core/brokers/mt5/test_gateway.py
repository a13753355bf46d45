"""The gateway as real processes over a real socket: what is let in, what comes back, and what each kind of loss ends in."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from core.brokers.base import ModuleCall, TerminalLost, TerminalNotSent
from core.brokers.mt5.adapter import Mt5Broker
from core.brokers.mt5.gateway import wire
from core.brokers.mt5.gateway.front import Front, FrontOptions
from core.brokers.mt5.gateway.keeper import Keeper
from core.brokers.mt5.gateway.launch import start_local_gateway
from core.brokers.mt5.gateway_client import Deadlines, GatewayTerminal, _Line
from core.brokers.mt5.policy import Secret
from core.brokers.mt5.servertime import ServerClock
from core.model.effects import AskBook, AskFate
from core.model.errors import BrokerError, UsageError
from core.model.inputs import Absent, Accepted, DealSeen, Filled, UnknownFate
from core.model.market import Side
from core.model.reads import Known, Unknown
from tests.conftest import CHECKOUT, missing
from tests.core.brokers.mt5.far import FarTerminal, FastClock
from tests.core.brokers.mt5.far_child import GARBLE
from tests.core.brokers.mt5.kit import START, close, submit

pytestmark = [pytest.mark.processes]
TOKEN = Secret("t" * 32)
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows cannot stop a process by signal; the hanging child is its twin"
)


async def until(condition, limit_s=20.0):
    """Wait for a condition, with one generous limit; gives what it gave."""
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)


class Line:
    """A far terminal, a keeper and front in this process over a real child, a client and an adapter."""

    def __init__(self, *, read_s=5.0, send_s=5.0, speed=200.0, port=0, **rig):
        self.clock = FastClock(speed)
        self.far = FarTerminal(self.clock, **rig)
        self.deadlines = Deadlines(read_s=read_s, send_s=send_s, start_s=10.0)
        self.port = port
        self.clients = []

    async def __aenter__(self):
        self.keeper = Keeper(self.far.command, FastClock())
        await self.keeper.start()
        await self.open_front()
        self.client = self.new_client()
        self.broker = Mt5Broker(self.client, self.far.rig.policy, self.clock, server_clock=ServerClock("new_york_plus_7"))
        return self

    async def open_front(self):
        options = FrontOptions(host="127.0.0.1", port=self.port, token=TOKEN)
        self.front = Front(options, self.keeper, FastClock())
        await self.front.start()
        self.port = self.front.port

    def new_client(self, port=None):
        client = GatewayTerminal(
            f"ws://127.0.0.1:{port or self.port}", TOKEN, self.deadlines, self.clock, retry_min_s=1.0, retry_max_s=4.0
        )
        self.clients.append(client)
        return client

    async def ready(self):
        await self.broker.connect()
        await self.broker.select(("EURUSD", "GBPUSD"))

    async def fate(self, request):
        return (await self.broker.perform(request))[0].fate

    async def proven(self, question):
        """Ask until something is proven."""

        async def fate():
            found = await self.fate(question)
            return None if isinstance(found, UnknownFate | Accepted) else found

        return await until(fate)

    async def known_book(self):
        async def known():
            book = await self.broker.book()
            return book if book.known else None

        return await until(known)

    async def __aexit__(self, *_):
        for client in self.clients:
            await client.close()
        await self.front.stop()
        await self.keeper.stop()
        self.far.close()


def asked(client_id="r1-1", **changes):
    return AskFate(
        **({"client_id": client_id, "symbol": "EURUSD", "side": Side.BUY, "lots": 0.5, "sent_utc_ns": START} | changes)
    )


async def test_a_day_over_the_wire_is_the_same_as_in_process():
    async with Line() as line:
        await line.ready()
        assert (line.client.welcome.module, line.client.welcome.protocol) == ("far", wire.PROTOCOL)
        filled = await line.fate(submit())
        assert (type(filled), filled.price, filled.lots) == (Filled, 1.08512, 0.5)
        candles = (await line.broker.bars("EURUSD", "M15", 20)).value
        assert len(candles) == 20
        assert candles.close.tolist() == [1.085] * 20
        quotes = (await line.broker.quotes(("EURUSD", "GBPUSD"))).value
        assert [quote.bid for quote in quotes] == [1.085, 1.27]
        (position,) = (await line.broker.book()).positions
        assert position.stop_price == 1.083
        assert isinstance(await line.fate(close(position.ticket)), Filled)
        deals = (await line.broker.deals_of(position.position_id)).value
        assert [deal.entry for deal in deals] == ["in", "out"]


LOSSES = [
    ("killed", "before", Absent),
    ("killed", "after", Filled),
    ("hangs", "before", Absent),
    ("hangs", "after", Filled),
    ("garbled", "after", Filled),
    pytest.param("frozen", "before", Absent, marks=posix),
    pytest.param("frozen", "after", Filled, marks=posix),
]


@pytest.mark.parametrize(("loss", "moment", "expected"), LOSSES)
async def test_an_order_whose_child_is_lost_is_asked_after(loss, moment, expected):
    async with Line(send_s=0.4) as line:
        await line.ready()
        first = line.keeper.pid
        struck = []

        def strike(args):
            if struck:
                return None
            struck.append(args)
            if loss == "killed":
                os.kill(first, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
            elif loss == "frozen":
                os.kill(first, signal.SIGSTOP)
            elif loss == "hangs":
                time.sleep(0.8)
            else:
                return GARBLE
            if moment == "before":
                raise EOFError  # the order never reaches the terminal
            return None

        (line.far.before if moment == "before" else line.far.after)["order_send"] = strike
        assert isinstance(await line.fate(submit()), UnknownFate)
        assert isinstance(await line.proven(asked()), expected)
        assert len((await line.known_book()).positions) == (expected is Filled)
        assert [name for name, _ in line.far.entered].count("order_send") == 1
        assert line.keeper.replaced == 1
        assert line.keeper.pid != first


async def test_orders_performed_side_by_side_each_find_their_own_deals():
    async with Line() as line:
        await line.ready()
        opened = await asyncio.gather(*(line.broker.perform(submit(f"r1-{number}", lots=0.1)) for number in range(1, 9)))
        fates = [told[0].fate for told in opened]
        assert all(isinstance(fate, Filled) for fate in fates)
        assert len({fate.position_id for fate in fates}) == 8
        deals = [item.deal.deal_ticket for told in opened for item in told if isinstance(item, DealSeen)]
        assert len(deals) == len(set(deals)) == 8
        closes = [close(fate.position_id, client_id=f"r1-{20 + number}", lots=0.1) for number, fate in enumerate(fates)]
        closed = await asyncio.gather(*(line.broker.perform(effect) for effect in closes))
        assert [told[0].fate.position_id for told in closed] == [fate.position_id for fate in fates]
        assert (await line.known_book()).positions == ()


async def test_only_the_call_inside_is_lost_and_those_behind_it_were_never_sent():
    async with Line(read_s=0.4, send_s=3.0) as line:
        await line.ready()
        line.far.before["symbol_info"] = lambda _: time.sleep(1.0)
        others = line.new_client()
        await others.call("account_info")
        inside = asyncio.create_task(line.client.call("symbol_info", "EURUSD"))
        await until(lambda: line.far.entered[-1][0] == "symbol_info")
        behind = asyncio.create_task(others.call("order_send", {"action": 1, "symbol": "EURUSD"}))
        with pytest.raises(TerminalLost):
            await inside
        with pytest.raises(TerminalNotSent):
            await behind
        assert "order_send" not in [name for name, _ in line.far.entered]


async def test_closes_go_before_entries_and_entries_before_reads():
    async with Line() as line:
        await line.ready()
        line.far.before["symbol_info"] = lambda _: time.sleep(0.3)
        first = asyncio.create_task(line.client.call("symbol_info", "EURUSD"))
        await until(lambda: line.far.entered[-1][0] == "symbol_info")
        mark = len(line.far.entered)
        entry = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
        queued = [
            line.client.call("account_info"),
            line.client.call("order_send", entry),
            line.client.call("order_send", entry | {"position": 5}),
            line.client.call("order_send", {"action": 6, "position": 5, "symbol": "EURUSD"}),
        ]
        tasks = [asyncio.create_task(item) for item in queued]
        await asyncio.gather(first, *tasks)
        names = [
            args[0].get("action", 0) * 10 + bool(args[0].get("position")) if args else name
            for name, args in line.far.entered[mark:]
        ]
        assert names == [11, 61, 10, "account_info"]


async def test_what_a_client_gave_up_before_it_entered_never_enters():
    async with Line() as line:
        await line.ready()
        line.far.before["symbol_info"] = lambda _: time.sleep(0.5)
        others = line.new_client()
        await others.call("account_info")
        blocking = asyncio.create_task(line.client.call("symbol_info", "EURUSD"))
        await until(lambda: line.far.entered[-1][0] == "symbol_info")
        lost = asyncio.create_task(others.call("order_send", {"action": 1, "symbol": "EURUSD"}))
        await asyncio.sleep(0.05)
        await others.close()
        with pytest.raises(TerminalLost):
            await lost
        await blocking
        await line.client.call("account_info")
        assert "order_send" not in [name for name, _ in line.far.entered]


async def test_a_front_that_ends_and_comes_back():
    async with Line() as line:
        await line.ready()
        await line.front.stop()
        assert isinstance(await line.broker.quotes(("EURUSD",)), Unknown)
        assert isinstance(await line.broker.quotes(("EURUSD",)), Unknown)
        await line.open_front()
        await line.known_book()
        ups = [item.up for item in line.broker.noticed() if hasattr(item, "up")]
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


async def test_an_order_over_a_half_open_connection_is_of_unknown_fate_and_then_proven():
    async with Line(read_s=0.5, send_s=0.5) as line:
        swallow = asyncio.Event()
        server = await relay(line.port, swallow)
        client = line.new_client(server.sockets[0].getsockname()[1])
        line.broker = Mt5Broker(client, line.far.rig.policy, line.clock, server_clock=ServerClock("new_york_plus_7"))
        await line.ready()
        loop = asyncio.get_running_loop()
        line.far.before["order_send"] = lambda _: loop.call_soon_threadsafe(swallow.set) and time.sleep(0.05)
        assert isinstance(await line.fate(submit()), UnknownFate)
        swallow.clear()
        assert isinstance(await line.proven(asked()), Filled)
        assert len((await line.known_book()).positions) == 1
        server.close()


async def test_a_gateway_that_talks_nonsense_is_left():
    async def nonsense(socket):
        await socket.recv()
        await socket.send(wire.encode(wire.Welcome(wire.PROTOCOL, "x", "x", "x")))
        await socket.recv()
        await socket.send(b"\xc1\xc1\xc1")
        await socket.wait_closed()

    async with serve(nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = GatewayTerminal(
            f"ws://127.0.0.1:{port}", TOKEN, Deadlines(read_s=1, send_s=1, start_s=1), FastClock(), retry_min_s=9, retry_max_s=9
        )
        with pytest.raises(TerminalLost, match="garbled"):
            await client.call("account_info")
        with pytest.raises(TerminalNotSent):
            await client.call("account_info")
        await client.close()


async def test_a_line_that_breaks_while_the_question_leaves_is_told_once():
    class Breaking:
        transport = None

        async def send(self, _data):
            line.fail("the line broke")
            raise ConnectionClosedError(None, None)

    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    deadlines = Deadlines(read_s=1, send_s=1, start_s=1)
    client = GatewayTerminal("ws://127.0.0.1:9", TOKEN, deadlines, FastClock(), retry_min_s=1, retry_max_s=1)
    line = client._line = _Line(Breaking(), wire.Welcome(wire.PROTOCOL, "", "", ""))
    with pytest.raises(TerminalLost, match="broke"):
        await client.call("account_info")
    gc.collect()
    assert not heard


async def test_nobody_at_the_address_is_not_sent_and_is_not_tried_at_every_call():
    client = GatewayTerminal(
        "ws://127.0.0.1:9", TOKEN, Deadlines(read_s=1, send_s=1, start_s=1), FastClock(), retry_min_s=60, retry_max_s=60
    )
    for _ in range(5):
        with pytest.raises(TerminalNotSent, match="nobody listens there") as refused:
            await client.call("order_send", {"action": 1})
        assert "account.gateway" in refused.value.what_to_do


# ------------------------------------------------------------------------------------------------------- who is let in
async def raw(port, token=TOKEN.reveal, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await connect(f"ws://127.0.0.1:{port}", additional_headers=headers, proxy=None, compression=None, **options)


async def test_without_the_token_nobody_is_let_in():
    async with Line() as line:
        for token in ("", "wrong", TOKEN.reveal + "x", TOKEN.reveal[:-1]):
            with pytest.raises(InvalidStatus) as caught:
                await raw(line.port, token)
            assert caught.value.response.status_code == 401
        with pytest.raises(InvalidStatus):
            await raw(line.port, origin="http://evil.example")
        bad = GatewayTerminal(
            f"ws://127.0.0.1:{line.port}", Secret("z" * 32), line.deadlines, line.clock, retry_min_s=1, retry_max_s=1
        )
        with pytest.raises(TerminalNotSent, match="token"):
            await bad.call("account_info")
        assert line.far.entered == []


async def greeted(port):
    socket = await raw(port)
    await socket.send(wire.encode(wire.Hello(wire.PROTOCOL)))
    assert isinstance(wire.from_front(await socket.recv()), wire.Welcome)
    return socket


async def test_another_version_is_told_what_to_do():
    async with Line() as line:
        socket = await raw(line.port)
        await socket.send(wire.encode(wire.Hello(wire.PROTOCOL + 1)))
        answer = wire.from_front(await socket.recv())
        assert isinstance(answer, wire.Bye)
        assert "same Quarterdeck" in answer.why
        await socket.close()


NOT_LISTED = [
    ("eval", ("1+1",), {}, "list of calls"),
    ("shutdown", (), {}, "list of calls"),
    ("login", (1,), {}, "list of calls"),
    ("__class__", (), {}, "list of calls"),
    ("initialize", (), {"allow_trade": True}, "takes no"),
    ("positions_get", (), {"magic": 7}, "takes no"),
    ("positions_get", (5,), {}, "arguments"),
    ("symbol_info", (5,), {}, "is no str"),
    ("symbol_info", ("x" * 5000,), {}, "is no str"),
    ("order_send", ({"action": 1, "volumes": 1.0},), {}, "volumes"),
    ("order_send", ({"action": 1, "sl": None},), {}, "sl"),
    ("order_send", ({"action": 1, "sl": [1]},), {}, "sl"),
    ("copy_rates_from_pos", ("EURUSD", "H1", 0, 5), {}, "is no int"),
]


async def test_what_is_not_on_the_list_does_not_reach_the_module():
    async with Line() as line:
        for name, args, kwargs, why in NOT_LISTED:
            with pytest.raises(TerminalNotSent, match=why):
                await line.client.call(name, *args, **kwargs)
        assert line.far.entered == []


async def test_orders_come_alone_and_batches_are_bounded():
    async with Line() as line:
        with pytest.raises(TerminalNotSent, match="alone"):
            await line.client.call_many([ModuleCall("account_info"), ModuleCall("order_send", ({"action": 1},))])
        with pytest.raises(TerminalNotSent, match="calls in one message"):
            await line.client.call_many([ModuleCall("account_info")] * 300)


async def test_a_client_that_floods_is_refused_and_the_others_go_on():
    async with Line() as line:
        await line.ready()
        flood = await greeted(line.port)
        for number in range(100):
            ask = wire.Ask(number, (ModuleCall("order_send", ({"action": 99},)),), 1.0)
            await flood.send(wire.encode(ask))
        answers = [wire.from_front(await flood.recv()) for _ in range(100)]
        refused = [answer for answer in answers if answer.status == "not_sent"]
        assert 20 <= len(refused) <= 60
        assert isinstance(await line.broker.account(), Known)
        await flood.close()


async def test_junk_is_answered_with_the_door():
    async with Line() as line:
        for junk in (b"", b"\xc1", b"\x93\x01\x02\x03", random.Random(5).randbytes(200), wire.encode(wire.Bye("x"))):
            socket = await greeted(line.port)
            await socket.send(junk)
            assert isinstance(wire.from_front(await socket.recv()), wire.Bye)
            await socket.close()
        await line.ready()


async def test_a_message_beyond_the_limit_ends_the_line():
    async with Line() as line:
        socket = await greeted(line.port)
        with contextlib.suppress(OSError):
            await socket.send(b"x" * (wire.CLIENT_MESSAGE_BYTES_MAX + 1))
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1009


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::"])
def test_listening_beyond_this_machine_needs_tls(host):
    with pytest.raises(UsageError, match="TLS"):
        Front(FrontOptions(host=host, port=0, token=TOKEN), Keeper(("x",), FastClock()), FastClock())


def test_a_weak_token_is_refused():
    with pytest.raises(UsageError, match="fewer than"):
        Front(FrontOptions(host="127.0.0.1", port=0, token=Secret("short")), Keeper(("x",), FastClock()), FastClock())


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ws://", "nonsense", "ws://10.0.0.1:1", "ws://example.com:1"])
def test_an_address_that_would_tell_the_token_is_refused(address):
    with pytest.raises(BrokerError):
        GatewayTerminal(address, TOKEN, Deadlines(read_s=1, send_s=1, start_s=1), FastClock(), retry_min_s=1, retry_max_s=1)


@pytest.fixture
def pem(tmp_path):
    """A certificate of our own and its key."""
    tool = shutil.which("openssl")
    if tool is None:
        missing("openssl, to make a certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run([tool, *options.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


async def test_beyond_this_machine_it_speaks_tls_and_trusts_nobody_else(pem):
    certificate, key = pem
    far = FarTerminal(FastClock())
    keeper = Keeper(far.command, FastClock())
    await keeper.start()
    front = Front(FrontOptions(host="0.0.0.0", port=0, token=TOKEN, certificate=certificate, key=key), keeper, FastClock())
    await front.start()
    deadlines = Deadlines(read_s=5, send_s=5, start_s=5)
    address = f"wss://127.0.0.1:{front.port}"
    trusting = GatewayTerminal(
        address,
        TOKEN,
        deadlines,
        FastClock(),
        retry_min_s=1,
        retry_max_s=1,
        tls=ssl.create_default_context(cafile=str(certificate)),
    )
    assert (await trusting.call("initialize", timeout=1000)).value is True
    wary = GatewayTerminal(address, TOKEN, deadlines, FastClock(), retry_min_s=1, retry_max_s=1)
    with pytest.raises(TerminalNotSent, match="certificate"):
        await wary.call("account_info")
    for client in (trusting, wary):
        await client.close()
    await front.stop()
    await keeper.stop()
    far.close()


# ------------------------------------------------------------------------------------------------------- whole processes
async def test_a_gateway_process_killed_or_frozen_leaves_a_known_state_and_ends_with_its_parent():
    far = FarTerminal(FastClock(200.0))
    gateway = await start_local_gateway(far.command)
    client = GatewayTerminal(
        gateway.address,
        gateway.token,
        Deadlines(read_s=0.4, send_s=0.4, start_s=5.0),
        far.clock,
        retry_min_s=1.0,
        retry_max_s=4.0,
    )
    broker = Mt5Broker(client, far.rig.policy, far.clock, server_clock=ServerClock("new_york_plus_7"))
    await broker.connect()
    await broker.select(("EURUSD",))
    assert (await broker.perform(AskBook(why="test")))[-1].known
    if sys.platform != "win32":
        os.kill(gateway.process.pid, signal.SIGSTOP)
        assert isinstance(await broker.account(), Unknown)
        os.kill(gateway.process.pid, signal.SIGCONT)
        await until(lambda: known(broker))
    gateway.process.kill()
    await gateway.process.wait()
    assert isinstance(await broker.account(), Unknown)
    fate = (await broker.perform(submit()))[0].fate
    assert not isinstance(fate, Filled | UnknownFate)
    await client.close()
    far.close()


async def test_the_child_ends_when_the_front_is_gone():
    far = FarTerminal(FastClock())
    gateway = await start_local_gateway(far.command)
    child = gateway.listening.child_pid
    gateway.process.kill()
    await gateway.process.wait()
    await until(lambda: not alive(child))
    again = await start_local_gateway(far.command)
    await again.stop()
    assert again.process.returncode == 0
    far.close()


async def known(broker):
    return isinstance(await broker.account(), Known)


def alive(pid):
    if sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    return True


DYING_FRONT = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "core.brokers.mt5.gateway.child", *sys.argv[2:]], stdin=-1, stdout=-1)
child.stdout.read(int.from_bytes(child.stdout.read(4), "big"))
os.kill(child.pid, signal.SIGSTOP)
child.stdin.write(bytes.fromhex(sys.argv[1]))
child.stdin.flush()
print(child.pid, flush=True)
os._exit(0)
"""


@posix
def test_an_order_of_a_front_that_died_meanwhile_never_enters():
    far = FarTerminal(FastClock())
    order = wire.Ask(1, (ModuleCall("order_send", ({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0},)),), 5.0)
    front = subprocess.run(
        [sys.executable, "-c", DYING_FRONT, wire.framed(order).hex(), *far.command],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    child = int(front.stdout)
    assert alive(child)
    os.kill(child, signal.SIGCONT)
    asyncio.run(until(lambda: not alive(child)))
    assert "order_send" not in [name for name, _ in far.entered]
    far.close()


async def test_a_module_that_is_not_there_is_said():
    with pytest.raises(BrokerError, match="did not start"):
        await start_local_gateway(("MetaTrader5",))
