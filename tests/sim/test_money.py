"""Money in and out through the whole engine: live, with deals that the history shows late, and while the desk is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.simulator.ledger_rows import DEAL_BALANCE, DEAL_CREDIT
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import Alert, MoneyMoved
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.study.account_report import account_performance
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM

LIMITS: dict[str, Any] = {
    "breakers__day_loss_max_pct": 5.0,
    "breakers__drawdown_max_pct": 10.0,
    "breakers__trip_action": "flatten",
}


def world_of(home: Path, seed: int) -> World:
    world = World(home, seed=seed, **(ROOM | LIMITS))
    world.scanner = EagerScanner(seed, pip_sizes(world.settings), share=1.0)
    return world


def shares(world: World) -> tuple[float, float]:
    """The day's loss and the drawdown, as shares."""
    view = world._running.desk.view()
    return view.day_loss_money / view.day_base_money, view.drawdown_fraction


def tripped(world: World) -> list[str]:
    return [one.text for _, one in world.effects if isinstance(one, Alert) and one.kind in ("breaker", "flatten")]


def cash(world: World, amount: float, *, hidden_s: float = 0.0, credit: bool = False) -> int:
    """Someone moves money; the history shows the deal `hidden_s` later."""
    deal = world.terminal.ledger.cash(amount, "", kind=DEAL_CREDIT if credit else DEAL_BALANCE)
    if hidden_s:
        world.faults._hidden[deal.ticket] = world.now_utc_ns + round(hidden_s * NS_PER_S)
    return deal.ticket


@pytest.mark.parametrize(("amount", "hidden_s", "credit"), [(9_000.0, 0.0, False), (-9_000.0, 20.0, False), (5_000.0, 0.0, True)])
def test_money_moves_no_limit_of_a_desk_that_trades(amount: float, hidden_s: float, credit: bool, tmp_path: Path) -> None:
    world = world_of(tmp_path, 3)

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: len(world.ledger_lots()) >= 2, 4.0, "positions")
        before = shares(world)
        cash(world, amount, hidden_s=hidden_s, credit=credit)
        await world.hours(0.02)
        moved = [one for _, one in world.effects if isinstance(one, MoneyMoved)]
        assert [one.money for one in moved] == [amount]
        assert shares(world) == pytest.approx(before, abs=0.02)
        assert not tripped(world)
        await world.hours(1.0)
        assert world.money_agrees()
        assert not tripped(world)
        await world.close()

    world.run(life)


def test_a_missing_deal_stops_entries_until_the_operator_speaks(tmp_path: Path) -> None:
    world = world_of(tmp_path, 4)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.3)
        cash(world, -4_000.0, hidden_s=1e6)
        await world.until(lambda: "unexplained_money" in world.state()["reasons"], 0.1, "the reason")
        assert not tripped(world)
        world.give(Resolve(client_id="money", outcome="transfer"))
        await world.hours(0.1)
        assert "unexplained_money" not in world.state()["reasons"]
        assert world.money_agrees()
        await world.close()

    world.run(life)


def test_an_offline_deposit_trips_and_reports_nothing(tmp_path: Path) -> None:
    world = world_of(tmp_path, 5)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(1.5)
        await world.flatten()
        before = shares(world)
        await world.bury()
        cash(world, round(world.terminal.ledger.balance_money / 2.0, 2))
        cash(world, -round(world.terminal.ledger.balance_money / 1.5, 2))
        await world.hours_without(0.3)
        await world.start()
        assert shares(world) == pytest.approx(before, rel=1e-6)
        assert world.money_agrees()
        assert "drawdown" not in world.state()["reasons"]
        await world.close()
        with TapeReader(world.home.journal) as reader:
            fallen = account_performance(reader).performance.drawdown
        assert fallen is not None
        assert fallen.fraction < 0.05

    world.run(life)
