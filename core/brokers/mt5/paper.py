"""Paper trading on a live feed: prices, candles and symbols are a real terminal's, orders and money are a simulated ledger's.

Why: the same adapter and engine, the same bad quotes and rollovers, and not a cent at risk.
Promises: nothing that trades is ever forwarded to the feed, and the feed is never given credentials; between two reads the
ticks of symbols with open positions are fetched whole, so that a stop touched in between fires; the ledger's clock is the
feed's server clock. With a file the account outlives the engine: what a stop missed meanwhile is made up from the feed's ticks.
Does not: make prices. While the feed is unknown so is every quote, and an order is refused for want of a price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import structs

from quarterdeck.core.brokers.base import CallNotSent, CallReply, ReplyLost, Terminal, TerminalCall
from quarterdeck.core.brokers.mt5.account_file import PaperAccount, PaperFile
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.policy import policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.terminal_session import Sleep
from quarterdeck.core.brokers.simulator.market_source import FormingBar, MarketStep, TickColumns
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock as TerminalClock
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_builder import account_terms
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.money import resolve_conversion
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, Price, UtcNs
from quarterdeck.core.settings.schema import Settings

FEED_CALLS = frozenset(
    {
        "version",
        "symbols_get",
        "symbol_info",
        "symbol_info_tick",
        "copy_rates_from_pos",
        "copy_rates_range",
        "copy_ticks_range",
    }
)
"""What the feed answers; `terminal_info`, `symbol_select` and `initialize` concern both, everything else the ledger alone."""
_TICKS_ALL = -1
_CATCH_UP_S_MAX = 86_400
"""How far back ticks are fetched after a gap; what lies further is judged by the first quote after it."""


class FeedMarket:
    """The market of the paper ledger: quotes in the order in which the feed showed them; candles are the feed's own concern."""

    target_first: frozenset[str] = frozenset()

    def __init__(self, symbols: Sequence[str], start_utc_ns: UtcNs) -> None:
        """`symbols` as the broker calls them."""
        self.symbols = tuple(symbols)
        self.label = "paper on a live feed"
        self.start_utc_ns = start_utc_ns
        self._steps: list[MarketStep] = []

    def show(self, symbol: str, bid: Price, ask: Price, at_utc_ns: UtcNs) -> None:
        """The next quote; whoever shows one lets the terminal take it at once."""
        self._steps.append(MarketStep(at_utc_ns, ((symbol, bid, ask),)))

    def initial(self) -> tuple[tuple[str, Price, Price, UtcNs], ...]:
        """No quote before the first."""
        return ()

    def next_ns(self) -> UtcNs | None:
        """Instant of the next quote that was shown."""
        return self._steps[0].at_utc_ns if self._steps else None

    def step(self) -> MarketStep:
        """Take it."""
        return self._steps.pop(0)

    def version(self, symbol: str, timeframe: str) -> int:
        """Nothing changes."""
        return 0

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        """None are kept here."""
        return None

    def reached(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> int:
        """None."""
        return 0

    def forming(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> FormingBar | None:
        """None."""
        return None

    def ticks(self, symbol: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs, now_utc_ns: UtcNs) -> TickColumns:
        """None are kept here."""
        return TickColumns(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))

    def news(self) -> tuple[NewsEvent, ...] | None:
        """A feed has no calendar."""
        return None


class PaperTerminal:
    """A `Terminal` that reads the market from one place and keeps the account in another."""

    def __init__(
        self,
        feed: Terminal,
        terminal: SimulatedTerminal,
        market: FeedMarket,
        clock: Clock,
        server: ServerClock,
        *,
        file: PaperFile | None = None,
        plain: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`server` is the feed's clock rule, the same that `terminal` keeps; `plain` our names of the broker's symbols."""
        self._feed = feed
        self._terminal = terminal
        self._market = market
        self._clock = clock
        self._server = server
        self._ledger = InProcessTerminal(terminal.module)
        self._last_ms: dict[str, int] = {}
        self._file = file
        self._plain = dict(plain)
        self._kept_changes = -1

    @property
    def simulated(self) -> SimulatedTerminal:
        """The ledger's terminal."""
        return self._terminal

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """One call, to whom it concerns. Raises what the feed raises, for what the feed answers."""
        try:
            return await self._call(name, args, kwargs)
        finally:
            self._keep()

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallReply:
        if name == "symbol_info_tick":
            return await self._tick(args)
        if name in FEED_CALLS:
            return await self._feed.call(name, *args, **kwargs)
        if name == "initialize":
            return await self._initialize(kwargs)
        if name == "symbol_select":
            reply = await self._feed.call(name, *args)
            self._ledger.call_now(name, args)
            return reply
        if name == "terminal_info":
            return await self._terminal_info()
        await self._refresh(name, args)
        return self._ledger.call_now(name, args, kwargs)

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """Quotes travel together; all else one by one."""
        if all(call.name == "symbol_info_tick" for call in calls):
            replies = await self._feed.call_many(calls)
            for call, reply in zip(calls, replies, strict=True):
                await self._shown(call.args[0], reply)
            self._keep()
            return replies
        return tuple([await self.call(call.name, *call.args, **call.kwargs) for call in calls])

    def changes(self) -> int | None:
        """The ledger counts."""
        return self._terminal.trades_changed_counter

    async def close(self) -> None:
        """Let go of the feed."""
        self._keep()
        await self._feed.close()

    async def resume(self, kept: PaperAccount) -> None:
        """Go on with an account that was kept, first through the ticks that it missed. Raises what the feed raises."""
        self._terminal.ledger.restore(kept.books)
        self._last_ms = {symbol: kept.seen_ms[symbol] for symbol in kept.exposed if symbol in kept.seen_ms}
        missed: list[tuple[int, str, Price, Price]] = []
        for symbol, last_ms in self._last_ms.items():
            reply = await self._feed.call("symbol_info_tick", symbol)
            if isinstance(reply.value, dict):
                missed += await self._missed(symbol, last_ms, int(reply.value["time_msc"]) + 1)
        for at_ms, symbol, bid, ask in sorted(missed):
            self._show(symbol, bid, ask, at_ms)
        self._keep()

    def _keep(self) -> None:
        """Write the account down if anything in it changed."""
        changes = self._terminal.trades_changed_counter
        if self._file is None or changes == self._kept_changes:
            return
        books = self._terminal.ledger.books()
        if self._file.write(PaperAccount(books=books, seen_ms=self._last_ms, plain=self._plain)):
            self._kept_changes = changes

    async def _initialize(self, kwargs: dict[str, Any]) -> CallReply:
        harmless = {key: value for key, value in kwargs.items() if key in ("path", "timeout", "portable")}
        reply = await self._feed.call("initialize", **harmless)
        if reply.value is True:
            self._ledger.call_now("initialize")
        return reply

    async def _terminal_info(self) -> CallReply:
        """The feed's line, the ledger's permissions."""
        reply = await self._feed.call("terminal_info")
        own = self._ledger.call_now("terminal_info")
        if not isinstance(reply.value, dict) or not isinstance(own.value, dict):
            return reply
        mine = {key: own.value[key] for key in ("trade_allowed", "tradeapi_disabled")}
        return CallReply(reply.value | mine, reply.error_code, reply.error_text)

    async def _tick(self, args: tuple[Any, ...]) -> CallReply:
        reply = await self._feed.call("symbol_info_tick", *args)
        await self._shown(args[0], reply)
        return reply

    async def _refresh(self, name: str, args: tuple[Any, ...]) -> None:
        """Time continues for the ledger; an order meets the newest price of its symbol."""
        request = args[0] if name in ("order_send", "order_check") and args and isinstance(args[0], dict) else {}
        symbol = request.get("symbol")
        if symbol in self._market.symbols:
            await self._tick((symbol,))
        self._advance(self._clock.utc_ns())

    async def _shown(self, symbol: str, reply: CallReply) -> None:
        """Let the ledger see a quote, and first what lay between it and the last one if anything of ours is open there."""
        record = reply.value
        if not isinstance(record, dict) or symbol not in self._market.symbols:
            return
        at_ms = int(record["time_msc"])
        last_ms = self._last_ms.get(symbol, 0)
        if at_ms <= last_ms:
            return
        if last_ms and symbol in self._terminal.ledger.exposed:
            await self._between(symbol, last_ms, at_ms)
        self._show(symbol, float(record["bid"]), float(record["ask"]), at_ms)

    async def _between(self, symbol: str, last_ms: int, until_ms: int) -> None:
        for at_ms, _, bid, ask in await self._missed(symbol, last_ms, until_ms):
            self._show(symbol, bid, ask, at_ms)

    async def _missed(self, symbol: str, last_ms: int, until_ms: int) -> list[tuple[int, str, Price, Price]]:
        """Ticks of a symbol between two instants of the server, neither included."""
        first_s = max(last_ms // 1000, until_ms // 1000 - _CATCH_UP_S_MAX)
        reply = await self._feed.call("copy_ticks_range", symbol, first_s, until_ms // 1000 + 1, _TICKS_ALL)
        if not isinstance(reply.value, np.ndarray) or reply.value.dtype.names is None:
            return []
        ticks = reply.value
        ticks = ticks[(ticks["time_msc"] > last_ms) & (ticks["time_msc"] < until_ms)]
        columns = (ticks[name].tolist() for name in ("time_msc", "bid", "ask"))
        return [(at_ms, symbol, bid, ask) for at_ms, bid, ask in zip(*columns, strict=True)]

    def _show(self, symbol: str, bid: Price, ask: Price, at_ms: int) -> None:
        self._last_ms[symbol] = at_ms
        if not 0.0 < bid <= ask:
            return
        # the ledger's time never goes back: ticks of several symbols come a little out of order
        at_ns = max(self._server.utc_ns_of_ms(at_ms), self._terminal.now_utc_ns + NS_PER_MS)
        self._market.show(symbol, bid, ask, at_ns)
        self._terminal.advance_to(at_ns)

    def _advance(self, utc_ns: UtcNs) -> None:
        if utc_ns > self._terminal.now_utc_ns:
            self._terminal.advance_to(utc_ns)


class _LatePaper:
    """A paper terminal that comes into being when it is first initialised: the feed must be asked what there is to trade."""

    def __init__(
        self,
        feed: Terminal,
        settings: Settings,
        clock: Clock,
        sleep: Sleep,
        file: PaperFile | None,
        clock_file: ServerClockFile | None,
    ) -> None:
        self._feed = feed
        self._open = partial(_opened, feed, settings, clock, sleep, file, clock_file)
        self._paper: PaperTerminal | None = None

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        if self._paper is None:
            if name in FEED_CALLS:
                return await self._feed.call(name, *args, **kwargs)
            if name != "initialize":
                raise CallNotSent("the paper account is not open yet")
            self._paper = await self._open()
        return await self._paper.call(name, *args, **kwargs)

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        if self._paper is None:
            raise CallNotSent("the paper account is not open yet")
        return await self._paper.call_many(calls)

    def changes(self) -> int | None:
        return None if self._paper is None else self._paper.changes()

    def deal_rule(self, ticket: int) -> str:
        return "" if self._paper is None else self._paper.simulated.ledger.deal_rule(ticket)

    async def close(self) -> None:
        await (self._feed if self._paper is None else self._paper).close()


def paper_broker(
    feed: Terminal,
    settings: Settings,
    clock: Clock,
    *,
    sleep: Sleep = asyncio.sleep,
    file: PaperFile | None = None,
    clock_file: ServerClockFile | None = None,
) -> Mt5Broker:
    """An adapter over a paper account on a live feed; its `connect` reaches the feed, and continues with what `file` holds.

    `connect` raises BrokerError as any adapter's, and when the feed's clock cannot be determined or `file` holds another account.
    """
    line = _LatePaper(feed, settings, clock, sleep, file, clock_file)
    policy = policy_from(settings, mode="paper")
    return Mt5Broker(line, policy, clock, sleep=sleep, deal_rule=line.deal_rule, clock_file=clock_file)


async def _opened(
    feed: Terminal,
    settings: Settings,
    clock: Clock,
    sleep: Sleep,
    file: PaperFile | None,
    clock_file: ServerClockFile | None,
) -> PaperTerminal:
    terms = account_terms(settings)
    kept = None if file is None else file.read(terms)
    watcher = Mt5Broker(feed, policy_from(settings, mode="paper"), clock, sleep=sleep, clock_file=clock_file)
    await watcher.connect()
    if clock_file is not None:
        clock_file.same(terms.server, watcher.session.server_name)
    held = () if kept is None else tuple(kept.plain[name] for name in kept.exposed)
    specs = await watcher.select(tuple(dict.fromkeys((*await _with_conversions(watcher, settings), *held))))
    found = await watcher.server_clock_rule()
    server = watcher.session.server
    if not found.confirmed and found.offset_s == 0:
        raise BrokerError("the feed's clock could not be determined", what_to_do="start when the market is open")
    names = watcher.session.broker_names
    own = [structs.replace(spec, symbol=names[spec.symbol]) for spec in specs]
    market = FeedMarket([spec.symbol for spec in own], clock.utc_ns() - NS_PER_S)
    rule = TerminalClock(found.rule, server.fixed_s if found.rule == "fixed" else 0)
    terminal = SimulatedTerminal(market, own, terms, clock=rule)
    plain = {names[spec.symbol]: spec.symbol for spec in specs}
    paper = PaperTerminal(feed, terminal, market, clock, server, file=file, plain=plain)
    if kept is not None:
        try:
            await paper.resume(kept)
        except (ReplyLost, CallNotSent) as error:
            raise BrokerError(f"the feed was lost at the start: {error}", what_to_do="see `quarterdeck doctor`") from error
    return paper


async def _with_conversions(watcher: Mt5Broker, settings: Settings) -> tuple[str, ...]:
    """Traded pairs and those that convert their results to the account currency."""
    traded = settings.desk.pairs
    account = settings.simulation.currency
    wanted = [pair[:3] for pair in traded] + [pair[3:6] for pair in traded]
    candidates = {a + b for a in {*wanted, account, "USD"} for b in {*wanted, account, "USD"} if a != b}
    offered = await watcher.available_symbols(sorted(candidates))
    found: dict[str, None] = dict.fromkeys(traded)
    for currency in wanted:
        path = resolve_conversion(currency, account, offered.__contains__)
        if path is not None:
            found.update(dict.fromkeys(path.pairs))
    return tuple(found)
