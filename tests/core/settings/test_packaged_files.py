"""The shipped files are read through one function, and nothing else is reachable through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.settings import packaged_files
from quarterdeck.core.settings.packaged_files import shipped_names, shipped_text


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packaged_files, "shipped_root", lambda: tmp_path)
    return tmp_path


def test_a_file_is_read_by_its_name(root: Path) -> None:
    (root / "themes").mkdir()
    (root / "themes" / "night.toml").write_text("name = 'µ'", encoding="utf-8")
    assert shipped_text("themes/night.toml") == "name = 'µ'"


def test_names_of_a_folder_are_sorted_and_readable(root: Path) -> None:
    (root / "themes").mkdir()
    for name in ("night.toml", "day.toml", ".hidden"):
        (root / "themes" / name).write_text(name, encoding="utf-8")
    assert shipped_names("themes") == ("themes/day.toml", "themes/night.toml")
    assert [shipped_text(name) for name in shipped_names("themes")] == ["day.toml", "night.toml"]


def test_a_missing_folder_has_no_names(root: Path) -> None:
    assert shipped_names("themes") == ()


def test_a_missing_file_says_that_the_installation_is_damaged(root: Path) -> None:
    with pytest.raises(StorageError, match=r"themes/none\.toml does not come with this installation"):
        shipped_text("themes/none.toml")


@pytest.mark.parametrize("name", ["../secrets.toml", "/etc/passwd", "themes/../../x", "..\\x", "C:/x"])
def test_nothing_outside_the_installation_is_read(root: Path, name: str) -> None:
    with pytest.raises(StorageError, match="no name of a shipped file"):
        shipped_text(name)


def test_the_real_files_are_there() -> None:
    assert "[risk]" in shipped_text("settings.toml")
    assert shipped_names("themes")
