"""The module's three helpers `Buy`, `Sell` and `Close`, which the vendor writes in Python on top of its own functions.

Promises: their signatures, their tries on requotes and missing prices, and how they fail (AttributeError or TypeError where a
read gave None). The adapter does not use them; programs of others do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.core.brokers.simulator.ledger_rows import ORDER_BUY, ORDER_SELL
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS

_TRIES = 10
_DEVIATION_POINTS = 10
_AGAIN = (CONSTANTS["TRADE_RETCODE_REQUOTE"], CONSTANTS["TRADE_RETCODE_PRICE_OFF"])
_DONE = CONSTANTS["TRADE_RETCODE_DONE"]


def helpers(tick: Callable[..., Any], positions: Callable[..., Any], send: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The helpers by name, on the module's `symbol_info_tick`, `positions_get` and `order_send`."""

    def at_market(kind: int, symbol: Any, volume: Any, price: Any, comment: Any, ticket: Any) -> Any:
        if price is not None:
            return send(_request(kind, symbol, volume, price, comment, ticket))
        result = None
        for _ in range(_TRIES):
            now = tick(symbol)
            at = now.ask if kind == ORDER_BUY else now.bid
            result = send(_request(kind, symbol, volume, at, comment, ticket))
            if result is None or result.retcode not in _AGAIN:
                break
        return result

    def Buy(symbol: Any, volume: Any, price: Any = None, *, comment: Any = None, ticket: Any = None) -> Any:  # noqa: N802
        return at_market(ORDER_BUY, symbol, volume, price, comment, ticket)

    def Sell(symbol: Any, volume: Any, price: Any = None, *, comment: Any = None, ticket: Any = None) -> Any:  # noqa: N802
        return at_market(ORDER_SELL, symbol, volume, price, comment, ticket)

    def Close(symbol: Any, *, comment: Any = None, ticket: Any = None) -> Any:  # noqa: N802
        found = positions(symbol=symbol) if ticket is None else positions(ticket=ticket)
        done = tried = 0
        for position in found:
            tried += 1
            kind = ORDER_SELL if position.type == ORDER_BUY else ORDER_BUY
            for _ in range(_TRIES):
                now = tick(symbol)
                if now is None:
                    return None
                at = now.ask if kind == ORDER_BUY else now.bid
                result = send(_request(kind, symbol, position.volume, at, comment, position.ticket))
                if result is None:
                    return None
                if result.retcode not in _AGAIN:
                    done += result.retcode == _DONE
                    break
        return False if not done else True if done == tried else "Partially"

    made: dict[str, Any] = {"Buy": Buy, "Sell": Sell, "Close": Close}
    for name, function in made.items():
        function.__qualname__ = name  # so that Python's own complaints name it as the vendor's
    return made


def _request(kind: int, symbol: Any, volume: Any, price: Any, comment: Any, ticket: Any) -> dict[str, Any]:
    """Fill-or-kill by omission, deviation 10, no magic."""
    request = {
        "action": CONSTANTS["TRADE_ACTION_DEAL"],
        "symbol": symbol,
        "volume": volume,
        "type": kind,
        "price": price,
        "deviation": _DEVIATION_POINTS,
    }
    if comment is not None:
        request["comment"] = comment
    if ticket is not None:
        request["position"] = ticket
    return request
