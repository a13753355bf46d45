"""Bars that closed while the line was down or the engine was away: read afterwards, so that no window and no peak has a hole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from quarterdeck.core.brokers.base import CallReply, Terminal
from quarterdeck.core.model.effects import LogEvent, Submit
from quarterdeck.core.model.inputs import BarClosed, Input
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS
from quarterdeck.core.scan.scanner import Scanner
from tests.sim.eager_scanner import EagerScanner
from tests.sim.simulated_engine import Line, World, pip_sizes


class DeafWorld(World):
    """A world whose line answers nothing while it is down."""

    down = False

    def line(self) -> Terminal:
        return DeafLine(self)


class DeafLine(Line):
    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        reply = await super().call(name, *args, **kwargs)
        down = isinstance(self._world, DeafWorld) and self._world.down
        return CallReply(None, -10_004, "No IPC connection") if down else reply


def test_missed_bars_are_read_after_outage_without_entries(tmp_path: Path) -> None:
    world = DeafWorld(tmp_path, seed=4, history_days=40, desk__pairs=["EURUSD", "GBPUSD"])
    bars: dict[str, list[BarClosed]] = {"EURUSD": [], "GBPUSD": []}

    def watch(_at_utc_ns: int, item: Input, _effects: object) -> None:
        if isinstance(item, BarClosed):
            bars[item.symbol].append(item)

    async def hours(world: World) -> None:
        world.watchers.append(watch)
        engine = await world.start()
        await world.hours_without(0.6)
        world.down = True  # type: ignore[attr-defined]
        await world.hours_without(1.2)
        world.down = False  # type: ignore[attr-defined]
        await world.hours_without(0.8)
        assert isinstance(engine.scanner, Scanner)
        for symbol in bars:
            window = engine.scanner._pairs[symbol]._window.candles()
            assert set(np.diff(window.open_utc_ns[-12:]).tolist()) == {M15_NS}
        await world.close()

    world.run(hours)
    for heard in bars.values():
        assert set(np.diff([one.bar.open_utc_ns for one in heard]).tolist()) == {M15_NS}
        assert 3 <= sum(one.late for one in heard) <= 5
        assert not heard[-1].late


def test_peak_includes_bars_from_the_downtime(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        seed=1,
        desk__pairs=["EURUSD"],
        position__trail_x_atr=0.0,
        position__profit_retrace_pct=100.0,
        position__time_exit_hours=0.0,
    )
    world.scanner = EagerScanner(5, pip_sizes(world.settings), share=1.0, sides={"EURUSD": Side.BUY}, stop_pips=(80.0, 90.0))
    seen: dict[str, Any] = {}

    async def life(world: World) -> None:
        await world.start()
        await world.until(lambda: len(world.desk_lots()) > 0, 30.0, "a position")
        assert world.scanner is not None
        world.scanner.share = 0.0
        assert world.engine is not None
        world.engine.stop("keep")
        await world.close()
        left = world.now_utc_ns
        await world.hours_without(2.3)
        engine = await world.start()
        m15 = world.terminal.market.columns("EURUSD", "M15")
        assert m15 is not None
        away = (m15.open_utc_ns >= left) & (m15.open_utc_ns + M15_NS <= world.now_utc_ns)
        seen["best"], seen["bars"] = float(m15.high[away].max()), int(away.sum())
        (position,) = engine.desk._ctx.state.positions.values()  # type: ignore[union-attr]
        seen["peak"], seen["open"] = position.peak_price, position.open_price
        seen["noted"] = [effect for _, effect in world.effects if isinstance(effect, LogEvent) and effect.kind == "peak_from_bar"]
        seen["sent"] = sum(isinstance(effect, Submit) for _, effect in world.effects)
        await world.close()

    world.run(life)
    assert seen["bars"] >= 7
    assert seen["sent"] == 1
    assert seen["peak"] >= seen["best"]
    assert seen["noted"]
