"""Quotes and instruments of the worked examples, shared by the tests of this room."""

from __future__ import annotations

from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.money import Valuer

QUOTES = {
    "EURUSD": (1.08500, 1.08515),
    "GBPUSD": (1.27000, 1.27015),
    "USDJPY": (150.890, 150.900),
    "USDCHF": (0.88000, 0.88012),
    "EURJPY": (163.720, 163.745),
    "GBPJPY": (191.640, 191.670),
    "EURCHF": (0.95490, 0.95510),
    "GBPCHF": (1.11770, 1.11800),
    "CHFJPY": (171.440, 171.470),
    "EURGBP": (0.85420, 0.85440),
}


class Board:
    """Quotes by plain pair name."""

    def bid_ask(self, symbol: str) -> tuple[float, float] | None:
        return QUOTES.get(symbol)


BOARD = Board()


def pair(name: str) -> Instrument:
    base, profit = name[:3], name[3:]
    gold = base == "XAU"
    digits = 2 if gold else 3 if profit == "JPY" else 5
    return Instrument(
        symbol=name,
        base_currency=base,
        profit_currency=profit,
        margin_currency=profit if gold else base,
        digits=digits,
        point=10.0**-digits,
        tick_size=10.0**-digits,
        pip=10.0 ** (1 - digits),
        contract_size=100.0 if gold else 100_000.0,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
        calc_mode="cfd_leverage" if gold else "forex",
    )


def valuer(name: str, currency: str = "USD") -> Valuer:
    return Valuer.of(pair(name), currency, lambda known: known in QUOTES)
