"""Tweaking: parameters by section, edits gathered in a change set, applied as one, for good or for a time, and taken back.

Promises: nothing is sent before the whole set passed the same rules as the files; what the engine refuses is shown with its
reason, and the edits stay. Does not: change anything by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from quarterdeck.core.link.messages import ReplyBody, SettingsQuery, SettingsReply
from quarterdeck.core.model.commands import SetSettings
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.screens.dialog import Choice, ChoiceDialog
from quarterdeck.tui.screens.list_pages import ListPage
from quarterdeck.tui.screens.settings_effect_page import EffectQuery, SettingsEffectPage
from quarterdeck.tui.view import settings_effect, settings_table
from quarterdeck.tui.view.lines import Line, PanelContent, Span
from quarterdeck.tui.view.settings_table import SettingsTable
from quarterdeck.tui.widgets.field import Field

TERMS = (
    ("for good", None),
    ("for 30 minutes, then back", 30.0),
    ("for 2 hours, then back", 120.0),
    ("for 8 hours, then back", 480.0),
)


class SettingsPage(ListPage):
    """The parameters."""

    NAME = "tweak"
    SEARCH = "search: key, meaning, unit; Enter keeps it, Escape clears it"
    STRIP_ROWS = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", show=False, priority=True),
        Binding("delete,backspace", "forget", show=False, priority=True),
        Binding("E", "effect", show=False, priority=True),
        Binding("A", "apply", show=False, priority=True),
        Binding("U", "undo", show=False, priority=True),
        Binding("H", "history", show=False, priority=True),
    ]
    PAGE_KEYS = (
        ("Enter", "edit"),
        ("space", "switch"),
        ("E", "effect"),
        ("A", "apply"),
        ("U", "undo"),
        ("H", "history"),
        ("/", "search"),
        ("Esc", "back"),
    )

    def __init__(self, key: str = "") -> None:
        """At the parameter `key`, or at the top."""
        super().__init__()
        self.book: SettingsTable | None = None
        self.edits: dict[str, str] = {}
        self.why = ""
        self.history = False
        self._wanted_key = key
        self._stale = False
        """Something was changed since the book was read; the next one is under way."""
        self._undo_waits = False
        """The operator wants the newest set back, whichever that is once the book is read."""
        self._probe: EffectQuery | None = None
        """What is known of the effect of the edits as they are."""

    def page_keys(self) -> tuple[tuple[str, str], ...]:
        """What makes sense now: without an edit there is nothing to apply."""
        if self.history:
            return (("H", "parameters"), ("up down", "scroll"), ("Esc", "back"))
        sense = {
            "E": bool(self.edits),
            "A": bool(self.edits),
            "U": self.book is not None and bool(settings_table.undo_changes(self.book)),
        }
        return tuple((key, words) for key, words in self.PAGE_KEYS if sense.get(key, True))

    def compose_content(self) -> Iterable[Widget]:
        """The list, and a field for edits."""
        yield from super().compose_content()
        yield Field("", id="edit")

    def heading(self) -> str:
        """In words."""
        return "Parameters"

    def refill(self) -> None:
        """The settings in force."""
        self.ask_engine(SettingsQuery())

    def take_answer(self, answer: ReplyBody) -> None:
        """Settings; the cursor goes where it was wanted."""
        if isinstance(answer, SettingsReply):
            self.book, self._stale = settings_table.settings_table_of(answer), False
            if self._undo_waits:
                self._undo_waits = False
                self.call_later(self.action_undo)
            if self._wanted_key:
                wanted = (key for key in self.book.rows if f"{key}.".startswith(f"{self._wanted_key}."))
                self.panel.cursor_key, self._wanted_key = next(wanted, self._wanted_key), ""

    def panel_content(self, width: int) -> PanelContent:
        """Parameters that match, or the history."""
        if self.book is None:
            return PanelContent((), [(Span("Asking the engine for its settings.", "muted"),)], ["nothing"])
        if self.history:
            lines = settings_table.history_lines(self.book.changes, width, self.glyphs) or [
                (Span("Nothing was changed yet.", "muted"),)
            ]
            return PanelContent((), lines, [f"change:{number}" for number in range(len(lines))], "history, newest first")
        return settings_table.sheet(self.book, self.edits, self.search, width, self.glyphs)

    def row_detail(self, key: str, width: int) -> Sequence[Line]:
        """The chosen parameter, and how many edits wait."""
        if self.book is None or self.history:
            return ()
        lines: list[Line] = list(settings_table.detail(key, self.book, self.edits, self.why, width, self.glyphs))
        if self.edits:
            count = f"{len(self.edits)} edits wait" if len(self.edits) > 1 else "1 edit waits"
            lines.append((Span(f"{count}: E shows the effect, A applies, Delete takes the chosen one back", "warn"),))
        return lines

    def enter_row(self, key: str) -> None:
        """Type a new value for a parameter, or switch it where there is nothing to type."""
        row = self.book.rows.get(key) if self.book is not None else None
        if row is None:
            return
        if settings_table.next_value(row, self._value_of(row.key)) is not None:
            self.action_switch()
            return
        field = self.query_one("#edit", Field)
        field.placeholder = row.allowed
        field.open(self._value_of(row.key).strip('"'))

    def _value_of(self, key: str) -> str:
        return self.edits.get(key) or (self.book.value(key) if self.book is not None else "")

    def action_enter(self) -> None:
        """Take what was typed, where something is."""
        field = self.query_one("#edit", Field)
        if self.focused is not field:
            super().action_enter()
            return
        self._take(self.panel.cursor_key, field.value)
        if not self.why:
            self._leave_edit()
        self.paint()

    def _take(self, key: str, text: str) -> None:
        if self.book is None:
            return
        new, self.why = settings_table.parse_edit(self.book, key, text)
        if new is None:
            return
        if new == self.book.value(key):
            self.edits.pop(key, None)
        else:
            self.edits[key] = new

    def _leave_edit(self) -> None:
        self.query_one("#edit", Field).close()
        self.set_focus(self.panel)

    async def action_back(self) -> None:
        """Leave the field, the history, then the page."""
        if self.query_one("#edit", Field).opened:
            self.why = ""
            self._leave_edit()
            self.paint()
        elif self.history:
            self.action_history()
        else:
            await super().action_back()

    def action_switch(self) -> None:
        """The next value of a switch or a choice."""
        row = self.book.rows.get(self.panel.cursor_key) if self.book is not None else None
        new = settings_table.next_value(row, self._value_of(row.key)) if row is not None else None
        if row is not None and new is not None:
            self._take(row.key, new)
            self.paint()

    def action_forget(self) -> None:
        """Take the chosen edit back."""
        self.edits.pop(self.panel.cursor_key, None)
        self.why = ""
        self.paint()

    def action_history(self) -> None:
        """History of changes, or the parameters again."""
        self.history = not self.history
        self.paint()

    def action_effect(self) -> None:
        """What the set would do to what is open, and would have done in the last days."""
        probe = self._probed()
        if probe is not None:
            self.app.push_screen(SettingsEffectPage(probe, self.action_apply))

    def action_apply(self) -> None:
        """Judge the set as a whole, show it with its effect, and ask for how long."""
        probe = self._probed()
        if probe is not None:
            self._question("Apply these changes", probe.changes, TERMS, probe)

    def _probed(self) -> EffectQuery | None:
        """The effect of the edits, being found out; None where there are none or they contradict each other."""
        if self.book is None or not self.edits:
            self.host.show_message("no edit waits")
            return None
        self.why = settings_table.invalid_combination(self.book, self.edits)
        if self.why:
            self.paint()
            return None
        return self._begun(tuple(self.edits.items()))

    def _begun(self, changes: tuple[tuple[str, str], ...]) -> EffectQuery:
        if self._probe is None or self._probe.changes != changes:
            self._probe = EffectQuery(self.host, changes)
            self.run_worker(self._probe.ask(), group="effect", exclusive=True, exit_on_error=False)
            self.run_worker(self._probe.run(), group="whatif", exclusive=True, exit_on_error=False)
        return self._probe

    def action_undo(self) -> None:
        """Take the newest set of changes back, whoever made it; one that was applied a moment ago is waited for."""
        if self._stale:
            self._undo_waits = True
            self.host.show_message("reading what was changed")
            return
        changes = settings_table.undo_changes(self.book) if self.book is not None else ()
        if not changes:
            self.host.show_message("nothing to take back: no change holds that was made while it ran")
            return
        self._question("Take the last changes back", changes, TERMS[:1], self._begun(changes))

    def _question(
        self, title: str, changes: tuple[tuple[str, str], ...], terms: Sequence[tuple[str, float | None]], probe: EffectQuery
    ) -> None:
        book = self.book
        assert book is not None

        def preview(_desk: DeskView, width: int, rows: int) -> Sequence[Line]:
            told = settings_effect.effect_summary(probe.known, width, self.glyphs)
            lines = settings_table.change_lines(book, dict(changes), width, max(rows - len(told), 1), self.glyphs)
            return [*lines, *told]

        choices = [
            Choice(words, preview, SetSettings(changes=changes, minutes=minutes), f"set, {words}") for words, minutes in terms
        ]
        dialog = ChoiceDialog(title, choices, danger=False, given=lambda ok: self._applied(changes, ok=ok))
        self.app.push_screen(dialog)

    def _applied(self, changes: tuple[tuple[str, str], ...], *, ok: bool) -> None:
        if not ok:
            self.why = self.host.memory.orders[0].answer if self.host.memory.orders else "refused"
        else:
            self.edits = {key: value for key, value in self.edits.items() if (key, value) not in changes}
            self.why, self._probe, self._stale = "", None, True
            if isinstance(self.app.screen, SettingsEffectPage):
                self.app.pop_screen()
            for key, value in changes:
                if key == "ui.theme":
                    self.host.set_theme(value.strip('"'))
        if self.is_mounted:
            self.refill()
