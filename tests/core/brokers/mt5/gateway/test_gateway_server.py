"""Who is let in, what may be asked for, and where a gateway may listen."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import ssl
import subprocess

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from quarterdeck.core.brokers.base import CallNotSent, TerminalCall
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions, GatewayServer
from quarterdeck.core.brokers.mt5.gateway.proof import proof_of
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import WorkerSupervisor
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.reads import Known
from tests.conftest import missing
from tests.core.brokers.mt5.gateway.far import FarTerminal, FastClock
from tests.core.brokers.mt5.gateway.line import TOKEN, Line

pytestmark = [pytest.mark.processes]


async def raw(port, **options):
    return await connect(f"ws://127.0.0.1:{port}", proxy=None, compression=None, **options)


async def proved(port, token=TOKEN, side="client", nonce=b"n" * 32):
    """A line and the front's answer to a proof with this token."""
    socket = await raw(port)
    await socket.send(gateway_protocol.encode(gateway_protocol.GatewayHello(gateway_protocol.PROTOCOL, nonce=nonce)))
    challenge = gateway_protocol.from_front(await socket.recv())
    assert challenge.proof == proof_of(TOKEN, "gateway", nonce, challenge.nonce)
    await socket.send(gateway_protocol.encode(gateway_protocol.Proof(proof_of(token, side, nonce, challenge.nonce))))
    return socket, gateway_protocol.from_front(await socket.recv()), challenge


async def test_without_the_token_nobody_is_let_in():
    async with Line() as line:
        for token in ("", "wrong", TOKEN.reveal + "x", TOKEN.reveal[:-1]):
            _, answer, _ = await proved(line.port, Secret(token))
            assert answer == gateway_protocol.GatewayBye(gateway_protocol.WRONG_TOKEN)
        _, answer, challenge = await proved(line.port, side="gateway")
        assert answer == gateway_protocol.GatewayBye(gateway_protocol.WRONG_TOKEN), (
            "the front's own proof, sent back, proves nothing"
        )
        for first in (
            gateway_protocol.Proof(challenge.proof),
            gateway_protocol.CallBatch(1, (TerminalCall("account_info"),), 1.0),
            gateway_protocol.AskLease(1, "a", "b"),
        ):
            socket = await raw(line.port)
            await socket.send(gateway_protocol.encode(first))
            assert isinstance(gateway_protocol.from_front(await socket.recv()), gateway_protocol.GatewayBye)
        with pytest.raises(InvalidStatus):
            await raw(line.port, origin="http://evil.example")
        bad = GatewayTerminal(
            f"ws://127.0.0.1:{line.port}", Secret("z" * 32), line.deadlines, line.clock, retry_min_s=1, retry_max_s=1
        )
        with pytest.raises(CallNotSent, match="token"):
            await bad.call("account_info")
        assert line.far.entered == []


async def greeted(port):
    socket, answer, _ = await proved(port)
    assert isinstance(answer, gateway_protocol.GatewayWelcome)
    return socket


