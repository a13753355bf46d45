"""The closed list of calls: which functions of the module may be asked for, with what arguments, how urgent, and for how long.

Promises: what is not listed here does not reach the module; arguments are plain numbers, texts and one flat dictionary; keyword
names are the module's own (it ignores others silently). Closes come before entries, entries before reads.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["start", "order", "check", "read", "bulk"]

CLOSES, ENTRIES, READS = 0, 1, 2
"""Priorities, the smaller first."""

DEADLINE_S_MAX: dict[Kind, float] = {"start": 300.0, "order": 120.0, "check": 60.0, "read": 60.0, "bulk": 120.0}
"""Longest that a client may ask for."""
DEADLINE_S_MIN = 0.5
"""Shortest: past a deadline the module's process is killed, and a busy terminal takes some tenths of a second for an answer."""
BATCH_MAX = 256
TEXT_MAX = 2_000
_NAME_SHOWN = 60
_REQUEST_KEYS = frozenset(
    (
        *("action", "magic", "order", "symbol", "volume", "price", "stoplimit", "sl", "tp", "deviation", "type"),
        *("type_filling", "type_time", "expiration", "comment", "position", "position_by"),
    )
)
_ACTION_DEAL, _ACTION_SLTP = 1, 6


class CallRule(Struct, frozen=True, kw_only=True):
    """One function of the module."""

    kind: Kind
    args: tuple[type, ...] = ()
    """Types of its positional arguments; all but the last `optional` are required."""
    optional: int = 0
    kwargs: dict[str, type] = {}


_TEXT, _WHOLE, _NUMBER, _DICT = str, int, float, dict
CALLS: dict[str, CallRule] = {
    "initialize": CallRule(
        kind="start",
        kwargs={"path": _TEXT, "login": _WHOLE, "password": _TEXT, "server": _TEXT, "timeout": _WHOLE, "portable": bool},
    ),
    "version": CallRule(kind="read"),
    "terminal_info": CallRule(kind="read"),
    "account_info": CallRule(kind="read"),
    "symbols_get": CallRule(kind="bulk", kwargs={"group": _TEXT}),
    "symbol_info": CallRule(kind="read", args=(_TEXT,)),
    "symbol_info_tick": CallRule(kind="read", args=(_TEXT,)),
    "symbol_select": CallRule(kind="read", args=(_TEXT, bool), optional=1),
    "copy_rates_from_pos": CallRule(kind="bulk", args=(_TEXT, _WHOLE, _WHOLE, _WHOLE)),
    "copy_rates_range": CallRule(kind="bulk", args=(_TEXT, _WHOLE, _WHOLE, _WHOLE)),
    "copy_ticks_range": CallRule(kind="bulk", args=(_TEXT, _WHOLE, _WHOLE, _WHOLE)),
    "positions_get": CallRule(kind="read", kwargs={"ticket": _WHOLE, "symbol": _TEXT}),
    "orders_get": CallRule(kind="read", kwargs={"ticket": _WHOLE, "symbol": _TEXT}),
    "history_orders_get": CallRule(kind="read", args=(_WHOLE, _WHOLE), optional=2, kwargs={"ticket": _WHOLE, "position": _WHOLE}),
    "history_deals_get": CallRule(kind="read", args=(_WHOLE, _WHOLE), optional=2, kwargs={"ticket": _WHOLE, "position": _WHOLE}),
    "order_calc_margin": CallRule(kind="read", args=(_WHOLE, _TEXT, _NUMBER, _NUMBER)),
    "order_calc_profit": CallRule(kind="read", args=(_WHOLE, _TEXT, _NUMBER, _NUMBER, _NUMBER)),
    "order_check": CallRule(kind="check", args=(_DICT,)),
    "order_send": CallRule(kind="order", args=(_DICT,)),
}
TERMINAL_ACTION = "terminal_action"
"""No function of the module: what an operator does in a simulated terminal, as JSON. Every other terminal refuses it."""
_ACTION_RULE = CallRule(kind="check", args=(_TEXT,))


def problem_with(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Why a call may not pass; empty when it may."""
    rule = _rule(name)
    if rule is None:
        return f"{name[:_NAME_SHOWN]!r} is not on the list of calls"
    if not len(rule.args) - rule.optional <= len(args) <= len(rule.args):
        return f"{name} does not take {len(args)} arguments"
    for place, (value, wanted) in enumerate(zip(args, rule.args, strict=False)):
        if not _is(value, wanted):
            return f"{name}: argument {place + 1} is no {wanted.__name__}"
        if wanted is _DICT and (wrong := _problem_with_request(value)):
            return f"{name}: {wrong}"
    for key, value in kwargs.items():
        if key not in rule.kwargs:
            return f"{name} takes no {key[:_NAME_SHOWN]!r}"
        if not _is(value, rule.kwargs[key]):
            return f"{name}: {key} is no {rule.kwargs[key].__name__}"
    return ""


def priority_of(name: str, args: tuple[Any, ...]) -> int:
    """Closes and changes of what is open first, then entries, then reads."""
    if name not in ("order_send", "order_check"):
        return READS
    request = args[0] if args and isinstance(args[0], dict) else {}
    opens = request.get("action") == _ACTION_DEAL and not request.get("position")
    return ENTRIES if opens or request.get("action") not in (_ACTION_DEAL, _ACTION_SLTP, 8, 10) else CLOSES


def kind_of(name: str) -> Kind:
    """What sort of call it is; a read for a name that is not listed."""
    rule = _rule(name)
    return rule.kind if rule is not None else "read"


def _rule(name: str) -> CallRule | None:
    return _ACTION_RULE if name == TERMINAL_ACTION else CALLS.get(name)


def _is(value: Any, wanted: type) -> bool:
    if wanted is _NUMBER:
        return type(value) in (int, float) and math.isfinite(value)
    if wanted is _TEXT:
        return type(value) is str and len(value) <= TEXT_MAX
    return type(value) is wanted


def _problem_with_request(request: dict[Any, Any]) -> str:
    unknown = [key for key in request if key not in _REQUEST_KEYS]
    if unknown:
        return f"the request has a key {str(unknown[0])[:_NAME_SHOWN]!r} that the module would ignore"
    bad = [key for key, value in request.items() if not _is(value, _TEXT if type(value) is str else _NUMBER)]
    return f"the request's {bad[0]!r} is no number and no text, or too long a one" if bad else ""
