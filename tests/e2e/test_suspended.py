"""A machine that sleeps and a clock that is set, under real processes: the journal goes on, the audit is whole, a flatten verifies."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from tests.e2e.eager import SETTINGS, write_strategy
from tests.e2e.moved_clock import MovedClock, needs_library, weekday_at
from tests.e2e.processes import EngineProcess, quarterdeck, wait_for
from tests.e2e.test_acknowledged import gateway, live_home

pytestmark = [
    pytest.mark.soak,
    pytest.mark.processes,
    needs_library,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes"),
]
HOUR_S = 3600.0


def next_day(weekday: int, month: int, day_from: int, hour: int) -> datetime:
    """The first such weekday of this or next year on or after a date, still to come."""
    now = datetime.now(UTC)
    for year in (now.year, now.year + 1):
        found = datetime(year, month, day_from, hour, 13, 30, tzinfo=UTC)
        while found.weekday() != weekday:
            found += timedelta(days=1)
        if found > now:
            return found
    raise AssertionError("no such day")


@pytest.mark.parametrize(
    ("begins", "by_s", "stops", "broker_too"),
    [
        pytest.param(lambda: weekday_at(10, 13, 30), 65 * 60.0, True, True, id="suspended for 65 minutes"),
        pytest.param(lambda: weekday_at(10, 13, 30), 65 * 60.0, False, False, id="set forward by 65 minutes"),
        pytest.param(lambda: weekday_at(10, 13, 30), -2 * HOUR_S, False, False, id="set back by 2 hours"),
        pytest.param(lambda: next_day(4, 1, 8, 15), 72 * HOUR_S, True, True, id="suspended over a weekend"),
        pytest.param(lambda: next_day(4, 10, 30, 15), 72 * HOUR_S, True, True, id="suspended over a change to winter time"),
    ],
)
def test_a_jump_of_the_clock_costs_neither_journal_nor_flatten(
    begins: Callable[[], datetime], by_s: float, stops: bool, broker_too: bool, tmp_path: Path
) -> None:
    clock = MovedClock(tmp_path / "clock", begins())
    still = MovedClock(tmp_path / "still", begins())
    moved = clock.environ(monotonic=stops)
    with gateway(tmp_path / "gateway", **(moved if broker_too else still.environ())) as address:
        home = live_home(tmp_path / "desk", tmp_path / "gateway", address, SETTINGS)
        write_strategy(home)
        engine = EngineProcess(home, **moved, XDG_DATA_HOME=str(tmp_path / "data"))
        try:
            engine.ready()
            wait_for(lambda: rows(home, "SELECT count(*) FROM effects WHERE tag = 'position_opened'"), "a position")
            if stops:
                os.kill(engine.process.pid, signal.SIGSTOP)
            clock.move(by_s)
            time.sleep(1.5)  # libfaketime looks at its file once a second
            os.kill(engine.process.pid, signal.SIGCONT)
            jumped_s = time.monotonic()
            words = "stood still" if stops else "clock"
            wait_for(lambda: rows(home, f"SELECT count(*) FROM alerts WHERE text LIKE '%{words}%'"), "the jump is alerted")
            told_s = time.monotonic() - jumped_s
            before = rows(home, "SELECT max(seq) FROM tape")
            wait_for(lambda: rows(home, "SELECT max(seq) FROM tape") > before, "the journal goes on")
            for _ in range(5):  # a simulated broker makes up days of ticks before it answers again
                flat = quarterdeck("flatten", "--home", home, "--wait", "80", "--json", **moved)
                if flat.code == 0:
                    break
            assert flat.code == 0, flat.err
            assert "verified" in flat.out + flat.err, flat.out + flat.err
            assert engine.process.poll() is None
            status = quarterdeck("status", "--home", home, "--json", **moved)
            assert "journal" not in status.json()["reasons"]
            engine.tell(signal.SIGTERM)
            engine.ended()
            audited = quarterdeck("audit", "--home", home, "--json")
            assert audited.code == 0, audited.out + audited.err
            found = audited.json()
            assert found["agree"] == found["decisions"] > 0
            print(
                f"told after {told_s:.1f} s; flatten verified; audit {found['agree']} of {found['decisions']}; {status.json()['state']}"
            )
        finally:
            engine.close()


def rows(home: Path, sql: str) -> int:
    """One number of the journal."""
    if not (home / "journal.sqlite").exists():
        return 0
    with contextlib.closing(open_readonly(home / "journal.sqlite")) as journal:
        ((found,),) = journal.execute(sql).fetchall()
    return int(found or 0)
