"""The effect of a change and a backtest, from the keys to processes of their own and back, over one engine that trades on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.terminal.conftest import Home
from tests.terminal.tmux import Terminal

DATA = Path(os.environ.get("QUARTERDECK_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "m15"


def test_setting_change_shows_its_effect_and_reverts_later(terminal: Terminal, ship: Home) -> None:
    terminal.open(*ship.words("monitor"), size=(120, 40))
    terminal.until("SIMULATED", "bar ")
    terminal.press("t")
    terminal.until("parameter", "default")
    terminal.press("/")
    terminal.type("time_exit_hours")
    terminal.press("Enter")
    terminal.until("1 of", "time_exit_hours")
    terminal.press("Down", "Enter", "BSpace", "BSpace", "BSpace", "BSpace")
    terminal.type("2")
    terminal.press("Enter")
    terminal.until("1 edit waits")
    terminal.press("E")
    terminal.until("Effect of 1 change", "caps and breakers|limit", "candidates judged otherwise|quarterdeck|tape")
    terminal.press("A")
    terminal.until("Apply these changes", "for 2 hours")
    terminal.press("Down", "y")
    terminal.until("comes back to 4.0 at", without=["Apply these changes"])
    terminal.press("U")
    terminal.until("Take the last changes back", "2.0 . 4.0")
    terminal.press("y")
    terminal.until("last change .* 2.0 to 4.0", without=["comes back to 4.0 at", "Take the last"])
    terminal.press("Escape")  # and what follows in another packet, or the two are one key
    terminal.until("1 Pairs", without=["Parameters"])
    terminal.press("q")
    assert terminal.until_ended() == 0
    ship.until_it_trades_on()


def test_a_backtest_runs_beside_the_engine_and_is_opened(terminal: Terminal, ship: Home) -> None:
    if not DATA.is_dir():
        pytest.skip("no recorded prices: QUARTERDECK_DATA names none")
    terminal.open(*ship.words("monitor"), size=(120, 40))
    terminal.until("SIMULATED", "bar ")
    terminal.press("x")
    terminal.until("Backtests")
    terminal.press("N")
    terminal.until("New backtest", "prices")
    for text in (str(DATA), "EURUSD", "2024-07-08", "2024-07-12"):
        terminal.press("Enter")
        terminal.type(text)
        terminal.press("Enter")
        terminal.until(text)
        terminal.press("Down")
    terminal.press("End", "Enter")
    terminal.until("2024-07-08..07-12", "whole", without=["running"])
    terminal.press("Enter")
    terminal.until("Diagnosis", "pessimistic: ")
    terminal.press("Escape")
    terminal.until("Backtests", without=["Diagnosis"])
    terminal.press("Escape")
    terminal.until("1 Pairs", without=["Backtests"])
    terminal.press("q")
    assert terminal.until_ended() == 0
    ship.until_it_trades_on()
