"""Closing everything when it is hardest: lost replies, a slow or dead line, pauses, closed markets. Never a position on the other side."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.ledger_rows import REASON_CLIENT, LedgerOrder
from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time
from quarterdeck.core.model.commands import ClosePosition, Flatten, Pause
from quarterdeck.core.model.effects import Submit
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, UtcNs
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes

DAYS, SOAKED = 30, 1_000
"""Seeds of an ordinary run and of a long one; each on a hedging and on a netting account."""
FRIDAY_EVENING_UTC_NS: UtcNs = START_UTC_NS + 3 * DAY_NS + 13 * 3600 * NS_PER_S
"""2025-01-10 20:59 UTC: a minute before the weekend's last hour in New York."""
ROOM: dict[str, Any] = {
    "breakers__positions_max": 20,
    "breakers__positions_per_pair_max": 3,
    "correlation__risk_max_pct": 50.0,
    "risk__risk_per_trade_pct": 0.5,
    "exposure__gap_risk_max_pct": 50.0,
    "simulation__balance_money": 20_000.0,
}


def world_of(home: Path, seed: int, *, hedging: bool, start_utc_ns: UtcNs = START_UTC_NS, **more: Any) -> tuple[World, Watch]:
    """A world that buys and sells eagerly."""
    world = World(home, seed=seed, start_utc_ns=start_utc_ns, simulation__hedging=hedging, **{**ROOM, **more})
    world.scanner = EagerScanner(seed, pip_sizes(world.settings), share=1.0)
    return world, Watch(world)


def entries_after(world: World, at_utc_ns: UtcNs) -> list[Submit]:
    """Orders that add risk since an instant."""
    return [effect for at, effect in world.effects if isinstance(effect, Submit) and at >= at_utc_ns]


async def flat(world: World, watch: Watch, hours: float = 1.0) -> None:
    """Said to be flat, and so; nothing entered since."""
    asked = world.now_utc_ns
    await world.flatten(hours)
    assert not world.ledger_lots(), "flat is said only when it is so"
    assert not world.terminal.ledger.orders
    assert not entries_after(world, asked)
    view = world.engine.desk.view()  # type: ignore[union-attr] # it runs
    assert view.state == "HALTED"
    assert view.flatten is not None
    assert view.flatten.text.startswith("flat, verified")
    world.faults.set(FaultRates())
    await world.until(world.money_agrees, 0.5, "the last deal")
    watch.flat()


def badly(seed: int) -> FaultRates:
    """Lost replies of both kinds, and sometimes more."""
    draw = random.Random(seed)
    return FaultRates(
        lost_reply_executed=draw.uniform(0.1, 0.6),
        lost_reply_not_executed=draw.uniform(0.1, 0.4),
        ambiguous_code_executed=draw.choice((0.0, 0.2)),
        placed_then_filled=draw.choice((0.0, 0.2)),
        partial_fill=draw.choice((0.0, 0.3)),
        positions_unknown=draw.choice((0.0, 0.2)),
        ticket_changed=draw.choice((0.0, 0.5)),
        pipe_broken=draw.choice((0.0, 0.02)),
        slow_call=draw.choice((0.0, 0.05)),
        comment_replaced=draw.choice((0.0, 0.3)),
    )


async def _lost_replies(world: World, watch: Watch, seed: int) -> None:
    await world.start()
    await world.until(lambda: len(world.ledger_lots()) >= 2, 4.0, "something to close")
    world.faults.set(badly(seed))
    draw = random.Random(seed)
    if draw.random() < 0.5:  # a part may still be on its way when all is to be closed: together they could be too much
        held = draw.choice(world.engine.desk.view().positions)  # type: ignore[union-attr] # it runs
        world.give(ClosePosition(position_id=held.position_id, lots=round(held.lots / 2.0, 2)))
        await world.hours_without(draw.choice((0.0, 1.0, 5.0, 20.0)) / 3600.0)
    await flat(world, watch)
    await world.close()
    watch.check()


def close_with_lost_replies(home: Path, seeds: range, *, hedging: bool) -> None:
    """Some positions, then a flatten through replies that are lost, before and after the order was executed."""
    struck: Counter[str] = Counter()
    for seed in seeds:
        world, watch = world_of(home / str(seed), seed, hedging=hedging)
        world.run(lambda _, world=world, watch=watch, seed=seed: _lost_replies(world, watch, seed))  # type: ignore[misc]
        struck += world.faults.drawn
    print(f"{'hedging' if hedging else 'netting'}, {len(seeds)} flattens: {dict(struck)}")
    assert {"lost_reply_executed", "lost_reply_not_executed"} <= struck.keys()


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
@pytest.mark.parametrize("first", range(0, DAYS, 5))
def test_lost_replies_never_lead_to_the_other_side(first: int, hedging: bool, tmp_path: Path) -> None:
    close_with_lost_replies(tmp_path, range(first, first + 5), hedging=hedging)


@pytest.mark.soak
@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
@pytest.mark.parametrize("first", range(DAYS, DAYS + SOAKED, 50))
def test_a_thousand_flattens_with_lost_replies(first: int, hedging: bool, tmp_path: Path) -> None:
    close_with_lost_replies(tmp_path, range(first, first + 50), hedging=hedging)


# ------------------------------------------------------------------------------------------------------- in every state
async def _paused(world: World) -> None:
    world.give(Pause())
    await world.hours(0.05)


