"""A `MetaTrader5` module in this very process as a `Terminal`: the simulated one, or the real one inside the gateway's child.

Promises: no call suspends, so a coroutine over it can be driven without an event loop; results are plain data (a record becomes a
dict, a tuple of records a tuple of dicts, numpy scalars Python numbers; arrays stay arrays); the error pair is read right after
the call.
Does not: bound a call in time. The real module never releases the interpreter; it belongs behind the gateway (design, law 9).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from quarterdeck.core.brokers.base import CallReply, TerminalCall

_FAILED, _INIT_FAILED = -1, -10003
_INIT_WORDS = "IPC initialize failed"
_CODE_PAGE = "mbcs" if sys.platform == "win32" else "cp1252"
_PLAIN = (bool, int, float, str, type(None), np.ndarray)


class InProcessTerminal:
    """Carries calls straight into the module object."""

    def __init__(self, module: Any, changes: Callable[[], int] | None = None) -> None:
        """`module` has the names of `MetaTrader5`; `changes` counts what happened to the account, where someone counts."""
        self._module = module
        self._functions: dict[str, Callable[..., Any]] = {}
        self._last_error: Callable[[], tuple[int, str]] = module.last_error
        self._changes = changes

    async def call(self, name: str, *args: Any, **kwargs: Any) -> CallReply:
        """Call the module's function. A call that breaks inside the module ends as its own "call failed" would."""
        return self.call_now(name, args, kwargs)

    async def call_many(self, calls: Sequence[TerminalCall]) -> tuple[CallReply, ...]:
        """The calls, one after the other."""
        return tuple(self.call_now(call.name, call.args, call.kwargs) for call in calls)

    def call_now(self, name: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> CallReply:
        """As `call`, for those who have no coroutine to await in."""
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = getattr(self._module, name)
        try:
            value = function(*args, **kwargs) if kwargs else function(*args)
        except (SystemError, TypeError, ValueError, OverflowError) as error:
            return CallReply(None, -2, f"{type(error).__name__}: {error}")
        try:
            code, text = self._last_error()
        except UnicodeDecodeError as error:
            code, text = _undecoded(error.object)
        return CallReply(value if value is None or value is True else plain(value), code, text)

    def changes(self) -> int | None:
        """The module's own count of changes, where it has one."""
        return None if self._changes is None else self._changes()

    async def close(self) -> None:
        """Shut the module's connection."""
        self._module.shutdown()


def _undecoded(text: bytes) -> tuple[int, str]:
    """The error pair whose text the module wrote in the machine's code page and read back as UTF-8.

    Only a failed `initialize` puts a path into its text, so the text tells the code.
    """
    said = text.decode(_CODE_PAGE, errors="replace")
    return (_INIT_FAILED if said.startswith(_INIT_WORDS) else _FAILED, said)


_record_names: dict[type, tuple[str, ...]] = {}


def plain(value: Any) -> Any:
    """A result as data that can leave the process: records as dicts (nested ones too), numpy scalars as Python numbers."""
    kind = type(value)
    names = _record_names.get(kind)
    if names is not None:
        return _filled(names, value)
    if isinstance(value, _PLAIN):
        return value
    if hasattr(value, "_asdict"):
        # field names of a type never change while the process lives: asked once, each record then costs a zip
        _record_names[kind] = names = tuple(value._asdict())
        return _filled(names, value)
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _filled(names: tuple[str, ...], record: Any) -> dict[str, Any]:
    data = dict(zip(names, record, strict=False))
    if "request" in data:
        data["request"] = plain(data["request"])
    return data
