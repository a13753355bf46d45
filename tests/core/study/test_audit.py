"""A tape is fed to a fresh desk: every decision agrees, and whatever was done to tape or desk is found where it shows."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.journal.journal_schema import open_writable
from quarterdeck.core.journal.tape_format import decode_effect, encode
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import SequencedInput, TimerFired
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.settings.home import Home
from quarterdeck.core.study.audit import AuditResult, audit
from tests.core.journal.tapes import MONDAY_NS, SmallDesk, day, record

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    record(tmp_path / "j", list(day(60)), checkpoint_every=200)
    return tmp_path / "j"


def changed(path: Path, sql: str, *values: Any) -> int:
    connection = open_writable(path, durable=False)
    connection.create_function("packed", 1, zlib.compress)
    connection.create_function("unpacked", 1, zlib.decompress)
    count = connection.execute(sql, values).rowcount
    connection.close()
    return count


def examined(path: Path, desk: Any = SmallDesk) -> AuditResult:
    return audit(path, desk)


def test_every_decision_agrees(tape: Path) -> None:
    result = examined(tape)
    assert result.agrees
    assert result.agree == result.decisions > 100
    assert result.inputs == len(list(day(60)))
    assert result.states == result.states_agree == result.inputs // 200
    assert result.fields()["agrees"] is True
    assert f"{result.agree} of {result.decisions} decisions agree" in result.lines()[0]


@pytest.mark.processes
def test_it_agrees_in_another_process_with_another_hash_seed(tape: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from quarterdeck.core.settings.home import Home
from quarterdeck.core.study.audit import audit
from tests.core.journal.tapes import SmallDesk
print(json.dumps(audit(Path(sys.argv[1]), SmallDesk).fields()))
"""
    command = [sys.executable, "-c", script, str(tape)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"})
    fields = json.loads(done.stdout)
    assert fields["decisions"] == fields["agree"] == examined(tape).decisions


def test_edited_threshold_is_found_at_the_first_differing_decision(tape: Path) -> None:
    result = examined(tape, lambda: SmallDesk(spread_price_max=0.00011))
    assert not result.agrees
    assert result.first_difference is not None
    assert result.first_difference == result.first_decision
    assert result.first_difference.kind == "decision"
    assert "checks[spread].threshold: 0.00012 -> 0.00011" in result.first_difference.text
    assert any(word.startswith("verdict") for word in result.changed)
    assert sum(result.changed.values()) == result.decisions - result.agree


def test_a_quote_changed_is_found(tape: Path) -> None:
    (first, body) = _rows(tape, "SELECT first_seq, body FROM quote_blocks ORDER BY first_seq LIMIT 1")[0]
    # the third quote's spread becomes so large that no entry may follow from it
    body = zlib.decompress(body)
    spoiled = zlib.compress(body[: 2 * 13 + 6] + b"\xff\x0f" + body[2 * 13 + 8 :])
    assert changed(tape, "UPDATE quote_blocks SET body = ? WHERE first_seq = ?", spoiled, first) == 1
    result = examined(tape)
    assert result.first_difference is not None
    assert result.first_difference.kind in ("altered", "decision")
    assert result.findings["altered"] == 1


def test_a_quote_that_decides_is_found_at_its_decision(tape: Path) -> None:
    seq, first = _rows(tape, "SELECT seq, bar_open_utc_ns FROM signals ORDER BY seq LIMIT 1")[0]
    assert first
    with TapeReader(tape) as reader:
        inputs = [entry.stamped for entry in reader.entries(reader.run())]
    place = max(
        n for n, stamped in enumerate(inputs[: seq - 1]) if getattr(stamped.input, "bid", 0) and _symbol(stamped) == "EURUSD"
    )
    quote: Any = inputs[place].input
    inputs[place] = msgspec.structs.replace(inputs[place], input=msgspec.structs.replace(quote, ask=round(quote.bid + 0.0002, 5)))
    other = tape.with_name("other")
    _record_with_effects_of(tape, other, inputs)
    result = examined(other)
    assert result.first_difference == result.first_decision is not None
    assert result.findings == {"decision": result.findings["decision"]}
    assert result.first_decision is not None
    assert result.first_decision.seq == seq
    assert "nothing" in result.first_decision.text or "->" in result.first_decision.text


def test_dropped_input_is_found_and_audit_resumes_at_checkpoint(tape: Path) -> None:
    assert changed(tape, "DELETE FROM tape WHERE seq = (SELECT min(seq) FROM signals WHERE seq > 210)") == 1
    result = examined(tape)
    assert result.first_difference is not None
    assert result.first_difference.kind == "gap"
    assert "1 inputs are missing" in result.first_difference.text
    assert result.agree < result.decisions
    assert result.states_agree == result.states == len(list(day(60))) // 200 - 1
    assert result.findings == {"gap": 1}


def test_two_inputs_swapped_are_found(tape: Path) -> None:
    rows = _rows(tape, "SELECT seq, tag, body FROM tape WHERE tag = 'no_signal' ORDER BY seq LIMIT 2")
    (a, tag_a, body_a), (b, tag_b, body_b) = rows
    changed(tape, "UPDATE tape SET tag = ?, body = ? WHERE seq = ?", tag_b, body_b, a)
    changed(tape, "UPDATE tape SET tag = ?, body = ? WHERE seq = ?", tag_a, body_a, b)
    result = examined(tape)
    assert result.first_difference is not None
    assert result.first_difference.seq == a
    assert result.findings["altered"] == 2
    assert result.first_decision is not None
    assert result.first_decision.seq == a


def test_a_tape_cut_short_is_found(tape: Path) -> None:
    ((last,),) = _rows(tape, "SELECT max(first_seq) - 1 FROM quote_blocks")
    changed(tape, "DELETE FROM tape WHERE seq > ?", last)
    changed(tape, "DELETE FROM quote_blocks WHERE last_seq > ?", last)
    changed(tape, "DELETE FROM effects WHERE seq > ?", last)
    result = examined(tape)
    assert result.first_difference is not None
    assert result.first_difference.kind == "end"


def test_an_effect_changed_is_found(tape: Path) -> None:
    seq, n, body = _rows(tape, "SELECT seq, n, body FROM effects WHERE tag = 'submit' ORDER BY seq LIMIT 1")[0]
    forged = msgspec.msgpack.encode(msgspec.msgpack.decode(body) | {"lots": 5.0})
    changed(tape, "UPDATE effects SET body = ? WHERE seq = ? AND n = ?", forged, seq, n)
    result = examined(tape)
    assert result.first_decision is not None
    assert "lots: 5.0 -> 0.1" in result.first_decision.text
    assert result.agree == result.decisions - 1


def test_an_effect_taken_out_is_found(tape: Path) -> None:
    changed(tape, "DELETE FROM effects WHERE tag = 'close' AND seq = (SELECT max(seq) FROM effects WHERE tag = 'close')")
    result = examined(tape)
    assert result.changed["nothing -> close"] == 1


def test_a_desk_that_breaks_is_a_finding(tape: Path) -> None:
    class Brittle(SmallDesk):
        def on(self, stamped: SequencedInput) -> Any:
            if isinstance(stamped.input, Signal) and stamped.seq > 250:
                raise KeyError("atr")
            return super().on(stamped)

    result = examined(tape, Brittle)
    assert result.first_difference is not None
    assert result.first_difference.kind == "broken"
    assert "KeyError" in result.first_difference.text
    assert result.agree < result.decisions


def test_undecodable_body_is_an_error_in_one_line(tape: Path) -> None:
    changed(tape, "UPDATE tape SET body = x'c1' WHERE seq = 3")
    with pytest.raises(StorageError, match="cannot be decoded"):
        examined(tape)


def test_any_segment_can_be_audited_alone(tape: Path) -> None:
    # what was before the checkpoint at 400 is pruned
    for table in ("tape", "effects"):
        changed(tape, f"DELETE FROM {table} WHERE seq <= 400")
    changed(tape, "UPDATE runs SET tape_from_seq = 401")
    result = examined(tape)
    assert result.agrees
    assert result.pruned_before_seq == 401
    assert result.inputs == len(list(day(60))) - 400
    assert any("pruned" in line for line in result.lines())


def test_a_run_pruned_throughout_says_so(tape: Path) -> None:
    changed(tape, "UPDATE runs SET tape_from_seq = 100000")
    with pytest.raises(StorageError, match="pruned"):
        examined(tape)


def test_progress_is_told(tape: Path) -> None:
    told: list[tuple[int, int]] = []
    audit(tape, SmallDesk, progress=lambda done, total: told.append((done, total)))
    total = len(list(day(60)))
    assert told[-1] == (total, total)


def test_an_audit_can_be_made_while_the_engine_writes(tape: Path) -> None:
    writer = sqlite3.connect(tape, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    body = encode(TimerFired())
    writer.execute("INSERT INTO tape VALUES (1, 99999, ?, 'timer', 0, ?)", (MONDAY_NS, body))
    assert examined(tape).agrees
    writer.execute("ROLLBACK")
    writer.close()


@pytest.fixture(scope="module")
def replayed(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the real desk over two recorded weeks."""
    home = Home(tmp_path_factory.mktemp("replayed"))
    wish = RunRequest(
        home=home,
        replay=(recorded_data / "m15",),
        pairs=("EURUSD", "USDJPY"),
        from_day=date(2024, 7, 8),
        to_day=date(2024, 7, 19),
    )

    async def run() -> None:
        await run_to_end(await start_run(wish, on_step=lambda _: None))

    asyncio.run(run())
    return home.journal


@pytest.mark.slow
def test_the_real_desk_decides_the_same_from_the_journal_alone(replayed: Path) -> None:
    result = audit(replayed, Desk)
    assert result.agrees, result.lines()
    assert result.decisions == result.agree > 50
    assert result.states == result.states_agree > 5


@pytest.mark.slow
def test_the_real_desk_goes_on_from_any_checkpoint(replayed: Path) -> None:
    with TapeReader(replayed) as reader:
        run = reader.run()
        for mark in reader.checkpoints(run):
            desk = Desk()
            for stamped in reader.segment(run, mark.seq).prefix:
                desk.on(stamped)
            for entry in reader.entries(run, mark.seq):
                assert tuple(encode(effect) for effect in desk.on(entry.stamped)) == entry.effects


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (
            """UPDATE quote_blocks SET body =
                packed(CAST(substr(unpacked(body), 1, 2) || x'10000000' || substr(unpacked(body), 7) AS BLOB)) WHERE id = 3""",
            "altered",
        ),
        ("DELETE FROM tape WHERE seq = (SELECT min(seq) FROM signals)", "gap"),
        ("DELETE FROM effects WHERE tag = 'submit' AND seq = (SELECT min(seq) FROM intents)", "decision"),
    ],
)
def test_the_real_desks_tape_shows_what_was_done_to_it(replayed: Path, tmp_path: Path, change: str, kind: str) -> None:
    copy = tmp_path / "journal.sqlite"
    shutil.copy(replayed, copy)
    assert changed(copy, change) == 1
    result = audit(copy, Desk)
    assert result.first_difference is not None
    assert kind in result.findings


def _rows(path: Path, sql: str) -> list[Any]:
    connection = open_writable(path, durable=False)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _symbol(stamped: SequencedInput) -> str:
    return str(getattr(stamped.input, "symbol", ""))


def _record_with_effects_of(tape: Path, other: Path, inputs: list[SequencedInput]) -> None:
    """A tape in order whose inputs are others than those that its effects were decided on."""
    answers: dict[int, Any] = {}
    with TapeReader(tape) as reader:
        for entry in reader.entries(reader.run()):
            answers[entry.stamped.seq] = entry.effects

    class Parrot(SmallDesk):
        def on(self, stamped: SequencedInput) -> Any:
            return tuple(decode_effect(body) for body in answers[stamped.seq])

    record(other, inputs, desk=Parrot())
