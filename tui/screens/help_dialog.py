"""Help: what the panel or page in focus shows, then every key that does something, from the one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from quarterdeck.tui.screens.dialog import Dialog
from quarterdeck.tui.view.help_text import help_lines
from quarterdeck.tui.view.lines import Line, Span
from quarterdeck.tui.view.status_lines import HEADER_LINES
from quarterdeck.tui.widgets.styled_lines import StyledLines


class HelpDialog(Dialog):
    """Scrolls with the arrows; Escape, Enter, `?` and `q` leave it."""

    TITLE_WORDS = "Help"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("question_mark,q,f1", "cancel", show=False),
    ]

    def __init__(self, focus: str) -> None:
        """`focus` is the panel or page."""
        super().__init__()
        self._focus = focus
        self._top = 0

    def lines(self) -> Sequence[Line]:
        """A window on the text."""
        text = help_lines(self._focus, self.host.keymap, self.width, self.host.glyphs)
        room = max(
            self.size.height - 3 - (0 if self.is_low_terminal else HEADER_LINES + 1), 1
        )  # two edges, the foot; status lines and bar
        self._top = min(max(self._top, 0), max(len(text) - room, 0))
        more = len(text) - self._top - room
        foot = (Span("[ Enter, Esc ]", "mark"), Span(f"   {more} more below, arrows scroll" if more > 0 else "", "muted"))
        return [*text[self._top : self._top + room], foot]

    def action_scroll(self, rows: int) -> None:
        """Move the window."""
        self._top += rows
        self.query_one("#paper", StyledLines).show_lines(self.lines())
