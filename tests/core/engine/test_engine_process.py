"""The engine's process is the installed program, whatever lies in the folder that it was started from."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.engine import engine_process
from quarterdeck.core.engine.engine_process import EngineStartFailed, start_engine


@pytest.mark.processes
def test_current_folder_is_not_on_the_engines_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "quarterdeck" / "cli").mkdir(parents=True)
    (elsewhere / "quarterdeck" / "__init__.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(EngineStartFailed, match="The engine ended with code 0 before it was ready"):
        start_engine(tmp_path / "home", ["--help"], lambda _step: None)


def test_a_closed_windows_job_still_gets_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    flags: list[int] = []

    def started(command: list[str], *, creationflags: int) -> list[str]:
        flags.append(creationflags)
        if creationflags & engine_process._BREAKAWAY:
            raise PermissionError(13, "access is denied")
        return command

    monkeypatch.setattr(engine_process.subprocess, "Popen", started)
    steps: list[str] = []
    assert engine_process._outside_the_job(["engine"], {"creationflags": 8}, steps.append) == ["engine"]
    assert flags == [8 | 0x01000000, 8]
    assert ["does not let it leave" in step for step in steps] == [True]
