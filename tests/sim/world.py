"""A whole engine on virtual time against a simulated terminal with faults: one seed is one reproducible bad day.

The live path is used (loops a pair, performing beside each other), not lockstep: the terminal's market moves with the loop's clock,
a slow call costs virtual seconds, and nothing waits in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from core.brokers.base import ModuleCall, Reply
from core.brokers.mt5.adapter import Mt5Broker
from core.brokers.mt5.inprocess import InProcess
from core.brokers.mt5.policy import policy_from
from core.brokers.mt5.servertime import ServerClock
from core.brokers.simulator.faults import FaultRates, Faults
from core.brokers.simulator.opening import SEEDED_START_UTC_NS, seeded_terminal
from core.brokers.simulator.terminal import SimulatedTerminal
from core.clock.virtual import VirtualClock, VirtualTimeLoop
from core.engine.engine import Engine, RunEnd
from core.engine.venue import Venue
from core.model.book import TradeMode
from core.model.commands import Command
from core.model.effects import Effect
from core.model.inputs import CommandGiven
from core.model.units import NS_PER_S, UtcNs
from core.settings.home import Home
from core.settings.load import Loaded, shipped_tree, validated, with_values
from core.settings.secrets import Secrets
from core.strategy.load import load_strategy

T = TypeVar("T")
HOUR_S = 3600.0
_CALM = (
    ("engine.quote_poll_ms", 15_000.0),
    ("engine.quote_idle_ms", 15_000.0),
    ("engine.heartbeat_s", 600.0),
    ("scan.rejudge_calm_s", 60.0),
)
"""The seeded market ticks every 15 s: asking more often only costs time."""


class SlowTransport:
    """The module in this process, moved to the loop's present before each call, with its slowness as virtual sleep."""

    def __init__(self, terminal: SimulatedTerminal, loop: VirtualTimeLoop) -> None:
        self._inner = InProcess(terminal.module, changes=lambda: terminal.trades_changed_counter)
        self._terminal = terminal
        self._loop = loop
        self._one_at_a_time = asyncio.Lock()

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Reply:
        async with self._one_at_a_time:
            self._terminal.advance_to(self._loop.utc_ns())
            reply = self._inner.call_now(name, args, kwargs)
            delay_s = self._terminal.faults.take_delay_s()
            if delay_s:
                await asyncio.sleep(delay_s)
            return reply

    async def call_many(self, calls: Sequence[ModuleCall]) -> tuple[Reply, ...]:
        return tuple([await self.call(call.name, *call.args, **call.kwargs) for call in calls])

    def changes(self) -> int | None:
        self._terminal.advance_to(self._loop.utc_ns())
        return self._inner.changes()

    async def close(self) -> None:
        await self._inner.close()


class World:
    """One market, one terminal, one engine at a time (it may die and start again over the same home and ledger)."""

    def __init__(
        self,
        home: Path,
        *,
        seed: int,
        rates: FaultRates | None = None,
        mode: TradeMode = "demo",
        start_utc_ns: UtcNs = SEEDED_START_UTC_NS,
        **values: Any,
    ) -> None:
        """`values` are settings with dots as double underscores."""
        changes = [(key.replace("__", "."), value) for key, value in values.items()]
        self.tree = with_values(shipped_tree(), [("simulation.seed", seed), *_CALM, *changes])
        self.settings = validated(self.tree, "test")
        self.home = Home(home)
        self.mode = mode
        self.loop = VirtualTimeLoop(start_utc_ns)
        self.faults = Faults(rates, seed)
        self.terminal = seeded_terminal(self.settings, start_utc_ns=start_utc_ns, faults=self.faults)
        self.engine: Engine | None = None
        self.effects: list[tuple[UtcNs, Effect]] = []
        self.runs = 0

    def run(self, work: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        """Live through `work` on the virtual loop."""
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(work(self))
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self.loop.close()

    async def start(self) -> Engine:
        """Start an engine over the terminal as it stands."""
        self.runs += 1
        transport = SlowTransport(self.terminal, self.loop)
        clock = VirtualClock(self.loop)
        broker = Mt5Broker(
            transport, policy_from(self.settings, mode=self.mode), clock, server_clock=ServerClock("new_york_plus_7")
        )
        venue = Venue(mode=self.mode, broker=broker, label="world", run_id=f"w{self.runs}", news=lambda: ())
        loaded = Loaded(self.settings, self.tree, self.tree, {}, ())
        strategy = load_strategy(self.settings.strategy)
        self.home.root.mkdir(parents=True, exist_ok=True)
        engine = Engine(
            home=self.home, loaded=loaded, venue=venue, strategy=strategy, clock=clock, secrets=Secrets(), real_time=False
        )
        await engine.start(lambda _: None)
        engine.runner.listen(lambda at, effect: self.effects.append((at, effect)))
        self.engine = engine
        self._task = asyncio.create_task(engine.run())
        return engine

    async def hours(self, hours: float) -> None:
        """Let market time pass; a run that ended is an error here."""
        await asyncio.sleep(hours * HOUR_S)
        if self._task.done():
            raise AssertionError(f"the run ended: {self._task.result()}")

    async def until(self, holds: Callable[[], bool], hours: float, what: str) -> None:
        """Let market time pass until something holds."""
        for _ in range(int(hours * 720)):
            if holds():
                return
            await asyncio.sleep(5.0)
        raise AssertionError(f"{what} did not come within {hours} h")

    def give(self, command: Command) -> None:
        """An operator's word."""
        engine = self.engine
        assert engine is not None
        engine.drive.post(CommandGiven(command_id=f"c{len(self.effects)}", origin="test", command=command))

    async def crash(self) -> None:
        """The process dies: nothing is said, nothing is flushed beyond what was durable."""
        engine = self.engine
        assert engine is not None
        engine.journal.flush_blocking()
        self._task.cancel()
        await engine._supervisor.stop()
        await engine.link.stop("crash")
        engine.journal.close()
        engine._owner.release()

    async def close(self) -> RunEnd:
        """End the run in order."""
        engine = self.engine
        assert engine is not None
        engine.stop("keep", "test over")
        end = await self._task
        await engine.close(end)
        return end

    # -------------------------------------------------------------------------------------------------- what is true
    def ledger_lots(self) -> dict[int, tuple[str, int, float]]:
        """What the broker holds: symbol, side and lots by position id."""
        return {
            held.position_id: (held.symbol, int(held.side), round(held.lots, 8))
            for held in self.terminal.ledger.positions.values()
        }

    def desk_lots(self) -> dict[int, tuple[str, int, float]]:
        """What the desk believes it holds."""
        assert self.engine is not None
        view = self.engine.desk.view()
        return {held.position_id: (held.symbol, int(held.side), round(held.lots, 8)) for held in view.positions}

    def state(self) -> dict[str, Any]:
        """The desk's tree as plain data."""
        assert self.engine is not None
        found: dict[str, Any] = msgspec.msgpack.decode(self.engine.desk.checkpoint())
        return found

    @property
    def now_utc_ns(self) -> UtcNs:
        """Market time."""
        return self.loop.utc_ns()


def seconds(utc_ns: int) -> float:
    """A span in seconds."""
    return utc_ns / NS_PER_S
