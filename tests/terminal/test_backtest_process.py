"""A backtest never outlives whoever asked for it, and never holds the engine up: stopped manually, and shot with its screen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.terminal.conftest import Home
from tests.terminal.tmux import Terminal, alive, until


def test_backtest_ends_with_its_screen_or_when_stopped(terminal: Terminal, ship: Home, recorded_data: Path) -> None:
    terminal.open(*ship.words("monitor"))
    terminal.until("SIMULATED", "bar ")
    terminal.press("x")
    terminal.until("Backtests")
    child = begun(terminal, str(recorded_data / "m15"))
    assert os.getpriority(os.PRIO_PROCESS, child) > 0
    ship.until_it_trades_on()
    terminal.press("X")
    terminal.until("stopped manually", without=["running "])
    until(lambda: not alive(child), lambda: f"{child} computes on")
    reports = ship.root / "reports"
    assert not reports.exists() or not list(reports.iterdir())
    child = begun(terminal)
    os.kill(terminal.pid, signal.SIGKILL)
    until(lambda: not alive(child), lambda: f"{child} computes on without its screen")
    ship.until_it_trades_on()


def begun(terminal: Terminal, candles: str = "") -> int:
    """A run over all recorded years, with `candles` typed where the form does not know them yet; returns its process."""
    terminal.press("N")
    terminal.until("New backtest", "run it")
    if candles:
        terminal.press("Enter")
        terminal.type(candles)
        terminal.press("Enter")
        terminal.until(f"prices +{candles[:20]}")
    terminal.press("End", "Enter")
    terminal.until("Backtests", r"running .*\d%")
    running = backtests_of(terminal.pid)
    assert len(running) == 1, running
    return running.pop()


def backtests_of(screen: int) -> set[int]:
    """Backtests that a screen started and that still run."""
    found = set[int]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == screen and b"backtest" in words:
                found.add(int(entry.name))
    return found
