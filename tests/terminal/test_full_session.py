"""A whole watch at the desk, manually, in a real terminal: the command starts, keys steer it, and the engine outlives the screen."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from tests.terminal.conftest import Home
from tests.terminal.tmux import Terminal, until

REPLAY = ("--pairs", "EURUSD,GBPUSD,USDJPY,USDCHF", "--from", "2024-07-02", "--to", "2024-09-30", "--speed", "7200")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=["80x24", "200x60"])
def test_a_watch_over_recorded_days(terminal: Terminal, home: Home, recorded_data: Path, size: tuple[int, int]) -> None:
    terminal.open(*home.words("run", "--replay", str(recorded_data / "m15"), *REPLAY), size=size)
    terminal.until("REPLAY", "ACTIVE", "FLATTEN", "EURUSD", r"\d+ pos")
    held_with_an_open_position(terminal)
    tweaked(terminal, home)
    paused_and_resumed(terminal)
    explained(terminal)
    flattened(terminal)
    if size == (80, 24):
        left_and_come_back(terminal, home)
    ended_from_the_screen(terminal, home)


def held_with_an_open_position(terminal: Terminal) -> None:
    """Let the replay run until a position is open, and hold it there."""
    for _ in range(20):
        terminal.until("[1-9] pos", without=["paused"])
        terminal.press("Space")
        if re.search("[1-9] pos", terminal.until("% paused")):
            return
        terminal.press("Space")
    raise AssertionError(f"no position stayed: {terminal.text}")


def tweaked(terminal: Terminal, home: Home) -> None:
    assert "risk_per_trade_pct = 1.0 " in home.does("set", "risk.risk_per_trade_pct").stdout
    terminal.press("t")
    terminal.until("Parameters", "parameter +value")
    terminal.type("/risk_per_trade_pct")
    terminal.press("Enter")
    terminal.until("1 of [0-9]+, ")
    terminal.press("Down", "Enter")
    terminal.until("Enter +take|Esc +cancel|new value|0.01 to 5")
    terminal.press("BSpace", "BSpace", "BSpace")
    terminal.type("9")
    terminal.press("Enter")
    terminal.until("must be a number from 0.01 to 5")
    terminal.press("BSpace")
    terminal.type("0.5")
    terminal.press("Enter")
    terminal.until("1 edit waits")
    terminal.press("E")
    terminal.until(
        "At once", "as before", r"caps and breakers", r"\d+ bars", "trades +[0-9]+", r"of the \d+ trades? that w\w+ really made"
    )
    terminal.press("A")
    terminal.until("Cancel", "0.5")
    terminal.press("y")
    until(lambda: "risk_per_trade_pct = 0.5 " in home.does("set", "risk.risk_per_trade_pct").stdout, lambda: terminal.text)
    terminal.press("Escape")
    terminal.until("Pairs", without=["Parameters"])


def paused_and_resumed(terminal: Terminal) -> None:
    terminal.press("p")
    terminal.until("REDUCE ONLY", "pause")
    terminal.press("r")
    terminal.until("Cancel")
    terminal.press("Enter")
    terminal.until("REDUCE ONLY", without=["Cancel"])
    terminal.press("r")
    terminal.until("Cancel")
    terminal.press("y")
    terminal.until("ACTIVE", without=["REDUCE ONLY", "Cancel"])


def explained(terminal: Terminal) -> None:
    terminal.press("?")
    terminal.until("Help", "Steering the desk", "FLATTEN")
    terminal.press("Escape")
    terminal.until("Pairs", without=["Steering the desk"])
    terminal.press("w")
    terminal.until("Why not: [A-Z]{6}", "refused|entered|none")
    terminal.press("Escape")
    terminal.until("Pairs", without=["Why not"])


def flattened(terminal: Terminal) -> None:
    terminal.press("F")
    terminal.until("FLATTEN: close everything", "Closes 1 position", "type flat to start")
    terminal.press("y", "Enter")
    terminal.until("Pairs", "[1-9] pos", without=["close everything"])
    terminal.press("F", "f", "l", "a", "t")
    terminal.until("flat, verified", "0 pos")
    terminal.press("Escape")
    terminal.until("HALTED", "flat, verified", "Pairs", without=["close everything"])


def left_and_come_back(terminal: Terminal, home: Home) -> None:
    engine = home.status()["pid"]
    terminal.press("q")
    assert terminal.until_ended() == 0
    terminal.until("the engine continues; `quarterdeck monitor` attaches again")
    terminal.close()
    assert home.status()["pid"] == engine
    terminal.open(*home.words("monitor"))
    terminal.until("REPLAY", "HALTED", "flat, verified", "0 pos")
    terminal.press("q")
    assert terminal.until_ended() == 0
    terminal.close()
    terminal.open(*home.words("run"))
    terminal.until("REPLAY", "HALTED")
    assert home.status()["pid"] == engine


def ended_from_the_screen(terminal: Terminal, home: Home) -> None:
    terminal.press("Q")
    terminal.until("type stop to")
    terminal.type("stop")
    assert terminal.until_ended() == 0
    assert home.status()["running"] is False
    journal = sqlite3.connect(home.root / "journal.sqlite")
    changes = journal.execute("SELECT key, old, new FROM setting_changes").fetchall()
    assert ("risk.risk_per_trade_pct", "1.0", "0.5") in [tuple(map(str, row)) for row in changes]
    journal.close()
