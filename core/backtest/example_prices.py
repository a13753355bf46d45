"""The built-in example: a seeded simulated history in a folder of price files, for users who have imported no prices yet.

Why: a backtest, a replay and a search for settings can be tried before any price is imported. Promises: the same pairs and days
on every machine, made once in seconds; what is run on it is labelled as simulated. Does not: resemble any real year.
"""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.backtest.backtest_settings import with_changes
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, seeded_market
from quarterdeck.core.data import price_store
from quarterdeck.core.data.price_files import price_files
from quarterdeck.core.data.series import BarSeries
from quarterdeck.core.engine.simulated_venues import EXAMPLE_FOLDER
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings

_SEED = 1
_DAYS = 240
"""The warm-up of the shipped strategy and its filters takes the first part; some five months are left to trade."""


def example_prices(home: Home, settings: Settings) -> Path:
    """The folder of the example in a home, with every pair that the settings trade or convert by; made where it is missing.

    Raises:
        DataError: a pair with an unknown currency.
        StorageError: the home cannot be written.
    """
    folder = home.root / EXAMPLE_FOLDER
    fixed = with_changes(settings, [("simulation.seed", _SEED), ("simulation.history_days", _DAYS)])
    market = seeded_market(fixed)
    for symbol in market.symbols:
        if price_store.store_path(folder, symbol, "M15").exists():
            continue
        candles = market.columns(symbol, "M15")
        if candles is None:
            raise DataError(f"{symbol}: the simulated market has no history of it", what_to_do="take it out of desk.pairs")
        past = BarSeries(symbol=symbol, timeframe="M15", bid=candles, ask=None, spread_known=True)
        price_store.write(folder, past.between(0, SEEDED_START_UTC_NS))
    return folder


def own_prices(home: Home) -> Path | None:
    """The home's folder of imported prices; None while it holds none."""
    try:
        price_files(home.data)
    except DataError:
        return None
    return home.data
