"""The journal: closed trades narrowed by words, the whole story of one of them, and what they came to in pictures.

Promises: words mean the same in the journal and in the metrics, and go along from one to the other; one account in one mode, as
the engine tells it. Does not: compute a figure (the engine does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from quarterdeck.core.link.messages import ReplyBody, TradesQuery, TradesReply
from quarterdeck.core.link.trade_queries import (
    FILTER_WORDS,
    AccountReport,
    AccountReportQuery,
    TimelineQuery,
    TimelineStep,
    TradeFilter,
    TradeTimeline,
    filter_of,
)
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.tui.screens.list_pages import ListPage
from quarterdeck.tui.view import metrics_page, page_contents
from quarterdeck.tui.view.lines import Line, PanelContent, Span
from quarterdeck.tui.view.positions_panel import digits_of

_TRADES_MAX = 1_000


class _FilteredTradesPage(ListPage):
    """A page about the trades that its words name; asked for anew when another trade is closed."""

    TITLE_WORDS: ClassVar[str] = ""
    SEARCH = f"{FILTER_WORDS}; Enter keeps it, Escape clears it"
    PAGE_KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("/", "filter"), ("left/right", "pair"), ("Esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "pair(-1)", show=False, priority=True),
        Binding("right", "pair(1)", show=False, priority=True),
    ]

    def __init__(self, search: str = "") -> None:
        """With the words of another page."""
        super().__init__()
        self.search = search
        self._trades_seen = -1

    @property
    def only(self) -> TradeFilter:
        """What the words narrow to at this moment of the market."""
        return filter_of(self.search, self.desk.at_utc_ns if self.desk is not None else 0)

    def heading(self) -> str:
        """With the words that narrow it."""
        return f"{self.TITLE_WORDS}: {self.search}" if self.search else self.TITLE_WORDS

    def filter_changed(self) -> None:
        """Other words: other trades."""
        self.panel.words_of_title = self.heading()
        self.refill()

    def look(self) -> None:
        """Ask anew when a trade was closed."""
        if self.desk is not None and self.desk.trades_today != self._trades_seen:
            self._trades_seen = self.desk.trades_today
            self.refill()

    def action_pair(self, step: int) -> None:
        """The next pair alone; after the last one all of them."""
        symbols = [pair.symbol for pair in self.desk.pairs] if self.desk is not None else []
        names = ["", *symbols]
        words = self.search.split()
        here = next((symbol for symbol in symbols if symbol.casefold() in (word.casefold() for word in words)), "")
        other = [word for word in words if word.casefold() != here.casefold()]
        chosen = names[(names.index(here) + step) % len(names)]
        self.search = " ".join([chosen, *other] if chosen else other)
        self.filter_changed()
        self.paint()


class JournalPage(_FilteredTradesPage):
    """Closed trades and how each of them went."""

    NAME = "journal"
    TITLE_WORDS = "Journal: closed trades"
    PAGE_KEYS = (("Enter", "story"), *_FilteredTradesPage.PAGE_KEYS)

    def __init__(self, search: str = "") -> None:
        """Nothing asked yet."""
        super().__init__(search)
        self._trades: tuple[TradeClosed, ...] = ()

    def page_keys(self) -> tuple[tuple[str, str], ...]:
        """A story where there is a trade to tell it of."""
        return self.PAGE_KEYS if self._trades else self.PAGE_KEYS[1:]

    def refill(self) -> None:
        """The newest trades that pass."""
        self.ask_engine(TradesQuery(count=_TRADES_MAX, only=self.only))

    def take_answer(self, answer: ReplyBody) -> None:
        """Trades."""
        if isinstance(answer, TradesReply):
            self._trades = answer.trades

    def panel_content(self, width: int) -> PanelContent:
        """Trades that pass."""
        self.look()
        return page_contents.trades(self._trades, self.only, width, self.glyphs)

    def row_detail(self, key: str, width: int) -> Sequence[Line]:
        """The chosen trade in a few lines."""
        row = self._row(key)
        return page_contents.trade_detail(row, self._digits(row), width, self.glyphs) if row is not None else ()

    def enter_row(self, key: str) -> None:
        """The whole story."""
        row = self._row(key)
        if row is not None:
            self.app.push_screen(TimelinePage(row, self._digits(row)))

    def _row(self, key: str) -> TradeClosed | None:
        return next((row for row in self._trades if key == f"trade:{row.position_id}"), None)

    def _digits(self, row: TradeClosed) -> int:
        return digits_of(self.desk, row.symbol) if self.desk is not None else 5


class TimelinePage(ListPage):
    """One trade from signal to close: votes, checks, sizing, orders, deals, care."""

    NAME = "story"
    CURSOR = False
    PAGE_KEYS = (("Esc", "back"),)

    def __init__(self, trade: TradeClosed, digits: int) -> None:
        """Of a trade whose pair has `digits` places."""
        super().__init__()
        self.trade = trade
        self._digits = digits
        self._steps: tuple[TimelineStep, ...] | None = None

    def heading(self) -> str:
        """Which trade."""
        return f"Timeline of {self.trade.symbol} #{self.trade.position_id}"

    def refill(self) -> None:
        """All its steps."""
        self.ask_engine(TimelineQuery(position_id=self.trade.position_id))

    def take_answer(self, answer: ReplyBody) -> None:
        """Steps."""
        if isinstance(answer, TradeTimeline):
            self._steps = answer.steps

    def panel_content(self, width: int) -> PanelContent:
        """In short, then step by step."""
        short = page_contents.trade_detail(self.trade, self._digits, width, self.glyphs)
        if self._steps is None:
            return PanelContent((), [*short, (), (Span("asking the journal", "muted"),)])
        steps = page_contents.timeline_lines(self._steps, width, self.glyphs)
        return PanelContent((), [*short, *(steps or [(Span("The journal holds no steps of it.", "muted"),)])])


class MetricsPage(_FilteredTradesPage):
    """What the trades came to."""

    NAME = "metrics"
    TITLE_WORDS = "Metrics"
    CURSOR = False

    def __init__(self, search: str = "") -> None:
        """Nothing asked yet."""
        super().__init__(search)
        self._record: AccountReport | None = None

    def refill(self) -> None:
        """The record of the trades that pass."""
        self.ask_engine(AccountReportQuery(only=self.only))

    def take_answer(self, answer: ReplyBody) -> None:
        """The record."""
        if isinstance(answer, AccountReport):
            self._record = answer

    def panel_content(self, width: int) -> PanelContent:
        """Figures and pictures, as many beside each other as fit."""
        self.look()
        return metrics_page.sheet(self._record, width, self.glyphs)
