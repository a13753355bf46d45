"""What Python's collector must not look through again and again: each of its looks holds a key up.

Promises: a screen that was closed is gone with all its drawn rows; what is at the first paint is never looked through again.
Does not: draw. It touches a private part of Textual, which is pinned exactly; a test fails where a newer one needs it no more.
"""

from __future__ import annotations

import gc
from functools import lru_cache
from typing import Any

from textual._styles_cache import StylesCache
from textual.color import Color
from textual.style import Style


@lru_cache(maxsize=256)
def _grounds(base: Color, own: Color) -> tuple[Style, Style]:
    return Style(background=base + own), Style(background=base)


def release_closed_screens() -> None:
    """Textual remembers two grounds under the widget that asked, the last thousand widgets of them, each with all its rows.

    The grounds depend on the colours alone. A dialog that was closed left 320 rows and 4,000 objects behind; after an hour of
    keys the collector took 200 ms, and a key with it.
    """
    changed: Any = StylesCache
    changed.get_inner_outer = lambda self, base_background, background: _grounds(base_background, background)


def freeze_garbage_collector() -> None:
    """What is at the first paint stays to the end: it is not looked through again (each look holds a key up 50 ms)."""
    gc.collect()
    gc.freeze()
