"""`monitor --plain` over a real line: what it says, and that it ends with the engine."""

from __future__ import annotations

import contextlib
import io
import threading
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from tests.cli.fake_engine import ScriptedEngine, running, snapshot
from tests.e2e.processes import LONG_S, wait_for


def test_plain_lines_tell_the_desk_and_end_with_the_engine(tmp_path: Path) -> None:
    codes: list[int] = []
    said = io.StringIO()  # read while another thread writes: captured output may lose what comes in between
    words = ["monitor", "--plain", "--home", str(tmp_path)]
    with contextlib.redirect_stdout(said):
        with running(tmp_path, ScriptedEngine(lambda _: (True, "")), snapshot()):
            watching = threading.Thread(target=lambda: codes.append(main(words)), daemon=True)
            watching.start()
            wait_for(lambda: "REPLAY" in said.getvalue() or not watching.is_alive(), "the first line")
        watching.join(LONG_S)
    assert codes == [0]
    assert "ACTIVE, equity 10,000.00" in said.getvalue()
    assert "engine ended" in said.getvalue()


def test_without_a_terminal_the_screen_says_what_goes_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--home", str(tmp_path)]) == 2
    assert "--plain" in capsys.readouterr().err
