"""Which modules a gateway's child can own: the real `MetaTrader5`, or one that a Python file of this machine makes.

Promises: the name comes from whoever starts the gateway, never over the wire. `hosted("MetaTrader5", [])` is the real one;
`package.module:function` is called with the remaining arguments and gives a `HostedModule`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.model.errors import BrokerError

REAL = "MetaTrader5"
SIMULATED = "quarterdeck.core.brokers.mt5.gateway.simulated_module:make"
MARKET = "market_clock="
"""Before the JSON of a `MarketClock` among the simulated module's arguments."""
REPLAYED = "quarterdeck.core.brokers.mt5.gateway.replayed:make"


def _nothing() -> None:
    return None


def _at_once() -> float:
    return 0.0


class HostedModule(Struct, frozen=True, kw_only=True):
    """A module, and what has to happen around each call of one that makes its own market."""

    module: Any
    name: str
    version: str
    before_call: Callable[[], None] = _nothing
    after_call: Callable[[], float] = _at_once
    """Gives the seconds that the call takes, for a module that only pretends to be slow."""
    act: Callable[[str], str] | None = None
    """Carries out what an operator does in a simulated terminal; None for every terminal that is not simulated."""


def hosted(host: str, arguments: list[str]) -> HostedModule:
    """Load the module. Raises BrokerError when it is not there."""
    if host == REAL:
        try:
            module = importlib.import_module(REAL)
        except ModuleNotFoundError as error:
            raise BrokerError(
                f"the MetaTrader5 package cannot be imported here: {error}",
                what_to_do="it exists for Windows alone; install it there (or under Wine) and run the gateway there",
            ) from error
        except (ImportError, ValueError, AttributeError) as error:
            # what a package built for another NumPy says when it is loaded
            raise BrokerError(
                f"the MetaTrader5 package does not load: {error}",
                what_to_do="install MetaTrader5 and NumPy anew, together: `pip install --force-reinstall MetaTrader5 numpy`",
            ) from error
        return HostedModule(module=module, name=REAL, version=str(module.__version__))
    place, _, function = host.partition(":")
    made = getattr(importlib.import_module(place), function)(arguments)
    if not isinstance(made, HostedModule):
        raise BrokerError(f"{host} makes no module", what_to_do="name a function that returns a Hosted")
    return made
