"""One chart as large as the terminal: a pair's candles with its positions, signals and the release ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from core.link.messages import AnswerBody, AskBars, Bars, Cannot, Question
from tui.screens.desk import Plot
from tui.screens.page import SidePage
from tui.view.lines import Span, clean, unmarked
from tui.view.plots import candle_lines


class ChartPage(SidePage):
    """Arrows go to other pairs, `i` to the other timeframe."""

    NAME = "chart"
    STRIP_ROWS = 0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "pair(-1)", show=False, priority=True),
        Binding("right", "pair(1)", show=False, priority=True),
        Binding("i", "timeframe", show=False, priority=True),
    ]
    PAGE_KEYS = (("left/right", "pair"), ("i", "M15/H1"), ("Esc", "back"))

    def __init__(self, symbol: str, timeframe: Any = "M15") -> None:
        """For one pair."""
        super().__init__()
        self.symbol = symbol
        self.timeframe = timeframe
        self._bars: tuple[Any, ...] = ()
        self._wanted: tuple[object, ...] = ()
        self._complaint = ""

    def contents(self) -> Iterable[Widget]:
        """The chart."""
        yield Plot(id="candles")

    def paint_room(self) -> None:
        """Ask for bars when pair, timeframe or the newest bar changed; draw."""
        snapshot = self.host.memory.snapshot
        plot = self.query_one("#candles", Plot)
        if snapshot is None or not plot.size.width:
            return
        desk = snapshot.desk
        wanted = (self.symbol, self.timeframe, desk.next_bar_utc_ns)
        if wanted != self._wanted:
            self._wanted = wanted
            self.asked(AskBars(symbol=self.symbol, timeframe=self.timeframe, count=max(self.size.width, 40)))
        self.set_class(self.glyphs.ascii, "-ascii")
        plot.border_title = unmarked(f"{self.symbol} {self.timeframe}")
        lines = candle_lines(desk, self.symbol, self._bars, plot.size.width, plot.size.height, self.glyphs)
        plot.lay([(Span(self._complaint, "bad"),), *lines[1:]] if self._complaint else lines)

    def answered(self, question: Question, answer: AnswerBody) -> None:
        """Bars, or why there are none."""
        self._complaint = clean(answer.why) if isinstance(answer, Cannot) else ""
        if isinstance(answer, Bars) and answer.symbol == self.symbol and answer.timeframe == self.timeframe:
            self._bars = answer.bars
        self.paint()

    def action_pair(self, step: int) -> None:
        """The next pair."""
        snapshot = self.host.memory.snapshot
        symbols = [pair.symbol for pair in snapshot.desk.pairs] if snapshot is not None else []
        if symbols:
            here = symbols.index(self.symbol) if self.symbol in symbols else 0
            self.symbol, self._bars = symbols[(here + step) % len(symbols)], ()
            self.paint()

    def action_timeframe(self) -> None:
        """M15 or H1."""
        self.timeframe, self._bars = ("H1" if self.timeframe == "M15" else "M15"), ()
        self.paint()
