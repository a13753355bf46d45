"""Specifications of the symbols that the simulated broker offers.

Why: sizing, margin and swap need a broker's figures before a broker is there. Sizes and digits are the retail standard; swap
points are those a demo server showed on one day (2025-11-10).
Guarantees: every pair of two currencies has a specification; where no swap rate was recorded, crosses and metals among them, none
is charged, and `without_swap` names the symbols.
"""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.core.model.currencies import quote_decimals
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.pips import pip_price
from quarterdeck.core.model.units import S_PER_DAY, S_PER_HOUR

_SWAP_POINTS: dict[str, tuple[float, float]] = {
    "EURUSD": (-7.85, 3.8),
    "GBPUSD": (-1.12, -0.79),
    "USDJPY": (9.17, -18.95),
    "AUDUSD": (-1.5, 0.31),
    "NZDUSD": (-3.09, 1.52),
    "USDCAD": (3.36, -9.22),
    "USDCHF": (5.58, -13.15),
    "EURGBP": (-8.62, 1.83),
}
"""(long, short) per night, as recorded."""

_NAMES = {
    "AUD": "Australian Dollar",
    "CAD": "Canadian Dollar",
    "CHF": "Swiss Franc",
    "EUR": "Euro",
    "GBP": "Great Britain Pound",
    "JPY": "Japanese Yen",
    "NZD": "New Zealand Dollar",
    "USD": "US Dollar",
    "XAU": "Gold",
    "XAG": "Silver",
}
_METAL_SIZE = {"XAU": 100.0, "XAG": 5_000.0}
_LOT_UNITS = 100_000.0

GOLD_SESSIONS: tuple[tuple[int, int], ...] = tuple(
    (day * S_PER_DAY + 18 * S_PER_HOUR, (day + 1) * S_PER_DAY + 17 * S_PER_HOUR) for day in range(5)
)
"""Metals pause from 17:00 to 18:00 New York."""


def instrument(symbol: str) -> Instrument:
    """Specification of a pair or metal; a broker's suffix after the six letters is kept in the name.

    Raises:
        DataError: when the name does not begin with two currencies.
    """
    base, profit = symbol[:3], symbol[3:6]
    if len(symbol) < 6 or not (base + profit).isalpha() or not (base + profit).isupper():
        raise DataError(f"{symbol!r} is not a pair of two currencies", what_to_do="name pairs like EURUSD or XAUUSD")
    metal = base in _METAL_SIZE
    digits = quote_decimals(base, profit)
    long_points, short_points = _SWAP_POINTS.get(base + profit, (0.0, 0.0))
    size = _METAL_SIZE.get(base, _LOT_UNITS)
    return Instrument(
        symbol=symbol,
        base_currency=base,
        profit_currency=profit,
        margin_currency=base,
        digits=digits,
        point=round(10.0**-digits, digits),
        tick_size=round(10.0**-digits, digits),
        pip=pip_price(symbol, base, profit, digits),
        contract_size=size,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
        calc_mode="cfd_leverage" if metal else "forex",
        execution="market",
        filling_flags=3,
        swap_mode=1 if long_points or short_points else 0,
        swap_long=long_points,
        swap_short=short_points,
        margin_hedged=size,
        sessions=GOLD_SESSIONS if metal else (),
    )


def instruments(symbols: Iterable[str]) -> tuple[Instrument, ...]:
    """Specifications of several symbols, in their order. Raises DataError."""
    return tuple(instrument(symbol) for symbol in symbols)


def without_swap(symbols: Iterable[str]) -> tuple[str, ...]:
    """Those of these symbols for which no swap rate was recorded: the simulated broker charges none. Raises DataError."""
    return tuple(spec.symbol for spec in instruments(symbols) if spec.swap_mode == 0)


def description(spec: Instrument) -> str:
    """What the terminal says about the symbol, e.g. "Euro vs US Dollar"."""
    base = _NAMES.get(spec.base_currency, spec.base_currency)
    return f"{base} vs {_NAMES.get(spec.profit_currency, spec.profit_currency)}"


def plain_pair(spec: Instrument) -> str:
    """Pair name without the broker's suffix."""
    return spec.base_currency + spec.profit_currency
