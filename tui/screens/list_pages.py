"""Pages that are a list with the story of the chosen row beneath it: why not, news, health."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from quarterdeck.core.link.messages import (
    CalendarQuery,
    CalendarReply,
    QueryBody,
    QueryFailed,
    ReplyBody,
    VerdictRow,
    VerdictsQuery,
    VerdictsReply,
)
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import UtcNs
from quarterdeck.tui.screens.base_page import SidePage
from quarterdeck.tui.view import page_contents
from quarterdeck.tui.view.lines import Line, PanelContent, Span, clean, wrapped
from quarterdeck.tui.widgets.field import Field
from quarterdeck.tui.widgets.panel import Panel
from quarterdeck.tui.widgets.styled_lines import StyledLines

LETTERS: Final = frozenset(
    ("search", "pair", "switch", "forget", "apply", "undo", "history", "effect", "new", "mark", "cancel_run")
)
"""Actions of pages whose keys are letters."""


class ListPage(SidePage):
    """A panel that fills the room and, where there is a story to tell, lines under it."""

    DEFAULT_CSS = """
    ListPage #detail { height: auto; max-height: 45%; padding: 0 1; background: $surface; }
    """
    CURSOR: ClassVar[bool] = True
    SEARCH: ClassVar[str] = ""
    """What the search field says; empty: there is none."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", show=False, priority=True),
        Binding("enter", "enter", show=False, priority=True),
    ]

    def __init__(self) -> None:
        """Nothing asked yet."""
        super().__init__()
        self.search = ""
        self.complaint = ""

    def compose_content(self) -> Iterable[Widget]:
        """List, search field, story."""
        search = Field(self.SEARCH, id="search")
        yield Vertical(Panel(self.heading(), id="list", cursor=self.CURSOR), search, StyledLines(id="detail"))

    def heading(self) -> str:
        """What is on the frame."""
        return self.NAME

    def on_mount(self) -> None:
        """Ask, and take the keys."""
        self.set_class(self.glyphs.ascii, "-ascii")
        self.set_focus(self.panel)
        self.refill()

    @property
    def panel(self) -> Panel:
        """The list."""
        return self.query_one("#list", Panel)

    @property
    def desk(self) -> DeskView | None:
        """The desk as it stands now."""
        snapshot = self.host.memory.snapshot
        return snapshot.desk if snapshot is not None else None

    def refill(self) -> None:
        """Ask the engine for what the page shows."""

    def panel_content(self, width: int) -> PanelContent:
        """What the list shows."""
        raise AssertionError("each page says what it lists")

    def row_detail(self, key: str, width: int) -> Sequence[Line]:
        """What is under the list."""
        return ()

    def paint_content(self) -> None:
        """List and story."""
        panel = self.panel
        if not panel.size.width:
            return
        panel.show(self.panel_content(panel.size.width))
        story: list[Line] = list(self.row_detail(panel.cursor_key, max(self.size.width - 2, 10)))
        if self.complaint:
            story = [*((Span(text, "bad"),) for text in wrapped(self.complaint, max(self.size.width - 2, 10))), *story]
        detail = self.query_one("#detail", StyledLines)
        detail.display = bool(story)
        detail.show_lines(story)

    def answered(self, question: QueryBody, answer: ReplyBody) -> None:
        """Keep what came, or why it did not."""
        self.complaint = clean(answer.why) if isinstance(answer, QueryFailed) else ""
        self.take_answer(answer)
        self.paint()

    def take_answer(self, answer: ReplyBody) -> None:
        """Take an answer of the right kind."""

    def on_key(self, event: Any) -> None:
        """The story follows the cursor at once."""
        self.call_after_refresh(self.paint)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The page's own keys are letters while letters are typed."""
        if action in LETTERS and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Type what to look for."""
        if self.SEARCH:
            self.query_one("#search", Field).open(self.search)

    async def action_back(self) -> None:
        """Leave the search, then the page."""
        field = self.query_one("#search", Field)
        if field.opened:
            field.value = ""
            self._leave_search()
        else:
            await super().action_back()

    @on(Input.Changed, "#search")
    def _searched(self, event: Input.Changed) -> None:
        self.search = event.value
        self.filter_changed()
        self.paint()

    def filter_changed(self) -> None:
        """Other words are searched for."""

    def action_enter(self) -> None:
        """Keep what was searched for, or open the chosen row."""
        if self.focused is self.query_one("#search", Field):
            self._leave_search()
        else:
            self.enter_row(self.panel.cursor_key)

    @on(Panel.Chosen)
    def _clicked(self, event: Panel.Chosen) -> None:
        self.enter_row(event.key)

    def enter_row(self, key: str) -> None:
        """Open a row, where there is more to it than its story."""

    def _leave_search(self) -> None:
        self.query_one("#search", Field).close()
        self.set_focus(self.panel)
        self.paint()


class WhyPage(ListPage):
    """The ledger of one pair: each closed bar's verdict with every number and threshold."""

    NAME = "why"
    SEARCH = "find a reason; Enter keeps it, Escape clears it"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "pair(-1)", show=False, priority=True),
        Binding("right", "pair(1)", show=False, priority=True),
    ]
    PAGE_KEYS = (("Enter", "all checks"), ("left/right", "pair"), ("/", "find"), ("Esc", "back"))

    def __init__(self, symbol: str, bar_open_utc_ns: UtcNs = 0) -> None:
        """For one pair, at one of its bars where that is given; arrows go to the other pairs."""
        super().__init__()
        self.symbol = symbol
        self._wanted_bar = bar_open_utc_ns
        self._rows: tuple[VerdictRow, ...] = ()
        self._counts: dict[str, int] = {}
        self._bar = 0

    def heading(self) -> str:
        """With the pair."""
        return f"Why not: {clean(self.symbol)}"

    def refill(self) -> None:
        """The pair's verdicts."""
        self.ask_engine(VerdictsQuery(symbol=self.symbol, count=200))

    def take_answer(self, answer: ReplyBody) -> None:
        """Verdicts."""
        if isinstance(answer, VerdictsReply):
            self._rows, self._counts = answer.rows, answer.counts
            keys = zip(self._rows, page_contents.ledger_keys(self._rows), strict=True)
            wanted = next((key for row, key in keys if row.verdict.bar_open_utc_ns == self._wanted_bar), "")
            if wanted:
                self.panel.cursor_key, self._wanted_bar = wanted, 0

    def panel_content(self, width: int) -> PanelContent:
        """Verdicts that hold the word searched for; asked for again at each new bar."""
        if self.desk is not None and self.desk.next_bar_utc_ns != self._bar:
            self._bar = self.desk.next_bar_utc_ns
            self.refill()
        return page_contents.ledger(self._shown, self._counts, width, self.glyphs)

    @property
    def _shown(self) -> list[VerdictRow]:
        wanted = self.search.casefold()
        return [row for row in self._rows if wanted in f"{row.verdict.outcome} {row.verdict.reason}".casefold()]

    def row_detail(self, key: str, width: int) -> Sequence[Line]:
        """The checks of the chosen verdict, as many as there is room for."""
        row = self._chosen
        return page_contents.verdict_lines(row, width, self.glyphs) if row is not None else ()

    def enter_row(self, key: str) -> None:
        """All its checks."""
        row = self._chosen
        if row is not None:
            self.app.push_screen(VerdictPage(row))

    @property
    def _chosen(self) -> VerdictRow | None:
        rows = self._shown
        return rows[min(self.panel.cursor_row, len(rows) - 1)] if rows else None

    def action_pair(self, step: int) -> None:
        """The next pair."""
        symbols = [pair.symbol for pair in self.desk.pairs] if self.desk is not None else []
        if symbols:
            here = symbols.index(self.symbol) if self.symbol in symbols else 0
            self.symbol = symbols[(here + step) % len(symbols)]
            self.panel.words_of_title = self.heading()
            self._rows, self._wanted_bar = (), 0
            self.refill()


