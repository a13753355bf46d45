"""A machine whose clock is an hour wrong, over a gateway: both figures, no entries, the broker's time, and the operator's word."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.clock_file import NAME
from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.model.commands import Resolve
from tests.e2e.processes import engine, quarterdeck
from tests.e2e.test_acknowledged import MIDWEEK, gateway, given, live_home, reasons
from tests.e2e.test_one_owner import elsewhere

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]


def test_a_wrong_machine_is_contradicted_and_the_operator_decides(tmp_path: Path) -> None:
    with gateway(tmp_path / "gateway", *MIDWEEK, "--pc-clock-off", "60") as address:
        home = live_home(tmp_path / "desk", tmp_path / "gateway", address)
        with engine(home, **elsewhere(tmp_path / "data")) as process:
            process.ready()
            assert reasons(home) == ("REDUCE_ONLY", {"clock_contradicted"})
            doctor = quarterdeck("doctor", "--home", home, "--json")
            status = quarterdeck("status", "--home", home, "--json")
            assert (doctor.code, status.code) == (9, 9)
            (row,) = [one for one in doctor.json()["findings"] if one["name"] == "server clock"]
            for told in (row["text"], status.json()["clock"], "; ".join(status.json()["wrong"])):
                assert "UTC+2:00" in told
                assert "UTC+3:00" in told
                assert "60 min ahead" in told
            assert row["verdict"] == "fail"
            assert status.json()["market_time"].startswith("2025-10-22T09:0"), "the desk lives by the broker's time"
            assert not (home / NAME).exists()
            assert "right" in given(home, Resolve(client_id="clock", outcome="pc_right"))
            assert reasons(home) == ("ACTIVE", set())
            process.kill()
        with engine(home, **elsewhere(tmp_path / "data")) as process:
            process.ready()
            assert reasons(home)[1] - {"unknown_fate"} == set(), "the decision survives a kill"
        audit = quarterdeck("audit", "--home", home)
        assert audit.code == 0, audit.out + audit.err
    with contextlib.closing(open_readonly(home / "journal.sqlite")) as journal:
        (alerts,) = journal.execute("SELECT count(*) FROM alerts WHERE text LIKE '%UTC+2:00%UTC+3:00%'").fetchone()
    assert alerts == 1
