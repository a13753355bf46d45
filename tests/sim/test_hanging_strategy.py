"""A strategy that answers late, or not at all, beside a live market: no other pair waits for it, and positions are still managed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from quarterdeck.core.model.effects import Effect, Modify, PartialClose, TradeClosed
from quarterdeck.core.model.inputs import BarClosed, Input, Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.scan.scan_request import ScanRequest
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import World, _strategy, pip_sizes

HANGS_S = 100.0


class Hanging:
    """Answers EURUSD like an eager strategy, and GBPUSD only after a long time."""

    def __init__(self, world: World) -> None:
        self.limit_s: float | None = None
        self.wait_s = 0.0
        self._eager = EagerScanner(5, pip_sizes(world.settings), share=1.0)
        self._loaded = _strategy(world.settings)

    def listen_to_process(self, *_: Any) -> None:
        """Nothing is printed."""

    async def stop(self) -> None:
        """Nothing runs."""

    async def ask(self, look: ScanRequest) -> Signal | NoSignal:
        if look.instrument.symbol == "GBPUSD":
            await asyncio.sleep(HANGS_S)
            return look.no_answer(self._loaded, "the strategy took more than 200 ms")
        return self._eager.on_bar(look.instrument.symbol, look.m15.bar(len(look.m15) - 1))


def test_a_pair_whose_strategy_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    world = World(tmp_path / "home", seed=5, history_days=30, desk__pairs=["GBPUSD", "EURUSD"], strategy__confidence_min=0.0)
    world.apart = Hanging(world)
    late_s: dict[str, list[float]] = {"EURUSD": [], "GBPUSD": []}
    quotes_while_it_hangs = 0
    closed_utc_ns = 0

    def watch(at_utc_ns: int, item: Input, _effects: tuple[Effect, ...]) -> None:
        nonlocal quotes_while_it_hangs, closed_utc_ns
        if isinstance(item, Signal | NoSignal):
            late_s[item.symbol].append((at_utc_ns - item.bar_open_utc_ns - M15_NS) / NS_PER_S)
        elif isinstance(item, BarClosed):
            closed_utc_ns = at_utc_ns
        elif isinstance(item, Quote) and 20.0 < (at_utc_ns - closed_utc_ns) / NS_PER_S < HANGS_S:
            quotes_while_it_hangs += 1

    async def hours(world: World) -> None:
        world.watchers.append(watch)
        await world.start()
        assert world.apart.limit_s == 0.2
        assert world.apart.wait_s == world.settings.scan.signal_age_max_s
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position in the pair that is answered")
        await world.until(
            lambda: any(isinstance(effect, Modify | PartialClose | TradeClosed) for _, effect in world.effects), 30.0, "care"
        )
        await world.close()

    world.run(hours)
    assert len(late_s["EURUSD"]) > 1
    assert max(late_s["EURUSD"]) < 10.0
    assert min(late_s["GBPUSD"]) >= HANGS_S
    assert quotes_while_it_hangs > 0
