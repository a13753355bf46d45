"""A whole engine over a real gateway's processes, which are killed, frozen, garbled and cut off at moments drawn from a seed.

The engine lives here on patient time: it jumps where nobody waits for anything, and runs as in life while a call is on its way, so
that deadlines mean what they say and a week takes minutes. The terminal lives here too and outlives the gateway's child, as the
broker's program outlives the process beside it. Same seed, same blows to choose from; which calls they meet is the machine's doing.

    python -m tests.sim.gateway_week SEED [HOURS]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import random
import selectors
import signal
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec import Struct

from quarterdeck.core.brokers.base import CallReply, Terminal, TerminalCall
from quarterdeck.core.brokers.mt5.gateway.local_terminal import LocalTerminal
from quarterdeck.core.brokers.mt5.in_process_terminal import plain
from quarterdeck.core.brokers.mt5.terminal_choice import call_timeouts
from quarterdeck.core.brokers.simulator.ledger_rows import ENTRY_IN
from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.inputs import ExecutionReport, Input, NotExecuted, Unconfirmed
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from tests.core.brokers.mt5.gateway.far_child import GARBLE
from tests.sim.eager_scanner import EagerScanner
from tests.sim.gateway_child import HOST
from tests.sim.law_checker import Watch
from tests.sim.random_day import START_UTC_NS
from tests.sim.simulated_engine import World, pip_sizes

WEEK_H = 168.0
BLOWS = ("child killed", "child frozen", "hangs", "garbled", "line dropped", "gateway killed", "gateway frozen")
_WEIGHTS = (4, 2, 3, 3, 3, 1, 1)
_ANYTIME = ("child killed", "child frozen", "line dropped", "gateway killed", "gateway frozen")
_ANYTIME_WEIGHTS = (4, 2, 4, 1, 1)
_NEVER_CARRIED_OUT = ("child killed", "child frozen", "gateway killed")
"""Blows that, struck before the terminal has the call, are the end of it."""
HANG_S = (0.6, 20.0)
"""A hanging order is carried out so much later: long after its child was replaced."""
FROZEN_S = (0.1, 4.0)
WEEK_SETTINGS: dict[str, Any] = {
    "engine__quote_poll_ms": 60_000.0,
    "engine__quote_idle_ms": 60_000.0,
    "engine__read_timeout_s": 0.5,
    "engine__send_timeout_s": 0.5,
    "engine__broker_start_timeout_s": 20.0,
    "execution__reconcile_s": 300.0,
    "scan__bar_close_wait_s": 0.5,
    "filters__quote_age_max_s": 300.0,
    "filters__entry_hours": ["UTC 00:00-24:00"],
    "simulation__leverage": 500,
    "simulation__balance_money": 20_000.0,
    "position__time_exit_hours": 0.6,
    "breakers__consecutive_losses_max": 1000,
    "breakers__entries_per_day_max": 10_000,
    "breakers__day_loss_max_pct": 90.0,
    "breakers__drawdown_max_pct": 90.0,
    "breakers__margin_level_min_pct": 0.0,
    "correlation__risk_max_pct": 20.0,
    "risk__risk_per_trade_pct": 0.3,
    "exposure__gap_risk_max_pct": 100.0,
    "exposure__position_max_x_equity": 30.0,
    "exposure__currency_max_x_equity": 90.0,
    "exposure__total_max_x_equity": 90.0,
}


SOAK: dict[str, float] = {"at_orders": 0.1, "at_reads": 0.0003, "mean_h": 3.0}
"""How hard a week is: about two hundred blows."""


class _PatientSelector(selectors.DefaultSelector):
    """Waits as long as life takes while someone waits for an answer, else jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.calls_under_way = 0
        self.pass_time: Callable[[float], None] = lambda _: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0.0)
        if ready or timeout == 0.0:
            return ready
        if self.calls_under_way or timeout is None:
            began_s = time.monotonic()
            ready = super().select(timeout)
            self.pass_time(time.monotonic() - began_s)
        else:
            self.pass_time(timeout)
        return ready


