"""Two homes on one gateway, a copied home, a crashed owner: never two that trade, and the owner is back at once."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from pathlib import Path

import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.model.commands import Resume
from tests.e2e.eager import SETTINGS, write_strategy
from tests.e2e.moved_clock import MovedClock, needs_library, weekday_at
from tests.e2e.processes import LONG_S, EngineProcess, wait_for
from tests.e2e.test_acknowledged import MIDWEEK, gateway, given, live_home, reasons

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]
HALTED_WITHIN_S = 12.0


def elsewhere(folder: Path) -> dict[str, str]:
    """Another user's data folder: the lock of the account on this machine does not see it."""
    return {"XDG_DATA_HOME": str(folder)}


def test_one_account_has_one_owner_wherever_engines_run(tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", *MIDWEEK) as address:
        one = live_home(tmp_path / "one", tmp_path / "gateway", address)
        two = live_home(tmp_path / "two", tmp_path / "gateway", address)
        first = EngineProcess(one, **elsewhere(tmp_path / "data1")).ready()
        try:
            second = EngineProcess(two, **elsewhere(tmp_path / "data2"))
            assert second.ended() == 7, second.err
            assert str(one) in second.err, "the refusal names the owner"
            assert reasons(one)[0] == "ACTIVE"

            first.kill()
            began_s = time.monotonic()
            first = EngineProcess(one, **elsewhere(tmp_path / "data1")).ready()
            back_s = time.monotonic() - began_s
            assert reasons(one)[0] == "ACTIVE"

            copied = tmp_path / "copied"
            shutil.copytree(one, copied, ignore=shutil.ignore_patterns("*.sock", "link.json", "owner.*"))
            copy = EngineProcess(copied, **elsewhere(tmp_path / "data3"))
            try:
                copy.ready()
                began_s = time.monotonic()
                wait_for(lambda: reasons(one)[0] == "HALTED", "the first is halted")
                halted_s = time.monotonic() - began_s
                assert halted_s < HALTED_WITHIN_S
                assert "not_owner" in reasons(one)[1]
                assert reasons(copied)[0] == "ACTIVE"
                given(one, Resume())
                wait_for(lambda: reasons(copied)[0] == "HALTED", "the copy is halted in its turn")
                print(f"owner back in {back_s:.1f} s; replaced owner halted {halted_s:.1f} s after the other was ready")
            finally:
                copy.close()
        finally:
            first.close()


@needs_library
@pytest.mark.soak
def test_two_engines_without_lease_halt_each_other(tmp_path: Path) -> None:
    """Both find the same candidates in the same bars, as two engines of one operator do."""
    clock = MovedClock(tmp_path / "clock", weekday_at(10, 11))
    moved = clock.environ()
    with gateway(tmp_path / "gateway", "--no-lease", **moved) as address:
        homes = [live_home(tmp_path / name, tmp_path / "gateway", address, SETTINGS) for name in ("one", "two")]
        for home in homes:
            write_strategy(home)
        engines = [EngineProcess(home, **elsewhere(tmp_path / f"data-{home.name}"), **moved) for home in homes]
        try:
            for engine in engines:
                engine.ready()
            opened_s: dict[str, float] = {}
            halted_s: dict[str, float] = {}
            end_s = time.monotonic() + 4 * LONG_S
            while len(halted_s) < len(homes) and time.monotonic() < end_s:
                for home in homes:
                    for event, found in (("opened", opened_s), ("halted", halted_s)):
                        if home.name not in found and _has(home, event):
                            found[home.name] = time.monotonic()
                time.sleep(0.05)
            first_s = min(opened_s.values())
            print(f"opened {_after(opened_s, first_s)}, halted {_after(halted_s, first_s)} s after the first entry")
            assert len(opened_s) >= 1
            assert set(halted_s) == {"one", "two"}, [reasons(home) for home in homes]
            assert max(halted_s.values()) - first_s < HALTED_WITHIN_S
        finally:
            for engine in engines:
                engine.close()


def _after(found: dict[str, float], first_s: float) -> dict[str, float]:
    return {name: round(at_s - first_s, 1) for name, at_s in found.items()}


def _has(home: Path, event: str) -> bool:
    with contextlib.closing(open_readonly(home / "journal.sqlite")) as journal:
        if event == "opened":
            (count,) = journal.execute("SELECT count(*) FROM effects WHERE tag = 'submit'").fetchone()
        else:
            (count,) = journal.execute("SELECT count(*) FROM alerts WHERE text LIKE '%nother engine trades%'").fetchone()
    return bool(count)
