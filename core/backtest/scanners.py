"""The scanner of a backtest: figures as whole columns once, an answer only where it is asked for.

Promises: the same answers, to the last bit, as the live scanner that was seeded with the same past (`core.scan.vectorized_scan`).
Does not: decide which bars are looked at (`fast`).
"""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.core.engine.start_sequence import StartupData
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy


class VectorizedScanner:
    """Answers for the traded pairs of one recording."""

    def __init__(self, loaded: LoadedStrategy, opening: StartupData, settings: Settings, candles: Mapping[str, Candles]) -> None:
        """`candles`: all M15 bars of each pair, the past and the range."""
        specs = {spec.symbol: spec for spec in opening.instruments}
        self.pairs: dict[str, VectorizedScan] = {}
        for symbol in settings.desk.pairs:
            past, whole = opening.history[symbol], candles[symbol]
            first = 0 if not len(past) else int(whole.open_utc_ns.searchsorted(past.open_utc_ns[0]))
            self.pairs[symbol] = VectorizedScan(scan_plan_for(loaded, settings, symbol), specs[symbol], whole[first:])

    @property
    def failures(self) -> dict[str, dict[UtcNs, str]]:
        """Where the strategy failed, by pair and open of the bar."""
        return {
            symbol: {columns.m15.open_utc_ns.item(row): why for row, why in columns.failures.items()}
            for symbol, columns in self.pairs.items()
        }

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """The strategy's answer at the close of that bar."""
        columns = self.pairs[symbol]
        row = int(columns.m15.open_utc_ns.searchsorted(bar.open_utc_ns))
        known = row < len(columns.m15) and columns.m15.open_utc_ns.item(row) == bar.open_utc_ns
        invariant(known, "a backtest scans the bars it was given", symbol=symbol, bar=bar.open_utc_ns)
        return columns.answer(row)
