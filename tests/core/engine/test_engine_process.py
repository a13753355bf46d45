"""The engine's process is the installed program, whatever lies in the folder that it was started from."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.engine.engine_process import EngineStartFailed, start_engine


@pytest.mark.processes
def test_current_folder_is_not_on_the_engines_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "quarterdeck" / "cli").mkdir(parents=True)
    (elsewhere / "quarterdeck" / "__init__.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(EngineStartFailed, match="the engine ended with code 0 before it was ready"):
        start_engine(tmp_path / "home", ["--help"], lambda _step: None)
