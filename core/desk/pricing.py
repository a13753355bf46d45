"""From bid prices to executable ones: the only place where the two meet (law 13).

A long enters at the ask and leaves at the bid; a short enters at the bid and leaves at the ask, so a short's stop and target are
moved up by the spread assumed, the greater of the spread now and the usual one of that minute. Stops and targets are rounded to
the tick towards the entry. Promises: what leaves here is executable. Does not: judge whether the prices are good.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.model.units import Price, PriceDistance
from quarterdeck.core.risk.rounding import price_down, price_up


class ExecutablePrices(Struct, frozen=True, kw_only=True):
    """A signal's prices as they can be traded."""

    entry_price: Price
    stop_price: Price
    target_price: Price
    spread_price: PriceDistance
    """Spread now."""
    assumed_price: PriceDistance
    """Spread assumed at the exit of a short."""


def assumed_spread(quote: Quote, usual_price: PriceDistance) -> PriceDistance:
    """The greater of the spread now and the usual one of that minute."""
    return max(quote.ask - quote.bid, usual_price)


def executable(signal: Signal, quote: Quote, spec: Instrument, usual_price: PriceDistance) -> ExecutablePrices:
    """Entry at the quote, stop and target of the signal's bid prices moved to the side they are hit on, on the tick grid."""
    assumed = assumed_spread(quote, usual_price)
    if signal.side is Side.BUY:
        entry, stop, target = quote.ask, price_up(spec, signal.stop_price), price_down(spec, signal.target_price)
    else:
        entry = quote.bid
        stop, target = price_down(spec, signal.stop_price + assumed), price_up(spec, signal.target_price + assumed)
    return ExecutablePrices(
        entry_price=entry, stop_price=stop, target_price=target, spread_price=quote.ask - quote.bid, assumed_price=assumed
    )


def exit_price(quote: Quote, side: Side) -> Price:
    """Where a position of `side` can be closed now."""
    return quote.bid if side is Side.BUY else quote.ask


def towards_entry(spec: Instrument, side: Side, price: Price) -> Price:
    """A stop rounded to the tick towards the entry."""
    return price_up(spec, price) if side is Side.BUY else price_down(spec, price)
