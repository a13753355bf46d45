"""A line to type in that comes and goes: it takes the keys the moment it opens, so that fast hands lose no letter."""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.widgets import Input

PATIENCE_S: Final = 1.0
"""A field that was taken away answers nobody."""


class Field(Input):
    """Hidden until `open`."""

    # with priority, for a key that is nobody's climbs to the app and would be obeyed after those that came behind it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(made.key, made.action, show=False, priority=True)
        for made in Binding.make_bindings(Input.BINDINGS)
        if made.key != "enter"
    ]
    DEFAULT_CSS = """
    Field, Field:focus { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, placeholder: str, *, id: str) -> None:  # noqa: A002 - Textual's word
        """`placeholder` says what may be typed."""
        super().__init__(placeholder=placeholder, id=id)
        self.cursor_blink = False

    @property
    def opened(self) -> bool:
        """Whether it is there."""
        return bool(self.display)

    def open(self, value: str) -> None:
        """Show it with `value` in it, and take the keys."""
        self.value = value
        self.cursor_position = len(value)
        self.display = True
        self.screen.set_focus(self)

    async def wait_for_typed(self) -> None:
        """Wait until what was typed so far is in, and everybody above has heard of it. Not for those above to call."""
        above = [node for node in self.ancestors_with_self if node is not self.app]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                for node in (self, *above):
                    done = asyncio.Event()
                    if node.call_later(done.set):
                        await done.wait()

    def close(self) -> None:
        """Hide it; the keys go where the screen sends them."""
        self.display = False
