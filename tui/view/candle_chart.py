"""Candles in cells, with what happened among them: levels across, releases down, trades from entry to exit, signs beneath.

Promises: a rising candle and a falling one differ in sign, not only in colour; a trade won and one lost too; a level outside the
candles' range is named at the edge it lies beyond; what lies ahead of the last candle is there, as far as there is room.
Does not: fetch anything, or know the desk (`tui.view.pair_chart`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.units import UtcNs
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clean, fit, merged

AXIS_WIDTH: Final = 16
AHEAD_COLUMNS: Final = 6
"""Room right of the newest candle for what is announced, where the chart is wide enough to spare it."""
_SPARE_WIDTH: Final = 60
_TICK_COLUMNS: Final = 12
Cell = tuple[str, str]


class PriceLevel(NamedTuple):
    """A price worth a line across the chart."""

    price: float
    word: str
    role: str


class ChartMark(NamedTuple):
    """An instant worth a sign under the chart: a candidate and what became of it."""

    at_utc_ns: UtcNs
    sign: str
    role: str


class ChartRelease(NamedTuple):
    """An instant worth a line down the chart."""

    at_utc_ns: UtcNs
    role: str


class ChartTrade(NamedTuple):
    """A trade on the chart; `closed_utc_ns` is 0 while it is open."""

    rising: bool
    opened_utc_ns: UtcNs
    open_price: float
    closed_utc_ns: UtcNs = 0
    close_price: float = 0.0
    won: bool = False


class ChartOverlay(NamedTuple):
    """What is drawn besides the candles."""

    levels: Sequence[PriceLevel] = ()
    marks: Sequence[ChartMark] = ()
    releases: Sequence[ChartRelease] = ()
    trips: Sequence[ChartTrade] = ()


NO_OVERLAY: Final = ChartOverlay()


def candle_chart(
    bars: Sequence[Bar], step_ns: int, digits: int, width: int, height: int, glyphs: Glyphs, happened: ChartOverlay = NO_OVERLAY
) -> tuple[Line, ...]:
    """`height` lines: the newest bars of `step_ns` that fit, a column each, prices at the right, signs and time at the bottom."""
    across, rows = width - AXIS_WIDTH, height - 2
    if across < 8 or rows < 3 or not bars:
        return ((Span(fit("no candles yet" if not bars else "too small for a chart", width, glyphs), "muted"),),)
    ahead = AHEAD_COLUMNS if width >= _SPARE_WIDTH else 0
    sheet = _Sheet(bars[-(across - ahead) :], step_ns, across, ahead, rows, happened.levels, glyphs)
    for level in happened.levels:
        sheet.across(level)
    for release in happened.releases:
        sheet.down(release)
    sheet.candles()
    for trip in happened.trips:
        sheet.trip(trip)
    axis = _axis(happened.levels, digits, sheet.low, sheet.high, rows, glyphs)
    lines = [merged([*(Span(*cell) for cell in cells), label]) for cells, label in zip(sheet.grid, axis, strict=True)]
    return (*lines, _signs(sheet, happened), _times(sheet))


class _Sheet:
    """The grid of cells while it is drawn on, and where an instant and a price lie on it."""

    def __init__(
        self,
        bars: Sequence[Bar],
        step_ns: int,
        width: int,
        ahead: int,
        rows: int,
        levels: Sequence[PriceLevel],
        glyphs: Glyphs,
    ) -> None:
        self.bars, self.step_ns, self.width, self.ahead, self.rows, self.glyphs = bars, step_ns, width, ahead, rows, glyphs
        self.low, self.high = _range(bars, [level.price for level in levels])
        self.first = width - ahead - len(bars)
        self.grid: list[list[Cell]] = [[(" ", "")] * width for _ in range(rows)]
        self._opens = [bar.open_utc_ns for bar in bars]

    def column(self, at_utc_ns: UtcNs) -> int | None:
        """The column of an instant; None where it lies before the first bar or beyond the room ahead."""
        if at_utc_ns < self._opens[0]:
            return None
        place = bisect_right(self._opens, at_utc_ns) - 1
        beyond = (at_utc_ns - self._opens[-1]) // self.step_ns
        place = place if place < len(self._opens) - 1 else place + beyond
        return self.first + place if self.first + place < self.width else None

    def row(self, price: float) -> int | None:
        """The row of a price; None outside."""
        row = int((self.high - price) / (self.high - self.low) * self.rows)
        return row if self.low <= price < self.high and 0 <= row < self.rows else None

    def across(self, level: PriceLevel) -> None:
        row = self.row(level.price)
        if row is not None:
            self.grid[row] = [("-" if self.glyphs.ascii else "┄", level.role)] * self.width

    def down(self, release: ChartRelease) -> None:
        column = self.column(release.at_utc_ns)
        for cells in self.grid if column is not None else ():
            if column is not None and cells[column][0] == " ":
                cells[column] = (":" if self.glyphs.ascii else "┊", release.role)

    def candles(self) -> None:
        for column, bar in enumerate(self.bars, self.first):
            rising = bar.close >= bar.open
            role = "good" if rising else "bad"
            body, wick = (("#" if rising else "o"), "|") if self.glyphs.ascii else (("█" if rising else "▒"), "│")
            top, bottom = self._clamped(bar.high), self._clamped(bar.low)
            body_top, body_bottom = self._clamped(max(bar.open, bar.close)), self._clamped(min(bar.open, bar.close))
            for row in range(top, bottom + 1):
                self.grid[row][column] = (body if body_top <= row <= body_bottom else wick, role)

    def trip(self, trip: ChartTrade) -> None:
        """A dotted way from entry to exit, with a sign at each end."""
        start, end = self.column(trip.opened_utc_ns), self.column(trip.closed_utc_ns) if trip.closed_utc_ns else None
        role = "good" if trip.won else "bad"
        if end is not None:
            from_column = start if start is not None else self.first
            began_ns = self._opens[from_column - self.first] if start is None else trip.opened_utc_ns
            for column in range(from_column, end):
                part = (column - from_column) / max(end - from_column, 1)
                gone = part if start is not None else self._gone(trip, began_ns, part)
                row = self.row(trip.open_price + (trip.close_price - trip.open_price) * gone)
                if row is not None and self.grid[row][column][0] == " ":
                    self.grid[row][column] = (self.glyphs.dot if not self.glyphs.ascii else ".", role)
            self._put(end, trip.close_price, _exit_sign(trip.won, self.glyphs), role)
        if start is not None:
            self._put(start, trip.open_price, self.glyphs.up if trip.rising else self.glyphs.down, "accent")

    def _gone(self, trip: ChartTrade, began_ns: UtcNs, part: float) -> float:
        """How much of the way lay behind at a point of a trade that began before the first bar."""
        whole = max(trip.closed_utc_ns - trip.opened_utc_ns, 1)
        return (began_ns + part * (trip.closed_utc_ns - began_ns) - trip.opened_utc_ns) / whole

    def _put(self, column: int, price: float, sign: str, role: str) -> None:
        row = self.row(price)
        if row is not None:
            self.grid[row][column] = (sign, role)

    def _clamped(self, price: float) -> int:
        return min(max(int((self.high - price) / (self.high - self.low) * self.rows), 0), self.rows - 1)


def _exit_sign(won: bool, glyphs: Glyphs) -> str:
    if glyphs.ascii:
        return "@" if won else "%"
    return "●" if won else "○"


def legend(glyphs: Glyphs) -> str:
    """What the signs mean."""
    exits = f"{_exit_sign(True, glyphs)} won {_exit_sign(False, glyphs)} lost"
    return f"{glyphs.up} bought {glyphs.down} sold {exits}, E entered x refused w waits, N high-impact news"


def _range(bars: Sequence[Bar], near: Sequence[float]) -> tuple[float, float]:
    """Prices from bottom to top: the candles', widened to levels within half their range."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    reach = (high - low) or abs(high) * 1e-4 or 1.0
    for price in near:
        if low - reach / 2 <= price <= high + reach / 2:
            low, high = min(low, price), max(high, price)
    pad = (high - low) * 0.02 or reach * 0.5
    return low - pad, high + pad


