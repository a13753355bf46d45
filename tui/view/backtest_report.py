"""Backtests on the screen: the list of finished ones, the essentials of one, two side by side. Pure.

Promises: what a report lacks shows as a dash; text from a file is cleaned. Does not: read files (`tui.command_process`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from quarterdeck.tui.view import curve_chart, number_format
from quarterdeck.tui.view.lines import Column, Glyphs, Line, PanelContent, Span, clean, clip, meter, table, wrapped

COLUMNS: Final = (
    Column("days (UTC)", 21),
    Column("result", 12, right=True),
    Column("R", 8, right=True),
    Column("trades", 6, right=True),
    Column("won", 5, right=True),
    Column("fall", 6, right=True, rank=1),
    Column("PF", 6, right=True, rank=2),
    Column("state", 9, rank=1),
    Column("pairs", 16, rank=3, stretch=True),
    Column("changed", 20, rank=4, stretch=True),
)
FIGURES: Final = (
    ("trades", "trades", "{:,.0f}"),
    ("result_money", "result", "{:+,.2f}"),
    ("result_r", "result, R", "{:+.2f}"),
    ("expectancy_r", "mean, R", "{:+.3f}"),
    ("won_pct", "won, %", "{:.0f}"),
    ("profit_factor", "profit factor", "{:.2f}"),
    ("drawdown_pct", "max drawdown, %", "{:.2f}"),
    ("sharpe", "Sharpe", "{:.2f}"),
    ("costs_r", "costs, R", "{:+.2f}"),
    ("refused", "refused", "{:,.0f}"),
)
_MARKS: Final = {"fine": ("ok", "good"), "doubt": ("??", "warn"), "warning": ("!!", "bad")}
_BAR: Final = 16
_CURVE_ROWS: Final = 10


class BacktestReport(NamedTuple):
    """The essentials of one finished backtest."""

    name: str
    """Of its folder."""
    days: str
    currency: str
    complete: bool
    pairs: tuple[str, ...]
    changed: dict[str, str]
    figures: dict[str, float | None]
    refusals: dict[str, int]
    months: tuple[tuple[str, int, float, float], ...]
    """Name, trades, money, share of equity."""
    by_pair: dict[str, tuple[int, int, float | None, float]]
    """Trades, won, mean R, money."""
    times: tuple[int, ...]
    equity: tuple[float, ...]
    findings: tuple[tuple[str, str, str], ...]
    """Level, question, answer."""
    notes: tuple[str, ...]
    told: str
    """What it ran over, and how fast."""


def backtest_report_of(name: str, plain: Mapping[str, Any]) -> BacktestReport:
    """From the command's object. Raises KeyError, TypeError, ValueError where it is none."""
    days = f"{number_format.moment(plain['from_utc_ns'], '%Y-%m-%d')}..{number_format.moment(plain['to_utc_ns'] - 1, '%m-%d')}"
    pairs = plain["pair_figures"].items()
    return BacktestReport(
        name=clean(name),
        days=days,
        currency=clean(plain["currency"]),
        complete=bool(plain["complete"]),
        pairs=tuple(map(clean, plain["pairs"])),
        changed={clean(key): clean(value) for key, value in plain["settings_changed"].items()},
        figures={key: None if value is None else float(value) for key, value in plain["figures"].items()},
        refusals={clean(key): int(count) for key, count in plain["refusals"].items()},
        months=tuple(
            (clean(row["month"]), row["trades"], row["result_money"], row["result_fraction"]) for row in plain["months"]
        ),
        by_pair={clean(pair): (row["trades"], row["won"], row["expectancy_r"], row["net_money"]) for pair, row in pairs},
        times=tuple(int(point[0]) for point in plain["equity"]),
        equity=tuple(float(point[1]) for point in plain["equity"]),
        findings=tuple((one["level"], clean(one["name"]), clean(one["text"])) for one in plain["findings"]),
        notes=tuple(map(clean, plain["notes"])),
        told=clean(f"{plain['label']}, {plain['path']}: {plain['bars']:,} bars in {plain['elapsed_s']:.1f} s"),
    )


