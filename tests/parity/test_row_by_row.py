"""Replay and backtest row by row: trades, refusals with their numbers, marks of equity; short cases always, the year in `make soak`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks._busy import ASIDES, ShortRun
from benchmarks._refusals import ELSEWHERE, POSSIBLE
from benchmarks.backtest import aside_refusals
from quarterdeck.core.desk.trading_state import WAYS_BACK
from tests.parity.row_comparison import CASES, PROVOKED, Case, missing, run_case

SHORT = [
    case
    for case in PROVOKED
    if case.name
    in (
        "a coin on both sides, closed by the next",
        "a coin that reverses, on netting",
        "a broker that stops out early",
        "minutes that are missing",
    )
]

TOLD = {
    "risk_base", "risk_asked", "loss_per_lot", "lots_by_risk", "effective_risk", "stop_distance", "kelly_trades", "kelly_risk",
    "kelly_optimum", "kelly_shrunk", "kelly_used", "stop_floor_atr", "stop_floor_broker", "stop_floor_spread",
}  # fmt: skip
"""Steps that say a number and never refuse under their own name."""
CORE = Path(__file__).resolve().parents[2] / "core"


def checks_of_the_desk() -> set[str]:
    """Every name that a check or a cap is given in the packages that judge an entry."""
    found = set()
    for file in (file for room in ("desk", "filters", "risk") for file in (CORE / room).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Check", "VolumeCap")
                and node.args
            ):
                match node.args[0]:
                    case ast.Constant(value=str(name)):
                        found.add(name)
                    case ast.JoinedStr(values=[ast.Constant(value=str(name)), *_]):
                        found.add(name)
    return found


def test_every_refusal_reason_is_listed_or_impossible_in_backtests() -> None:
    known = {*POSSIBLE, *ELSEWHERE}
    assert len(known) == len(POSSIBLE) + len(ELSEWHERE)
    assert checks_of_the_desk() - TOLD <= known
    assert set(WAYS_BACK) <= known


@pytest.mark.slow
@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.name)
def test_what_seldom_happens_happens_alike(case: Case, recorded_data: Path) -> None:
    outcome = run_case(case, recorded_data)
    assert not outcome.differing
    assert outcome.result.trades
    assert outcome.result.rejected


@pytest.mark.soak
def test_full_year_trades_alike_and_covers_every_kind(recorded_data: Path) -> None:
    outcomes = [run_case(case, recorded_data) for case in (*CASES, *PROVOKED)]
    assert not [(outcome.case.name, outcome.differing) for outcome in outcomes if outcome.differing]
    assert sum(len(outcome.result.trades) for outcome in outcomes[: len(CASES)]) >= 300
    assert missing(outcomes) == ([], [])


@pytest.mark.soak
@pytest.mark.parametrize("aside", ASIDES, ids=lambda aside: aside.wanted[0])
def test_short_benchmark_run_produces_its_intended_refusals(aside: ShortRun) -> None:
    refusals = aside_refusals(aside)
    assert all(refusals.get(reason) for reason in aside.wanted), refusals
