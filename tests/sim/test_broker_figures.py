"""The broker's figures through the whole engine: its margin beside ours, and a specification that changes while the desk trades."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import structs

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.valuation import Valuation
from quarterdeck.core.desk.margin import used_margin_money
from quarterdeck.core.model.commands import ClosePosition
from quarterdeck.core.model.effects import Alert, Verdict
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM


def world_of(home: Path, seed: int, **more: Any) -> World:
    world = World(home, seed=seed, **(ROOM | more))
    world.scanner = EagerScanner(seed, pip_sizes(world.settings), share=1.0, stop_pips=(60.0, 80.0))
    return world


def alerts(world: World, words: str) -> list[str]:
    return [one.text for _, one in world.effects if isinstance(one, Alert) and words in one.text]


def used(world: World) -> float | None:
    ctx = world._running.desk._ctx
    assert ctx is not None
    return used_margin_money(ctx)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_broker_margin_counts_and_differences_alert_once(factor: float, tmp_path: Path) -> None:
    world = world_of(tmp_path, 3)
    own = Ledger.margin_money

    def dearer(ledger: Ledger, *args: Any) -> float:
        return round(own(ledger, *args) * factor, 2)

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: len(world.ledger_lots()) >= 2 and world.settled(), 2.0, "positions")
        await world.hours(0.3)
        reported = world.terminal.ledger.margin_money()
        assert used(world) == pytest.approx(reported, rel=0.02)
        assert len(alerts(world, "margin of")) == (0 if factor == 1.0 else 1)
        assert world.state()["instruments"]["EURUSD"]["order_margin_buy_money"] > 0.0
        await world.close()

    with patch.object(Ledger, "margin_money", dearer):
        world.run(life)


def test_a_changed_specification_reaches_the_desk(tmp_path: Path) -> None:
    world = world_of(tmp_path, 4)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        specs = world.terminal.ledger.instruments
        specs["GBPUSD"] = structs.replace(specs["GBPUSD"], trade_mode="close_only")
        await world.until(lambda: bool(alerts(world, "trade_mode full to close_only")), 0.1, "the change")
        await world.hours(1.0)
        judged = [one for _, one in world.effects if isinstance(one, Verdict) and one.symbol == "GBPUSD"]
        assert any(one.reason == "trade_mode" for one in judged)
        await world.close()

    world.run(life)


def test_a_refusal_that_names_the_specification_reads_it_again(tmp_path: Path) -> None:
    world = world_of(tmp_path, 8, engine__specifications_s=86_400.0)

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: bool(world.ledger_lots()), 2.0, "a position")
        world.scanner.share = 0.0  # type: ignore[union-attr] # it is there
        specs = world.terminal.ledger.instruments
        specs["EURUSD"] = structs.replace(specs["EURUSD"], stops_level_points=77)
        await world.hours(0.2)
        assert world.state()["instruments"]["EURUSD"]["stops_level_points"] != 77
        world.faults.set(FaultRates(slow_call=1e-12))
        world.faults._burst = [10014]
        world.give(ClosePosition(position_id=min(world.ledger_lots())))
        await world.until(lambda: world.state()["instruments"]["EURUSD"]["stops_level_points"] == 77, 0.05, "the reading")
        await world.close()

    world.run(life)


def test_commission_is_learned_from_what_the_broker_charged(tmp_path: Path) -> None:
    loose = {f"breakers__{name}": 50 for name in ("day_loss_max_pct", "drawdown_max_pct", "consecutive_losses_max")}
    often = {"breakers__entries_per_day_max": 60, "position__time_exit_hours": 0.5}
    world = world_of(tmp_path, 6, simulation__balance_money=200_000.0, **loose, **often)
    own = Valuation.commission_money

    async def life(_: World) -> None:
        await world.start()

        def learned() -> list[dict[str, Any]]:
            return [pair["learned_commission"] for pair in world.state()["pairs"].values() if pair["learned_commission"]]

        await world.until(lambda: bool(learned()), 9.0, "a figure", every_s=120.0)
        found = learned()[0]
        assert found["round_trips"] >= 5
        assert found["open_money_per_lot"] == pytest.approx(7.0, rel=0.01)
        assert found["close_money_per_lot"] == pytest.approx(7.0, rel=0.01)
        await world.close()

    with patch.object(Valuation, "commission_money", lambda money, lots: 2.0 * (own(money, lots) or 0.0)):
        world.run(life)
