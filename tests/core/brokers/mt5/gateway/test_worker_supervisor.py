"""One child behind a front: what enters first, what is lost with it, and what never entered."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest

from quarterdeck.core.brokers.base import CallNotSent, ReplyLost
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol, worker_supervisor
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import DEADLINE_S_MIN
from quarterdeck.core.model.inputs import Filled, NewDeal, NotExecuted, Unconfirmed
from tests.core.brokers.mt5.gateway.far_child import GARBLE
from tests.core.brokers.mt5.gateway.line import Line, asked, posix, until
from tests.core.brokers.mt5.kit import close, submit

pytestmark = [pytest.mark.processes]


async def test_day_over_the_wire_equals_a_day_in_process():
    async with Line() as line:
        await line.ready()
        assert (line.client.welcome.module, line.client.welcome.protocol) == ("far", gateway_protocol.PROTOCOL)
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
    ("killed", "before", NotExecuted),
    ("killed", "after", Filled),
    ("hangs", "before", NotExecuted),
    ("hangs", "after", Filled),
    ("garbled", "after", Filled),
    pytest.param("frozen", "before", NotExecuted, marks=posix),
    pytest.param("frozen", "after", Filled, marks=posix),
]


@pytest.mark.parametrize(("loss", "moment", "expected"), LOSSES)
async def test_an_order_whose_child_is_lost_is_asked_after(loss, moment, expected):
    async with Line(send_s=DEADLINE_S_MIN) as line:
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
        assert isinstance(await line.fate(submit()), Unconfirmed)
        assert isinstance(await line.proven(asked()), expected)
        assert len((await line.known_book()).positions) == (expected is Filled)
        assert [name for name, _ in line.far.entered].count("order_send") == 1
        assert line.keeper.replaced == 1
        assert line.keeper.pid != first


async def test_orders_performed_side_by_side_each_find_their_own_deals():
    async with Line() as line:
        await line.ready()
        opened = await asyncio.gather(*(line.broker.execute_request(submit(f"r1-{number}", lots=0.1)) for number in range(1, 9)))
        fates = [told[0].order_outcome for told in opened]
        assert all(isinstance(fate, Filled) for fate in fates)
        assert len({fate.position_id for fate in fates}) == 8
        deals = [item.deal.deal_ticket for told in opened for item in told if isinstance(item, NewDeal)]
        assert len(deals) == len(set(deals)) == 8
        closes = [close(fate.position_id, client_id=f"r1-{20 + number}", lots=0.1) for number, fate in enumerate(fates)]
        closed = await asyncio.gather(*(line.broker.execute_request(effect) for effect in closes))
        assert [told[0].order_outcome.position_id for told in closed] == [fate.position_id for fate in fates]
        assert (await line.known_book()).positions == ()


async def test_order_for_an_ended_child_was_not_sent():
    async with Line() as line:
        await line.ready()
        first = line.keeper.pid
        os.kill(first, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        await until(lambda: line.keeper._process.returncode is not None)
        with pytest.raises(CallNotSent, match="had ended before"):
            await line.client.call("order_send", {})
        await line.ready()
        assert line.keeper.pid != first
        assert [name for name, _ in line.far.entered if name == "order_send"] == []


async def test_no_client_gets_the_child_killed_for_a_slow_read():
    async with Line(read_s=0.01) as line:
        line.far.before["account_info"] = lambda _: time.sleep(DEADLINE_S_MIN / 2)
        await line.client.call("account_info")
        assert line.keeper.replaced == 0


async def test_a_child_that_starts_slowly_gets_more_time_each_try(monkeypatch):
    async with Line() as line:
        await line.ready()
        monkeypatch.setattr(worker_supervisor, "_START_LIMITS_S", (0.001, 0.002, 60.0))
        first = line.keeper.pid
        os.kill(first, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        await until(lambda: line.keeper._process.returncode is not None)
        with pytest.raises(CallNotSent):
            await line.client.call("account_info")
        await until(lambda: line.keeper.pid not in (first, None), limit_s=120.0)


@posix
async def test_child_that_dies_during_a_call_is_not_reported_slow():
    async with Line(read_s=20.0) as line:
        await line.ready()
        line.far.before["account_info"] = lambda _args: os.kill(line.keeper.pid, signal.SIGKILL)
        with pytest.raises(ReplyLost, match="process ended while a call was inside"):
            await line.client.call("account_info")


async def test_only_the_running_call_is_lost_queued_calls_are_unsent():
    async with Line(read_s=DEADLINE_S_MIN, send_s=3.0) as line:
        await line.ready()
        line.far.before["symbol_info"] = lambda _: time.sleep(1.0)
        others = line.new_client()
        await others.call("account_info")
        inside = asyncio.create_task(line.client.call("symbol_info", "EURUSD"))
        await until(lambda: line.far.entered[-1][0] == "symbol_info")
        behind = asyncio.create_task(others.call("order_send", {"action": 1, "symbol": "EURUSD"}))
        with pytest.raises(ReplyLost):
            await inside
        with pytest.raises(CallNotSent):
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
        with pytest.raises(ReplyLost):
            await lost
        await blocking
        await line.client.call("account_info")
        assert "order_send" not in [name for name, _ in line.far.entered]
