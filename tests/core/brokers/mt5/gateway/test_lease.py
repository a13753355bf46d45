"""One owner: a number that only rises decides whose orders pass, over restarts of the gateway and crashes of the owner too."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from quarterdeck.core.brokers.base import TerminalNotOwned
from quarterdeck.core.brokers.mt5.gateway.lease import LEASE_NAME, TERM_S, Leases
from quarterdeck.core.brokers.mt5.order_execution import NOT_OWNER
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import Filled, OrderRejected
from quarterdeck.core.model.reads import Known
from tests.core.brokers.mt5.gateway.line import Line, until
from tests.core.brokers.mt5.kit import submit


class Seconds:
    """A monotonic clock that the test moves."""

    now_s = 100.0

    def utc_ns(self) -> int:
        raise AssertionError("a lease never looks at a clock that can be set")

    def monotonic_s(self) -> float:
        return self.now_s


def test_a_second_home_waits_for_the_lease_to_expire(tmp_path: Path) -> None:
    clock = Seconds()
    leases = Leases(tmp_path, clock)
    first = leases.acquire("a", "engine A").number
    for _ in range(20):
        clock.now_s += 2.0
        assert leases.renew(first).number == first
        refused = leases.acquire("b", "engine B")
        assert (refused.number, "engine A" in refused.why) == (0, True)
    clock.now_s += TERM_S + 0.1
    assert leases.problem(first) == "", "nobody took it: management continues"
    second = leases.acquire("b", "engine B").number
    assert second > first
    assert "engine B" in leases.problem(first)
    assert leases.renew(first).number == 0


def test_a_copied_home_throws_the_first_out_at_once(tmp_path: Path) -> None:
    leases = Leases(tmp_path, Seconds())
    first, copy = leases.acquire("a", "the home").number, leases.acquire("a", "its copy").number
    assert leases.problem(first)
    assert not leases.problem(copy)


def test_a_number_is_on_disk_before_it_is_granted(tmp_path: Path) -> None:
    leases = Leases(tmp_path, Seconds())
    number = leases.acquire("a", "A").number
    tmp_path.joinpath("lease.new").mkdir()  # nothing can be written any more
    assert leases.acquire("a", "A").number == 0
    assert Leases(tmp_path, Seconds()).problem(number) == ""


@pytest.mark.parametrize("how", ["deleted", "put back"])
def test_a_lost_lease_file_gives_no_number_twice(how: str, tmp_path: Path) -> None:
    leases = Leases(tmp_path, Seconds())
    leases.acquire("a", "A")
    older = (tmp_path / LEASE_NAME).read_bytes()
    first = leases.acquire("a", "A").number
    (tmp_path / LEASE_NAME).write_bytes(older) if how == "put back" else (tmp_path / LEASE_NAME).unlink()
    clock = Seconds()
    leases = Leases(tmp_path, clock)
    clock.now_s += TERM_S + 1.0
    assert leases.acquire("b", "B").number
    assert leases.problem(first), "the first engine is no owner any more"


def test_a_home_without_a_name_gets_no_lease(tmp_path: Path) -> None:
    assert Leases(tmp_path, Seconds()).acquire("", "A").number == 0


def test_a_damaged_lease_is_refused_not_begun_anew(tmp_path: Path) -> None:
    (tmp_path / LEASE_NAME).write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        Leases(tmp_path, Seconds())


def test_whatever_happens_one_number_passes_and_numbers_rise(tmp_path: Path) -> None:
    for seed in range(200):
        rng, clock, home = random.Random(seed), Seconds(), tmp_path / str(seed)
        home.mkdir()
        leases, granted = Leases(home, clock), [0]
        for _ in range(60):
            clock.now_s += rng.choice((0.0, 1.0, 5.0, 12.0))
            step = rng.random()
            if step < 0.2:
                leases = Leases(home, clock)
            elif step < 0.6:
                number = leases.acquire(rng.choice("abc"), "x").number
                assert number == 0 or number > granted[-1]
                granted += [number] if number else []
            else:
                leases.renew(rng.choice(granted))
            assert [number for number in granted if not leases.problem(number)] == granted[-1:] * (granted[-1] > 0)


async def owned(line: Line, home_id: str = "a") -> None:
    assert await line.client.acquire_lease(home_id, f"engine {home_id}") == ""


@pytest.mark.processes
async def test_an_older_lease_number_may_read_but_not_order(tmp_path: Path) -> None:
    async with Line(home=tmp_path) as line:
        await line.ready()
        assert isinstance(await line.fate(submit()), OrderRejected), "no order without a lease"
        await owned(line)
        assert isinstance(await line.fate(submit()), Filled)
        other = line.new_client()
        assert "engine a" in await other.acquire_lease("b", "engine b")
        assert await other.acquire_lease("a", "its copy") == ""
        fate = await line.fate(submit())
        assert isinstance(fate, OrderRejected)
        assert (fate.kind, fate.code) == ("operator", NOT_OWNER)
        assert "its copy" in fate.reason
        assert "its copy" in await line.client.refused()
        assert "its copy" in await line.client.renew_lease()
        assert isinstance(await line.broker.account(), Known)
        with pytest.raises(TerminalNotOwned):
            await line.client.call("order_send", {"action": 1, "symbol": "EURUSD", "volume": 0.1, "position": 5})
        sent = [name for name, _ in line.far.entered if name == "order_send"]
        assert len(sent) == 1, "what is refused never enters the module"


@pytest.mark.processes
async def test_the_owner_goes_on_after_the_gateway_restarted(tmp_path: Path) -> None:
    async with Line(home=tmp_path) as line:
        await owned(line)
        await line.ready()
        await line.front.stop()
        await line.open_front()
        await line.known_book()
        assert isinstance(await line.fate(submit()), Filled)
        other = line.new_client()
        assert "engine a" in await other.acquire_lease("b", "engine b"), "the owner has a term to come back"


@pytest.mark.processes
async def test_an_order_waiting_across_a_lease_change_is_refused(tmp_path: Path) -> None:
    async with Line(home=tmp_path) as line:
        await owned(line)
        await line.ready()
        other = line.new_client()
        line.far.before["symbols_get"] = lambda _: time.sleep(0.6)
        slow = asyncio.create_task(other.call("symbols_get"))
        await until(lambda: any(name == "symbols_get" and name for name, _ in line.far.entered[-1:]))
        request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
        waiting = asyncio.create_task(line.client.call("order_send", request))
        await until(lambda: bool(line.keeper._queue))
        assert await other.acquire_lease("a", "its copy") == ""
        with pytest.raises(TerminalNotOwned):
            await waiting
        await slow
        assert "order_send" not in [name for name, _ in line.far.entered]
