"""The program itself on Windows: homes of any name, an engine from its start to its kill, and the digest that Linux gives."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quarterdeck.cli.program_entry import EXIT_INTERRUPTED
from quarterdeck.core.model.errors import AlreadyRunningError, EngineNotRunningError
from tests.e2e.processes import LONG_S, Done, command, environment

pytestmark = [pytest.mark.windows, pytest.mark.processes]

HOMES = {
    "spaces": "qd home",
    "german": "Jörg Müller ñ",
    "polish": "Łódź",
    "japanese": "日本語 デスク",
    "long": "x" * 120 + os.sep + "y" * 120,
}
CONSOLE = """
import ctypes, signal, subprocess, sys
engine = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
signal.signal(signal.SIGINT, lambda *_: None)
sys.stdin.read()
ctypes.windll.kernel32.GenerateConsoleCtrlEvent(signal.CTRL_C_EVENT, 0)
sys.exit(engine.wait())
"""
"""Starts a command in a console of its own and presses Ctrl-C there when its input ends. Wine tells no program of Ctrl-Break."""
NEW_CONSOLE = getattr(subprocess, "CREATE_NO_WINDOW", 0)
SLOW_S = 4 * LONG_S
"""A command under Wine takes seconds to start."""


def quarterdeck(*words: str | Path) -> Done:
    done = subprocess.run(
        command(*words), env=environment(), capture_output=True, check=False, timeout=SLOW_S, stdin=subprocess.DEVNULL
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def engine(home: Path, *words: str, before: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """An engine without a screen, up until the block ends; `before` are words in front of its command."""
    log = home.parent / "engine.txt"
    with log.open("wb") as output:
        line = [*before, *command("run", "--no-ui", "--home", home, "--speed", "600", *words)]
        process = subprocess.Popen(
            line, env=environment(), stdin=subprocess.PIPE, stdout=output, stderr=output, creationflags=NEW_CONSOLE
        )
    try:
        limit = time.monotonic() + SLOW_S
        while quarterdeck("status", "--home", home).code == EngineNotRunningError.exit_code:
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
            assert time.monotonic() < limit, log.read_text(encoding="utf-8", errors="replace")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LONG_S)


def said(done: Done, *parts: str, codes: Sequence[int] = (0,)) -> str:
    """What a command printed, after a look at its code and words."""
    assert done.code in codes, (done.code, done.out, done.err)
    for part in parts:
        assert part in done.out + done.err
    return done.out


@pytest.mark.parametrize("name", HOMES.values(), ids=HOMES)
def test_a_home_of_any_name_runs_an_engine(name, tmp_path):
    home = tmp_path / name
    said(quarterdeck("init", "--home", home), str(home))
    with engine(home) as process:
        assert quarterdeck("status", "--home", home, "--json").json()["pid"] == process.pid
        said(quarterdeck("stop", "--keep", "--home", home))
        assert process.wait(SLOW_S) == 0


def test_an_operator_steers_kills_and_restarts_an_engine(tmp_path):
    home = tmp_path / "desk"
    said(quarterdeck("init", "--home", home))
    with engine(home) as process:
        said(quarterdeck("pause", "--home", home))
        assert "paused" in quarterdeck("status", "--home", home, "--json").json()["reasons"]
        said(quarterdeck("resume", "--home", home))
        assert "paused" not in quarterdeck("status", "--home", home, "--json").json()["reasons"]
        said(quarterdeck("run", "--no-ui", "--home", home), codes=(AlreadyRunningError.exit_code,))
        with subprocess.Popen(command("monitor", "--plain", "--home", home), env=environment(), stdout=subprocess.PIPE) as screen:
            assert screen.stdout is not None
            assert screen.stdout.readline().decode().strip()
            screen.kill()
        said(quarterdeck("why", "--home", home))
        said(quarterdeck("flatten", "--yes", "--home", home), "flat, verified")
        process.kill()
        process.wait(LONG_S)
        said(quarterdeck("status", "--home", home), codes=(EngineNotRunningError.exit_code,))
    with engine(home):
        said(quarterdeck("audit", "--home", home))
        said(quarterdeck("stop", "--keep", "--home", home))


def test_ctrl_c_ends_an_engine_by_the_shutdown_action(tmp_path):
    home = tmp_path / "desk"
    said(quarterdeck("init", "--home", home))
    with engine(home, "--set", "engine.shutdown_action=keep", before=(sys.executable, "-c", CONSOLE)) as console:
        assert console.stdin is not None
        console.stdin.close()
        assert console.wait(SLOW_S) == EXIT_INTERRUPTED
    assert "SIGINT" in (tmp_path / "engine.txt").read_text(encoding="utf-8")
    assert quarterdeck("status", "--home", home).code == EngineNotRunningError.exit_code


@pytest.mark.slow
def test_an_installation_decides_as_the_shipped_one():
    said(quarterdeck("selftest"))


@pytest.mark.slow
def test_a_backtest_gives_the_digest_of_linux(tmp_path, recorded_data):
    words = ("--data", recorded_data / "m15", "--from", "2024-07-01", "--to", "2024-09-30")
    done = quarterdeck("backtest", *words, "--home", tmp_path, "--json")
    assert done.json()["digest"].startswith("ba552a74ea5a0b98")
