"""A clock that is set, a machine that sleeps, a virtual machine that stood still: said, and harmless to positions and journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.clock.virtual import VirtualTimeLoop
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.study.audit import audit
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, pip_sizes

HOUR_S = 3600.0


class Machine:
    """The machine's clocks over virtual time: one that can be set, and one that may miss time."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self.loop = loop
        self.set_s = 0.0
        self.missed_s = 0.0

    def utc_ns(self) -> int:
        return self.loop.utc_ns() + round(self.set_s * NS_PER_S)

    def monotonic_s(self) -> float:
        return self.loop.time()

    def elapsed_s(self) -> float:
        return self.loop.time() - self.missed_s


class JumpyWorld(World):
    def __init__(self, home: Path, start_utc_ns: int = SEEDED_START_UTC_NS, **values: Any) -> None:
        super().__init__(
            home,
            seed=11,
            start_utc_ns=start_utc_ns,
            history_days=3,
            desk__pairs=["EURUSD", "GBPUSD"],
            engine__quote_idle_ms=1_000.0,
            engine__quote_poll_ms=1_000.0,
            filters__entry_hours=["UTC 00:00-24:00"],
            position__time_exit_hours=4.0,
            **values,
        )
        self.scanner = EagerScanner(11, pip_sizes(self.settings))
        self.machine = Machine(self.loop)

    def clock(self) -> Clock:
        return SteadyClock(self.machine)

    def alerts(self, words: str) -> list[Alert]:
        return [alert for alert in self.heard if words in alert.text]

    async def begun(self) -> None:
        """Trading, with something open."""
        engine = await self.start()
        self.heard: list[Alert] = []
        engine.publisher.alerts.take = self.heard.append  # type: ignore[method-assign] # whoever is informed
        await self.until(lambda: bool(self.desk_lots()), 3.0, "a position")


def audited(home: Path) -> None:
    """The tape is complete and decides the same."""
    found = audit(home / "journal.sqlite", Desk)
    assert found.findings == {}
    assert found.agree == found.decisions


def lived(home: Path, jump: Any, start_utc_ns: int = SEEDED_START_UTC_NS) -> JumpyWorld:
    """A life with a jump in it, a flatten after it, and the checks that hold for every jump."""
    world = JumpyWorld(home, start_utc_ns)

    async def live(world: World) -> None:
        assert isinstance(world, JumpyWorld)
        await world.begun()
        jump(world)
        await world.hours(0.02)
        await world.flatten(hours=0.2)
        assert world._running.journal.writable
        await world.close()

    world.run(live)
    audited(home)
    return world


@pytest.mark.parametrize(("seconds", "word"), [(-7200.0, "set back by 7200 s"), (3900.0, "set forward by 3900 s")])
def test_a_clock_that_was_set_is_told_and_ignored(seconds: float, word: str, tmp_path: Path) -> None:
    held: dict[int, Any] = {}

    def jump(world: JumpyWorld) -> None:
        held.update(world.desk_lots())
        world.machine.set_s = seconds

    world = lived(tmp_path, jump)
    assert len(world.alerts(word)) == 1
    assert not world.alerts("engine was stopped for")
    assert held


@pytest.mark.parametrize("slept_s", [65 * 60.0, 3 * 24 * HOUR_S])
def test_a_machine_that_slept_goes_on_where_the_market_is(slept_s: float, tmp_path: Path) -> None:
    def jump(world: JumpyWorld) -> None:
        world.loop._virtual_s += slept_s

    world = lived(tmp_path, jump)
    assert [alert.level for alert in world.alerts("engine was stopped for")] == ["critical"], (
        "positions had only their stops meanwhile"
    )


def test_a_virtual_machine_that_stood_still_follows_the_brokers_ticks(tmp_path: Path) -> None:
    def jump(world: JumpyWorld) -> None:
        world.loop._virtual_s += 65 * 60.0
        world.machine.missed_s += 65 * 60.0  # its time server has corrected the clock meanwhile

    world = lived(tmp_path, jump)
    assert len(world.alerts("3900 s behind")) == 1
    assert abs(world._running.clock.utc_ns() - world.loop.utc_ns()) <= 16 * NS_PER_S


def test_a_clock_corrected_to_the_brokers_time_stops_entries(tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path)
    world.machine.set_s = 1800.0

    async def live(world: World) -> list[str]:
        assert isinstance(world, JumpyWorld)
        await world.start()
        world.machine.set_s = 0.0
        await world.hours(0.02)
        reasons = list(world.state()["reasons"])
        await world.close()
        return reasons

    assert "clock" in world.run(live)


def test_up_time_never_runs_backwards(tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path)

    async def live(world: World) -> float:
        assert isinstance(world, JumpyWorld)
        engine = await world.start()
        await world.hours(0.5)
        world.machine.set_s = -7200.0
        health = engine.snapshot().engine
        await world.close()
        return (health.wall_utc_ns - health.started_utc_ns) / NS_PER_S

    assert world.run(live) == pytest.approx(1800.0, abs=1.0)


def test_a_start_with_an_older_clock_still_closes(tmp_path: Path) -> None:
    before = JumpyWorld(tmp_path, SEEDED_START_UTC_NS + 6 * 3600 * NS_PER_S)

    async def killed(world: World) -> None:
        assert isinstance(world, JumpyWorld)
        await world.begun()
        await world.bury()

    before.run(killed)
    after = JumpyWorld(tmp_path, SEEDED_START_UTC_NS + 4 * 3600 * NS_PER_S)
    after.runs = 1

    async def live(world: World) -> None:
        await world.start()
        await world.flatten(hours=0.2)
        assert not world.desk_lots(), "what the broker does not hold any more is not held here either"
        await world.close()

    after.run(live)


@pytest.mark.parametrize(("tick_s", "machine_s"), [(3600.0, 0.0), (3600.0, 7200.0), (0.0, 3600.0), (-3600.0, 0.0)])
def test_one_witness_alone_moves_no_time(tick_s: float, machine_s: float) -> None:
    loop = VirtualTimeLoop(SEEDED_START_UTC_NS)
    machine = Machine(loop)
    clock = SteadyClock(machine)
    machine.set_s = machine_s
    for _ in range(30):
        loop._virtual_s += 1.0
        kinds = {step.kind for step in clock.look(loop.utc_ns() + round(tick_s * NS_PER_S), 0.0)}
        assert kinds <= {"set"}
        assert clock.utc_ns() == loop.utc_ns()
    loop.close()
