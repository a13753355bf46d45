"""A Redis of the test's own on a private socket, which can be killed and comes back; scanning machines as real processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.core.clock.wall import WallClock
from tests.conftest import CHECKOUT

LIMIT_S = 60.0
PASSWORD = "only-in-tests"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("redis"))


class RedisOfOurs:
    """One redis-server, with a password."""

    def __init__(self, program: str, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.address = f"unix://{self.socket}"
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [self._program, "--port", "0", "--unixsocket", str(self.socket), "--requirepass", PASSWORD]
        words += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.socket.exists, "redis listens")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)


class MachineProcess:
    """`quarterdeck scan` in a process of its own."""

    def __init__(self, address: str, home: Path, name: str, *values: str, password: str = PASSWORD) -> None:
        self.lines: list[str] = []
        words = [
            sys.executable,
            "-m",
            "quarterdeck.cli.main",
            "scan",
            "--home",
            str(home),
            "--name",
            name,
            "--set",
            f"scan.redis={address}",
        ]
        for value in values:
            words += ["--set", value]
        environment = {"QUARTERDECK_REDIS_PASSWORD": password, "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            words, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def said(self, text: str) -> bool:
        return any(text in line for line in list(self.lines))

    def end(self, *, kill: bool = False) -> int:
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        code = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def wait_for(condition: Callable[[], object], what: str) -> None:
    clock, pause = WallClock(), threading.Event()
    until_s = clock.monotonic_s() + LIMIT_S
    while not condition():
        assert clock.monotonic_s() < until_s, f"waited {LIMIT_S:g} s for: {what}"
        pause.wait(0.02)


async def happens(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {LIMIT_S:g} s for: {what}") from None


@pytest.fixture
def redis_here(tool: Callable[[str], str]) -> Iterator[RedisOfOurs]:
    with tempfile.TemporaryDirectory(prefix="qd-redis-") as folder:  # a socket's path is short
        server = RedisOfOurs(tool("redis-server"), Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def machine(redis_here: RedisOfOurs, tmp_path: Path) -> Iterator[Callable[..., MachineProcess]]:
    started: list[MachineProcess] = []

    def start(name: str, *values: str, password: str = PASSWORD) -> MachineProcess:
        home = tmp_path / f"machine-{name}"
        home.mkdir(exist_ok=True)
        one = MachineProcess(redis_here.address, home, name, *values, password=password)
        started.append(one)
        return one

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(kill=True)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_REDIS_PASSWORD", PASSWORD)
