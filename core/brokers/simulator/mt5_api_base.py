"""The module's side of its line to the terminal: the one error pair, the connection, and what may go wrong with a call.

Shared by the faces (`mt5_api_connection`, `mt5_api_prices`, `mt5_api_trading`), each of which holds a part of the module's
functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from quarterdeck.core.brokers.simulator import argument_parsing
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.module_constants import ERROR_TEXTS
from quarterdeck.core.brokers.simulator.rate_arrays import RateArrays
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState

A = TypeVar("A")
T = TypeVar("T")
OK = (1, "Success")
NOTHING_SAID = (0, "")
"""The error pair before the first call."""


class TerminalRefuses(Exception):
    """Arguments that the module passes on and the terminal does not take; no `BadArgument`, for the module has been left."""


class ApiConnection:
    """What all functions of the module share."""

    def __init__(self, ledger: Ledger, arrays: RateArrays, state: TerminalState, faults: Faults) -> None:
        """All four belong to the terminal."""
        self.ledger = ledger
        self.arrays = arrays
        self.state = state
        self.faults = faults
        self.error: tuple[int, str] = NOTHING_SAID

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

    def answer(self, name: str, arguments: Callable[[], A], read: Callable[[A], T], refused: Any = None) -> T | Any:
        """Do a call: first its arguments, then the connection, then the terminal's part; `refused` is the answer to a failure.

        Raises:
            SystemError: a conversion left its exception set, as in the module.
        """
        try:
            given = arguments()
        except BadArgument as wrong:
            return self.refuse(name, wrong, refused)
        return self.ask(name, lambda: read(given), refused)

    def ask(self, name: str, read: Callable[[], T], refused: Any = None) -> T | Any:
        """The terminal's part of a call; `refused` where there is no connection, no such symbol, or the terminal will not."""
        if not self.begin_call(name):
            return refused
        try:
            return read()
        except TerminalRefuses:
            self.fail(-2)
        except KeyError:
            self.fail(-4)
        return refused

    def answer_dated(self, name: str, arguments: Callable[[], A], read: Callable[[A], T], moments: Callable[[A], Any]) -> T | Any:
        """As `answer`, for a call whose instants may overflow: the module makes the call and raises after it."""
        found: list[int] = []

        def parsed() -> A:
            given = arguments()
            found.extend(moments(given))
            return given

        value = self.answer(name, parsed, read)
        if argument_parsing.overflown(found):
            raise argument_parsing.exception_set(name)
        return value

    def refuse(self, name: str, wrong: BadArgument, refused: Any) -> Any:
        """Set the error pair for a wrong argument. Raises SystemError where the module leaves an exception set."""
        self.error = (-2, str(wrong))
        if wrong.pending:
            raise argument_parsing.exception_set(name) from wrong
        return refused

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


def given(moments: tuple[int, ...]) -> tuple[int, ...]:
    """The instants of a call. Raises TerminalRefuses for 0: the module takes it for "not given" and sends bytes it never set."""
    if 0 in moments:
        raise TerminalRefuses
    return moments
