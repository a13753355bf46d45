"""The MetaTrader 5 adapter: the `Broker` of the engine over any `Terminal`.

Why: the engine knows trades, the terminal knows calls; everything that differs between the two is on this side.
Promises: after `connect` and `select` nothing raises for what a broker does; nothing handed out bears the broker's clock or
names; `None` from the terminal is Unknown; over a terminal in this process no method suspends (unless it must wait for history
or quotes).
Does not: decide anything about trading. Reads are here; orders in `order_execution`, unconfirmed orders in `reconcile`, the
line in `terminal_session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, assert_never

from quarterdeck.core.brokers.base import CallReply, Connected, Terminal, TerminalCall
from quarterdeck.core.brokers.mt5.account_check import check_account, warnings_of
from quarterdeck.core.brokers.mt5.bar_reader import BarReader
from quarterdeck.core.brokers.mt5.broker_startup import BrokerStartup
from quarterdeck.core.brokers.mt5.clock_check import ClockCheck
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile
from quarterdeck.core.brokers.mt5.deal_history import DealHistory
from quarterdeck.core.brokers.mt5.order_execution import OrderExecutor
from quarterdeck.core.brokers.mt5.parsing import InvalidRecord, order_of, position_of, quote_of
from quarterdeck.core.brokers.mt5.policy import Mt5Policy
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, Sleep, TerminalSession
from quarterdeck.core.brokers.mt5.unconfirmed_orders import OrderReconciler
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.broker_account import Account, Deal
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import BrokerRequest, Cancel, Close, Modify, QueryBook, QueryOrder, Submit
from quarterdeck.core.model.inputs import (
    AccountRead,
    BrokerBook,
    ConnectionState,
    ExecutionReport,
    Filled,
    Input,
    NewDeal,
    OrderOutcome,
    OrderRejected,
    ServerClockRule,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.reads import Known, Unknown
from quarterdeck.core.model.units import Money, UtcNs

_SELECT_AGAIN_S = 60.0
_ACCOUNT, _POSITIONS, _ORDERS = TerminalCall("account_info"), TerminalCall("positions_get"), TerminalCall("orders_get")


def _unsaid(_ticket: int) -> str:
    return ""


class Mt5Broker:
    """One account at one terminal."""

    def __init__(
        self,
        terminal: Terminal,
        policy: Mt5Policy,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        server_clock: ServerClock | None = None,
        deal_rule: Callable[[int], str] = _unsaid,
        clock_file: ServerClockFile | None = None,
        machine: Clock | None = None,
    ) -> None:
        """`server_clock` is given where its rule is known (a simulated terminal, an earlier measurement); else it is measured.

        `clock_file` is what the home knows of servers' clocks; `machine` is the clock that is judged, where it is not `clock`.

        `deal_rule` says by ticket how a simulated terminal found the price of a deal.
        """
        self._session = TerminalSession(terminal, policy, clock, sleep)
        self._deals = DealHistory(self._session, deal_rule)
        self._fates = OrderReconciler(self._session, self._deals)
        self._bars = BarReader(self._session)
        self._opening = BrokerStartup(self._session)
        self._clock = ClockCheck(self._session, self._opening, self._deals.moved, file=clock_file, machine=machine)
        self._known_clock = server_clock is not None
        if server_clock is not None:
            self._session.server = server_clock
        self._hedging = True
        self._tick_calls: dict[str, TerminalCall] = {}
        self._selected_s: dict[str, float] = {}
        """When a symbol that had no tick was selected again."""

    @property
    def session(self) -> TerminalSession:
        """The line underneath, for the examination by `doctor`."""
        return self._session

    # ------------------------------------------------------------------------------------------------------ start
    async def connect(self) -> Connected:
        """Initialise, wait for the connection to the trade server, check the account.

        Raises:
            BrokerError: no terminal in time, login refused, another account than the one named, a real one not allowed.
        """
        session = self._session
        account, info = await self._opening.connected()
        check_account(account, session.policy)
        self._hedging = account.hedging
        await self._begin_deals()
        return Connected(
            account=account,
            terminal_name=str(info["name"]),
            build=int(info["build"]),
            bars_max=int(info["maxbars"]),
            warnings=(*warnings_of(account, session.policy), *self._opening.warnings_of_terminal(info)),
        )

    async def _begin_deals(self) -> None:
        try:
            await self._deals.begin()
        except ReadFailed as error:
            # the first read of deals begins then
            self._session.notice(ConnectionState(is_connected=True, why=f"the history was not read at the start: {error}"))

    async def close(self) -> None:
        """Shut the connection; what is open stays open, with its stops at the broker."""
        await self._session.terminal.close()

    async def select(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Resolve names, put them into Market Watch, wait for quotes. Raises BrokerError naming the missing."""
        self._tick_calls.clear()
        return await self._opening.select(symbols)

    async def specifications(self) -> Known[tuple[Instrument, ...]] | Unknown:
        """All selected symbols as the broker describes them now; unknown while another account is logged in."""
        began_utc_ns = self._session.clock.utc_ns()
        try:
            self._session.refuse_foreign_account()
            found = await self._opening.specifications()
        except ReadFailed as error:
            return self._session.unknown(error)
        return Known(found, began_utc_ns)

    @property
    def symbol_warnings(self) -> tuple[str, ...]:
        """What should be read about the symbols that were selected."""
        told = [text for text in self._session.misnamed.values() if text]
        names = self._session.broker_names
        told += [
            f"{plain}: the broker's symbol of that name cannot be opened; {name} is traded instead"
            for plain, name in names.items()
            if name != plain and self._opening.offers(plain)
        ]
        return tuple(told)

    async def available_symbols(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Those of the plain names that this broker has; for choosing conversion pairs. Raises BrokerError."""
        return await self._opening.available_symbols(symbols)

    async def server_clock_rule(self) -> ServerClockRule:
        """The server's clock, measured from changing ticks and compared with witnesses; unconfirmed while no tick changes."""
        session = self._session
        if self._known_clock:
            return session.server.as_input(session.clock.utc_ns(), confirmed=True)
        return await self._clock.look()

    def trust_machine_clock(self) -> None:
        """The operator says that this machine's clock is right; kept in the home. Raises StorageError."""
        self._clock.trust_machine()

    # ------------------------------------------------------------------------------------------------------ reads
    async def account(self) -> Known[Account] | Unknown:
        """Read the account, known as of when the reading began; unknown while another one is logged in."""
        began_utc_ns = self._session.clock.utc_ns()
        try:
            account = await self._session.read_account()
            self._session.refuse_foreign_account()
        except ReadFailed as error:
            return self._session.unknown(error)
        return Known(account, began_utc_ns)

    async def quotes(self, symbols: Sequence[str]) -> Known[tuple[Quote, ...]] | Unknown:
        """The newest quote of each symbol that has one."""
        session = self._session
        try:
            replies = await session.read_many([self._tick_call(symbol) for symbol in symbols])
            for symbol, reply in zip(symbols, replies, strict=True):
                if reply.value is None:
                    await self._select_again(symbol)
            found = [self._quote(symbol, reply) for symbol, reply in zip(symbols, replies, strict=True)]
        except (ReadFailed, InvalidRecord) as error:
            return session.unknown(error)
        return Known(tuple(quote for quote in found if quote is not None), session.clock.utc_ns())

    async def _select_again(self, symbol: str) -> None:
        """A symbol without a tick may have vanished from Market Watch; tried once a minute."""
        now_s = self._session.clock.monotonic_s()
        if now_s >= self._selected_s.get(symbol, -_SELECT_AGAIN_S) + _SELECT_AGAIN_S:
            self._selected_s[symbol] = now_s
            old = self._broker_name(symbol)
            if new := await self._opening.renamed(symbol):
                self._tick_calls.clear()
                why = f"the broker renamed {old} to {new}; {symbol} is traded under the new name"
                self._session.notice(ConnectionState(is_connected=True, why=why))
            else:
                await self._session.read("symbol_select", old, True)

    async def bars(self, symbol: str, timeframe: str, count: int) -> Known[Candles] | Unknown:
        """The last `count` closed bars, oldest first."""
        try:
            candles = await self._bars.closed(symbol, self._broker_name(symbol), timeframe, count)
        except (ReadFailed, InvalidRecord) as error:
            return self._session.unknown(error)
        return Known(candles, self._session.clock.utc_ns())

    async def book(self) -> BrokerBook:
        """Positions and pending orders, both or unknown; the account is looked at in the same journey."""
        return (await self._book_and_account())[0]

    async def new_deals(self) -> Known[tuple[Deal, ...]] | Unknown:
        """Deals not handed out before, oldest first."""
        try:
            self._session.refuse_foreign_account()
            deals = await self._deals.new()
        except ReadFailed as error:
            return self._session.unknown(error)
        return Known(deals, self._session.clock.utc_ns())

    def resume_deals(
        self,
        from_utc_ns: UtcNs,
        known_tickets: Iterable[int] = (),
        not_before_utc_ns: UtcNs = 0,
        known_money: Mapping[int, Money] = MappingProxyType({}),
    ) -> None:
        """Hand out deals from that instant on, without these, and late or changed ones of the week that they are known of."""
        self._deals.resume(from_utc_ns, known_tickets, not_before_utc_ns, known_money)

    async def deals_of(self, position_id: int) -> Known[tuple[Deal, ...]] | Unknown:
        """The whole history of one position, oldest first."""
        try:
            self._session.refuse_foreign_account()
            deals = await self._deals.of_position(position_id)
        except ReadFailed as error:
            return self._session.unknown(error)
        return Known(deals, self._session.clock.utc_ns())

    def change_counter(self) -> int | None:
        """The terminal's own count of changes, where it has one."""
        return self._session.terminal.changes()

    def take_events(self) -> tuple[Input, ...]:
        """What came up beside the answers, once each."""
        return self._session.take_notices()

    # ------------------------------------------------------------------------------------------------------ orders
    async def execute_request(self, request: BrokerRequest) -> tuple[Input, ...]:
        """Carry out one effect; the report comes first, then new deals, the account and the book."""
        if isinstance(request, QueryBook):
            return await self._afterwards()
        performer = OrderExecutor(self._session, self._deals)
        fate = await self._fate_of(request, performer)
        if isinstance(fate, Filled):
            self._session.claim(fate.order_ticket, request.client_id)
        report = ExecutionReport(client_id=request.client_id, order_outcome=fate)
        if isinstance(fate, OrderRejected | Unconfirmed):
            # the report does not wait for reads over a line that may be down; whoever wants the book asks for it
            return (report, *_seen(performer.fresh), *self._session.take_notices())
        return (report, *_seen(performer.fresh), *await self._afterwards(deals_read=performer.deals_read))

    async def _fate_of(self, request: Submit | Modify | Close | Cancel | QueryOrder, performer: OrderExecutor) -> OrderOutcome:
        if isinstance(request, QueryOrder):
            return await self._fates.ask(request)
        if self._session.account_changed:
            return OrderRejected(
                kind="operator", code=0, reason="another account is logged in; log the terminal in to the right one"
            )
        match request:
            case Submit():
                return await performer.submit(request, hedging=self._hedging)
            case Modify():
                return await performer.modify(request)
            case Close():
                return await performer.close(request)
            case Cancel():
                return await performer.cancel(request)
            case other:
                assert_never(other)

    async def _afterwards(self, *, deals_read: bool = False) -> tuple[Input, ...]:
        """New deals, the account and the book, and what came up meanwhile."""
        told: list[Input] = []
        deals = None if deals_read else await self.new_deals()
        if isinstance(deals, Known):
            told.extend(_seen(deals.value))
        book, account = await self._book_and_account()
        told.extend(self._session.take_notices())
        if account is not None:
            told.append(AccountRead(account=account, read_utc_ns=book.at_utc_ns))
        told.append(book)
        return tuple(told)

    async def _book_and_account(self) -> tuple[BrokerBook, Account | None]:
        session = self._session
        now = session.clock.utc_ns()
        try:
            replies = await session.read_many((_ACCOUNT, _POSITIONS, _ORDERS))
            account = session.account_from(_value(replies[0], "account_info"))
            session.refuse_foreign_account()
            positions = tuple(
                position_of(record, session.plain(record["symbol"]), session.server)
                for record in _value(replies[1], "positions_get")
            )
            orders = tuple(
                order_of(record, session.plain(record["symbol"]), session.server) for record in _value(replies[2], "orders_get")
            )
        except ReadFailed as error:
            unknown = session.unknown(error)
            return BrokerBook(known=False, at_utc_ns=unknown.since_utc_ns, why=unknown.why), None
        return BrokerBook(known=True, at_utc_ns=now, positions=positions, orders=orders), account

    def _tick_call(self, symbol: str) -> TerminalCall:
        """One for each symbol: of 28 pairs there are more groups than a memory holds."""
        call = self._tick_calls.get(symbol)
        if call is None:
            call = self._tick_calls[symbol] = TerminalCall("symbol_info_tick", (self._broker_name(symbol),))
        return call

    def _broker_name(self, symbol: str) -> str:
        name = self._session.broker_names.get(symbol)
        if name is None:
            raise ReadFailed(f"{symbol} was not selected")
        return name

    def _quote(self, symbol: str, reply: CallReply) -> Quote | None:
        record: dict[str, Any] | None = reply.value
        if record is None:
            return None
        session = self._session
        quote = quote_of(record, symbol, session.instruments[symbol].digits, session.server)
        if quote is not None:
            session.saw_tick(record["time_msc"])
        return quote


def _seen(deals: Iterable[Deal]) -> tuple[NewDeal, ...]:
    return tuple(NewDeal(deal=deal) for deal in deals)


def _value(reply: CallReply, what: str) -> Any:
    if reply.value is None:
        raise ReadFailed(f"{what}: {reply.error_code} {reply.error_text}")
    return reply.value
