"""What positions are worth here: the terminal's own quotes put through the money formulas of `core.model.money`.

Promises: a missing conversion quote makes floating profit and margin 0.0, as the terminal shows it; nothing is ever converted at
1.
Does not: hold positions or book anything (`ledger`).
Units: money in account currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quarterdeck.core.brokers.simulator.instruments import plain_pair
from quarterdeck.core.brokers.simulator.ledger_rows import AccountTerms, LedgerPosition
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.money import Conversion, Valuer, currency_digits, resolve_conversion, round_half_away
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

BookRow = tuple[Side, Lots, Price]
"""(side, lots, open price) of a position."""


class Valuation:
    """Quotes of all symbols, and the formulas over them."""

    def __init__(self, instruments: Sequence[Instrument], terms: AccountTerms) -> None:
        """Raises DataError when the commission's currency cannot be converted."""
        self.digits = currency_digits(terms.currency)
        self.quotes: dict[str, tuple[Price, Price, UtcNs]] = {}
        """(bid, ask, when) by symbol."""
        self._terms = terms
        self._specs = {spec.symbol: spec for spec in instruments}
        self._symbol_of = {plain_pair(spec): spec.symbol for spec in reversed(instruments)}
        self._valuers: dict[str, Valuer | None] = {}
        self._commission_path: Conversion | None = None
        self.set_terms(terms)

    def set_terms(self, terms: AccountTerms) -> None:
        """Exchange the account's terms. Raises DataError when the commission's currency cannot be converted."""
        found = resolve_conversion(terms.commission_currency, terms.currency, self._has_pair)
        if found is None and (terms.commission_per_lot_money or terms.commission_minimum_money):
            wanted = terms.currency + terms.commission_currency
            raise DataError(
                f"nothing converts the commission from {terms.commission_currency} to {terms.currency}",
                what_to_do=f"load {wanted} or its reverse beside the traded pairs, or give --rate {wanted}=...",
            )
        self._terms, self._commission_path = terms, found
        self._valuers.clear()

    def add_symbol(self, spec: Instrument) -> None:
        """List one more symbol, or another specification of one that is listed."""
        self._specs[spec.symbol] = spec
        self._symbol_of.setdefault(plain_pair(spec), spec.symbol)
        self._valuers.clear()

    def drop_symbol(self, symbol: str, successor: str) -> None:
        """Forget a symbol; where it converted money, `successor` does."""
        spec = self._specs.pop(symbol)
        self._symbol_of[plain_pair(spec)] = successor
        self._valuers.clear()

    def bid_ask(self, symbol: str) -> tuple[Price, Price] | None:
        """Newest quote of a plain pair name, for `core.model.money`."""
        quote = self.quotes.get(self._symbol_of.get(symbol, ""))
        if quote is not None:
            return (quote[0], quote[1])
        fixed = self._terms.fixed_rates.get(symbol)
        return None if fixed is None else (fixed, fixed)

    def valuer(self, symbol: str) -> Valuer | None:
        """The money formulas of a symbol; None when nothing here leads from its currencies to the account's."""
        if symbol not in self._valuers:
            self._valuers[symbol] = Valuer.of(
                self._specs[symbol],
                self._terms.currency,
                self._has_pair,
                rule=self._terms.conversion_rule,
                account_digits=self.digits,
            )
        return self._valuers[symbol]

    def missing_conversion(self, symbol: str) -> str | None:
        """The pair that would be needed to convert a symbol's result and is not here; None when all is well."""
        if self.valuer(symbol) is not None:
            return None
        spec = self._specs[symbol]
        for currency in (spec.profit_currency, spec.margin_currency):
            if resolve_conversion(currency, self._terms.currency, self._has_pair) is None:
                return currency + self._terms.currency
        return None

    def convertible(self, symbol: str) -> bool:
        """Whether all quotes are there that a deal in this symbol needs."""
        valuer = self.valuer(symbol)
        if valuer is None or symbol not in self.quotes or self.commission_money(1.0) is None:
            return False
        return all(self.bid_ask(pair) is not None for pair in valuer.pairs)

    def close_price(self, position: LedgerPosition) -> Price:
        """Bid for a buy, ask for a sell."""
        return self.quotes[position.symbol][0 if position.side is Side.BUY else 1]

    def profit_money(self, position: LedgerPosition) -> Money:
        """Floating profit at the current price."""
        valuer = self.valuer(position.symbol)
        if valuer is None:
            return 0.0
        return valuer.profit_money(position.side, position.lots, position.open_price, self.close_price(position), self) or 0.0

    def commission_money(self, lots: Lots) -> Money | None:
        """Commission of one side, negative; None while its conversion quote is missing."""
        terms = self._terms
        amount = max(lots * terms.commission_per_lot_money, terms.commission_minimum_money)
        if not amount or self._commission_path is None:
            return 0.0
        rate = self._commission_path.rate(self, ask=True)
        return None if rate is None else -round_half_away(amount * rate, self.digits)

    def margin_money(self, symbol: str, rows: Sequence[BookRow]) -> Money:
        """Margin of all positions of one symbol."""
        valuer = self.valuer(symbol)
        if valuer is None:
            return 0.0
        buys, sells = _side_of(rows, Side.BUY), _side_of(rows, Side.SELL)
        leverage = self._terms.leverage
        if self._terms.hedging:
            return valuer.hedged_margin_money(buys, sells, leverage, self) or 0.0
        net = rounded(buys[0] - sells[0], 8)
        if net == 0.0:
            return 0.0
        side, price = (Side.BUY, buys[1]) if net > 0 else (Side.SELL, sells[1])
        return valuer.margin_money(side, abs(net), price, leverage, self) or 0.0

    def margin_stands(self, symbol: str) -> bool:
        """Whether no quote can move the margin of positions in a symbol."""
        valuer = self.valuer(symbol)
        return valuer is None or valuer.margin_own_price_only

    def _has_pair(self, pair: str) -> bool:
        return pair in self._symbol_of or pair in self._terms.fixed_rates


class Margins:
    """Margin of a book of positions; what no quote can move is kept by symbol for as long as its positions are the same."""

    def __init__(self, money: Valuation) -> None:
        """Nothing is known yet."""
        self._money = money
        self._known: dict[str, tuple[list[BookRow], Money]] = {}

    def total_money(self, positions: Iterable[LedgerPosition], symbol: str = "", adding: BookRow | None = None) -> Money:
        """Margin of all positions, oldest first; with one more in `symbol` if given."""
        book: dict[str, list[BookRow]] = {}
        for held in positions:
            book.setdefault(held.symbol, []).append((held.side, held.lots, held.open_price))
        if adding is not None:
            book.setdefault(symbol, []).append(adding)
        total = 0.0
        for name, rows in book.items():
            total += self._of(name, rows)
        return round_half_away(total, self._money.digits)

    def _of(self, symbol: str, rows: list[BookRow]) -> Money:
        known = self._known.get(symbol)
        if known is not None and known[0] == rows:
            return known[1]
        margin = self._money.margin_money(symbol, rows)
        if self._money.margin_stands(symbol):
            self._known[symbol] = (rows, margin)
        return margin


def _side_of(rows: Sequence[BookRow], side: Side) -> tuple[Lots, Price]:
    if len(rows) == 1:
        own, lots, price = rows[0]
        return (rounded(lots, 8), lots * price / lots) if own is side and lots else (0.0, 0.0)
    lots = sum(row[1] for row in rows if row[0] is side)
    if not lots:
        return (0.0, 0.0)
    return (rounded(lots, 8), sum(row[1] * row[2] for row in rows if row[0] is side) / lots)
