"""The desk: five panels, charts where there is room, one panel alone where there is little."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from quarterdeck.core.link.messages import QueryBody, ReplyBody
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.screens.base_page import Page
from quarterdeck.tui.screens.chart_data import ChartHistory, EquityHistory, RedrawSchedule
from quarterdeck.tui.screens.chart_page import ChartPanel
from quarterdeck.tui.view import log_panel as log_view
from quarterdeck.tui.view import pairs_panel, positions_panel, risk_panel, signals_panel
from quarterdeck.tui.view.candle_chart import AXIS_WIDTH
from quarterdeck.tui.view.desk_layout import FRAME_EDGE, PanelRows, chart_widths, desk_heights, positions_fit
from quarterdeck.tui.view.lines import Glyphs, PanelContent, unmarked
from quarterdeck.tui.view.log_panel import LogFilter
from quarterdeck.tui.view.number_format import moment
from quarterdeck.tui.view.pair_chart import candle_lines, equity_lines
from quarterdeck.tui.widgets.field import Field
from quarterdeck.tui.widgets.keybar import KeyBar
from quarterdeck.tui.widgets.panel import Panel

PANELS: Final = ("pairs", "signals", "positions", "risk", "log")
COMPANION: Final = {"pairs": "signals", "signals": "log", "positions": "log", "risk": "log"}
"""What fills the rows that the panel in front leaves free where only one has room."""
NORMAL_WIDTH, TALL_HEIGHT = 100, 30


def symbol_at_cursor(cursor_keys: Iterable[str], desk: DeskView | None) -> str:
    """The pair that the first telling cursor is on, else the first pair; empty before the first snapshot."""
    for key in cursor_keys:
        kind, _, rest = key.partition(":")
        if kind in ("pair", "signal"):
            return rest.split(":")[0]
        if kind == "position" and desk is not None:
            return next((view.symbol for view in desk.positions if str(view.position_id) == rest), "")
    return desk.pairs[0].symbol if desk is not None and desk.pairs else ""


_CSS = """
    DeskScreen #top { height: 1fr; }
    DeskScreen #bottom { height: 1fr; min-height: 5; }
    DeskScreen #markets { width: 1fr; height: 1fr; }
    DeskScreen ChartPanel { display: none; }
    DeskScreen #pairs { width: 3fr; }
    DeskScreen #signals { width: 2fr; }
    DeskScreen #positions { height: 6; }
    DeskScreen #log { width: 1fr; }
    DeskScreen #filter { dock: bottom; }
    DeskScreen.-stacked #markets { layout: vertical; }
    DeskScreen.-stacked #pairs, DeskScreen.-stacked #signals { width: 1fr; }
    DeskScreen.-single #top, DeskScreen.-single #bottom, DeskScreen.-single #markets { height: auto; layout: vertical; }
    DeskScreen.-single #pairs, DeskScreen.-single #signals, DeskScreen.-single #log { width: 1fr; }
    DeskScreen.-single.-narrow Panel { border: none; border-top: solid $desk-frame; }
    DeskScreen.-single.-narrow Panel:focus { border: none; border-top: solid $desk-focus; }
    DeskScreen.-real.-single.-narrow Panel { border: none; border-top: heavy $desk-real; }
    DeskScreen.-real.-single.-narrow Panel:focus { border: none; border-top: heavy $desk-focus; }
    DeskScreen.-ascii.-single.-narrow Panel { border: none; border-top: ascii $desk-frame; }
    DeskScreen.-ascii.-single.-narrow Panel:focus { border: none; border-top: ascii $desk-focus; }
    """


class DeskScreen(Page):
    """The main screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "keep_filter", show=False, priority=True)]
    NAME = "desk"
    DEFAULT_CSS = _CSS

    def __init__(self) -> None:
        """The first panel in front."""
        super().__init__()
        self.front = "pairs"
        self.zoomed = False
        self.timeframe: Any = "M15"
        self.log_filter = LogFilter()
        self._log_key: tuple[object, ...] = ()
        self._log_seen = 0
        self._past = ChartHistory(self.ask_engine, "candles")
        self._curve = EquityHistory(self.ask_engine)
        self._fed: dict[str, tuple[DeskView, int, Glyphs]] = {}
        self._rhythm = RedrawSchedule()
        self._heights: dict[str, int | str] = {}
        self._widths: dict[str, int | str] = {}
        self._with_strip = False

    def compose_content(self) -> Iterable[Widget]:
        """Panels and charts; the looks of this size are put on first: later they would be worked out for every widget again."""
        self.update_classes(self._looks(), update=False)
        budget, log = Panel("Risk budget", 4, cursor=False, id="risk"), Panel("Log", 5, follow_end=True, cursor=False, id="log")
        markets = Horizontal(Panel("Pairs", 1, id="pairs"), Panel("Signals", 2, newest_first=True, id="signals"), id="markets")
        yield Vertical(
            Horizontal(markets, ChartPanel(id="candles"), id="top"),
            Panel("Positions", 3, id="positions"),
            Horizontal(budget, log, ChartPanel(id="equity"), id="bottom"),
        )
        yield Field("filter the log: pair, ticket, words; Enter keeps it, Escape clears it", id="filter")

    def on_mount(self) -> None:
        """Focus the first panel."""
        self.set_focus(self.panel(self.front))

    def panel(self, name: str) -> Panel:
        """One of the five."""
        return self.query_one(f"#{name}", Panel)

    @property
    def single(self) -> bool:
        """Whether one panel fills the room."""
        return self.zoomed or self.size.width < NORMAL_WIDTH or self.size.height < TALL_HEIGHT

    @property
    def chosen_symbol(self) -> str:
        """The pair under the cursor of the panel in front, else of the pairs panel."""
        return symbol_at_cursor((self.panel(self.front).cursor_key, self.panel("pairs").cursor_key), self._desk)

    @property
    def _desk(self) -> DeskView | None:
        snapshot = self.host.memory.snapshot
        return snapshot.desk if snapshot is not None else None

    def strip_rows(self, status_rows: int) -> int:
        """Rows for the strip: none while the positions panel shows them all."""
        room = self.size.height - status_rows - len(self.query_one(KeyBar).lines)
        rows = self._position_rows
        fits = self.front == "positions" and rows <= room - 2 if self.single else positions_fit(room, rows)
        self._with_strip = not fits
        return 0 if fits else max((self.size.height - status_rows) // 2 - 3, 1)

    @property
    def _position_rows(self) -> int:
        return len(self._desk.positions) + len(self._desk.orders) if self._desk is not None else 0

    def paint_content(self) -> None:
        """Arrange the panels for the size, then draw what is in sight."""
        self.arrange_panels()
        if self.host.memory.frozen:
            return
        desk = self._desk
        if desk is None:
            return
        for name in PANELS[:4]:
            panel = self.panel(name)
            if panel.display and panel.size.width:
                self._feed(name, desk, panel.size.width)
        self._paint_log()
        self._paint_charts(desk)

    def _feed(self, name: str, desk: DeskView, width: int) -> None:
        """Give a panel its sheet; one made of the same snapshot for the same width is there already."""
        made_of = (desk, width, self.glyphs)
        before = self._fed.get(name)
        if before is not None and before[0] is desk and before[1:] == made_of[1:]:
            return
        self._fed[name] = made_of
        views = {
            "pairs": pairs_panel.sheet,
            "signals": signals_panel.sheet,
            "positions": positions_panel.sheet,
            "risk": risk_panel.sheet,
        }
        self.panel(name).show(views[name](desk, width, self.glyphs))

    def arrange_panels(self) -> None:
        """Which panels are in sight, by size, zoom and front."""
        if self.single:
            self.update_classes({**self._looks(), "-stacked": False})
            self._arrange_single()
        else:
            self._arrange_all(max(self.query_one("#room").size.height, 10))

    def _looks(self) -> dict[str, bool]:
        """The classes that depend on size and terminal alone."""
        return {
            "-single": self.single,
            "-narrow": self.size.width < NORMAL_WIDTH,
            "-ascii": self.glyphs.ascii,
        }

    def _rows_wanted(self, risk_width: int) -> PanelRows:
        """Rows that there are to show; those of the risk budget where it is so wide."""
        desk = self._desk
        if desk is None:
            return PanelRows(4, 4, 1, 10)
        self._feed("risk", desk, max(risk_width - FRAME_EDGE, 1))
        return PanelRows(len(desk.pairs), max(len(desk.signals), 1), self._position_rows, len(self.panel("risk").sheet.body))

    def _arrange_single(self) -> None:
        """The panel in front at the height it needs, and its companion in what is left; zoomed it has all."""
        room = self.query_one("#room").size.height
        front = self.panel(self.front)
        companion = COMPANION.get(self.front, "") if not self.zoomed else ""
        frame = front.outer_size.height - front.size.height if front.outer_size.height else 1
        needed = len(front.sheet.head) + max(len(front.sheet.body), 2) + frame
        if room - needed < 4 or not front.sheet.body:
            companion = ""
        for name in PANELS:
            panel = self.panel(name)
            panel.display = name in (self.front, companion)
            height = max(room - needed, 3) if name == companion else needed if companion else max(room, 3)
            self._set_height(panel, height)
        self.query_one("#top").display = any(self.panel(name).display for name in ("pairs", "signals"))
        self.query_one("#bottom").display = any(self.panel(name).display for name in ("risk", "log"))
        for half in ("#top", "#markets", "#bottom"):
            self._set_height(self.query_one(half), "auto")
        self._show_charts(0, 0)
        self._set_width(self.panel("risk"), "1fr")

    def _arrange_all(self, room: int) -> None:
        """All five, and charts in the room that they leave.

        Pairs are over signals, each in the whole width, where that leaves the risk budget all its rows; else beside each other.
        """
        wide = chart_widths(self.size.width, stacked=True)
        heights = desk_heights(room, self._rows_wanted(wide.risk), strip=self._with_strip, chart=wide.candles > 0)
        self.update_classes({**self._looks(), "-stacked": heights.stacked})
        self.query_one("#top").display = self.query_one("#bottom").display = True
        self._set_height(self.query_one("#top"), heights.top)
        self._set_height(self.query_one("#markets"), "1fr")
        self._set_height(self.query_one("#bottom"), "1fr")
        own = {"positions": heights.positions, "pairs": heights.pairs or "1fr"}
        for name in PANELS:
            self.panel(name).display = True
            self._set_height(self.panel(name), own.get(name, "1fr"))
        charts = chart_widths(self.size.width, stacked=heights.stacked)
        self._set_width(self.panel("risk"), charts.risk)
        self._show_charts(charts.candles, charts.equity)

    def _show_charts(self, candles: int, equity: int) -> None:
        """Charts so wide; one of no width is not shown."""
        for name, width in (("#candles", candles), ("#equity", equity)):
            chart = self.query_one(name)
            if chart.display != (width > 0):
                chart.display = width > 0
            if width:
                self._set_width(chart, width)

    def _set_width(self, widget: Widget, width: int | str) -> None:
        """As `_set_height`."""
        if self._widths.get(widget.id or "") != width:
            self._widths[widget.id or ""] = width
            widget.styles.width = width

    def _set_height(self, widget: Widget, height: int | str) -> None:
        """Set a height where it is another: each setting of a style lays the whole screen out and paints it anew."""
        if self._heights.get(widget.id or "") != height:
            self._heights[widget.id or ""] = height
            widget.styles.height = height

    def _paint_log(self) -> None:
        panel = self.panel("log")
        memory = self.host.memory
        if not panel.display or not panel.size.width:
            return
        if panel.following:
            self._log_seen = memory.log_seen
        panel.unread = memory.log_seen - self._log_seen
        key = (memory.log_seen, self.log_filter, panel.size, panel.following, self.glyphs)
        if key != self._log_key:
            self._log_key = key
            if panel.following or not panel.sheet.body:
                panel.show(log_view.sheet(memory.log, self.log_filter, panel.size.width, self.glyphs))
            else:
                panel.show(panel.sheet)

    def _paint_charts(self, desk: DeskView) -> None:
        candles, curve = self.query_one("#candles", ChartPanel), self.query_one("#equity", ChartPanel)
        shown = [chart for chart in (candles, curve) if chart.display and chart.size.width]
        if not shown:
            return
        past = self._past.look(desk, self.chosen_symbol, self.timeframe, max(candles.size.width - AXIS_WIDTH, 40))
        points = self._curve.look(desk)
        if not self._rhythm.due((past, points, candles.size, curve.size, self.glyphs), self.host.ui.max_fps):
            return
        candles.border_title = unmarked(f"{past.symbol} {past.timeframe}")
        candles.border_subtitle = "i: M15/H1"
        candles.show_lines(candle_lines(desk, past, candles.size.width, candles.size.height, self.glyphs))
        curve.border_title = "Equity"
        curve.border_subtitle = f"since {moment(points.at_utc_ns[0], '%d %b')}" if points and points.at_utc_ns else ""
        curve.show_lines(equity_lines(desk, points, curve.size.width, curve.size.height, self.glyphs))

    def answered(self, question: QueryBody, answer: ReplyBody) -> None:
        """Bars, trades, news and equity arrive."""
        self._past.took(question, answer)
        self._curve.took(answer)

    # ------------------------------------------------------------------------------------------------------- actions
    def bring(self, name: str) -> None:
        """Put a panel in front and focus it, with its rows in it: the next key may be meant for one of them."""
        self.front = name
        if self._desk is not None and name != "log":
            self._feed(name, self._desk, self.panel(name).size.width or self.size.width)
        self.arrange_panels()
        self.set_focus(self.panel(name))
        self.call_after_refresh(self.paint)

    def do_panel(self, number: int) -> None:
        """Panel by number."""
        self.bring(PANELS[number - 1])

    def do_zoom(self) -> None:
        """The panel in front alone, or all again."""
        self.zoomed = not self.zoomed
        self.bring(self.front)

    def do_filter(self) -> None:
        """Type a filter for the log."""
        self.bring("log")
        self.query_one("#filter", Field).open(self.log_filter.text)

    def do_log_level(self) -> None:
        """The next level."""
        self.log_filter = self.log_filter.next_level()
        self.panel("log").following = True
        self.bring("log")

    def do_timeframe(self) -> None:
        """M15 or H1."""
        self.timeframe = "H1" if self.timeframe == "M15" else "M15"
        self.paint()

    @on(Panel.Chosen)
    async def _chosen(self, event: Panel.Chosen) -> None:
        kind = event.key.partition(":")[0]
        action = {"pair": "why", "signal": "why", "position": "close", "order": "resolve"}.get(kind)
        if action is not None:
            await self.app.run_action(f"app.do('{action}')")

    def on_descendant_focus(self) -> None:
        """Follow the focus, so that tab moves the front panel too."""
        focused = self.focused
        if isinstance(focused, Panel) and focused.id in PANELS:
            self.front = focused.id

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        self.log_filter = self.log_filter._replace(text=event.value)
        self.panel("log").following = True
        self._paint_log()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter is the filter's only while one is typed."""
        return super().check_action(action, parameters) and (action != "keep_filter" or isinstance(self.focused, Field))

    def action_keep_filter(self) -> None:
        """Back to the log, filtered."""
        self.query_one("#filter", Field).close()
        self.bring("log")

    def key_escape(self) -> None:
        """Leave the filter, or the zoom."""
        field = self.query_one("#filter", Field)
        if field.opened:
            field.value = ""
            field.close()
            self.bring("log")
        elif self.zoomed:
            self.do_zoom()

    @property
    def sheet_in_front(self) -> PanelContent:
        """What the panel in front shows."""
        return self.panel(self.front).sheet
