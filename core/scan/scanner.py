"""One bar at a time: what the strategy says of a pair when its M15 bar has closed.

Promises: pure and synchronous; the answer depends on the last bars alone, so a restart changes nothing; a bar that is not after
the last one is not scanned; H1 bars are built from the M15 bars first (a longer bar that closes at the same instant is seen).
`scan_request` takes a bar in and gives the question, `on_bar` asks it here at once: whoever wants the strategy elsewhere sends
it. Does not: filter, size or send anything, or measure how long a strategy takes (the shell does).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.model.errors import InvariantError, invariant
from quarterdeck.core.model.market_data import Bar, Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import H1_NS, M15_NS
from quarterdeck.core.scan.features import atr_figures, atr_h1, atr_m15
from quarterdeck.core.scan.h1_bars import build_h1, h1_difference
from quarterdeck.core.scan.plan import ScanPlan, scan_plan_for, withheld_answer
from quarterdeck.core.scan.scan_request import ScanRequest, answer_request
from quarterdeck.core.scan.vectorized_scan import warmup_shortfall
from quarterdeck.core.scan.window import BarWindow
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_SLACK_ROWS = 512


class Scanner:
    """Scans the pairs of `instruments`; each is seeded with its past first."""

    def __init__(self, loaded: LoadedStrategy, instruments: Iterable[Instrument], settings: Settings) -> None:
        """`loaded` comes from `core.strategy.strategy_loader.load_strategy`."""
        self._loaded = loaded
        self._pairs = {spec.symbol: _PairScan(scan_plan_for(loaded, settings, spec.symbol), spec) for spec in instruments}

    def plan(self, symbol: str) -> ScanPlan:
        """How a pair is scanned: how many bars it needs, how many it should be seeded with (`history_rows`)."""
        return self._pair(symbol).plan

    def seed(self, symbol: str, candles_m15: Candles, candles_h1: Candles | None = None) -> None:
        """Begin a pair with its closed bars; the broker's H1 bars serve only before the first that the M15 bars give."""
        self._pair(symbol).seed(candles_m15, candles_h1)

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """What the strategy says at the close of this M15 bar."""
        look = self.scan_request(symbol, bar)
        return look if isinstance(look, NoSignal) else answer_request(self._loaded, look)

    def scan_request(self, symbol: str, bar: Bar) -> ScanRequest | NoSignal:
        """Take in this M15 bar: the question to the strategy, or why it is not asked."""
        return self._pair(symbol).look(bar)

    def hour_difference(self, symbol: str, brokers: Bar, *, tolerance_ticks: float) -> str:
        """Where the broker's H1 bar is another than our own of that hour; empty where it is not, or we have none."""
        return self._pair(symbol).hour_difference(brokers, tolerance_ticks)

    def _pair(self, symbol: str) -> _PairScan:
        pair = self._pairs.get(symbol)
        if pair is None:
            raise InvariantError(f"only pairs with an instrument are scanned (symbol={symbol!r})")
        return pair


class _PairScan:
    def __init__(self, plan: ScanPlan, instrument: Instrument) -> None:
        self.plan = plan
        self._instrument = instrument
        nothing = Candles((), (), (), (), ())
        self.seed(nothing, None)

    def seed(self, m15: Candles, h1: Candles | None) -> None:
        plan = self.plan
        m15 = m15[max(0, len(m15) - plan.history_rows) :]
        self._window = BarWindow(plan.m15_rows, m15)
        built = build_h1(m15)
        first_hour = -(-int(m15.open_utc_ns[0]) // H1_NS) * H1_NS if len(m15) else -(2**62)
        self._booked_utc_ns = int(built.open_utc_ns[-1]) + H1_NS if len(built) else first_hour
        self._first_hour_utc_ns = first_hour
        older = h1[: int(np.searchsorted(h1.open_utc_ns, first_hour))] if h1 is not None else built[:0]
        self._hours = BarWindow(plan.h1_rows, older)
        for row in range(max(0, len(built) - plan.h1_rows), len(built)):
            self._hours.append(built.bar(row))
        self._hours_changed()
        fractions = (atr_m15(m15) / m15.close)[plan.m15_rows - 1 :] if len(m15) >= plan.m15_rows else np.zeros(0)
        self._fractions = np.zeros(plan.percentile_rows + _SLACK_ROWS)
        self._ranked = min(len(fractions), plan.percentile_rows)
        self._fractions[: self._ranked] = fractions[len(fractions) - self._ranked :]

    def hour_difference(self, brokers: Bar, tolerance_ticks: float) -> str:
        hours, opened = self._h1, brokers.open_utc_ns
        row = int(np.searchsorted(hours.open_utc_ns, opened))
        if row >= len(hours) or int(hours.open_utc_ns[row]) != opened or opened < self._first_hour_utc_ns:
            return ""  # not built from M15 bars
        return h1_difference(hours.bar(row), brokers, tick_size=self._instrument.tick_size, tolerance_ticks=tolerance_ticks)

    def look(self, bar: Bar) -> ScanRequest | NoSignal:
        plan, symbol = self.plan, self._instrument.symbol
        if bar.open_utc_ns <= self._window.last_open_utc_ns:
            return withheld_answer(plan.loaded, symbol, bar.open_utc_ns, "the bar is not after the last one seen")
        self._window.append(bar)
        m15 = self._window.candles()
        h1 = self._booked(m15)
        if len(m15) < plan.m15_rows or len(h1) < plan.h1_rows:
            if len(m15) >= plan.m15_rows:
                self._rank(atr_m15(m15)[-1] / m15.close[-1])
            return withheld_answer(plan.loaded, symbol, bar.open_utc_ns, warmup_shortfall(plan, len(m15), len(h1)))
        atr_price = atr_m15(m15).item(-1)
        past = self._rank(atr_price / m15.close.item(-1))
        figures = atr_figures(atr_price, self._atr_h1_price, past)
        return ScanRequest(instrument=self._instrument, m15=m15, h1=h1, figures=figures)

    def _booked(self, m15: Candles) -> Candles:
        """The H1 bars closed by the end of the last M15 bar, the newest of them booked now."""
        if int(m15.open_utc_ns[-1]) + M15_NS < self._booked_utc_ns + H1_NS:
            return self._h1  # the hour that is waited for is not over
        waiting = m15[int(np.searchsorted(m15.open_utc_ns, self._booked_utc_ns)) :]
        built = build_h1(waiting, cut=False)
        for row in range(len(built)):
            self._hours.append(built.bar(row))
            self._booked_utc_ns = int(built.open_utc_ns[row]) + H1_NS
        if len(built):
            self._hours_changed()
        return self._h1

    def _hours_changed(self) -> None:
        self._h1 = self._hours.candles()
        self._atr_h1_price = atr_h1(self._h1).item(-1) if len(self._h1) else math.nan

    def _rank(self, fraction: float) -> FloatArray:
        """Remember ATR(M15)/price of the newest bar and return the window that ends with it."""
        rows, held = self.plan.percentile_rows, self._fractions
        invariant(math.isfinite(fraction), "ATR is known once the window is full", symbol=self._instrument.symbol)
        if self._ranked == len(held):
            held[: rows - 1] = held[self._ranked - rows + 1 : self._ranked].copy()
            self._ranked = rows - 1
        held[self._ranked] = fraction
        self._ranked += 1
        return held[max(0, self._ranked - rows) : self._ranked]
