"""What a strategy computes over bars that end at some row, kept so that two such computations can be compared.

Guarantees: the bars handed to a strategy are copies that end where they say, so nothing behind them can be reached; columns of
any kind are compared, text as well; a value that is missing on one side is a difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from zlib import crc32

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.plan import STRATEGY_ERROR, ScanPlan, decided
from quarterdeck.core.scan.scan_request import ScanRequest, prepare_columns
from quarterdeck.core.strategy.guarded_call import CallFailure, WrongAnswer, call_guarded
from quarterdeck.core.strategy.interface import Columns, Decision, Strategy

CANDIDATES, DECIDE, SIGNAL = "candidates", "decide: ", "signal: "
"""How faults outside the columns are named."""
SIGNAL_FOLLOWS = 3
"""Signals follow from everything else; see `follows`."""
_LOOKED_BACK_ROWS = 400
_DECIDED = ("side", "entry_price", "stop_price", "target_price", "confidence", "exit_now")
_UNMEASURED = (0.0, 0.0, 50.0)


class CheckFailure(Struct, frozen=True, kw_only=True):
    """One column (or `candidates`, or a field of the decision or of the signal) that changed."""

    column: str
    bar_open_utc_ns: UtcNs
    was: float
    """With the whole past and future (look-ahead), or with the longest past (warm-up)."""
    becomes: float
    """With the future cut off behind `seen_to_utc_ns`, or from the declared window."""
    seen_to_utc_ns: UtcNs


class HistoryCut(Struct, frozen=True, kw_only=True, eq=False):
    """The last rows of all columns over bars that end at `row`, and the decision there."""

    row: int
    columns: dict[str, FloatArray]
    """Up to 400 rows, `candidates` among them."""
    decision: Decision | CallFailure


class FullHistory(Struct, frozen=True, kw_only=True, eq=False):
    """All columns over all bars, and what is needed to ask about a row of them."""

    at: Columns
    columns: dict[str, FloatArray]

    def cut(self, plan: ScanPlan, instrument: Instrument, row: int) -> HistoryCut:
        """The same figures as a cut at that row has."""
        begin = max(0, row + 1 - _LOOKED_BACK_ROWS)
        tails = {name: column[begin : row + 1] for name, column in self.columns.items()}
        return HistoryCut(row=row, columns=tails, decision=_decision(plan, self.at, row, instrument))


def copied_strategy(strategy: Strategy) -> Strategy:
    """A strategy as new; itself where it holds what cannot be copied."""
    copied = call_guarded("", deepcopy, strategy)
    return strategy if isinstance(copied, CallFailure) else copied


def with_strategy(plan: ScanPlan, strategy: Strategy) -> ScanPlan:
    """The same plan for another copy of its strategy."""
    return replace(plan, loaded=replace(plan.loaded, strategy=strategy))


def whole_of(plan: ScanPlan, m15: Candles, instrument: Instrument) -> FullHistory | CallFailure:
    """Everything computed over all bars."""
    return _computed(plan, m15, build_h1(m15), instrument)


def cut_at(plan: ScanPlan, m15: Candles, row: int, instrument: Instrument) -> HistoryCut | CallFailure:
    """Everything computed with the future cut off behind that row."""
    seen = copied_candles(m15[: row + 1])
    whole = _computed(plan, seen, build_h1(seen), instrument)
    return whole if isinstance(whole, CallFailure) else replace(whole.cut(plan, instrument, len(seen) - 1), row=row)


def window_at(plan: ScanPlan, m15: Candles, row: int, instrument: Instrument) -> HistoryCut | CallFailure:
    """Everything computed from the declared bars of both periods that end at that row, and none before."""
    past = build_h1(m15[: row + 1])
    h1 = copied_candles(past[max(0, len(past) - plan.strategy.warmup_h1_bars) :])
    seen = copied_candles(m15[max(0, row + 1 - plan.strategy.warmup_bars) : row + 1])
    whole = _computed(plan, seen, h1, instrument)
    return whole if isinstance(whole, CallFailure) else replace(whole.cut(plan, instrument, len(seen) - 1), row=row)


def live_look(plan: ScanPlan, m15: Candles, h1: Candles, h1_rows: IntArray, row: int, instrument: Instrument) -> ScanRequest:
    """The question that a live market asks at the close of that bar; nothing is measured for it."""
    last = int(h1_rows[row]) + 1
    return ScanRequest(
        instrument=instrument,
        m15=copied_candles(m15[row + 1 - plan.m15_rows : row + 1]),
        h1=copied_candles(h1[last - plan.h1_rows : last]),
        figures=_UNMEASURED,
    )


def copied_candles(candles: Candles) -> Candles:
    """The same bars in arrays of their own: a view would lead to the bars behind them."""
    columns = (candles.open_utc_ns, candles.open, candles.high, candles.low, candles.close)
    return Candles(*(np.array(column) for column in (*columns, candles.tick_volume, candles.spread_points)))


def column_faults(was: HistoryCut, becomes: HistoryCut, m15: Candles) -> Iterator[CheckFailure]:
    """The newest difference of each column."""
    seen_to = m15.open_utc_ns.item(was.row)
    for name in dict.fromkeys((*was.columns, *becomes.columns)):
        one, other = was.columns.get(name), becomes.columns.get(name)
        rows = min(len(column) for column in (one, other) if column is not None)
        nothing = np.full(rows, np.nan)
        one, other = (nothing if column is None else column[len(column) - rows :] for column in (one, other))
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        if not same.all():
            ago = int(np.argmin(same[::-1]))
            bar = m15.open_utc_ns.item(was.row - ago)
            values = one.item(rows - 1 - ago), other.item(rows - 1 - ago)
            yield CheckFailure(column=name, bar_open_utc_ns=bar, was=values[0], becomes=values[1], seen_to_utc_ns=seen_to)


def decision_faults(was: HistoryCut, becomes: HistoryCut, m15: Candles, tolerance: float = 0.0) -> Iterator[CheckFailure]:
    """Fields of the decision that drifted beyond the tolerance."""
    at = m15.open_utc_ns.item(was.row)
    return _field_faults(DECIDE, _figures(was.decision), _figures(becomes.decision), at, tolerance)


def signal_faults(was: Signal | NoSignal, becomes: Signal | NoSignal, tolerance: float) -> Iterator[CheckFailure]:
    """Fields of the signal that drifted beyond the tolerance; a bar without a signal has zeros."""
    return _field_faults(SIGNAL, _signal_figures(was), _signal_figures(becomes), was.bar_open_utc_ns, tolerance)


def follows(fault: CheckFailure) -> int:
    """Columns come first, candidates are made of them, decisions of both, and signals of decisions."""
    return (
        SIGNAL_FOLLOWS
        if fault.column.startswith(SIGNAL)
        else 2
        if fault.column.startswith(DECIDE)
        else int(fault.column == CANDIDATES)
    )


def usual_size(column: FloatArray) -> float:
    """The size a column usually has, so that a value that happens to be near zero is not held to its own size."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if len(known) else 0.0


