"""A line to the broker that is lost is reported once, and once when it is back, whoever of the many loops met it first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.model.effects import Alert
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes

OUTAGES_S = (0.2, 0.5, 0.9, 1.1, 1.6, 2.3, 3.1, 4.7, 8.3, 20.0)


@pytest.mark.parametrize(("seed", "slow"), [(3, 0.0), (4, 0.3), (5, 0.3), (6, 0.6), (7, 0.6)])
def test_one_outage_is_one_alert_and_one_way_back(seed: int, slow: float, tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=seed, desk__pairs=["EURUSD", "GBPUSD", "USDJPY"])
    world.scanner = EagerScanner(seed, pip_sizes(world.settings))

    async def outages(world: World) -> list[list[str]]:
        engine = await world.start()
        if slow:  # as over a gateway: nobody counts changes there, and calls are long on their way
            engine.venue.broker.change_counter = lambda: None  # type: ignore[method-assign]
            world.faults.set(FaultRates(slow_call=slow, slow_call_s=1.7))
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position")
        told = []
        for outage_s in OUTAGES_S:
            await asyncio.sleep(60.37)
            known = len(world.effects)
            world.terminal.state.running = world.terminal.state.initialised = False
            await asyncio.sleep(outage_s)
            world.terminal.state.running = True
            await asyncio.sleep(60.0)
            news = [effect for _, effect in world.effects[known:] if isinstance(effect, Alert) and effect.kind == "connection"]
            told.append([effect.level for effect in news])
        assert world.desk_lots() == world.ledger_lots()
        await world.close()
        return told

    told = world.run(outages)
    assert all(levels in ([], ["critical", "critical"]) for levels in told), dict(zip(OUTAGES_S, told, strict=True))
    assert told[-1] == ["critical", "critical"]
