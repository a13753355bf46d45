"""A gateway as a process of its own beside the engine: it ends with it, and what it cannot do it says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.launch import start_local_gateway
from quarterdeck.core.brokers.mt5.gateway.local_terminal import LocalTerminal
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.effects import QueryBook
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import Filled, Unconfirmed
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.pipes.framing import pack_frame
from tests.conftest import CHECKOUT
from tests.core.brokers.mt5.gateway.far import FarTerminal, FastClock
from tests.core.brokers.mt5.gateway.line import alive, posix, until
from tests.core.brokers.mt5.kit import submit

pytestmark = [pytest.mark.processes]


async def test_killed_or_frozen_gateway_leaves_known_state_and_ends():
    far = FarTerminal(FastClock(200.0))
    gateway = await start_local_gateway(far.command)
    client = GatewayTerminal(
        gateway.address,
        gateway.token,
        CallTimeouts(read_s=0.4, send_s=0.4, start_s=5.0),
        far.clock,
        retry_min_s=1.0,
        retry_max_s=4.0,
    )
    broker = Mt5Broker(client, far.rig.policy, far.clock, server_clock=ServerClock("new_york_plus_7"))
    await broker.connect()
    await broker.select(("EURUSD",))
    assert (await broker.execute_request(QueryBook(why="test")))[-1].known
    if sys.platform != "win32":
        os.kill(gateway.process.pid, signal.SIGSTOP)
        assert isinstance(await broker.account(), Unknown)
        os.kill(gateway.process.pid, signal.SIGCONT)
        await until(lambda: known(broker))
    gateway.process.kill()
    await gateway.process.wait()
    assert isinstance(await broker.account(), Unknown)
    fate = (await broker.execute_request(submit()))[0].order_outcome
    assert not isinstance(fate, Filled | Unconfirmed)
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


DYING_FRONT = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "quarterdeck.core.brokers.mt5.gateway.terminal_child", *sys.argv[2:]], stdin=-1, stdout=-1)
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
    order = gateway_protocol.CallBatch(
        1, (TerminalCall("order_send", ({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0},)),), 5.0
    )
    front = subprocess.run(
        [sys.executable, "-c", DYING_FRONT, pack_frame(gateway_protocol.encode(order)).hex(), *far.command],
        cwd=CHECKOUT,
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


@pytest.mark.posix
async def test_a_module_that_is_not_there_is_said():
    with pytest.raises(BrokerError, match="MetaTrader5 package cannot be imported") as refused:
        await start_local_gateway(("MetaTrader5",))
    assert "Windows" in refused.value.what_to_do


@pytest.mark.posix
async def test_start_does_not_wait_for_a_broken_gateway():
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    far = FarTerminal(FastClock())
    deadlines = CallTimeouts(read_s=5.0, send_s=5.0, start_s=5.0)
    terminal = LocalTerminal(("MetaTrader5",), deadlines, FastClock(), retry_min_s=1.0, retry_max_s=1.0)
    broker = Mt5Broker(terminal, far.rig.policy, FastClock(), sleep=sleep)
    with pytest.raises(BrokerError, match="MetaTrader5 package cannot be imported"):
        await broker.connect()
    assert not slept
    far.close()
