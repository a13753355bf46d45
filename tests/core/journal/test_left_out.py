"""What can never be written is left out and reported; what lies behind it is written. A file that was taken away is noticed."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.journal.reserve_file import ReserveFile, ReserveRecord
from quarterdeck.core.journal.tape_format import encode, unpack_state
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import RESERVE_SUFFIX, JournalWriter
from quarterdeck.core.model.commands import Pause
from quarterdeck.core.model.effects import LogEvent
from quarterdeck.core.model.inputs import CommandReceived, ConnectionState, NewDeal, SequencedInput, TimerFired
from tests.core.journal.tapes import MONDAY_NS, Watch, example, journal_settings, new_run

TOO_LARGE = 2**63 + 5


def writer(path: Path, told: list[str] | None = None, **how: Any) -> JournalWriter:
    how = {"durable": False, "threaded": False, "clock": Watch()} | how
    left_out = None if told is None else told.append
    journal = JournalWriter(path, journal_settings(), on_left_out=left_out, **how)
    journal.begin_run(new_run())
    return journal


def timer(seq: int) -> SequencedInput:
    return SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + seq, input=TimerFired())


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = open_readonly(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_two_checkpoints_at_one_input_block_nothing(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.append(timer(1))
    journal.checkpoint(MONDAY_NS, b"first", "hour")
    journal.checkpoint(MONDAY_NS, b"second", "hour")
    journal.append(timer(2))
    assert journal.flush_blocking()
    journal.close()
    ((state,),) = rows(tmp_path / "j", "SELECT state FROM checkpoints")
    assert unpack_state(state) == b"second"
    assert rows(tmp_path / "j", "SELECT seq FROM tape") == [(1,), (2,)]


@pytest.mark.parametrize("threaded", [False, True])
def test_an_unwritable_entry_does_not_block_later_ones(threaded: bool, tmp_path: Path) -> None:
    told: list[str] = []
    journal = writer(tmp_path / "j", told, threaded=threaded)
    journal.append(timer(1))
    journal.append(
        SequencedInput(seq=2, at_utc_ns=MONDAY_NS + 2, input=ConnectionState(is_connected=False, why="\udcff broken letters"))
    )
    journal.error("gateway", "a number no column holds", ticket=TOO_LARGE)
    journal.append(timer(3), (LogEvent(kind="x", text="y"),))
    journal.checkpoint(MONDAY_NS + 3, b"state", "hour")
    assert journal.flush_blocking()
    assert journal.writable
    journal.close()
    assert rows(tmp_path / "j", "SELECT seq FROM tape ORDER BY seq") == [(1,), (3,)]
    assert rows(tmp_path / "j", "SELECT seq FROM checkpoints") == [(3,)]
    assert len(told) == 2
    assert "input 2 (connection_state)" in told[0]
    texts = [text for (text,) in rows(tmp_path / "j", "SELECT text FROM errors")]
    assert texts == told


def test_the_tape_keeps_an_input_whose_rows_do_not_fit(tmp_path: Path) -> None:
    told: list[str] = []
    journal = writer(tmp_path / "j", told)
    deal = msgspec.structs.replace(example(NewDeal).deal, deal_ticket=TOO_LARGE)
    journal.append(SequencedInput(seq=1, at_utc_ns=MONDAY_NS, input=NewDeal(deal=deal)))
    journal.append(timer(2))
    journal.close()
    assert len(told) == 1
    assert "the tape has it" in told[0]
    with TapeReader(tmp_path / "j") as tape:
        found = list(tape.entries(tape.run()))
    assert [entry.stamped.input for entry in found] == [NewDeal(deal=deal), TimerFired()]
    assert all(entry.intact for entry in found)


def test_whatever_is_unwritable_the_rest_is_there_in_order(tmp_path: Path) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        path = tmp_path / f"j{seed}"
        journal = writer(path, [])
        good: list[int] = []
        for seq in range(1, 60):
            if rng.random() < 0.2:
                journal.append(
                    SequencedInput(seq=seq, at_utc_ns=MONDAY_NS, input=ConnectionState(is_connected=True, why="\ud800"))
                )
            else:
                good.append(seq)
                journal.append(
                    timer(seq)
                    if rng.random() < 0.8
                    else SequencedInput(seq=seq, at_utc_ns=MONDAY_NS, input=ConnectionState(is_connected=True))
                )
            if rng.random() < 0.1:
                journal.flush_blocking()
        journal.close()
        assert [seq for (seq,) in rows(path, "SELECT seq FROM tape ORDER BY seq")] == good


@pytest.mark.posix  # Windows moves no file that is open
@pytest.mark.parametrize("taken", ["", "-wal"])
def test_a_missing_journal_is_reported_until_restored(taken: str, tmp_path: Path) -> None:
    troubles: list[tuple[bool, str]] = []
    path = tmp_path / "j"
    journal = writer(path, on_trouble=lambda active, why: troubles.append((active, why)))
    journal.append(timer(1))
    assert journal.flush_blocking()
    file, elsewhere = tmp_path / f"j{taken}", tmp_path / "elsewhere"
    file.rename(elsewhere)
    journal.check_file()
    assert not journal.writable
    assert [active for active, _ in troubles] == [True]
    assert "removed or replaced" in troubles[0][1]
    command = SequencedInput(
        seq=2, at_utc_ns=MONDAY_NS + 2, input=CommandReceived(command_id="c", origin="test", command=Pause())
    )
    journal.append(command)
    assert not journal.flush_blocking()
    assert journal.reserve_holds, "a command given meanwhile survives a crash"
    elsewhere.rename(file)
    assert journal.flush_blocking()
    assert [active for active, _ in troubles] == [True, False]
    journal.close()
    assert rows(path, "SELECT seq FROM tape") == [(1,), (2,)]


def test_a_reserve_of_another_journal_is_not_mixed_in(tmp_path: Path) -> None:
    reserve = ReserveFile(tmp_path / f"j{RESERVE_SUFFIX}", 64 * 1024)
    reserve.record([ReserveRecord(7, 3, MONDAY_NS, encode(TimerFired()), ())])
    reserve.close()
    journal = JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=False, threaded=False)
    assert journal.completed == 0
    journal.close()
    with sqlite3.connect(tmp_path / "j") as found:
        assert found.execute("SELECT count(*) FROM tape").fetchone() == (0,)