def _axis(levels: Sequence[PriceLevel], digits: int, low: float, high: float, rows: int, glyphs: Glyphs) -> list[Span]:
    labels = [Span(" " * AXIS_WIDTH)] * rows
    for row in range(0, rows, max(rows // 5, 1)):
        price = high - (row + 0.5) * (high - low) / rows
        labels[row] = Span(fit(f" {price:.{digits}f}", AXIS_WIDTH, glyphs), "muted")
    for level in sorted(levels, key=lambda level: level.word != "now"):
        row = min(max(int((high - level.price) / (high - low) * rows), 0), rows - 1)
        beyond = glyphs.up if level.price >= high else glyphs.down if level.price < low else " "
        labels[row] = Span(fit(f"{beyond}{level.price:.{digits}f} {clean(level.word)}", AXIS_WIDTH, glyphs), level.role)
    return labels


def _signs(sheet: _Sheet, happened: ChartOverlay) -> Line:
    cells: list[Cell] = [(" ", "")] * sheet.width
    marks = [*happened.marks, *(ChartMark(release.at_utc_ns, "N", release.role) for release in happened.releases)]
    for mark in marks:
        column = sheet.column(mark.at_utc_ns)
        if column is not None:
            cells[column] = (mark.sign, mark.role)
    return merged(Span(sign, role) for sign, role in cells)


def _times(sheet: _Sheet) -> Line:
    """The hour under a candle here and there, and the day where it begins."""
    text = [" "] * sheet.width
    free, day, every_ns = sheet.first, "", sheet.step_ns * _TICK_COLUMNS
    for column, bar in enumerate(sheet.bars, sheet.first):
        today = number_format.moment(bar.open_utc_ns, "%a %d")
        label = f"|{today if today != day else number_format.moment(bar.open_utc_ns, '%H:%M')}"
        due = today != day or bar.open_utc_ns % every_ns == 0
        if due and column >= free and column + len(label) <= sheet.width:
            text[column : column + len(label)] = label
            free, day = column + len(label) + 2, today
    return (Span("".join(text).rstrip(), "muted"),)
