"""What befalls an account in a fortnight, drawn by a seed and reconciled by SQL that shares no code with the product."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.sim.fortnight import FORTNIGHT_H, SOAK, live_through
from tests.sim.reconciliation import Reconciliation

NOTHING_WRONG = Reconciliation()


@pytest.mark.slow
def test_hours_of_hands_money_outages_and_kills_reconcile(tmp_path: Path) -> None:
    figures = live_through(tmp_path / "home", 4, 5.0, event_h=0.5)
    assert figures.found == NOTHING_WRONG, figures
    assert figures.trades
    assert sum(figures.events.values()) > 4


@pytest.mark.soak
@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by signal")
@pytest.mark.parametrize("seed", [17, 18])
def test_a_fortnight_over_the_gateway_reconciles(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = live_through(tmp_path / "home", seed, FORTNIGHT_H, **SOAK)
    with capsys.disabled():
        print(f"\n{figures}")
    assert figures.found == NOTHING_WRONG, figures
