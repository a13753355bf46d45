"""How the module reads its arguments: strictly in some places, carelessly in others, with its own texts.

Why: half of the pitfalls users report are arguments that the real module refuses silently; the simulation must refuse the same.
Promises: what is wrong raises `BadArgument` with the module's text (the caller turns it into None or False and last_error -2), or
`SystemError` where the real one leaves an exception set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest

STRING_UNITS_MAX = 29
GROUP_UNITS_MAX = 1_997
PASSWORD_UNITS_MAX = 253
PATH_UNITS_MAX = 257
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1
_I32_MAX = 2**31 - 1

_U32_KEYS = ("action", "type", "type_filling", "type_time")
_U64_KEYS = ("magic", "order", "deviation", "expiration", "position", "position_by")
_FLOAT_KEYS = ("volume", "price", "stoplimit", "sl", "tp")


class BadArgument(Exception):
    """An argument the module refuses; the text is what `last_error` says."""


def exception_set(function: str) -> SystemError:
    """What CPython raises when the module returns a result with an exception pending."""
    return SystemError(f"<built-in function {function}> returned a result with an exception set")


def units(text: str) -> int:
    """Length in UTF-16 units; a character outside the basic plane counts two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_text(value: Any, units_max: int = STRING_UNITS_MAX) -> bool:
    """Whether the module takes it as a string."""
    return isinstance(value, str) and units(value) <= units_max


def symbol_argument(args: tuple[Any, ...], count: int) -> str:
    """First of exactly `count` positional arguments, a symbol. Raises BadArgument."""
    if len(args) != count:
        raise BadArgument("Invalid number of arguments" if count > 1 else "Invalid arguments")
    if not is_text(args[0]):
        raise BadArgument("Invalid 1st unnamed argument" if count > 1 else "Invalid arguments")
    return str(args[0])


def whole(function: str, value: Any, *, signed: bool = True) -> int:
    """An `int` that fits 32 bits. Raises SystemError for anything else, as the module does."""
    if not isinstance(value, int):
        raise exception_set(function)
    low, high = (-_I32_MAX - 1, _I32_MAX) if signed else (0, _U32_MAX)
    if not low <= value <= high:
        raise exception_set(function)
    return int(value)


def number(function: str, value: Any) -> float:
    """An `int` or `float`. Raises SystemError for anything else."""
    if isinstance(value, (int, float)):
        return float(value)
    raise exception_set(function)


def ticket(function: str, name: str, value: Any) -> int:
    """A ticket given by keyword. Raises BadArgument (kind) or SystemError (negative, too large)."""
    if not isinstance(value, int):
        raise BadArgument(f'Invalid "{name}" argument')
    if not 0 <= value <= _U64_MAX:
        raise exception_set(function)
    return int(value)


def moment(value: Any, text: str) -> int:
    """Whole seconds of the server's clock from an int, float or datetime. Raises BadArgument.

    Zero counts as not given; the real module then uses bytes it never set, so it is refused here.
    """
    if isinstance(value, datetime):
        value = value.timestamp()
    if not isinstance(value, (int, float)):
        raise BadArgument(text)
    seconds = int(value)
    if seconds == 0 or not -_I32_MAX - 1 <= seconds <= _I32_MAX:
        raise BadArgument(text)
    return seconds


def trade_request(function: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> MqlTradeRequest:
    """The one dictionary, or the fields as keywords. Raises BadArgument or SystemError."""
    fields: Mapping[str, Any] = kwargs
    if args:
        if kwargs:
            raise BadArgument("Unnamed arguments not allowed")
        if len(args) != 1 or not isinstance(args[0], dict):
            raise BadArgument("Invalid arguments")
        fields = args[0]
    values: list[Any] = []
    for key, default in MqlTradeRequest._field_defaults.items():
        if key not in fields:
            values.append(default)
            continue
        values.append(_field(function, key, fields[key]))
    return MqlTradeRequest(*values)


def _field(function: str, key: str, value: Any) -> Any:
    if key in _FLOAT_KEYS:
        if not isinstance(value, float):
            raise BadArgument(f'Invalid "{key}" argument')
        return float(value)
    if key in _U32_KEYS or key in _U64_KEYS:
        if not isinstance(value, int):
            raise BadArgument(f'Invalid "{key}" argument')
        if not 0 <= value <= (_U32_MAX if key in _U32_KEYS else _U64_MAX):
            raise exception_set(function)
        return int(value)
    if not is_text(value):
        raise BadArgument(f'Invalid "{key}" argument')
    return str(value)


def group_filter(masks: str) -> Callable[[str], bool]:
    """The client's own filter: `!` rejects at once, without `*` the whole name must be equal, case counts."""
    parts = [part.strip() for part in masks.split(",") if part.strip()]

    def fits(name: str) -> bool:
        taken = False
        for part in parts:
            rejects = part.startswith("!")
            if _matches(part.lstrip("!"), name):
                if rejects:
                    return False
                taken = True
        return taken

    return fits


def _matches(mask: str, name: str) -> bool:
    pieces = mask.split("*")
    if len(pieces) == 1:
        return mask == name
    if not name.startswith(pieces[0]) or not name.endswith(pieces[-1]) or len(name) < len(pieces[0]) + len(pieces[-1]):
        return False
    place, end = len(pieces[0]), len(name) - len(pieces[-1])
    for piece in pieces[1:-1]:
        found = name.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
