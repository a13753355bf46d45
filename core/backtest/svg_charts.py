"""Pictures as inline SVG: equity with its drawdown, bars by hour. Pure text, readable in both colour schemes.

Promises: every number that a picture shows is in a table too; colour is never the only sign (gains point up, losses down).
Does not: decide what to show (`report_folder`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from quarterdeck.core.model.units import DAY_NS, NS_PER_S

_WIDTH, _LEFT, _RIGHT = 960, 72, 16
_POINTS_MAX = 1_200
_DATES = 7
_BAR_MAX = 56.0
_BARE = 'fill="none" stroke="currentColor"'
"""How a line looks where the page's style is not heeded, in a mail or a printer's program; the style is stronger."""


def equity_chart(points: Sequence[tuple[int, float]], start_money: float, currency: str) -> str:
    """Equity over time above, its fall from the peak below; `points` are (UTC ns, money) in order of time."""
    if len(points) < 2 or all(money == points[0][1] for _, money in points):
        return '<p class="quiet">No equity was marked: nothing was open.</p>'
    falls, peak = [], points[0][1]
    for _, money in points:
        peak = max(peak, money)
        falls.append(100.0 * (money / peak - 1.0) if peak > 0.0 else 0.0)
    times, kept = _thinned([at for at, _ in points], [money for _, money in points], falls)
    upper = _ChartFrame(top=18, height=230, low=min(*kept[0], start_money), high=max(*kept[0], start_money), times=times)
    lower = _ChartFrame(top=282, height=92, low=min(*kept[1], -0.1), high=0.0, times=times)
    start = f"{upper.y(start_money):.1f}"
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} 404" role="img" aria-label="Equity and drawdown over time">',
        upper.grid(),
        f'<line class="start" {_BARE} stroke-dasharray="3 4" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{start}" y2="{start}"/>',
        f'<path class="equity" {_BARE} d="{upper.line(kept[0])}"/>',
        f'<text class="name" x="{_LEFT}" y="12">equity, {escape(currency)}</text>',
        lower.grid(" %"),
        f'<path class="fall" fill-opacity="0.4" d="{lower.area(kept[1])}"/>',
        f'<text class="name" x="{_LEFT}" y="276">below the peak, % of it</text>',
        upper.dates(394),
        "</svg>",
    ]
    return "".join(parts)


def bar_chart(rows: Sequence[tuple[str, float, int]], unit: str) -> str:
    """One bar a row, up for a gain and down for a loss; rows are (name, value, count)."""
    if not any(count for _, _, count in rows):
        return '<p class="quiet">No trades.</p>'
    steps = _round_steps(min(0.0, *(value for _, value, _ in rows)), max(0.0, *(value for _, value, _ in rows)), 4)
    if not steps:
        return '<p class="quiet">Nothing was won or lost.</p>'
    low = min(steps[0], *(value for _, value, _ in rows))
    high = max(steps[-1], *(value for _, value, _ in rows))
    top, height = 26, 150
    scale = height / ((high - low) or 1.0)
    zero = top + high * scale
    step = (_WIDTH - _LEFT - _RIGHT) / len(rows)
    wide = min(step * 0.64, _BAR_MAX)
    digits = _digits(steps)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} 226" role="img" aria-label="Result by group, {escape(unit)}">',
        f'<text class="name" x="{_LEFT}" y="12">result, {escape(unit)}</text>',
        *(_rule(zero - value * scale, f"{value:+,.{digits}f}" if value else "0") for value in steps),
    ]
    for place, (name, value, count) in enumerate(rows):
        middle = _LEFT + (place + 0.5) * step
        y, tall = (zero - value * scale, value * scale) if value >= 0.0 else (zero, -value * scale)
        word = "gain" if value >= 0.0 else "loss"
        title = f"{escape(name)}: {value:+,.2f} {escape(unit)}, {count} trades"
        parts.append(
            f'<rect class="{word}" x="{middle - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{max(tall, 0.6):.1f}">'
            f"<title>{title}</title></rect>"
        )
        parts.append(f'<text class="tick" x="{middle:.1f}" y="{top + height + 20}" text-anchor="middle">{escape(name)}</text>')
        parts.append(f'<text class="count" x="{middle:.1f}" y="{top + height + 36}" text-anchor="middle">{count}</text>')
    parts.append("</svg>")
    return "".join(parts)


def _rule(y: float, text: str) -> str:
    """A line across, with what it stands for."""
    return (
        f'<line class="grid" {_BARE} stroke-opacity="0.2" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _digits(steps: Sequence[float]) -> int:
    """Decimals that tell neighbouring marks apart."""
    apart = steps[1] - steps[0] if len(steps) > 1 else abs(steps[0]) if steps else 1.0
    return max(0, min(6, 1 - math.floor(math.log10(apart)) if apart < 10.0 and apart % 1.0 else 0))


class _ChartFrame:
    """One picture's place: from values to points."""

    def __init__(self, *, top: float, height: float, low: float, high: float, times: Sequence[int]) -> None:
        self._top, self._height, self._times = top, height, times
        room = (high - low) or max(abs(high), 1.0) * 0.01
        self._low, self._high = low, low + room

    def x(self, at: int) -> float:
        span = (self._times[-1] - self._times[0]) or 1
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - self._times[0]) / span

    def y(self, value: float) -> float:
        return self._top + self._height * (self._high - value) / (self._high - self._low)

    def line(self, values: Sequence[float]) -> str:
        """Each value holds until the next one: nothing moves while nothing is open."""
        xs, ys = ([f"{one:.1f}" for one in places] for places in (map(self.x, self._times), map(self.y, values)))
        steps = (f"H{x}V{y}" if y != before else f"H{x}" for x, y, before in zip(xs[1:], ys[1:], ys[:-1], strict=True))
        return f"M{xs[0]} {ys[0]}{''.join(steps)}"

    def area(self, values: Sequence[float]) -> str:
        base = self.y(self._high)
        return f"{self.line(values)}L{self.x(self._times[-1]):.1f} {base:.1f}L{self.x(self._times[0]):.1f} {base:.1f}Z"

    def grid(self, unit: str = "") -> str:
        steps = _round_steps(self._low, self._high, 4 if self._height > 150 else 3)
        digits = _digits(steps)
        return "".join(_rule(self.y(value), f"{value:,.{digits}f}{unit}") for value in steps)

    def dates(self, y: float) -> str:
        first, last, parts = self._times[0], self._times[-1], []
        shape = "%Y-%m-%d" if last - first >= _DATES * DAY_NS else "%m-%d %H:%M"
        for place in range(_DATES):
            at = first + (last - first) * place // (_DATES - 1)
            anchor = "start" if place == 0 else "end" if place == _DATES - 1 else "middle"
            day = f"{datetime.fromtimestamp(at // NS_PER_S, UTC):{shape}}"
            parts.append(f'<text class="tick" x="{self.x(at):.1f}" y="{y}" text-anchor="{anchor}">{day}</text>')
        return "".join(parts)


def _round_steps(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    if rough <= 0.0:
        return []
    base = 10.0 ** math.floor(math.log10(rough))
    step = next((base * factor for factor in (1, 2, 2.5, 5, 10) if base * factor >= rough), base * 10)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _thinned(times: list[int], *columns: list[float]) -> tuple[list[int], list[list[float]]]:
    """At most so many points: of each stretch its extremes are kept, so that no fall disappears."""
    if len(times) <= _POINTS_MAX:
        return times, [list(column) for column in columns]
    stride = -(-2 * len(times) // _POINTS_MAX)
    rows: list[int] = []
    for start in range(0, len(times), stride):
        here = range(start, min(start + stride, len(times)))
        rows.extend(sorted({min(here, key=columns[0].__getitem__), max(here, key=columns[0].__getitem__)}))
    rows = sorted({0, *rows, len(times) - 1})
    return [times[row] for row in rows], [[column[row] for row in rows] for column in columns]
