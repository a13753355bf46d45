"""Bars at which a strategy failed in a backtest: counted and reported, as in a live engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.engine.lockstep import BarScanner
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, UtcNs
from quarterdeck.core.scan.plan import STRATEGY_ERROR

FailuresByBar = Mapping[UtcNs, str]
"""What went wrong, by the open of the bar."""


class FailureCounter:
    """A scanner that remembers where the strategy failed."""

    def __init__(self, scanner: BarScanner) -> None:
        """`scanner` answers."""
        self.failures: dict[str, dict[UtcNs, str]] = {}
        self._scanner = scanner

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """Its answer."""
        found = self._scanner.on_bar(symbol, bar)
        if isinstance(found, NoSignal) and found.withheld.startswith(STRATEGY_ERROR):
            self.failures.setdefault(symbol, {})[bar.open_utc_ns] = found.withheld
        return found


def failure_notes(failures: Mapping[str, FailuresByBar], from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[str, ...]:
    """A line for each pair and kind of failure inside a stretch of time: how often, where first."""
    notes = []
    for symbol, found in failures.items():
        inside = [(opened, why) for opened, why in sorted(found.items()) if from_utc_ns <= opened + M15_NS <= to_utc_ns]
        for why, count in Counter(why for _, why in inside).items():
            first = next(opened for opened, text in inside if text == why)
            bars = "1 bar" if count == 1 else f"{count:,} bars"
            notes.append(f"{symbol}: no signal at {bars}, first at {iso(first)}: {why}")
    return tuple(notes)
