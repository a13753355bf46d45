"""A word that nobody else uses in every place that holds a secret: it is found in nothing that was written, sent to a screen or said."""

from __future__ import annotations

import sqlite3
import sys
import zlib
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME
from tests.e2e.processes import EngineProcess, quarterdeck, wait_for
from tests.e2e.test_acknowledged import PAIRS, gateway, live_home

pytestmark = [
    pytest.mark.soak,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes"),
]
CANARY = "KANARI4711"
_WHERE_THEY_BELONG = ("secrets.toml", TOKEN_NAME)
_SECRETS = f"""password = "{CANARY}-password"
redis_password = "{CANARY}-redis"
alert_urls = ["json://someone:{CANARY}-alert@127.0.0.1:1/{CANARY}-path?token={CANARY}-query"]
news_urls = ["http://127.0.0.1:1/{CANARY}-news.json?key={CANARY}-key"]
"""
_ASKED: tuple[tuple[str, ...], ...] = (
    ("status", "--json"),
    ("pause",),
    ("doctor", "--json"),
    ("doctor",),
    ("set", "alerts.urls", f'["json://x:{CANARY}-set@host"]'),
    ("set", "news.urls", f'["http://host/{CANARY}-set?token={CANARY}-set"]'),
    ("set", "account.gateway", f"ws://user:{CANARY}-set@127.0.0.1:1"),
    ("set", "scan.redis", f"redis://user:{CANARY}-set@127.0.0.1:1"),
    ("set", f"alerts.urls=['json://x:{CANARY}-set@host']"),
    ("set", f"news.urls=['http://host/{CANARY}-set?token={CANARY}-set']"),
    ("set", f"account.gateway=ws://user:{CANARY}-set@127.0.0.1:1"),
    ("set", f"scan.redis=redis://user:{CANARY}-set@127.0.0.1:1"),
    ("acknowledge", "alerts"),
    ("why", "EURUSD"),
    ("resume",),
    ("flatten", "--wait", "30"),
    ("audit", "--json"),
    ("report",),
    ("check",),
    ("run", "--no-ui", "--set", f"alerts.urls=['json://x:{CANARY}-run@host']"),
    ("run", "--no-ui", "--set", f"account.gateway=ws://u:{CANARY}-run@127.0.0.1:1"),
    ("run", "--no-ui", "--set", f"scan.redis=redis://u:{CANARY}-run@127.0.0.1:1"),
)


def held(path: Path) -> bool:
    """Whether a file holds the word, plain, as 16-bit letters, or packed in a row of a database."""
    data = path.read_bytes()
    if CANARY.encode() in data or CANARY.encode("utf-16-le") in data:
        return True
    if path.suffix != ".sqlite":
        return False
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = (value for name in tables for row in database.execute(f"SELECT * FROM {name}") for value in row)
        return any(CANARY.encode() in unpacked(value) for value in values if isinstance(value, bytes))


def unpacked(value: bytes) -> bytes:
    try:
        return value + zlib.decompress(value)
    except zlib.error:
        return value


def test_no_secret_is_written_or_shown(tmp_path: Path) -> None:
    token = f"{CANARY}-{'t' * 32}"
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / TOKEN_NAME).write_text(token)
    (tmp_path / "gateway" / TOKEN_NAME).chmod(0o600)
    said: dict[str, str] = {}
    with gateway(tmp_path / "gateway") as address:
        home = live_home(tmp_path / "desk", tmp_path / "gateway", address, "[alerts]\nlevel_min = 'info'\n")
        (home / "secrets.toml").write_text(_SECRETS)
        (home / "secrets.toml").chmod(0o600)
        engine = EngineProcess(home, XDG_DATA_HOME=str(tmp_path / "data"))
        try:
            engine.ready()
            wait_for(lambda: "not delivered" in logged(home), "the alert service is not there")
            for words in _ASKED:
                done = quarterdeck(*words, "--home", home, XDG_DATA_HOME=str(tmp_path / "data"))
                said[" ".join(words).replace(CANARY, "...")] = done.out + done.err
        finally:
            engine.close()
        said["engine"] = engine.out + engine.err
        (home / "settings.toml").write_text(
            f"[desk]\nmode = 'live'\npairs = {PAIRS}\n[account]\ngateway = 'ws://u:{CANARY}-file@127.0.0.1:1'\n"
        )
        done = quarterdeck("run", "--no-ui", "--home", home)
        said["password in account.gateway"] = done.out + done.err
        assert done.code == 3, done.err
        (home / "settings.toml").unlink()
    assert [what for what, text in said.items() if CANARY in text] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in _WHERE_THEY_BELONG]
    assert len(files) > 8
    assert [path for path in files if held(path)] == []
    loose = [path for path in (*home.rglob("*"), *(tmp_path / "gateway").rglob("*"), home) if path.stat().st_mode & 0o077]
    assert [path for path in loose if path.is_file()] == [], "others may read nothing"
    print(f"{len(files)} files and {len(said)} outputs without a secret")


def logged(home: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*"))
