"""The real engine through a whole week of four pairs: in lockstep with the shipped strategy, and on virtual time as it runs live."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.engine import Engine, RunEnd
from quarterdeck.core.engine.simulated_venues import simulated_venue
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.effects import Effect, PositionOpened, TradeClosed
from quarterdeck.core.model.units import DAY_NS, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings, shipped_tree, validated, with_values
from quarterdeck.core.strategy.strategy_loader import load_strategy
from quarterdeck.core.study.audit import audit
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes

WEEK_NS = 7 * DAY_NS
WEEK_H = 7 * 24.0
PAIRS = 4


def lockstep_week(home: Path) -> tuple[RunEnd, Engine, list[Effect]]:
    """A week of the seeded market as `run` lives it, as fast as the machine goes."""
    tree = with_values(shipped_tree(), [("strategy.confidence_min", 0.6)])
    settings = validated(tree, "test")
    venue = simulated_venue(settings, run_id="week", speed=None)
    begin: UtcNs = venue.terminal.now_utc_ns  # type: ignore[union-attr] # a simulated one
    venue = structs.replace(venue, until_utc_ns=begin + WEEK_NS, ends=True)
    loop = VirtualTimeLoop(begin)
    heard: list[Effect] = []

    async def life() -> tuple[RunEnd, Engine]:
        engine = Engine(
            home=Home(home),
            loaded=LoadedSettings(settings, tree, tree, {}, ()),
            venue=venue,
            strategy=load_strategy(settings),
            clock=VirtualClock(loop),
            secrets=Secrets(),
            real_time=False,
        )
        await engine.start(lambda _: None)
        engine.runner.listen(lambda _, effect: heard.append(effect))
        end = await engine.run()
        await engine.close(end)
        return end, engine

    asyncio.set_event_loop(loop)
    try:
        end, engine = loop.run_until_complete(life())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return end, engine, heard


def test_a_week_of_four_pairs_in_lockstep_is_audited_wholly(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    end, engine, heard = lockstep_week(tmp_path)
    assert end.clean, end
    assert engine.run_loop.bars >= PAIRS * 4 * 24 * 4.5, "five days of quarter hours, less the closed ones"
    opened = [one for one in heard if isinstance(one, PositionOpened)]
    closed = [one for one in heard if isinstance(one, TradeClosed)]
    assert opened
    assert {one.position_id for one in opened} == {one.position_id for one in closed}
    found = audit(tmp_path / "journal.sqlite", Desk)
    assert found.agrees, found.lines()
    assert found.inputs > 2 * PAIRS * 4 * 24 * 4
    assert found.decisions > len(opened)
    with TapeReader(tmp_path / "journal.sqlite") as reader:
        assert len(list(reader.runs())) == 1


async def _week(world: World, watch: Watch) -> None:
    await world.start()
    await world.hours(WEEK_H)
    watch.check()
    await world.until(world.settled, 1.0, "one book")
    watch.converged()
    await world.flatten()
    watch.flat()
    await world.close()
    watch.check()


@pytest.mark.soak
@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
def test_a_week_on_virtual_time_as_it_runs_live(hedging: bool, tmp_path: Path) -> None:
    """The same loops as on a real account: a week of them passes while nobody waits."""
    world = World(
        tmp_path, seed=31, start_utc_ns=START_UTC_NS, simulation__hedging=hedging, engine__quote_poll_ms=60_000.0, tick_s=60
    )
    world.scanner = EagerScanner(31, pip_sizes(world.settings), share=0.1)
    watch = Watch(world)
    world.run(lambda _: _week(world, watch))
    assert len(watch.trades) > 5
    assert audit(world.home.journal, Desk).agrees