class PatientLoop(VirtualTimeLoop):
    """Virtual time that does not run away from real processes."""

    def __init__(self, start_utc_ns: UtcNs) -> None:
        """Begin at `start_utc_ns`."""
        self._patient = _PatientSelector()
        asyncio.SelectorEventLoop.__init__(self, self._patient)
        self._virtual_s, self._start_utc_ns = 0.0, start_utc_ns
        self._patient.pass_time = self._jump

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Time is life's in here."""
        self._patient.calls_under_way += 1
        try:
            yield
        finally:
            self._patient.calls_under_way -= 1


class Figures(Struct, kw_only=True):
    """What a week was like."""

    market_h: float = 0.0
    real_s: float = 0.0
    calls: int = 0
    """That reached the terminal."""
    children: int = 0
    gateways: int = 0
    blows: Counter[str] = Counter()
    unknown: int = 0
    absent: int = 0
    longest_unknown_s: float = 0.0
    entries: int = 0
    """Intents to open; then those that the broker filled."""
    filled: int = 0
    closes: int = 0
    deals: int = 0
    trades: int = 0

    def __str__(self) -> str:
        """For people."""
        struck = ", ".join(f"{count} {kind}" for kind, count in sorted(self.blows.items()))
        return (
            f"{self.market_h:.1f} h of the market in {self.real_s:.0f} s, {self.calls} calls; struck: {struck}; "
            f"{self.children} children and {self.gateways} gateways in all; {self.entries} entries of which {self.filled} were "
            f"filled, {self.closes} closes, {self.deals} deals, {self.trades} trades; {self.unknown} unconfirmed, "
            f"{self.absent} proven absent, the longest unknown for {self.longest_unknown_s:.0f} s; none lost, none doubled, no orphan"
        )


class Trouble:
    """Draws the blows and strikes them."""

    def __init__(self, world: GatewayWorld, seed: int, *, at_orders: float, at_reads: float, mean_h: float) -> None:
        """Chances a call, and the mean time between blows at any moment."""
        self._world = world
        self._draw = random.Random(seed)
        self._at_orders, self._at_reads, self._mean_s = at_orders, at_reads, mean_h * 3600.0
        self._timers: list[threading.Timer] = []
        self._frozen: set[int] = set()
        self.active = False

    def at_the_door(self, name: str) -> tuple[str, bool] | None:
        """The blow that meets this call, and whether before it is carried out."""
        chance = self._at_orders if name == "order_send" else 0.0 if name == "initialize" else self._at_reads
        if not self.active or self._draw.random() >= chance:
            return None
        kind = self._draw.choices(BLOWS, _WEIGHTS)[0]
        return kind, kind == "hangs" or self._draw.random() < 0.5

    def hang_s(self) -> float:
        """How long a call hangs."""
        return self._draw.uniform(*HANG_S)

    async def keep_striking(self) -> None:
        """At any moment, for ever."""
        while True:
            await asyncio.sleep(self._draw.expovariate(1.0 / self._mean_s))
            if self.active:
                self.strike(self._draw.choices(_ANYTIME, _ANYTIME_WEIGHTS)[0])

    def strike(self, kind: str) -> None:
        """What needs a hand on a process or a line; the rest is the door's."""
        world = self._world
        world.figures.blows[kind] += 1
        gateway = world.local.gateway
        if kind == "line dropped":
            terminal = world.local._terminal
            if terminal is not None and terminal._line is not None:
                terminal._line.socket.transport.abort()
        elif kind == "child killed" and world.child_pid:
            _signal(world.child_pid, signal.SIGKILL)
        elif kind == "child frozen" and world.child_pid:
            self._freeze(world.child_pid)
        elif gateway is not None and gateway.process.returncode is None:
            if kind == "gateway killed":
                _signal(gateway.process.pid, signal.SIGKILL)
            elif kind == "gateway frozen":
                self._freeze(gateway.process.pid)

    def _freeze(self, pid: int) -> None:
        _signal(pid, signal.SIGSTOP)
        self._frozen.add(pid)
        timer = threading.Timer(self._draw.uniform(*FROZEN_S), _signal, (pid, signal.SIGCONT))
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def calm(self) -> None:
        """No more blows; whoever is frozen thaws."""
        self.active = False
        for timer in self._timers:
            timer.cancel()
        for pid in self._frozen:
            _signal(pid, signal.SIGCONT)