def backtest_list(reports: Sequence[BacktestReport], marked: str, width: int, glyphs: Glyphs) -> PanelContent:
    """Finished backtests, newest first; `marked` is the one to compare with."""
    if not reports:
        empty = "No backtest is finished yet: N asks for the days and runs one. The engine is not disturbed."
        return PanelContent((), [(Span(text, "muted"),) for text in wrapped(empty, width)], ["nothing"])
    head, rows = table(COLUMNS, (_row(one, one.name == marked, glyphs) for one in reports), width, glyphs)
    return PanelContent((head,), rows, [f"report:{one.name}" for one in reports], f"{len(reports)}")


def _row(one: BacktestReport, marked: bool, glyphs: Glyphs) -> tuple[Span, ...]:
    money, shares = one.figures.get("result_money"), one.figures
    changed = ", ".join(f"{key} {value}" for key, value in one.changed.items() if key != "desk.pairs")
    return (
        Span(f"{glyphs.cursor if marked else ' '}{one.days}", "strong" if marked else ""),
        Span(shown(money, "{:+,.2f}"), _tone(money)),
        Span(shown(shares.get("result_r"), "{:+.2f}"), _tone(shares.get("result_r"))),
        Span(shown(shares.get("trades"), "{:,.0f}")),
        Span(shown(shares.get("won_pct"), "{:.0f}%")),
        Span(shown(shares.get("drawdown_pct"), "{:.1f}%")),
        Span(shown(shares.get("profit_factor"), "{:.2f}")),
        Span("whole" if one.complete else "PARTIAL", "muted" if one.complete else "warn"),
        Span(" ".join(one.pairs), "muted"),
        Span(changed or "as shipped", "muted"),
    )


def backtest_report_lines(one: BacktestReport, width: int, glyphs: Glyphs) -> list[Line]:
    """Everything worth a look, from the top: result, doubts, curve, months, pairs, refusals, settings."""
    lines: list[Line] = [clip((Span(one.told, "muted"),), width, glyphs)]
    if not one.complete:
        lines.append((Span("PARTIAL: it was stopped before its end", "warn"),))
    lines += [clip((Span(f"note: {note}", "warn"),), width, glyphs) for note in one.notes]
    lines += [(), *_summary(one, width, glyphs)]
    lines += _section("Diagnosis", _findings(one, width))
    if len(one.equity) > 1:
        lines += _section(f"Equity, {one.currency}", curve_chart.equity_curve(one.times, one.equity, width, _CURVE_ROWS, glyphs))
    lines += _section(f"Months, {one.currency}", _months(one, width, glyphs))
    lines += _section("Pairs", _pairs(one, width, glyphs))
    lines += _section("Refused", _counts(one.refusals, width))
    changed = [clip((Span(f"{key} = {value}"),), width, glyphs) for key, value in one.changed.items()]
    return [*lines, *_section("Settings that differ from the shipped ones", changed or [(Span("none", "muted"),)])]


