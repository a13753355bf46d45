"""What charts need of the past, asked of the engine when it changed: bars, trades and news of a pair, and the equity curve.

Promises: a new pair or timeframe shows nothing of the old one; an answer that comes late, to a question of before, is dropped;
a chart is drawn when it has something new to show, and the price now moves on it every few seconds.
Does not: draw (`tui.view.pair_chart`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.core.link.messages import (
    BarsQuery,
    BarsReply,
    CalendarQuery,
    CalendarReply,
    EquityQuery,
    EquityReply,
    QueryBody,
    QueryFailed,
    ReplyBody,
    TradesQuery,
    TradesReply,
)
from quarterdeck.core.link.trade_queries import TradeFilter
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import M15_NS
from quarterdeck.tui.view.lines import clean
from quarterdeck.tui.view.pair_chart import ChartData

CHART_EVERY_S = 3.0
"""Between bars a chart is drawn anew so often; most of its cells are the same, and all of a row cost bytes."""
_TRADES_MAX = 500
_CURVE_POINTS = 400

AskEngine = Callable[[QueryBody, str], None]
"""Asks without waiting; a later question of the same group takes the place of one that is not answered yet."""


class RedrawSchedule:
    """Says when a chart is due: at once when it is about something else, else every few seconds."""

    def __init__(self) -> None:
        """Due at once."""
        self._about: object = None
        self._turn = 0

    def due(self, about: object, paint_per_s: float) -> bool:
        """Whether to draw at this paint; `about` is all that the chart is made of but for the price now."""
        self._turn = (self._turn + 1) % max(int(CHART_EVERY_S * paint_per_s), 1)
        fresh, self._about = about != self._about, about
        return fresh or not self._turn


class ChartHistory:
    """Bars of one timeframe with what happened among them."""

    def __init__(self, ask: AskEngine, group: str) -> None:
        """`group` tells its questions from those of other charts."""
        self._ask, self._group = ask, group
        self._asked: tuple[object, ...] = ()
        self._trades_seen = -1
        self.past = ChartData()
        self.complaint = ""

    def look(self, desk: DeskView, symbol: str, timeframe: Any, count: int) -> ChartData:
        """What is known for that chart now; asks for what is missing or has changed."""
        if (symbol, timeframe) != (self.past.symbol, self.past.timeframe):
            self.past = ChartData(symbol, timeframe)
        wanted = (symbol, timeframe, count, desk.next_bar_utc_ns)
        if symbol and wanted != self._asked:
            self._asked, self._trades_seen = wanted, desk.trades_today
            self._ask(BarsQuery(symbol=symbol, timeframe=timeframe, count=count), f"{self._group} bars")
        elif self.past.bars and desk.trades_today != self._trades_seen:
            self._trades_seen = desk.trades_today
            self._ask_trades()
        return self.past

    def took(self, question: QueryBody, answer: ReplyBody) -> bool:
        """Keep an answer, if it is one to a question of this chart; says whether it was."""
        past = self.past
        if isinstance(answer, QueryFailed):
            mine = isinstance(question, BarsQuery) and (question.symbol, question.timeframe) == (past.symbol, past.timeframe)
            self.complaint = clean(answer.why) if mine else self.complaint
            return mine
        if isinstance(answer, BarsReply) and (answer.symbol, answer.timeframe) == (past.symbol, past.timeframe):
            self.complaint = ""
            self.past = past._replace(bars=answer.bars)
            if answer.bars:
                self._ask_trades()
                self._ask(CalendarQuery(since_utc_ns=answer.bars[0].open_utc_ns), f"{self._group} news")
            return True
        if isinstance(question, TradesQuery) and isinstance(answer, TradesReply) and question == self._trades_question():
            self.past = past._replace(trades=answer.trades)
            return True
        if isinstance(question, CalendarQuery) and isinstance(answer, CalendarReply) and past.bars:
            if question.since_utc_ns != past.bars[0].open_utc_ns:
                return False
            self.past = past._replace(news=answer.events)
            return True
        return False

    def _ask_trades(self) -> None:
        self._ask(self._trades_question(), f"{self._group} trades")

    def _trades_question(self) -> TradesQuery:
        since = self.past.bars[0].open_utc_ns if self.past.bars else 0
        return TradesQuery(count=_TRADES_MAX, only=TradeFilter(words=(self.past.symbol.casefold(),), from_utc_ns=since))


class EquityHistory:
    """Equity over time."""

    def __init__(self, ask: AskEngine) -> None:
        """Nothing asked yet."""
        self._ask = ask
        self._asked_utc_ns = 0
        self.points: EquityReply | None = None

    def look(self, desk: DeskView) -> EquityReply | None:
        """What is known; asks anew each quarter of an hour of the market."""
        if desk.at_utc_ns - self._asked_utc_ns > M15_NS or desk.at_utc_ns < self._asked_utc_ns:
            self._asked_utc_ns = desk.at_utc_ns
            self._ask(EquityQuery(count=_CURVE_POINTS), "equity")
        return self.points

    def took(self, answer: ReplyBody) -> bool:
        """Keep an answer, if it is a curve."""
        if isinstance(answer, EquityReply):
            self.points = answer
            return True
        return False
