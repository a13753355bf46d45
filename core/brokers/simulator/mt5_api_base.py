"""The module's side of its line to the terminal: the one error pair, the connection, and what may go wrong with a call.

Shared by the faces (`mt5_api_connection`, `mt5_api_prices`, `mt5_api_trading`), each of which holds a part of the module's
functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.module_constants import ERROR_TEXTS
from quarterdeck.core.brokers.simulator.rate_arrays import RateArrays
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState

T = TypeVar("T")
OK = (1, "Success")


class ApiConnection:
    """What all functions of the module share."""

    def __init__(self, ledger: Ledger, arrays: RateArrays, state: TerminalState, faults: Faults) -> None:
        """All four belong to the terminal."""
        self.ledger = ledger
        self.arrays = arrays
        self.state = state
        self.faults = faults
        self.error: tuple[int, str] = OK

    def begin_call(self, name: str) -> bool:
        """Each call resets the error pair, needs the pipe, and may meet a fault."""
        if not self.state.initialised:
            self.error = (-10004, ERROR_TEXTS[-10004])
            return False
        self.error = OK
        fault = self.faults.before(name, self.ledger.now_utc_ns)
        if fault is None:
            return True
        self.error = (fault.code, ERROR_TEXTS[fault.code])
        self.state.initialised = not fault.breaks_pipe
        return False

    @property
    def connected(self) -> bool:
        """Whether the terminal has its trade server."""
        return self.state.connected and not self.faults.server_lost(self.ledger.now_utc_ns)

    def run_read(self, name: str, read: Callable[[], T]) -> T | None:
        """Do a call that ends in None where its arguments are wrong or its symbol is unknown."""
        if not self.begin_call(name):
            return None
        try:
            return read()
        except BadArgument as wrong:
            self.fail(-2, str(wrong))
        except KeyError:
            self.fail(-4)
        return None

    def fail(self, code: int, text: str = "") -> Any:
        """Set the error pair; None, the module's answer to most of what goes wrong."""
        self.error = (code, text or ERROR_TEXTS[code])
        return None

    def fail_false(self, code: int, text: str = "") -> bool:
        """As `fail`, for functions that answer False."""
        self.fail(code, text)
        return False

    def known(self, symbol: str) -> str:
        """The symbol if the broker has it. Raises KeyError."""
        if symbol not in self.ledger.instruments:
            raise KeyError(symbol)
        return symbol
