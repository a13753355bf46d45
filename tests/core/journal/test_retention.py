"""What is old goes, what is kept for good stays, and an audit knows from where the tape is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.journal.journal_schema import open_writable
from quarterdeck.core.journal.retention import Pruned, prune, size_of
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.study.audit import audit
from tests.core.journal.tapes import MONDAY_NS, SmallDesk, Watch, day, journal_settings, new_run, record

DAYS = 6
BARS = DAYS * 96


def pruned(path: Path, *, now_days: float, quotes_days: int = 30, decisions_days: int = 400) -> Pruned:
    connection = open_writable(path, durable=False)
    try:
        return prune(connection, MONDAY_NS + round(now_days * DAY_NS), quotes_days, decisions_days)
    finally:
        connection.close()


def counts(path: Path) -> dict[str, int]:
    with TapeReader(path) as reader:
        tables = ("quote_blocks", "tape", "effects", "verdicts", "signals", "checkpoints", "trades", "intents", "equity")
        return {table: reader.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def six_days(path: Path, mode: str, **changes: Any) -> list[int]:
    inputs = list(day(BARS, quotes_a_bar=4))
    per_day = (len(inputs) - 3) // DAYS
    record(path, inputs, run=new_run(mode=mode, **changes), checkpoint_every=per_day, clock=Watch(MONDAY_NS + DAYS * DAY_NS))
    return [n * per_day for n in range(1, DAYS + 1)]


def test_old_quotes_of_a_living_account_go_first(tmp_path: Path) -> None:
    six_days(tmp_path / "j", "demo")
    before = counts(tmp_path / "j")
    assert pruned(tmp_path / "j", now_days=6.1, quotes_days=2).quote_blocks > 0
    after = counts(tmp_path / "j")
    assert after["quote_blocks"] < before["quote_blocks"]
    assert {**after, "quote_blocks": 0} == {**before, "quote_blocks": 0}
    result = audit(tmp_path / "j", SmallDesk)
    assert result.agrees
    assert result.pruned_before_seq > 1
    assert pruned(tmp_path / "j", now_days=6.1, quotes_days=2) == Pruned(0, 0)


def test_old_decisions_go_by_whole_segments(tmp_path: Path) -> None:
    marks = six_days(tmp_path / "j", "demo")
    before = counts(tmp_path / "j")
    pruned(tmp_path / "j", now_days=6.1, quotes_days=2, decisions_days=3)
    after = counts(tmp_path / "j")
    assert after["tape"] < before["tape"]
    assert after["verdicts"] < before["verdicts"]
    assert after["trades"] == before["trades"]
    assert after["intents"] == before["intents"]
    assert after["equity"] == before["equity"]
    with TapeReader(tmp_path / "j") as reader:
        assert reader.run().tape_from_seq > marks[0]
    assert audit(tmp_path / "j", SmallDesk).agrees


def test_replay_of_old_days_ages_from_its_run_date(tmp_path: Path) -> None:
    six_days(tmp_path / "j", "replay", started_utc_ns=MONDAY_NS + 400 * DAY_NS)
    before = counts(tmp_path / "j")
    connection = open_writable(tmp_path / "j", durable=False)
    connection.execute("UPDATE runs SET ended_utc_ns = ?", (MONDAY_NS + 400 * DAY_NS,))
    connection.close()
    assert pruned(tmp_path / "j", now_days=401, quotes_days=2, decisions_days=3) == Pruned(0, 0)
    assert counts(tmp_path / "j") == before
    pruned(tmp_path / "j", now_days=402.5, quotes_days=2, decisions_days=30)
    assert counts(tmp_path / "j")["quote_blocks"] == 0
    assert counts(tmp_path / "j")["tape"] == before["tape"]
    pruned(tmp_path / "j", now_days=500, quotes_days=2, decisions_days=30)
    assert counts(tmp_path / "j")["tape"] == counts(tmp_path / "j")["effects"] == 0
    assert counts(tmp_path / "j")["trades"] == before["trades"]


def test_what_is_young_stays(tmp_path: Path) -> None:
    six_days(tmp_path / "j", "demo")
    before = counts(tmp_path / "j")
    assert pruned(tmp_path / "j", now_days=6.1) == Pruned(0, 0)
    assert counts(tmp_path / "j") == before


def test_size_and_growth_are_told(tmp_path: Path) -> None:
    six_days(tmp_path / "j", "demo")
    size = size_of(tmp_path / "j")
    assert size.file_bytes > 100_000
    with TapeReader(tmp_path / "j") as reader:
        ((bodies,),) = reader.rows(
            "SELECT (SELECT sum(length(body)) FROM tape) + (SELECT sum(length(body)) FROM effects)"
            " + (SELECT sum(length(body)) FROM quote_blocks) + (SELECT sum(length(state)) FROM checkpoints)"
        )
    assert size.bytes_per_day == pytest.approx(bodies)


def test_a_living_writer_prunes_between_its_writing(tmp_path: Path) -> None:
    six_days(tmp_path / "j", "demo")
    clock = Watch(MONDAY_NS + 500 * DAY_NS)
    for threaded in (False, True):
        journal = JournalWriter(tmp_path / "j", journal_settings(), clock=clock, durable=True, threaded=threaded)
        journal.begin_run(new_run("r2"))
        journal.prune()
        journal.append(next(day(1, run_id="r2")))
        assert journal.flush_blocking()
        if not threaded:
            assert counts(tmp_path / "j")["tape"] == 1
        journal.close()
        assert journal.writable
