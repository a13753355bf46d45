"""`monitor --plain` over a real line: what it says, and that it ends with the engine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from tests.cli.fake_engine import ScriptedEngine, running, snapshot


def test_plain_lines_tell_the_desk_and_end_with_the_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    with running(tmp_path, ScriptedEngine(lambda _: (True, "")), snapshot()):
        watching = threading.Thread(target=lambda: codes.append(main(["monitor", "--plain", "--home", str(tmp_path)])))
        watching.start()
        said = ""
        while "REPLAY" not in said and watching.is_alive():
            said += capsys.readouterr().out
    watching.join(20)
    said += capsys.readouterr().out
    assert codes == [0]
    assert "ACTIVE, equity 10,000.00" in said
    assert "engine ended" in said


def test_without_a_terminal_the_screen_says_what_goes_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--home", str(tmp_path)]) == 2
    assert "--plain" in capsys.readouterr().err
