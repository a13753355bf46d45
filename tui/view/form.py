"""What a backtest is asked for, as a form of lines: prices, pairs, days, changed settings, the way inside a bar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from quarterdeck.tui.view.lines import Glyphs, Line, Sheet, Span, clean, clip


class Ask(NamedTuple):
    """One line of the form."""

    key: str
    title: str
    hint: str
    option: str


ASKS: Final = (
    Ask("data", "prices", "a folder of recorded candles; several with a semicolon", "--data"),
    Ask("pairs", "pairs", "EURUSD,GBPUSD; empty: as in the settings", "--pairs"),
    Ask("from", "from day", "2024-01-31 UTC, inclusive; empty: the first there is", "--from"),
    Ask("to", "to day", "2024-12-31 UTC, inclusive; empty: the last there is", "--to"),
    Ask("set", "settings", "risk.risk_per_trade_pct=0.5; more with a semicolon; empty: none", "--set"),
    Ask("path", "inside a bar", "pessimistic, neutral or optimistic; empty: as in the settings", "--path"),
)
SEVERAL: Final = frozenset(("data", "set"))


def words(values: Mapping[str, str]) -> list[str]:
    """The command that the form asks for."""
    found = ["backtest"]
    for ask in ASKS:
        text = values.get(ask.key, "").strip()
        parts = [part.strip() for part in text.split(";")] if ask.key in SEVERAL else [text]
        for part in parts:
            if part:
                found += [ask.option, part]
    return found


def missing(values: Mapping[str, str]) -> str:
    """What must be filled in first; empty when nothing must."""
    return "" if values.get("data", "").strip() else "name the folder of prices first: Enter on `prices`"


def sheet(values: Mapping[str, str], width: int, glyphs: Glyphs) -> Sheet:
    """The form."""
    lines: list[Line] = []
    for ask in ASKS:
        text = clean(values.get(ask.key, ""))
        spans = (Span(f" {ask.title:<13}", "title"), Span(text, "strong") if text else Span(ask.hint, "muted"))
        lines.append(clip(spans, width, glyphs))
    lines.append((Span(" run it", "accent"), Span("  below everybody's priority; the engine trades on", "muted")))
    return Sheet((), lines, [*(f"ask:{ask.key}" for ask in ASKS), "go"], "Enter changes a line")