def compared_reports(first: BacktestReport, second: BacktestReport, width: int, glyphs: Glyphs) -> list[Line]:
    """Two runs side by side, the second against the first."""
    columns = (Column("", 18), Column("first", 14, right=True), Column("second", 14, right=True), Column("apart", 14, right=True))
    rows = []
    for key, title, form in FIGURES:
        one, other = first.figures.get(key), second.figures.get(key)
        apart = None if one is None or other is None else other - one
        signed = form if "+" in form else form.replace(":", ":+")
        rows.append(
            (Span(title), Span(shown(one, form)), Span(shown(other, form)), Span(shown(apart, signed), "accent" if apart else ""))
        )
    head, body = table(columns, rows, width, glyphs)
    lines: list[Line] = [
        clip(
            (Span("first   ", "title"), Span(f"{first.days} {' '.join(first.pairs)}"), Span(f"  {first.name}", "muted")),
            width,
            glyphs,
        ),
        clip(
            (Span("second  ", "title"), Span(f"{second.days} {' '.join(second.pairs)}"), Span(f"  {second.name}", "muted")),
            width,
            glyphs,
        ),
    ]
    if first.days != second.days or first.pairs != second.pairs:
        lines.append((Span("not the same days or pairs: the figures do not compare the settings", "warn"),))
    keys = dict.fromkeys((*first.changed, *second.changed))
    pairs = [(key, first.changed.get(key, "as shipped"), second.changed.get(key, "as shipped")) for key in keys]
    told = [
        clip((Span(f"{key}: "), Span(f"{old} {glyphs.level} {new}", "accent")), width, glyphs)
        for key, old, new in pairs
        if old != new
    ]
    reasons = dict.fromkeys((*first.refusals, *second.refusals))
    counts = [(reason, first.refusals.get(reason, 0), second.refusals.get(reason, 0)) for reason in reasons]
    moved = [
        clip((Span(f"{reason}: "), Span(f"{old} {glyphs.level} {new}", "accent")), width, glyphs)
        for reason, old, new in counts
        if old != new
    ]
    same = [(Span("the same", "muted"),)]
    return [*lines, (), head, *body, *_section("Settings", told or same), *_section("Refused", moved or same)]


def shown(value: float | None, form: str) -> str:
    """A figure, or a dash."""
    return "-" if value is None else form.format(value)


def _tone(value: float | None) -> str:
    return "" if not value else "good" if value > 0 else "bad"


def _section(title: str, lines: Sequence[Line]) -> list[Line]:
    return [(), (Span(title, "title"),), *lines]


def _summary(one: BacktestReport, width: int, glyphs: Glyphs) -> list[Line]:
    cells = [f"{title} {shown(one.figures.get(key), form)}" for key, title, form in FIGURES]
    cells[1] = f"{cells[1]} {one.currency}"
    across = max(width // 26, 1)
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    return [clip((Span("".join(f"{cell:<26}" for cell in row).rstrip()),), width, glyphs) for row in rows]


def _findings(one: BacktestReport, width: int) -> list[Line]:
    lines: list[Line] = []
    for level, name, text in one.findings:
        mark, role = _MARKS.get(level, ("? ", "warn"))
        for number, part in enumerate(wrapped(f"{name}: {text}", max(width - 3, 8))):
            lines.append((Span(f"{mark} " if number == 0 else "   ", role), Span(part)))
    return lines or [(Span("none was made", "muted"),)]


def _months(one: BacktestReport, width: int, glyphs: Glyphs) -> list[Line]:
    most = max((abs(money) for _, _, money, _ in one.months), default=0.0) or 1.0
    lines: list[Line] = []
    for month, trades, money, share in one.months:
        bar = meter(abs(money) / most, _BAR, glyphs) if money else glyphs.gap * _BAR
        spans = (
            Span(f"{month} {trades:>4} trades {money:>+12,.2f} {100 * share:>+7.2f}% ", _tone(money)),
            Span(bar, _tone(money)),
        )
        lines.append(clip(spans, width, glyphs))
    return lines or [(Span("none", "muted"),)]


def _pairs(one: BacktestReport, width: int, glyphs: Glyphs) -> list[Line]:
    ranked = sorted(one.by_pair.items(), key=lambda item: -item[1][3])
    return [
        clip(
            (
                Span(f"{pair:<10} {trades:>4} trades, won {won:>4}, mean {shown(mean, '{:+.3f}'):>7} R "),
                Span(f"{money:>+12,.2f} {one.currency}", _tone(money)),
            ),
            width,
            glyphs,
        )
        for pair, (trades, won, mean, money) in ranked
    ] or [(Span("no trade", "muted"),)]


def _counts(counts: Mapping[str, int], width: int) -> list[Line]:
    text = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])) or "nothing"
    return [(Span(part),) for part in wrapped(text, width)]
