"""The `MetaTrader5` module's face of the simulated terminal: the same names, types, texts and refusals.

Why: the adapter must not be able to tell the difference, except by the account's company and the tape's label.
Promises: positional-only functions reject keywords with TypeError, the others ignore unknown ones; wrong arguments give None or
False with code -2; `last_error` is one pair, set by nearly every call; a name that the module lacks is an AttributeError. Nothing
here blocks: a slow call is virtual time, which the transport takes from `Faults.take_delay_s`.
Does not: count money (`ledger`) or judge requests (`trade_server_rules`, `trade_server`). The functions stand in the three faces.
"""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.simulator import mt5_api_connection, mt5_api_prices, mt5_api_trading
from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.module_constants import AUTHOR, CONSTANTS, VERSION
from quarterdeck.core.brokers.simulator.mt5_api_base import ApiConnection
from quarterdeck.core.brokers.simulator.mt5_records import TYPES
from quarterdeck.core.brokers.simulator.rate_arrays import RateArrays
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState

FUNCTIONS = (*mt5_api_connection.NAMES, *mt5_api_prices.NAMES, *mt5_api_trading.NAMES)
"""Every function of the module."""


class SimulatedMetaTrader5:
    """One object whose attributes are the module's names: constants, record types and functions."""

    __version__ = VERSION
    __author__ = AUTHOR

    def __init__(self, ledger: Ledger, arrays: RateArrays, state: TerminalState, faults: Faults) -> None:
        """All four are shared with the terminal that owns them."""
        line = ApiConnection(ledger, arrays, state, faults)
        prices = mt5_api_prices.PricesApi(line)
        faces = (
            (mt5_api_connection.NAMES, mt5_api_connection.ConnectionApi(line)),
            (mt5_api_prices.NAMES, prices),
            (mt5_api_trading.NAMES, mt5_api_trading.TradingApi(line, prices.symbol_info_tick)),
        )
        for names, face in faces:
            for name in names:
                setattr(self, name, getattr(face, name))
        for name, value in (*CONSTANTS.items(), *TYPES.items()):
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Only for names that are not there."""
        raise AttributeError(f"module 'MetaTrader5' has no attribute {name!r}")
