"""What a message of a client may hold, looked at before anything else is done with it.

Why: a word of a million letters, a number that no clock or table can hold, or "not a number" is nobody's order; carried on, it
costs the loop its time or ends a conversation without an answer.
Promises: after `problem_of` found nothing, every text, list and number in the message is within the bounds below.
"""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

REQUEST_BYTES_MAX = 256 * 1024
"""Of one message from a client."""
TEXT_LETTERS_MAX = 4_000
ITEMS_MAX = 1_000
CLIENT_LETTERS_MAX = 100
ROWS_MAX = 5_000
"""Rows of one answer."""
_INT_MAX = 2**63 - 1
_FLOAT_MAX = 1e15


def problem_of(message: Struct) -> str:
    """What of a message is out of bounds, in words; empty where nothing is."""
    return _of(message, "")


def rows_within(count: int) -> int:
    """A number of rows asked for, as many as an answer may have."""
    return min(max(count, 1), ROWS_MAX)


def _of(value: Any, name: str) -> str:
    match value:
        case bool() | None:
            return ""
        case str():
            long = len(value) > TEXT_LETTERS_MAX
            return f"{name}: a text of {len(value):,} letters, at most {TEXT_LETTERS_MAX:,}" if long else ""
        case int():
            return f"{name}: a number beyond 64 bits" if abs(value) > _INT_MAX else ""
        case float():
            fits = math.isfinite(value) and abs(value) <= _FLOAT_MAX
            return "" if fits else f"{name} = {value:g}: must be a number within +-{_FLOAT_MAX:g}"
        case Struct():
            parts = ((field, getattr(value, field)) for field in value.__struct_fields__)
        case tuple() | list():
            if len(value) > ITEMS_MAX:
                return f"{name}: {len(value):,} items, at most {ITEMS_MAX:,}"
            parts = ((name, item) for item in value)
        case dict():
            if len(value) > ITEMS_MAX:
                return f"{name}: {len(value):,} items, at most {ITEMS_MAX:,}"
            parts = ((name, item) for pair in value.items() for item in pair)
        case _:
            return f"{name}: a {type(value).__name__}"
    return next((found for field, part in parts if (found := _of(part, field))), "")
