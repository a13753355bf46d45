"""What the start of a live desk says of the past it begins with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quarterdeck.core.engine.scanner_setup import history_bars, say_past
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy

WEDNESDAY_NOON = 1_717_588_800 * NS_PER_S
"""2024-06-05 12:00 UTC: the open of the last bar."""


def said(bars: int, without: tuple[int, int] = (0, 0)) -> list[tuple[str, str]]:
    """The notes where the broker has so many bars but those from `without` to its end, in quarter hours before the last one."""
    settings = shipped_settings(("desk.pairs", ["EURUSD"]))
    back = np.arange(bars)[::-1]
    opens = WEDNESDAY_NOON - back[(back < without[0]) | (back >= without[1])] * M15_NS
    flat = np.ones(len(opens))
    opening: Any = SimpleNamespace(
        history={"EURUSD": Candles(opens, flat, flat, flat, flat, None, np.zeros(len(opens), np.int64))}
    )
    notes: list[tuple[str, str]] = []
    live: Any = SimpleNamespace(terminal=None)
    say_past(lambda level, _kind, text: notes.append((level, text)), live, opening, load_strategy(settings), settings)
    return notes


def test_a_whole_past_says_how_many_bars_it_has() -> None:
    settings = shipped_settings(("desk.pairs", ["EURUSD"]))
    wanted = history_bars(load_strategy(settings), settings)
    learned = "EURUSD: usual spreads and ATR percentiles are learned from"
    assert said(wanted + 500) == [("info", f"{learned} {wanted:,} M15 bars before the start")]
    assert said(2_000) == [("info", f"{learned} 2,000 M15 bars before the start, {wanted:,} are wanted")]


@pytest.mark.parametrize(
    ("without", "level", "words"),
    [
        ((100, 101), "info", "1 quarter hours of the warm-up had no tick"),
        ((100, 112), "warning", "incomplete: no data from 2024-06-04 08:15 to 2024-06-04 11:15"),
        ((3, 4), "warning", "the quarter hour of 2024-06-05 11:15 is missing, one of the last 16"),
    ],
)
def test_holes_in_the_brokers_past_are_said(without: tuple[int, int], level: str, words: str) -> None:
    notes = said(6_000, without)
    assert [(found, words in text) for found, text in notes[1:]] == [(level, True)]
