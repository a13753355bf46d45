"""What is drawn where: a pair's candles with its positions, trades, candidates and releases; equity up to this moment."""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.core.link.messages import EquityReply
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import TIMEFRAME_NS, Bar
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.view import candle_chart, curve_chart
from quarterdeck.tui.view.lines import Glyphs, Line
from quarterdeck.tui.view.positions_panel import pair_of

_SIGNS: Final = {"entered": ("E", "good"), "refused": ("x", "muted"), "waiting": ("w", "accent")}


class ChartData(NamedTuple):
    """What the chart of one pair is made of besides the desk as it stands now."""

    symbol: str = ""
    timeframe: str = "M15"
    bars: tuple[Bar, ...] = ()
    trades: tuple[TradeClosed, ...] = ()
    news: tuple[NewsEvent, ...] = ()


def candle_lines(desk: DeskView, past: ChartData, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Candles with the price now, entry, stop and target of each position, closed trades, candidates and red news."""
    pair = pair_of(desk, past.symbol)
    digits = pair.digits if pair is not None else 5
    happened = candle_chart.ChartOverlay(
        levels=levels_of(desk, past.symbol),
        marks=marks_of(desk, past.symbol),
        releases=news_lines_of(desk, past),
        trips=chart_trades_of(desk, past),
    )
    return candle_chart.candle_chart(past.bars, TIMEFRAME_NS[past.timeframe], digits, width, height, glyphs, happened)


def levels_of(desk: DeskView, symbol: str) -> list[candle_chart.PriceLevel]:
    """Prices worth a line: where positions began, stop and aim, and where the price is."""
    levels: list[candle_chart.PriceLevel] = []
    for view in desk.positions:
        if view.symbol != symbol:
            continue
        levels.append(candle_chart.PriceLevel(view.open_price, view.side.word, "accent"))
        if view.stop_price is not None:
            levels.append(candle_chart.PriceLevel(view.stop_price, "stop", "bad"))
        if view.target_price is not None:
            levels.append(candle_chart.PriceLevel(view.target_price, "aim", "good"))
    pair = pair_of(desk, symbol)
    if pair is not None and pair.bid is not None:
        levels.append(candle_chart.PriceLevel(pair.bid, "now", "strong"))
    return levels


def marks_of(desk: DeskView, symbol: str) -> list[candle_chart.ChartMark]:
    """Signs under the bars: E entered, x refused, w waiting."""
    return [candle_chart.ChartMark(one.bar_open_utc_ns, *_SIGNS[one.outcome]) for one in desk.signals if one.symbol == symbol]


def news_lines_of(desk: DeskView, past: ChartData) -> list[candle_chart.ChartRelease]:
    """Red news of the pair's currencies, with a time of the day: those that went by, and those ahead."""
    next_one = (desk.next_news,) if desk.next_news is not None else ()
    red = {
        event.at_utc_ns
        for event in (*past.news, *next_one)
        if event.impact == "high" and not event.all_day and event.currency and event.currency in past.symbol
    }
    return [candle_chart.ChartRelease(at, "warn" if at >= desk.at_utc_ns else "muted") for at in sorted(red)]


def chart_trades_of(desk: DeskView, past: ChartData) -> list[candle_chart.ChartTrade]:
    """Trades closed in the pair, and the entries of those that are open."""
    closed = [
        candle_chart.ChartTrade(
            rising=trade.side > 0,
            opened_utc_ns=trade.opened_utc_ns,
            open_price=trade.open_price,
            closed_utc_ns=trade.closed_utc_ns,
            close_price=trade.close_price,
            won=trade.net_money > 0,
        )
        for trade in past.trades
        if trade.symbol == past.symbol
    ]
    held = (view for view in desk.positions if view.symbol == past.symbol)
    return [*closed, *(candle_chart.ChartTrade(view.side > 0, view.opened_utc_ns, view.open_price) for view in held)]


def equity_lines(desk: DeskView, points: EquityReply | None, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The curve from the journal, ended by equity as it stands now."""
    times = list(points.at_utc_ns) if points is not None else []
    values = list(points.equity_money) if points is not None else []
    if desk.equity_money is not None and (not times or desk.at_utc_ns > times[-1]):
        times.append(desk.at_utc_ns)
        values.append(desk.equity_money)
    return curve_chart.equity_curve(times, values, width, height, glyphs)