@pytest.mark.parametrize(
    "answer",
    [gateway_protocol.Challenge(b"x" * 32, b"y" * 32), gateway_protocol.GatewayWelcome(gateway_protocol.PROTOCOL, "x", "x", "x")],
    ids=["proof", "welcome"],
)
async def test_whoever_listens_in_the_gateways_place_learns_no_token(answer):
    heard: list[bytes] = []

    async def stranger(socket):
        heard.append(socket.request.headers.serialize())
        with contextlib.suppress(ConnectionClosed):
            heard.append(await socket.recv())
            await socket.send(gateway_protocol.encode(answer))
            heard.append(await socket.recv())

    async with serve(stranger, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        deadlines = CallTimeouts(read_s=1, send_s=1, start_s=1)
        client = GatewayTerminal(f"ws://127.0.0.1:{port}", TOKEN, deadlines, FastClock(), retry_min_s=1, retry_max_s=1)
        with pytest.raises(CallNotSent, match="another token"):
            await client.call("account_info")
        await client.close()
    assert len(heard) == 2, "nothing is proved to whoever proved nothing"
    assert TOKEN.reveal.encode() not in b"".join(heard)


async def test_another_version_is_told_what_to_do():
    async with Line() as line:
        socket = await raw(line.port)
        await socket.send(gateway_protocol.encode(gateway_protocol.GatewayHello(gateway_protocol.PROTOCOL + 1)))
        answer = gateway_protocol.from_front(await socket.recv())
        assert isinstance(answer, gateway_protocol.GatewayBye)
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


async def test_call_outside_the_allowed_list_never_reaches_the_module():
    async with Line() as line:
        for name, args, kwargs, why in NOT_LISTED:
            with pytest.raises(CallNotSent, match=why):
                await line.client.call(name, *args, **kwargs)
        assert line.far.entered == []


async def test_orders_come_alone_and_batches_are_bounded():
    async with Line() as line:
        with pytest.raises(CallNotSent, match="alone"):
            await line.client.call_many([TerminalCall("account_info"), TerminalCall("order_send", ({"action": 1},))])
        with pytest.raises(CallNotSent, match="calls in one message"):
            await line.client.call_many([TerminalCall("account_info")] * 300)


async def test_flooding_client_is_refused_and_others_are_served():
    async with Line() as line:
        await line.ready()
        flood = await greeted(line.port)
        for number in range(100):
            ask = gateway_protocol.CallBatch(number, (TerminalCall("order_send", ({"action": 99},)),), 1.0)
            await flood.send(gateway_protocol.encode(ask))
        answers = [gateway_protocol.from_front(await flood.recv()) for _ in range(100)]
        refused = [answer for answer in answers if answer.status == "not_sent"]
        assert 20 <= len(refused) <= 60
        assert isinstance(await line.broker.account(), Known)
        await flood.close()


async def test_junk_is_answered_with_the_door():
    async with Line() as line:
        for junk in (
            b"",
            b"\xc1",
            b"\x93\x01\x02\x03",
            random.Random(5).randbytes(200),
            gateway_protocol.encode(gateway_protocol.GatewayBye("x")),
        ):
            socket = await greeted(line.port)
            await socket.send(junk)
            assert isinstance(gateway_protocol.from_front(await socket.recv()), gateway_protocol.GatewayBye)
            await socket.close()
        await line.ready()


async def test_a_message_beyond_the_limit_ends_the_line():
    async with Line() as line:
        socket = await greeted(line.port)
        with contextlib.suppress(OSError):
            await socket.send(b"x" * (gateway_protocol.CLIENT_MESSAGE_BYTES_MAX + 1))
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1009


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::"])
def test_listening_beyond_this_machine_needs_tls(host):
    with pytest.raises(UsageError, match="TLS"):
        GatewayServer(GatewayOptions(host=host, port=0, token=TOKEN), WorkerSupervisor(("x",), FastClock()), FastClock())


def test_a_weak_token_is_refused():
    with pytest.raises(UsageError, match="fewer than"):
        GatewayServer(
            GatewayOptions(host="127.0.0.1", port=0, token=Secret("short")), WorkerSupervisor(("x",), FastClock()), FastClock()
        )


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
    keeper = WorkerSupervisor(far.command, FastClock())
    await keeper.start()
    front = GatewayServer(
        GatewayOptions(host="0.0.0.0", port=0, token=TOKEN, certificate=certificate, key=key), keeper, FastClock()
    )
    await front.start()
    deadlines = CallTimeouts(read_s=5, send_s=5, start_s=5)
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
    with pytest.raises(CallNotSent, match="certificate"):
        await wary.call("account_info")
    for client in (trusting, wary):
        await client.close()
    await front.stop()
    await keeper.stop()
    far.close()
