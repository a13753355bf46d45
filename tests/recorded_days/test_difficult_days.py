"""Days that broke others: a Friday of payrolls with a hole in the data before it, the weekend after, and the Monday of the yen.

What filters and breakers did is read from the ledger, as an operator would read it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from quarterdeck.cli.main import main
from tests.recorded_days.conftest import Replay, Replayed

NS = 1_000_000_000
HOLE_BAR = 1_722_578_400 * NS
"""2024-08-02 06:00 UTC: the first bar after the outage that began at 2024-08-01 23:15."""
FRIDAY_CLOSE = 1_722_632_400 * NS
"""2024-08-02 21:00 UTC, 17:00 New York."""
SUNDAY_OPEN = 1_722_805_200 * NS
FRIDAY_NOON_NEW_YORK = 1_722_614_400 * NS
MONDAY = 1_722_816_000 * NS


@pytest.fixture(scope="module")
def august(replayed: Replay) -> Replayed:
    """With the threshold of confidence down, so that every candidate meets all filters."""
    return replayed("m15", "2024-08-01", "2024-08-05", "--set", "strategy.confidence_min=0.0")


def entries(run: Replayed) -> list[dict[str, Any]]:
    return run.rows("SELECT at_utc_ns, symbol FROM intents WHERE kind = 'submit' ORDER BY seq")


@pytest.mark.slow
def test_nothing_is_entered_on_the_bar_after_the_hole(august: Replayed, capsys: pytest.CaptureFixture[str]) -> None:
    end = HOLE_BAR + 900 * NS
    assert not [row for row in entries(august) if end <= row["at_utc_ns"] < end + 900 * NS]
    judged = august.rows("SELECT symbol, reason FROM verdicts WHERE bar_open_utc_ns = ? AND outcome != 'none'", HOLE_BAR)
    for row in judged:
        capsys.readouterr()
        assert main(["why", row["symbol"], "2024-08-02T06:00", "--home", str(august.home)]) == 0
        assert "FAILED  hole (bars are missing before this one)" in capsys.readouterr().out


@pytest.mark.slow
def test_fridays_last_signal_does_not_fill_on_sunday(august: Replayed) -> None:
    late = "SELECT symbol, bar_open_utc_ns, outcome, reason FROM verdicts WHERE bar_open_utc_ns >= ? AND bar_open_utc_ns < ?"
    after_noon = august.rows(late, FRIDAY_NOON_NEW_YORK, SUNDAY_OPEN)
    assert after_noon, "the strategy continued asking"
    assert all(row["outcome"] != "entered" for row in after_noon)
    assert {"weekend", "hours"} & {row["reason"] for row in after_noon}
    assert not [row for row in entries(august) if FRIDAY_NOON_NEW_YORK <= row["at_utc_ns"] < MONDAY]
    assert not august.rows("SELECT 1 FROM deals WHERE at_utc_ns > ? AND at_utc_ns < ?", FRIDAY_CLOSE, MONDAY), (
        "flat over the weekend"
    )


@pytest.mark.slow
def test_yen_monday_is_refused_for_volatility_with_its_figure(august: Replayed, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["why", "USDJPY", "--last", "500", "--home", str(august.home), "--json"]) == 0
    bars = json.loads(capsys.readouterr().out.splitlines()[-1])["bars"]
    monday = [bar for bar in bars if bar["bar_open_utc_ns"] >= MONDAY]
    assert monday
    found = [(bar["outcome"], {check["name"]: check for check in bar["judgements"][-1]["verdict"]["checks"]}) for bar in monday]
    assert {outcome for outcome, _ in found} == {"refused"}
    assert all(
        not (checks["atr_wild"]["passed"] and checks["atr_price"]["passed"] and checks["hours"]["passed"]) for _, checks in found
    )
    assert any(checks["atr_price"]["value"] > checks["atr_price"]["threshold"] == 0.002 for _, checks in found)


@pytest.mark.slow
def test_no_day_loses_more_than_its_breaker(august: Replayed) -> None:
    assert august.summary["worst_day_money"] > -0.05 * 10_000.0
    assert august.rows("SELECT min(day_result_money) AS low FROM equity")[0]["low"] > -0.05 * 10_000.0
