"""A command that calls an engine learns the truth about it: none there, one whose link is away, one that does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from quarterdeck.cli.engine_client import NotReached, Unreachable, send_command, with_engine
from quarterdeck.cli.main import main
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.engine_lock import EngineLock
from quarterdeck.core.journal.heartbeat import Heartbeat, write_whole
from quarterdeck.core.link.link_address import PLACE_NAME
from quarterdeck.core.model.commands import Pause
from quarterdeck.core.settings.home import Home
from tests.cli.fake_engine import ScriptedEngine, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a Unix socket is taken away here")


@pytest.fixture
def held(tmp_path: Path):
    owner = EngineLock(Home(tmp_path), WallClock())
    yield tmp_path
    owner.release()


def beat(home: Path, **facts: object) -> None:
    now = WallClock().utc_ns()
    plain = {"wall_utc_ns": now, "wall": "now", "pid": 7, "run_id": "r1", "home": str(home), "ready": True, "mode": "demo"}
    whole = msgspec.convert({**plain, "state": "ACTIVE", "positions": 2, **facts}, Heartbeat)
    write_whole(Home(home).heartbeat, msgspec.json.encode(whole))


def test_without_an_engine_what_is_open_is_said(tmp_path: Path) -> None:
    beat(tmp_path)
    with pytest.raises(NotReached) as caught:
        send_command(tmp_path, Pause())
    said = caught.value.one_line()
    assert "2 positions were open then: only stops at the broker protect open positions" in said
    assert f"quarterdeck run --home {tmp_path}" in said


@pytest.mark.parametrize("words", [("flatten",), ("status",), ("pause",)])
def test_a_living_engine_without_a_link_is_named(
    held: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("quarterdeck.cli.engine_client._RETURN_S", 0.0)
    beat(held)
    monkeypatch.setattr("quarterdeck.core.journal.engine_lock._HELD", set())  # as another process sees it
    monkeypatch.setattr("quarterdeck.cli.engine_client.is_held", lambda lock: True)
    assert main([*words, "--home", str(held)]) == 9
    said = capsys.readouterr().err
    assert "an engine runs and does not answer: pid" in said
    assert "start one with" not in said


def test_a_link_that_comes_back_is_waited_for(held: Path) -> None:
    engine = ScriptedEngine(lambda _: (True, "paused"))
    with running(held, engine):
        away = (held / PLACE_NAME).read_bytes()
        (held / PLACE_NAME).unlink()

        def put_back() -> None:
            (held / PLACE_NAME).write_bytes(away)

        engine.loop.call_soon_threadsafe(engine.loop.call_later, 0.5, put_back)
        assert send_command(held, Pause()).ok


def test_an_unreachable_engine_is_not_taken_for_none(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.cli.engine_client._RETURN_S", 0.0)
    with pytest.raises(Unreachable):
        with_engine(held, lambda client: client.send(Pause()))
