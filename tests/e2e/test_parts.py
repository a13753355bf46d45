"""Each part of "all is well" broken in turn under real processes: said by heartbeat, `status` and screen, and so is its end.

A rehearsal at 60 times the market's pace shortens the wait for a strategy; the desk is broken from inside its process.
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

from quarterdeck.core.engine.vitals import QUOTE_LATE_S
from quarterdeck.core.journal.heartbeat import read_heartbeat
from tests.e2e.eager import BROKEN_BY, strategy_text
from tests.e2e.processes import EngineProcess, quarterdeck
from tests.e2e.test_acknowledged import gateway, live_home
from tests.terminal.tmux import Terminal

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


class Places:
    """Where a problem of a home's engine is said, and after how many seconds."""

    def __init__(self, home: Path, screen: Terminal, environ: dict[str, str]) -> None:
        self.home, self.screen, self.environ = home, screen, environ
        self.told: dict[str, dict[str, float]] = {}

    def hear(self, what: str, part: str) -> None:
        """Wait until heartbeat, screen and `status` name a part."""
        began_s, told = time.monotonic(), self.told.setdefault(what, {})
        while not {"heartbeat", "screen"} <= told.keys():
            assert time.monotonic() - began_s < QUOTE_LATE_S + LIMIT_S, f"{what}: {told}\n{self.screen.text}"
            if says(self.home, part):
                told.setdefault("heartbeat", round(time.monotonic() - began_s, 1))
            if f"{part.upper()}:" in self.screen.text:
                told.setdefault("screen", round(time.monotonic() - began_s, 1))
            time.sleep(0.2)
        status = quarterdeck("status", "--home", self.home, **self.environ)
        told["status"] = round(time.monotonic() - began_s, 1)
        assert (status.code, part in status.err) == (9, True), status.err

    def hear_end(self, what: str, part: str) -> None:
        over = after_s(lambda: not says(self.home, part) and f"{part.upper()}:" not in self.screen.text)
        self.told[what]["its end"] = round(over, 1)


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


BREAKS = """
import os
import time
from pathlib import Path

from quarterdeck.core.engine.runner import DeskRunner

whole = DeskRunner.feed_input
home = Path(os.environ["BREAKABLE_HOME"])


def breakable(self, item, at_utc_ns):
    if (home / "desk_fails").exists():
        raise RuntimeError("broken from inside")
    while (home / "desk_hangs").exists():
        time.sleep(0.1)
    return whole(self, item, at_utc_ns)


DeskRunner.feed_input = breakable
"""


@pytest.mark.xdist_group("tmux")
def test_strategy_desk_and_data_that_break_are_said(tmp_path: Path, tool: Callable[[str], str]) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "sitecustomize.py").write_text(BREAKS)
    environ = {"XDG_DATA_HOME": str(tmp_path / "data")}
    with gateway(tmp_path / "gateway", "--speed", "60") as address:
        settings = "[strategy]\nfile = 'breakable.py'\nname = 'Breakable'\n"
        home = live_home(tmp_path / "desk", tmp_path / "gateway", address, settings)
        (home / "breakable.py").write_text(strategy_text("Breakable", confidence=0.1))
        inside = {"BREAKABLE_HOME": str(home), "PYTHONPATH": str(tmp_path / "inside")}
        engine, screen = EngineProcess(home, **environ, **inside), Terminal(tool("tmux"), tmp_path / "tmux")
        places = Places(home, screen, environ)
        try:
            engine.ready()
            screen.open("monitor", "--home", str(home), size=(200, 50), env=environ)
            screen.until("ACTIVE")
            assert quarterdeck("status", "--home", home, **environ).code == 0
            for name, part in ((BROKEN_BY, "strategy"), ("desk_fails", "desk")):
                (home / name).touch()
                places.hear(name, part)
                (home / name).unlink()
                places.hear_end(name, part)
            (home / "desk_hangs").touch()
            began_s = time.monotonic()
            screen.until("ENGINE SILENT")
            places.told["desk_hangs"] = {"screen": round(time.monotonic() - began_s, 1)}
            waited_s = after_s(lambda: quarterdeck("status", "--home", home, **environ).code == 9)
            places.told["desk_hangs"]["status"] = round(waited_s, 1)
            (home / "desk_hangs").unlink()
            screen.until("ACTIVE", without=["SILENT"])
            for symbol in ("EURUSD", "GBPUSD", "AUDUSD", "USDJPY"):
                assert quarterdeck("terminal", "freeze", symbol, "--home", tmp_path / "gateway", **environ).code == 0
            places.hear("quotes freeze", "data")
        finally:
            print(places.told)
            screen.close()
            engine.close()
