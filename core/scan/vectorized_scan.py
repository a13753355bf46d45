"""A whole recording of one pair scanned at once, for the backtest: figures as columns, decisions only where they are asked for.

Promises: `answer(row)` equals, bit for bit, what `Scanner.on_bar` answers at that bar after the same past. A strategy that
fails on the whole recording is asked as live, bar by bar on its window: what it fails at then are those bars alone. Bars at which
it failed are remembered.
"""

from __future__ import annotations

from math import nan

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray, floats
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.features import atr_figures, atr_h1, atr_m15
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.plan import AtrFigures, ScanPlan, scan_row, withheld_answer
from quarterdeck.core.scan.scan_request import ScanRequest, answer_request, prepare_columns
from quarterdeck.core.strategy.guarded_call import CallFailure, call_guarded
from quarterdeck.core.strategy.interface import BoolArray, Columns
from quarterdeck.core.strategy.rolling import closed_h1_rows

_UNRANKED: FloatArray = np.zeros(0)


class VectorizedScan:
    """One pair's figures; rows are those of the M15 candles."""

    def __init__(self, plan: ScanPlan, instrument: Instrument, m15: Candles) -> None:
        """Computes all columns; `m15` begins with the warm-up."""
        self._plan = plan
        self._instrument = instrument
        self.m15 = m15
        self.h1 = build_h1(m15)
        self.failures: dict[int, str] = {}
        """By row where the strategy failed or talked nonsense, what `why` says of it."""
        self.first_row = plan.m15_rows - 1
        """First row with a full window; nothing is judged before."""
        self.atr_m15_price: FloatArray = atr_m15(m15)
        self._atr_share: FloatArray = self.atr_m15_price / m15.close
        h1_rows = closed_h1_rows(m15, self.h1).astype(np.int32)
        self._h1_rows, self._atr_m15_price, self._atr_h1_price = h1_rows.data, floats(self.atr_m15_price), floats(atr_h1(self.h1))
        """By M15 row the last closed H1 row and ATR(M15), by H1 row ATR(H1)."""
        self.ready: BoolArray = (np.arange(len(m15)) >= self.first_row) & (h1_rows + 1 >= plan.h1_rows)
        whole = call_guarded("", prepare_columns, plan.strategy, m15, self.h1, instrument)
        self._columns: Columns | None = None if isinstance(whole, CallFailure) else whole[0]
        self.candidate: BoolArray = self._one_by_one() if isinstance(whole, CallFailure) else whole[1] & self.ready
        self._finds = self.candidate.data

    def figures(self, row: int) -> AtrFigures:
        """What was measured at one row."""
        begin = max(self.first_row, row + 1 - self._plan.percentile_rows)
        return self._measured(row, self._atr_share[begin : row + 1])

    def _measured(self, row: int, past: FloatArray) -> AtrFigures:
        h1_row = self._h1_rows[row]
        return atr_figures(self._atr_m15_price[row], self._atr_h1_price[h1_row] if h1_row >= 0 else nan, past)

    def answer_without_rank(self, row: int) -> Signal | NoSignal:
        """The same as `answer`, but where there is no candidate ATR is not ranked: no decision depends on the rank then."""
        return self.answer(row, ranked=self.has_candidate(row))

    def has_candidate(self, row: int) -> bool:
        """Whether there is a candidate at that row."""
        return bool(self._finds[row])

    def answer(self, row: int, *, ranked: bool = True) -> Signal | NoSignal:
        """What the scanner says at the close of that bar."""
        if not self.ready[row]:
            have = min(row + 1, self._plan.m15_rows), self._h1_rows[row] + 1
            opened = int(self.m15.open_utc_ns[row])
            return withheld_answer(self._plan.loaded, self._instrument.symbol, opened, warmup_shortfall(self._plan, *have))
        if self._columns is None:
            return answer_request(self._plan.loaded, self._look(row))
        candidate = self.has_candidate(row)
        figures = self.figures(row) if ranked else self._measured(row, _UNRANKED)
        found = scan_row(
            self._plan.loaded,
            self._instrument,
            self._columns,
            row,
            bar_open_utc_ns=self.m15.open_utc_ns.item(row),
            candidate=candidate,
            figures=figures,
        )
        if candidate and isinstance(found, NoSignal) and found.withheld:
            self.failures[row] = found.withheld
        return found

    def _one_by_one(self) -> BoolArray:
        """Rows at which the strategy finds something, asked at each."""
        found = np.zeros(len(self.m15), np.bool_)
        for row in np.flatnonzero(self.ready).tolist():
            answer = answer_request(self._plan.loaded, self._look(row))
            found[row] = isinstance(answer, Signal)
            if isinstance(answer, NoSignal) and answer.withheld:
                self.failures[row] = answer.withheld
        return found

    def _look(self, row: int) -> ScanRequest:
        """The question that the scanner asks at the close of that bar."""
        last = self._h1_rows[row] + 1
        return ScanRequest(
            instrument=self._instrument,
            m15=self.m15[row + 1 - self._plan.m15_rows : row + 1],
            h1=self.h1[last - self._plan.h1_rows : last],
            figures=self.figures(row),
        )


def warmup_shortfall(plan: ScanPlan, m15_rows: int, h1_rows: int) -> str:
    """How far the warm-up is."""
    if m15_rows < plan.m15_rows:
        return f"warm-up: {m15_rows} of {plan.m15_rows} M15 bars"
    return f"warm-up: {h1_rows} of {plan.h1_rows} H1 bars"
