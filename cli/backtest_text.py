"""Findings and comparisons of backtests as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from quarterdeck.core.backtest.compare import RunDifference
from quarterdeck.core.backtest.diagnosis import DiagnosisFinding
from quarterdeck.core.clock.wall import iso

_MARKS = {"fine": "ok", "doubt": "??", "warning": "!!"}
_WIDTH = 100
_TRADES_SHOWN = 8


def finding_lines(findings: Sequence[DiagnosisFinding]) -> list[str]:
    """One finding a paragraph, its mark in front."""
    lines = []
    for one in findings:
        first, *more = wrap(f"{one.name} {one.text}", _WIDTH)
        lines.append(f"{_MARKS[one.level]}        {first}")
        lines.extend(f"          {line}" for line in more)
    return lines


def comparison_lines(difference: RunDifference, first: str, second: str) -> list[str]:
    """What differs, a line a matter."""
    if difference.same_trades:
        return [f"same trades as {first}"]
    lines = [f"compared with {first}:"]
    if difference.days[0] != difference.days[1]:
        lines.append(f"  days: {difference.days[0]} -> {difference.days[1]}; other days alone make other trades")
    lines.extend(f"  {key}: {old} -> {new}" for key, (old, new) in difference.settings.items())
    lines.extend(f"  {name}: {_number(old)} -> {_number(new)}" for name, (old, new) in difference.figures.items() if old != new)
    lines.extend(f"  refused for {reason}: {old} -> {new}" for reason, (old, new) in difference.refusals.items())
    for name, trades in ((first, difference.only_first), (second, difference.only_second)):
        lines.append(f"  only in {name}: {len(trades)} trades")
        for trade in trades[:_TRADES_SHOWN]:
            at = iso(trade.opened_utc_ns)[:16].replace("T", " ")
            held = f"{at} {trade.symbol} {trade.side.word} {trade.lots:g} {trade.open_price:g} to {trade.close_price:g}"
            lines.append(f"    {held}, {trade.reason}, {trade.result_r:+.2f} R")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
