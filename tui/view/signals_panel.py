"""Candidates and what became of them, newest first, and the checks of one of them number by number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.snapshot import DeskView, SignalView
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Column, Glyphs, Line, PanelContent, Span, clip, fit, table, width_of, wrapped
from quarterdeck.tui.view.number_format import same_day

COLUMNS: Final = (
    Column("time", 5),
    Column("pair", 7, whole=True),
    Column("side", 4),
    Column("conf", 4, right=True, rank=1, whole=True),
    Column("outcome", 7),
    Column("why", 10, stretch=True),
)
OUTCOME_ROLES: Final = {"entered": "good", "refused": "", "waiting": "accent"}
_FIGURE: Final = re.compile(r"[-+]?(\d|inf|nan)")
"""How a text begins that is a number first, of whichever sign."""
_AT_AN_HOUR: Final = re.compile(r"([0-9.]+)(?: against|, limit) [0-9.]+ (.+)")


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel."""
    head, body = table(COLUMNS, (_row(signal, desk, glyphs) for signal in desk.signals), width, glyphs)
    keys = [key_of(signal) for signal in desk.signals]
    entered = sum(signal.outcome == "entered" for signal in desk.signals)
    note = f"{entered} entered of {len(desk.signals)}" if desk.signals else "none yet"
    if not desk.signals:
        text = "No candidate yet: the desk looks at each closed M15 bar."
        nothing: list[Line] = [(Span(part, "muted"),) for part in wrapped(text, width)]
        return PanelContent((head,), nothing, ["nothing"], note)
    return PanelContent((head,), body, keys, note)


def key_of(signal: SignalView) -> str:
    """A candidate's identity on the screen."""
    return f"signal:{signal.symbol}:{signal.bar_open_utc_ns}:{signal.side.word}"


def check_lines(checks: Iterable[Check], width: int, glyphs: Glyphs, *, whole: bool = False) -> tuple[Line, ...]:
    """Each check with number, threshold and verdict; a verdict is a word, not only a colour. `whole` breaks notes, never cuts."""
    lines: list[Line] = []
    for check in checks:
        value = "" if check.value is None else f"{check.value:.4g}"
        bound = "" if check.threshold is None else f"/ {check.threshold:.4g}"
        verdict = Span("passed " if check.passed else "REFUSED", "good" if check.passed else "bad")
        name = fit(check.name, min(22, max(width // 3, 8)), glyphs)
        margin: Line = (verdict, Span(f" {name} {value:>9} {bound:<11} "))
        if not whole:
            lines.append(clip((*margin, Span(check.note, "muted")), width, glyphs))
            continue
        indent = width_of(margin)
        for text in wrapped(check.note, max(width - indent, 16)):
            lines.append(clip((*margin, Span(text, "muted")), width, glyphs))
            margin = (Span(" " * indent),)
    return tuple(lines)


def _row(signal: SignalView, desk: DeskView, glyphs: Glyphs) -> tuple[Span, ...]:
    return (
        Span(
            number_format.moment(signal.decided_utc_ns, "%H:%M" if same_day(signal.decided_utc_ns, desk.at_utc_ns) else "%a"),
            "muted",
        ),
        Span(signal.symbol, "strong"),
        Span(signal.side.word, "good" if signal.side is Side.BUY else "bad"),
        Span(f"{signal.confidence:.2f}"),
        Span(signal.outcome, OUTCOME_ROLES[signal.outcome]),
        Span(verdict_words(signal), "" if signal.outcome == "entered" else "muted"),
    )


def verdict_words(signal: SignalView) -> str:
    """The words of the verdict; bare numbers are led by the name of the check, for "2 against 1" says nothing."""
    name = signal.reason.replace("_", " ")
    clock = _AT_AN_HOUR.fullmatch(signal.text) if signal.reason == "hours" else None
    if clock is not None:  # 6.75 against 7 are hours of a day
        hour = float(clock[1])
        return f"{name}: {int(hour):02d}:{round(hour % 1 * 60):02d}, entries {clock[2]}"
    return f"{name} {signal.text}" if _FIGURE.match(signal.text) and signal.outcome != "entered" else signal.text or name
