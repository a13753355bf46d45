"""A journal whose writer is killed, or whose disk is full, opens again and holds what it promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from tests.core.journal.tapes import Watch, day, journal_settings

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.mark.processes
@pytest.mark.parametrize("flushes", [1, 4, 9])
def test_a_writer_killed_in_mid_write_leaves_a_whole_prefix(tmp_path: Path, flushes: int) -> None:
    path = tmp_path / "journal.sqlite"
    command = [sys.executable, "-m", "tests.core.journal.crash_writer", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        safe = [int(child.stdout.readline()) for _ in range(flushes)][-1]
        child.kill()
    journal = JournalWriter(path, journal_settings(), clock=Watch(), durable=True, threaded=False)
    journal.close()
    with TapeReader(path) as tape:
        run = tape.run()
        entries = list(tape.entries(run))
    assert run.ended_utc_ns is None
    assert len(entries) >= safe
    expected = day(100_000)
    assert all(entry.stamped == next(expected) and entry.intact for entry in entries)


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of files are POSIX")
def test_full_disk_leaves_a_journal_that_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    command = [sys.executable, "-m", "tests.core.journal.full_disk_writer", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    last, why = done.stdout.split(" ", 1)
    assert "cannot be written" in why
    journal = JournalWriter(path, journal_settings(), clock=Watch(), durable=True, threaded=False)
    assert journal.completed == 1
    journal.close()
    with TapeReader(path) as tape:
        entries = list(tape.entries(tape.run()))
    assert entries[-1].stamped.seq == int(last) + 1
    assert [entry.stamped.seq for entry in entries[:-1]] == list(range(1, len(entries)))
    connection = open_readonly(path)
    assert connection.execute("SELECT client_id, kind FROM intents").fetchall() == [("r1-9", "close")]
    connection.close()
