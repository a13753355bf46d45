"""Questions above the desk. Cancel has the focus, Enter never agrees, and what agrees is a different, deliberate key.

Promises: a dialog shows what it is about as it is now, not as it was when it opened; text pasted or babbled by a terminal never
agrees, for agreement is a letter that no terminal sends by itself, or a whole word without a wrong letter between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NamedTuple, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.timer import Timer

from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.app_interface import AppInterface
from quarterdeck.tui.view.lines import Line, Span, clip, unmarked
from quarterdeck.tui.view.status_lines import MODE_WORDS
from quarterdeck.tui.widgets.styled_lines import StyledLines

FORGET_S: Final = 8.0
"""A word half typed is forgotten after so long."""

LOW: Final = 20


class Dialog(ModalScreen[bool]):
    """A box of lines above everything but the status lines and the bar; Escape and Enter leave it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "cancel", "Cancel", show=False)]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 40%; }
    Dialog > #box {
        width: 84; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; margin: 3 0 1 0;
        border: thick $desk-focus; background: $surface;
        border-title-color: $desk-strong; border-title-style: bold; border-subtitle-color: $desk-muted;
    }
    Dialog.-low > #box { margin: 0; }
    Dialog.-danger > #box { border: thick $desk-alarm; }
    Dialog.-real > #box { border: heavy $desk-real; border-title-color: $desk-real-text; border-title-background: $desk-real; }
    Dialog.-ascii > #box { border: ascii $desk-focus; }
    """
    TITLE_WORDS: ClassVar[str] = ""
    DANGER: ClassVar[bool] = False

    @property
    def host(self) -> AppInterface:
        """The app."""
        return cast("AppInterface", self.app)

    @property
    def desk(self) -> DeskView | None:
        """The desk as it stands now."""
        snapshot = self.host.memory.snapshot
        return snapshot.desk if snapshot is not None else None

    def compose(self) -> ComposeResult:
        """The box."""
        with Vertical(id="box"):
            yield StyledLines(id="paper")

    def on_mount(self) -> None:
        """Draw."""
        self.set_class(self.is_low_terminal, "-low")
        self.set_class(self.dangerous, "-danger")
        self.set_class(self.host.glyphs.ascii, "-ascii")
        real = self.desk is not None and self.desk.mode == "real"
        self.set_class(real, "-real")
        self.query_one("#box").border_title = unmarked(f"{MODE_WORDS['real']} - {self.heading}" if real else self.heading)
        self.paint()

    @property
    def heading(self) -> str:
        """What is on the frame."""
        return self.TITLE_WORDS

    @property
    def dangerous(self) -> bool:
        """Whether money moves when it is agreed to."""
        return self.DANGER

    @property
    def is_low_terminal(self) -> bool:
        """Whether the terminal is too low to leave the status lines in sight above a dialog."""
        return self.size.height < LOW

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.set_class(self.is_low_terminal, "-low")
        self.call_after_refresh(self.paint)

    @property
    def width(self) -> int:
        """Cells for a line."""
        return max(min(84, self.size.width) - 4, 10)

    @property
    def rows_max(self) -> int:
        """Rows for a list inside the dialog."""
        return max(self.size.height - 13, 3)

    def paint(self) -> None:
        """Draw what the dialog says now."""
        if self.query("#paper"):
            self.query_one("#paper", StyledLines).show_lines(self.lines())

    def lines(self) -> Sequence[Line]:
        """The dialog's words."""
        return ()

    def action_cancel(self) -> None:
        """Leave without doing anything."""
        self.dismiss(False)


class Choice(NamedTuple):
    """One answer of a `ChoiceDialog`: its words, what it would do, and the command; None cannot be agreed to."""

    words: str
    preview: Callable[[DeskView, int, int], Sequence[Line]]
    command: Command | None
    said: str


