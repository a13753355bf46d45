"""The heartbeat says that the engine lives and what is wrong, and `status` turns it into an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.core.journal.heartbeat import (
    Heartbeat,
    HeartbeatWriter,
    heartbeat_of,
    heartbeat_status,
    read_heartbeat,
    write_whole,
)
from quarterdeck.core.model.snapshot import ReasonView, Snapshot
from quarterdeck.core.model.units import NS_PER_S
from tests.core.journal.tapes import MONDAY_NS, example

WELL = {"positions_without_stop": 0, "unconfirmed_orders": 0, "positions_match": True, "reasons": (), "state": "ACTIVE"}
SOUND = {
    "connection_up": True,
    "journal_writable": True,
    "loop_lag_ms": 1.0,
    "calendar_why": "",
    "history_why": "",
    "ready": True,
}


def snapshot(wall_s: float = 0.0, desk: dict[str, Any] | None = None, engine: dict[str, Any] | None = None) -> Snapshot:
    made: Snapshot = example(Snapshot)
    wall = MONDAY_NS + round(wall_s * NS_PER_S)
    return msgspec.structs.replace(
        made,
        desk=msgspec.structs.replace(made.desk, **(WELL | (desk or {}))),
        engine=msgspec.structs.replace(made.engine, wall_utc_ns=wall, **(SOUND | (engine or {}))),
    )


def reason(code: str) -> ReasonView:
    return ReasonView(code=code, state="REDUCE_ONLY", since_utc_ns=MONDAY_NS, text=f"{code} it is", clears_when="")


class Kept(list[tuple[int, bool, str]]):
    def heartbeat(self, wall_utc_ns: int, body: bytes, *, ok: bool, state: str) -> None:
        assert msgspec.json.decode(body, type=Heartbeat).wall_utc_ns == wall_utc_ns
        self.append((wall_utc_ns, ok, state))


def test_a_beat_is_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.json"
    beat = HeartbeatWriter(path, Kept()).beat(snapshot())
    assert read_heartbeat(path) == beat
    assert beat.ok
    assert [file.name for file in tmp_path.iterdir()] == ["heartbeat.json"]


def test_history_holds_changes_and_one_a_minute(tmp_path: Path) -> None:
    kept = Kept()
    heart = HeartbeatWriter(tmp_path / "h", kept)
    for second in range(0, 125, 5):
        wrong = {"positions_without_stop": 1} if 30 <= second < 40 else {}
        heart.beat(snapshot(second, desk=wrong))
    heart.stopped(MONDAY_NS + 125 * NS_PER_S, "asked to", clean=True)
    seconds = [(wall - MONDAY_NS) // NS_PER_S for wall, _, _ in kept]
    assert seconds == [0, 30, 40, 100, 125]


@pytest.mark.parametrize(
    ("desk", "engine", "kind"),
    [
        ({"positions_without_stop": 2}, {}, "no_stop"),
        ({"unconfirmed_orders": 1}, {}, "unknown_fate"),
        ({"positions_match": False}, {}, "book"),
        ({}, {"connection_up": False, "connection_reason": "connection lost"}, "feed"),
        ({}, {"journal_writable": False}, "journal"),
        ({}, {"calendar_why": "week.json: No such file"}, "calendar"),
        ({}, {"history_why": "EURUSD: no data from 10:00 to 12:00"}, "history"),
        ({}, {"loop_lag_ms": 9000.0}, "loop"),
        ({"reasons": (reason("day_loss"),)}, {}, "day_loss"),
    ],
)
def test_what_is_wrong_is_told(desk: dict[str, Any], engine: dict[str, Any], kind: str) -> None:
    beat = heartbeat_of(snapshot(desk=desk, engine=engine))
    assert [problem.kind for problem in beat.problems] == [kind]
    answer = heartbeat_status(beat, beat.wall_utc_ns)
    assert answer.exit_code == 9
    assert beat.problems[0].text in answer.text


def test_one_trouble_is_told_once() -> None:
    beat = heartbeat_of(snapshot(desk={"reasons": (reason("feed"),)}, engine={"connection_up": False}))
    assert [problem.text for problem in beat.problems] == ["feed it is"]


def test_a_pause_is_no_fault() -> None:
    beat = heartbeat_of(snapshot(desk={"reasons": (reason("paused"),), "state": "REDUCE_ONLY"}))
    answer = heartbeat_status(beat, beat.wall_utc_ns)
    assert answer.exit_code == 0
    assert "REDUCE_ONLY (paused)" in answer.text


def test_an_unknown_book_is_no_disagreement() -> None:
    assert heartbeat_of(snapshot(desk={"positions_match": None})).ok


@pytest.mark.parametrize(
    ("age_s", "alive", "code", "word"),
    [
        (1, None, 0, "well"),
        (19, None, 0, "well"),
        (21, None, 8, "last heartbeat"),
        (21, True, 9, "stuck"),
        (1, False, 8, "did not end properly"),
    ],
)
def test_silence_is_told_from_death(age_s: int, alive: bool | None, code: int, word: str) -> None:
    beat = heartbeat_of(snapshot())
    answer = heartbeat_status(beat, beat.wall_utc_ns + age_s * NS_PER_S, alive=alive)
    assert answer.exit_code == code
    assert word in answer.text
    assert "\n" not in answer.text


def test_rare_beats_are_waited_for_longer() -> None:
    beat = heartbeat_of(snapshot(60.0), MONDAY_NS)
    assert beat.every_s == 60.0
    assert heartbeat_status(beat, beat.wall_utc_ns + 200 * NS_PER_S).exit_code == 0
    assert heartbeat_status(beat, beat.wall_utc_ns + 241 * NS_PER_S).exit_code == 8


def test_the_end_is_told(tmp_path: Path) -> None:
    heart = HeartbeatWriter(tmp_path / "h", Kept())
    heart.beat(snapshot())
    heart.stopped(MONDAY_NS + NS_PER_S, "asked to stop", clean=True)
    answer = heartbeat_status(read_heartbeat(tmp_path / "h"), MONDAY_NS + 181 * NS_PER_S)
    assert answer.exit_code == 8
    assert answer.text.endswith("ended 3 min ago: asked to stop")


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"pid": "x"}'])
def test_no_heartbeat_is_not_running(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "h"
    if content is not None:
        path.write_bytes(content)
    assert heartbeat_status(read_heartbeat(path), MONDAY_NS).exit_code == 8


def test_without_room_for_a_second_file_the_first_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    assert write_whole(path, b'{"a": 1}')
    size = path.stat().st_size

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("quarterdeck.core.journal.heartbeat.os.open", full)
    assert write_whole(path, b'{"a": 2}')
    assert path.read_bytes().startswith(b'{"a": 2}')
    assert path.stat().st_size == size
    assert not write_whole(tmp_path / "other", b"{}")
