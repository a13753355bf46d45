"""How the desk shares out rows and columns: prices, positions and limits first, charts from what is left over.

Promises: no panel gets more rows than it fills while another of them hides some; what a width shows, a greater width shows too.
Does not: know widgets (`tui.screens.desk_screen` sets what is decided here).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.tui.view import pairs_panel

TABLE_EDGE, FRAME_EDGE = 3, 2
"""Rows of a frame with a table's title line in it, and of a frame alone."""
SIGNALS_MIN: Final = 7
"""Rows that signals need under the pairs."""
TOP_MIN, POSITIONS_MIN, BOTTOM_MIN = 6, 5, 6
RISK_WIDTH_MAX, LOG_WIDTH = 54, 102
CANDLES_MIN, CANDLES_MAX, EQUITY_MIN, EQUITY_MAX = 44, 120, 40, 80


class PanelRows(NamedTuple):
    """Rows of each panel's body that there are to show."""

    pairs: int
    signals: int
    positions: int
    risk: int


class DeskHeights(NamedTuple):
    """Rows of the three bands with their frames, and whether signals are under the pairs; `pairs` is 0 where they are beside."""

    top: int
    positions: int
    bottom: int
    stacked: bool
    pairs: int


class ChartWidths(NamedTuple):
    """Cells for the charts, 0 where there is no room, and for the risk budget."""

    candles: int
    equity: int
    risk: int


def positions_fit(room: int, rows: int) -> bool:
    """Whether the positions panel can show every row in a room without the strip: the strip must not decide on itself."""
    return rows + TABLE_EDGE <= max(room - TOP_MIN - BOTTOM_MIN, POSITIONS_MIN)


def desk_heights(room: int, rows: PanelRows, *, strip: bool, chart: bool) -> DeskHeights:
    """Share `room` out; with the `strip` in sight the positions panel repeats it and gets what others leave.

    A `chart` beside pairs and signals gets half of what nobody needs; the log has the rest.
    """
    own = max(rows.positions, 1) + TABLE_EDGE
    left = room - (POSITIONS_MIN if strip else own) - rows.pairs - TABLE_EDGE - rows.risk - FRAME_EDGE
    stacked = left >= SIGNALS_MIN
    top_whole = rows.pairs + 2 * TABLE_EDGE + max(rows.signals, 1) if stacked else max(rows.pairs, rows.signals) + TABLE_EDGE
    needs = {"top": rows.pairs + TABLE_EDGE + (SIGNALS_MIN if stacked else 0), "bottom": rows.risk + FRAME_EDGE}
    shares = {"top": min(top_whole, TOP_MIN), "positions": min(own, POSITIONS_MIN), "bottom": BOTTOM_MIN}
    spare = room - sum(shares.values())
    if not strip:
        spare = _give(shares, {"positions": own}, spare)
    spare = _give(shares, needs, spare)
    spare = _give(shares, {"top": top_whole}, spare)
    spare = _give(shares, {"positions": own}, spare)
    shares["top"] += spare // 2 if stacked and chart else 0
    shares["bottom"] += spare - spare // 2 if stacked and chart else spare
    return DeskHeights(shares["top"], shares["positions"], shares["bottom"], stacked, rows.pairs + TABLE_EDGE if stacked else 0)


def _give(shares: dict[str, int], needs: dict[str, int], spare: int) -> int:
    """Give `spare` rows one by one in turn to those below their need; returns the rest."""
    while spare > 0 and (short := [name for name, need in needs.items() if shares[name] < need]):
        for name in short[:spare]:
            shares[name] += 1
            spare -= 1
    return spare


def chart_widths(width: int, *, stacked: bool) -> ChartWidths:
    """What is left for charts beside pairs that show every column, and beside a log of whole lines."""
    beside = width - pairs_panel.FULL_WIDTH - FRAME_EDGE if stacked else 0
    risk = min(width * 2 // 5, RISK_WIDTH_MAX)
    curve = width - risk - LOG_WIDTH
    return ChartWidths(
        min(beside, CANDLES_MAX) if beside >= CANDLES_MIN else 0, min(curve, EQUITY_MAX) if curve >= EQUITY_MIN else 0, risk
    )