class ChoiceDialog(Dialog):
    """Arrows choose among answers, each with its preview as of now; `y` agrees, anything else does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", show=False),
        Binding("down", "choose(1)", show=False),
        Binding("y", "agree", show=False),
        Binding("n", "cancel", show=False),
    ]

    def __init__(
        self, title: str, choices: Sequence[Choice], *, danger: bool = True, given: Callable[[bool], None] | None = None
    ) -> None:
        """`choices` must not be empty; `given` is reported whether the engine did it."""
        super().__init__()
        self._given = given
        self._question = title
        self._choices = tuple(choices)
        self._danger = danger
        self.chosen = 0

    @property
    def heading(self) -> str:
        """The question."""
        return self._question

    @property
    def dangerous(self) -> bool:
        """As the asker said."""
        return self._danger

    def lines(self) -> Sequence[Line]:
        """Answers, the chosen one's preview, and how to agree."""
        choice = self._choices[self.chosen]
        lines: list[Line] = []
        if len(self._choices) > 1:
            for number, other in enumerate(self._choices):
                sign = self.host.glyphs.cursor if number == self.chosen else " "
                lines.append(
                    clip((Span(f"{sign} {other.words}", "mark" if number == self.chosen else ""),), self.width, self.host.glyphs)
                )
            lines.append(())
        if self.desk is not None:
            lines.extend(choice.preview(self.desk, self.width, max(self.rows_max - len(self._choices), 2)))
        agree = (
            (Span(" y ", "key"), Span(f" {choice.said}   "))
            if choice.command is not None
            else (Span("cannot be done now   ", "warn"),)
        )
        arrows = (Span("   "), Span(" up down ", "key"), Span(" chooses")) if len(self._choices) > 1 else ()
        return [*lines, (), (Span("[ Cancel: Enter, Esc ]", "mark"), Span("   "), *agree, *arrows)]

    def action_choose(self, step: int) -> None:
        """Another answer."""
        self.chosen = (self.chosen + step) % len(self._choices)
        self.paint()

    def action_agree(self) -> None:
        """Do it, as one order."""
        choice = self._choices[self.chosen]
        if choice.command is None:
            return
        self.app.run_worker(self._order(self.host, choice.command, choice.said), exit_on_error=False)
        self.dismiss(True)

    async def _order(self, host: AppInterface, command: Command, said: str) -> None:
        result = await host.send_command(command, said)
        if self._given is not None:
            self._given(result is not None and result.ok)


class WordDialog(Dialog):
    """Agreement is a word, typed without a wrong letter; the letters so far are shown."""

    WORD: ClassVar[str] = "yes"

    def __init__(self) -> None:
        """Nothing typed."""
        super().__init__()
        self.typed = ""
        self._forget: Timer | None = None

    @property
    def accepts_word(self) -> bool:
        """Whether the dialog still asks."""
        return True

    def on_key(self, event: events.Key) -> None:
        """Count letters of the word; any other letter starts anew."""
        if not self.accepts_word or not event.is_printable or event.character is None:
            return
        event.stop()
        event.prevent_default()
        wanted = self.WORD[len(self.typed)]
        self.typed = (
            self.typed + wanted if event.character == wanted else (event.character if event.character == self.WORD[0] else "")
        )
        if self._forget is not None:
            self._forget.stop()
        self._forget = self.set_timer(FORGET_S, self._forgotten)
        if self.typed == self.WORD:
            self.typed = ""
            self.agreed()
        self.paint()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted is not typed."""
        event.stop()

    def agreed(self) -> None:
        """The word is complete."""

    def word_line(self, what: str) -> Line:
        """How to agree, and how far it is."""
        rest = self.WORD[len(self.typed) :]
        return (
            Span("[ Cancel: Enter, Esc ]", "mark"),
            Span("   type "),
            Span(self.typed, "alarm"),
            Span(f"{rest}", "strong"),
            Span(f" to {what}"),
        )

    def _forgotten(self) -> None:
        self.typed = ""
        self.paint()
