"""What is drawn where: a pair's candles with its positions, trades, candidates and releases; equity up to this moment."""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.core.link.messages import EquityPoints
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.inputs import News
from quarterdeck.core.model.market import TIMEFRAME_NS, Bar
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.tui.view import candles, chart
from quarterdeck.tui.view.lines import Glyphs, Line
from quarterdeck.tui.view.positions import pair_of

_SIGNS: Final = {"entered": ("E", "good"), "refused": ("x", "muted"), "waiting": ("w", "accent")}


class Past(NamedTuple):
    """What the chart of one pair is made of besides the desk as it stands now."""

    symbol: str = ""
    timeframe: str = "M15"
    bars: tuple[Bar, ...] = ()
    trades: tuple[TradeClosed, ...] = ()
    news: tuple[News, ...] = ()


def candle_lines(desk: DeskView, past: Past, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Candles with the price now, entry, stop and target of each position, closed trades, candidates and red news."""
    pair = pair_of(desk, past.symbol)
    digits = pair.digits if pair is not None else 5
    happened = candles.Happened(
        levels=levels_of(desk, past.symbol),
        marks=marks_of(desk, past.symbol),
        releases=releases_of(desk, past),
        trips=trips_of(desk, past),
    )
    return candles.candles(past.bars, TIMEFRAME_NS[past.timeframe], digits, width, height, glyphs, happened)


def levels_of(desk: DeskView, symbol: str) -> list[candles.Level]:
    """Prices worth a line: where positions began, stop and aim, and where the price is."""
    levels: list[candles.Level] = []
    for view in desk.positions:
        if view.symbol != symbol:
            continue
        levels.append(candles.Level(view.open_price, view.side.word, "accent"))
        if view.stop_price is not None:
            levels.append(candles.Level(view.stop_price, "stop", "bad"))
        if view.target_price is not None:
            levels.append(candles.Level(view.target_price, "aim", "good"))
    pair = pair_of(desk, symbol)
    if pair is not None and pair.bid is not None:
        levels.append(candles.Level(pair.bid, "now", "strong"))
    return levels


def marks_of(desk: DeskView, symbol: str) -> list[candles.Mark]:
    """Signs under the bars: E entered, x refused, w waiting."""
    return [candles.Mark(one.bar_open_utc_ns, *_SIGNS[one.outcome]) for one in desk.signals if one.symbol == symbol]


def releases_of(desk: DeskView, past: Past) -> list[candles.Release]:
    """Red news of the pair's currencies, with a time of the day: those that went by, and those ahead."""
    next_one = (desk.next_news,) if desk.next_news is not None else ()
    red = {
        event.at_utc_ns
        for event in (*past.news, *next_one)
        if event.impact == "high" and not event.all_day and event.currency and event.currency in past.symbol
    }
    return [candles.Release(at, "warn" if at >= desk.at_utc_ns else "muted") for at in sorted(red)]


def trips_of(desk: DeskView, past: Past) -> list[candles.Trip]:
    """Trades closed in the pair, and the entries of those that are open."""
    closed = [
        candles.Trip(
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
    return [*closed, *(candles.Trip(view.side > 0, view.opened_utc_ns, view.open_price) for view in held)]


def equity_lines(desk: DeskView, points: EquityPoints | None, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The curve from the journal, ended by equity as it stands now."""
    times = list(points.at_utc_ns) if points is not None else []
    values = list(points.equity_money) if points is not None else []
    if desk.equity_money is not None and (not times or desk.at_utc_ns > times[-1]):
        times.append(desk.at_utc_ns)
        values.append(desk.equity_money)
    return chart.equity(times, values, width, height, glyphs)
