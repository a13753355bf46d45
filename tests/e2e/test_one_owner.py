"""Two homes on one gateway, a copied home, a crashed owner: never two that trade, and the owner is back at once."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from quarterdeck.core.model.commands import Resume
from tests.e2e.processes import EngineProcess, wait_for
from tests.e2e.test_acknowledged import gateway, given, live_home, reasons

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]
HALTED_WITHIN_S = 12.0


def elsewhere(folder: Path) -> dict[str, str]:
    """Another user's data folder: the lock of the account on this machine does not see it."""
    return {"XDG_DATA_HOME": str(folder)}


def test_one_account_has_one_owner_wherever_engines_run(tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway") as address:
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
