"""One simulated day drawn from a seed: which account, which faults and how strong, a faulty phase, and a calm one that must converge.

python -m tests.sim SEED      0 fine, 10 a law is broken, 11 stuck, 12 crashed
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from msgspec import structs

from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS
from quarterdeck.core.model.commands import Flatten, Pause, Resume
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from tests.sim.eager_scanner import EagerScanner
from tests.sim.law_checker import Watch
from tests.sim.simulated_engine import World, pip_sizes

STRENGTHS = {
    "lost_reply_executed": 0.3,
    "lost_reply_not_executed": 0.3,
    "ambiguous_code_executed": 0.2,
    "ambiguous_code_not_executed": 0.2,
    "placed_then_filled": 0.3,
    "placed_then_refused": 0.2,
    "late_deal": 0.3,
    "partial_fill": 0.3,
    "refusal_burst": 0.2,
    "slow_call": 0.01,
    "pipe_broken": 0.005,
    "positions_unknown": 0.1,
    "comment_truncated": 0.2,
    "comment_replaced": 0.2,
    "ticket_changed": 0.2,
    "duplicate_ticks": 0.05,
}
"""Each fault at its strongest."""
LATER = {"server_lost": 0.002, "quote_gap": 0.002}
"""Faults that came later: drawn last, so that a seed keeps its day."""
START_UTC_NS = SEEDED_START_UTC_NS - 60 * NS_PER_S
"""A minute before a bar closes."""
FAULTY_H = 2.0


class Day:
    """What one seed draws."""

    def __init__(self, seed: int) -> None:
        """Draws in a fixed order, so that a new fault changes no older draw of the market."""
        self.seed = seed
        draw = random.Random(seed)
        self.hedging = draw.random() < 0.5
        self.currency = draw.choice(("USD", "USD", "EUR", "JPY"))
        rates: dict[str, Any] = {}
        for name, strongest in STRENGTHS.items():
            if draw.random() < 0.35:
                rates[name] = round(draw.uniform(0.1, 1.0) * strongest, 4)
        if "slow_call" in rates:
            rates["slow_call_s"] = draw.choice((0.5, 3.0, 25.0))
        self.rates = FaultRates(**rates)
        self.age_h = draw.choice((0.4, 0.8, 4.0))
        self.own_position = draw.choice(("ignore", "close", "reverse"))
        self.pyramid = draw.random() < 0.25
        self.pauses = draw.random() < 0.3
        self.flattens = draw.random() < 0.3
        self.restarts = draw.random() < 0.2
        self.balance = 2_000_000.0 if self.currency == "JPY" else 20_000.0

        self.risk_pct = draw.choice((0.5, 2.0))
        self.stranger = self.hedging and draw.random() < 0.3
        for name, strongest in LATER.items():
            if draw.random() < 0.35:
                self.rates = structs.replace(self.rates, **{name: round(draw.uniform(0.1, 1.0) * strongest, 5)})

    @property
    def settings(self) -> dict[str, Any]:
        """As the world takes them."""
        return {
            "simulation__hedging": self.hedging,
            "simulation__currency": self.currency,
            "simulation__balance_money": self.balance,
            "simulation__leverage": 500,
            "position__time_exit_hours": self.age_h,
            "position__trail_from_r": 0.2,
            "position__profit_retrace_from_r": 0.2,
            "position__profit_retrace_from_costs_x": 0.5,
            "position__pyramid": self.pyramid,
            "position__pyramid_from_r": 0.3,
            "position__pyramid_pullback_x_atr": 0.1,
            "filters__opposite_signal_action": self.own_position,
            "breakers__consecutive_losses_max": 1000,
            "breakers__entries_per_day_max": 1000,
            "breakers__day_loss_max_pct": 50.0,
            "breakers__drawdown_max_pct": 50.0,
            "correlation__risk_max_pct": 20.0,
            "risk__risk_per_trade_pct": self.risk_pct,
            "exposure__gap_risk_max_pct": 100.0,
            "exposure__position_max_x_equity": 30.0,
            "exposure__currency_max_x_equity": 90.0,
            "exposure__total_max_x_equity": 90.0,
            "breakers__margin_level_min_pct": 0.0,
        }

    def faults(self) -> str:
        """The drawn faults in words."""
        found = {name: value for name, value in structs.asdict(self.rates).items() if name in STRENGTHS and value}
        return ", ".join(f"{name} {value:g}" for name, value in found.items()) or "none"

    def one_line(self) -> str:
        """For the head of a run."""
        book = "hedging" if self.hedging else "netting"
        extras = [name for name in ("pyramid", "pauses", "flattens", "restarts", "stranger") if getattr(self, name)]
        return f"{book} {self.currency}, {self.own_position}, age {self.age_h:g} h, {' '.join(extras) or 'plain'}; faults: {self.faults()}"


def live_through(home: Path, seed: int) -> tuple[World, Watch]:
    """Live through the day of a seed. Raises LawBroken, Stuck, or whatever broke."""
    day = Day(seed)
    world = World(home, seed=seed, start_utc_ns=START_UTC_NS, **day.settings)
    world.scanner = EagerScanner(seed, pip_sizes(world.settings))
    watch = Watch(world)
    world.run(lambda _: _day(world, watch, day))
    return world, watch


async def _day(world: World, watch: Watch, day: Day) -> None:
    await world.start()
    world.faults.set(day.rates)
    await _faulty(world, watch, day)
    world.faults.set(FaultRates())
    watch.check()
    await world.until(world.settled, 1.0, "one book")
    await world.hours(0.1)
    await world.until(world.settled, 1.0, "one book")
    watch.converged()
    await world.flatten()
    watch.flat()
    await world.close()
    watch.check()


async def _faulty(world: World, watch: Watch, day: Day) -> None:
    quarter = FAULTY_H / 4
    if day.stranger:
        world.by_hand("EURUSD", Side.BUY)
    await world.hours(quarter)
    watch.check()
    if day.pauses:
        world.give(Pause())
    await world.hours(quarter / 2)
    if day.pauses:
        world.give(Resume())
    if day.restarts:
        world.faults.set(FaultRates())
        await world.bury()
        await world.hours_without(quarter / 2)
        await world.start()
        world.faults.set(day.rates)
    await world.hours(quarter)
    if day.flattens:
        world.give(Flatten())
        await world.hours(quarter / 2)
        world.give(Resume())
    await world.hours(quarter)
