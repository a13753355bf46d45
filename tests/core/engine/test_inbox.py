"""What waits for the desk is bounded, and what finds no place is read again: no pair falls silent, no deal is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.engine.inbox import Inbox
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.commands import Pause
from quarterdeck.core.model.inputs import (
    BarMissing,
    CommandReceived,
    EngineFault,
    ExecutionReport,
    Input,
    NewDeal,
    TimerFired,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Quote, Side
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes

PAIRS = ("EURUSD", "GBPUSD", "USDJPY")


def quote(symbol: str, number: int) -> Quote:
    return Quote(symbol=symbol, bid=1.0 + number, ask=1.1 + number, at_utc_ns=number)


def deal(ticket: int) -> NewDeal:
    plain = {"deal_ticket": ticket, "order_ticket": 0, "position_id": 0, "symbol": "", "side": 1, "entry": "in"}
    return NewDeal(deal=msgspec.convert({**plain, "reason": "other", "lots": 0.0, "price": 0.0, "at_utc_ns": 1}, Deal))


def emptied(inbox: Inbox) -> list[Input]:
    return [inbox.take() for _ in range(len(inbox))]


@given(st.lists(st.tuples(st.sampled_from("qdrc"), st.integers(0, 2)), max_size=120), st.integers(1, 12))
def test_a_quote_flood_loses_no_pair_and_command(flood: list[tuple[str, int]], most: int) -> None:
    inbox, newest, refused, commands = Inbox(lambda: 0.0, most), {}, 0, 0
    for number, (kind, pair) in enumerate(flood):
        item: Input
        if kind == "q":
            item = newest[PAIRS[pair]] = quote(PAIRS[pair], number)
        elif kind == "d":
            item = deal(number)
        elif kind == "r":
            item = ExecutionReport(client_id=f"{number}", order_outcome=Unconfirmed(why=""))
        else:
            item = CommandReceived(command_id=f"{number}", origin="test", command=Pause())
        taken = inbox.put(item)
        refused += not taken
        commands += kind in "rc"
        assert taken or kind == "d" or commands > most, "only what can be read again is left out at the bound"
        assert len(inbox) <= 2 * most + len(PAIRS)
    assert inbox.left_out == refused
    found = emptied(inbox)
    assert {item.symbol: item for item in found if isinstance(item, Quote)} == newest


def test_what_stops_entries_waits_behind_nothing() -> None:
    inbox = Inbox(lambda: 0.0, 3)
    for _ in range(3):
        inbox.put(TimerFired())
    assert not inbox.put(BarMissing(symbol="EURUSD", timeframe="M15", bar_open_utc_ns=0))
    inbox.put_first(EngineFault(kind="backlog", active=True))
    assert isinstance(inbox.take(), EngineFault)


@pytest.mark.parametrize("seed", [3, 11])
def test_after_an_overflow_desk_and_broker_hold_the_same(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "home", seed=seed, desk__pairs=["EURUSD", "GBPUSD"])
    world.scanner = EagerScanner(seed, pip_sizes(world.settings))

    async def floods(world: World) -> list[str]:
        engine = await world.start()
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position")
        feed = engine.run_loop._live
        seen = []
        monkeypatch.setattr(feed._inbox, "_most", 0)  # nothing that can be read again finds a place
        world.by_hand("EURUSD", Side.SELL)
        await asyncio.sleep(120.0)
        assert engine.desk.view().external_count == 0, "its deal and its book found no place"
        seen.append("backlog" in [reason.code for reason in engine.desk.view().reasons])
        monkeypatch.setattr(feed._inbox, "_most", 10_000)
        await asyncio.sleep(120.0)
        seen.append("backlog" in [reason.code for reason in engine.desk.view().reasons])
        assert engine.desk.view().external_count == 1
        assert world.desk_lots() == world.ledger_lots()
        await world.close()
        return seen

    assert world.run(floods) == [True, False]
