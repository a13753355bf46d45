"""A gateway on a Windows Python and its engine on Linux: by command, and for a day in which the gateway's child is killed ten times.

In that day the engine trades through the real gateway's two Windows processes; the terminal and its account live here and outlive them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.brokers.mt5.gateway import launch
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME
from quarterdeck.core.model.units import NS_PER_S
from tests.conftest import CHECKOUT, missing
from tests.e2e.processes import engine, quarterdeck
from tests.sim import gateway_week
from tests.sim.gateway_week import GatewayWorld, Trouble, live_through
from tests.sim.random_day import START_UTC_NS
from tools.environment import IMPORT_ROOT
from tools.find_python import SetupError
from tools.windows_python import Unavailable, WindowsPython

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.soak, pytest.mark.posix]

KILLS, DAY_H = 10, 24.0
CHILD = b"quarterdeck.core.brokers.mt5.gateway.terminal_child"
PATIENT: dict[str, Any] = {
    "engine__read_timeout_s": 20.0,
    "engine__send_timeout_s": 20.0,
    "engine__broker_start_timeout_s": 90.0,
}
"""A Windows process takes seconds to start under Wine."""


class TenKills(Trouble):
    """Kills the child once in each tenth of the day, in turn at an order and at a read, before or after the terminal carries it out."""

    def __init__(self, world: GatewayWorld, seed: int, **_rates: float) -> None:
        super().__init__(world, seed, at_orders=0.0, at_reads=0.0, mean_h=1e6)
        self._at = random.Random(seed)
        self._due_h = [DAY_H / KILLS * (part + self._at.random()) for part in range(KILLS)]
        self.struck_h: list[float] = []

    def at_the_door(self, name: str) -> tuple[str, bool] | None:
        if not self.active or len(self.struck_h) == KILLS or name == "initialize":
            return None
        hour = (self._world.now_utc_ns - START_UTC_NS) / NS_PER_S / 3600.0
        wants_order = len(self.struck_h) % 2 == 0
        if hour < self._due_h[len(self.struck_h)] or wants_order != (name == "order_send"):
            return None
        self.struck_h.append(hour)
        return "child killed", self._at.random() < 0.5

    def strike(self, kind: str) -> None:
        assert kind == "child killed"
        self._world.figures.blows[kind] += 1
        assert self._world.local.gateway is not None
        for pid in _descendants(self._world.local.gateway.process.pid):
            with contextlib.suppress(OSError):
                if CHILD in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Linux processes below `pid`. Wine's own ids, which the child tells, mean nothing here."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


@pytest.fixture
def windows_python(tmp_path: Path) -> Path:
    """A program that takes the words of this Python and is the Windows one."""
    python = WindowsPython(CHECKOUT)
    try:
        python.ensure()
    except Unavailable as error:
        missing(str(error))
    except SetupError as error:
        pytest.fail(str(error))
    paths = f"Z:{CHECKOUT / IMPORT_ROOT};Z:{CHECKOUT}"
    own = {"QUARTERDECK_WINE_FOLDERS": python.environment({})["QUARTERDECK_WINE_FOLDERS"], "PYTHONPATH": paths, "PYTHONUTF8": "1"}
    words = [*(f"{name}={value}" for name, value in own.items()), *python.command()]
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec env {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


def test_a_day_under_wine_ends_reconciled(
    windows_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    troubles: list[TenKills] = []

    def ten_kills(world: GatewayWorld, seed: int, **rates: float) -> TenKills:
        troubles.append(TenKills(world, seed, **rates))
        return troubles[0]

    monkeypatch.setattr(gateway_week, "Trouble", ten_kills)
    monkeypatch.setattr(launch, "sys", _Executable(windows_python))
    monkeypatch.chdir(CHECKOUT)
    figures = live_through(tmp_path / "home", 21, DAY_H, at_orders=0.0, at_reads=0.0, mean_h=1e6, **PATIENT)
    struck_h = troubles[0].struck_h
    with capsys.disabled():
        print(f"\n{figures}; killed after {', '.join(f'{hour:.1f}' for hour in struck_h)} h")
    assert figures.blows["child killed"] == KILLS
    assert struck_h[-1] - struck_h[0] > 0.75 * DAY_H
    assert figures.children >= KILLS + 1
    assert figures.filled > KILLS


def test_a_gateway_command_under_wine_serves_an_engine_on_linux(windows_python: Path, tmp_path: Path) -> None:
    place, home = tmp_path / "gateway", tmp_path / "desk"
    words = ("gateway", "--simulated", "--port", "0", "--json", "--home", f"Z:{place}")
    line = [str(windows_python), "-m", "quarterdeck.cli.main", *words]
    with subprocess.Popen(line, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as gateway:
        try:
            assert gateway.stdout is not None
            address = next(json.loads(row)["address"] for row in gateway.stdout if row.startswith(b"{"))
            home.mkdir()
            shutil.copy(place / TOKEN_NAME, home)
            (home / TOKEN_NAME).chmod(0o600)  # Wine knows no rights of ours
            changes = ("desk.mode=live", f"account.gateway={address}", "news.impacts=[]")
            with engine(home, *(word for change in changes for word in ("--set", change))) as desk:
                desk.ready()
                assert quarterdeck("status", "--home", home, "--json").json()["mode"] == "demo"
                flat = quarterdeck("flatten", "--yes", "--home", home)
                assert "flat, verified" in flat.out, flat.err
                assert quarterdeck("stop", "--keep", "--home", home).code == 0
                assert desk.ended() == 0
        finally:
            gateway.kill()


class _Executable:
    """`sys` with another program for Python."""

    path = sys.path

    def __init__(self, executable: Path) -> None:
        self.executable = str(executable)
