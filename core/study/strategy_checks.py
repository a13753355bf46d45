"""Does a strategy peek, and does it forget? Two checks that a user can run on a strategy of his own.

Look-ahead: the same bars, with the future cut off at one row after the other, must give the same columns, candidates and
decisions up to there. Warm-up: the window that the strategy declares must give the last row that any longer past gives.
Promises: faults name the column, the bar, and both values; nothing is random, so a check that failed fails again. Each cut is
computed by a copy of the strategy that saw no bar before, so what it remembers from the whole cannot hide a look ahead. A
look-ahead fault is any difference, since the same past must give the same bits; a warm-up fault is a drift over the tolerance
printed, or another decision.
Does not: prove anything about bars it did not try; rows with a candidate are tried first, the rest are spread evenly.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.plan import ScanPlan
from quarterdeck.core.scan.scan_request import prepare_columns
from quarterdeck.core.strategy.guarded_call import CallFailure, call_guarded
from quarterdeck.core.strategy.interface import Columns, Decision, Strategy

WARMUP_TOLERANCE = 1e-9
"""Relative drift of a column that a longer warm-up may cause; the shipped strategy has none at all."""
_TRIED_ROWS = 60
_FAULTS_KEPT = 20
_LOOKED_BACK_ROWS = 400
_CANDIDATES, _DECIDE = "candidates", "decide: "
"""How faults outside the columns are named."""
_DECIDED = ("side", "entry_price", "stop_price", "target_price", "confidence", "exit_now")


class CheckFailure(Struct, frozen=True, kw_only=True):
    """One column (or `candidates`, or a field of the decision) that changed."""

    column: str
    bar_open_utc_ns: UtcNs
    was: float
    """With the whole past and future (look-ahead), or with the longest past (warm-up)."""
    becomes: float
    """With the future cut off behind `seen_to_utc_ns`, or from the declared window."""
    seen_to_utc_ns: UtcNs


class StrategyCheck(Struct, frozen=True, kw_only=True):
    """What a check found."""

    check: Literal["lookahead", "warmup"]
    strategy: str
    rows_tried: int
    tolerance: float
    faults: tuple[CheckFailure, ...]
    """The first of each column, causes before what follows from them, and then more, at most 20."""
    worst_drift: float = 0.0
    """Largest relative change of any column; infinite where a value appeared or vanished."""
    error: str = ""
    """The strategy failed on a cut window."""

    @property
    def passed(self) -> bool:
        """Nothing changed."""
        return not self.faults and not self.error

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns at fault, then of what may only follow from them: `candidates`, and fields of the decision."""
        return tuple(dict.fromkeys(fault.column for fault in self.faults))

    @property
    def causes(self) -> tuple[str, ...]:
        """The columns at fault; where there is none, the candidates or the fields of the decision."""
        least = min((_follows(fault) for fault in self.faults), default=0)
        return tuple(dict.fromkeys(fault.column for fault in self.faults if _follows(fault) == least))


def check_lookahead(plan: ScanPlan, instrument: Instrument, m15: Candles, *, rows: int = _TRIED_ROWS) -> StrategyCheck:
    """Cut the future off behind `rows` bars in turn and compare all that was computed up to there.

    Raises:
        DataError: when there are fewer bars than the strategy's warm-up and a hundred.
    """
    fresh = _copied(plan.strategy)
    whole, tried, error = _whole(plan, instrument, m15, rows)
    faults: list[CheckFailure] = []
    for row in tried:
        anew = _with(plan, _copied(fresh))
        cut = call_guarded("", _prepared, anew, m15[: row + 1], instrument) if whole is not None else None
        if isinstance(cut, CallFailure):
            error = cut.error
            break
        if whole is None or cut is None:
            break
        seen_to = int(m15.open_utc_ns[row])
        begin = max(0, row + 1 - _LOOKED_BACK_ROWS)
        for name, column in whole.items():
            faults.extend(_first_change(name, column[begin : row + 1], cut[name][begin:], m15[begin : row + 1], seen_to))
        faults.extend(_decision_faults((plan, anew), instrument, whole.at, cut.at, row, row, m15, 0.0, seen_to))
    return _result("lookahead", plan, len(tried), 0.0, faults, error)


