"""The traded pairs: quote, spread against its usual, regime, trend, what the last bar said, and how fresh all that is."""

from __future__ import annotations

from typing import Final

from quarterdeck.core.model.snapshot import DeskView, PairView
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.tui.view import number_format
from quarterdeck.tui.view.lines import Column, Glyphs, PanelContent, Span, table

COLUMNS: Final = (
    # what moves stands left: a row is sent from its left edge to its last changed cell
    Column("pair", 7, whole=True),
    Column("bid", 9, right=True, whole=True),
    Column("ask", 9, right=True, rank=1, whole=True),
    Column("age", 5, right=True, whole=True),
    Column("spread", 6, right=True, rank=2, whole=True),
    Column("usual", 5, right=True, rank=5, whole=True),
    Column("ATR", 5, right=True, rank=7, whole=True),
    Column("regime", 7, rank=6),
    Column("H1", 6, rank=4),
    Column("M15", 12, rank=8, want=16),
    Column("last bar", 12, rank=3, stretch=True, want=20),
)
FULL_WIDTH: Final = sum(max(column.width, column.want) + 1 for column in COLUMNS) - 1
"""Cells in which every column has the words it wants."""
FRESH_NS: Final = 10 * NS_PER_S
"""Younger quotes are not distinguished: the seconds would change every row at every paint."""
ARROWS: Final = {"up": "up", "down": "down", "flat": "level"}


def sheet(desk: DeskView, width: int, glyphs: Glyphs) -> PanelContent:
    """The panel, in the order of the settings."""
    head, body = table(COLUMNS, (_row(pair, desk, glyphs) for pair in desk.pairs), width, glyphs)
    open_pairs = sum(pair.session_open for pair in desk.pairs)
    stale = sum(pair.stale for pair in desk.pairs)
    note = f"{open_pairs} of {len(desk.pairs)} open" + (f", {stale} STALE" if stale else "")
    return PanelContent((head,), body, [f"pair:{pair.symbol}" for pair in desk.pairs], note)


def trend_words(trend: str, glyphs: Glyphs) -> str:
    """A trend as sign and word."""
    return f"{getattr(glyphs, ARROWS[trend])} {trend}" if trend in ARROWS else "?"


def _row(pair: PairView, desk: DeskView, glyphs: Glyphs) -> tuple[Span, ...]:
    ratio = number_format.share(pair.spread_pips, pair.typical_spread_pips)
    wide = ratio is not None and ratio > 2
    dull = not pair.session_open
    trend_role = {"up": "good", "down": "bad"}.get(pair.h1_trend, "muted")
    regime_role = "warn" if pair.regime == "high" else "muted" if pair.regime in ("low", "unknown") else ""
    return (
        Span(pair.symbol, "muted" if dull else "strong"),
        Span(number_format.price(pair.bid, pair.digits), "muted" if dull or pair.stale else ""),
        Span(number_format.price(pair.ask, pair.digits), "muted" if dull or pair.stale else ""),
        _age(pair, desk),
        Span(number_format.pips(pair.spread_pips), "warn" if wide else ""),
        Span(number_format.times(ratio), "warn" if wide else "muted"),
        Span(number_format.pips(pair.atr_pips), "muted"),
        Span("?" if pair.regime == "unknown" else pair.regime, regime_role),
        Span(trend_words(pair.h1_trend, glyphs), trend_role),
        Span(pair.m15_state, "muted"),
        _verdict(pair),
    )


def _verdict(pair: PairView) -> Span:
    if pair.entries_blocked:
        return Span(f"blocked: {pair.entries_blocked}", "warn")
    role = "good" if pair.verdict.startswith("entered") else "muted" if pair.verdict.startswith(("none", "no ")) else ""
    return Span(pair.verdict, role)


def _age(pair: PairView, desk: DeskView) -> Span:
    if not pair.session_open:
        return Span("shut", "muted")
    if pair.quote_utc_ns <= 0:
        return Span("none", "warn")
    passed = desk.at_utc_ns - pair.quote_utc_ns
    age = "<10s" if passed < FRESH_NS and not pair.stale else number_format.span(passed)
    return Span(f"{age}!", "alarm") if pair.stale else Span(age, "muted")