class VerdictPage(ListPage):
    """One verdict with every check, each word of it."""

    NAME = "verdict"
    CURSOR = False
    PAGE_KEYS = (("up down", "scroll"), ("Esc", "back"))

    def __init__(self, row: VerdictRow) -> None:
        """Of one closed bar."""
        super().__init__()
        self.row = row

    @property
    def symbol(self) -> str:
        """Its pair."""
        return self.row.verdict.symbol

    def heading(self) -> str:
        """Of which pair."""
        return f"Verdict: {clean(self.symbol)}"

    def panel_content(self, width: int) -> PanelContent:
        """What refused it first."""
        return PanelContent((), page_contents.verdict_lines(self.row, width, self.glyphs, whole=True))


class NewsPage(ListPage):
    """The calendar."""

    NAME = "news"
    PAGE_KEYS = (("Esc", "back"),)

    def __init__(self) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._news = CalendarReply(available=False, events=(), why="not read yet")

    def heading(self) -> str:
        """In words."""
        return "News"

    def refill(self) -> None:
        """The calendar as the desk knows it."""
        self.ask_engine(CalendarQuery())

    def take_answer(self, answer: ReplyBody) -> None:
        """The calendar."""
        if isinstance(answer, CalendarReply):
            self._news = answer

    def panel_content(self, width: int) -> PanelContent:
        """What lies ahead first."""
        return page_contents.news(self._news, self.desk.at_utc_ns if self.desk is not None else 0, width, self.glyphs)


class HealthPage(ListPage):
    """The machine around the desk, and what was ordered from here."""

    NAME = "health"
    CURSOR = False
    PAGE_KEYS = (("Esc", "back"),)

    def heading(self) -> str:
        """In words."""
        return "Health"

    def panel_content(self, width: int) -> PanelContent:
        """From the newest snapshot."""
        snapshot = self.host.memory.snapshot
        if snapshot is None:
            return PanelContent((), [(Span("Nothing heard of the engine yet.", "muted"),)])
        link = self.host.memory.link
        over = f"no, {link.why}" if link.ended else ""
        return page_contents.health(snapshot.engine, tuple(self.host.memory.orders), width, self.glyphs, over)
