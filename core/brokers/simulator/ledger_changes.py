"""What a broker changes in the books beside trading: cancelled deals, other terms, symbols that come, go and are renamed.

Guarantees: each change raises the ledger's `changes`; money and rows agree after it as they did before.
"""

from __future__ import annotations

from dataclasses import replace

from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import (
    DEAL_BUY,
    DEAL_BUY_CANCELED,
    DEAL_SELL,
    DEAL_SELL_CANCELED,
    AccountTerms,
    LedgerDeal,
)
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.money import round_half_away


def cancel_deal(ledger: Ledger, ticket: int) -> LedgerDeal | None:
    """Take a deal's result back: it turns into a cancelled one, and the balance loses its money; None where there is none."""
    trades = (place for place, deal in enumerate(ledger.deals) if deal.ticket == ticket and deal.kind in (DEAL_BUY, DEAL_SELL))
    place = next(trades, None)
    if place is None:
        return None
    old = ledger.deals[place]
    kind = DEAL_BUY_CANCELED if old.kind == DEAL_BUY else DEAL_SELL_CANCELED
    paid = old.profit_money + old.swap_money + old.commission_money + old.fee_money
    made = replace(old, kind=kind, profit_money=0.0, swap_money=0.0, commission_money=0.0, fee_money=0.0)
    ledger.deals[place] = made
    ledger.balance_money = round_half_away(ledger.balance_money - paid, ledger.digits)
    ledger.changes += 1
    return made


def set_terms(ledger: Ledger, terms: AccountTerms) -> None:
    """Exchange the broker's rules for the account. Raises DataError when the commission's currency cannot be converted."""
    ledger.money.set_terms(terms)
    ledger.terms = terms
    ledger.changes += 1


def list_symbol(ledger: Ledger, spec: Instrument, like: str = "") -> None:
    """Offer a symbol, or another specification of one that is offered; a new one begins with the quote of `like`."""
    ledger.instruments[spec.symbol] = spec
    ledger.money.add_symbol(spec)
    if spec.symbol not in ledger.quotes and like in ledger.quotes:
        ledger.quotes[spec.symbol] = ledger.quotes[like]
    ledger.changes += 1


def rename_symbol(ledger: Ledger, symbol: str, successor: str) -> None:
    """Carry positions and orders of a symbol on under another that is listed, and offer the old one no more."""
    for held in ledger.positions.values():
        held.symbol = successor if held.symbol == symbol else held.symbol
    for order in ledger.orders.values():
        order.symbol = successor if order.symbol == symbol else order.symbol
    if symbol in ledger.exposed:
        ledger.exposed[successor] = ledger.exposed.get(successor, 0) + ledger.exposed.pop(symbol)
    del ledger.instruments[symbol]
    ledger.quotes.pop(symbol, None)
    ledger.money.drop_symbol(symbol, successor)
    ledger.changes += 1
