"""Feeding the desk from a terminal that makes its own time: replay, simulated market and backtest alike.

The terminal moves only when the desk has consumed everything and every effect is performed, so a run is a function of its data,
settings and commands. Promises: inputs of one instant come in `INSTANT_ORDER`, then in the order of the pairs; a bar counts as
closed when its time is over and a later tick of any pair was seen, or `scan.bar_close_wait_s` after. Does not: pace (the engine
does), or read any clock. No call suspends while terminal and strategy are in this process, so `run_without_loop` can drive it
without an
event loop; a strategy in a process of its own is waited for, however long it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.engine.order_sender import OrderSender, requests_by_urgency
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.signal_queue import SignalQueue
from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    BarMissing,
    CommandReceived,
    ConnectionState,
    Input,
    Instruments,
    NewDeal,
    TimerFired,
)
from quarterdeck.core.model.market_data import Bar, Quote
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_MS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings

END_OF_DATA = "the recorded data have ended"
"""Why a run ends whose market does."""
_NEVER = 2**62
T = TypeVar("T")


class TerminalStep(Protocol):
    """What a step of the terminal changed."""

    @property
    def at_utc_ns(self) -> UtcNs:
        """Where the terminal stands now."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols with a new quote, in the market's order."""
        ...


class SteppedTerminal(Protocol):
    """A simulated terminal, as the driver moves it."""

    @property
    def now_utc_ns(self) -> UtcNs:
        """The terminal's own present."""
        ...

    @property
    def trades_changed_counter(self) -> int:
        """Rises whenever orders, positions, deals or the account change."""
        ...

    def next_ns(self) -> UtcNs | None:
        """When the market next moves; None at its end."""
        ...

    def advance(self) -> TerminalStep:
        """Move to that instant."""
        ...

    def quotes_for_display(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        """Newest quotes, for screens."""
        ...

    def advance_to(self, at_utc_ns: UtcNs) -> object:
        """Let time pass up to an instant before the next move."""
        ...

    def close_everything(self) -> None:
        """Close all positions at the last bid or ask, their deals marked with rule `end`."""
        ...


class BarScanner(Protocol):
    """What looks at closed bars and answers at once."""

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """The strategy's answer."""
        ...


class AsyncBarScanner(Protocol):
    """What looks at closed bars, here or elsewhere: closed bars in, `Signal` or `NoSignal` out."""

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """The strategy's answer; whatever goes wrong with it is a `NoSignal` that says so."""
        ...

    def take(self, symbol: str, bar: Bar) -> None:
        """A closed bar that came too late to be asked about: only its place in the windows is filled."""
        ...


class Lockstep:
    """One driver over one terminal."""

    def __init__(
        self,
        *,
        terminal: SteppedTerminal,
        broker: Broker,
        runner: DeskRunner,
        performer: OrderSender,
        scans: AsyncBarScanner,
        settings: Settings,
        interest: QuoteDemand,
        until_utc_ns: UtcNs = _NEVER,
    ) -> None:
        """`interest` tells which quotes the desk wants besides those at bar closes."""
        self.terminal = terminal
        self.runner = runner
        self.bars = 0
        self.ending = False
        """The data are over and the desk still has something to finish: its timers continue."""
        self._broker = broker
        self._performer = performer
        self._scans = scans
        self._interest = interest
        self._until_utc_ns = until_utc_ns
        self._symbols = settings.desk.pairs
        self._queue = SignalQueue(settings.scan.queue_max)
        self._bar_wait_ns = int(settings.scan.bar_close_wait_s * NS_PER_S)
        self._slot = bar_closing_at_start(terminal.now_utc_ns)
        """The quarter hour in which the newest tick fell, while its bar is not yet booked."""
        self._trades_seen = terminal.trades_changed_counter
        self._waiting: deque[Input] = deque()  # bounded: emptied at every step; a client may order 64 at once
        self._rates: tuple[str, ...] = ()
        """Pairs that are not traded and whose quotes value those that are; read at every bar close."""

    def next_ns(self) -> UtcNs | None:
        """When the next step falls, market time; None when the data end."""
        market = self.terminal.next_ns()
        if market is None or market > self._until_utc_ns:
            due = min(self._bar_due(), self._timer()) if self.ending else self._bar_due()
            return max(due, self.terminal.now_utc_ns) if due < _NEVER else None
        return max(min(market, self._bar_due(), self._timer()), self.terminal.now_utc_ns)

    def post(self, item: Input) -> None:
        """Something from outside, to be fed at the next chance."""
        self._waiting.append(item)

    async def step(self) -> bool:
        """Move to the next instant and let the desk live it. False when there is none."""
        at = self.next_ns()
        if at is None:
            return False
        market = self.terminal.next_ns()
        ticked: tuple[str, ...] = ()
        if market is not None and market <= min(at, self._until_utc_ns):
            ticked = self.terminal.advance().symbols
        else:
            self.terminal.advance_to(at)
        due_slot = self._over(at, bool(ticked))
        for item in await self._broker_news():
            await self.feed_input(item, at)
        await self._quotes(at, ticked, everything=due_slot is not None)
        if self._timer() <= at:
            await self.feed_input(TimerFired(), at)
        if due_slot is not None:
            await self._close_bars(due_slot * M15_NS, at)
        await self.feed_waiting()
        return True

    async def finish(self) -> None:
        """The market is over: what is open is closed at the last bid or ask with reason `end`, and the desk is asked to end."""
        self.ending = True
        await self.feed_waiting()
        self.terminal.close_everything()
        at = self.terminal.now_utc_ns
        for item in await self._broker_news():
            await self.feed_input(item, at)
        command = StopEngine(policy="keep", why=END_OF_DATA)
        await self.feed_input(CommandReceived(command_id="end", origin="end of data", command=command), at)

    async def feed_waiting(self) -> None:
        """Feed what came from outside, now."""
        while self._waiting:
            await self.feed_input(self._waiting.popleft(), self.terminal.now_utc_ns)

    async def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """Feed one input and perform all that follows from it, before anything else happens."""
        if isinstance(item, Instruments):
            self._rates = tuple(spec.symbol for spec in item.instruments if spec.symbol not in self._symbols)
        pending: deque[Input] = deque((item,))  # bounded: emptied here; an answer leads to few requests
        while pending:
            effects = self.runner.feed_input(pending.popleft(), at_utc_ns)
            for request in requests_by_urgency(effects) if effects else ():
                pending.extend(await self._performer.perform(request))
                self._trades_seen = self.terminal.trades_changed_counter

    async def _broker_news(self) -> Iterable[Input]:
        """Deals, account and book, where the broker did something on its own."""
        if self.terminal.trades_changed_counter == self._trades_seen:
            return ()
        self._trades_seen = self.terminal.trades_changed_counter
        return await broker_inputs(self._broker)

    async def _quotes(self, at: UtcNs, ticked: tuple[str, ...], *, everything: bool) -> None:
        if everything:
            wanted: tuple[str, ...] = (*self._symbols, *self._rates)
        else:
            hot, conversion = self._interest.quote_interest()
            wanted = tuple(name for name in ticked if name in hot or name in conversion)
        if not wanted:
            return
        read = await self._broker.quotes(wanted)
        if isinstance(read, Unknown):
            await self.feed_input(ConnectionState(is_connected=False, why=read.why), at)
            return
        for quote in read.value:
            await self.feed_input(quote, at)

    async def _close_bars(self, open_utc_ns: UtcNs, at: UtcNs) -> None:
        for symbol in self._symbols:
            read = await self._broker.bars(symbol, "M15", 1)
            bar = None if isinstance(read, Unknown) or not len(read.value) else read.value.bar(len(read.value) - 1)
            if bar is None or bar.open_utc_ns != open_utc_ns:
                why = read.why if isinstance(read, Unknown) else "no tick in it"
                await self.feed_input(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why=why), at)
                continue
            self.bars += 1
            await self.feed_input(BarClosed(symbol=symbol, timeframe="M15", bar=bar), at)
            self._queue.offer(await self._scans.scan(symbol, bar))
        for scanned in self._queue.take_all():
            await self.feed_input(scanned, at)

    def _over(self, at: UtcNs, ticked: bool) -> int | None:
        """The quarter hour that is over now, if any, and note the one that a tick opened."""
        slot = at // M15_NS
        over = self._slot
        if over is not None and ((slot > over and ticked) or at >= self._bar_due()):
            self._slot = slot if ticked and slot > over else None
            return over
        if ticked and over is None:
            self._slot = slot
        return None

    def _bar_due(self) -> UtcNs:
        return _NEVER if self._slot is None else (self._slot + 1) * M15_NS + self._bar_wait_ns

    def _timer(self) -> UtcNs:
        wake = self.runner.desk.wake_at()
        return _NEVER if wake is None else wake


class QuoteDemand(Protocol):
    """Which quotes the desk wants as they come."""

    def quote_interest(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Symbols with something open or waiting, and conversion symbols of open risk."""
        ...


def bar_closing_at_start(start_utc_ns: UtcNs) -> int | None:
    """The quarter hour whose last millisecond a run begins in: its bar is no history yet, and must not be lost."""
    return start_utc_ns // M15_NS if (start_utc_ns + NS_PER_MS) % M15_NS == 0 else None


async def broker_inputs(broker: Broker) -> list[Input]:
    """What a change at the broker means for the desk: new deals, then the account, then the book."""
    news: list[Input] = []
    deals = await broker.new_deals()
    if not isinstance(deals, Unknown):
        news.extend(NewDeal(deal=deal) for deal in deals.value)
    account = await broker.account()
    if not isinstance(account, Unknown):
        news.append(AccountRead(account=account.value, read_utc_ns=account.at_utc_ns))
    news.append(await broker.book())
    return news


def run_without_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, without an event loop.

    Raises:
        InvariantBroken: it did suspend.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise InvariantError("work in lockstep never waits")
