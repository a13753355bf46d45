"""Homes with and without an engine, and terminals on them; whatever a test leaves behind is ended."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CHECKOUT
from tests.terminal.tmux import COMMAND, LIMIT_S, Terminal, until

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One group: terminals and engines do not run against each other."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("tmux"))
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.skipif(os.name == "nt", reason="Windows has no tmux and no pty"))


class Home:
    """A home folder and the commands on it."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist."""
        self.root = root

    def words(self, *command: str) -> tuple[str, ...]:
        """A command on this home."""
        return (*command, "--home", str(self.root))

    def does(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        words = [*COMMAND, *self.words(*command)]
        return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    def status(self) -> dict[str, Any]:
        """What `status` says; empty where no engine answers."""
        said = self.does("status", "--json").stdout.splitlines()
        found: dict[str, Any] = json.loads(said[-1]) if said else {}
        return found

    def until_it_trades_on(self) -> None:
        """Wait until the engine has lived on from now: its market has moved."""
        before = self.status()["market_time"]
        until(lambda: self.status()["market_time"] > before, lambda: f"the engine stands still at {before}")

    def end(self) -> None:
        """No engine is left behind."""
        self.does("stop", "--keep")


@pytest.fixture
def home() -> Iterator[Home]:
    """A home of a test's own; an engine in it ends with the test."""
    with tempfile.TemporaryDirectory(prefix="qd-") as folder:
        root = Home(Path(folder) / "home")
        yield root
        root.end()


@pytest.fixture(scope="session")
def ship() -> Iterator[Home]:
    """A home whose engine trades the simulated market; tests that share it leave it as they found it."""
    with tempfile.TemporaryDirectory(prefix="qd-") as folder:
        root = Home(Path(folder) / "home")
        log = Path(folder) / "engine.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*COMMAND, *root.words("run", "--no-ui")], cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
            try:
                until(lambda: b"ready" in log.read_bytes() or process.poll() is not None, log.read_text)
                assert process.poll() is None, log.read_text()
                yield root
            finally:
                root.end()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@pytest.fixture
def terminal(tool: Callable[[str], str]) -> Iterator[Terminal]:
    """A tmux terminal, gone with the test."""
    with tempfile.TemporaryDirectory(prefix="qd-tmux-") as folder:
        window = Terminal(tool("tmux"), Path(folder) / "tmux")
        yield window
        window.close()
