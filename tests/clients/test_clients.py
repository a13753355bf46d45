"""Programs that nobody here wrote trade on the simulated module: aiomql's classes, and mt5linux's client over its own server.

They pin what the project cannot take, so they are installed apart from it, without their dependencies, under the versions that the
project locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, missing
from tools.environment import cache_folder
from tools.windows_python import CLIENTS_VARIABLE

HERE = Path(__file__).parent
LOCK = HERE / "clients.lock"
LONG_S = 300.0


@pytest.fixture(scope="module")
def clients() -> Path:
    """The folder of the installed clients."""
    named = os.environ.get(CLIENTS_VARIABLE)
    if named:
        return Path(named).absolute()
    folder = cache_folder(os.environ) / "clients" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        draft = folder.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        options = (
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
            str(draft),
        )
        command = [sys.executable, "-m", "pip", "install", *options, "-r", str(LOCK)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
        if done.returncode:
            missing(f"the clients of {LOCK.name} cannot be had: {done.stderr.strip().splitlines()[-1:]}")
        draft.rename(folder)
    return folder


def environment(clients: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            filter(None, (*map(str, (HERE / "module", CHECKOUT, clients)), os.environ.get("PYTHONPATH")))
        ),
        "PYTHONWARNINGS": "ignore",
    }


def said(clients: Path, script: str, *words: str, cwd: Path) -> dict[str, object]:
    """What a client saw."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *words],
        env=environment(clients),
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.processes
def test_aiomqls_classes_trade_on_the_simulated_module(clients, tmp_path):
    assert said(clients, "drive_aiomql.py", cwd=tmp_path) == {
        "balance": 10_000.0,
        "symbol": True,
        "ask": 1.08515,
        "candles": 20,
        "margin": 108.52,
        "check": 0,
        "sent": 10009,
        "held": [[True, 0.1, 1.08]],
        "closed": 10009,
        "left": 0,
        "deals": [0, 1],
        "orders": 2,
    }


@pytest.mark.processes
@pytest.mark.posix
def test_mt5linux_trades_on_the_simulated_module_over_its_own_server(clients, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # its server is made to run `wine python.exe server.py`; here `env` takes Wine's place
    line = [
        sys.executable,
        "-m",
        "mt5linux",
        sys.executable,
        "-w",
        "env",
        "-s",
        str(tmp_path),
        "--host",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    server = subprocess.Popen(
        line, env=environment(clients), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd=tmp_path
    )
    try:
        seen = said(clients, "drive_mt5linux.py", str(port), cwd=tmp_path)
    finally:
        os.killpg(server.pid, 15)
        server.wait(LONG_S)
    assert seen == {
        "initialize": True,
        "version": [500, 5430, "14 Nov 2025"],
        "balance": 10_000.0,
        "bid": 1.085,
        "bars": 20,
        "check": 0,
        "sent": 10009,
        "held": [[True, 0.1, "mt5linux"]],
        "closed": 10009,
        "left": 0,
        "deals": [0, 1],
        "wrong": [None, [-2, 'Invalid "volume" argument']],
    }
