"""Charts as large as the terminal: candles with all that happened among them, the other timeframe beside, equity beneath."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from quarterdeck.core.link.messages import QueryBody, ReplyBody
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.screens.base_page import SidePage
from quarterdeck.tui.screens.chart_data import ChartHistory, EquityHistory, RedrawSchedule
from quarterdeck.tui.view.candle_chart import AXIS_WIDTH, legend
from quarterdeck.tui.view.lines import Span, unmarked
from quarterdeck.tui.view.number_format import moment
from quarterdeck.tui.view.pair_chart import candle_lines, equity_lines
from quarterdeck.tui.widgets.styled_lines import StyledLines

BOTH_WIDTH, CURVE_HEIGHT = 160, 36


class ChartPanel(StyledLines):
    """A chart in a frame."""

    DEFAULT_CSS = """
    ChartPanel { height: 1fr; border: round $desk-frame; border-title-color: $desk-title; border-subtitle-color: $desk-muted; }
    """


class ChartPage(SidePage):
    """Arrows go to other pairs, `i` to the other timeframe."""

    NAME = "chart"
    STRIP_ROWS = 3
    DEFAULT_CSS = """
    ChartPage ChartPanel { width: 1fr; }
    ChartPage #beside { display: none; }
    ChartPage.-both #beside { display: block; }
    ChartPage #equity { display: none; height: 11; }
    ChartPage.-curve #equity { display: block; }
    """
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
        self._pasts = {name: ChartHistory(self.ask_engine, name) for name in ("candles", "beside")}
        self._curve = EquityHistory(self.ask_engine)
        self._rhythms = {name: RedrawSchedule() for name in (*self._pasts, "equity")}

    def compose_content(self) -> Iterable[Widget]:
        """The charts."""
        yield Horizontal(ChartPanel(id="candles"), ChartPanel(id="beside"))
        yield ChartPanel(id="equity")

    def paint_content(self) -> None:
        """Ask for what changed; draw."""
        snapshot = self.host.memory.snapshot
        if snapshot is None:
            return
        both, curve = self.size.width >= BOTH_WIDTH, self.size.height >= CURVE_HEIGHT
        self.set_class(both, "-both")
        self.set_class(curve, "-curve")
        self.set_class(self.glyphs.ascii, "-ascii")
        self._paint_candles(snapshot.desk, "candles", self.timeframe)
        if both:
            self._paint_candles(snapshot.desk, "beside", _other(self.timeframe))
        if curve:
            self._paint_curve(snapshot.desk)

    def _paint_candles(self, desk: DeskView, name: str, timeframe: Any) -> None:
        plot, past = self.query_one(f"#{name}", ChartPanel), self._pasts[name]
        width, height = plot.size
        if not width:
            return
        known = past.look(desk, self.symbol, timeframe, max(width - AXIS_WIDTH, 40))
        if not self._rhythms[name].due((known, plot.size, past.complaint), self.host.ui.max_fps):
            return
        plot.border_title = unmarked(f"{self.symbol} {timeframe}")
        plot.border_subtitle = legend(self.glyphs) if name == "candles" else ""
        lines = candle_lines(desk, known, width, height, self.glyphs)
        plot.show_lines([(Span(past.complaint, "bad"),), *lines[1:]] if past.complaint else lines)

    def _paint_curve(self, desk: DeskView) -> None:
        plot, points = self.query_one("#equity", ChartPanel), self._curve.look(desk)
        if plot.size.width and self._rhythms["equity"].due((points, plot.size), self.host.ui.max_fps):
            since = points.at_utc_ns[0] if points is not None and points.at_utc_ns else 0
            plot.border_title = f"Equity since {moment(since, '%d %b %Y')}" if since else "Equity"
            plot.show_lines(equity_lines(desk, points, plot.size.width, plot.size.height, self.glyphs))

    def answered(self, question: QueryBody, answer: ReplyBody) -> None:
        """Bars, trades, news, equity, or why there are none."""
        for past in self._pasts.values():
            past.took(question, answer)
        self._curve.took(answer)
        self.paint()

    def action_pair(self, step: int) -> None:
        """The next pair."""
        snapshot = self.host.memory.snapshot
        symbols = [pair.symbol for pair in snapshot.desk.pairs] if snapshot is not None else []
        if symbols:
            here = symbols.index(self.symbol) if self.symbol in symbols else 0
            self.symbol = symbols[(here + step) % len(symbols)]
            self.paint()

    def action_timeframe(self) -> None:
        """M15 or H1."""
        self.timeframe = _other(self.timeframe)
        self.paint()


def _other(timeframe: Any) -> Any:
    return "H1" if timeframe == "M15" else "M15"
