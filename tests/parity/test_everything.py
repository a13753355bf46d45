"""Replay and backtest row by row: trades, refusals with their numbers, marks of equity; short cases always, the year in `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.everything import CASES, PROVOKED, Case, missing, run_case

SHORT = [
    case
    for case in PROVOKED
    if case.name
    in ("a coin on both sides, closed by the next", "a coin that reverses, on netting", "a broker that stops out early")
]


@pytest.mark.slow
@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.name)
def test_what_seldom_happens_happens_alike(case: Case, recorded_data: Path) -> None:
    outcome = run_case(case, recorded_data)
    assert not outcome.differing
    assert outcome.result.trades
    assert outcome.result.rejected


@pytest.mark.soak
def test_a_year_with_everything_on_trades_alike_and_brings_every_kind(recorded_data: Path) -> None:
    outcomes = [run_case(case, recorded_data) for case in (*CASES, *PROVOKED)]
    assert not [(outcome.case.name, outcome.differing) for outcome in outcomes if outcome.differing]
    assert sum(len(outcome.result.trades) for outcome in outcomes[: len(CASES)]) >= 300
    assert missing(outcomes) == ([], [])
