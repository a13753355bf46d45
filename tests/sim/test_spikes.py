"""A bad tick that a terminal shows for a second, through the whole engine: nothing is closed; one that stays closes the book."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.model.effects import Alert, Close
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM

TRIP = {
    "breakers__day_loss_max_pct": 4.0,
    "breakers__trip_action": "flatten",
    "engine__quote_poll_ms": 250.0,
    "position__time_exit_hours": 0.0,
}


@pytest.mark.parametrize("stays", [False, True])
def test_a_bad_tick_closes_nothing_unless_it_stays(stays: bool, tmp_path: Path) -> None:
    world = World(tmp_path, seed=9, **(ROOM | TRIP))
    world.scanner = EagerScanner(9, pip_sizes(world.settings), share=1.0, stop_pips=(190.0, 200.0))

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: bool(world.ledger_lots()), 4.0, "a position")
        world.scanner.share = 0.0  # type: ignore[union-attr] # it is there
        quotes = world.terminal.ledger.quotes
        symbol, side, _ = next(iter(world.ledger_lots().values()))
        await world.until(lambda: (world.now_utc_ns // 10**9) % 15 == 5, 0.1, "between two ticks", every_s=0.5)
        bid, ask, _ = quotes[symbol]
        bad = 1.0 - side * 0.2
        quotes[symbol] = (bid * bad, ask * bad, world.now_utc_ns)
        await world.until(lambda: symbol in world.state()["suspects"], 0.01, "the bad tick", every_s=0.2)
        if stays:
            await world.until(lambda: any(isinstance(one, Close) for _, one in world.effects), 0.01, "closing", every_s=0.2)
        else:
            quotes[symbol] = (bid, ask, world.now_utc_ns)
            await world.hours(0.01)
            assert not [one for _, one in world.effects if isinstance(one, Close)]
            assert not [one for _, one in world.effects if isinstance(one, Alert) and one.kind == "breaker"]
        await world.close()

    world.run(life)
