"""What every full screen has: the status lines on top, the bar of keys at the bottom, and a room between them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from quarterdeck.core.link.messages import QueryBody, ReplyBody
from quarterdeck.tui.app_interface import AppInterface
from quarterdeck.tui.view import status_lines
from quarterdeck.tui.view.lines import Glyphs
from quarterdeck.tui.widgets.keybar import KeyBar
from quarterdeck.tui.widgets.status_bar import StatusBar
from quarterdeck.tui.widgets.styled_lines import StyledLines


class Page(Screen[None]):
    """A full screen. Below the smallest usable size it is one line that says so."""

    AUTO_FOCUS = ""
    NAME: ClassVar[str] = ""
    PAGE_KEYS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The page's own keys on the bar."""
    STRIP_ROWS: ClassVar[int] = 5
    """Rows of the strip of positions under the status lines; no screen is without the positions."""
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As Textual's own, which repaints the whole screen when the focus moves; the two panels concerned do that for themselves."""
    DEFAULT_CSS = """
    Page { background: $background; color: $foreground; }
    Page #small { display: none; height: 1fr; }
    Page.-small #small { display: block; }
    Page.-small StatusBar, Page.-small KeyBar, Page.-small #room { display: none; }
    Page #room { height: 1fr; }
    Page.-real Panel, Page.-real ChartPanel { border: heavy $desk-real; }
    Page.-real Panel:focus { border: heavy $desk-focus; }
    Page.-ascii Panel, Page.-ascii ChartPanel { border: ascii $desk-frame; }
    Page.-ascii Panel:focus { border: ascii $desk-focus; }
    """

    @property
    def host(self) -> AppInterface:
        """The app."""
        return cast("AppInterface", self.app)

    @property
    def glyphs(self) -> Glyphs:
        """Signs that this terminal can draw."""
        return self.host.glyphs

    def compose(self) -> ComposeResult:
        """Status lines, room, bar."""
        yield StatusBar()
        yield StyledLines(id="small")
        with Widget(id="room"):
            yield from self.compose_content()
        yield KeyBar()

    def compose_content(self) -> Iterable[Widget]:
        """Widgets of the room."""
        return ()

    def on_mount(self) -> None:
        """Draw at once what is known."""
        self.paint()

    def on_resize(self) -> None:
        """Everything depends on the size."""
        self.call_after_refresh(self.paint)

    def on_screen_resume(self) -> None:
        """Back in sight."""
        self.paint()

    def paint(self) -> None:
        """Draw what changed since the last time."""
        if not self.is_mounted or not self.query("#keys"):
            return
        width, height = self.size
        small = width < status_lines.WIDTH_MIN or height < status_lines.HEIGHT_MIN
        self.set_class(small, "-small")
        sight = self.host.memory.sight
        self.set_class(sight.snapshot is not None and sight.snapshot.desk.mode == "real", "-real")
        if small:
            key = self.host.keymap.shown("flatten")
            self.query_one("#small", StyledLines).show_lines(status_lines.too_small(sight, width, height, self.glyphs, key))
            return
        bar = self.query_one(StatusBar)
        bar.show(sight, self.glyphs, self.strip_rows)
        engine = sight.snapshot.engine if sight.snapshot is not None else None
        self.query_one(KeyBar).show(self.host.available_actions(), self.host.keymap, self.glyphs, self.page_keys(), engine)
        self.paint_content()

    def page_keys(self) -> tuple[tuple[str, str], ...]:
        """The page's own keys that do something now."""
        return self.PAGE_KEYS

    def strip_rows(self, status_rows: int) -> int:
        """Rows for the strip of positions under so many status lines."""
        return self.STRIP_ROWS

    def paint_content(self) -> None:
        """Draw the room."""

    def ask_engine(self, question: QueryBody, group: str = "ask") -> None:
        """Ask the engine and hand the answer to `answered`, without waiting."""
        # not a coroutine: one that is cancelled before its first step would complain that nobody waited for it
        asking: Any = partial(self._ask, question)
        self.run_worker(asking, group=group, exclusive=True, exit_on_error=False)

    async def _ask(self, question: QueryBody) -> None:
        answer = await self.host.ask(question)
        if self.is_mounted:
            self.answered(question, answer)

    def answered(self, question: QueryBody, answer: ReplyBody) -> None:
        """Take an answer."""


class SidePage(Page):
    """A page beside the desk; Escape goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back", show=False, priority=True)]

    async def action_back(self) -> None:
        """Back to the desk."""
        await self.app.pop_screen()
