"""Old quotes, old signals, and prices that ran away since the bar's end.

Promises: a quiet symbol outside its own hours is closed, not stale. Does not: raise alarms (the desk does).
"""

from __future__ import annotations

from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.filters.trading_hours import EarlyClose, is_open, next_open
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import NS_PER_S, Price, PriceDistance, UtcNs


def quote_age(
    at_utc_ns: UtcNs, quote: Quote | None, instrument: Instrument, *, max_s: float, known: tuple[EarlyClose, ...] = ()
) -> FilterResult:
    """The newest tick is young enough; outside the symbol's hours the reason is `session`, within them `quote_age`.

    `known`: its early closes and holidays.
    """
    if not is_open(instrument, at_utc_ns, known):
        closed = Check("session", None, None, False, "the market is closed")
        return FilterResult(check=closed, passes_from_utc_ns=next_open(instrument, at_utc_ns, known))
    if quote is None:
        return FilterResult(check=Check("quote_age", None, max_s, False, "no quote yet"), may_pass_later=True)
    age_s = max(at_utc_ns - quote.at_utc_ns, 0) / NS_PER_S
    passed = age_s <= max_s
    return FilterResult(check=Check("quote_age", age_s, max_s, passed, "seconds since the last tick"), may_pass_later=not passed)


def signal_age(at_utc_ns: UtcNs, bar_end_utc_ns: UtcNs, *, max_s: float) -> FilterResult:
    """The signal is young enough, counted from its bar's end on the market's clock; once too old it stays so."""
    age_s = (at_utc_ns - bar_end_utc_ns) / NS_PER_S
    return FilterResult(check=Check("signal_age", age_s, max_s, 0.0 <= age_s <= max_s, "seconds since the bar's end"))


def price_moved(reference_price: Price, now_price: Price, stop_distance: PriceDistance, *, max_fraction: float) -> FilterResult:
    """The price has not moved away from the signal's entry, either way, by more than a share of the stop distance."""
    moved = abs(now_price - reference_price) / stop_distance if stop_distance > 0.0 else None
    passed = moved is not None and moved <= max_fraction
    return FilterResult(
        check=Check("price_moved", moved, max_fraction, passed, "share of the stop distance"), may_pass_later=not passed
    )
