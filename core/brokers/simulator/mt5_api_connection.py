"""The module's functions about itself: connection, login, version, errors, terminal and account."""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.simulator import argument_parsing, record_builders
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.module_constants import ERROR_TEXTS
from quarterdeck.core.brokers.simulator.mt5_api_base import OK, ApiConnection
from quarterdeck.core.brokers.simulator.terminal_state import BUILD, BUILD_DATE

NAMES = ("initialize", "login", "shutdown", "version", "last_error", "terminal_info", "account_info")
_CODE_PAGE = "cp1252"


class ConnectionApi:
    """See the module; one method a function, named as the module names it."""

    def __init__(self, line: ApiConnection) -> None:
        """`line` is shared with the other faces."""
        self._line = line

    def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Attach to the terminal; any earlier connection is closed first."""
        self._line.state.initialised = False
        return self._login("initialize", args, kwargs, ("path",))

    def login(self, *args: Any, **kwargs: Any) -> bool:
        """Log in to the account; only the simulated one exists."""
        return self._login("login", args, kwargs, ("login", "password", "server"))

    def shutdown(self) -> bool:
        """Detach; always true."""
        self._line.state.initialised = False
        self._line.error = OK
        return True

    def version(self) -> tuple[int, int, str]:
        """Terminal version, build and date; zeros without a connection."""
        return (500, BUILD, BUILD_DATE) if self._line.begin_call("version") else (0, 0, "")

    def last_error(self) -> tuple[int, str]:
        """Code and text of the last call; does not change them.

        Raises:
            UnicodeDecodeError: the text has letters beyond ASCII, which the module reads back in another encoding than it wrote.
        """
        code, text = self._line.error
        return (code, text) if text.isascii() else (code, text.encode(_CODE_PAGE, "replace").decode())

    def terminal_info(self) -> Any:
        """`TerminalInfo`."""
        line = self._line
        if not line.begin_call("terminal_info"):
            return None
        return record_builders.terminal(line.state, line.ledger.terms.company, connected=line.connected)

    def account_info(self) -> Any:
        """`AccountInfo`."""
        return record_builders.account(self._line.ledger) if self._line.begin_call("account_info") else None

    def _login(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], places: tuple[str, ...]) -> bool:
        line = self._line
        try:
            given = argument_parsing.login(args, kwargs, places)
        except BadArgument as wrong:
            return bool(line.refuse(name, wrong, refused=False))
        if name == "login" and not line.state.initialised:
            return line.fail_false(-10004)
        done = self._attach(given)
        try:
            argument_parsing.truth(kwargs.get("portable", False))
        except BadArgument as wrong:
            raise argument_parsing.exception_set(name) from wrong
        return done

    def _attach(self, given: dict[str, Any]) -> bool:
        state, terms = self._line.state, self._line.ledger.terms
        self._line.error = OK
        if not state.running:
            return self._line.fail_false(-10003, f"{ERROR_TEXTS[-10003]}, {_not_started(given.get('path', ''))}")
        wanted = given.get("login", 0)
        if (wanted and wanted != terms.login) or (state.password and given.get("password", state.password) != state.password):
            return self._line.fail_false(-6)
        if not self._line.connected:
            return self._line.fail_false(-10005)
        state.initialised = True
        return True


def _not_started(path: str) -> str:
    """Why there is no terminal, as the module puts it."""
    if not path:
        return "MetaTrader 5 x64 not found"
    shown = path.partition("\0")[0]
    # the module hands this text out in the machine's code page; what that lacks beyond the basic plane leaves nothing of it
    return f"Process create failed '{shown}'" if all(letter < "\ud800" for letter in shown) else ""
