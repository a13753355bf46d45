"""`quarterdeck compile`: made once for a source, taken away when asked to, and what is missing on one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.compiled import load
from quarterdeck.core.compiled.build import STAMP_NAME, source_digest
from quarterdeck.core.settings import extras


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a compiled desk would stand."""
    folder = tmp_path / "quarterdeck_compiled"
    for module in ("quarterdeck.cli.compile", "quarterdeck.core.compiled.load", "quarterdeck.core.compiled.build"):
        monkeypatch.setattr(f"{module}.destination", lambda: folder)
    load.fits.cache_clear()
    yield folder
    load.fits.cache_clear()


def test_what_fits_is_not_made_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.mkdir()
    (place / STAMP_NAME).write_text(source_digest(), encoding="ascii")
    assert main(["compile"]) == 0
    assert capsys.readouterr().out.strip() == f"backtests run compiled; {place} fits this version already"


def test_it_can_be_taken_away_twice(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.mkdir()
    (place / STAMP_NAME).write_text(source_digest(), encoding="ascii")
    for _ in range(2):
        assert main(["compile", "--remove", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["compiled"] is False
    assert not place.exists()


def test_what_is_missing_is_said_on_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "mypy" else object())
    assert main(["compile"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[0].startswith("compiling; takes")
    assert len(said) == 2
    assert "compiling the desk needs mypy, not installed" in said[1]
    assert "pip install 'quarterdeck[compile]'" in said[1]
    assert not place.exists()
