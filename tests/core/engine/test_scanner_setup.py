"""What the start of a live desk says of the past it begins with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from quarterdeck.core.engine.scanner_setup import history_bars, say_past
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy

WEDNESDAY_NOON = 1_717_588_800 * NS_PER_S
"""2024-06-05 12:00 UTC: the open of the last bar."""


def said(bars: int) -> list[tuple[str, str]]:
    """The notes where the broker has so many bars."""
    settings = shipped_settings(("desk.pairs", ["EURUSD"]))
    opens = WEDNESDAY_NOON - np.arange(bars)[::-1] * M15_NS
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
