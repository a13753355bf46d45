"""Secrets stay secret: rights are checked, the environment wins, nothing prints them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.secrets import Secrets, read_secrets
from quarterdeck.core.settings.settings_loader import load_settings, parse_value, shipped_settings


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_is_stronger_than_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'password = "filed"\nalert_urls = ["json://a"]\n')
    assert read_secrets(path, {}) == Secrets(password="filed", alert_urls=("json://a",))
    assert read_secrets(path, {"QUARTERDECK_PASSWORD": "given"}).password == "given"
    path.write_text('telegram_token = "1:filed"\n')
    assert read_secrets(path, {}).telegram_token == "1:filed"
    assert read_secrets(path, {"QUARTERDECK_TELEGRAM_TOKEN": "1:given\n"}).texts() == ("1:given",)


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
    assert secrets.texts() == ("tgram://token", "hunter2"), "the longest is hidden first"


def test_keys_within_addresses_are_hidden_and_hosts_are_not() -> None:
    urls = ("discord://123456789/a-long-token?avatar=no", "https://me:one-password@chat.example/hooks/a_long_key?key=another1")
    parts = set(Secrets(alert_urls=urls).texts()) - set(urls)
    assert parts == {"123456789", "a-long-token", "one-password", "a_long_key", "another1"}


CANARY = "canary-5f3a"
HOLDERS = [
    ("alerts.urls", f'["tgram://{CANARY}/12345"]'),
    ("alerts.urls", f"tgram://{CANARY}/12345"),
    ("news.urls", f'["https://me:{CANARY}@feed.example/week.json"]'),
    ("news.urls", f'["https://feed.example/week.json?api_key={CANARY}"]'),
    ("account.gateway", f"wss://me:{CANARY}@gateway.example:8443"),
    ("account.gateway", f"wss://gateway.example:8443/?token={CANARY}"),
    ("scan.redis", f"redis://:{CANARY}@127.0.0.1:6379/0"),
    ("strategy.file", f"https://me:{CANARY}@files.example/mine.py"),
]


@pytest.mark.parametrize(("key", "text"), HOLDERS)
def test_a_secret_in_settings_is_refused_unrepeated(tmp_path: Path, key: str, text: str) -> None:
    with pytest.raises(SettingsError, match="a secret does not belong in the settings") as set_alone:
        parse_value(key, text)
    value = [text.strip('[]"')] if key.endswith("urls") else text
    with pytest.raises(SettingsError, match="a secret does not belong in the settings") as extra:
        load_settings(tmp_path, [(key, value)])
    assert CANARY not in set_alone.value.one_line() + extra.value.one_line()
    assert "secrets.toml" in set_alone.value.one_line() or "leave" in set_alone.value.one_line()


@pytest.mark.parametrize("key", ["alerts.urls", "news.urls"])
def test_an_older_files_secret_is_used_unwritten(tmp_path: Path, key: str) -> None:
    section, name = key.split(".")
    urls = f'["json://a/{CANARY}"]' if section == "alerts" else f'["https://me:{CANARY}@a.example", "https://b.example"]'
    (tmp_path / "settings.toml").write_text(f"[{section}]\n{name} = {urls}\n")
    loaded = load_settings(tmp_path)
    assert CANARY not in repr(loaded.tree) + repr(loaded.file_tree) + repr(loaded.settings) + "".join(loaded.notes)
    assert any(key in note for note in loaded.notes)
    secrets = read_secrets(tmp_path / "secrets.toml", {}, alert_urls=loaded.alert_urls, news_urls=loaded.news_urls)
    assert CANARY in "".join(secrets.texts())
    assert loaded.settings.news.urls == (("https://b.example",) if section == "news" else shipped_settings().news.urls)


def test_a_wrong_type_of_address_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'[alerts]\nurls = "tgram://{CANARY}/1"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert CANARY not in caught.value.one_line()
