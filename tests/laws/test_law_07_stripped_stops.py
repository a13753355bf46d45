"""Law 7 against a whole engine: a server that strips the stop after the fill has its position closed at once, and the pair blocked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.model.units import NS_PER_S
from tests.sim.eager_scanner import EagerScanner
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
def test_a_server_that_strips_stops_is_left(hedging: bool, tmp_path: Path) -> None:
    world = World(tmp_path, seed=6, start_utc_ns=START_UTC_NS, simulation__hedging=hedging)
    world.scanner = EagerScanner(6, pip_sizes(world.settings), share=1.0)
    stripped: dict[int, int] = {}

    def strip(name: str, args: tuple[Any, ...]) -> None:
        if name != "order_send" or args[0].get("position"):
            return
        for held in world.terminal.ledger.positions.values():
            stripped.setdefault(held.position_id, world.now_utc_ns)
            world.terminal.ledger.set_stops(held, 0.0, held.target_price)

    world.requests.append(strip)

    async def life(_: World) -> None:
        engine = await world.start()
        await world.hours(0.1)
        assert stripped
        assert not world.ledger_lots(), "what has no stop does not stand"
        closed = {deal.position_id: deal.at_utc_ns for deal in world.terminal.ledger.deals if deal.entry == 1}
        assert all(closed[position] - at <= 5 * NS_PER_S for position, at in stripped.items())
        await world.hours(0.5)
        entered = [deal.symbol for deal in world.terminal.ledger.deals if deal.symbol and deal.entry == 0]
        assert len(set(entered)) == len(entered), "a blocked pair is not entered again"
        assert {pair.symbol for pair in engine.desk.view().pairs if pair.entries_blocked} == set(entered)
        await world.close()

    world.run(life)
