"""What the trades came to, in figures and pictures: equity, results in R, pairs, hours, confidence, exits, refusals, errors.

Promises: a figure that rests on too little is `-`; a bar is beside its number, left of the middle is a loss; blocks lie
beside each other where there is room. Does not: compute (`AccountReport` comes from the engine).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quarterdeck.core.link.trade_queries import AccountReport, TradeGroup
from quarterdeck.tui.view import curve_chart, number_format
from quarterdeck.tui.view.lines import BLANK, Glyphs, Line, PanelContent, Span, clean, clip, fit, merged, width_of

BLOCK_WIDTH: Final = 56
_COLUMNS_MAX: Final = 3
_CURVE_ROWS: Final = 11
_COUNTS_MAX: Final = 12
_NAME_WIDTH: Final = 12


def sheet(record: AccountReport | None, width: int, glyphs: Glyphs) -> PanelContent:
    """The page: blocks in as many columns as fit, each block in the shortest column."""
    if record is None:
        return PanelContent((), [(Span("asking the journal", "muted"),)])
    across = min(max(width // BLOCK_WIDTH, 1), _COLUMNS_MAX)
    room = (width - 2 * (across - 1)) // across
    columns: list[list[Line]] = [[] for _ in range(across)]
    for block in _blocks(record, room, glyphs):
        shortest = min(columns, key=len)
        shortest += [*([BLANK] if shortest else []), *block]
    note = f"{record.mode} {record.account} on {clean(record.server)}, {number_format.plural(record.runs, 'run')}"
    return PanelContent((), _beside(columns, room), (), note)


def _beside(columns: Sequence[Sequence[Line]], room: int) -> list[Line]:
    """Columns as lines, each column `room` wide with two cells between."""
    lines = []
    for row in range(max(len(column) for column in columns)):
        spans: list[Span] = []
        for number, column in enumerate(columns):
            line = column[row] if row < len(column) else BLANK
            spans += [*([Span("  ")] if number else []), *line]
            if number < len(columns) - 1:
                spans.append(Span(" " * max(room - width_of(line), 0)))
        lines.append(merged(spans))
    return lines


def _blocks(record: AccountReport, room: int, glyphs: Glyphs) -> list[list[Line]]:
    blocks = [
        _figures(record, room, glyphs),
        _curve(record, room, glyphs),
        _results(record, room, glyphs),
        _groups("Pair", record.by_pair, room, glyphs),
        _win_rates("Confidence", record.by_confidence, room, glyphs),
        _groups(f"Hour, {record.hours_zone.rpartition('/')[2]}", record.by_hour, room, glyphs),
        _groups("Exit", record.by_exit, room, glyphs),
        _counts("Refused, by what decided; all of them", record.refusals, room, glyphs),
        _counts("Errors by class; all of them", record.errors, room, glyphs),
    ]
    return [block for block in blocks if block]


def _figures(record: AccountReport, room: int, glyphs: Glyphs) -> list[Line]:
    won = _pct(record.win_fraction)
    facts = [
        ("trades", f"{record.trades}, won {record.won} ({won}), max consecutive losses {record.losses_in_row_max}", ""),
        (
            "P&L",
            f"{number_format.money(record.net_money, sign=True)} {record.currency}",
            number_format.role_of(record.net_money),
        ),
        ("incl. costs", f"{number_format.money(record.costs_money, sign=True)} {record.currency}", ""),
        ("expectancy", f"{_r(record.expectancy_r)} a trade, std dev {_r(record.deviation_r).lstrip('+')}", ""),
        ("mean", f"win {_r(record.mean_win_r)}, loss {_r(record.mean_loss_r)}", ""),
        ("best, worst", f"{_r(record.best_r)}, {_r(record.worst_r)}", ""),
        ("profit factor", _number(record.profit_factor), ""),
        ("Sharpe", f"{_number(record.sharpe)}, Sortino {_number(record.sortino)} over {record.days} days (n/a under 20)", ""),
        (
            "drawdown",
            f"{_pct(record.drawdown_fraction, 2)}, {number_format.money(record.drawdown_money)} {record.currency}"
            + ("" if record.drawdown_inside_fraction is None else f"; inside bars {_pct(record.drawdown_inside_fraction, 2)}"),
            "",
        ),
        (
            "exposure",
            f"{_pct(record.in_market_fraction, 1)} of the time, at most "
            + number_format.plural(record.positions_max or 0, "position"),
            "",
        ),
        ("holding time", "-" if record.mean_hours is None else f"{record.mean_hours:.1f} h on average", ""),
    ]
    lines: list[Line] = [(Span(fit("Figures", room, glyphs), "title"),)]
    return lines + [clip((Span(f"{name:<14}", "muted"), Span(text, role)), room, glyphs) for name, text, role in facts]


def _curve(record: AccountReport, room: int, glyphs: Glyphs) -> list[Line]:
    title: Line = (Span(fit(f"Equity, {record.currency}", room, glyphs), "title"),)
    return [title, *curve_chart.equity_curve(record.at_utc_ns, record.equity_money, room, _CURVE_ROWS, glyphs)]


def _results(record: AccountReport, room: int, glyphs: Glyphs) -> list[Line]:
    """How often each result, nearest half of an R."""
    if not record.results:
        return []
    most = max(count for _, count in record.results)
    lines: list[Line] = [(Span(fit("Results, to the nearest half R", room, glyphs), "title"),)]
    for result_r, count in record.results:
        role = "good" if result_r > 0 else "bad" if result_r < 0 else "muted"
        bar = _bar(count / most, room - 14, glyphs)
        lines.append((Span(f"{result_r:+5.1f}R {count:>5} "), Span(bar, role)))
    return lines


def _groups(title: str, groups: Sequence[TradeGroup], room: int, glyphs: Glyphs) -> list[Line]:
    """Trades, share won, mean R and money of each group, with money as a bar from the middle."""
    if not groups:
        return []
    most = max(abs(group.net_money) for group in groups) or 1.0
    half = max((room - _NAME_WIDTH - 33) // 2, 2)
    lines = [_head(title, f"{'n':>5} {'won':>5} {'mean R':>7} {'money':>11}", room, glyphs)]
    for group in groups:
        role = number_format.role_of(group.net_money)
        bar = _bar(abs(group.net_money) / most, half, glyphs)
        sides = f"{bar if group.net_money < 0 else '':>{half}}{glyphs.divider}{bar if group.net_money > 0 else ''}"
        money = number_format.money(group.net_money, sign=True)
        text = f"{group.trades:>5} {_pct(group.win_fraction):>5} {_r(group.mean_r):>7} {money:>11} "
        lines.append(clip((Span(fit(group.name, _NAME_WIDTH, glyphs)), Span(text), Span(sides, role)), room, glyphs))
    return lines


def _win_rates(title: str, groups: Sequence[TradeGroup], room: int, glyphs: Glyphs) -> list[Line]:
    """Confidence is worth something where the bars grow downwards."""
    if not groups:
        return []
    lines = [_head(title, f"{'n':>5} {'mean R':>7} {'won':>5}", room, glyphs)]
    for group in groups:
        text = f"{group.name:<{_NAME_WIDTH}}{group.trades:>5} {_r(group.mean_r):>7} {_pct(group.win_fraction):>5} "
        bar = _bar(group.win_fraction or 0.0, room - len(text), glyphs, whole=True)
        lines.append((Span(text), Span(bar, "accent")))
    return lines


def _counts(title: str, counts: Sequence[tuple[str, int]], room: int, glyphs: Glyphs) -> list[Line]:
    if not counts:
        return []
    most = max(count for _, count in counts)
    lines = [_head(title, "", room, glyphs)]
    for name, count in counts[:_COUNTS_MAX]:
        bar = _bar(count / most, room - 24, glyphs)
        lines.append((Span(f"{fit(name.replace('_', ' '), 16, glyphs)} {count:>6} "), Span(bar, "muted")))
    if len(counts) > _COUNTS_MAX:
        rest = sum(count for _, count in counts[_COUNTS_MAX:])
        lines.append((Span(f"{len(counts) - _COUNTS_MAX} more, {rest} in all", "muted"),))
    return lines


def _head(title: str, columns: str, room: int, glyphs: Glyphs) -> Line:
    if not columns:
        return (Span(fit(title, room, glyphs), "title"),)
    name = fit(title, _NAME_WIDTH, glyphs) if len(title) > _NAME_WIDTH else f"{title:<{_NAME_WIDTH}}"
    return (Span(fit(f"{name}{columns}", room, glyphs), "title"),)


def _bar(fraction: float, width: int, glyphs: Glyphs, *, whole: bool = False) -> str:
    """A bar; `whole` shows by its gap how much is missing to all."""
    full = min(max(round(fraction * width), 1 if fraction > 0 else 0), max(width, 0))
    return glyphs.bar * full + (glyphs.gap * (width - full) if whole else "")


def _r(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}R"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _pct(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else number_format.pct(value, digits)
