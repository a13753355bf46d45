"""The `MetaTrader5` module's face of the simulated terminal: the same names, types, texts and refusals.

Why: the adapter must not be able to tell the difference, except by the account's company and the tape's label.
Promises: positional-only functions reject keywords with TypeError, the others ignore unknown ones; wrong arguments give None or
False with code -2, before the connection is looked at; `last_error` is one pair, set by nearly every call; a name that the module
lacks is AttributeError. Nothing here blocks: a slow call is virtual time, which the transport takes from `Faults.take_delay_s`.
Does not: count money (`ledger`) or judge requests (`rules`, `trade`). The functions are in the three faces and `face_helpers`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

from quarterdeck.core.brokers.simulator import face_helpers, mt5_api_connection, mt5_api_prices, mt5_api_trading
from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.module_constants import AUTHOR, CONSTANTS, VERSION
from quarterdeck.core.brokers.simulator.mt5_api_base import ApiConnection
from quarterdeck.core.brokers.simulator.mt5_records import TYPES
from quarterdeck.core.brokers.simulator.rate_arrays import RateArrays
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState

_BARE = (
    "shutdown", "version", "last_error", "terminal_info", "account_info", "symbols_total", "positions_total", "orders_total",
)  # fmt: skip
"""Functions that take no argument at all."""
_BY_KEYWORD = (
    "initialize", "login", "positions_get", "orders_get", "history_orders_get", "history_deals_get", "symbols_get", "order_check",
    "order_send",
)  # fmt: skip
"""Functions that take keywords; all others take arguments by place alone."""
_HELPERS = ("Buy", "Sell", "Close")
FUNCTIONS = (*mt5_api_connection.NAMES, *mt5_api_prices.NAMES, *mt5_api_trading.NAMES, *_HELPERS)
"""Every function of the module."""


class SimulatedMetaTrader5:
    """One object whose attributes are the module's names: constants, record types and functions."""

    __version__ = VERSION
    __author__ = AUTHOR

    def __init__(self, ledger: Ledger, arrays: RateArrays, state: TerminalState, faults: Faults) -> None:
        """All four are shared with the terminal that owns them."""
        line = ApiConnection(ledger, arrays, state, faults)
        faces = (
            (mt5_api_connection.NAMES, mt5_api_connection.ConnectionApi(line)),
            (mt5_api_prices.NAMES, mt5_api_prices.PricesApi(line)),
            (mt5_api_trading.NAMES, mt5_api_trading.TradingApi(line)),
        )
        for names, face in faces:
            for name in names:
                setattr(self, name, _called(self, name, getattr(face, name)))
        helpers = face_helpers.helpers(self.symbol_info_tick, self.positions_get, self.order_send)
        for name in _HELPERS:
            setattr(self, name, helpers[name])
        for name, value in (*CONSTANTS.items(), *TYPES.items()):
            setattr(self, name, value)

    symbol_info_tick: Callable[..., Any]
    positions_get: Callable[..., Any]
    order_send: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        """Only for names that are not there."""
        raise AttributeError(f"module 'MetaTrader5' has no attribute {name!r}")


def _called(module: object, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the calling convention of the compiled one, and its complaints about it.

    As an attribute of a class (in aiomql) the compiled one is not handed the instance; nor is this one, for it is bound already.
    """
    if name in _BY_KEYWORD:
        return function

    def bare(_module: object, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"MetaTrader5._core.{name}() takes no keyword arguments")
        if args:
            raise TypeError(f"MetaTrader5._core.{name}() takes no arguments ({len(args)} given)")
        return function()

    def by_place(_module: object, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"{name}() takes no keyword arguments")
        return function(*args)

    return MethodType(bare if name in _BARE else by_place, module)
