"""The drill: five positions on one side of the dollar, all pairs gap one percent against it in one tick, then half the quotes are gone.

The loss stays within the figure shown before; heartbeat, status and log say what happened within five seconds of the market's
time; the breaker trips; nothing is entered after.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from quarterdeck.core.journal.heartbeat import Heartbeat, problems_of
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.effects import StateChanged, Submit
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes

PAIRS = ("EURUSD", "GBPUSD", "AUDUSD", "USDJPY", "USDCHF")
AGAINST_THE_DOLLAR = {name: Side.SELL if name.startswith("USD") else Side.BUY for name in PAIRS}
GAP_UTC_NS: UtcNs = START_UTC_NS + 360 * NS_PER_S
SILENT = ("GBPUSD", "USDJPY", "USDCHF")
SAID_WITHIN_S = 5


class Gap:
    """Every currency loses one percent to the dollar in one tick, and half the pairs are quoted no more."""

    def shift_log(self, currency: str, at_utc_ns: IntArray) -> FloatArray | None:
        """See `Script`."""
        return np.where(at_utc_ns >= GAP_UTC_NS, math.log(0.99), 0.0)

    def spread_price(self, spec: Instrument, at_utc_ns: IntArray, spread_price: FloatArray) -> FloatArray:
        """Usual."""
        return spread_price

    def silent(self, spec: Instrument, at_utc_ns: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
        """Nobody quotes these after the gap's own tick."""
        return at_utc_ns > GAP_UTC_NS if spec.symbol in SILENT else None


DRILLS = {
    "wide stops, the shipped gap": ((70.0, 75.0), 0.5, 0.5, True),
    "near stops, a gap of one percent set": ((25.0, 30.0), 1.0, 0.35, True),
    "near stops, the shipped gap": ((25.0, 30.0), 0.5, 0.35, False),
}
"""Pips to the stop, percent beyond it, percent risked, and whether the figure that blocks entries holds: a gap of one percent is
more than near stops and half a percent behind them. The figure with the weekend's gap, shown beside it, always holds."""


def drilled(home: Path, stop_pips: tuple[float, float], gap_pct: float, risk_pct: float) -> tuple[World, Watch]:
    """Five pairs, quoted each five seconds, in a world whose engine looks each second."""
    world = World(
        home,
        seed=21,
        start_utc_ns=START_UTC_NS,
        script=Gap(),
        tick_s=5,
        desk__pairs=list(PAIRS),
        engine__quote_poll_ms=250.0,
        engine__quote_idle_ms=1_000.0,
        engine__heartbeat_s=5.0,
        filters__quote_age_max_s=60.0,
        exposure__gap_pct=gap_pct,
        exposure__gap_risk_max_pct=10.0,
        risk__risk_per_trade_pct=risk_pct,
        breakers__day_loss_max_pct=3.0,
        correlation__risk_max_pct=5.0,
    )
    world.scanner = EagerScanner(3, pip_sizes(world.settings), share=1.0, sides=AGAINST_THE_DOLLAR, stop_pips=stop_pips)
    return world, Watch(world)


@pytest.mark.parametrize("drill", DRILLS)
def test_five_positions_meet_a_gap(drill: str, tmp_path: Path) -> None:
    world, watch = drilled(tmp_path, *DRILLS[drill][:3])

    async def life(_: World) -> None:
        engine = await world.start()
        await world.hours_without((GAP_UTC_NS - world.now_utc_ns) / (3600 * NS_PER_S) - 0.0005)
        before = engine.desk.view()
        assert sorted(held.symbol for held in before.positions) == sorted(PAIRS)
        shown = before.risk.gap_risk_money
        assert shown is not None
        assert before.equity_money is not None
        assert before.state == "ACTIVE"
        await world.hours_without((GAP_UTC_NS - world.now_utc_ns) / (3600 * NS_PER_S))
        await world.hours_without(SAID_WITHIN_S / 3600.0)
        _is_said(world)
        lost = before.equity_money - world.terminal.ledger.equity_money()
        assert (0.0 < lost <= shown) is DRILLS[drill][3], f"lost {lost:.2f}, shown before {shown:.2f}"
        beside = before.risk.weekend_gap_risk_money
        assert beside is not None
        assert lost <= beside, f"lost {lost:.2f}, shown beside {beside:.2f}"
        assert lost > 0.03 * before.equity_money
        await world.hours(1.0)
        entries = [at for at, effect in world.effects if isinstance(effect, Submit) and at >= GAP_UTC_NS]
        assert not entries
        assert world.settled()
        assert "day_loss" in world.state()["reasons"]
        watch.converged()
        await world.close()

    world.run(life)


def _is_said(world: World) -> None:
    """Heartbeat file, `status` and the log on disk tell that the breaker tripped, and why."""
    engine = world.engine
    assert engine is not None
    beat = msgspec.json.decode(world.home.heartbeat.read_bytes(), type=Heartbeat)
    assert beat.state == "REDUCE_ONLY"
    assert "day_loss" in " ".join(beat.reasons)
    assert not beat.ok
    assert "day_loss" in [problem.kind for problem in problems_of(engine.snapshot())]
    lines = "".join(path.read_text(encoding="utf-8") for path in sorted(world.home.logs.glob("*")) if path.is_file())
    assert "Daily loss limit reached" in lines
    tripped = [at for at, effect in world.effects if isinstance(effect, StateChanged) and "day_loss" in effect.reasons]
    assert tripped
    assert tripped[0] - GAP_UTC_NS <= SAID_WITHIN_S * NS_PER_S
