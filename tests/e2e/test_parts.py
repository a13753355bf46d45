"""Each part of "all is well" that can be broken from outside, under real processes: said by heartbeat, alert and `status`, and its end.

Data, strategy and desk need hours or a broken inside: tests/core/engine/test_vitals.py breaks them on virtual time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.core.journal.heartbeat import read_heartbeat
from tests.e2e.processes import EngineProcess, quarterdeck
from tests.e2e.test_acknowledged import gateway, live_home

pytestmark = [
    pytest.mark.soak,
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="POSIX processes, /proc"),
]
LIMIT_S = 200.0
_NOWHERE = "127.0.0.1:1"


def after_s(holds: Callable[[], bool]) -> float:
    """Seconds until something holds."""
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < LIMIT_S, "never said"
        time.sleep(0.2)
    return time.monotonic() - began_s


def says(home: Path, *kinds: str) -> bool:
    beat = read_heartbeat(home / "heartbeat.json")
    return beat is not None and any(problem.kind in kinds for problem in beat.problems)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gateway_of(home: Path) -> int:
    """The process that serves the gateway of a home."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"gateway" in words and str(home).encode() in words and b"--port" in words:
                return int(folder.name)
    raise AssertionError("no gateway runs")


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_each_broken_part_is_alerted_and_resolved(tmp_path: Path) -> None:
    data = {"XDG_DATA_HOME": str(tmp_path / "data")}
    with gateway(tmp_path / "gateway") as address:
        home = live_home(tmp_path / "desk", tmp_path / "gateway", address)
        (home / "secrets.toml").write_text(
            f'alert_urls = ["json://{_NOWHERE}/alerts"]\nnews_urls = ["http://{_NOWHERE}/week.json"]\n'
        )
        (home / "secrets.toml").chmod(0o600)
        engine = EngineProcess(home, **data)
        told: dict[str, float] = {}
        try:
            engine.ready()
            told["calendar"] = after_s(lambda: says(home, "calendar"))
            told["alerts"] = after_s(lambda: says(home, "alerts"))
            assert quarterdeck("status", "--home", home, **data).code == 9

            pid = gateway_of(tmp_path / "gateway")
            with stopped([pid, *children(pid)]):
                told["broker, gateway frozen"] = after_s(lambda: says(home, "broker", "feed"))
                status = quarterdeck("status", "--home", home, **data)
                assert status.code == 9
                assert "broker" in status.err or "feed" in status.err
            told["broker, back"] = after_s(lambda: not says(home, "broker", "feed"))

            with stopped([engine.process.pid]):
                told["engine frozen, by status"] = after_s(
                    lambda: (
                        quarterdeck("status", "--home", home, **data).code == 9
                        and b"T" in Path(f"/proc/{engine.process.pid}/stat").read_bytes().rsplit(b")", 1)[1].split()[0]
                    )
                )

            (home / "journal.sqlite").rename(home / "elsewhere.sqlite")
            told["journal taken away"] = after_s(lambda: says(home, "journal"))
            status = quarterdeck("status", "--home", home, **data)
            assert status.code == 9
            assert "journal" in status.err
            print({what: round(seconds, 1) for what, seconds in told.items()})
        finally:
            engine.close()
