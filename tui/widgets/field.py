"""A line to type in that comes and goes: it takes the keys the moment it opens, so that fast hands lose no letter."""

from __future__ import annotations

from textual.widgets import Input


class Field(Input):
    """Hidden until `open`."""

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

    def close(self) -> None:
        """Hide it; the keys go where the screen sends them."""
        self.display = False
