"""Where the home folder is, and what an operator reads when it cannot be written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.settings.home import Home, is_quarterdeck_settings, platform_home, prepare, resolve_home
from quarterdeck.core.settings.packaged_files import shipped_root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text("[risk]\nper_trade_pct = 1.0\n")
    return tmp_path


def test_the_command_line_comes_first(folder: Path) -> None:
    home = resolve_home(Path("mine"), environ={"QUARTERDECK_HOME": "/elsewhere"}, current=folder)
    assert home == Home(folder / "mine")


def test_then_the_environment(folder: Path, tmp_path: Path) -> None:
    named = tmp_path / "named"
    assert resolve_home(environ={"QUARTERDECK_HOME": str(named)}, current=folder) == Home(named)


def test_then_a_current_folder_with_settings_of_ours(folder: Path) -> None:
    assert resolve_home(environ={}, current=folder) == Home(folder)


def test_else_the_platforms_data_folder(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[tool]\nname = 'another program'\n")
    data = tmp_path / "data"
    assert resolve_home(environ={"XDG_DATA_HOME": str(data)}, current=tmp_path, platform="linux") == Home(data / "quarterdeck")


def test_the_shipped_files_are_no_home(tmp_path: Path) -> None:
    home = resolve_home(environ={"XDG_DATA_HOME": str(tmp_path)}, current=shipped_root(), platform="linux")
    assert home == Home(tmp_path / "quarterdeck")


def test_windows_keeps_it_local(tmp_path: Path) -> None:
    assert platform_home({"LOCALAPPDATA": str(tmp_path)}, "win32") == tmp_path / "Quarterdeck"


def test_a_broken_file_that_says_it_is_ours_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("# Quarterdeck\n[risk\n")
    assert is_quarterdeck_settings(path)


@pytest.mark.parametrize("text", ["[project\n", "", "[server]\nport = 1\n"])
def test_another_programs_file_is_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert not is_quarterdeck_settings(path)


def test_preparing_makes_a_private_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    home = prepare(Home(tmp_path / "new" / "home"))
    assert list(home.root.iterdir()) == []
    if sys.platform != "win32":
        assert home.root.stat().st_mode & 0o077 == 0


def test_unwritable_home_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        prepare(Home(tmp_path / "file" / "home"))
    assert str(tmp_path / "file" / "home") in caught.value.one_line()
    assert "--home DIR" in caught.value.one_line()


@pytest.mark.skipif(sys.platform == "win32", reason="rights are of another kind there")
def test_a_home_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.logs.mkdir(parents=True)
    written = [home.journal, home.heartbeat, home.overrides, home.root / "owner.lock", home.logs / "engine.log"]
    for path in written:
        path.write_text("x")
        path.chmod(0o644)
    home.root.chmod(0o755)
    outside = tmp_path / "elsewhere"
    outside.write_text("not ours to change")
    outside.chmod(0o644)
    (home.root / "linked.json").symlink_to(outside)
    prepare(home)
    assert [path.stat().st_mode & 0o077 for path in (home.root, home.logs, *written)] == [0] * 7
    assert outside.stat().st_mode & 0o077 == 0o044
