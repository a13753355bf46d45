"""`kill -9` at every step of an order's way: the next start finds one book, no orphan and nothing twice, with the peaks kept.

A dead process writes nothing more to disk or broker; what was neither flushed nor committed with its group is lost.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.ledger_rows import ENTRY_IN
from quarterdeck.core.model.commands import Pause
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import Step, World, pip_sizes

KINDS = ("open", "modify", "part", "close")
SENDING = ("before order_send", "after order_send", "after the answer")
AROUND = (
    ("before the intent is flushed", ""),
    ("after the intent is flushed", ""),
    ("before order_check", "open"),
    ("before it is booked", "ExecutionReport Filled"),
    ("after it is booked", "ExecutionReport Filled"),
    ("before it is booked", "ExecutionReport RequestDone"),
    ("after it is booked", "ExecutionReport RequestDone"),
    ("before it is booked", "ExecutionReport Unconfirmed"),
    ("after it is booked", "ExecutionReport Unconfirmed"),
    ("before it is booked", "NewDeal"),
    ("after it is booked", "NewDeal"),
    ("after it is booked", "BrokerBook"),
)
CARE: dict[str, Any] = {
    "position__trail_from_r": 0.1,
    "position__profit_retrace_from_r": 0.1,
    "position__profit_retrace_from_costs_x": 0.2,
    "position__time_exit_hours": 0.9,
    "breakers__consecutive_losses_max": 1000,
    "breakers__entries_per_day_max": 1000,
    "breakers__day_loss_max_pct": 50.0,
    "correlation__risk_max_pct": 20.0,
    "risk__risk_per_trade_pct": 0.5,
    "simulation__balance_money": 20_000.0,
}
LIFE_H = 2.5


def nth(step: str, about: str, number: int) -> Step:
    """Dies at the n-th time that this step comes."""
    left = [number]

    def dies(at: str, what: str) -> bool:
        if at == step and (not about or what == about):
            left[0] -= 1
        return left[0] == 0

    return dies


def nth_send(world: World, step: str, kind: str, number: int) -> Step:
    """As `nth`, for a request of a kind; a close of less than the position is a part."""
    left = [number]

    def dies(at: str, what: str) -> bool:
        found = _part_or_whole(world, what) if what == "close" else what
        if at == step and found == kind:
            left[0] -= 1
        return left[0] == 0

    return dies


def _part_or_whole(world: World, what: str) -> str:
    newest = next((sent for _, sent in reversed(world.effects) if type(sent).__name__ == "Close"), None)
    return "part" if newest is not None and getattr(newest, "why", "") == "give_back" else what


def lived(home: Path, seed: int, step: str, about: str, *, number: int, hedging: bool, faults: FaultRates | None = None) -> World:
    """A life with one death in it, and everything that must hold after."""
    world = World(home, seed=seed, start_utc_ns=START_UTC_NS, simulation__hedging=hedging, **CARE)
    world.scanner = EagerScanner(seed, pip_sizes(world.settings))
    watch = Watch(world)
    world.dies_at = nth_send(world, step, about, number) if about in KINDS else nth(step, about, number)
    world.run(lambda _: _life(world, watch, faults))
    return world


async def _life(world: World, watch: Watch, faults: FaultRates | None) -> None:
    await world.start()
    world.faults.set(faults or FaultRates())
    await world.hours_until_death(LIFE_H)
    watch.check()
    assert world.dead.is_set(), "this step never came; another seed"
    before = world.state()
    known = {int(key): value for key, value in before["positions"].items()}
    await world.bury()
    world.faults.set(FaultRates())
    await world.hours_without(0.02)
    await world.start()
    await world.until(world.settled, 1.0, "one book")
    for position_id, held in world.state()["positions"].items():
        past = known.get(int(position_id))
        if past is not None and past["lots"] == held["lots"] and not past["partly_closed"]:
            assert held["peak_money"] >= past["peak_money"] - 1e-6, "a restart forgets no peak"
            assert held["entry"]["signal_id"] == past["entry"]["signal_id"], "it is the same position, not an adopted one"
    watch.converged()
    await world.hours(0.3)
    world.give(Pause())
    await world.until(world.settled, 1.0, "one book")
    await world.flatten()
    watch.flat()
    _journal_agrees(world)
    await world.close()


def _journal_agrees(world: World) -> None:
    """Every opening deal of ours has its intent, and each intent at most one order."""
    engine = world.engine
    assert engine is not None
    engine.journal.flush_blocking()
    with sqlite3.connect(f"file:{world.home.journal}?mode=ro", uri=True) as journal:
        intents = [row[0] for row in journal.execute("SELECT client_id FROM intents WHERE kind = 'submit'")]
        trades = dict(journal.execute("SELECT position_id, net_money FROM trades"))
    assert len(set(intents)) == len(intents)
    opened = {deal.position_id: deal.comment for deal in world.terminal.ledger.deals if deal.entry == ENTRY_IN and deal.symbol}
    assert set(opened.values()) <= set(intents), "no order without an intent on disk"
    assert set(trades) == set(opened), "every position is one trade of the journal"


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", SENDING)
def test_killed_while_sending(step: str, kind: str, hedging: bool, tmp_path: Path) -> None:
    lived(tmp_path, 11, step, kind, number=2, hedging=hedging)


@pytest.mark.parametrize(("step", "about"), AROUND)
def test_killed_around_it(step: str, about: str, tmp_path: Path) -> None:
    faults = FaultRates(lost_reply_executed=0.5) if "Unconfirmed" in about else None
    lived(tmp_path, 11, step, about, number=3, hedging=True, faults=faults)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40))
def test_killed_anywhere_on_many_days(seed: int, tmp_path: Path) -> None:
    hedging = seed % 2 == 0
    for step in SENDING:
        for kind in KINDS:
            lived(tmp_path / f"{step} {kind}", seed, step, kind, number=1 + seed % 3, hedging=hedging)
