"""Withhold a pair from the strategy while the broker's bars of its warm-up are incomplete.

Why: a strategy that is asked on bars with a hole in them answers for prices that were never beside each other.
Guarantees: the rule of a backtest (`core.data.warmup`) is applied at the start and at each closed bar, to the warm-up's bars; an
incomplete pair gets no answer but the reason, other pairs are scanned as usual; at each of its closes its bars are read from the
broker again, and the pair is scanned as soon as they are complete or the hole has left the warm-up.
Does not: judge recorded days (`core.data.recorded_prices` refuses those before they begin), or stop entries (the desk does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quarterdeck.core.data.warmup import Missing, missing_quarters
from quarterdeck.core.engine.lockstep import AsyncBarScanner
from quarterdeck.core.engine.scanner_setup import history_bars, warmup_bars
from quarterdeck.core.engine.start_sequence import StartupData
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.signals import INCOMPLETE_HISTORY, NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, UtcNs
from quarterdeck.core.scan.plan import withheld_answer
from quarterdeck.core.scan.scanner import Scanner

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine


class HistoryCheck:
    """A scanner that answers only for pairs whose warm-up is complete."""

    def __init__(self, engine: Engine, scans: AsyncBarScanner, scanner: Scanner, opening: StartupData) -> None:
        """`scans` is asked where nothing is missing, `scanner` keeps the bars and is seeded anew once they are complete."""
        settings = engine.runtime_settings.settings
        self._engine = engine
        self._scans = scans
        self._scanner = scanner
        self._warmup_bars = warmup_bars(engine.strategy, settings)
        self._history_bars = history_bars(engine.strategy, settings)
        self._h1_bars = settings.correlation.lookback_bars
        self._opens: dict[str, IntArray] = {symbol: opening.history[symbol].open_utc_ns for symbol in settings.desk.pairs}
        self._missing: dict[str, Missing] = {symbol: self._judge(symbol, opens) for symbol, opens in self._opens.items()}
        self._show()

    def at_start(self) -> list[NoSignal]:
        """What the desk is given before the first quote: the pairs that are withheld from the start."""
        for symbol, lacks in self._missing.items():
            if lacks.quarters and not lacks.too_much:
                self._engine.say("info", "data", f"{symbol}: {lacks.quarters} quarter hours of the warm-up had no tick")
        return [self._withheld(symbol) for symbol, lacks in self._missing.items() if lacks.too_much]

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """See `AsyncBarScanner`."""
        self._append(symbol, bar.open_utc_ns)
        if not self._missing[symbol].too_much or await self._complete_again(symbol, bar):
            return await self._scans.scan(symbol, bar)
        self._scans.take(symbol, bar)
        return self._withheld(symbol)

    def take(self, symbol: str, bar: Bar) -> None:
        """See `AsyncBarScanner`."""
        self._append(symbol, bar.open_utc_ns)
        self._scans.take(symbol, bar)

    def _append(self, symbol: str, open_utc_ns: UtcNs) -> None:
        opens = self._opens[symbol]
        last = opens.item(-1) if len(opens) else -M15_NS
        if open_utc_ns <= last:
            return
        self._opens[symbol] = np.append(opens[-self._history_bars :], open_utc_ns)
        if open_utc_ns > last + M15_NS or self._missing[symbol].quarters:
            self._missing[symbol] = self._judge(symbol, self._opens[symbol])
            self._show()

    def _show(self) -> None:
        """What is missing of which pair, in the engine's health."""
        found = (f"{symbol}: {lacks.words}" for symbol, lacks in self._missing.items() if lacks.too_much)
        self._engine.health.history_why = "; ".join(found)

    def _judge(self, symbol: str, opens: IntArray) -> Missing:
        if not len(opens):
            return Missing(quarters=0, expected=0, hole=None, newest=None)
        return missing_quarters(symbol, opens, opens[-self._warmup_bars :].item(0), opens.item(-1) + M15_NS)

    async def _complete_again(self, symbol: str, bar: Bar) -> bool:
        """Whether the broker has the missing bars by now; the scanner begins with them then."""
        broker = self._engine.venue.broker
        m15 = await broker.bars(symbol, "M15", self._history_bars + 1)
        if isinstance(m15, Unknown):
            return False
        before = m15.value[: int(m15.value.open_utc_ns.searchsorted(bar.open_utc_ns))]
        opens = np.append(before.open_utc_ns, bar.open_utc_ns)
        lacks = self._judge(symbol, opens)
        if lacks.too_much:
            return False
        h1 = await broker.bars(symbol, "H1", self._h1_bars)
        if isinstance(h1, Unknown):
            return False
        self._opens[symbol], self._missing[symbol] = opens, lacks
        self._show()
        self._scanner.seed(symbol, before, h1.value)
        return True

    def _withheld(self, symbol: str) -> NoSignal:
        why = f"{INCOMPLETE_HISTORY}{self._missing[symbol].words}"
        return withheld_answer(self._engine.strategy.of(symbol), symbol, self._opens[symbol].item(-1), why)
