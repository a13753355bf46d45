"""Feeding the desk from a broker that keeps its own time: one loop a pair for quotes and bars, one for the book, one for timers.

Promises: no pair waits for another (each has its own loop); inputs reach the desk one at a time, in the order in which they came;
quotes are conflated to the newest a pair, and those of pairs that nothing is open or waiting in come at bar closes alone. A bar
counts as closed when its time is over and the broker shows it so, or is absent `scan.bar_close_wait_s` after; what closed while
the line was down is read afterwards, so that no window has a hole that the broker has not. A pair whose strategy is still looking
keeps no other waiting. Requests are performed beside each other; the terminal's own queue serves closes first.
Does not: decide how fresh is fresh; the desk does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.lockstep import AsyncBarScanner, QuoteDemand, broker_inputs
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.send import OrderSender, requests_by_urgency
from quarterdeck.core.engine.signal_queue import SignalQueue
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.model.effects import BrokerRequest, QueryBook
from quarterdeck.core.model.inputs import BarClosed, BarMissing, ConnectionState, Input, ServerClockRule, TimerFired
from quarterdeck.core.model.market_data import Bar, Quote
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings

_INBOX_MAX = 10_000
_BAR_POLL_S = 0.25
_GAP_BARS_MAX = 1_000
"""Bars read at once after the line was down; ten days of them."""
_CLOCK_S, _CLOCK_UNSURE_S = 3_600.0, 300.0
"""The server's clock is measured anew so often; the sooner where no tick has confirmed it, or it has just moved."""
_TIMER_MIN_S = 0.05
"""A desk that still wants to be woken is not asked more often than this."""


