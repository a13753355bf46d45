"""How the module reads its arguments: strictly in some places, carelessly in others, with its own texts.

Why: half of the pitfalls users report are arguments that the real module refuses silently; the simulation must refuse the same.
Promises: what is wrong raises `BadArgument` with the module's text; `face.Line` answers None or False and last_error -2, or
raises SystemError where the real module leaves an exception set. tests/core/brokers/mt5/module_calls.py compares both modules.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest

STRING_UNITS_MAX = 29
GROUP_UNITS_MAX = 1_997
PASSWORD_UNITS_MAX = 253
PATH_UNITS_MAX = 257
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1
_I32_MAX = 2**31 - 1
_I64_MAX = 2**63 - 1
_OUT_OF_RANGE_S = -(2**31)
"""What the processor makes of a float that fits no 32 bits, and of NaN."""

_U32_KEYS = ("action", "type", "type_filling", "type_time")
_FLOAT_KEYS = ("volume", "price", "stoplimit", "sl", "tp")
_TEXT_KEYS = ("symbol", "comment")
INVALID = "Invalid arguments"
_UNNAMED = "Unnamed arguments not allowed"
_COUNT = "Invalid number of arguments"
_PLACES = ("1st", "2nd", "3rd")


class BadArgument(Exception):
    """An argument the module refuses; the text is what `last_error` says."""

    def __init__(self, text: str = INVALID, *, pending: bool = False) -> None:
        """`pending`: the module leaves the exception of a conversion set, so that the call ends in a SystemError."""
        super().__init__(text)
        self.pending = pending


class Overflown(int):
    """An instant whose conversion overflowed: the module continues with -1 and leaves the exception set."""

    __slots__ = ()


def exception_set(function: str) -> SystemError:
    """What CPython raises when the module returns a result with an exception pending."""
    return SystemError(f"<built-in function {function}> returned a result with an exception set")


def units(text: str) -> int:
    """Length in UTF-16 units; a character outside the basic plane counts two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_text(value: Any, units_max: int = STRING_UNITS_MAX) -> bool:
    """Whether the module takes it as a string."""
    return isinstance(value, str) and units(value) <= units_max


def symbol_of(value: Any) -> str:
    """A symbol by its place. Raises BadArgument."""
    if not is_text(value):
        raise BadArgument
    return str(value)


def only_symbol(args: tuple[Any, ...]) -> str:
    """The one argument of a function that takes a symbol. Raises BadArgument."""
    return symbol_of(counted(args, 1)[0])


def counted(args: tuple[Any, ...], least: int, most: int | None = None) -> tuple[Any, ...]:
    """Positional arguments if they are as many as wanted. Raises BadArgument."""
    if not least <= len(args) <= (least if most is None else most):
        raise BadArgument
    return args


def whole(value: Any) -> int:
    """A whole number that fits signed 32 bits; numpy's integers pass, no float does. Raises BadArgument (pending)."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise BadArgument(pending=True) from error
    if not -_I32_MAX - 1 <= number <= _I32_MAX:
        raise BadArgument(pending=True)
    return number


def action(value: Any) -> int:
    """The side of a calculation: an `int` of any size, of which the module looks at the lower 32 bits. Raises BadArgument."""
    if not isinstance(value, int):
        raise BadArgument(pending=True)
    return int(value) & _U32_MAX


def number(value: Any) -> float:
    """Whatever Python turns into a float without reading text. Raises BadArgument (pending)."""
    try:
        return math.ldexp(value, 0)
    except (TypeError, OverflowError) as error:
        raise BadArgument(pending=True) from error


def truth(value: Any) -> bool:
    """Whether it is true. Raises BadArgument (pending)."""
    try:
        return bool(value)
    except Exception as error:  # an object's own __bool__ may raise anything
        raise BadArgument(pending=True) from error


def moments(*values: Any) -> tuple[int, ...]:
    """Whole seconds of the server's clock, each from an int, float or datetime. Raises BadArgument."""
    found: list[int] = []
    for value in values:
        try:
            found.append(_moment(value))
        except BadArgument as wrong:
            raise BadArgument(pending=wrong.pending or overflown(found)) from wrong
    return tuple(found)


def overflown(values: Iterable[int]) -> bool:
    """Whether the conversion of one of these instants overflowed."""
    return any(isinstance(value, Overflown) for value in values)


def _moment(value: Any) -> int:
    if isinstance(value, datetime):
        try:
            value = value.timestamp()
        except (OverflowError, OSError, ValueError) as error:
            raise BadArgument(pending=True) from error
    if isinstance(value, float):
        return int(value) if -_I32_MAX - 2 < value < _I32_MAX + 1 else _OUT_OF_RANGE_S
    if not isinstance(value, int):
        raise BadArgument
    return int(value) if -_I32_MAX - 1 <= value <= _I32_MAX else Overflown(-1)