class Carried:
    """The way to the gateway; time is life's while a call is on it."""

    def __init__(self, inner: Terminal, loop: PatientLoop) -> None:
        """`inner` does the work."""
        self._inner, self._loop = inner, loop

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """One call."""
        with self._loop.patient():
            return await self._inner.call(name, *args, **kwargs)

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Several reads."""
        with self._loop.patient():
            return await self._inner.call_many(calls)

    def changes(self) -> int | None:
        """Nobody counts."""
        return self._inner.changes()

    async def close(self) -> None:
        """Let go."""
        with self._loop.patient():
            await self._inner.close()


class GatewayWorld(World):
    """A world whose engine reaches its terminal through a gateway's processes."""

    loop: PatientLoop
    local: LocalTerminal

    def __init__(
        self,
        home: Path,
        *,
        seed: int,
        at_orders: float,
        at_reads: float,
        mean_h: float,
        start_utc_ns: UtcNs = START_UTC_NS,
        **values: Any,
    ) -> None:
        """See `Trouble` for the chances, `World` for the rest."""
        super().__init__(home, seed=seed, start_utc_ns=start_utc_ns, tick_s=30, **(WEEK_SETTINGS | values))
        self.loop.close()
        self.loop = PatientLoop(start_utc_ns)
        self.loop.set_exception_handler(self._unhandled)
        self.figures = Figures(blows=Counter())
        self.trouble = Trouble(self, seed, at_orders=at_orders, at_reads=at_reads, mean_h=mean_h)
        self.child_pid = 0
        self.gateways: set[int] = set()
        self.port = 0
        self._unknown_since: dict[str, UtcNs] = {}
        self.watchers.append(self._note)

    def line(self) -> Terminal:
        """A gateway of its own, started at the first call and again when it is gone."""
        engine = self.settings.engine
        self.local = LocalTerminal(
            (HOST, str(self.port)),
            call_timeouts(self.settings),
            VirtualClock(self.loop),
            retry_min_s=engine.retry_min_s,
            retry_max_s=engine.retry_max_s,
        )
        return Carried(self.local, self.loop)

    async def serve(self) -> asyncio.Server:
        """Be the terminal for whichever child comes."""
        server = await asyncio.start_server(self._serve_one, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One child; a new one has to initialise anew."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.child_pid = await _received(reader)
            self.figures.children += 1
            if self.local.gateway is not None:
                self.gateways.add(self.local.gateway.process.pid)
            attached = False
            while True:
                name, args, kwargs = await _received(reader)
                blow, before = self.trouble.at_the_door(name) or ("", False)
                if before and not await self._struck_before(blow):
                    break
                self.terminal.state.initialised = attached
                answer = self._carried_out(name, args, kwargs)
                attached = self.terminal.state.initialised
                if blow and not before:
                    self._struck_after(blow)
                data = pickle.dumps((*answer, GARBLE if blow == "garbled" else None))
                writer.write(struct.pack(">I", len(data)) + data)
                await writer.drain()
        writer.close()

    async def _struck_before(self, blow: str) -> bool:
        """Whether the call is carried out nevertheless."""
        if blow == "hangs":
            self.figures.blows[blow] += 1
            await asyncio.sleep(self.trouble.hang_s())
            return True
        self._struck_after(blow)
        return blow not in _NEVER_CARRIED_OUT

    def _struck_after(self, blow: str) -> None:
        if blow == "garbled":
            self.figures.blows[blow] += 1
        else:
            self.trouble.strike(blow)

    def _carried_out(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        self.figures.calls += 1
        self.terminal.advance_to(max(self.now_utc_ns, self.terminal.now_utc_ns))
        value = plain(getattr(self.terminal.module, name)(*args, **kwargs))
        error = self.terminal.module.last_error()
        for told in self.requests:
            told(name, args)
        return value, error

    def _note(self, at_utc_ns: UtcNs, item: Input, effects: tuple[Effect, ...]) -> None:
        """Who is unconfirmed, and for how long."""
        figures = self.figures
        if isinstance(item, ExecutionReport) and isinstance(item.order_outcome, Unconfirmed):
            if item.client_id not in self._unknown_since:
                figures.unknown += 1
                self._unknown_since[item.client_id] = at_utc_ns
        elif isinstance(item, ExecutionReport) and isinstance(item.order_outcome, NotExecuted):
            figures.absent += 1
        if self._unknown_since:
            asked_after = self.state()["orders"]
            for client_id in [known for known in self._unknown_since if known not in asked_after]:
                lasted_s = (at_utc_ns - self._unknown_since.pop(client_id)) / NS_PER_S
                figures.longest_unknown_s = max(figures.longest_unknown_s, lasted_s)


def live_through(
    home: Path, seed: int, hours: float, *, at_orders: float, at_reads: float, mean_h: float, **values: Any
) -> Figures:
    """So many hours of blows, then a calm in which everything must be one. Raises LawBroken, Stuck, AssertionError."""
    began_s = time.monotonic()
    world = GatewayWorld(home, seed=seed, at_orders=at_orders, at_reads=at_reads, mean_h=mean_h, **values)
    world.scanner = EagerScanner(seed, pip_sizes(world.settings))
    watch = Watch(world)
    # life's pings over virtual time would miss every pong
    with (
        patch("quarterdeck.core.brokers.mt5.gateway_client.PING_S", None),
        patch("quarterdeck.core.brokers.mt5.gateway_client.PONG_S", None),
    ):
        world.run(lambda _: _life(world, watch, hours))
    figures = world.figures
    figures.market_h, figures.real_s = hours, time.monotonic() - began_s
    figures.gateways = len(world.gateways)
    compare(world, watch)
    return figures


async def _life(world: GatewayWorld, watch: Watch, hours: float) -> None:
    server = await world.serve()
    try:
        await world.start()
        world.trouble.active = True
        striking = asyncio.create_task(world.trouble.keep_striking())
        while hours > 0.0:
            await world.hours(min(hours, 0.25))
            watch.check()
            hours -= 0.25
        striking.cancel()
        world.trouble.calm()
        await world.until(world.settled, 2.0, "one book")
        await world.hours(0.1)
        await world.until(world.settled, 1.0, "one book")
        watch.converged()
        held_back = world.state()["reasons"]
        assert not held_back, f"nothing is wrong any more, and entries are stopped: {held_back}"
        await world.flatten(hours=72.0)
        await world.until(world.settled, 1.0, "one book")
        watch.flat()
        await world.close()
        watch.check()
    finally:
        world.trouble.calm()
        with world.loop.patient():
            await world.local.close()
        server.close()


def compare(world: GatewayWorld, watch: Watch) -> None:
    """The ledger's deals against the journal's intents, by nothing but what both wrote down."""
    ledger, figures = world.terminal.ledger, world.figures
    with TapeReader(world.home.journal) as reader:
        kinds = dict(reader.rows("SELECT client_id, kind FROM intents"))
        booked = Counter(ticket for (ticket,) in reader.rows("SELECT deal_ticket FROM deals"))
        fates = Counter(reader.rows("SELECT kind, fate FROM intents"))
    deals = [deal for deal in ledger.deals if deal.symbol]
    opening: dict[str, set[int]] = {}
    for deal in deals:
        if deal.entry == ENTRY_IN:
            opening.setdefault(deal.comment, set()).add(deal.order)
    assert all(kinds.get(client_id) == "submit" for client_id in opening), f"orphans: {set(opening) - set(kinds)}"
    assert all(len(orders) == 1 for orders in opening.values()), f"doubled: {opening}"
    filled = {client_id for client_id, fate in watch._fates.items() if fate in ("Filled", "deal", "book")}
    assert set(opening) <= filled, f"lost: {set(opening) - filled}"
    assert not [position for position in ledger.positions.values() if position.magic == world.magic]
    assert booked == Counter(deal.ticket for deal in deals), "every deal is booked once"
    assert not world._unknown_since, f"never known: {world._unknown_since}; {fates}"
    figures.entries = len(watch.submitted)
    figures.filled, figures.closes = len(opening), len(watch.closes)
    figures.deals, figures.trades = len(deals), len(watch.trades)


async def _received(reader: asyncio.StreamReader) -> Any:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return pickle.loads(await reader.readexactly(length))  # both ends are the test's own


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def main(arguments: list[str]) -> int:
    """One seed with words."""
    seed, hours = int(arguments[0]), float(arguments[1]) if len(arguments) > 1 else WEEK_H
    with tempfile.TemporaryDirectory(prefix="quarterdeck-week-") as folder:
        print(live_through(Path(folder) / "home", seed, hours, simulation__hedging=seed % 2 == 1, **SOAK))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
