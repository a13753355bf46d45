"""What is drawn where: the chart of a pair with its positions, candidates and releases, and the equity curve with this moment."""

from __future__ import annotations

from collections.abc import Sequence

from core.link.messages import EquityPoints
from core.model.market import Bar
from core.model.snapshot import DeskView
from tui.view import chart
from tui.view.lines import Glyphs, Line
from tui.view.positions import pair_of


def candle_lines(desk: DeskView, symbol: str, bars: Sequence[Bar], width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Candles of `symbol` with the price now and entry, stop and target of each of its positions."""
    pair = pair_of(desk, symbol)
    digits = pair.digits if pair is not None else 5
    return chart.candles(bars, digits, width, height, glyphs, levels=levels_of(desk, symbol), marks=marks_of(desk, symbol))


def levels_of(desk: DeskView, symbol: str) -> list[chart.Level]:
    """Prices worth a line: where positions began, stop and aim, and where the price is."""
    levels: list[chart.Level] = []
    for view in desk.positions:
        if view.symbol != symbol:
            continue
        levels.append(chart.Level(view.open_price, view.side.word, "accent"))
        if view.stop_price is not None:
            levels.append(chart.Level(view.stop_price, "stop", "bad"))
        if view.target_price is not None:
            levels.append(chart.Level(view.target_price, "aim", "good"))
    pair = pair_of(desk, symbol)
    if pair is not None and pair.bid is not None:
        levels.append(chart.Level(pair.bid, "now", "strong"))
    return levels


def marks_of(desk: DeskView, symbol: str) -> list[chart.Mark]:
    """Signs under the bars: E entered, x refused, w waiting, N red news of one of the pair's currencies."""
    signs = {"entered": ("E", "good"), "refused": ("x", "muted"), "waiting": ("w", "accent")}
    marks = [chart.Mark(signal.bar_open_utc_ns, *signs[signal.outcome]) for signal in desk.signals if signal.symbol == symbol]
    news = desk.next_news
    if news is not None and news.currency and news.currency in symbol:
        marks.append(chart.Mark(news.at_utc_ns, "N", "warn"))
    return marks


def equity_lines(desk: DeskView, points: EquityPoints | None, width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The curve from the journal, ended by equity as it stands now."""
    times = list(points.at_utc_ns) if points is not None else []
    values = list(points.equity_money) if points is not None else []
    if desk.equity_money is not None and (not times or desk.at_utc_ns > times[-1]):
        times.append(desk.at_utc_ns)
        values.append(desk.equity_money)
    return chart.equity(times, values, width, height, glyphs)
