"""A pair whose quotes stop while its position should leave: through the whole engine, with a symbol that left Market Watch."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.model.effects import Alert, Close
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM

NEVER = 2**62


def test_a_silent_pairs_position_exits_by_time(tmp_path: Path) -> None:
    world = World(tmp_path, seed=6, **(ROOM | {"position__time_exit_hours": 1.0, "filters__quote_age_max_s": 60.0}))
    world.scanner = EagerScanner(6, pip_sizes(world.settings), share=1.0, stop_pips=(90.0, 100.0))

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: bool(world.ledger_lots()), 4.0, "a position")
        position_id, (symbol, _, _) = min(world.ledger_lots().items())
        world.faults.set(FaultRates(quote_gap=1e-12))
        world.faults._quoted_again[symbol] = NEVER
        await world.until(lambda: symbol in world.state()["silent"], 0.9, "silence")
        assert [one.symbol for _, one in world.effects if isinstance(one, Alert) and one.kind == "connection"] == [symbol]
        await world.until(lambda: position_id not in world.ledger_lots(), 1.2, "the exit by age")
        assert "age" in [one.why for _, one in world.effects if isinstance(one, Close) and one.position_id == position_id]
        world.faults._quoted_again.clear()
        await world.until(lambda: symbol not in world.state()["silent"], 0.2, "quotes again")
        await world.close()

    world.run(life)


def test_a_symbol_that_left_market_watch_is_selected_again(tmp_path: Path) -> None:
    world = World(tmp_path, seed=7)
    world.scanner = EagerScanner(7, pip_sizes(world.settings), share=0.0)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        world.terminal.state.watch.pop("EURUSD")
        await world.hours(0.1)
        assert "EURUSD" in world.terminal.state.watch
        await world.close()

    world.run(life)
