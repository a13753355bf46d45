"""The broker's symbols through the whole engine: a rename with positions open, a pair offered twice, a cent account."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from quarterdeck.core.brokers.simulator.ledger_changes import set_terms
from quarterdeck.core.brokers.simulator.operator_actions import OldSymbol, OpenByHand, OperatorActions, RenameSymbol
from quarterdeck.core.model.effects import Alert, TradeClosed
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM

PAIRS = ["EURUSD", "GBPUSD"]


def world_of(home: Path, seed: int) -> World:
    world = World(home, seed=seed, desk__pairs=PAIRS, **ROOM)
    world.scanner = EagerScanner(seed, pip_sizes(world.settings), share=1.0)
    return world


async def until_open(world: World, symbol: str) -> None:
    await world.until(lambda: any(held[0] == symbol for held in world.ledger_lots().values()), 6.0, f"a position in {symbol}")
    await world.until(world.settled, 1.0, "one book")


def test_a_rename_with_positions_open_keeps_them_managed_and_closable(tmp_path: Path) -> None:
    world = world_of(tmp_path, 5)

    async def life(_: World) -> None:
        await world.start()
        await until_open(world, "EURUSD")
        before = set(world.ledger_lots())
        OperatorActions(world.terminal).carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro"))
        await world.hours(0.1)
        alerts = [one for _, one in world.effects if isinstance(one, Alert)]
        assert not [one.text for one in alerts if one.kind == "state" and "HALTED" in one.text]
        assert world._running.desk.view().positions
        await world.hours(0.5)
        await world.flatten()
        assert world.ledger_lots() == {}
        closed = {one.position_id: one.symbol for _, one in world.effects if isinstance(one, TradeClosed)}
        assert before <= set(closed)
        assert set(closed.values()) <= set(PAIRS)
        await world.close()

    world.run(life)
    deals = [deal for deal in world.terminal.ledger.deals if deal.symbol]
    assert {deal.symbol for deal in deals if deal.entry == 0} & {"EURUSD"}
    assert {deal.symbol for deal in deals if deal.entry == 1} & {"EURUSD.pro"}


@pytest.mark.parametrize("old", ["beside", "close_only"])
def test_a_restart_closes_positions_by_their_own_symbol(old: OldSymbol, tmp_path: Path) -> None:
    world = world_of(tmp_path, 6)

    async def life(_: World) -> None:
        await world.start()
        await until_open(world, "EURUSD")
        await world.close()
        actions = OperatorActions(world.terminal)
        actions.carry_out(RenameSymbol(symbol="EURUSD", name="EURUSD.pro", old=old))
        actions.carry_out(OpenByHand(symbol="EURUSD.pro", side="buy", lots=0.3, stop_price=0.5))
        await world.start()
        await world.hours(0.3)
        await world.flatten()
        left = [(held.symbol, held.magic) for held in world.terminal.ledger.positions.values()]
        assert left == [("EURUSD.pro", 0)]
        await world.close()

    world.run(life)
    opened = {deal.position_id: deal.symbol for deal in world.terminal.ledger.deals if deal.symbol and deal.entry == 0}
    closed = {deal.position_id: deal.symbol for deal in world.terminal.ledger.deals if deal.symbol and deal.entry == 1}
    assert closed
    assert all(opened[position] == symbol for position, symbol in closed.items())


def test_a_cent_account_sizes_its_risk_in_cents(tmp_path: Path) -> None:
    world = world_of(tmp_path, 7)
    ledger = world.terminal.ledger
    set_terms(ledger, structs.replace(ledger.terms, currency="USC"))
    ledger.cash(1_980_000.0, "Deposit")

    async def life(_: World) -> None:
        await world.start()
        await until_open(world, "EURUSD")
        held = next(row for row in ledger.positions.values() if row.symbol == "EURUSD")
        at_stop_usd = abs(held.open_price - held.stop_price) * held.lots * 100_000
        # half a percent of 2,000,000 cents are 10,000 cents, or 100 dollars
        assert 50.0 < at_stop_usd <= 101.0
        await world.close()

    world.run(life)
