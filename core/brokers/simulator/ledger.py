"""The simulated broker's books: quotes, positions, orders, deals and the one truth about money.

Promises: balance is the sum of all deals' profit, commission, swap and fee, each rounded to the account currency; equity is
balance, credit, floating profit and swap not yet booked. Every change raises `changes`. Rows are only ever written here and in
`ledger_changes`.
Does not: judge requests (`trade_server_rules`, `trade_server`), watch prices (`triggers`), or know the module's face (`mt5_api`).
Units: money in account currency, instants UTC ns.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from quarterdeck.core.brokers.simulator.books import LedgerSnapshot
from quarterdeck.core.brokers.simulator.ledger_rows import (
    CLOSE_BY,
    CREDIT_DEALS,
    DEAL_BALANCE,
    DEAL_BUY,
    DEAL_SELL,
    ENTRY_IN,
    ENTRY_INOUT,
    ENTRY_OUT,
    ENTRY_OUT_BY,
    FILLED,
    PLACED,
    REASON_CLIENT,
    REASON_EXPERT,
    AccountTerms,
    LedgerDeal,
    LedgerOrder,
    LedgerPosition,
)
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock, new_york_wall_s, next_rollover_ns
from quarterdeck.core.brokers.simulator.valuation import BookRow, Margins, Valuation
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import round_half_away
from quarterdeck.core.model.units import S_PER_DAY, Lots, Money, Price, UtcNs

_FIRST_ORDER = 50_000_001
_FIRST_DEAL = 40_000_001
_LOT_DIGITS = 8
_PRICE_DIGITS = 10


class Fill:
    """What a fill did: the deal and the position it touched (None when that is gone)."""

    __slots__ = ("deal", "position")

    def __init__(self, deal: LedgerDeal, position: LedgerPosition | None) -> None:
        """Both as they stand after the fill."""
        self.deal = deal
        self.position = position


class Ledger:
    """See the module."""

    def __init__(
        self, instruments: Sequence[Instrument], terms: AccountTerms, clock: SimulatedServerClock, start_utc_ns: UtcNs
    ) -> None:
        """Opens the account with a balance deal. Raises DataError when the commission's currency cannot be converted."""
        self.terms = terms
        self.clock = clock
        self.now_utc_ns = start_utc_ns
        self.instruments: dict[str, Instrument] = {spec.symbol: spec for spec in instruments}
        self.money = Valuation(instruments, terms)
        self.quotes = self.money.quotes
        self.positions: dict[int, LedgerPosition] = {}
        self.orders: dict[int, LedgerOrder] = {}
        self.history: list[LedgerOrder] = []
        self.deals: list[LedgerDeal] = []
        self.exposed: dict[str, int] = {}
        """Number of positions and pending orders by symbol; symbols without any are absent."""
        self.changes = 0
        self.balance_money: Money = 0.0
        self.credit_money: Money = 0.0
        self.digits = self.money.digits
        self.next_rollover_ns = next_rollover_ns(start_utc_ns)
        self._margins = Margins(self.money)
        self._orders_made = _FIRST_ORDER
        self._deal_times: list[UtcNs] = []
        self._history_times: list[UtcNs] = []
        self.cash(terms.balance_money, "Initial balance")

    def profits_money(self) -> list[Money]:
        """Floating profit of each position at its current price, in the order of positions."""
        profit_money = self.money.profit_money
        return [profit_money(position) for position in self.positions.values()]

    def equity_money(self, profits_money: Sequence[Money] | None = None) -> Money:
        """Balance, credit, floating profit and swap; `profits_money` of this instant where they are known."""
        floating = 0.0
        profits = self.profits_money() if profits_money is None else profits_money
        for position, profit in zip(self.positions.values(), profits, strict=True):
            floating += profit + position.swap_money
        return round_half_away(self.balance_money + self.credit_money + floating, self.digits)

    def margin_money(self, symbol: str = "", adding: BookRow | None = None) -> Money:
        """Margin of all positions; with one more in `symbol` if given."""
        return self._margins.total_money(self.positions.values(), symbol, adding)

    # ------------------------------------------------------------------------------------------------ rows

    def new_order(self, order: LedgerOrder) -> LedgerOrder:
        """Give an order its ticket; it is not listed yet."""
        order.ticket = self._orders_made
        order.lots_left = order.lots
        self._orders_made += 1
        return order

    def place(self, order: LedgerOrder) -> None:
        """List a pending order."""
        order.state = PLACED
        self.orders[order.ticket] = order
        self.exposed[order.symbol] = self.exposed.get(order.symbol, 0) + 1
        self.changes += 1

    def retire(self, order: LedgerOrder, state: int, *, position_id: int = 0) -> None:
        """Move an order to history."""
        if self.orders.pop(order.ticket, None) is not None:
            self._unexpose(order.symbol)
        order.state = state
        order.done_utc_ns = self.now_utc_ns
        order.position_id = position_id or order.position_id
        if state == FILLED:
            order.lots_left = 0.0
        quote = self.quotes.get(order.symbol)
        order.price_current = 0.0 if quote is None else quote[1 if order.side is Side.BUY else 0]
        self.history.append(order)
        self._history_times.append(self.now_utc_ns)
        self.changes += 1

    def set_stops(self, position: LedgerPosition, stop_price: Price, target_price: Price) -> None:
        """Replace stop and target of a position."""
        position.stop_price = stop_price
        position.target_price = target_price
        position.updated_utc_ns = self.now_utc_ns
        self.changes += 1

    def cash(self, amount_money: Money, comment: str, *, kind: int = DEAL_BALANCE) -> LedgerDeal:
        """A deal that is no trade, of the module's type `kind`: deposit, withdrawal (negative), credit, charge."""
        if kind in CREDIT_DEALS:
            self.credit_money = round_half_away(self.credit_money + amount_money, self.digits)
        else:
            self.balance_money = round_half_away(self.balance_money + amount_money, self.digits)
        return self._append(
            LedgerDeal(
                self._deal_ticket(), 0, self.now_utc_ns, kind, ENTRY_IN, 0, 0, REASON_CLIENT,
                0.0, 0.0, 0.0, 0.0, amount_money, 0.0, "", comment, "",
            )
        )  # fmt: skip

    def position_in(self, symbol: str) -> LedgerPosition | None:
        """The symbol's position on a netting account (the oldest on a hedging one)."""
        for position in self.positions.values():
            if position.symbol == symbol:
                return position
        return None

    def deals_between(self, from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> list[LedgerDeal]:
        """Deals of a span, both ends included."""
        return self.deals[bisect_left(self._deal_times, from_utc_ns) : bisect_right(self._deal_times, to_utc_ns)]

    def history_between(self, from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> list[LedgerOrder]:
        """Orders done in a span, both ends included."""
        return self.history[bisect_left(self._history_times, from_utc_ns) : bisect_right(self._history_times, to_utc_ns)]

    # ------------------------------------------------------------------------------------------------ fills

    def fill(self, order: LedgerOrder, lots: Lots, price: Price, rule: str, *, closing: LedgerPosition | None = None) -> Fill:
        """Execute an order at a price: open, add, reduce, close or reverse; the order is history then."""
        held = closing if self.terms.hedging else self.position_in(order.symbol)
        if held is None:
            done = self._open(order, lots, price, rule)
        elif order.side is held.side:
            done = self._add(held, order, lots, price, rule)
        elif lots <= held.lots + 1e-9:
            done = self._reduce(held, order, lots, price, rule)
        else:
            done = self._reverse(held, order, lots, price, rule)
        self.retire(order, FILLED, position_id=done.deal.position_id)
        return done

    def _open(self, order: LedgerOrder, lots: Lots, price: Price, rule: str) -> Fill:
        position = LedgerPosition(
            order.ticket, order.ticket, order.symbol, order.side, lots, price, order.stop_price, order.target_price,
            self.now_utc_ns, self.now_utc_ns, order.magic, order.comment, order.reason,
        )  # fmt: skip
        self.positions[position.ticket] = position
        self.exposed[order.symbol] = self.exposed.get(order.symbol, 0) + 1
        return Fill(self._deal(order, position, ENTRY_IN, lots, price, rule), position)

    def _add(self, held: LedgerPosition, order: LedgerOrder, lots: Lots, price: Price, rule: str) -> Fill:
        whole = rounded(held.lots + lots, _LOT_DIGITS)
        held.open_price = rounded((held.open_price * held.lots + price * lots) / whole, _PRICE_DIGITS)
        held.lots = whole
        self.set_stops(held, order.stop_price, order.target_price)
        return Fill(self._deal(order, held, ENTRY_IN, lots, price, rule), held)

    def _reduce(self, held: LedgerPosition, order: LedgerOrder, lots: Lots, price: Price, rule: str) -> Fill:
        deal = self._deal(order, held, ENTRY_OUT, lots, price, rule, result=self._realised(held, lots, price))
        return Fill(deal, self._shrink(held, lots))

    def _reverse(self, held: LedgerPosition, order: LedgerOrder, lots: Lots, price: Price, rule: str) -> Fill:
        deal = self._deal(order, held, ENTRY_INOUT, lots, price, rule, result=self._realised(held, held.lots, price))
        del self.positions[held.ticket]
        held.ticket = order.ticket
        held.side = order.side
        held.lots = rounded(lots - held.lots, _LOT_DIGITS)
        held.open_price = price
        held.opened_utc_ns = self.now_utc_ns
        held.magic, held.comment, held.reason = order.magic, order.comment, order.reason
        self.positions[held.ticket] = held
        self.set_stops(held, order.stop_price, order.target_price)
        return Fill(deal, held)

    def close_by(self, one: LedgerPosition, other: LedgerPosition, magic: int, comment: str) -> tuple[LedgerDeal, LedgerDeal]:
        """Close two opposite positions against each other; the first carries the profit, at the other's open price."""
        lots = min(one.lots, other.lots)
        order = self.new_order(
            LedgerOrder(0, one.symbol, CLOSE_BY, lots, 0.0, 0.0, 0.0, self.now_utc_ns, magic, comment, REASON_EXPERT)
        )
        order.position_by_id = other.position_id
        made = []
        for position, price in ((one, other.open_price), (other, other.open_price)):
            figures = self._realised(position, lots, price)
            made.append(self._deal(order, position, ENTRY_OUT_BY, lots, price, "close_by", free=True, result=figures))
            self._shrink(position, lots)
        self.retire(order, FILLED, position_id=one.position_id)
        return (made[0], made[1])

    def roll(self, at_utc_ns: UtcNs) -> None:
        """Charge one 17:00 New York: a night's swap, three on the symbol's triple day, none on Saturday and Sunday."""
        day = (new_york_wall_s(at_utc_ns) // S_PER_DAY + 4) % 7
        for position in self.positions.values():
            spec, valuer = self.instruments[position.symbol], self.money.valuer(position.symbol)
            if day in (0, 6) or valuer is None:
                continue
            nights = 3 if day == spec.swap_triple_weekday else 1
            price = position.open_price if spec.swap_mode == 6 else self.money.close_price(position)
            charged = valuer.swap_money(position.side, position.lots, nights, price, self.money)
            if charged:
                position.swap_money = round_half_away(position.swap_money + charged, self.digits)
                self.changes += 1
        self.next_rollover_ns = next_rollover_ns(at_utc_ns)

    # ------------------------------------------------------------------------------------------------ keeping

    def books(self) -> LedgerSnapshot:
        """All that is held, to be written down."""
        terms = self.terms
        return LedgerSnapshot(
            login=terms.login,
            server=terms.server,
            currency=terms.currency,
            hedging=terms.hedging,
            now_utc_ns=self.now_utc_ns,
            next_rollover_ns=self.next_rollover_ns,
            balance_money=self.balance_money,
            credit_money=self.credit_money,
            orders_made=self._orders_made,
            positions=list(self.positions.values()),
            orders=list(self.orders.values()),
            history=self.history,
            history_utc_ns=self._history_times,
            deals=self.deals,
            quotes=self.quotes,
        )

    def restore(self, books: LedgerSnapshot) -> None:
        """Go on from books that were written down, in place of what this ledger holds."""
        self.now_utc_ns, self.next_rollover_ns = books.now_utc_ns, books.next_rollover_ns
        self.balance_money, self.credit_money = books.balance_money, books.credit_money
        self._orders_made = books.orders_made
        self.positions = {row.ticket: row for row in books.positions}
        self.orders = {row.ticket: row for row in books.orders}
        self.history, self._history_times = list(books.history), list(books.history_utc_ns)
        self.deals, self._deal_times = list(books.deals), [deal.at_utc_ns for deal in books.deals]
        self.quotes.update(books.quotes)
        self.exposed.clear()
        for symbol in [row.symbol for row in books.positions] + [row.symbol for row in books.orders]:
            self.exposed[symbol] = self.exposed.get(symbol, 0) + 1
        self.changes += 1

    # ------------------------------------------------------------------------------------------------ inside

    def _realised(self, held: LedgerPosition, lots: Lots, price: Price) -> tuple[Money, Money]:
        valuer = self.money.valuer(held.symbol)
        profit = None if valuer is None else valuer.profit_money(held.side, lots, held.open_price, price, self.money)
        invariant(profit is not None, "a position's result can be converted", symbol=held.symbol)
        whole = lots >= held.lots - 1e-9
        swap = held.swap_money if whole else round_half_away(held.swap_money * lots / held.lots, self.digits)
        held.swap_money = round_half_away(held.swap_money - swap, self.digits)
        return (profit or 0.0, swap)

    def _shrink(self, held: LedgerPosition, lots: Lots) -> LedgerPosition | None:
        held.lots = rounded(held.lots - lots, _LOT_DIGITS)
        held.updated_utc_ns = self.now_utc_ns
        if held.lots > 0.0:
            return held
        del self.positions[held.ticket]
        self._unexpose(held.symbol)
        return None

    def _unexpose(self, symbol: str) -> None:
        left = self.exposed[symbol] - 1
        if left:
            self.exposed[symbol] = left
        else:
            del self.exposed[symbol]

    def deal_rule(self, ticket: int) -> str:
        """How the price of a deal was found; empty for a ticket that is not here."""
        place = ticket - _FIRST_DEAL
        return self.deals[place].rule if 0 <= place < len(self.deals) else ""

    def _deal_ticket(self) -> int:
        return _FIRST_DEAL + len(self.deals)

    def _deal(
        self,
        order: LedgerOrder,
        position: LedgerPosition,
        entry: int,
        lots: Lots,
        price: Price,
        rule: str,
        *,
        result: tuple[Money, Money] = (0.0, 0.0),
        free: bool = False,
    ) -> LedgerDeal:
        profit_money, swap_money = result
        free = free or self.terms.commission_on == {ENTRY_IN: "close", ENTRY_OUT: "open"}.get(entry, "")
        commission = 0.0 if free else self.money.commission_money(lots) or 0.0
        side = position.side.opposite if entry == ENTRY_OUT_BY else order.side
        self.balance_money = round_half_away(self.balance_money + profit_money + swap_money + commission, self.digits)
        return self._append(
            LedgerDeal(
                self._deal_ticket(), order.ticket, self.now_utc_ns, DEAL_BUY if side is Side.BUY else DEAL_SELL, entry,
                order.magic, position.position_id, order.reason, lots, price, commission, swap_money, profit_money, 0.0,
                order.symbol, order.comment, rule,
            )
        )  # fmt: skip

    def _append(self, deal: LedgerDeal) -> LedgerDeal:
        self.deals.append(deal)
        self._deal_times.append(deal.at_utc_ns)
        self.changes += 1
        return deal
