"""Terminals that can do little, that change their size, that babble: the same screen, over an engine that trades on."""

from __future__ import annotations

import random
import re

import pytest

from tests.terminal.conftest import Home
from tests.terminal.tmux import Terminal, until

VITAL = ("SIMULATED", "eq [0-9,]+", r"day [+-]?[0-9.]+", r"\d pos ", "bar ", "quote ", "FLATTEN")
"""What must be on every screen, whatever the terminal."""
RGB = re.compile(r"\x1b\[[0-9;]*[34]8;2;(\d+);(\d+);(\d+)")
INDEXED = re.compile(r"\x1b\[[0-9;]*[34]8;5;(\d+)")


SMALL, LARGE = (80, 24), (200, 60)
MATRIX = [
    *(
        (env, size)
        for env in ({"TERM": "xterm-16color"}, {"TERM": "screen-256color"}, {"LANG": "C", "LC_ALL": "C"}, {"NO_COLOR": "1"})
        for size in (SMALL, LARGE)
    ),
    ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, LARGE),
    ({"COLUMNS": "200", "LINES": "60"}, SMALL),
]


@pytest.mark.parametrize(
    ("env", "size"),
    MATRIX,
    ids=lambda part: (
        ",".join(f"{name}={value}" for name, value in part.items()) if isinstance(part, dict) else f"{part[0]}x{part[1]}"
    ),
)
def test_every_terminal_starts_steers_and_leaves_the_desk(
    terminal: Terminal, home: Home, env: dict[str, str], size: tuple[int, int]
) -> None:
    """Start, tweak, pause, resume, flatten, help, quit: the command that an operator types, in the terminal that he has."""
    terminal.open(*home.words("run"), env=env, size=size)
    seen = terminal.until(*VITAL)
    assert all(len(line) <= size[0] for line in seen.splitlines())
    painted = terminal.painted
    if env.get("TERM") == "xterm-16color":
        assert not RGB.search(painted)
        assert all(int(code) < 16 for code in INDEXED.findall(painted))
    if env.get("LANG") == "C":
        assert seen.isascii(), [letter for letter in seen if not letter.isascii()]
    if "NO_COLOR" in env:
        assert all(red == green == blue for red, green, blue in RGB.findall(painted))
        assert not re.search(r"\x1b\[(?:[0-9]+;)*(?:3[1-6]|4[1-6]|9[1-6]|10[1-6])m", painted)
    tweaked_and_taken_back(terminal)
    paused_and_resumed(terminal)
    terminal.press("F", "f", "l", "a", "t")
    terminal.until("flat, verified")
    terminal.press("Escape")
    terminal.until("SIMULATED +HALTED", without=["close everything"])
    resumed(terminal)
    terminal.press("?")
    terminal.until("Help", "Steering the desk")
    terminal.press("Escape")
    terminal.until(*VITAL, without=["Steering the desk"])
    terminal.press("q")
    assert terminal.until_ended() == 0
    home.until_it_trades_on()


def tweaked_and_taken_back(terminal: Terminal) -> None:
    """One parameter is changed manually, and taken back by the key for it."""
    terminal.press("t")
    terminal.until("Parameters")
    terminal.type("/risk_per_trade_pct")
    terminal.press("Enter", "Down", "Enter", "BSpace", "BSpace", "BSpace")
    terminal.type("0.5")
    terminal.press("Enter")
    terminal.until("1 edit waits")
    terminal.press("A")
    terminal.until("Cancel")
    terminal.press("y")
    terminal.until("Parameters", without=["Cancel", "edit waits"])
    terminal.press("U")
    terminal.until("Cancel", "1.0")
    terminal.press("y")
    terminal.until("Parameters", without=["Cancel"])
    terminal.press("Escape")
    terminal.until(*VITAL, without=["Parameters"])


def paused_and_resumed(terminal: Terminal) -> None:
    terminal.press("p")
    terminal.until("SIMULATED +REDUCE ONLY")
    resumed(terminal)


def resumed(terminal: Terminal) -> None:
    terminal.press("r")
    terminal.until("Cancel")
    terminal.press("y")
    terminal.until("SIMULATED +ACTIVE", without=["Cancel"])


def test_terminal_resizes_to_nothing_and_back_under_load(terminal: Terminal, ship: Home) -> None:
    terminal.open(*ship.words("monitor"))
    terminal.until(*VITAL)
    terminal.resize(20, 5)
    terminal.until("ACTIVE|REDUCE|HALTED", "needs 60x14")
    terminal.resize(1, 1)
    until(lambda: terminal.size == (1, 1), lambda: str(terminal.size))
    chance = random.Random(7)
    for _ in range(40):
        terminal.resize(chance.randrange(1, 220), chance.randrange(1, 70))
    terminal.resize(120, 40)
    terminal.until(*VITAL[2:], "1 Pairs", "2 Signals", "3 Positions", "4 Risk budget", "5 Log")
    terminal.resize(80, 24)
    terminal.until(*VITAL, without=["Risk budget"])
    ship.until_it_trades_on()
    terminal.press("q")
    assert terminal.until_ended() == 0


def test_it_starts_in_a_terminal_too_small_for_it(terminal: Terminal, ship: Home) -> None:
    terminal.open(*ship.words("monitor"), size=(20, 5))
    terminal.until("ACTIVE|REDUCE|HALTED")
    terminal.resize(80, 24)
    terminal.until(*VITAL)
    terminal.press("q")
    assert terminal.until_ended() == 0


def test_babble_and_pasted_words_order_nothing(terminal: Terminal, ship: Home) -> None:
    before = ship.status()
    terminal.open(*ship.words("monitor"))
    terminal.until(*VITAL)
    terminal.paste("Fflat\nQstop\npp\x07\x1b[A " * 50)
    terminal.press("F")
    terminal.until("type flat to start")
    terminal.paste("flat")
    terminal.send(b"\x1b[<32;NaN;NaNM\x1b[200;1;1Z\xff\xfe\xc3(\xe9\x1b[M\xff\xff\xff\x1b]52;c;AAAA\x07\x9b\x1bP1+R\x1b\\")
    terminal.press("Escape")
    terminal.until(*VITAL, without=["close everything"])
    terminal.press("?")
    terminal.until("Steering the desk")
    terminal.press("Escape")
    terminal.until(*VITAL, without=["Steering the desk"])
    terminal.press("q")
    assert terminal.until_ended() == 0
    after = ship.status()
    assert after["pid"] == before["pid"]
    assert (after["state"], after["reasons"]) == (before["state"], before["reasons"])
