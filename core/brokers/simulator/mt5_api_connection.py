"""The module's functions about itself: connection, login, version, errors, terminal and account."""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.simulator import argument_parsing, record_builders
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.mt5_api_base import OK, ApiConnection
from quarterdeck.core.brokers.simulator.terminal_state import BUILD, BUILD_DATE

NAMES = ("initialize", "login", "shutdown", "version", "last_error", "terminal_info", "account_info")


class ConnectionApi:
    """See the module; one method a function, named as the module names it."""

    def __init__(self, line: ApiConnection) -> None:
        """`line` is shared with the other faces."""
        self._line = line

    def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Attach to the terminal; any earlier connection is closed first."""
        self._line.state.initialised = False
        try:
            self._read_login(args, kwargs, names=("path",))
        except BadArgument as wrong:
            return self._line.fail_false(-2, str(wrong))
        return self._attach(kwargs)

    def login(self, *args: Any, **kwargs: Any) -> bool:
        """Log in to the account; only the simulated one exists."""
        if not self._line.state.initialised:
            return self._line.fail_false(-10004)
        try:
            given = self._read_login(args, kwargs, names=("login", "password", "server"))
        except BadArgument as wrong:
            return self._line.fail_false(-2, str(wrong))
        if "login" not in given:
            return self._line.fail_false(-2, "Invalid arguments")
        return self._attach(given)

    def shutdown(self) -> bool:
        """Detach; always true."""
        self._line.state.initialised = False
        self._line.error = OK
        return True

    def version(self) -> tuple[int, int, str] | None:
        """Terminal version, build and date."""
        return (500, BUILD, BUILD_DATE) if self._line.begin_call("version") else None

    def last_error(self) -> tuple[int, str]:
        """Code and text of the last call; does not change them."""
        return self._line.error

    def terminal_info(self) -> Any:
        """`TerminalInfo`."""
        line = self._line
        if not line.begin_call("terminal_info"):
            return None
        return record_builders.terminal(line.state, line.ledger.terms.company, connected=line.connected)

    def account_info(self) -> Any:
        """`AccountInfo`."""
        return record_builders.account(self._line.ledger) if self._line.begin_call("account_info") else None

    def _attach(self, given: dict[str, Any]) -> bool:
        state, terms = self._line.state, self._line.ledger.terms
        self._line.error = OK
        if not state.running:
            return self._line.fail_false(-10003, "IPC initialize failed, Process create failed")
        wanted = given.get("login", 0)
        if (wanted and wanted != terms.login) or (state.password and given.get("password", state.password) != state.password):
            return self._line.fail_false(-6)
        if not self._line.connected:
            return self._line.fail_false(-10005)
        state.initialised = True
        return True

    def _read_login(self, args: tuple[Any, ...], kwargs: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        if len(args) > len(names):
            raise BadArgument("Invalid number of arguments")
        given = {**kwargs, **dict(zip(names, args, strict=False))}
        places = {name: f"Invalid {place} unnamed argument" for name, place in zip(names, ("1st", "2nd", "3rd"), strict=False)}
        limits = {
            "path": argument_parsing.PATH_UNITS_MAX,
            "password": argument_parsing.PASSWORD_UNITS_MAX,
            "server": argument_parsing.PASSWORD_UNITS_MAX,
        }
        for name, value in given.items():
            text = places[name] if name in names[: len(args)] else f'Invalid "{name}" argument'
            if name in ("login", "timeout"):
                if not isinstance(value, int):
                    raise BadArgument(text)
                if value < 0:
                    raise argument_parsing.exception_set("initialize")
            elif name in limits and not argument_parsing.is_text(value, limits[name]):
                raise BadArgument(text)
        return given
