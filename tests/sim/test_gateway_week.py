"""The engine over a gateway's real processes, killed, frozen, garbled and cut off at random moments: one book, all money reported.

What is checked at every step is in `watch`; what ledger and journal wrote down is compared in `gateway_week.compare`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.sim.gateway_week import BLOWS, SOAK, WEEK_H, live_through

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot freeze a process by signal"),
]


def test_an_hour_of_blows_ends_in_one_book(tmp_path: Path) -> None:
    figures = live_through(tmp_path / "home", 4, 1.0, at_orders=0.5, at_reads=0.0, mean_h=0.5)
    print(figures)
    assert figures.filled >= 3
    assert sum(figures.blows.values()) >= 3
    assert figures.children >= 2


@pytest.mark.soak
@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
def test_a_week_of_blows_ends_in_one_book(hedging: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = live_through(tmp_path / "home", 11 + hedging, WEEK_H, simulation__hedging=hedging, **SOAK)
    with capsys.disabled():
        print(f"\n{'hedging' if hedging else 'netting'}: {figures}")
    assert set(figures.blows) == set(BLOWS)
    assert figures.filled > 300
    assert figures.unknown > 20
    assert figures.absent
