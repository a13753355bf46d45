"""A finished backtest in one small object: what a screen, a list of reports and a comparison of two need, without the trades.

Promises: plain data; bounded whatever the run's length; the same figures as the report's page. Does not: judge (`diagnosis`).
Units: money in account currency, instants UTC ns, shares as fractions but where a name says `_pct`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.backtest import result_tables
from quarterdeck.core.backtest.compare import headline_figures
from quarterdeck.core.backtest.diagnosis import DiagnosisFinding
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.model.errors import UNREADABLE

RESULT_JSON_NAME = "essentials.json"
POINTS_MAX = 400
"""Of the equity curve."""
MONTHS_MAX = 600


def result_json(result: BacktestResult, findings: Sequence[DiagnosisFinding]) -> dict[str, Any]:
    """For scripts and screens: one object, as docs/backtest.md tells it."""
    points = result_tables.equity_points(result)
    step = max(1, -(-len(points) // (POINTS_MAX - 1)))
    kept = [*points[::step], *(points[-1:] if (len(points) - 1) % step else ())]
    return {
        **msgspec.to_builtins(result.summary),
        "label": result.label,
        "pairs": list(result.pairs),
        "from_utc_ns": result.from_utc_ns,
        "to_utc_ns": result.to_utc_ns,
        "currency": result.currency,
        "start_money": result.start_money,
        "complete": result.complete,
        "ended": result.ended,
        "path": result.path,
        "strategy": result.strategy,
        "code_version": result.code_version,
        "bars": result.bars,
        "bars_fed": result.bars_fed,
        "elapsed_s": round(result.elapsed_s, 3),
        "bars_per_s": round(result.bars_per_s),
        "settings_changed": dict(result.changed),
        "figures": headline_figures(result),
        "months": [msgspec.to_builtins(row) for row in result_tables.months(result)[-MONTHS_MAX:]],
        "pair_figures": {pair: msgspec.to_builtins(row) for pair, row in result_tables.by_pair(result).items()},
        "equity": [[point.at_utc_ns, round(point.equity_money, 2)] for point in kept],
        "findings": [msgspec.to_builtins(one) for one in findings],
        "notes": list(result.notes),
    }


def write_result_json(folder: Path, plain: dict[str, Any]) -> None:
    """Beside the report. Raises OSError."""
    (folder / RESULT_JSON_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n")


def read_findings(folder: Path) -> list[DiagnosisFinding]:
    """What was found when the report in that folder was written; nothing where it does not say."""
    try:
        return msgspec.json.decode((folder / RESULT_JSON_NAME).read_bytes(), type=_Findings).findings
    except (OSError, *UNREADABLE):
        return []


class _Findings(Struct):
    """The part of the file that is read back."""

    findings: list[DiagnosisFinding] = []