def check_warmup(
    plan: ScanPlan, instrument: Instrument, m15: Candles, *, rows: int = _TRIED_ROWS, tolerance: float = WARMUP_TOLERANCE
) -> StrategyCheck:
    """Compute `rows` bars from the declared window alone and from all that came before; compare columns and decisions.

    Raises:
        DataError: when there are fewer bars than the strategy's warm-up and a hundred.
    """
    fresh = _copied(plan.strategy)
    whole, tried, error = _whole(plan, instrument, m15, rows)
    faults: list[CheckFailure] = []
    worst = 0.0
    usual = {} if whole is None else {name: _usual(column) for name, column in whole.items()}
    for row in tried:
        anew = _with(plan, _copied(fresh))
        window = call_guarded("", _window, anew, m15, row, instrument) if whole is not None else None
        if isinstance(window, CallFailure):
            error = window.error
            break
        if whole is None or window is None:
            break
        opened, last = int(m15.open_utc_ns[row]), len(window.at) - 1
        for name, column in whole.items():
            was, becomes = float(column[row]), float(window[name][last])
            drift = _drift(was, becomes, usual[name])
            worst = max(worst, drift)
            if drift > tolerance:
                faults.append(CheckFailure(column=name, bar_open_utc_ns=opened, was=was, becomes=becomes, seen_to_utc_ns=opened))
        faults.extend(_decision_faults((plan, anew), instrument, whole.at, window.at, row, last, m15, tolerance, opened))
    return _result("warmup", plan, len(tried), tolerance, faults, error, worst)


def _copied(strategy: Strategy) -> Strategy:
    """A strategy as new; itself where it holds what cannot be copied."""
    copied = call_guarded("", deepcopy, strategy)
    return strategy if isinstance(copied, CallFailure) else copied


def _with(plan: ScanPlan, strategy: Strategy) -> ScanPlan:
    """The same plan for another copy of its strategy."""
    return replace(plan, loaded=replace(plan.loaded, strategy=strategy))


class _Prepared:
    """Columns with the candidates as one more of them."""

    def __init__(self, columns: Columns, candidates: FloatArray) -> None:
        self.at = columns
        self._columns = {**columns.values, _CANDIDATES: candidates}

    def items(self) -> Any:
        return self._columns.items()

    def __getitem__(self, name: str) -> FloatArray:
        return self._columns[name]


def _prepared(plan: ScanPlan, m15: Candles, instrument: Instrument, h1: Candles | None = None) -> _Prepared:
    columns, candidates = prepare_columns(plan.strategy, m15, build_h1(m15) if h1 is None else h1, instrument)
    return _Prepared(columns, candidates.astype(np.float64))


def _window(plan: ScanPlan, m15: Candles, row: int, instrument: Instrument) -> _Prepared:
    """The last row as the scanner computes it: from the declared bars of both periods and none before."""
    past = build_h1(m15[: row + 1])
    h1 = past[max(0, len(past) - plan.strategy.warmup_h1_bars) :]
    return _prepared(plan, m15[max(0, row + 1 - plan.strategy.warmup_bars) : row + 1], instrument, h1)


