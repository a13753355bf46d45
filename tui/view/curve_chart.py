"""Curves in cells: values as a filled area, equity with its drawdown. Blocks or ASCII, as the terminal can.

Promises: nothing is drawn between points that are not there; a drawdown is as deep as the deepest point behind its column.
Does not: draw candles (`tui.view.candle_chart`), or fetch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quarterdeck.core.model.units import UtcNs
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.candle_chart import AXIS_WIDTH
from quarterdeck.tui.view.lines import Glyphs, Line, Span, fit

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = " ..::||##"


def area_chart(values: Sequence[float], width: int, height: int, glyphs: Glyphs, role: str = "accent") -> tuple[Line, ...]:
    """Values as a filled curve, one column each, the last at the right, with the highest and lowest written at the edge."""
    across = width - AXIS_WIDTH
    if across < 8 or height < 2 or len(values) < 2:
        return ((Span(fit("no curve yet" if len(values) < 2 else "too small for a curve", width, glyphs), "muted"),),)
    shown = values[-across:]
    low, high = min(shown), max(shown)
    reach = (high - low) or 1.0
    blocks = ASCII_BLOCKS if glyphs.ascii else BLOCKS
    steps = [1 + round((value - low) / reach * (height * 8 - 1)) for value in shown]
    lines: list[Line] = []
    for row in range(height):
        below = (height - 1 - row) * 8
        text = "".join(blocks[min(max(level - below, 0), 8)] for level in steps)
        label = high if row == 0 else low if row == height - 1 else None
        edge = " " + (number_format.money(label) if label is not None else "")
        lines.append((Span(text.rjust(across), role), Span(fit(edge, AXIS_WIDTH, glyphs), "muted")))
    return tuple(lines)


def equity_curve(
    at_utc_ns: Sequence[UtcNs], values: Sequence[float], width: int, height: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """Equity as a curve over even time, its drawdown from the peak beneath it, and the time it spans."""
    across = width - AXIS_WIDTH
    if len(values) < 2 or across < 8:
        return area_chart(values, width, height, glyphs)
    moneys = over_time(at_utc_ns, values, across)
    if height < 6:
        return area_chart(moneys, width, height, glyphs)
    falls = drawdowns(values)
    worst = max(falls)
    curve = area_chart(moneys, width, height - 4, glyphs)
    title = (Span(fit(f"drawdown, at most {number_format.pct(worst)}", width, glyphs), "title"),)
    down: tuple[Line, ...] = ((Span("never below its peak", "muted"),), ())
    if worst > 0:
        deepest = area_chart(over_time(at_utc_ns, falls, across, deepest=True), width, 2, glyphs, "bad")
        down = tuple((line[0], Span(" " * AXIS_WIDTH)) for line in deepest)
    since, until = number_format.moment(at_utc_ns[0], "%d %b %H:%M"), number_format.moment(at_utc_ns[-1], "%d %b %H:%M")
    return (*curve, title, *down, (Span(fit(since, across - len(until), glyphs) + until, "muted"),))


def over_time(at_utc_ns: Sequence[UtcNs], values: Sequence[float], columns: int, *, deepest: bool = False) -> list[float]:
    """One value for each of `columns` even stretches of time: the last in it, or the greatest; where none is, the one before."""
    span = max(at_utc_ns[-1] - at_utc_ns[0], 1)
    found: list[float | None] = [None] * columns
    for at, value in zip(at_utc_ns, values, strict=True):
        column = min((at - at_utc_ns[0]) * columns // span, columns - 1)
        seen = found[column]
        found[column] = value if seen is None or not deepest else max(seen, value)
    held, filled = values[0], []
    for one in found:
        held = one if one is not None else held
        filled.append(held)
    return filled


def drawdowns(values: Sequence[float]) -> list[float]:
    """Fraction below the peak so far, at each point."""
    falls: list[float] = []
    peak = float("-inf")
    for value in values:
        peak = max(peak, value)
        falls.append((peak - value) / peak if peak > 0 else 0.0)
    return falls
