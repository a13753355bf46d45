"""Text of foreign origin, made safe to show: a terminal that prints it obeys nothing that is in it.

Promises: no control character but the line feed and the tab is left, none that turns the direction of writing, and no half of a
surrogate pair; each is shown as its number, so that it can be determined what was there.
"""

from __future__ import annotations

import re

# raw: the pattern's own escapes, because the compiled desk cannot hold half of a surrogate pair in a literal
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str) -> str:
    """`text` with every character that a terminal would act on shown as its code."""
    return _UNSAFE.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