def drift(was: float, becomes: float, usual: float = 0.0) -> float:
    """Relative change; infinite where a value appeared or vanished."""
    if was == becomes or (math.isnan(was) and math.isnan(becomes)):
        return 0.0
    if not (math.isfinite(was) and math.isfinite(becomes)):
        return math.inf
    return abs(was - becomes) / max(abs(was), abs(becomes), usual)


def strategy_error(found: Signal | NoSignal) -> str:
    """The named error of an answer; empty where there is none."""
    return found.withheld if isinstance(found, NoSignal) and found.withheld.startswith(STRATEGY_ERROR) else ""


def _computed(plan: ScanPlan, m15: Candles, h1: Candles, instrument: Instrument) -> FullHistory | CallFailure:
    def compute() -> FullHistory:
        columns, candidates = prepare_columns(plan.strategy, m15, h1, instrument)
        named: dict[str, FloatArray] = {}
        for name, column in columns.values.items():
            named.update(_comparable(str(name), column, len(m15)))
        return FullHistory(at=columns, columns={**named, CANDIDATES: candidates.astype(np.float64)})

    found: FullHistory | CallFailure = call_guarded("", compute)
    return found


def _decision(plan: ScanPlan, columns: Columns, row: int, instrument: Instrument) -> Decision | CallFailure:
    found: Decision | CallFailure = call_guarded("", decided, plan.strategy, columns, row, instrument)
    return found


def _comparable(name: str, column: Any, bars: int) -> dict[str, FloatArray]:
    """A column as numbers: text and objects by what they say, a table as one column for each of its own."""
    values = np.asarray(column)
    if values.ndim == 0 or len(values) != bars:
        raise WrongAnswer(f"column {name!r} has {values.size:,} values for {bars:,} bars")
    if values.ndim > 1:
        flat = values.reshape(bars, -1)
        return {f"{name}[{place}]": _numbers(flat[:, place]) for place in range(flat.shape[1])}
    return {name: _numbers(values)}


def _numbers(values: Any) -> FloatArray:
    if values.dtype.kind in "mM":
        values = values.astype(np.int64)
    if values.dtype.kind not in "biuf":
        values = np.array([_number_of(value) for value in values.tolist()])
    numbers: FloatArray = values.astype(np.float64)
    return numbers


def _number_of(value: Any) -> float:
    if value is None or value != value:  # noqa: PLR0124 - what is no number is not equal to itself
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    # an object without words of its own is shown by its address, which says nothing
    shown = type(value).__name__ if " at 0x" in repr(value) else repr(value)
    return float(crc32(shown.encode("utf-8", "replace")))


def _field_faults(
    prefix: str, was: list[float], becomes: list[float], bar_open_utc_ns: UtcNs, tolerance: float
) -> Iterator[CheckFailure]:
    for name, one, other in zip((*_DECIDED, "failure"), was, becomes, strict=True):
        if drift(one, other) > tolerance:
            at = bar_open_utc_ns
            yield CheckFailure(column=f"{prefix}{name}", bar_open_utc_ns=at, was=one, becomes=other, seen_to_utc_ns=at)


def _figures(decision: Decision | CallFailure) -> list[float]:
    if isinstance(decision, CallFailure):
        return [math.nan] * len(_DECIDED) + [1.0]
    side = 0.0 if decision.side is None else float(decision.side)
    return [side, *(float(getattr(decision, name)) for name in _DECIDED[1:]), 0.0]


def _signal_figures(found: Signal | NoSignal) -> list[float]:
    if isinstance(found, NoSignal):
        return [0.0] * len(_DECIDED) + [float(bool(strategy_error(found)))]
    return [float(getattr(found, name)) for name in _DECIDED] + [0.0]