def _whole(plan: ScanPlan, instrument: Instrument, m15: Candles, rows: int) -> tuple[_Prepared | None, list[int], str]:
    first = plan.warmup_rows
    if len(m15) < first + 100:
        raise DataError(
            f"{instrument.symbol}: {first + 100} M15 bars are needed for this check, there are {len(m15)}",
            what_to_do="give a longer range",
        )
    whole = call_guarded("", _prepared, plan, m15, instrument)
    if isinstance(whole, CallFailure):
        return None, [], whole.error
    known: _Prepared = whole
    found = np.flatnonzero(known[_CANDIDATES][first:-1] > 0.0) + first
    spread = np.linspace(first, len(m15) - 2, max(rows // 2, 1)).astype(np.int64)
    some = found[np.linspace(0, len(found) - 1, min(len(found), rows // 2)).astype(np.int64)] if len(found) else found
    return known, sorted({*some.tolist(), *spread.tolist()}), ""


def _first_change(name: str, was: FloatArray, becomes: FloatArray, m15: Candles, seen_to: UtcNs) -> list[CheckFailure]:
    same = (was == becomes) | (np.isnan(was) & np.isnan(becomes))
    if same.all():
        return []
    row = len(same) - 1 - int(np.argmin(same[::-1]))
    return [
        CheckFailure(
            column=name,
            bar_open_utc_ns=int(m15.open_utc_ns[row]),
            was=float(was[row]),
            becomes=float(becomes[row]),
            seen_to_utc_ns=seen_to,
        )
    ]


def _decision_faults(
    plans: tuple[ScanPlan, ScanPlan],
    instrument: Instrument,
    whole: Columns,
    other: Columns,
    row: int,
    other_row: int,
    m15: Candles,
    tolerance: float,
    seen_to: UtcNs,
) -> list[CheckFailure]:
    one = call_guarded("", plans[0].strategy.decide, whole, row, instrument)
    two = call_guarded("", plans[1].strategy.decide, other, other_row, instrument)
    figures = [_figures(one), _figures(two)]
    return [
        CheckFailure(
            column=f"{_DECIDE}{name}",
            bar_open_utc_ns=int(m15.open_utc_ns[row]),
            was=was,
            becomes=becomes,
            seen_to_utc_ns=seen_to,
        )
        for name, was, becomes in zip((*_DECIDED, "failure"), *figures, strict=True)
        if _drift(was, becomes) > tolerance
    ]


def _figures(decision: Decision | CallFailure) -> list[float]:
    if isinstance(decision, CallFailure):
        return [math.nan] * len(_DECIDED) + [1.0]
    side = 0.0 if decision.side is None else float(decision.side)
    return [side, *(float(getattr(decision, name)) for name in _DECIDED[1:]), 0.0]


def _usual(column: FloatArray) -> float:
    """The size a column usually has, so that a value that happens to be near zero is not held to its own size."""
    known = np.abs(column[np.isfinite(column)])
    return float(np.median(known)) if len(known) else 0.0


def _drift(was: float, becomes: float, usual: float = 0.0) -> float:
    if was == becomes or (math.isnan(was) and math.isnan(becomes)):
        return 0.0
    if not (math.isfinite(was) and math.isfinite(becomes)):
        return math.inf
    return abs(was - becomes) / max(abs(was), abs(becomes), usual)


def _follows(fault: CheckFailure) -> int:
    """Columns come first, candidates are made of them, and decisions of both."""
    return 2 if fault.column.startswith(_DECIDE) else int(fault.column == _CANDIDATES)


def _result(
    check: Literal["lookahead", "warmup"],
    plan: ScanPlan,
    tried: int,
    tolerance: float,
    faults: list[CheckFailure],
    error: str,
    worst: float = 0.0,
) -> StrategyCheck:
    firsts: dict[str, CheckFailure] = {}
    for fault in faults:
        firsts.setdefault(fault.column, fault)
    first = sorted(firsts.values(), key=_follows)
    kept = (first + [fault for fault in faults if not any(fault is other for other in first)])[:_FAULTS_KEPT]
    return StrategyCheck(
        check=check,
        strategy=plan.name,
        rows_tried=tried,
        tolerance=tolerance,
        faults=tuple(kept),
        worst_drift=worst,
        error=error,
    )
