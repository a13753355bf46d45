"""An engine without the account's lease is halted, closes nothing, and asks again only when the operator resumed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.brokers.mt5.gateway.lease import Leases
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.engine.ownership import Ownership
from quarterdeck.core.journal.engine_lock import home_id
from quarterdeck.core.model.commands import Resume
from quarterdeck.core.model.errors import AlreadyRunningError
from quarterdeck.core.model.market_data import Side
from tests.core.engine.test_clock_jumps import JumpyWorld
from tests.sim.simulated_engine import Line, World


class Gateway:
    """The lease of a gateway, asked without a line."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.number = 0
        self.asked = 0
        self._refused: asyncio.Queue[str] = asyncio.Queue()

    async def acquire_lease(self, home_id: str, who: str) -> str:
        self.asked += 1
        found = self.leases.acquire(home_id, who)
        self.number = found.number or self.number
        return found.why

    async def renew_lease(self) -> str:
        return self.leases.renew(self.number).why

    async def refused(self) -> str:
        return await self._refused.get()


def test_a_replaced_engine_halts_until_resumed(tmp_path: Path) -> None:
    home, gateway_home = tmp_path / "home", tmp_path / "gateway"
    gateway_home.mkdir()
    world = JumpyWorld(home)

    async def live(world: World) -> None:
        assert isinstance(world, JumpyWorld)
        leases = Leases(gateway_home, world.machine)
        ours = Gateway(leases)
        await world.begun()
        engine = world._running
        ownership = Ownership(ours, "home", "this engine", world.machine)
        await ownership.begin()
        engine._supervisor.keep("lease", lambda: ownership.keep(engine))
        held = world.desk_lots()
        await world.hours(0.01)
        assert engine.desk.view().state == "ACTIVE"

        leases.acquire("home", "its copy")
        await world.hours(3.0 / 3600.0)
        assert engine.desk.view().state == "HALTED", "within a renewal"
        assert world.alerts("its copy")
        asked = ours.asked
        await world.hours(0.05)
        assert ours.asked == asked, "no lease is asked for until resumed"
        assert world.ledger_lots() == held, "nothing is flattened"

        world.give(Resume())
        await world.hours(5.0 / 3600.0)
        assert engine.desk.view().state == "ACTIVE"
        assert leases.problem(ours.number) == ""

        leases._held = type(leases._held)(number=99, home_id="other", who="another home")
        leases._until_s = world.machine.monotonic_s() + 100.0
        await world.hours(3.0 / 3600.0)
        world.give(Resume())
        await world.hours(5.0 / 3600.0)
        assert engine.desk.view().state == "HALTED", "the other one still holds it"
        await world.close()

    world.run(live)


def test_a_halted_engine_that_is_restarted_asks_for_no_lease(tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path / "home")

    async def live(world: World) -> None:
        assert isinstance(world, JumpyWorld)
        leases = Leases(tmp_path, world.machine)
        world.lease = Gateway(leases)
        await world.begun()
        leases.acquire(home_id(world.home), "its copy")
        copy = leases._held.number
        await world.hours(3.0 / 3600.0)
        assert world._running.desk.view().state == "HALTED"
        await world.bury()

        world.lease = Gateway(leases)
        await world.start()
        await world.hours(0.01)
        assert world._running.desk.view().state == "HALTED"
        assert leases.problem(copy) == "", "the one that trades is not thrown out by a restart of the halted one"
        world.give(Resume())
        await world.hours(5.0 / 3600.0)
        assert world._running.desk.view().state == "ACTIVE"
        assert leases.problem(copy)
        await world.close()

    world.run(live)


def test_a_start_waits_only_for_a_dead_owner(tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path / "home")

    async def live(_: World) -> None:
        leases = Leases(tmp_path, world.machine)
        first = Gateway(leases)
        await first.acquire_lease("a", "engine A")
        await Ownership(Gateway(leases), "b", "engine B", world.machine).begin()  # A died: its term runs out

        async def renewing() -> None:
            while True:
                await first.acquire_lease("a", "engine A")
                await asyncio.sleep(2.0)

        await asyncio.sleep(20.0)
        living = asyncio.create_task(renewing())
        await asyncio.sleep(0.1)
        with pytest.raises(AlreadyRunningError, match="engine A"):
            await Ownership(Gateway(leases), "b", "engine B", world.machine).begin()
        living.cancel()

    world.run(live)


@pytest.mark.parametrize("comment", ["zz9x-7", "", "[sl 1.2]"])
def test_a_position_opened_with_our_number_by_another_halts(comment: str, tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path)

    async def live(world: World) -> None:
        assert isinstance(world, JumpyWorld)
        await world.begun()
        assert "not_owner" not in world.state()["reasons"]
        await world.until(world.settled, 0.5, "one book")
        held = dict(world.ledger_lots())
        world.by_hand("GBPUSD", Side.BUY, magic=world.magic, comment=comment)
        await world.hours(0.02)
        assert world._running.desk.view().state == "HALTED"
        assert world.alerts("Another engine trades this account")
        assert held.items() <= world.ledger_lots().items(), "nothing is flattened"
        await world.close()

    world.run(live)


class TwinLine(Line):
    """Sends each entry of ours once more, as a second engine with the same strategy would, just before ours is answered."""

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        opens = name == "order_send" and args[0]["action"] == 1 and not args[0].get("position")
        if opens:
            twin = {**args[0], "comment": "zz9x-1"}
            self._world.terminal.advance_to(self._world.loop.utc_ns())
            self._inner.call_now(name, (twin,), kwargs)
        return await super().call(name, *args, **kwargs)


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
def test_a_second_engine_with_the_same_orders_halts_at_once(hedging: bool, tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path, simulation__hedging=hedging)
    world.line = lambda: TwinLine(world)  # type: ignore[method-assign] # see above

    async def live(world: World) -> None:
        await world.start()
        await world.until(lambda: bool(world.ledger_lots()), 3.0, "a position")
        await world.hours(12.0 / 3600.0)
        assert world._running.desk.view().state == "HALTED"
        assert "not_owner" in world.state()["reasons"]
        await world.close()

    world.run(live)


def test_another_engines_order_is_seen_while_nothing_is_open(tmp_path: Path) -> None:
    world = JumpyWorld(tmp_path)
    world.scanner = None

    def uncounted() -> Line:
        line = Line(world)
        line._inner = InProcessTerminal(world.terminal.module)  # a real terminal counts no changes
        return line

    world.line = uncounted  # type: ignore[method-assign] # see above

    async def live(world: World) -> None:
        await world.start()
        await world.hours(0.01)
        world.by_hand("GBPUSD", Side.BUY, magic=world.magic, comment="zz9x-7")
        await world.hours(12.0 / 3600.0)
        assert world._running.desk.view().state == "HALTED"
        await world.close()

    world.run(live)
