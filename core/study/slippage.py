"""How far fills were from the quote they were sent at, as the broker gave them: what a replay should assume of slippage.

Promises: one account in one mode, the newest that a broker filled for; made-up markets never count.
Does not: know exits: a stop's slippage is the market's gap, and a close's quote is in its trade's story.
Units: pips against you are positive.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.pips import pip_price
from quarterdeck.core.model.units import Pips, Price

FILLS_MAX = 200
_DIGITS = 5
"""Of any pair of currencies; metals have a rule of their own."""
_BY_A_BROKER = ("real", "demo")


class Slippage(Struct, frozen=True, kw_only=True):
    """The newest entries of one account."""

    mode: str
    fills: int
    mean_pips: Pips
    worst_tenth_pips: Pips
    """Nine in ten were better."""


def measured_slippage(reader: TapeReader, pips: Mapping[str, Price]) -> Slippage | None:
    """Of the last fills by a broker; None where there was none. `pips` are the operator's own sizes of a pip."""
    run = next((run for run in reversed(reader.runs()) if run.mode in _BY_A_BROKER), None)
    if run is None:
        return None
    sql = f"""SELECT symbol, side, open_price, quoted_price FROM positions WHERE signal_id NOT LIKE 'adopted:%' AND run IN
        (SELECT run FROM runs WHERE mode = ? AND account = ? AND server = ?) ORDER BY run DESC, seq DESC LIMIT {FILLS_MAX}"""
    found = sorted(
        Side(side) * (opened - quoted) / pip_price(symbol, symbol[:3], symbol[3:6], _DIGITS, pips.get(symbol))
        for symbol, side, opened, quoted in reader.rows(sql, run.mode, run.account, run.server)
    )
    if not found:
        return None
    return Slippage(
        mode=run.mode,
        fills=len(found),
        mean_pips=round(sum(found) / len(found), 3),
        worst_tenth_pips=round(found[min(len(found) * 9 // 10, len(found) - 1)], 3),
    )
