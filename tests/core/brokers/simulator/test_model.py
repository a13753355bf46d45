"""The ledger against an independent plain calculation, after every step of random trading: hedging and netting; USD, EUR, JPY.

The plain book knows decimals only and shares no formula with the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.brokers.simulator.kit import USUAL, Desk

SYMBOLS = ("EURUSD", "USDJPY", "EURGBP", "GBPUSD", "EURJPY")
FUNDS = Decimal(1_000_000_000)
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "GBP": 2}
SIZE, LEVERAGE, COMMISSION = Decimal(100_000), Decimal(100), Decimal("3.5")
POINT = {name: Decimal("0.001") if name.endswith("JPY") else Decimal("0.00001") for name in SYMBOLS}


def cents(value: Decimal, currency: str) -> Decimal:
    unit = Decimal(1).scaleb(-DIGITS[currency])
    return value.quantize(unit, rounding=ROUND_HALF_UP)


@dataclass
class Row:
    ticket: int
    symbol: str
    sign: int
    lots: Decimal
    price: Decimal
    stop: Decimal
    target: Decimal


class PlainBook:
    """What the account should hold."""

    def __init__(self, currency: str, hedging: bool) -> None:
        self.currency, self.hedging = currency, hedging
        self.balance = FUNDS
        self.rows: list[Row] = []
        self.quotes = {name: tuple(Decimal(repr(price)) for price in USUAL[name]) for name in SYMBOLS}

    def rate(self, source: str, wants_ask: bool) -> Decimal:
        """One unit of a currency in the account's, at the ask or bid."""
        if source == self.currency:
            return Decimal(1)
        if source + self.currency in self.quotes:
            return self.quotes[source + self.currency][wants_ask]
        return 1 / self.quotes[self.currency + source][not wants_ask]

    def converted(self, source: str, wants_ask: bool, symbol: str, price: Decimal, worst_ask: bool) -> Decimal:
        if symbol == source + self.currency:
            return price
        if symbol == self.currency + source:
            return 1 / price
        if source == self.currency or source + self.currency in self.quotes or self.currency + source in self.quotes:
            return self.rate(source, wants_ask)
        # two steps through the dollar, the worse rate of each
        dollars = (
            self.quotes[source + "USD"][worst_ask]
            if source + "USD" in self.quotes
            else 1 / self.quotes["USD" + source][not worst_ask]
        )
        return dollars * self.rate("USD", worst_ask)

    def profit(self, row: Row, price: Decimal) -> Decimal:
        quote = row.symbol[3:]
        units = SIZE * row.lots
        amount = row.sign * (cents(price * units, quote) - cents(row.price * units, quote))
        rate = self.converted(quote, row.sign > 0, row.symbol, price, amount < 0)
        return cents(amount * rate, self.currency)

    def exit_price(self, row: Row) -> Decimal:
        return self.quotes[row.symbol][0 if row.sign > 0 else 1]

    def pay(self, lots: Decimal) -> None:
        self.balance -= cents(lots * COMMISSION * self.rate("USD", True), self.currency)

    def reduce(self, row: Row, lots: Decimal, price: Decimal) -> None:
        self.balance += self.profit(Row(0, row.symbol, row.sign, lots, row.price, Decimal(0), Decimal(0)), price)
        row.lots -= lots
        if not row.lots:
            self.rows.remove(row)

    def deal(self, ticket: int, symbol: str, sign: int, lots: Decimal, stop: Decimal, target: Decimal) -> None:
        price = self.quotes[symbol][1 if sign > 0 else 0]
        held = None if self.hedging else next((row for row in self.rows if row.symbol == symbol), None)
        if held is None:
            self.rows.append(Row(ticket, symbol, sign, lots, price, stop, target))
        elif held.sign == sign:
            whole = held.lots + lots
            held.price = ((held.price * held.lots + price * lots) / whole).quantize(Decimal("1e-10"))
            held.lots, held.stop, held.target = whole, stop, target
        elif lots <= held.lots:
            self.reduce(held, lots, price)
        else:
            rest = lots - held.lots
            self.reduce(held, held.lots, price)
            self.rows.append(Row(ticket, symbol, sign, rest, price, stop, target))
        self.pay(lots)

    def tick(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        self.quotes[symbol] = (bid, ask)
        for row in [row for row in self.rows if row.symbol == symbol]:
            price = self.exit_price(row)
            stopped = row.stop and row.sign * (price - row.stop) <= 0
            aimed = row.target and row.sign * (price - row.target) >= 0
            if stopped or aimed:
                lots = row.lots
                self.reduce(row, lots, price)
                self.pay(lots)

    def margin(self) -> Decimal:
        total = Decimal(0)
        for symbol in SYMBOLS:
            rows = [row for row in self.rows if row.symbol == symbol]
            total += self.symbol_margin(symbol, rows) if rows else 0
        return total

    def symbol_margin(self, symbol: str, rows: list[Row]) -> Decimal:
        base = symbol[:3]
        sides = {}
        for sign in (1, -1):
            lots = sum((row.lots for row in rows if row.sign == sign), Decimal(0))
            paid = sum((row.lots * row.price for row in rows if row.sign == sign), Decimal(0))
            sides[sign] = (lots, paid / lots if lots else Decimal(0))
        larger = 1 if sides[1][0] >= sides[-1][0] else -1
        covered = min(sides[1][0], sides[-1][0])
        lots, price = sides[larger]
        alone = (lots - covered) * SIZE / LEVERAGE * self.converted(base, larger > 0, symbol, price, True)
        total = cents(alone, self.currency)
        if covered and self.hedging:
            mean = (sides[1][0] * sides[1][1] + sides[-1][0] * sides[-1][1]) / (sides[1][0] + sides[-1][0])
            rates = [self.converted(base, ask, symbol, mean, True) for ask in (True, False)]
            total += cents(covered * SIZE / LEVERAGE * sum(rates) / 2, self.currency)
        return total


def number(value: Decimal) -> float:
    return float(value)


class Trading(RuleBasedStateMachine):
    """Random requests and quotes, asked to both books."""

    currency, hedging = "USD", True

    @initialize()
    def open(self) -> None:
        self.desk = Desk(
            *SYMBOLS,
            currency=self.currency,
            hedging=self.hedging,
            balance_money=float(FUNDS),
            commission_per_lot_money=3.5,
        )
        self.book = PlainBook(self.currency, self.hedging)

    @rule(
        symbol=st.sampled_from(SYMBOLS[:3]),
        sign=st.sampled_from([1, -1]),
        steps=st.integers(1, 150),
        stop=st.integers(0, 400),
        aim=st.integers(0, 400),
    )
    def trade(self, symbol: str, sign: int, steps: int, stop: int, aim: int) -> None:
        bid, ask = self.book.quotes[symbol]
        out = bid if sign > 0 else ask
        held = None if self.hedging else next((row for row in self.book.rows if row.symbol == symbol), None)
        lots = Decimal(steps) / 100
        stop_price = out - sign * stop * POINT[symbol] if stop > 20 else Decimal(0)
        target_price = out + sign * aim * POINT[symbol] if aim > 20 else Decimal(0)
        sent = self.desk.deal("buy" if sign > 0 else "sell", number(lots), symbol, sl=number(stop_price), tp=number(target_price))
        assert sent.retcode == 10009
        assert held is None or sent.order > held.ticket
        self.book.deal(sent.order, symbol, sign, lots, stop_price, target_price)

    @precondition(lambda self: self.hedging and self.book.rows)
    @rule(place=st.integers(0, 99), part=st.integers(1, 100))
    def close(self, place: int, part: int) -> None:
        row = self.book.rows[place % len(self.book.rows)]
        lots = max(Decimal("0.01"), (row.lots * part / 100).quantize(Decimal("0.01")))
        price = self.book.exit_price(row)
        sent = self.desk.deal("sell" if row.sign > 0 else "buy", number(lots), row.symbol, position=row.ticket)
        assert (sent.retcode, sent.price) == (10009, number(price))
        self.book.reduce(row, lots, price)
        self.book.pay(lots)

    @precondition(lambda self: self.book.rows)
    @rule(place=st.integers(0, 99), stop=st.integers(1, 300), aim=st.integers(1, 300))
    def move_stops(self, place: int, stop: int, aim: int) -> None:
        row = self.book.rows[place % len(self.book.rows)]
        out = self.book.exit_price(row)
        row.stop, row.target = out - row.sign * stop * POINT[row.symbol], out + row.sign * aim * POINT[row.symbol]
        pin = {"position": row.ticket} if self.hedging else {}
        sent = self.desk.send(action=6, symbol=row.symbol, sl=number(row.stop), tp=number(row.target), **pin)
        assert sent.retcode in (10009, 10025)

    @rule(symbol=st.sampled_from(SYMBOLS), move=st.integers(-250, 250), spread=st.integers(1, 40))
    def quote(self, symbol: str, move: int, spread: int) -> None:
        bid = self.book.quotes[symbol][0] + move * POINT[symbol]
        ask = bid + spread * POINT[symbol]
        self.desk.tick(symbol, number(bid), number(ask))
        self.book.tick(symbol, bid, ask)

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "book"):
            return
        info = self.desk.mt.account_info()
        floating = sum((self.book.profit(row, self.book.exit_price(row)) for row in self.book.rows), Decimal(0))
        assert info.balance == number(self.book.balance)
        assert info.equity == number(self.book.balance + floating)
        assert info.profit == number(floating)
        assert info.margin == number(self.book.margin())
        held = {(row.symbol, row.type, row.volume, round(row.price_open, 8)) for row in self.desk.mt.positions_get()}
        wanted = {(row.symbol, 0 if row.sign > 0 else 1, number(row.lots), round(number(row.price), 8)) for row in self.book.rows}
        assert held == wanted
        deals = self.desk.mt.history_deals_get(1, 2**31 - 1)
        assert info.balance == pytest.approx(sum(deal.profit + deal.commission + deal.swap for deal in deals), abs=1e-6)


@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_money_agrees_with_a_plain_calculation(currency, hedging):
    machine = type("Trading", (Trading,), {"currency": currency, "hedging": hedging})
    case = machine.TestCase
    case.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
    case("runTest").runTest()
