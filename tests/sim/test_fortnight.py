"""What befalls an account in a fortnight, drawn by a seed and reconciled by SQL that shares no code with the product."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.sim.fortnight import FORTNIGHT_H, SOAK, Reconciliation, live_through

NOTHING_WRONG = Reconciliation(lost=0, doubled=0, orphans=0, wrong_trips=0, missed_exits=0, report_differs=0)


@pytest.mark.slow
def test_hours_of_hands_money_outages_and_kills_reconcile(tmp_path: Path) -> None:
    figures = live_through(tmp_path / "home", 4, 5.0, event_h=0.5)
    assert figures.found == NOTHING_WRONG, figures
    assert figures.trades
    assert sum(figures.events.values()) > 4


@pytest.mark.soak
@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by signal")
def test_a_fortnight_over_the_gateway_reconciles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = live_through(tmp_path / "home", 17, FORTNIGHT_H, **SOAK)
    with capsys.disabled():
        print(f"\n{figures}")
    assert figures.found == NOTHING_WRONG, figures
