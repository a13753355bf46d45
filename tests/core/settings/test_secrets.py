"""Secrets stay secret: rights are checked, the environment wins, nothing prints them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.secrets import Secrets, read_secrets


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_is_stronger_than_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'password = "filed"\nalert_urls = ["json://a"]\n')
    assert read_secrets(path, {}) == Secrets(password="filed", alert_urls=("json://a",))
    assert read_secrets(path, {"QUARTERDECK_PASSWORD": "given"}).password == "given"


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files work differently on Windows")
def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="others may read it") as caught:
        read_secrets(written(tmp_path, 'password = "x"\n', 0o644), {})
    assert "chmod 600" in caught.value.one_line()


@pytest.mark.parametrize("text", ['passwort = "hunter2"\n', "password = 3\n", "[broken\n"])
def test_a_mistake_is_named_without_the_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_secrets(written(tmp_path, text), {})
    assert "hunter2" not in caught.value.one_line()


def test_no_way_of_printing_shows_them() -> None:
    secrets = Secrets(password="hunter2", alert_urls=("tgram://token",))
    assert "hunter2" not in f"{secrets} {secrets!r}"
    assert secrets.texts() == ("hunter2", "tgram://token")
