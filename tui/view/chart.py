"""Charts in cells: candles with the levels that matter, equity with its drawdown. Blocks or ASCII, as the terminal can.

Promises: a rising candle and a falling one differ in sign, not only in colour; a level outside the candles' range is named at the
edge it lies beyond; nothing is drawn between points that are not there. Does not: fetch bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from core.model.market import Bar
from core.model.units import UtcNs
from tui.view import figures
from tui.view.lines import Glyphs, Line, Span, clean, fit, merged

AXIS_WIDTH: Final = 16
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = " ..::||##"


class Level(NamedTuple):
    """A price worth a line across the chart."""

    price: float
    word: str
    role: str


class Mark(NamedTuple):
    """An instant worth a sign under the chart: a trade, a refusal, a release."""

    at_utc_ns: UtcNs
    sign: str
    role: str


def candles(
    bars: Sequence[Bar],
    digits: int,
    width: int,
    height: int,
    glyphs: Glyphs,
    *,
    levels: Sequence[Level] = (),
    marks: Sequence[Mark] = (),
) -> tuple[Line, ...]:
    """`height` lines: the newest bars that fit, one column each, prices at the right, marks and time at the bottom."""
    across = width - AXIS_WIDTH
    rows = height - 2
    if across < 8 or rows < 3 or not bars:
        return ((Span(fit("no candles yet" if not bars else "too small for a chart", width, glyphs), "muted"),),)
    shown = bars[-across:]
    near = [level.price for level in levels]
    low, high = _range(shown, near)
    step = (high - low) / rows
    grid = [[(" ", "")] * across for _ in range(rows)]
    for level in levels:
        row = int((high - level.price) / step) if low <= level.price < high else None
        if row is not None and 0 <= row < rows:
            grid[row] = [("-" if glyphs.ascii else "┄", level.role)] * across
    offset = across - len(shown)
    for column, bar in enumerate(shown):
        _draw(grid, column + offset, bar, high, step, glyphs)
    axis = _axis(levels, digits, low, high, rows, glyphs)
    lines = [_joined(cells, label) for cells, label in zip(grid, axis, strict=True)]
    return (*lines, _marks_line(shown, marks, offset, across), _time_line(shown, offset, across, glyphs))


def area(values: Sequence[float], width: int, height: int, glyphs: Glyphs, role: str = "accent") -> tuple[Line, ...]:
    """Values as a filled curve, newest at the right, with the highest and lowest written at the edge."""
    across = width - AXIS_WIDTH
    if across < 8 or height < 2 or len(values) < 2:
        return ((Span(fit("no curve yet" if len(values) < 2 else "too small for a curve", width, glyphs), "muted"),),)
    shown = thinned(values, across)
    low, high = min(shown), max(shown)
    reach = (high - low) or 1.0
    blocks = ASCII_BLOCKS if glyphs.ascii else BLOCKS
    steps = [1 + round((value - low) / reach * (height * 8 - 1)) for value in shown]
    lines: list[Line] = []
    for row in range(height):
        below = (height - 1 - row) * 8
        text = "".join(blocks[min(max(level - below, 0), 8)] for level in steps)
        label = high if row == 0 else low if row == height - 1 else None
        edge = " " + (figures.money(label) if label is not None else "")
        lines.append((Span(text.rjust(across), role), Span(fit(edge, AXIS_WIDTH, glyphs), "muted")))
    return tuple(lines)


def equity(at_utc_ns: Sequence[UtcNs], values: Sequence[float], width: int, height: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Equity as a curve, its drawdown from the peak beneath it, and the time it spans."""
    if height < 6 or len(values) < 2:
        return area(values, width, height, glyphs)
    falls = drawdowns(values)
    worst = max(falls)
    curve_rows = max(height - 4, 2)
    curve = area(values, width, curve_rows, glyphs)
    across = width - AXIS_WIDTH
    if across < 8:
        return curve
    down = area(falls, width, 2, glyphs, "bad") if worst > 0 else ((Span("never below its peak", "muted"),),)
    title = (Span(fit(f"drawdown, at most {figures.pct(worst)}", width, glyphs), "title"),)
    down = tuple((line[0], Span(" " * AXIS_WIDTH)) if len(line) > 1 else line for line in down)
    ends = f"{figures.moment(at_utc_ns[0], '%d %b %H:%M')}"
    until = figures.moment(at_utc_ns[-1], "%d %b %H:%M")
    return (*curve, title, *down, (Span(fit(ends, across - len(until), glyphs) + until, "muted"),))