class LiveFeed:
    """The loops that feed one desk from one broker."""

    def __init__(
        self,
        *,
        broker: Broker,
        runner: DeskRunner,
        performer: OrderSender,
        scans: AsyncBarScanner,
        settings: Callable[[], Settings],
        interest: QuoteDemand,
        clock: Clock,
        supervisor: TaskSupervisor,
        on_hour: Callable[[str, Bar], None] | None = None,
    ) -> None:
        """`settings` is asked anew each time, so that a change takes effect while running.

        `on_hour` hears the broker's closed H1 bars.
        """
        self.bars = 0
        self.newest: dict[str, Quote] = {}
        """Newest quote of each symbol, shown or not to the desk."""
        self.last_bar_utc_ns: dict[str, UtcNs] = {}
        """Open of the newest bar that the scanner knows of each pair."""
        self.feed_up = True
        self.feed_why = ""
        self._outage_told = False
        """Quotes met the newest outage first, and tell of its end as well."""
        self.server_clock: ServerClockRule | None = None
        """What the desk was told last of the server's clock."""
        self.round_trip_ms: float | None = None
        """What the newest read of quotes took."""
        self._broker = broker
        self._runner = runner
        self._performer = performer
        self._scans = scans
        self._settings = settings
        self._interest = interest
        self._clock = clock
        self._supervisor = supervisor
        self._on_hour = on_hour
        self._symbols = settings().desk.pairs
        self._inbox: deque[Input | str] = deque(maxlen=_INBOX_MAX)
        """Inputs as they came; a bare text stands for the newest quote of that symbol."""
        self._quotes: dict[str, Quote] = {}
        self._shown: dict[str, UtcNs] = {}
        self._arrived = asyncio.Event()
        self._consumed = asyncio.Event()
        self._back = asyncio.Event()
        """Set when the line is up again."""
        self._queue = SignalQueue(settings().scan.queue_max)
        self._changes: int | None = None
        self._performing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start all loops under the supervisor."""
        keep = self._supervisor.keep
        keep("desk", self._consume)
        keep("timer", self._timers)
        keep("book", self._book)
        keep("server clock", self._measuring)
        for symbol in self._symbols:
            keep(f"quotes {symbol}", self._quoting(symbol))
            keep(f"bars {symbol}", self._barring(symbol))

    async def stop(self) -> None:
        """Wait for what is being performed; the supervisor ends the loops."""
        if self._performing:
            await asyncio.gather(*self._performing, return_exceptions=True)

    def post(self, item: Input) -> None:
        """Something for the desk; a quote takes the place of an older one that still waits."""
        if isinstance(item, Quote):
            if item.symbol not in self._quotes:
                self._inbox.append(item.symbol)
            self._quotes[item.symbol] = item
        else:
            self._inbox.append(item)
        self._arrived.set()

    async def _consume(self) -> None:
        while True:
            while self._inbox:
                waiting = self._inbox.popleft()
                item = self._quotes.pop(waiting) if isinstance(waiting, str) else waiting
                effects = self._runner.feed_input(item, self._clock.utc_ns())
                self._consumed.set()
                for request in requests_by_urgency(effects):
                    task = asyncio.create_task(self._perform(request), name=f"perform {type(request).__name__}")
                    self._performing.add(task)
                    task.add_done_callback(self._performing.discard)
            self._arrived.clear()
            await self._arrived.wait()

    async def _perform(self, request: BrokerRequest) -> None:
        self._told_by_broker(await self._performer.perform(request))

    def _told_by_broker(self, items: Iterable[Input]) -> None:
        """To the desk, without an outage that was told already: the adapter's own word on it may come long after it is over."""
        for item in items:
            if not (self._outage_told and isinstance(item, ConnectionState) and not item.symbol):
                self.post(item)

    async def _timers(self) -> None:
        """Wake the desk when it asked for it; it is asked anew after each input."""
        while True:
            self._consumed.clear()
            wake, now = self._runner.desk.wake_at(), self._clock.utc_ns()
            if wake is not None and wake <= now:
                self.post(TimerFired())
                await self._consumed.wait()
                still = self._runner.desk.wake_at()
                if still is not None and still <= now:
                    await asyncio.sleep(_TIMER_MIN_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wake is None else (wake - now) / NS_PER_S):
                    await self._consumed.wait()

    async def _book(self) -> None:
        """Deals, account and book: whenever the terminal counts a change, else at the pace of an open position.

        The whole book is asked for anew now and then, whatever was told: what a hand did in the terminal is noticed then at the
        latest.
        """
        checked_s = self._clock.monotonic_s()
        while True:
            engine, now_s = self._settings().engine, self._clock.monotonic_s()
            if now_s - checked_s >= self._settings().execution.reconcile_s:
                checked_s = now_s
                self._reread("the regular check")
            changes = self._broker.change_counter()
            hot, _ = self._interest.quote_interest()
            if changes is None and hot:
                for item in await broker_inputs(self._broker):
                    self.post(item)
            elif changes is not None and changes != self._changes:
                self._changes = changes
                for item in await broker_inputs(self._broker):
                    self.post(item)
            self._told_by_broker(self._broker.take_events())
            self._outage_told = self._outage_told and not self.feed_up
            await asyncio.sleep((engine.quote_poll_ms if hot else engine.quote_idle_ms) / 1000.0)

    async def _measuring(self) -> None:
        """The server's clock again, each hour and whenever the line is back; a change is the desk's to know."""
        sure = self.server_clock is None or self.server_clock.confirmed
        while True:
            self._back.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOCK_S if sure else _CLOCK_UNSURE_S):
                    await self._back.wait()
            found = await self._broker.server_clock_rule()
            sure = found.confirmed and found == self.server_clock
            if found != self.server_clock:
                self.server_clock = found
                self.post(found)

    def _quoting(self, symbol: str) -> Callable[[], Awaitable[None]]:
        async def loop() -> None:
            while True:
                hot, conversion = self._interest.quote_interest()
                engine = self._settings().engine
                names = (symbol, *(name for name in conversion if symbol == self._symbols[0] and name not in self._symbols))
                asked_s = self._clock.monotonic_s()
                read = await self._broker.quotes(names)
                self.round_trip_ms = (self._clock.monotonic_s() - asked_s) * 1000.0
                if isinstance(read, Unknown):
                    self._line(up=False, why=read.why)
                    await asyncio.sleep(engine.retry_min_s)
                    continue
                self._line(up=True)
                for quote in read.value:
                    self.newest[quote.symbol] = quote
                    if quote.symbol in hot or quote.symbol in conversion:
                        self._show(quote)
                await asyncio.sleep((engine.quote_poll_ms if symbol in hot else engine.quote_idle_ms) / 1000.0)

        return loop

    def _barring(self, symbol: str) -> Callable[[], Awaitable[None]]:
        async def loop() -> None:
            while True:
                slot = self._clock.utc_ns() // M15_NS
                end_utc_ns = (slot + 1) * M15_NS
                await asyncio.sleep((end_utc_ns - self._clock.utc_ns()) / NS_PER_S)
                await self._await_bar(symbol, slot * M15_NS)

        return loop

    async def _await_bar(self, symbol: str, open_utc_ns: UtcNs) -> None:
        """Ask until the broker shows the bar closed, or say that it is absent; a line that is down is waited for."""
        scan = self._settings().scan
        end_utc_ns = open_utc_ns + M15_NS
        while True:
            read = await self._broker.bars(symbol, "M15", 1)
            now = self._clock.utc_ns()
            over = now - end_utc_ns > (scan.bar_close_wait_s + _BAR_POLL_S) * NS_PER_S
            bar = None if isinstance(read, Unknown) or not len(read.value) else read.value.bar(len(read.value) - 1)
            if bar is not None and bar.open_utc_ns >= open_utc_ns:
                await self._bar(symbol, bar, late=now - end_utc_ns > scan.signal_age_max_s * NS_PER_S)
                return
            if over and not isinstance(read, Unknown):
                self.post(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why="no tick in it"))
                return
            if now - end_utc_ns >= M15_NS:
                why = read.why if isinstance(read, Unknown) else "not seen in time"
                self.post(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why=why))
                return
            await asyncio.sleep(_BAR_POLL_S)

    def _show(self, quote: Quote) -> None:
        """To the desk, unless it has seen it."""
        if self._shown.get(quote.symbol) != quote.at_utc_ns:
            self._shown[quote.symbol] = quote.at_utc_ns
            self.post(quote)

    async def _bar(self, symbol: str, bar: Bar, *, late: bool) -> None:
        await self._fill_gap(symbol, bar.open_utc_ns)
        self.bars += 1
        for quote in tuple(self.newest.values()):
            self._show(quote)
        self.post(BarClosed(symbol=symbol, timeframe="M15", bar=bar, late=late))
        self._queue.offer(await self._scans.scan(symbol, bar))
        for scanned in self._queue.take_all():
            self.post(scanned)
        if self._on_hour is not None and (bar.open_utc_ns + M15_NS) % H1_NS == 0:
            await self._check_hour(symbol, bar.open_utc_ns + M15_NS - H1_NS, self._on_hour)

    async def _fill_gap(self, symbol: str, open_utc_ns: UtcNs) -> None:
        """Bars that closed while nobody could read them come late, in order, and only then the one that is on time."""
        last = self.last_bar_utc_ns.get(symbol, 0)
        self.last_bar_utc_ns[symbol] = max(last, open_utc_ns)
        if not last or open_utc_ns <= last + M15_NS:
            return
        count = min((open_utc_ns - last) // M15_NS, _GAP_BARS_MAX)
        read = await self._broker.bars(symbol, "M15", count)
        until_utc_ns = self._clock.utc_ns() + int(self._settings().scan.bar_close_wait_s * NS_PER_S)
        while isinstance(read, Unknown):
            if self._clock.utc_ns() >= until_utc_ns:
                return
            await asyncio.sleep(_BAR_POLL_S)
            read = await self._broker.bars(symbol, "M15", count)
        for row in range(len(read.value)):
            bar = read.value.bar(row)
            if last < bar.open_utc_ns < open_utc_ns:
                self.bars += 1
                self.post(BarClosed(symbol=symbol, timeframe="M15", bar=bar, late=True))
                self._scans.take(symbol, bar)

    async def _check_hour(self, symbol: str, open_utc_ns: UtcNs, on_hour: Callable[[str, Bar], None]) -> None:
        """Ask for the broker's own bar of the hour that is over; one that does not come in time is not compared."""
        patience_ns = int((self._settings().scan.bar_close_wait_s + _BAR_POLL_S) * NS_PER_S)
        until_utc_ns = self._clock.utc_ns() + patience_ns
        while self._clock.utc_ns() <= until_utc_ns:
            read = await self._broker.bars(symbol, "H1", 1)
            bar = None if isinstance(read, Unknown) or not len(read.value) else read.value.bar(len(read.value) - 1)
            if bar is not None and bar.open_utc_ns >= open_utc_ns:
                on_hour(symbol, bar)
                return
            await asyncio.sleep(_BAR_POLL_S)

    def _line(self, *, up: bool, why: str = "") -> None:
        if up == self.feed_up:
            return
        self.feed_up, self.feed_why = up, why
        self._outage_told = True
        self.post(ConnectionState(is_connected=up, why=why))
        if up:
            self._back.set()
            self._reread("the line is back")

    def _reread(self, why: str) -> None:
        task = asyncio.create_task(self._perform(QueryBook(why=why)), name="perform AskBook")
        self._performing.add(task)
        task.add_done_callback(self._performing.discard)
