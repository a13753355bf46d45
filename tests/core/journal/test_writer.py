"""The writer: what is appended is in the file, in order, and a flush is a promise."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import RESERVE_SUFFIX, JournalWriter
from quarterdeck.core.model.effects import Alert, Close, LogEvent, OrderSettled, Submit
from quarterdeck.core.model.errors import InvariantError, StorageError
from quarterdeck.core.model.inputs import (
    ConnectionState,
    EngineFault,
    ExecutionReport,
    Filled,
    SequencedInput,
    TimerFired,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Side
from tests.core.journal.tapes import MONDAY_NS, Watch, account, day, example, journal_settings, new_run, quote, record


def writer(path: Path, **how: Any) -> JournalWriter:
    how = {"durable": False, "threaded": False, "clock": Watch()} | how
    return JournalWriter(path, journal_settings(), **how)


def timer(seq: int) -> SequencedInput:
    return SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + seq, input=TimerFired())


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = open_readonly(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("threaded", [False, True])
def test_the_tape_is_what_was_appended(tmp_path: Path, threaded: bool) -> None:
    inputs = list(day(30))
    journal = writer(tmp_path / "journal.sqlite", threaded=threaded)
    journal.begin_run(new_run())
    for stamped in inputs:
        journal.append(stamped)
    assert journal.end_run("finished")
    journal.close()
    with TapeReader(tmp_path / "journal.sqlite") as tape:
        entries = list(tape.entries(tape.run()))
    assert [entry.stamped for entry in entries] == inputs
    assert all(entry.intact for entry in entries)


async def test_a_flush_makes_everything_before_it_readable(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j", durable=True, threaded=True)
    journal.begin_run(new_run())
    inputs = list(day(2))
    for stamped in inputs:
        journal.append(stamped)
    assert await journal.flush()
    with TapeReader(tmp_path / "j") as tape:
        assert [entry.stamped for entry in tape.entries(tape.run())] == inputs
    results = await asyncio.gather(*(journal.flush() for _ in range(5)))
    assert results == [True] * 5
    journal.close()


async def test_an_open_block_of_quotes_grows_across_flushes(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j", durable=True)
    journal.begin_run(new_run())
    inputs = list(day(1))
    for stamped in inputs:
        journal.append(stamped)
        assert await journal.flush()
    assert len(rows(tmp_path / "j", "SELECT id FROM quote_blocks")) == 1
    with TapeReader(tmp_path / "j") as tape:
        entries = list(tape.entries(tape.run()))
    assert [entry.stamped for entry in entries] == inputs
    assert all(entry.intact for entry in entries)
    journal.close()


async def test_without_durability_a_flush_never_waits(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j", threaded=True)
    journal.begin_run(new_run())
    journal.append(timer(1))
    step = journal.flush()
    with pytest.raises(StopIteration) as done:
        step.send(None)
    assert done.value.value is True
    journal.close()


def test_a_reader_finds_what_waits_once_the_writer_caught_up(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    journal.append(timer(1))
    assert rows(tmp_path / "j", "SELECT count(*) FROM tape") == [(0,)]
    journal.catch_up()
    assert rows(tmp_path / "j", "SELECT count(*) FROM tape") == [(1,)]
    journal.close()


def test_the_tape_never_goes_back(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    journal.append(timer(5))
    with pytest.raises(InvariantError, match="goes forward"):
        journal.append(timer(5))
    journal.close()


def test_each_run_has_its_own_tape(tmp_path: Path) -> None:
    for run_id in ("a", "b"):
        record(tmp_path / "j", list(day(2, run_id=run_id)), run=new_run(run_id))
    with TapeReader(tmp_path / "j") as tape:
        first, second = tape.runs()
        assert [first.run_id, second.run_id] == ["a", "b"]
        assert first.ended_how == "finished"
        assert first.last_seq == second.last_seq == len(list(day(2)))
        assert len(list(tape.entries(first))) == len(list(tape.entries(second))) == first.last_seq


def test_effects_become_rows_that_can_be_asked(tmp_path: Path) -> None:
    record(tmp_path / "j", list(day(16)))
    path = tmp_path / "j"
    assert rows(path, "SELECT outcome, count(*) FROM verdicts GROUP BY outcome ORDER BY outcome")
    assert rows(path, "SELECT count(*) FROM signals") == [(4,)]
    fates = rows(path, "SELECT client_id, kind, fate FROM intents WHERE fate <> ''")
    assert fates
    assert {fate for _, _, fate in fates} == {"filled"}
    assert rows(path, "SELECT count(*) FROM trades") == rows(path, "SELECT count(*) FROM equity")
    assert rows(path, "SELECT count(*) FROM positions") == [(2,)]


def test_a_settled_fate_is_not_unsettled_by_a_late_report(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    submit = example(Submit)
    fill = Filled(order_ticket=1, position_id=2, deal_ticket=3, lots=0.1, price=1.1)
    journal.append(timer(1), (submit,))
    for seq, fate in enumerate((Unconfirmed(why="time-out"), fill, Unconfirmed(why="late")), 2):
        journal.append(
            SequencedInput(
                seq=seq, at_utc_ns=MONDAY_NS + seq, input=ExecutionReport(client_id=submit.client_id, order_outcome=fate)
            )
        )
    journal.close()
    assert rows(tmp_path / "j", "SELECT fate, fate_utc_ns FROM intents") == [("filled", MONDAY_NS + 3)]


def test_errors_carry_their_kind_wherever_they_come_from(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    noted = LogEvent(kind="requote", text="twice", symbol="EURUSD", ticket=5, level="warning")
    journal.append(timer(1), (noted, LogEvent(kind="quiet", text="debug", level="debug")))
    journal.append(SequencedInput(seq=2, at_utc_ns=MONDAY_NS, input=EngineFault(kind="clock", active=True, why="jumped")))
    journal.append(SequencedInput(seq=3, at_utc_ns=MONDAY_NS, input=ConnectionState(is_connected=False, why="gone")))
    journal.error("loop", "task died", symbol="USDJPY")
    journal.close()
    assert rows(tmp_path / "j", "SELECT kind, level, symbol FROM errors ORDER BY rowid") == [
        ("requote", "warning", "EURUSD"),
        ("clock", "error", ""),
        ("feed", "warning", ""),
        ("loop", "error", "USDJPY"),
    ]


def test_engine_and_desk_alerts_share_a_table(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    dead = Alert(kind="crash", level="critical", text="it did not start")
    journal.alert(MONDAY_NS, dead)
    journal.begin_run(new_run())
    journal.append(timer(1), (Alert(kind="breaker", level="critical", text="day's loss", symbol="EURUSD"),))
    for _ in range(2):
        journal.alert(MONDAY_NS, Alert(kind="error", level="critical", text="strategy: too slow"))
    journal.close()
    assert rows(tmp_path / "j", "SELECT kind, level, text FROM alerts ORDER BY run, kind") == [
        ("crash", "critical", "it did not start"),
        ("breaker", "critical", "day's loss"),
        ("error", "critical", "strategy: too slow"),
        ("error", "critical", "strategy: too slow"),
    ]


def test_first_account_read_names_the_run_account(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run(account=0, server="", currency=""))
    journal.append(SequencedInput(seq=1, at_utc_ns=MONDAY_NS, input=account(7)))
    journal.append(SequencedInput(seq=2, at_utc_ns=MONDAY_NS, input=account(8)))
    journal.close()
    assert rows(tmp_path / "j", "SELECT account, server, currency FROM runs") == [(7, "Sim", "USD")]


def test_bytes_a_day_follow_the_markets_time(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    assert journal.bytes_a_day == 0
    inputs = list(day(96))
    for stamped in inputs:
        journal.append(stamped)
    assert journal.flush_blocking()
    total = rows(tmp_path / "j", "SELECT (SELECT sum(length(body)) FROM tape) + (SELECT sum(length(body)) FROM quote_blocks)")
    assert journal.bytes_a_day == total[0][0]
    journal.close()


def test_without_a_thread_what_waits_for_company_is_not_late(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    journal.append(next(iter(day(1))))
    assert rows(tmp_path / "j", "SELECT count(*) FROM tape") == [(0,)]
    assert journal.queued == 0
    journal.close()


class Full(sqlite3.Connection):
    """A disk that is full while `full` is set."""

    full = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.full and sql.startswith(("BEGIN", "COMMIT")):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *values)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> type[Full]:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: real(*args, **({"factory": Full} | kwargs)))
    monkeypatch.setattr(Full, "full", False)
    return Full


def close_order() -> Close:
    return Close(
        client_id="r1-9",
        position_id=4,
        ticket=4,
        symbol="EURUSD",
        side=Side.BUY,
        lots=0.1,
        quoted_price=1.1,
        deviation_points=10,
        why="flatten",
    )


async def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path, full_disk: type[Full]) -> None:
    told: list[tuple[bool, str]] = []
    journal = writer(tmp_path / "j", durable=True, on_trouble=lambda active, why: told.append((active, why)))
    journal.begin_run(new_run())
    inputs = list(day(4))
    for stamped in inputs[:40]:
        journal.append(stamped)
    assert await journal.flush()
    full_disk.full = True
    for stamped in inputs[40:80]:
        journal.append(stamped)
    assert not await journal.flush()
    assert not journal.writable
    assert "disk is full" in journal.trouble
    assert not await journal.flush()
    assert [active for active, _ in told] == [True]
    full_disk.full = False
    for stamped in inputs[80:]:
        journal.append(stamped)
    assert await journal.flush()
    assert journal.writable
    assert [active for active, _ in told] == [True, False]
    journal.close()
    with TapeReader(tmp_path / "j") as tape:
        entries = list(tape.entries(tape.run()))
    assert [entry.stamped for entry in entries] == inputs
    assert all(entry.intact for entry in entries)


async def test_closes_on_full_disk_survive_a_crash_in_reserve(tmp_path: Path, full_disk: type[Full]) -> None:
    crashed = writer(tmp_path / "j", durable=True)
    crashed.begin_run(new_run())
    crashed.append(timer(1))
    assert await crashed.flush()
    full_disk.full = True
    crashed.append(SequencedInput(seq=2, at_utc_ns=MONDAY_NS, input=quote("EURUSD", MONDAY_NS, 1)))
    crashed.append(timer(3), (close_order(),))
    assert not await crashed.flush()
    crashed.append(
        SequencedInput(
            seq=4, at_utc_ns=MONDAY_NS, input=ExecutionReport(client_id="r1-9", order_outcome=Unconfirmed(why="killed"))
        )
    )
    assert not await crashed.flush()
    crashed._store.close()
    crashed._reserve.close()
    full_disk.full = False

    journal = writer(tmp_path / "j")
    assert journal.completed == 2
    journal.close()
    assert rows(tmp_path / "j", "SELECT client_id, kind, fate FROM intents") == [("r1-9", "close", "unconfirmed")]
    assert rows(tmp_path / "j", "SELECT seq FROM tape ORDER BY seq") == [(1,), (3,), (4,)]
    again = writer(tmp_path / "j")
    assert again.completed == 0
    again.close()


async def test_a_full_reserve_stops_nothing(tmp_path: Path, full_disk: type[Full]) -> None:
    journal = writer(tmp_path / "j", durable=True)
    journal._reserve._file._size = 300
    journal.begin_run(new_run())
    full_disk.full = True
    for seq in range(1, 6):
        journal.append(timer(seq), (close_order(),))
        assert not await journal.flush()
    full_disk.full = False
    assert await journal.flush()
    journal.close()
    assert rows(tmp_path / "j", "SELECT count(*) FROM intents") == [(5,)]


def test_a_failure_without_end_leaves_a_visible_gap(
    tmp_path: Path, full_disk: type[Full], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quarterdeck.core.journal.writer._QUEUE_MAX", 50)
    journal = writer(tmp_path / "j")
    journal._inline_at = 10
    journal.begin_run(new_run())
    full_disk.full = True
    for seq in range(1, 101):
        journal.append(timer(seq), (close_order(),) if seq == 90 else ())
    assert journal.dropped == 49
    full_disk.full = False
    journal.append(timer(101))
    assert journal.flush_blocking()
    journal.close()
    with TapeReader(tmp_path / "j") as tape:
        seqs = [entry.stamped.seq for entry in tape.entries(tape.run())]
    assert seqs == [*range(1, 51), 90, 101]


def test_the_reserve_is_allocated_at_the_start(tmp_path: Path) -> None:
    writer(tmp_path / "j").close()
    reserve = tmp_path / ("j" + RESERVE_SUFFIX)
    assert reserve.stat().st_size == journal_settings().reserve_kib * 1024


@pytest.mark.parametrize("content", [b"hello world, this is no journal" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_non_journal_file_is_refused_and_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    for attempt in (lambda: writer(path), lambda: TapeReader(path)):
        with pytest.raises(StorageError, match=r"journal\.sqlite"):
            attempt()
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "j")
    other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    with pytest.raises(StorageError, match="is not a journal"):
        writer(tmp_path / "j")
    with pytest.raises(StorageError, match="is not a journal"):
        TapeReader(tmp_path / "j")


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    writer(tmp_path / "j").close()
    newer = sqlite3.connect(tmp_path / "j")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    for attempt in (lambda: writer(tmp_path / "j"), lambda: TapeReader(tmp_path / "j")):
        with pytest.raises(StorageError, match="newer Quarterdeck"):
            attempt()


def test_a_home_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        writer(tmp_path / "nowhere" / "j")


def test_no_journal_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no journal") as caught:
        TapeReader(tmp_path / "j")
    assert "\n" not in caught.value.one_line()


def test_the_journal_settles_an_order_without_report(tmp_path: Path) -> None:
    journal = writer(tmp_path / "j")
    journal.begin_run(new_run())
    unknown = ExecutionReport(client_id="r1-9", order_outcome=Unconfirmed(why="no answer"))
    journal.append(timer(1), (close_order(),))
    journal.append(SequencedInput(seq=2, at_utc_ns=MONDAY_NS, input=unknown))
    journal.append(timer(3), (OrderSettled(client_id="r1-9"),))
    journal.append(SequencedInput(seq=4, at_utc_ns=MONDAY_NS, input=unknown))  # an answer from before, late
    journal.catch_up()
    assert rows(tmp_path / "j", "SELECT fate FROM intents") == [("settled",)]
    filled = Filled(order_ticket=1, position_id=4, deal_ticket=2, lots=0.1, price=1.1)
    journal.append(SequencedInput(seq=5, at_utc_ns=MONDAY_NS, input=ExecutionReport(client_id="r1-9", order_outcome=filled)))
    journal.append(timer(6), (OrderSettled(client_id="r1-9"),))
    journal.close()
    assert rows(tmp_path / "j", "SELECT fate FROM intents") == [("filled",)]