def drawdowns(values: Sequence[float]) -> list[float]:
    """Fraction below the peak so far, at each point."""
    falls: list[float] = []
    peak = float("-inf")
    for value in values:
        peak = max(peak, value)
        falls.append((peak - value) / peak if peak > 0 else 0.0)
    return falls


def thinned(values: Sequence[float], count: int) -> list[float]:
    """At most `count` of the values, evenly taken, the last one always among them."""
    if len(values) <= count:
        return list(values)
    return [values[round(index * (len(values) - 1) / (count - 1))] for index in range(count)]


def _range(bars: Sequence[Bar], near: Sequence[float]) -> tuple[float, float]:
    """Prices from bottom to top: the candles', widened to levels within half their range."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    reach = (high - low) or abs(high) * 1e-4 or 1.0
    for price in near:
        if low - reach / 2 <= price <= high + reach / 2:
            low, high = min(low, price), max(high, price)
    pad = (high - low) * 0.02 or reach * 0.5
    return low - pad, high + pad


def _draw(grid: list[list[tuple[str, str]]], column: int, bar: Bar, high: float, step: float, glyphs: Glyphs) -> None:
    rising = bar.close >= bar.open
    role = "good" if rising else "bad"
    body, wick = (("#", "|") if rising else ("o", "|")) if glyphs.ascii else (("█", "│") if rising else ("▒", "│"))
    top, bottom = int((high - bar.high) / step), int((high - bar.low) / step)
    body_top, body_bottom = int((high - max(bar.open, bar.close)) / step), int((high - min(bar.open, bar.close)) / step)
    for row in range(max(top, 0), min(bottom, len(grid) - 1) + 1):
        sign = body if body_top <= row <= body_bottom else wick
        grid[row][column] = (sign, role)


def _axis(levels: Sequence[Level], digits: int, low: float, high: float, rows: int, glyphs: Glyphs) -> list[Span]:
    labels = [Span(" " * AXIS_WIDTH)] * rows
    for row in range(0, rows, max(rows // 5, 1)):
        price = high - (row + 0.5) * (high - low) / rows
        labels[row] = Span(fit(f" {price:.{digits}f}", AXIS_WIDTH, glyphs), "muted")
    for level in sorted(levels, key=lambda level: level.word != "now"):
        row = min(max(int((high - level.price) / (high - low) * rows), 0), rows - 1)
        beyond = glyphs.up if level.price >= high else glyphs.down if level.price < low else " "
        labels[row] = Span(fit(f"{beyond}{level.price:.{digits}f} {clean(level.word)}", AXIS_WIDTH, glyphs), level.role)
    return labels


def _joined(cells: Sequence[tuple[str, str]], label: Span) -> Line:
    return merged([*(Span(sign, role) for sign, role in cells), label])


def _marks_line(bars: Sequence[Bar], marks: Sequence[Mark], offset: int, across: int) -> Line:
    cells: list[tuple[str, str]] = [(" ", "")] * across
    for mark in marks:
        column = _column_of(bars, mark.at_utc_ns)
        if column is not None:
            cells[column + offset] = (mark.sign, mark.role)
    return merged(Span(sign, role) for sign, role in cells)


def _column_of(bars: Sequence[Bar], at_utc_ns: UtcNs) -> int | None:
    if not bars or at_utc_ns < bars[0].open_utc_ns:
        return None
    for index in range(len(bars) - 1, -1, -1):
        if bars[index].open_utc_ns <= at_utc_ns:
            return index
    return None


def _time_line(bars: Sequence[Bar], offset: int, across: int, glyphs: Glyphs) -> Line:
    first, last = figures.moment(bars[0].open_utc_ns, "%a %H:%M"), figures.moment(bars[-1].open_utc_ns, "%a %H:%M")
    room = across - offset
    text = (
        fit(first, max(room - len(last), 0), glyphs) + last
        if room > len(first) + len(last)
        else fit(last, room, glyphs, right=True)
    )
    return (Span(" " * offset + text, "muted"),)
