"""The three status lines and the strip of positions, on top of every screen."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.tui.screen_state import ViewModel
from quarterdeck.tui.view import positions_panel, status_lines
from quarterdeck.tui.view.lines import BLANK, Glyphs, Line
from quarterdeck.tui.widgets.styled_lines import StyledLines


class StatusBar(StyledLines):
    """What must always be in sight."""

    DEFAULT_CSS = """
    StatusBar { dock: top; height: auto; background: $surface; }
    """

    def __init__(self) -> None:
        """Three blank lines."""
        super().__init__(id="status")
        self.show_lines([BLANK] * status_lines.HEADER_LINES)

    def show(self, sight: ViewModel, glyphs: Glyphs, strip_rows: Callable[[int], int]) -> None:
        """Draw the lines; the strip follows on as many rows as `strip_rows` gives it under so many lines."""
        lines: list[Line] = list(status_lines.header(sight, self.size.width, glyphs))
        if sight.snapshot is not None and (rows := strip_rows(len(lines))):
            lines.extend(positions_panel.strip(sight.snapshot.desk, self.size.width, rows, glyphs))
        self.show_lines(lines)
