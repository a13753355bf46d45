"""A whole engine on virtual time against a simulated terminal with faults: one seed is one reproducible bad day.

The live path is used (loops a pair, performing beside each other), not lockstep: the terminal's market moves with the loop's clock,
a slow call costs virtual seconds, and nothing waits in real time. The engine may be killed at any step and started again over the
same home and ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar
from unittest.mock import patch

import msgspec

from quarterdeck.core.brokers.base import CallReply, Terminal, TerminalCall
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import priority_of
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.policy import policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.faults import FaultRates, Faults
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.ledger_rows import ORDER_BUY, ORDER_SELL, REASON_CLIENT, LedgerOrder
from quarterdeck.core.brokers.simulator.market_seeded import MarketScript, SeededMarket
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock as LedgerClock
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, account_terms
from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.data.recorded_prices import conversion_pairs
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.engine import Engine, RunEnd
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.journal.journal_store import JournalEntry
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.broker_account import TradeMode
from quarterdeck.core.model.commands import Command, Flatten
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.inputs import CommandReceived, Input
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings, for_pair, shipped_tree, validated, with_values
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy
from tests.sim.eager_scanner import EagerScanner

T = TypeVar("T")
HOUR_S = 3600.0
GROUP_COMMIT_NS = 50 * NS_PER_MS
CALLS_MAX = 400_000
"""A day asks for a few thousand things; whoever asks for so many turns in circles."""
_QUOTED = ("EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "USDJPY", "USDCHF", "USDCAD", "XAUUSD")
_CALM: tuple[tuple[str, Any], ...] = (
    ("engine.quote_poll_ms", 15_000.0),
    ("engine.quote_idle_ms", 60_000.0),
    ("engine.heartbeat_s", 600.0),
    ("scan.reevaluate_calm_s", 60.0),
    ("filters.quote_age_max_s", 300.0),
)
"""The seeded market ticks every 15 s: asking more often only costs time."""
Watcher = Callable[[UtcNs, Input, tuple[Effect, ...]], None]
Step = Callable[[str, str], bool]
"""Asked at each step of the way of an order with (step, what it is about): whether the process dies there."""


class Stuck(AssertionError):
    """What should have come did not."""


class World:
    """One market, one terminal, one engine at a time."""

    def __init__(
        self,
        home: Path,
        *,
        seed: int,
        rates: FaultRates | None = None,
        mode: TradeMode = "demo",
        start_utc_ns: UtcNs = SEEDED_START_UTC_NS,
        scanner: EagerScanner | None = None,
        script: MarketScript | None = None,
        history_days: int = 3,
        tick_s: int = 15,
        **values: Any,
    ) -> None:
        """`values` are settings with dots as double underscores. Without a scanner the shipped strategy looks at the bars."""
        changes = [(key.replace("__", "."), value) for key, value in values.items()]
        # the lock on an account counts in the whole machine; worlds of several processes must not meet
        login = ("account.login", 8_000_000 + os.getpid())
        self.tree = with_values(shipped_tree(), [("simulation.seed", seed), login, *_CALM, *changes])
        self.settings = validated(self.tree, "test")
        self.home = Home(home)
        self.mode = mode
        self.loop = VirtualTimeLoop(start_utc_ns)
        self.loop.set_exception_handler(self._unhandled)
        self.faults = Faults(rates, seed)
        self.terminal = small_terminal(
            self.settings,
            seed=seed,
            start_utc_ns=start_utc_ns,
            history_days=history_days,
            tick_s=tick_s,
            script=script,
            faults=self.faults,
        )
        self.scanner = scanner
        self.lease: Any = None
        """The gateway's side of the lease, where there is one."""
        self.apart: Any = None
        """Who is asked about closed bars instead of the strategy here."""
        self.engine: Engine | None = None
        self._task: asyncio.Task[RunEnd] | None = None
        self.effects: list[tuple[UtcNs, Effect]] = []
        self.watchers: list[Watcher] = []
        self.requests: list[Callable[[str, tuple[Any, ...]], None]] = []
        """Reported the name and arguments of each call of the terminal, after it."""
        self.dies_at: Step | None = None
        self.dead = asyncio.Event()
        self.buried = True
        self.runs = 0
        self.calls = 0
        self.unhandled: list[str] = []
        self.foreign: dict[int, str] = {}
        """Positions that someone opened manually, by ticket."""

    # ------------------------------------------------------------------------------------------------------ a life
    def run(self, work: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        """Live through `work` on the virtual loop."""
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(work(self))
        finally:
            if self.engine is not None and not self.buried:
                self.loop.run_until_complete(self.bury())
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self.loop.close()

    async def start(self) -> Engine:
        """Start an engine over the terminal as it stands."""
        self.runs += 1
        self.dead.clear()
        self.buried = False
        clock = self.clock()
        policy = policy_from(self.settings, mode=self.mode)
        broker = Mt5Broker(self.line(), policy, clock, server_clock=ServerClock("new_york_plus_7"))
        venue = Venue(mode=self.mode, broker=broker, label="world", run_id=f"w{self.runs}", news=lambda: (), lease=self.lease)
        loaded = LoadedSettings(self.settings, self.tree, self.tree, {}, ())
        self.home.root.mkdir(parents=True, exist_ok=True)
        engine = Engine(
            home=self.home, loaded=loaded, venue=venue, strategy=_strategy(self.settings), clock=clock, secrets=Secrets(),
            real_time=False, apart=self.apart,
        )  # fmt: skip
        self.engine = engine
        scanner = self.scanner
        with ExitStack() as patches:
            patches.enter_context(patch("quarterdeck.core.engine.engine.DeskRunner", self._runner))
            if scanner is not None:
                patches.enter_context(patch("quarterdeck.core.engine.engine.make_scanner", lambda *_: scanner))
            await engine.start(lambda _: None)
        self._task = asyncio.create_task(engine.run())
        return engine

    def clock(self) -> Clock:
        """The engine's clock."""
        return VirtualClock(self.loop)

    def line(self) -> Terminal:
        """The engine's way to the terminal."""
        return Line(self)

    def _runner(self, desk: Desk, journal: JournalWriter, at_utc_ns: UtcNs) -> DeskRunner:
        """A runner, and someone who looks over its shoulder and the journal's."""
        runner = DeskRunner(desk, journal, at_utc_ns)
        runner.listen(lambda at, effect: self.effects.append((at, effect)))
        give, flush = runner.feed_input, journal.flush

        def watched(item: Input, at_utc_ns: UtcNs) -> tuple[Effect, ...]:
            self.step("before it is booked", _about(item))
            effects: tuple[Effect, ...] = give(item, at_utc_ns)
            for watcher in self.watchers:
                watcher(runner.at_utc_ns, item, effects)
            self.step("after it is booked", _about(item))
            return effects

        async def flushed() -> bool:
            await self.pass_step("before the intent is flushed", "")
            done = await flush()
            await self.pass_step("after the intent is flushed", "")
            return done

        runner.feed_input = watched  # type: ignore[method-assign] # a test looks over its shoulder
        journal.flush = flushed  # type: ignore[method-assign] # the same
        return runner

    async def hours(self, hours: float) -> None:
        """Let market time pass; a run that ended is an error here."""
        await asyncio.sleep(hours * HOUR_S)
        self._alive()

    async def hours_until_death(self, hours: float) -> None:
        """As `hours`, or until the process dies."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.dead.wait(), hours * HOUR_S)

    async def hours_without(self, hours: float) -> None:
        """Let market time pass without an engine."""
        await asyncio.sleep(hours * HOUR_S)

    async def until(self, holds: Callable[[], bool], hours: float, what: str, every_s: float = 5.0) -> None:
        """Let market time pass until something holds. Raises Stuck."""
        for _ in range(int(hours * HOUR_S / every_s)):
            if holds():
                return
            await asyncio.sleep(every_s)
            self._alive()
        raise Stuck(f"{what} did not come within {hours} h: {self.told()}")

    def _alive(self) -> None:
        if self._task is not None and self._task.done():
            raise AssertionError(f"the run ended: {self._task.result()}")

    def give(self, command: Command) -> None:
        """An operator's word."""
        engine = self._running
        engine.run_loop.post(CommandReceived(command_id=f"c{len(self.effects)}", origin="test", command=command))

    async def flatten(self, hours: float = 1.0, scope: Literal["ours", "account"] = "ours") -> None:
        """The operator closes everything, and waits until it is said to be so. Raises Stuck."""
        asked_utc_ns = self.now_utc_ns
        self.give(Flatten(scope=scope))

        def done() -> bool:
            now = self.state()["flatten"]
            return now is not None and now["done"] and now["done_utc_ns"] >= asked_utc_ns

        await self.until(done, hours, "flat")

    async def close(self) -> RunEnd:
        """End the run in order."""
        engine = self._running
        engine.stop("keep", "test over")
        assert self._task is not None
        end = await self._task
        await engine.close(end)
        self.buried = True
        return end

    # ------------------------------------------------------------------------------------------------------ a death
    def step(self, step: str, about: str) -> None:
        """A step that cannot wait: the process may die before what follows."""
        if self.dead.is_set():
            raise asyncio.CancelledError
        if self.dies_at is not None and self.dies_at(step, about):
            self._die()
            raise asyncio.CancelledError

    async def pass_step(self, step: str, about: str) -> None:
        """As `step`, where the caller can wait for ever."""
        if self.dead.is_set():
            await _for_ever()
        if self.dies_at is not None and self.dies_at(step, about):
            self._die()
            await _for_ever()

    def _die(self) -> None:
        """Now: what was neither flushed nor committed with its group is lost, and nothing more reaches disk or broker."""
        journal = getattr(self.engine, "journal", None)
        self.dead.set()
        if journal is None:
            return
        cutoff = self.now_utc_ns - GROUP_COMMIT_NS
        kept = [entry for entry in journal._pending if _entry_at(entry) <= cutoff]
        journal._pending.clear()
        journal._pending.extend(kept)
        journal.flush_blocking()
        journal._queue = lambda _entry: None  # a dead process writes nothing

    async def bury(self) -> None:
        """Clear the dead process away, so that another can start."""
        engine = self._running
        self.buried = True
        if not self.dead.is_set():
            self._die()
        self.dies_at = None
        live = getattr(getattr(engine, "run_loop", None), "_live", None)
        tasks = [*(() if self._task is None else (self._task,)), *(() if live is None else live._performing)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine._supervisor.stop()
        if hasattr(engine, "link"):
            await engine.link.stop("crash")
        for held, letting_go in (("journal", "close"), ("_owner", "release"), ("_log", "close")):
            if hasattr(engine, held):
                getattr(getattr(engine, held), letting_go)()

    def _unhandled(self, _loop: object, context: dict[str, Any]) -> None:
        if context.get("exception") is not None:  # a task of a killed process may well be pending for ever
            self.unhandled.append(f"{context.get('message')}: {context.get('exception')!r}")

    # -------------------------------------------------------------------------------------------------- what is true
    @property
    def _running(self) -> Engine:
        assert self.engine is not None, "no engine was started"
        return self.engine

    @property
    def magic(self) -> int:
        """Our number."""
        return self.settings.account.magic

    def ledger_lots(self) -> dict[int, tuple[str, int, float]]:
        """What the broker holds for us: symbol, side and lots by position id."""
        return {
            held.position_id: (held.symbol, int(held.side), round(held.lots, 8))
            for held in self.terminal.ledger.positions.values()
            if held.magic == self.magic
        }

    def desk_lots(self) -> dict[int, tuple[str, int, float]]:
        """What the desk believes it holds."""
        view = self._running.desk.view()
        return {held.position_id: (held.symbol, int(held.side), round(held.lots, 8)) for held in view.positions if held.ours}

    def state(self) -> dict[str, Any]:
        """The desk's tree as plain data."""
        found: dict[str, Any] = msgspec.msgpack.decode(self._running.desk.checkpoint())
        return found

    def settled(self) -> bool:
        """Nothing is on its way, and desk and broker hold the same."""
        state = self.state()
        return (
            not state["orders"]
            and not state["reservations"]
            and not state["closes"]
            and not self.terminal.ledger.orders
            and self.desk_lots() == self.ledger_lots()
        )

    def by_hand(self, symbol: str, side: Side, lots: float = 0.1, *, magic: int = 0, comment: str = "manually") -> int:
        """Someone opens a position in the terminal, with a stop far away; its ticket."""
        ledger = self.terminal.ledger
        bid, ask, _ = ledger.quotes[symbol]
        price = ask if side is Side.BUY else bid
        kind = ORDER_BUY if side is Side.BUY else ORDER_SELL
        stop = price - side * 0.01 * price
        order = LedgerOrder(0, symbol, kind, lots, price, stop, 0.0, self.now_utc_ns, magic, comment, REASON_CLIENT)
        done = ledger.fill(ledger.new_order(order), lots, price, "market")
        assert done.position is not None
        self.foreign[done.position.ticket] = symbol
        return done.position.ticket

    def money_agrees(self) -> bool:
        """The desk's balance is the ledger's."""
        return abs(self.state()["balance_money"] - self.terminal.ledger.balance_money) < 0.005

    def told(self) -> str:
        """Where everything stands, for a failure's text."""
        state = self.state()
        keys = ("orders", "reservations", "closes", "reasons", "flatten")
        return f"{ {key: state[key] for key in keys} } desk {self.desk_lots()} broker {self.ledger_lots()}"

    @property
    def now_utc_ns(self) -> UtcNs:
        """Market time."""
        return self.loop.utc_ns()


class Line:
    """The module in this process, moved to the loop's present before each call, with its slowness as virtual sleep."""

    def __init__(self, world: World) -> None:
        """A line of `world` to its terminal; it falls silent when the process dies."""
        terminal = world.terminal
        self._inner = InProcessTerminal(terminal.module, changes=lambda: terminal.trades_changed_counter)
        self._world = world
        self._inside = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def _turn(self, priority: int) -> AsyncIterator[None]:
        """One call at a time, the urgent ones first, as the gateway keeps it."""
        if self._inside:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (priority, next(self._numbers), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # its turn came in the moment in which it was given up
                    self._next()
                raise
        self._inside = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        self._inside = False
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._inside = True
                turn.set_result(None)
                break

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """One call; one at a time."""
        async with self._turn(priority_of(name, args)):
            world = self._world
            sends = name == "order_send"
            if sends or name == "order_check":
                await world.pass_step(f"before {name}", _kind(args))
            elif world.dead.is_set():
                await _for_ever()
            world.calls += 1
            if world.calls > CALLS_MAX:
                raise Stuck(f"{world.calls} calls of the terminal")
            world.terminal.advance_to(world.loop.utc_ns())
            reply = self._inner.call_now(name, args, kwargs)
            for told in world.requests:
                told(name, args)
            if sends:
                await world.pass_step("after order_send", _kind(args))
            delay_s = world.faults.take_delay_s()
            if delay_s:
                await asyncio.sleep(delay_s)
            if sends:
                await world.pass_step("after the answer", _kind(args))
            return reply

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """One after the other."""
        return tuple([await self.call(call.name, *call.args, **call.kwargs) for call in calls])

    def changes(self) -> int | None:
        """The terminal's own count."""
        self._world.terminal.advance_to(self._world.loop.utc_ns())
        return self._inner.changes()

    async def close(self) -> None:
        """Let go."""
        await self._inner.close()


def small_terminal(
    settings: Settings,
    *,
    seed: int,
    start_utc_ns: UtcNs,
    history_days: int,
    tick_s: int,
    script: MarketScript | None,
    faults: Faults,
) -> SimulatedTerminal:
    """The seeded market with a short past: simulated days are many, and their scanner needs none."""
    traded = settings.desk.pairs
    symbols = (*traded, *conversion_pairs(traded, settings.simulation.currency, _QUOTED.__contains__))
    specs = tuple(instrument(symbol) for symbol in symbols)
    market = SeededMarket(
        specs,
        {symbol: for_pair(settings, symbol).costs for symbol in symbols},
        seed=seed,
        start_utc_ns=start_utc_ns,
        history_days=history_days,
        tick_s=tick_s,
        script=script,
    )
    return SimulatedTerminal(market, specs, account_terms(settings), clock=LedgerClock("new_york_plus_7"), faults=faults)


def pip_sizes(settings: Settings) -> dict[str, float]:
    """Pip by traded pair."""
    return {symbol: instrument(symbol).pip for symbol in settings.desk.pairs}


_loaded: dict[bytes, LoadedStrategy] = {}


def _strategy(settings: Settings) -> LoadedStrategy:
    key = msgspec.msgpack.encode(settings.strategy)
    if key not in _loaded:
        _loaded[key] = load_strategy(settings)
    return _loaded[key]


async def _for_ever() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("for ever is over")


def _about(item: Input) -> str:
    fate = getattr(item, "order_outcome", None)
    return type(item).__name__ if fate is None else f"{type(item).__name__} {type(fate).__name__}"


def _kind(args: tuple[Any, ...]) -> str:
    request = args[0]
    if request["action"] == 1:
        return "close" if request.get("position") else "open"
    return {6: "modify", 8: "cancel"}.get(request["action"], "other")


def _entry_at(entry: JournalEntry) -> UtcNs:
    return entry[0].at_utc_ns if isinstance(entry, tuple) else int(getattr(entry, "at_utc_ns", 0))


def seconds(utc_ns: int) -> float:
    """A span in seconds."""
    return utc_ns / NS_PER_S
