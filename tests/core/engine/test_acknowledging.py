"""An answer to a command leaves when the journal, or at least its reserve, holds what it says (law 15)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from quarterdeck.core.engine.latest_quotes import FlatOnRecord
from quarterdeck.core.model.commands import Command, Pause, SetSettings, StopEngine
from quarterdeck.core.model.snapshot import FlattenView
from tests.cli.fake_engine import snapshot
from tests.sim.simulated_engine import World

ORDERS: tuple[Command, ...] = (Pause(), SetSettings(changes=(("risk.risk_per_trade_pct", "0.5"),)), StopEngine(policy="keep"))


def world_at(home: Path) -> World:
    return World(home, seed=3, history_days=3, desk__pairs=["EURUSD"])


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_no_answer_leaves_before_the_journal_holds_it(order: Command, tmp_path: Path) -> None:
    world = world_at(tmp_path / "home")
    on_disk = asyncio.Event()

    async def slow() -> bool:
        await on_disk.wait()
        return True

    async def live(world: World) -> None:
        engine = await world.start()
        with patch.object(engine.journal, "flush", slow):
            answer = asyncio.create_task(engine.side.command(order, "test", "test-1"))
            await asyncio.sleep(5.0)
            assert not answer.done(), "a crash now would undo what it says"
            on_disk.set()
            result = await answer
        assert result.ok, result.text
        await world.close()

    world.run(live)


@pytest.mark.parametrize("reserve_serves", [True, False])
def test_what_neither_journal_nor_reserve_holds_is_no_success(reserve_serves: bool, tmp_path: Path) -> None:
    world = world_at(tmp_path / "home")

    async def unwritable() -> bool:
        return False

    async def live(world: World) -> Any:
        engine = await world.start()
        engine.journal.reserve_holds = reserve_serves
        with patch.object(engine.journal, "flush", unwritable):
            result = await engine.side.command(Pause(), "test", "test-1")
        await world.close()
        return result

    result = world.run(live)
    assert result.ok is reserve_serves
    assert ("NOT RECORDED" in result.text) is not reserve_serves


def test_flat_is_shown_once_it_is_recorded() -> None:
    view = snapshot(flatten=FlattenView(scope="ours", since_utc_ns=5, done=True, text="flat, verified, 1.0 s")).desk
    proof, recorded = FlatOnRecord(), [0]

    def shown() -> FlattenView:
        found = proof.shown(view, lambda seq: recorded[0] >= seq).flatten
        assert found is not None
        return found

    assert (shown().done, "verified" in shown().text) == (False, False)
    recorded[0] = view.seq
    assert (shown().done, shown().text) == (True, "flat, verified, 1.0 s")
