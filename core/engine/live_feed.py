"""Feeding the desk from a broker that keeps its own time: one loop a pair for quotes and bars, one for the book, one for timers.

Promises: no pair waits for another (each has its own loop); inputs reach the desk one at a time, in the order in which they came;
quotes are conflated to the newest a pair, and those of pairs that nothing is open or waiting in come at bar closes alone. What
finds no place in the bounded inbox is read again by ticket before entries continue. Requests are performed beside each other; the
terminal's own queue serves closes first.
Does not: decide how fresh is fresh; the desk does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.book_news import BookNews
from quarterdeck.core.engine.closed_bars import ClosedBars
from quarterdeck.core.engine.inbox import Inbox
from quarterdeck.core.engine.lockstep import AsyncBarScanner, QuoteDemand, broker_inputs
from quarterdeck.core.engine.order_sender import OrderSender, requests_by_urgency
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.silence_detection import QuoteSilence
from quarterdeck.core.engine.specification_watch import SpecificationWatch
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.engine.vitals import Seen
from quarterdeck.core.model.effects import BrokerRequest, QueryBook
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    BrokerBook,
    ConnectionState,
    EngineFault,
    Input,
    ServerClockRule,
    TimerFired,
)
from quarterdeck.core.model.market_data import Bar, Quote
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import M15_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings

_CLOCK_S, _CLOCK_UNSURE_S = 3_600.0, 300.0
"""The server's clock is measured anew so often; the sooner where no tick has confirmed it, or it has just moved."""
_COMPARE_S = 15.0
"""Ticks that are too few to compare the clocks by have it tried again so often."""
_QUIET_READ_S = 5.0
"""While nothing is open, account, book and deals are read so often: another engine's order must not go unseen."""
_AGAIN_NS = 3_600 * NS_PER_S
"""Deals are read again from so long before the first that found no place: clocks of servers differ."""
_REHEARSAL_POLL_S = 0.1
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
        silence: QuoteSilence | None = None,
        speed: float = 1.0,
    ) -> None:
        """`settings` is asked anew each time, so that a change takes effect while running.

        `speed` is market seconds per second of life, above 1 in a rehearsal.

        `on_hour` hears the broker's closed H1 bars; `silence` notices pairs whose quotes stop.
        """
        self.newest: dict[str, Quote] = {}
        """Newest quote of each symbol, shown or not to the desk."""
        self.feed_up = True
        self.feed_why = ""
        self._outage_told = False
        """Quotes met the newest outage first, and tell of its end as well."""
        self.server_clock: ServerClockRule | None = None
        """What the desk got last of the server's clock."""
        self.round_trip_ms: float | None = None
        """What the newest read of quotes took."""
        self._broker = broker
        self._runner = runner
        self._performer = performer
        self._settings = settings
        self._interest = interest
        self._clock = clock
        self._supervisor = supervisor
        self._silence = silence
        self._speed = speed
        self._compared_s = -_COMPARE_S
        self._symbols = settings().desk.pairs
        self._inbox = Inbox(clock.monotonic_s)
        self._short_since_utc_ns: UtcNs = 0
        """Since when inputs were left out that are not read again yet; 0 while none are missing."""
        self._shown: dict[str, UtcNs] = {}
        self._quote_s: float | None = None
        self._answer_s: float | None = None
        self._arrived = asyncio.Event()
        self._consumed = asyncio.Event()
        self._back = asyncio.Event()
        """Set when the line is up again."""
        self.closed = ClosedBars(
            broker=broker, scans=scans, settings=settings, clock=clock, post=self.post, before=self._show_all, on_hour=on_hour,
            speed=speed,
        )  # fmt: skip
        self._specifications = SpecificationWatch(broker, settings, self.post)
        self._changes: int | None = None
        self._book_news = BookNews(clock)
        self._tick_utc_ns, self._tick_seen_s = 0, 0.0
        self._performing: set[asyncio.Task[None]] = set()
        self._reading_again: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start all loops under the supervisor."""
        keep = self._supervisor.keep
        keep("desk", self._consume)
        keep("timer", self._timers)
        keep("book", self._book)
        keep("server clock", self._measuring)
        keep("specifications", self._specifications.watching)
        for symbol in self._symbols:
            keep(f"quotes {symbol}", self._quoting(symbol))
            keep(f"bars {symbol}", self.closed.watching(symbol))

    @property
    def seen(self) -> Seen:
        """What came recently, for whoever judges whether the feed works."""
        return Seen(quote_s=self._quote_s, answer_s=self._answer_s, waiting_since_s=self._inbox.waiting_since_s)

    async def stop(self) -> None:
        """Wait for what is being performed; the supervisor ends the loops."""
        if self._performing:
            await asyncio.gather(*self._performing, return_exceptions=True)

    def newest_tick(self) -> tuple[UtcNs, float]:
        """The newest tick of any pair, and how many seconds ago it was first seen; (0, 0.0) before there was one."""
        return self._tick_utc_ns, self._clock.monotonic_s() - self._tick_seen_s if self._tick_utc_ns else 0.0

    def nudge(self) -> None:
        """The clock jumped: nobody sleeps on towards an instant that is over."""
        self.closed.nudge()
        self._consumed.set()
        self._back.set()

    def post(self, item: Input) -> None:
        """Something for the desk; what finds no place is read again once the desk has caught up."""
        if self._inbox.put(item):
            self._book_news.told(item)
        else:
            self._left_out(item)
        self._arrived.set()

    def _left_out(self, item: Input) -> None:
        """Entries stop until all is read again; a bar is read with the one that follows it."""
        if isinstance(item, BarClosed):
            last = item.bar.open_utc_ns - M15_NS
            self.closed.last_utc_ns[item.symbol] = min(self.closed.last_utc_ns.get(item.symbol, last), last)
        if not self._short_since_utc_ns:
            self._short_since_utc_ns = self._clock.utc_ns()
            why = "More market data arrives than the desk can process; it skips some and reads them again"
            self._inbox.put_first(EngineFault(kind="backlog", active=True, why=why))

    async def _read_again(self) -> None:
        """Deals, account and book once more, by their tickets: the desk passes over what it knows already."""
        since_utc_ns = self._short_since_utc_ns - _AGAIN_NS
        found = None
        while found is None:
            await asyncio.sleep(self._settings().engine.retry_min_s)  # a flood that lasts is not fed by reading
            found = await _news_since(self._broker, since_utc_ns)
        self._short_since_utc_ns = 0
        for item in found:
            self.post(item)
        if not self._short_since_utc_ns:
            self.post(EngineFault(kind="backlog", active=False, why="The desk has caught up and has read again what it skipped"))

    async def _consume(self) -> None:
        while True:
            while self._inbox:
                effects = self._runner.feed_input(self._inbox.take(), self._clock.utc_ns())
                self._consumed.set()
                for request in requests_by_urgency(effects):
                    task = asyncio.create_task(self._perform(request), name=f"perform {type(request).__name__}")
                    self._performing.add(task)
                    task.add_done_callback(self._performing.discard)
            if self._short_since_utc_ns and (self._reading_again is None or self._reading_again.done()):
                self._reading_again = asyncio.create_task(self._read_again(), name="read again")
                self._performing.add(self._reading_again)
                self._reading_again.add_done_callback(self._performing.discard)
            self._arrived.clear()
            await self._arrived.wait()

    async def _perform(self, request: BrokerRequest, *, only_news: bool = False) -> None:
        items = await self._performer.perform(request)
        self._specifications.listen(items)
        self._told_by_broker(self._book_news.news(items) if only_news else items)

    def _told_by_broker(self, items: Iterable[Input]) -> None:
        """To the desk, without an outage that was reported already: the adapter may report it long after it is over."""
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
                async with asyncio.timeout(None if wake is None else (wake - now) / NS_PER_S / self._speed):
                    await self._consumed.wait()

    async def _book(self) -> None:
        """Deals, account and book: whenever the terminal counts a change, else at the pace of an open position.

        The whole book is asked for anew now and then, whatever was reported: what was done in the terminal is noticed then at the
        latest.
        """
        checked_s = read_s = self._clock.monotonic_s()
        while True:
            engine, now_s = self._settings().engine, self._clock.monotonic_s()
            if now_s - checked_s >= self._pause_s(self._settings().execution.reconcile_s):
                checked_s = now_s
                self._reread("the regular check", only_news=True)
            changes = self._broker.change_counter()
            hot, _ = self._interest.quote_interest()
            if changes is None and (hot or now_s - read_s >= self._pause_s(_QUIET_READ_S)):
                read_s = now_s
                for item in self._book_news.news(await broker_inputs(self._broker)):
                    self.post(item)
            elif changes is not None and changes != self._changes:
                self._changes = changes
                for item in await broker_inputs(self._broker):
                    self.post(item)
            self._told_by_broker(self._broker.take_events())
            self._outage_told = self._outage_told and not self.feed_up
            await asyncio.sleep(self._pause_s((engine.quote_poll_ms if hot else engine.quote_idle_ms) / 1000.0))

    async def _measuring(self) -> None:
        """The server's clock again, each hour and whenever the connection is back; a change is the desk's to know."""
        sure = self.server_clock is None or _is_sure(self.server_clock)
        while True:
            self._back.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s(_CLOCK_S if sure else _CLOCK_UNSURE_S)):
                    await self._back.wait()
            found = await self._broker.server_clock_rule()
            sure = _is_sure(found) and found == self.server_clock
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
                self._answer_s = self._clock.monotonic_s()
                self._listen(names, read.value)
                for quote in read.value:
                    if self.newest.get(quote.symbol) != quote:
                        self._quote_s = self._answer_s
                        self._compare_on_tick(known=quote.symbol in self.newest)
                    self.newest[quote.symbol] = quote
                    if quote.at_utc_ns > self._tick_utc_ns:
                        self._tick_utc_ns, self._tick_seen_s = quote.at_utc_ns, self._clock.monotonic_s()
                    # a rate that only converts is reported once a second
                    old = quote.at_utc_ns - self._shown.get(quote.symbol, 0) >= NS_PER_S
                    if quote.symbol in hot or (quote.symbol in conversion and old):
                        self._show(quote)
                await asyncio.sleep(self._pause_s((engine.quote_poll_ms if symbol in hot else engine.quote_idle_ms) / 1000.0))

        return loop

    def _compare_on_tick(self, *, known: bool) -> None:
        """The first tick of an opening market has the machine's clock compared, where there was none to do it by."""
        clock, now_s = self.server_clock, self._clock.monotonic_s()
        if known and clock is not None and clock.judgement and not clock.confirmed and now_s >= self._compared_s + _COMPARE_S:
            self._compared_s = now_s
            self._back.set()

    def _pause_s(self, market_s: float) -> float:
        """A pause of market time in life's seconds; a rehearsal's polls stay far enough apart for the machine."""
        return market_s if self._speed == 1.0 else max(market_s / self._speed, _REHEARSAL_POLL_S)

    def _listen(self, names: Sequence[str], quotes: Sequence[Quote]) -> None:
        """Tell the desk of pairs whose quotes fall silent, and when they come again."""
        if self._silence is None:
            return
        found, rules = {quote.symbol: quote for quote in quotes}, self._settings().filters
        for name in names:
            told = self._silence.look(
                name,
                found.get(name),
                self._clock.monotonic_s() * self._speed,
                self._clock.utc_ns(),
                least_s=rules.silence_min_s,
                usual_x=rules.silence_usual_x,
            )
            if told is not None:
                self.post(told)

    def _show(self, quote: Quote) -> None:
        """To the desk, unless it has seen it."""
        if self._shown.get(quote.symbol) != quote.at_utc_ns:
            self._shown[quote.symbol] = quote.at_utc_ns
            self.post(quote)

    def _show_all(self) -> None:
        for quote in tuple(self.newest.values()):
            self._show(quote)

    def _line(self, *, up: bool, why: str = "") -> None:
        if up == self.feed_up:
            return
        self.feed_up, self.feed_why = up, why
        self._outage_told = True
        self.post(ConnectionState(is_connected=up, why=why))
        if up:
            self._back.set()
            self._reread("the connection is back")

    def _reread(self, why: str, *, only_news: bool = False) -> None:
        task = asyncio.create_task(self._perform(QueryBook(why=why), only_news=only_news), name="perform AskBook")
        self._performing.add(task)
        task.add_done_callback(self._performing.discard)


def _is_sure(clock: ServerClockRule) -> bool:
    return clock.confirmed and clock.judgement in ("", "agrees")


async def _news_since(broker: Broker, since_utc_ns: UtcNs) -> list[Input] | None:
    """Deals from an instant on, the account and the book; None where one of them cannot be read."""
    broker.resume_deals(since_utc_ns)
    found = await broker_inputs(broker)
    kinds = {type(item) for item in found if not (isinstance(item, BrokerBook) and not item.known)}
    return found if {AccountRead, BrokerBook} <= kinds else None