async def _slow(world: World) -> None:
    world.faults.set(FaultRates(slow_call=0.7, slow_call_s=1.0))


async def _mid_scan(world: World) -> None:
    """To the instant of the next bar close."""
    quarter = 900 * NS_PER_S
    await world.hours_without((quarter - world.now_utc_ns % quarter) / (3600 * NS_PER_S))


async def _line_breaks(world: World) -> None:
    world.faults.set(FaultRates(pipe_broken=0.3))


async def _nothing(_world: World) -> None:
    """An ordinary hour."""


STATES: dict[str, Callable[[World], Awaitable[None]]] = {
    "ordinary": _nothing,
    "paused": _paused,
    "mid-scan": _mid_scan,
    "broker slow": _slow,
    "line breaking": _line_breaks,
}


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
@pytest.mark.parametrize("state", STATES)
def test_it_works_in_every_state(state: str, hedging: bool, tmp_path: Path) -> None:
    world, watch = world_of(tmp_path, 5, hedging=hedging)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        assert world.ledger_lots()
        await STATES[state](world)
        await flat(world, watch)
        await world.close()

    world.run(life)


@pytest.mark.parametrize("switch", ["connected", "running", "algo_allowed"])
def test_the_terminal_gone_and_back(switch: str, tmp_path: Path) -> None:
    """While nothing can be sent nothing is said to be flat; when it is back, it continues by itself."""
    world, watch = world_of(tmp_path, 6, hedging=True)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        held = world.ledger_lots()
        asked = world.now_utc_ns
        setattr(world.terminal.state, switch, False)
        if switch == "running":
            world.terminal.state.initialised = False
        world.give(Flatten())
        await world.hours(0.2)
        assert world.ledger_lots() == held
        assert not world.state()["flatten"]["done"]
        setattr(world.terminal.state, switch, True)
        await world.until(lambda: bool(world.state()["flatten"]["done"]), 0.5, "flat after the terminal came back")
        assert not world.ledger_lots()
        assert not entries_after(world, asked)
        watch.flat()
        await world.close()

    world.run(life)


def test_a_closed_market_is_told_and_closes_at_the_open(tmp_path: Path) -> None:
    world, watch = world_of(
        tmp_path, 8, hedging=True, start_utc_ns=FRIDAY_EVENING_UTC_NS, position__weekend_close_from="Sat 00:00",
        position__weekend_no_entries_from="Fri 17:00", position__time_exit_hours=0.0, filters__entry_hours=["UTC 00:00-24:00"],
        engine__quote_poll_ms=60_000.0, execution__reconcile_s=600.0, engine__heartbeat_s=600.0, tick_s=60,
    )  # fmt: skip

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.2)
        await world.hours(4.0)  # Saturday, by UTC
        held = world.ledger_lots()
        assert held
        asked = world.now_utc_ns
        world.give(Flatten())
        await world.hours(0.1)
        told = world.state()["flatten"]
        assert not told["done"]
        assert len(told["left_open"]) == len(held)
        assert all("closed" in line for line in told["left_open"]), told["left_open"]
        opens = next_local_time(world.now_utc_ns, NEW_YORK, 17 * 3600) + DAY_NS
        await world.hours_without((opens - world.now_utc_ns) / (3600 * NS_PER_S) + 0.01)
        await world.until(lambda: bool(world.state()["flatten"]["done"]), 3.0, "flat after the open")
        assert not world.ledger_lots()
        assert not entries_after(world, asked)
        watch.flat()
        await world.close()

    world.run(life)


def test_one_closed_pair_holds_no_other_back(tmp_path: Path) -> None:
    world, watch = world_of(tmp_path, 9, hedging=True)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        held = {symbol for symbol, _, _ in world.ledger_lots().values()}
        assert len(held) > 1
        closed = min(held)
        specs = world.terminal.ledger.instruments
        usual = specs[closed]
        specs[closed] = structs.replace(usual, trade_mode="disabled")
        world.give(Flatten())
        await world.hours(0.1)
        assert {symbol for symbol, _, _ in world.ledger_lots().values()} == {closed}
        assert not world.state()["flatten"]["done"]
        specs[closed] = usual
        await world.until(lambda: bool(world.state()["flatten"]["done"]), 1.0, "flat after the pair came back")
        assert not world.ledger_lots()
        watch.flat()
        await world.close()

    world.run(life)


@pytest.mark.parametrize("scope", ["ours", "account"])
def test_external_positions_stay_unless_chosen(scope: str, tmp_path: Path) -> None:
    world, watch = world_of(tmp_path, 10, hedging=True)

    async def life(_: World) -> None:
        await world.start()
        await world.hours(0.1)
        mine = world.ledger_lots()
        foreign = world.by_hand("EURUSD", Side.BUY)
        pending = world.terminal.ledger.new_order(
            LedgerOrder(0, "GBPUSD", 2, 0.1, 1.0, 0.0, 0.0, world.now_utc_ns, 0, "manually", REASON_CLIENT)
        )
        world.terminal.ledger.place(pending)
        await world.hours(0.05)
        assert mine
        await world.flatten(scope="account" if scope == "account" else "ours")
        left = set(world.terminal.ledger.positions)
        assert left == (set() if scope == "account" else {foreign})
        assert set(world.terminal.ledger.orders) == (set() if scope == "account" else {pending.ticket})
        text = world.state()["flatten"]["text"]
        assert ("1 position not opened by this desk" in text) == (scope == "ours")
        await world.close()

    world.run(life)
    watch.check()
