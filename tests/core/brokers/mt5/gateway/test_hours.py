"""A long bad time over a real gateway: children killed, frozen and garbled at random; no order lost, none doubled, no orphan."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time

import pytest

from quarterdeck.core.brokers.mt5.gateway.allowed_calls import DEADLINE_S_MIN
from quarterdeck.core.model.effects import QueryBook, QueryOrder
from quarterdeck.core.model.inputs import Accepted, BrokerBook, Filled, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from tests.core.brokers.mt5.gateway.far_child import GARBLE
from tests.core.brokers.mt5.gateway.line import Line
from tests.core.brokers.mt5.kit import close, submit

pytestmark = [pytest.mark.processes, pytest.mark.slow]


class Trouble:
    """Strikes at the door of the far terminal, before or after a call is carried out."""

    def __init__(self, line, seed, rate):
        self._line = line
        self._random = random.Random(seed)
        self._rate = rate
        self.struck = {}
        line.far.before["order_send"] = lambda _: self._maybe(before=True)
        line.far.after["order_send"] = lambda _: self._maybe(before=False)
        line.far.before["positions_get"] = lambda _: self._maybe(before=True, rate=rate / 6)

    def _maybe(self, *, before, rate=None):
        if self._random.random() >= (rate or self._rate):
            return None
        kinds = ["killed", "hangs", "garbled"] if sys.platform == "win32" else ["killed", "hangs", "garbled", "frozen"]
        kind = self._random.choice(kinds)
        self.struck[kind] = self.struck.get(kind, 0) + 1
        pid = self._line.keeper.pid
        if kind == "garbled":
            return GARBLE
        if kind == "hangs":
            time.sleep(DEADLINE_S_MIN + 0.1)
        elif pid is not None:
            number = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL if kind == "killed" else signal.SIGSTOP
            os.kill(pid, number)
        if before:
            raise EOFError
        return None


async def traded(line, orders, seed):
    """Open, close, query what is unknown; what we believe afterwards, by client id."""
    draw = random.Random(seed)
    believed = {}
    for number in range(1, orders + 1):
        book = await fresh_book(line)
        held = [position for position in book.positions if position.magic == line.far.rig.policy.magic]
        client_id = f"w{seed}-{number}"
        sent = line.clock.utc_ns() - 2 * NS_PER_S
        if held and (len(held) > 3 or draw.random() < 0.5):
            position = draw.choice(held)
            request = close(position.ticket, client_id=client_id, position_id=position.position_id, lots=position.lots)
            question = QueryOrder(
                client_id=client_id,
                symbol="EURUSD",
                side=Side.BUY,
                lots=position.lots,
                sent_utc_ns=sent,
                position_id=position.position_id,
            )
        else:
            request = submit(client_id, lots=0.1)
            question = QueryOrder(client_id=client_id, symbol="EURUSD", side=Side.BUY, lots=0.1, sent_utc_ns=sent)
        fate = await line.fate(request)
        if isinstance(fate, Unconfirmed | Accepted):
            fate = await line.proven(question)
        believed[client_id] = fate
    return believed


async def fresh_book(line):
    async with asyncio.timeout(30):
        while True:
            book = (await line.broker.execute_request(QueryBook(why="test")))[-1]
            if isinstance(book, BrokerBook) and book.known:
                return book
            await asyncio.sleep(0.01)


async def a_bad_time(seed, orders, rate):
    async with Line(read_s=DEADLINE_S_MIN, send_s=DEADLINE_S_MIN, speed=3000.0) as line:
        await line.ready()
        trouble = Trouble(line, seed, rate)
        believed = await traded(line, orders, seed)
        for hooks in (line.far.before, line.far.after):
            hooks.clear()
        book = await fresh_book(line)
        deals = [deal for deal in line.far.rig.terminal.ledger.deals if deal.symbol]
        by_comment = {}
        for deal in deals:
            by_comment.setdefault(deal.comment, []).append(deal)
        filled = {client_id for client_id, fate in believed.items() if isinstance(fate, Filled)}
        assert set(by_comment) == filled, "every deal is known, and nothing is believed that was not dealt"
        assert all(len(found) == 1 for found in by_comment.values()), "none doubled"
        held = {position.ticket for position in line.far.rig.positions}
        assert {position.ticket for position in book.positions} == held, "no orphan"
        assert all(position.stop_price for position in book.positions)
        print(f"seed {seed}: {orders} orders, {len(filled)} filled, {line.keeper.replaced} children replaced, {trouble.struck}")
        return line.keeper.replaced


async def test_a_short_bad_time():
    replaced = await a_bad_time(seed=3, orders=10, rate=0.3)
    assert replaced >= 2


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 16))
async def test_a_week_of_bad_times(seed):
    await a_bad_time(seed=seed, orders=150, rate=0.15)
