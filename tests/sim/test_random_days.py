"""Days drawn from a seed: which account, which faults and how strong; after the calm there is one book and all money is reported.

What is checked at every step is in `watch`. `python -m tests.sim SEED` lives through one of them with words.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.core.model.effects import Effect
from tests.conftest import CHECKOUT
from tests.sim.__main__ import CRASHED, FINE, LAW_BROKEN, STUCK, lived
from tests.sim.random_day import Day, live_through
from tests.sim.simulated_engine import Stuck, World

DAYS, A_FEW = 200, 5
SOAKED, MANY = 3_000, 50


@pytest.mark.parametrize("first", range(0, DAYS, A_FEW))
def test_a_bad_day_ends_in_one_book(first: int, tmp_path: Path) -> None:
    entries = 0
    for seed in range(first, first + A_FEW):
        _, watch = live_through(tmp_path / str(seed), seed)
        entries += len(watch.submitted)
    assert entries, "days without an order show nothing"


@pytest.mark.soak
@pytest.mark.parametrize("first", range(DAYS, DAYS + SOAKED, MANY))
def test_many_bad_days(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + MANY):
        live_through(tmp_path / str(seed), seed)


def test_the_days_meet_every_fault_on_every_kind_of_account() -> None:
    days = [Day(seed) for seed in range(DAYS)]
    drawn = {name for day in days for name in day.faults().replace(",", "").split() if not name[0].isdigit()}
    assert len(drawn) >= 16
    assert {(day.hedging, day.currency) for day in days} == {
        (book, name) for book in (True, False) for name in ("USD", "EUR", "JPY")
    }
    assert any(day.restarts for day in days)


@pytest.mark.parametrize("seed", [1, 9])
def test_one_seed_is_one_day(seed: int, tmp_path: Path) -> None:
    lives: list[list[tuple[int, Effect]]] = []
    for turn in ("first", "second"):
        world, _ = live_through(tmp_path / turn, seed)
        lives.append(world.effects)
    assert lives[0] == lives[1]


@pytest.mark.parametrize(("broken", "code"), [(None, FINE), (Stuck("waits"), STUCK), (KeyError("x"), CRASHED)])
def test_the_runner_tells_what_became_of_a_day(
    broken: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if broken is not None:
        monkeypatch.setattr(World, "hours", _raising(broken))
    assert lived(1) == code


def test_the_runner_says_what_it_drew_before_it_begins() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", "3"], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == FINE, done.stdout + done.stderr
    head, tail = done.stdout.splitlines()[:2]
    assert head.startswith("seed 3, commit ")
    assert "faults: " in head
    assert tail.strip().startswith("fine: ")


def test_a_broken_law_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from quarterdeck.core.desk import orders_in_flight
    from tests.sim.test_planted_bugs import releases_on_unknown

    releases_on_unknown(monkeypatch, orders_in_flight)
    codes = {lived(seed) for seed in (7, 8, 41)}
    assert LAW_BROKEN in codes, capsys.readouterr().out


def _raising(error: Exception):  # type: ignore[no-untyped-def] # a stand-in for a method
    async def hours(_world: World, _hours: float) -> None:
        raise error

    return hours
