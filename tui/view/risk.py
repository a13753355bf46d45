"""The risk budget: what is spent and reserved against each cap, breakers with their way back, and exposure by currency."""

from __future__ import annotations

from typing import Final

from quarterdeck.core.model.snapshot import DeskView, LimitView
from quarterdeck.tui.view import figures
from quarterdeck.tui.view.lines import Glyphs, Line, Sheet, Span, clean, clip, fit, meter


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> Sheet:
    """The panel: caps, then limits, then currencies."""
    risk, equity = desk.risk, desk.equity_money
    used = None if risk.open_money is None else risk.open_money + risk.reserved_money
    rows: list[tuple[str, Line]] = [
        ("open", _cap("open + reserved", used, risk.cap_money, equity, width, glyphs)),
        (
            "reserved",
            _figures(
                "of it reserved",
                f"{figures.money(risk.reserved_money)}  {figures.pct(figures.share(risk.reserved_money, equity))}",
                width,
                glyphs,
            ),
        ),
        ("book", _bar("correlated book", risk.book_risk_fraction, risk.book_risk_cap_fraction, width, glyphs)),
        ("all_stops", _cap("all stops + gap", risk.all_stops_money, risk.all_stops_cap_money, equity, width, glyphs)),
    ]
    for limit in risk.limits:
        rows.extend((f"limit:{limit.name}:{number}", line) for number, line in enumerate(_limit(limit, width, glyphs)))
    rows.extend(("currencies", line) for line in _currencies(desk, width, glyphs))
    if risk.all_stops_weekend_money:
        weekend = (
            f"{figures.money(risk.all_stops_weekend_money)}  {figures.pct(figures.share(risk.all_stops_weekend_money, equity))}"
        )
        rows.append(("all_stops_weekend", _figures("stops + wide gap", weekend, width, glyphs)))
    if risk.kelly:
        rows.append(("kelly", _figures("Kelly", risk.kelly, width, glyphs)))
    tripped = sum(limit.tripped for limit in risk.limits)
    note = (
        f"{figures.plural(tripped, 'breaker')} TRIPPED"
        if tripped
        else figures.pct(figures.share(used, risk.cap_money), 0) + " used"
    )
    return Sheet((), [line for _, line in rows], [key for key, _ in rows], note)


def _name_width(width: int) -> int:
    return min(16, max(width * 2 // 5, 8))


def _figures(name: str, text: str, width: int, glyphs: Glyphs) -> Line:
    return clip((Span(fit(name, _name_width(width), glyphs) + " ", "muted"), Span(text)), width, glyphs)


def _cap(name: str, value: float | None, cap: float | None, equity: float | None, width: int, glyphs: Glyphs) -> Line:
    return _bar(name, figures.share(value, equity), figures.share(cap, equity), width, glyphs)


def _bar(name: str, value: float | None, cap: float | None, width: int, glyphs: Glyphs) -> Line:
    """Shares of equity as fractions."""
    return _metered(name, figures.share(value, cap), f"{figures.pct(value)} of {figures.pct(cap)}", width, glyphs)


def _metered(name: str, used: float | None, text: str, width: int, glyphs: Glyphs) -> Line:
    room = max(min(width - _name_width(width) - 22, 24), 4)
    role = "" if used is None else "alarm" if used >= 1 else "warn" if used >= 0.8 else "good"
    bar = meter(used, room, glyphs)
    bar_role = {"alarm": "bad"}.get(role, role)
    spans = (
        Span(fit(name, _name_width(width), glyphs) + " ", "muted"),
        Span(bar, bar_role),
        Span(" "),
        Span(text, role if role in ("alarm", "warn") else ""),
    )
    return clip(spans, width, glyphs)


FLOORS: Final = ("margin_level",)
"""Limits that trip from above: what is left matters, not what is used."""


def _limit(limit: LimitView, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    name = limit.name.replace("_", " ")
    if limit.unit.startswith("money left"):
        line = _figures(name, f"{figures.money(limit.value)} left to {figures.money(limit.limit)}", width, glyphs)
    elif limit.name in FLOORS:
        used = figures.share(limit.limit, limit.value)
        line = _metered(
            name, used, f"{_amount(limit.value, limit.unit)}, at least {_amount(limit.limit, limit.unit)}", width, glyphs
        )
    else:
        used = figures.share(limit.value, limit.limit)
        line = _metered(name, used, f"{_amount(limit.value, limit.unit)} of {_amount(limit.limit, limit.unit)}", width, glyphs)
    if not limit.tripped:
        return (line,)
    since = f" {figures.moment(limit.since_utc_ns, '%a %H:%M')}" if limit.since_utc_ns else ""
    return (line, clip((Span(f"  TRIPPED{since}", "alarm"), Span(f" back: {clean(limit.rearm)}", "warn")), width, glyphs))


def _amount(value: float | None, unit: str) -> str:
    """A figure of a limit; shares are fractions and shown as percent, counts without their unit."""
    if value is None:
        return figures.UNKNOWN
    if unit == "share":
        return figures.pct(value)
    whole = f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
    return f"{whole}%" if unit == "%" else whole


_LEG_GAP: Final = 2


def _currencies(desk: DeskView, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    legs = sorted(desk.risk.currencies, key=lambda leg: (-abs(leg.net_x_equity), leg.currency))
    if not legs:
        return ()
    told = [f"{leg.currency} {leg.net_x_equity:+.1f}x" for leg in legs]
    across = max((width - _name_width(width) - 1 + _LEG_GAP) // (max(map(len, told)) + _LEG_GAP), 1)
    rows = [(" " * _LEG_GAP).join(told[start : start + across]) for start in range(0, len(told), across)]
    return tuple(_figures("currencies net" if number == 0 else "", text, width, glyphs) for number, text in enumerate(rows))
