"""Reading a tape back: runs, segments after a checkpoint, and the past that a restart continues from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from quarterdeck.core.journal.journal_store import NewRun
from quarterdeck.core.journal.tape_format import encode
from quarterdeck.core.journal.tape_reader import TAPE_VERSION, RecoveryState, TapeReader, recovery_state
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import Restored, SequencedInput, SettingsChanged, Started
from tests.core.journal.tapes import SmallDesk, Watch, day, example, journal_settings, new_run, record


def past(reader: TapeReader, **whose: Any) -> RecoveryState | None:
    found = recovery_state(reader, **({"mode": "replay", "account": 7, "server": "Sim"} | whose))
    return None if found is None else RecoveryState(reader, found[0], found[1][0])


def crashed(path: Path, inputs: list[SequencedInput], run: NewRun | None = None, checkpoint_at: int = 0) -> SmallDesk:
    """A run that ends without saying so, and its desk as it was."""
    desk = SmallDesk()
    writer = JournalWriter(path, journal_settings(), clock=Watch(), durable=False, threaded=False)
    writer.begin_run(run or new_run())
    for stamped in inputs:
        writer.append(stamped, desk.on(stamped))
        if stamped.seq == checkpoint_at:
            writer.checkpoint(stamped.at_utc_ns, desk.checkpoint(), "midnight")
    writer.close()
    return desk


@pytest.mark.parametrize("checkpoint_at", [0, 1, 57, 300])
def test_fresh_desk_fed_the_tape_equals_the_dead_one(tmp_path: Path, checkpoint_at: int) -> None:
    inputs = list(day(40))
    dead = crashed(tmp_path / "j", inputs, checkpoint_at=checkpoint_at)
    with TapeReader(tmp_path / "j") as reader:
        found = past(reader)
        assert found is not None
        assert found.count == len(inputs) - checkpoint_at
        fresh = SmallDesk()
        fed = 0
        for _, stamped in found.inputs():
            fresh.on(stamped)
            fed += 1
    assert fed == found.count + (2 if checkpoint_at else 0)
    assert fresh.checkpoint() == dead.checkpoint()
    assert found.damage == ""


def test_the_same_effects_follow_from_a_checkpoint(tmp_path: Path) -> None:
    record(tmp_path / "j", list(day(40)), checkpoint_every=150)
    with TapeReader(tmp_path / "j") as reader:
        run = reader.run()
        for mark in reader.checkpoints(run):
            desk = SmallDesk()
            for stamped in reader.segment(run, mark.seq).prefix:
                desk.on(stamped)
            for entry in reader.entries(run, mark.seq):
                assert entry.intact
                assert tuple(encode(effect) for effect in desk.on(entry.stamped)) == entry.effects


def test_a_segments_past_has_the_settings_that_held_then(tmp_path: Path) -> None:
    inputs = list(day(2))
    changed: SettingsChanged = example(SettingsChanged)
    inputs.append(SequencedInput(seq=len(inputs) + 1, at_utc_ns=inputs[-1].at_utc_ns, input=changed))
    crashed(tmp_path / "j", inputs, checkpoint_at=len(inputs))
    with TapeReader(tmp_path / "j") as reader:
        started, restored = reader.segment(reader.run(), len(inputs)).prefix
    assert isinstance(started.input, Started)
    assert isinstance(restored.input, Restored)
    assert bytes(started.input.settings) == bytes(changed.settings)
    assert (started.seq, restored.seq) == (len(inputs) - 1, len(inputs))


def test_a_checkpoint_that_is_not_there_is_told(tmp_path: Path) -> None:
    record(tmp_path / "j", list(day(1)))
    with TapeReader(tmp_path / "j") as reader, pytest.raises(StorageError, match="no checkpoint at 5"):
        reader.segment(reader.run(), 5)


def test_recovered_state_belongs_to_the_requested_account_and_mode(tmp_path: Path) -> None:
    crashed(tmp_path / "j", list(day(3, run_id="demo")), new_run("demo", mode="demo"))
    crashed(tmp_path / "j", list(day(1, run_id="replay")), new_run("replay"))
    crashed(tmp_path / "j", list(day(1, run_id="other")), new_run("other", mode="demo", account=8))
    with TapeReader(tmp_path / "j") as reader:
        found = past(reader, mode="demo")
        assert found is not None
        assert found.run.run_id == "demo"
        assert past(reader, mode="real") is None


def test_run_that_died_before_restore_is_skipped(tmp_path: Path) -> None:
    crashed(tmp_path / "j", list(day(3)))
    crashed(tmp_path / "j", list(day(1))[:1], new_run("r2"))
    crashed(tmp_path / "j", [], new_run("r3"))
    with TapeReader(tmp_path / "j") as reader:
        found = past(reader)
        assert found is not None
        assert found.run.run_id == "r1"


def test_a_restored_run_is_a_past_of_its_own(tmp_path: Path) -> None:
    dead = crashed(tmp_path / "j", list(day(3)))
    first = next(day(1, run_id="r2"))
    restored = SequencedInput(seq=2, at_utc_ns=first.at_utc_ns, input=Restored(state=Raw(dead.checkpoint())))
    crashed(tmp_path / "j", [first, restored], new_run("r2"))
    with TapeReader(tmp_path / "j") as reader:
        found = past(reader)
        assert found is not None
        assert found.run.run_id == "r2"


def test_reading_goes_on_while_the_engine_writes(tmp_path: Path) -> None:
    inputs = list(day(20))
    writer = JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=True, threaded=False)
    writer.begin_run(new_run())
    half = len(inputs) // 2
    for stamped in inputs[:half]:
        writer.append(stamped)
    assert writer.flush_blocking()
    with TapeReader(tmp_path / "j") as reader:
        entries = reader.entries(reader.run())
        seen = [next(entries)]
        for stamped in inputs[half:]:
            writer.append(stamped)
        assert writer.flush_blocking()
        seen += entries
        assert [entry.stamped for entry in seen] == inputs[:half]
        assert all(entry.intact for entry in seen)
        assert len(list(reader.entries(reader.run()))) == len(inputs)
    writer.close()


def test_a_tape_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    crashed(tmp_path / "k", list(day(1)), NewRun(**{**_facts(), "tape_version": TAPE_VERSION + 1}))
    with TapeReader(tmp_path / "k") as reader, pytest.raises(StorageError, match=f"version {TAPE_VERSION + 1}"):
        list(reader.entries(reader.run()))


def test_quotes_may_outlive_their_block(tmp_path: Path) -> None:
    inputs = list(day(30, quotes_a_bar=40))
    record(tmp_path / "j", inputs)
    with TapeReader(tmp_path / "j") as reader:
        run = reader.run()
        blocks = reader.rows("SELECT count(*) FROM quote_blocks WHERE run = ?", run.run)
        assert blocks[0][0] > 5
        for after in (0, 1, 100, 700, len(inputs)):
            assert [entry.stamped for entry in reader.entries(run, after)] == inputs[after:]
            assert reader.inputs_after(run, after) == len(inputs) - after


def test_no_run_is_told(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "j", journal_settings(), clock=Watch(), durable=False, threaded=False).close()
    with TapeReader(tmp_path / "j") as reader, pytest.raises(StorageError, match="contains no run"):
        reader.run()


def _facts() -> dict[str, Any]:
    run = new_run()
    return {name: getattr(run, name) for name in NewRun.__struct_fields__}
