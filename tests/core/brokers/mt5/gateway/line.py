"""A gateway's way from end to end: a far terminal, keeper and front in this process over a real child, a client and an adapter."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions, GatewayServer
from quarterdeck.core.brokers.mt5.gateway.worker_supervisor import WorkerSupervisor
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.effects import QueryOrder
from quarterdeck.core.model.inputs import Accepted, Unconfirmed
from quarterdeck.core.model.market_data import Side
from tests.core.brokers.mt5.gateway.far import FarTerminal, FastClock
from tests.core.brokers.mt5.kit import START

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

    def __init__(self, *, read_s=5.0, send_s=5.0, start_s=10.0, speed=200.0, port=0, home=None, **rig):
        self.speed = speed
        self.clock = FastClock(speed)
        self.far = FarTerminal(self.clock, **rig)
        self.deadlines = CallTimeouts(read_s=read_s, send_s=send_s, start_s=start_s)
        self.port = port
        self.home = home
        self.clients = []

    async def __aenter__(self):
        self.keeper = WorkerSupervisor(self.far.command, FastClock())
        await self.keeper.start()
        await self.open_front()
        self.client = self.new_client()
        self.broker = Mt5Broker(self.client, self.far.rig.policy, self.clock, server_clock=ServerClock("new_york_plus_7"))
        return self

    async def open_front(self):
        options = GatewayOptions(host="127.0.0.1", port=self.port, token=TOKEN, home=self.home)
        self.front = GatewayServer(options, self.keeper, FastClock())
        await self.front.start()
        self.port = self.front.port

    def new_client(self, port=None, token=TOKEN):
        client = GatewayTerminal(
            f"ws://127.0.0.1:{port or self.port}", token, self.deadlines, self.clock, retry_min_s=1.0, retry_max_s=4.0
        )
        self.clients.append(client)
        return client

    async def ready(self):
        await self.broker.connect()
        await self.broker.select(("EURUSD", "GBPUSD"))

    async def fate(self, request):
        return (await self.broker.execute_request(request))[0].order_outcome

    async def proven(self, question):
        """Ask until something is proven."""

        async def fate():
            found = await self.fate(question)
            return None if isinstance(found, Unconfirmed | Accepted) else found

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
    return QueryOrder(
        **({"client_id": client_id, "symbol": "EURUSD", "side": Side.BUY, "lots": 0.5, "sent_utc_ns": START} | changes)
    )


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
