"""The doctor inside a running engine finds what the engine's own line can do, and disturbs nothing."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.engine.engine import Engine
from quarterdeck.core.link.messages import DoctorQuery, DoctorReply
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes


async def findings(engine: Engine) -> DoctorReply:
    answer = await engine.side.answer(DoctorQuery())
    assert isinstance(answer, DoctorReply)
    return answer


def test_a_running_engine_examines_its_own_line_and_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=3, history_days=30, desk__pairs=["EURUSD", "GBPUSD"])
    world.scanner = EagerScanner(3, pip_sizes(world.settings))
    sent: list[str] = []

    async def look(world: World) -> DoctorReply:
        engine = await world.start()
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position")
        world.requests.append(lambda name, _: sent.append(name))
        before, known = world.desk_lots(), dict(engine.venue.broker.session.broker_names)  # type: ignore[attr-defined]
        found = await findings(engine)
        assert world.desk_lots() == before
        assert engine.venue.broker.session.broker_names == known  # type: ignore[attr-defined]
        await world.hours(1.0)
        assert engine.desk.view().positions_match
        await world.close()
        return found

    rows = {row.name: row for row in world.run(look).findings}
    assert rows["terminal"].verdict == rows["order EURUSD"].verdict == rows["deals"].verdict == "ok"
    assert rows["candles GBPUSD"].number
    assert "order_check" in sent


def test_a_switch_that_is_off_is_found_with_its_remedy(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=3, desk__pairs=["EURUSD"])
    world.scanner = EagerScanner(3, pip_sizes(world.settings), share=0.0)

    async def look(world: World) -> DoctorReply:
        engine = await world.start()
        world.terminal.state.algo_allowed = False
        found = await findings(engine)
        await world.close()
        return found

    (row,) = [row for row in world.run(look).findings if row.name == "algo trading"]
    assert (row.verdict, bool(row.remedy)) == ("fail", True)
