"""StyledLines: a widget that shows lines in roles and repaints only the rows that differ from what is on the screen.

Promises: a row that did not change costs no byte; text can be selected and copied; a theme switch redraws everything.
Does not: know what the lines say. Its roles take their looks from the theme through component classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from quarterdeck.tui.view.lines import BLANK, ROLES, Line, changed_cells, plain_of

_CLASS = {role: f"paper--{role}" for role in ROLES if role}


COLOURLESS: Final = {
    **dict.fromkeys((*ROLES, "cursor"), Style()),
    **dict.fromkeys(("alarm", "real"), Style(reverse=True, bold=True)),
    **dict.fromkeys(("unreal", "key", "mark", "cursor"), Style(reverse=True)),
    **dict.fromkeys(("strong", "warn"), Style(bold=True)),
    "title": Style(underline=True),
}
"""Looks where no colour may be used: blocks stay blocks."""


class StyledLines(Widget):
    """Lines from the top; what lies below the last one is blank."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*_CLASS.values(), "paper--cursor"}
    DEFAULT_CSS = """
    StyledLines {
        height: auto;
        & > .paper--muted { color: $desk-muted; }
        & > .paper--strong { color: $desk-strong; text-style: bold; }
        & > .paper--good { color: $desk-good; }
        & > .paper--bad { color: $desk-bad; }
        & > .paper--warn { color: $desk-warn; text-style: bold; }
        & > .paper--alarm { color: $desk-alarm-text; background: $desk-alarm; text-style: bold; }
        & > .paper--accent { color: $desk-accent; }
        & > .paper--title { color: $desk-title; }
        & > .paper--key { color: $desk-key-text; background: $desk-key; }
        & > .paper--real { color: $desk-real-text; background: $desk-real; text-style: bold; }
        & > .paper--unreal { color: $desk-unreal-text; background: $desk-unreal; text-style: bold; }
        & > .paper--mark { color: $desk-cursor-text; background: $desk-cursor; }
        & > .paper--cursor { color: $desk-cursor-text; background: $desk-cursor; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        """Blank paper."""
        super().__init__(name=name, id=id, classes=classes)
        self._lines: list[Line] = []
        self._marked: int | None = None
        self._strips: dict[int, Strip] = {}
        self._looks: dict[str, Style] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is on the paper."""
        return tuple(self._lines)

    @property
    def plain_text(self) -> str:
        """What is on the paper as text."""
        return "\n".join(plain_of(line) for line in self._lines)

    def show_lines(self, lines: Sequence[Line], marked: int | None = None) -> int:
        """Show `lines`, with the cursor's look on row `marked`; returns how many rows were repainted."""
        old, new = self._lines, list(lines)
        self._lines, was_marked, self._marked = new, self._marked, marked
        repainted = 0
        for y in range(max(len(old), len(new))):
            before = old[y] if y < len(old) else BLANK
            after = new[y] if y < len(new) else BLANK
            if before == after and (y == was_marked) == (y == marked):
                continue
            self._strips.pop(y, None)
            repainted += 1
            width = self.size.width
            if (y == was_marked) == (y == marked):
                width = min(changed_cells(before, after), width)
            self.refresh(Region(0, y, max(width, 1), 1))
        if len(old) != len(new) and self.styles.is_auto_height:
            self.refresh(layout=True)
        return repainted

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many rows as there are lines, where the style says `auto`."""
        return max(len(self._lines), 1)

    def notify_style_update(self) -> None:
        """The theme or a class changed: every look is asked for anew."""
        super().notify_style_update()
        self._strips.clear()
        self._looks.clear()

    def on_resize(self) -> None:
        """Strips are as wide as the widget."""
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """One row, from the cache where it did not change."""
        selection = self.text_selection
        strip = self._strips.get(y) if selection is None else None
        if strip is None:
            strip = self._strip(y)
            if selection is None:
                self._strips[y] = strip
            elif (chosen := selection.get_span(y)) is not None:
                strip = self._highlighted(strip, *chosen)
        return strip.apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The words under a selection, for copying."""
        return selection.extract("\n".join(plain_of(line).rstrip() or " " for line in self._lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection."""
        self._strips.clear()
        self.refresh()

    def _strip(self, y: int) -> Strip:
        width, base = self.size.width, self._look("")
        line = self._lines[y] if y < len(self._lines) else BLANK
        marked = y == self._marked
        segments = [Segment(span.text, self._look(span.role, marked=marked)) for span in line]
        return Strip(segments).adjust_cell_length(width, self._look("cursor") if marked else base)

    def _look(self, role: str, *, marked: bool = False) -> Style:
        if not role and marked:
            return self._look("cursor")
        key = f"{role}!" if marked else role
        look = self._looks.get(key)
        if look is None:
            if not role:
                look = self.rich_style
            elif self.app.no_color:
                look = self.rich_style + COLOURLESS["cursor" if marked else role]
            elif marked and role in ("muted", "strong", "title", "good", "bad", "accent", "warn"):
                look = self._look("cursor")
            else:
                look = self.get_component_rich_style(f"paper--{role}")
            self._looks[key] = look
        return look

    def _highlighted(self, strip: Strip, start: int, end: int) -> Strip:
        width = strip.cell_length
        end = width if end == -1 else min(end, width)
        if start >= end:
            return strip
        look = self.screen.get_component_rich_style("screen--selection")
        plain = Style(color=look.color, bgcolor=look.bgcolor)
        middle = Strip([Segment(part.text, (part.style or Style()) + plain) for part in strip.crop(start, end)])
        return Strip.join([strip.crop(0, start), middle, strip.crop(end, width)])
