"""A broker that refuses the same close again and again, through the whole engine: longer waits, one alert, and no flood."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.model.commands import ClosePosition
from quarterdeck.core.model.effects import Alert, Close
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes
from tests.sim.test_flatten_under_faults import ROOM


@pytest.mark.parametrize(("code", "least_s", "most_s"), [(10014, 1.9, 61.0), (10021, 0.0, 6.5)])
def test_a_refused_close_goes_again_as_its_code_deserves(code: int, least_s: float, most_s: float, tmp_path: Path) -> None:
    world = World(tmp_path, seed=8, **ROOM)
    world.scanner = EagerScanner(8, pip_sizes(world.settings), share=1.0, stop_pips=(90.0, 100.0))

    async def life(_: World) -> None:
        await world.start()
        await world.until(lambda: bool(world.ledger_lots()), 4.0, "a position")
        world.scanner.share = 0.0  # type: ignore[union-attr] # it is there
        position_id = min(world.ledger_lots())
        world.faults.set(FaultRates(slow_call=1e-12))
        world.faults._burst = [code] * 6
        world.give(ClosePosition(position_id=position_id))
        await world.until(lambda: position_id not in world.ledger_lots(), 0.2, "the close")
        sent = [at for at, one in world.effects if isinstance(one, Close) and one.position_id == position_id]
        gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(sent)]
        assert len(sent) == 7
        assert min(gaps) >= least_s
        assert max(gaps) <= most_s
        alerts = [one.text for _, one in world.effects if isinstance(one, Alert) and one.kind == "error"]
        assert len(alerts) == 1
        assert "A price gap of" in alerts[0]
        await world.close()

    world.run(life)
