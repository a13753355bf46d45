"""A restart ends the running engine only when the next can start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.cli.restart import CHECK
from quarterdeck.cli.start_record import record_start
from quarterdeck.core.engine.engine_process import EngineStartFailed
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.settings.home import Home
from tests.cli.fake_engine import ScriptedEngine, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripted engine listens on a Unix socket")


@pytest.mark.parametrize("why", ["strategy.py: SyntaxError", "the gateway refuses the token", "settings.toml: 1 mistake"])
def test_a_restart_that_cannot_start_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    engine, asked = ScriptedEngine(lambda _: (True, "stopping")), []
    record_start(RunRequest(home=Home(tmp_path)))

    def fails(_home: Path, arguments: tuple[str, ...], _step: object) -> int:
        asked.append(arguments)
        raise EngineStartFailed(why, 3)

    monkeypatch.setattr("quarterdeck.cli.restart.start_engine", fails)
    with running(tmp_path, engine):
        assert main(["restart", "--home", str(tmp_path)]) == 9
    assert engine.commands == [], "nobody was asked to stop"
    assert [arguments[-1] for arguments in asked] == [CHECK]
    said = capsys.readouterr().err
    assert "not restarted, run r1 continues" in said
    assert why in said
