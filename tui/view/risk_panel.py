"""The risk budget: what is spent and reserved against each cap, breakers with their way back, and exposure by currency."""

from __future__ import annotations

from typing import Final

from quarterdeck.core.model.snapshot import DeskView, LimitView
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Glyphs, Line, PanelContent, Span, clean, clip, fit, meter


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel: caps, then limits, then currencies."""
    risk, equity = desk.risk, desk.equity_money
    used = None if risk.open_money is None else risk.open_money + risk.reserved_money
    rows: list[tuple[str, Line]] = [
        ("open", _cap("open + pending", used, risk.cap_money, equity, width, glyphs)),
        (
            "reserved",
            _figures(
                "of that pending",
                _money_and_share(risk.reserved_money, equity),
                width,
                glyphs,
            ),
        ),
        ("book", _bar("correlated risk", risk.correlated_risk_fraction, risk.correlated_risk_cap_fraction, width, glyphs)),
        ("all_stops", _cap("gap risk", risk.gap_risk_money, risk.gap_risk_cap_money, equity, width, glyphs)),
    ]
    for limit in risk.limits:
        rows.extend((f"limit:{limit.name}:{number}", line) for number, line in enumerate(_limit(limit, width, glyphs)))
    rows.extend(("currencies", line) for line in _currencies(desk, width, glyphs))
    if risk.weekend_gap_risk_money:
        weekend = _money_and_share(risk.weekend_gap_risk_money, equity)
        rows.append(("all_stops_weekend", _figures("weekend gap", weekend, width, glyphs)))
    if risk.kelly:
        rows.append(("kelly", _figures("Kelly", risk.kelly, width, glyphs)))
    tripped = sum(limit.tripped for limit in risk.limits)
    note = (
        f"{number_format.plural(tripped, 'breaker')} TRIPPED"
        if tripped
        else number_format.pct(number_format.share(used, risk.cap_money), 0) + " used"
    )
    return PanelContent((), [line for _, line in rows], [key for key, _ in rows], note)


def _name_width(width: int) -> int:
    return min(16, max(width * 2 // 5, 8))


def _money_and_share(money: float, equity: float | None) -> str:
    return f"{number_format.money(money)}  {number_format.pct(number_format.share(money, equity))}"


def _figures(name: str, text: str, width: int, glyphs: Glyphs) -> Line:
    return clip((Span(fit(name, _name_width(width), glyphs) + " ", "muted"), Span(text)), width, glyphs)


def _cap(name: str, value: float | None, cap: float | None, equity: float | None, width: int, glyphs: Glyphs) -> Line:
    return _bar(name, number_format.share(value, equity), number_format.share(cap, equity), width, glyphs)


def _bar(name: str, value: float | None, cap: float | None, width: int, glyphs: Glyphs) -> Line:
    """Shares of equity as fractions."""
    return _metered(
        name, number_format.share(value, cap), f"{number_format.pct(value)} of {number_format.pct(cap)}", width, glyphs
    )


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


_UNTIL: Final = {"operator": "you reset it", "day": "the next day", "itself": "it recovers"}
"""When a tripped limit allows entries again, in words."""
FLOORS: Final = ("margin_level",)
"""Limits that trip from above: what is left matters, not what is used."""


def _limit(limit: LimitView, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    name = limit.name.replace("_", " ")
    if limit.unit.startswith("money left"):
        line = _figures(name, f"{number_format.money(limit.value)} left to {number_format.money(limit.limit)}", width, glyphs)
    elif limit.name in FLOORS:
        used = number_format.share(limit.limit, limit.value)
        line = _metered(
            name, used, f"{_amount(limit.value, limit.unit)}, at least {_amount(limit.limit, limit.unit)}", width, glyphs
        )
    else:
        used = number_format.share(limit.value, limit.limit)
        line = _metered(name, used, f"{_amount(limit.value, limit.unit)} of {_amount(limit.limit, limit.unit)}", width, glyphs)
    if not limit.tripped:
        return (line,)
    since = f" {number_format.moment(limit.since_utc_ns, '%a %H:%M')}" if limit.since_utc_ns else ""
    until = _UNTIL.get(limit.resets_when, clean(limit.resets_when))
    return (line, clip((Span(f"  TRIPPED{since}", "alarm"), Span(f" until {until}", "warn")), width, glyphs))


def _amount(value: float | None, unit: str) -> str:
    """A figure of a limit; shares are fractions and shown as percent, counts without their unit."""
    if value is None:
        return number_format.UNKNOWN
    if unit == "share":
        return number_format.pct(value)
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
    return tuple(_figures("net, x equity" if number == 0 else "", text, width, glyphs) for number, text in enumerate(rows))
