"""The risk budget: what is used of each limit, the nearest first, what a gap would cost, and exposure by currency."""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.core.model.snapshot import DeskView, LimitView
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, PanelContent, Span, clean, clip, fit, limit_bar

FLOORS: Final = ("margin_level",)
"""Limits that trip from above: what is left matters, not what is used."""
_UNTIL: Final = {"operator": "you reset it", "day": "the next day", "itself": "it recovers"}
"""When a tripped limit allows entries again, in words."""
_NEAR: Final = 0.8
"""The part of a limit from which it is a warning."""
_STEPS: Final = 20
"""Nearness is compared in so many steps, so that rows do not change places with every quote."""
_BAR_MIN, _BAR_MAX, _BAR_FULL = 4, 24, 6
"""Cells of a bar: at least, at most, and those it keeps before the limit itself is written."""


class _Row(NamedTuple):
    """A limit: which part of it is used, in words how much of how much, and how much money is left."""

    key: str
    name: str
    used: float | None
    value: str
    text: str
    left: str = ""
    after: str = ""
    """What a second line says: since when it is tripped, and until when."""
    since: str = ""

    @property
    def nearness(self) -> float:
        """What rows are sorted by: tripped ones, unknown ones, then by the part that is used."""
        return 3.0 if self.after else 2.0 if self.used is None else round(min(self.used, 1.0) * _STEPS) / _STEPS


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel: limits by nearness, what stops and gaps would cost, currencies."""
    risk, equity = desk.risk, desk.equity_money
    limits = sorted(_limit_rows(desk), key=lambda row: -row.nearness)
    name_width = min(max((len(row.name) for row in limits), default=8), max(width * 2 // 5, 8))
    rows = [(row.key, line) for row in limits for line in _limit_lines(row, limits, name_width, width, glyphs)]
    costs = [
        ("all_stops_hit", "if stopped out", risk.open_money),
        ("reserved", "pending", risk.reserved_money),
        ("all_stops_weekend", "weekend gap", risk.weekend_gap_risk_money or None),
    ]
    for key, name, money in costs:
        if money is not None:
            text = f"{number_format.money(money)}  {number_format.pct(number_format.share(money, equity))}"
            rows.append((key, _figures(name, text, name_width, width, glyphs)))
    rows.extend(("currencies", line) for line in _currencies(desk, name_width, width, glyphs))
    if risk.kelly:
        rows.append(("kelly", _figures("Kelly", risk.kelly, name_width, width, glyphs)))
    return PanelContent((), [line for _, line in rows], [key for key, _ in rows], _note(desk, limits))


def nearest(desk: DeskView) -> str:
    """The limit that is nearest, in a few words."""
    known = [row for row in _limit_rows(desk) if row.used is not None]
    row = max(known, key=lambda row: row.used or 0.0, default=None)
    return "" if row is None else f"{row.name} {number_format.pct(row.used, 0)}"


def _note(desk: DeskView, limits: list[_Row]) -> str:
    tripped = sum(bool(row.after) for row in limits)
    return (
        f"{number_format.plural(tripped, 'limit')} TRIPPED" if tripped else f"nearest: {nearest(desk) or number_format.UNKNOWN}"
    )


def _limit_rows(desk: DeskView) -> list[_Row]:
    risk, equity = desk.risk, desk.equity_money
    used = None if risk.open_money is None else risk.open_money + risk.reserved_money
    rows = [
        _cap("open", "open + pending", used, risk.cap_money, equity),
        _shares("book", "correlated", risk.correlated_risk_fraction, risk.correlated_risk_cap_fraction, equity),
        _cap("all_stops", "gap risk", risk.gap_risk_money, risk.gap_risk_cap_money, equity),
    ]
    return [*rows, *(_limit(limit, desk) for limit in risk.limits)]


def _cap(key: str, name: str, value: float | None, cap: float | None, equity: float | None) -> _Row:
    row = _shares(key, name, number_format.share(value, equity), number_format.share(cap, equity), None)
    return row._replace(used=number_format.share(value, cap), left=_left(None if value is None or cap is None else cap - value))


def _shares(key: str, name: str, value: float | None, cap: float | None, whole: float | None) -> _Row:
    """A limit in shares of `whole` money."""
    left = None if value is None or cap is None or whole is None else (cap - value) * whole
    percent = number_format.pct(value)
    return _Row(key, name, number_format.share(value, cap), percent, f"{percent} of {_short_pct(cap)}", _left(left))


def _left(money: float | None) -> str:
    if money is None:
        return ""
    return f"{number_format.money(money)} left" if money >= 0 else f"{number_format.money(-money)} over"


def _short_pct(fraction: float | None) -> str:
    """A limit as the operator set it: `5%`, `2.5%`."""
    return number_format.UNKNOWN if fraction is None else f"{round(fraction * 100, 2):g}%"


def _limit(limit: LimitView, desk: DeskView) -> _Row:
    name = limit.name.replace("_", " ")
    key = f"limit:{limit.name}"
    used = number_format.share(limit.value, limit.limit)
    if limit.unit.startswith("money left"):
        equity = desk.equity_money
        used = None if equity is None or limit.value is None else number_format.share(limit.limit, equity)
        value = number_format.money(limit.value)
        row = _Row(key, name, used, value, f"{value} left to {number_format.money(limit.limit)}")
    elif limit.name in FLOORS:
        value = _amount(limit.value, limit.unit)
        used = number_format.share(limit.limit, limit.value)
        row = _Row(key, name, used, value, f"{value}, min {_amount(limit.limit, limit.unit)}")
    elif limit.unit == "share":
        whole = {"day_loss": desk.day_base_money, "drawdown": desk.peak_money}.get(limit.name)
        row = _shares(key, name, limit.value, limit.limit, whole)
    else:
        value = _amount(limit.value, limit.unit)
        row = _Row(key, name, used, value, f"{value} of {_amount(limit.limit, limit.unit)}")
    if not limit.tripped:
        return row
    since = f" {number_format.moment(limit.since_utc_ns, '%a %H:%M')}" if limit.since_utc_ns else ""
    return row._replace(since=since, after=_UNTIL.get(limit.resets_when, clean(limit.resets_when)) or "it recovers")


def _limit_lines(row: _Row, rows: list[_Row], name_width: int, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Name, bar, what is used and what is left; in little room the bar goes first to its least, then the limit itself."""
    room = width - name_width - 2
    full = max(_tail_width(other.text, other.left) for other in rows)
    short = max(_tail_width(other.value, other.left) for other in rows)
    if room - full >= _BAR_FULL:
        tail, text, left = full, row.text, row.left
    elif room - short >= _BAR_MIN:
        tail, text, left = short, row.value, row.left
    else:
        tail, text, left = max(len(other.text) for other in rows), row.text, ""
    bar_width = min(max(room - tail, 0), _BAR_MAX)
    role = "" if row.used is None else "alarm" if row.used >= 1 else "warn" if row.used >= _NEAR else "good"
    words = role if role in ("alarm", "warn") else ""
    gap = tail - len(text) - len(left) if left else 0
    line = (
        Span(fit(row.name, name_width, glyphs) + " ", "muted"),
        Span(limit_bar(row.used, bar_width, glyphs, _NEAR), {"alarm": "bad"}.get(role, role)),
        Span(" "),
        Span(text, words),
        Span(" " * gap + left, words if role == "warn" else "muted"),
    )
    lines = [clip(line, width, glyphs)]
    if row.after:
        lines.append(clip((Span(f"  TRIPPED{row.since}", "alarm"), Span(f" until {row.after}", "warn")), width, glyphs))
    return tuple(lines)


def _tail_width(text: str, left: str) -> int:
    return len(text) + (len(left) + 1 if left else 0)


def _figures(name: str, text: str, name_width: int, width: int, glyphs: Glyphs) -> Line:
    return clip((Span(fit(name, name_width, glyphs) + " ", "muted"), Span(text)), width, glyphs)


def _amount(value: float | None, unit: str) -> str:
    """A figure of a limit; counts are without their unit."""
    if value is None:
        return number_format.UNKNOWN
    whole = f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
    return f"{whole}%" if unit == "%" else whole


_LEG_GAP: Final = 2


def _currencies(desk: DeskView, name_width: int, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    legs = sorted(desk.risk.currencies, key=lambda leg: (-abs(leg.net_x_equity), leg.currency))
    if not legs:
        return ()
    told = [f"{leg.currency} {leg.net_x_equity:+.1f}x" for leg in legs]
    across = max((width - name_width - 1 + _LEG_GAP) // (max(map(len, told)) + _LEG_GAP), 1)
    rows = [(" " * _LEG_GAP).join(told[start : start + across]) for start in range(0, len(told), across)]
    return tuple(
        _figures("net, x equity" if number == 0 else "", text, name_width, width, glyphs) for number, text in enumerate(rows)
    )
