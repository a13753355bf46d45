"""A live desk whose broker lacks bars of the warm-up: that pair is withheld and says why, others trade, until the bars are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarterdeck.core.brokers.base import CallReply, Terminal
from quarterdeck.core.brokers.mt5.mt5_constants import TIMEFRAMES
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.journal.heartbeat import heartbeat_of
from quarterdeck.core.model.effects import Alert, Submit
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.study.audit import audit
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import Line, World, pip_sizes

HOLE = (SEEDED_START_UTC_NS - 20 * M15_NS, SEEDED_START_UTC_NS - 10 * M15_NS)


class HoledWorld(World):
    """A world whose broker has no M15 bars of EURUSD between two instants."""

    hole = (0, 0)

    def line(self) -> Terminal:
        return Holed(self)


class Holed(Line):
    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        reply = await super().call(name, *args, **kwargs)
        asked = (*args, *kwargs.values())
        if name.startswith("copy_rates") and "EURUSD" in asked and TIMEFRAMES["M15"] in asked and reply.value is not None:
            assert isinstance(self._world, HoledWorld)
            clock = 2 * 3_600  # of the server, in the winter of these days
            opens = (reply.value["time"].astype(np.int64) - clock) * NS_PER_S
            first, last = self._world.hole
            return CallReply(reply.value[(opens < first) | (opens >= last)], reply.error_code, reply.error_text)
        return reply


@pytest.fixture
def world(tmp_path: Path) -> HoledWorld:
    made = HoledWorld(tmp_path, seed=4, history_days=8, desk__pairs=["EURUSD", "GBPUSD"], position__time_exit_hours=1.0)
    made.scanner = EagerScanner(4, pip_sizes(made.settings), share=1.0)
    return made


def test_a_pair_with_a_hole_waits_for_its_bars(world: HoledWorld) -> None:
    answers: list[tuple[int, Signal | NoSignal]] = []
    seen: dict[str, Any] = {}

    def watch(at_utc_ns: int, item: Input, _effects: object) -> None:
        if isinstance(item, Signal | NoSignal):
            answers.append((at_utc_ns, item))

    def symbols() -> set[str]:
        return {effect.symbol for _, effect in world.effects if isinstance(effect, Submit)}

    async def life(world: World) -> None:
        assert isinstance(world, HoledWorld)
        world.watchers.append(watch)
        world.hole = HOLE
        engine = await world.start()
        seen["at start"] = heartbeat_of(engine.snapshot()).problems
        await world.hours_without(1.1)
        seen["while"], seen["traded"] = heartbeat_of(engine.snapshot()).problems, symbols()
        world.hole = (0, 0)
        await world.hours_without(0.6)
        seen["after"], seen["traded after"] = heartbeat_of(engine.snapshot()).problems, symbols()
        await world.close()

    world.run(life)
    for when in ("at start", "while"):
        (problem,) = [one for one in seen[when] if one.kind == "history"]
        assert "EURUSD: no data from " in problem.text, when
    assert not [one for one in seen["after"] if one.kind == "history"]
    assert seen["traded"] == {"GBPUSD"}
    assert seen["traded after"] == {"EURUSD", "GBPUSD"}
    withheld = [answer for _, answer in answers if isinstance(answer, NoSignal) and answer.withheld]
    assert {answer.symbol for answer in withheld} == {"EURUSD"}
    assert all(answer.withheld.startswith("incomplete history: no data from ") for answer in withheld)
    alerts = [effect.text for _, effect in world.effects if isinstance(effect, Alert) and effect.symbol == "EURUSD"]
    assert [("incomplete" in text, "complete again" in text) for text in alerts if "warm-up" in text] == [
        (True, False),
        (False, True),
    ]
    assert audit(world.home.journal, Desk).agrees


def test_a_later_outage_withholds_until_the_bars_are_read(world: HoledWorld) -> None:
    seen: list[str] = []

    async def life(world: World) -> None:
        assert isinstance(world, HoledWorld)
        engine = await world.start()
        await world.hours_without(0.3)
        seen.append(engine.snapshot().engine.history_why)
        begun = world.now_utc_ns // M15_NS * M15_NS
        world.hole = (begun, begun + M15_NS)
        await world.hours_without(0.55)
        seen.append(engine.snapshot().engine.history_why)
        world.hole = (0, 0)
        await world.hours_without(0.3)
        seen.append(engine.snapshot().engine.history_why)
        await world.close()

    world.run(life)
    assert (seen[0], seen[2]) == ("", "")
    assert "EURUSD: the quarter hour of " in seen[1]
