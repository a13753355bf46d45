"""What a backtest is asked for, as a form of lines: prices, pairs, days, changed settings, the way inside a bar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from quarterdeck.tui.view.lines import Glyphs, Line, PanelContent, Span, clean, clip


class FormField(NamedTuple):
    """One line of the form."""

    key: str
    title: str
    hint: str
    option: str


FORM_FIELDS: Final = (
    FormField("data", "prices", "a folder of recorded candles; several with a semicolon", "--data"),
    FormField("pairs", "pairs", "EURUSD,GBPUSD; empty: as in the settings", "--pairs"),
    FormField("from", "from day", "2024-01-31 UTC, inclusive; empty: the first there is", "--from"),
    FormField("to", "to day", "2024-12-31 UTC, inclusive; empty: the last there is", "--to"),
    FormField("set", "settings", "risk.risk_per_trade_pct=0.5; more with a semicolon; empty: none", "--set"),
    FormField("path", "inside a bar", "pessimistic, neutral or optimistic; empty: as in the settings", "--intrabar"),
)
MULTI_VALUE_KEYS: Final = frozenset(("data", "set"))


def command_words(values: Mapping[str, str]) -> list[str]:
    """The command that the form asks for."""
    found = ["backtest"]
    for ask in FORM_FIELDS:
        text = values.get(ask.key, "").strip()
        parts = [part.strip() for part in text.split(";")] if ask.key in MULTI_VALUE_KEYS else [text]
        for part in parts:
            if part:
                found += [ask.option, part]
    return found


def missing_input(values: Mapping[str, str]) -> str:
    """What must be filled in first; empty when nothing must."""
    return "" if values.get("data", "").strip() else "name the folder of prices first: Enter on `prices`"


def sheet(values: Mapping[str, str], width: int, glyphs: Glyphs) -> PanelContent:
    """The form."""
    lines: list[Line] = []
    for ask in FORM_FIELDS:
        text = clean(values.get(ask.key, ""))
        spans = (Span(f" {ask.title:<13}", "title"), Span(text, "strong") if text else Span(ask.hint, "muted"))
        lines.append(clip(spans, width, glyphs))
    lines.append((Span(" run it", "accent"), Span("  below everybody's priority; the engine trades on", "muted")))
    return PanelContent((), lines, [*(f"ask:{ask.key}" for ask in FORM_FIELDS), "go"], "Enter changes a line")
