"""A panel: paper with a frame, fixed title lines, a body that scrolls, and a cursor that stays on its thing when rows move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from quarterdeck.tui.view.lines import Line, PanelContent, unmarked
from quarterdeck.tui.widgets.styled_lines import StyledLines


class Panel(StyledLines, can_focus=True):
    """One of the desk's panels; `sheet` in, keys of chosen rows out."""

    DEFAULT_CSS = """
    Panel {
        height: 1fr;
        border: round $desk-frame;
        border-title-color: $desk-title;
        border-subtitle-color: $desk-muted;
        padding: 0;
        &:focus { border: round $desk-focus; border-title-color: $desk-focus; border-title-style: bold; }
    }
    """
    # with priority, so that a key that follows in the same packet finds the cursor moved
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, priority=True),
        Binding("down,j", "move(1)", "Down", show=False, priority=True),
        Binding("pageup", "move_page(-1)", "Page up", show=False, priority=True),
        Binding("pagedown", "move_page(1)", "Page down", show=False, priority=True),
        Binding("home,g", "move_far(-1)", "First", show=False, priority=True),
        Binding("end,G", "move_far(1)", "Last", show=False, priority=True),
        Binding("enter", "choose", "Choose", show=False),
    ]

    class Chosen(Message):
        """Enter or a second click on a row."""

        def __init__(self, panel: Panel, key: str) -> None:
            """`key` is the row's identity."""
            super().__init__()
            self.panel = panel
            self.key = key

        @property
        def control(self) -> Panel:
            """The panel, for `@on`."""
            return self.panel

    def __init__(
        self,
        title: str,
        number: int = 0,
        *,
        follow_end: bool = False,
        newest_first: bool = False,
        cursor: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        """`follow_end` keeps the last line in sight until the reader scrolls up; without `cursor` it only scrolls.

        `newest_first` keeps the first row in sight until the reader goes to one of the rows.
        """
        super().__init__(id=id)
        self.words_of_title = title
        self.number = number
        self.border_title = unmarked(f"{number} {title}" if number else title)
        self._cursor = cursor
        self._newest_first = newest_first
        self.following = follow_end
        self._follow_end = follow_end
        self._sheet = PanelContent((), ())
        self._top = 0
        self.cursor_key = ""
        self.unread = 0
        self._only_focus = False

    @property
    def sheet(self) -> PanelContent:
        """What the panel was last given."""
        return self._sheet

    @property
    def room(self) -> int:
        """Rows for the body."""
        return max(self.size.height - len(self._sheet.head), 0)

    @property
    def cursor_row(self) -> int:
        """Row of the cursor in the body; 0 where its thing is gone."""
        try:
            return self._sheet.keys.index(self.cursor_key)
        except ValueError:
            return 0

    def show(self, sheet: PanelContent) -> int:
        """Take a new sheet; the cursor stays on its key. Returns the rows repainted."""
        row_before = self.cursor_row
        self._sheet = sheet
        if self._newest_first and row_before == 0 and not self.has_focus and sheet.keys:
            self.cursor_key = sheet.keys[0]
        if self._cursor and self.cursor_key not in sheet.keys and sheet.keys:
            self.cursor_key = sheet.keys[min(row_before, len(sheet.keys) - 1)]
        return self._draw()

    def _draw(self) -> int:
        sheet = self._sheet
        room = self.room
        last_top = max(len(sheet.body) - room, 0)
        if self.following:
            self._top = last_top
        elif self._cursor and sheet.keys:
            row = self.cursor_row
            self._top = min(max(self._top, row - room + 1), row)
        self._top = min(max(self._top, 0), last_top)
        body: Sequence[Line] = sheet.body[self._top : self._top + room]
        marked = None
        if self._cursor and self.has_focus and sheet.keys and sheet.keys[0] != "nothing":
            marked = len(sheet.head) + self.cursor_row - self._top
        self._write_frame(self._note(sheet, room))
        return self.show_lines([*sheet.head, *body], marked)

    def _write_frame(self, note: str) -> None:
        """The note is on the lower edge, or beside the title where there is none."""
        name = f"{self.number} {self.words_of_title}" if self.number else self.words_of_title
        if self.styles.border_bottom[0] in ("", "none"):
            name, note = f"{name}: {note}" if note else name, ""
        title, subtitle = unmarked(name), unmarked(note)
        if (self.border_title, self.border_subtitle) != (title, subtitle):
            self.border_title, self.border_subtitle = title, subtitle

    def _note(self, sheet: PanelContent, room: int) -> str:
        hidden = len(sheet.body) - room
        place = f" {self._top + 1}-{min(self._top + room, len(sheet.body))}/{len(sheet.body)}" if hidden > 0 and room > 0 else ""
        paused = f" {self.unread} NEW, end follows" if self._follow_end and not self.following else ""
        return f"{sheet.note}{place}{paused}"

    def on_resize(self) -> None:
        """The number of rows changed."""
        super().on_resize()
        self._draw()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor is shown where the keys go, and nowhere else."""
        self._only_focus = True
        super().watch_has_focus(has_focus)
        self._only_focus = False
        self._draw()

    def _get_component_classes(self) -> frozenset[str]:  # type: ignore[override] # Textual asks the widget, never its class
        """Looks to work out anew. They depend on the theme, not on the focus: 575 objects a key, and the collector's 70 ms."""
        return frozenset() if self._only_focus else super()._get_component_classes()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.action_move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.action_move(3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row clicked; a second click chooses it."""
        row = event.y - self.gutter.top - len(self._sheet.head) + self._top
        if not self._cursor or not 0 <= row < len(self._sheet.keys):
            return
        again = self.cursor_key == self._sheet.keys[row] and event.chain > 1
        self.cursor_key = self._sheet.keys[row]
        self._draw()
        if again:
            self.action_choose()

    def action_move(self, rows: int) -> None:
        """Move the cursor, or the view where there is none."""
        if self._cursor and self._sheet.keys:
            row = min(max(self.cursor_row + rows, 0), len(self._sheet.keys) - 1)
            self.cursor_key = self._sheet.keys[row]
        else:
            last_top = max(len(self._sheet.body) - self.room, 0)
            self._top = min(max(self._top + rows, 0), last_top)
            self.following = self._follow_end and self._top >= last_top
            if self.following:
                self.unread = 0
        self._draw()

    def action_move_page(self, pages: int) -> None:
        """Move by what is in sight."""
        self.action_move(pages * max(self.room - 1, 1))

    def action_move_far(self, direction: int) -> None:
        """To the first or last row."""
        self.action_move(direction * (len(self._sheet.body) + 1))

    def action_choose(self) -> None:
        """Tell the screen which row was chosen."""
        if self.cursor_key and self.cursor_key != "nothing":
            self.post_message(self.Chosen(self, self.cursor_key))