def ticket(name: str, value: Any) -> int:
    """A ticket given by keyword. Raises BadArgument (pending where it is negative or too large)."""
    return _unsigned(f'Invalid "{name}" argument', value, _U64_MAX)


def selection(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, Any] | None:
    """What `positions_get` and `orders_get` are to list: ticket before symbol before group, None for all. Raises BadArgument."""
    if args:
        raise BadArgument(_UNNAMED)
    if "ticket" in kwargs:
        return ("ticket", ticket("ticket", kwargs["ticket"]))
    if "symbol" in kwargs:
        return ("symbol", _text('Invalid "symbol" argument', kwargs["symbol"], STRING_UNITS_MAX))
    return ("group", group(kwargs["group"])) if "group" in kwargs else None


class HistoryWish(NamedTuple):
    """What a history function is to list: a span with a group, or what has a ticket in a field."""

    moments: tuple[int, ...] = ()
    group: str | None = None
    field: str = ""
    ticket: int = 0


def history(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> HistoryWish:
    """Two dates (then group), or ticket, or position. Raises BadArgument."""
    if len(args) == 2:
        span = moments(*args)
        try:
            return HistoryWish(moments=span, group=group(kwargs["group"]) if "group" in kwargs else None)
        except BadArgument as wrong:
            raise BadArgument(str(wrong), pending=overflown(span)) from wrong
    for key, field in (("ticket", "ticket"), ("position", "position_id")):
        if key in kwargs:
            if args:
                raise BadArgument(_UNNAMED)
            return HistoryWish(field=field, ticket=ticket(key, kwargs[key]))
    raise BadArgument


def symbols(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The mask of `symbols_get`. Raises BadArgument."""
    if len(args) > 1:
        raise BadArgument(_COUNT)
    mask = _text("Invalid 1st unnamed argument", args[0], GROUP_UNITS_MAX) if args else "*"
    return group(kwargs["group"]) if "group" in kwargs else mask


def group(value: Any) -> str:
    """A mask of names given by keyword. Raises BadArgument."""
    return _text('Invalid "group" argument', value, GROUP_UNITS_MAX)


def login(args: tuple[Any, ...], kwargs: Mapping[str, Any], places: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of `initialize` (one place, its path) or `login` (login, password, server). Raises BadArgument."""
    if len(args) > len(places):
        raise BadArgument(_COUNT)
    given = {
        name: _login_field(name, f"Invalid {place} unnamed argument", value)
        for name, place, value in zip(places, _PLACES, args, strict=False)
    }
    for name in ("login", "server", "password", "timeout", "path"):
        if name in kwargs and (name != "path" or "path" in places):
            given[name] = _login_field(name, f'Invalid "{name}" argument', kwargs[name])
    if "login" in places and not given.get("login"):
        raise BadArgument('Invalid "login" argument')
    return given


def _login_field(name: str, text: str, value: Any) -> Any:
    if name in ("login", "timeout"):
        return _unsigned(text, value, _U64_MAX if name == "login" else _U32_MAX)
    return _text(text, value, PATH_UNITS_MAX if name == "path" else PASSWORD_UNITS_MAX)


def trade_request(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> MqlTradeRequest:
    """The one dictionary, or the fields as keywords. Raises BadArgument."""
    fields: Mapping[str, Any] = kwargs
    if args or not kwargs:
        if kwargs:
            raise BadArgument(_UNNAMED)
        if len(args) != 1:
            raise BadArgument(_COUNT)
        if not isinstance(args[0], dict):
            raise BadArgument
        fields = args[0]
    values: list[Any] = []
    for key, default in MqlTradeRequest._field_defaults.items():
        if key not in fields:
            values.append(default)
            continue
        values.append(_field(key, fields[key]))
    return MqlTradeRequest(*values)


def _field(key: str, value: Any) -> Any:
    text = f'Invalid "{key}" argument'
    if key in _FLOAT_KEYS:
        if not isinstance(value, float):
            raise BadArgument(text)
        return float(value)
    if key in _TEXT_KEYS:
        return _text(text, value, STRING_UNITS_MAX)
    if key == "expiration":
        return _unsigned(text, value, _I64_MAX, least=-_I64_MAX - 1)
    return _unsigned(text, value, _U32_MAX if key in _U32_KEYS else _U64_MAX)


def _unsigned(text: str, value: Any, most: int, least: int = 0) -> int:
    if not isinstance(value, int):
        raise BadArgument(text)
    if not least <= value <= most:
        raise BadArgument(text, pending=True)
    return int(value)


def _text(text: str, value: Any, units_max: int) -> str:
    if not is_text(value, units_max):
        raise BadArgument(text)
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
