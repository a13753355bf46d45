"""Does a strategy peek, and does it forget? Two checks that a user can run on a strategy of his own.

Look-ahead: the same bars, with the future cut off at one row after the other, must give the same columns, candidates and
decisions up to there; and on stretches of days the signals that it gives live, window by window, must be those of a backtest.
Warm-up: the window that the strategy declares must give the last row that any longer past gives.
Guarantees: faults name the column, the bar, and both values; nothing is random, so a check that failed fails again. What ends
earlier is computed first, over all pairs, and the whole range last: whatever a strategy remembers, and wherever, holds no future
while it is asked about the past. A few cuts are computed again afterwards, which shows the memory; files that it opens while it
is asked are named. A look-ahead fault is any difference, since the same past must give the same bits; a warm-up fault, or one of
a signal, is a drift over the tolerance, or another decision.
Does not: prove anything about bars it did not try: they are spread evenly, and bars with a candidate are tried besides; or know
what a strategy read when it was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.scan.plan import STRATEGY_ERROR, ScanPlan, scan_row
from quarterdeck.core.scan.scan_request import ScanRequest, answer_request
from quarterdeck.core.strategy.dataframe_strategy import DataFrameStrategy
from quarterdeck.core.strategy.guarded_call import CallFailure
from quarterdeck.core.strategy.rolling import closed_h1_rows
from quarterdeck.core.study import cuts
from quarterdeck.core.study.cuts import CheckFailure, FullHistory, HistoryCut
from quarterdeck.core.study.file_access import watched

WARMUP_TOLERANCE = 1e-9
"""Relative drift of a column that a longer warm-up may cause; the shipped strategy has none at all."""
_TRIED_ROWS = 60
_FAULTS_KEPT = 20
_STRETCHES = 6
"""Stretches of bars in a row at which the strategy is asked as live."""
_LIVE_ROWS_X, _LIVE_ROWS_OF_FRAMES_X = 16, 4
"""Bars asked as live for each row tried; a rule on frames takes milliseconds, and sees its window alone in either way."""
_AGAIN_ROWS = 3
"""Cuts that are computed again at the end, spread evenly, besides as many of those at fault."""
_UNMEASURED = (0.0, 0.0, 50.0)

Live = Callable[[ScanRequest], Signal | NoSignal]
"""Who answers about a window as a live market is answered: a process of its own, or this one."""


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
    """The strategy failed on a cut window, or at a bar that was tried."""
    memory: tuple[str, ...] = ()
    """What shows that the strategy keeps something between two calls, a sentence each."""
    live_rows: int = 0
    """Bars at which the live answer was compared with the one of a backtest."""

    @property
    def passed(self) -> bool:
        """Nothing changed."""
        return not self.faults and not self.error and not self.memory

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns at fault, then of what may only follow from them: `candidates`, and fields of the decision."""
        return tuple(dict.fromkeys(fault.column for fault in self.faults))

    @property
    def causes(self) -> tuple[str, ...]:
        """The columns at fault; where there is none, the candidates or the fields of the decision or of the signal."""
        least = min((cuts.follows(fault) for fault in self.faults), default=0)
        return tuple(dict.fromkeys(fault.column for fault in self.faults if cuts.follows(fault) == least))


class CheckedPair(Struct, frozen=True, kw_only=True, eq=False):
    """One pair to check a strategy on."""

    plan: ScanPlan
    instrument: Instrument
    m15: Candles


def check_lookahead(
    plan: ScanPlan, instrument: Instrument, m15: Candles, *, rows: int = _TRIED_ROWS, live: Live | None = None
) -> StrategyCheck:
    """Check one pair; see `check_lookahead_all`."""
    return check_lookahead_all([CheckedPair(plan=plan, instrument=instrument, m15=m15)], rows=rows, live=live)[0]


def check_lookahead_all(
    pairs: Sequence[CheckedPair], *, rows: int = _TRIED_ROWS, live: Live | None = None
) -> list[StrategyCheck]:
    """Cut the future off behind `rows` bars of each pair in turn, and compare with all that the whole range gives up to there.

    `live` answers about a window as a live market is answered; without it the strategy is asked in this process.

    Raises:
        DataError: when there are fewer bars than the strategy's warm-up and a hundred.
    """
    checks = [_LookAhead(pair, rows, live) for pair in pairs]
    steps = sorted((*step, number) for number, check in enumerate(checks) for step in check.steps())
    with watched() as opened:
        for _, row, asked_live, number in steps:
            checks[number].take(row, asked_live=asked_live)
        for check in checks:
            check.see_all()
        for check in checks:
            check.look_again()
    return [check.result(tuple(f"it {what} while it is asked" for what in opened)) for check in checks]


class _LookAhead:
    """The check of one pair: `take` in the order of time, then `see_all`, then `look_again`."""

    def __init__(self, pair: CheckedPair, rows: int, live: Live | None) -> None:
        self._plan, self._instrument, self._m15, self._rows = pair.plan, pair.instrument, pair.m15, rows
        self._first = _first_row(pair)
        self._fresh = cuts.copied_strategy(pair.plan.strategy)
        own = cuts.with_strategy(pair.plan, cuts.copied_strategy(self._fresh))
        self._live: Live = live if live is not None else lambda look: answer_request(own.loaded, look)
        self._h1 = build_h1(pair.m15)
        self._h1_rows = closed_h1_rows(pair.m15, self._h1)
        self._early: dict[int, HistoryCut] = {}
        self._answers: dict[int, Signal | NoSignal] = {}
        self._faults: list[CheckFailure] = []
        self._memory: list[str] = []
        self._error = ""
        self._tried = 0

    def steps(self) -> list[tuple[UtcNs, int, bool]]:
        """When each row is tried: the bar that ends what it sees, the row, and whether it is asked as live."""
        rows = [(row, False) for row in _spread(self._first, len(self._m15) - 2, self._rows // 2)]
        rows += [(row, True) for row in self._live_rows()]
        return [(self._m15.open_utc_ns.item(row), row, live) for row, live in rows]

    def _live_rows(self) -> list[int]:
        kind = _LIVE_ROWS_OF_FRAMES_X if isinstance(self._plan.strategy, DataFrameStrategy) else _LIVE_ROWS_X
        each = max(kind * self._rows // _STRETCHES, 1)
        starts = _spread(self._first, max(len(self._m15) - 1 - each, self._first), _STRETCHES)
        rows = sorted({row for start in starts for row in range(start, min(start + each, len(self._m15) - 1))})
        return [row for row in rows if self._h1_rows[row] + 1 >= self._plan.h1_rows]

    def take(self, row: int, *, asked_live: bool) -> None:
        """Compute what can be known at the end of that bar."""
        if self._error:
            return
        if asked_live:
            look = cuts.live_look(self._plan, self._m15, self._h1, self._h1_rows, row, self._instrument)
            self._answers[row] = self._live(look)
            return
        cut = cuts.cut_at(self._anew(), self._m15, row, self._instrument)
        if isinstance(cut, CallFailure):
            self._error = cut.error
        else:
            self._early[row] = cut

    def see_all(self) -> None:
        """Compute the whole range, and compare with it what was taken before; then cuts at its own candidates."""
        if self._error:
            return
        whole = cuts.whole_of(self._plan, self._m15, self._instrument)
        if isinstance(whole, CallFailure):
            self._error = whole.error
            return
        for cut in self._early.values():
            self._compare(whole, cut)
        self._compare_live(whole)
        for row in _candidate_rows(whole, self._first, self._rows // 2):
            if row not in self._early and not self._error:
                cut_late = cuts.cut_at(self._anew(), self._m15, row, self._instrument)
                if isinstance(cut_late, CallFailure):
                    self._error = cut_late.error
                else:
                    self._compare(whole, cut_late)

    def look_again(self) -> None:
        """Compute some cuts again, by the strategy that has seen everything: another answer is memory."""
        if self._error:
            return
        rows = list(self._early)
        at_fault = {fault.seen_to_utc_ns for fault in self._faults}
        again = [row for row in rows if self._m15.open_utc_ns.item(row) in at_fault][:_AGAIN_ROWS]
        for row in dict.fromkeys((*again, *(rows[place] for place in _spread(0, len(rows) - 1, _AGAIN_ROWS)))):
            late = cuts.cut_at(self._plan, self._m15, row, self._instrument)
            if isinstance(late, CallFailure):
                self._memory.append(f"asked about the same bars again it fails: {late.error}")
                return
            early = self._early[row]
            changed = [*cuts.column_faults(early, late, self._m15), *cuts.decision_faults(early, late, self._m15)]
            if changed:
                names = ", ".join(dict.fromkeys(fault.column for fault in changed))
                self._memory.append(f"it answers otherwise about the same bars once it has seen later ones ({names})")
                return

    def result(self, opened: tuple[str, ...]) -> StrategyCheck:
        """What was found."""
        return _result(
            "lookahead",
            self._plan,
            self._tried,
            0.0,
            self._faults,
            self._error,
            memory=(*self._memory, *opened),
            live_rows=len(self._answers),
        )

    def _anew(self) -> ScanPlan:
        return cuts.with_strategy(self._plan, cuts.copied_strategy(self._fresh))

    def _compare(self, whole: FullHistory, cut: HistoryCut) -> None:
        self._tried += 1
        known = whole.cut(self._plan, self._instrument, cut.row)
        self._faults += (*cuts.column_faults(known, cut, self._m15), *cuts.decision_faults(known, cut, self._m15))
        if isinstance(known.decision, CallFailure) and isinstance(cut.decision, CallFailure) and not self._error:
            self._error = f"{STRATEGY_ERROR}{known.decision.error}"

    def _compare_live(self, whole: FullHistory) -> None:
        """What a backtest says at the same bars: it asks about candidates alone."""
        loaded, candidates = self._plan.loaded, whole.columns[cuts.CANDIDATES]
        for row, live in self._answers.items():
            opened = self._m15.open_utc_ns.item(row)
            if candidates[row] > 0.0:
                known = scan_row(
                    loaded, self._instrument, whole.at, row, bar_open_utc_ns=opened, candidate=True, figures=_UNMEASURED
                )
            else:
                if isinstance(live, Signal):
                    found = CheckFailure(
                        column=cuts.CANDIDATES, bar_open_utc_ns=opened, was=0.0, becomes=1.0, seen_to_utc_ns=opened
                    )
                    self._faults.append(found)
                continue
            self._faults += cuts.signal_faults(known, live, WARMUP_TOLERANCE)
            if not self._error and cuts.strategy_error(known) and cuts.strategy_error(live):
                self._error = cuts.strategy_error(known)


def check_warmup(
    plan: ScanPlan, instrument: Instrument, m15: Candles, *, rows: int = _TRIED_ROWS, tolerance: float = WARMUP_TOLERANCE
) -> StrategyCheck:
    """Compute `rows` bars from the declared window alone and from all that came before; compare columns and decisions.

    Raises:
        DataError: when there are fewer bars than the strategy's warm-up and a hundred.
    """
    first = _first_row(CheckedPair(plan=plan, instrument=instrument, m15=m15))
    fresh = cuts.copied_strategy(plan.strategy)

    def window(row: int) -> HistoryCut | CallFailure:
        return cuts.window_at(cuts.with_strategy(plan, cuts.copied_strategy(fresh)), m15, row, instrument)

    windows = {row: window(row) for row in _spread(first, len(m15) - 2, rows // 2)}
    whole = cuts.whole_of(plan, m15, instrument)
    if isinstance(whole, CallFailure):
        return _result("warmup", plan, 0, tolerance, [], whole.error)
    windows.update({row: window(row) for row in _candidate_rows(whole, first, rows // 2) if row not in windows})
    usual = {name: cuts.usual_size(column) for name, column in whole.columns.items()}
    faults: list[CheckFailure] = []
    worst, error = 0.0, ""
    for row in sorted(windows):
        opened, seen = m15.open_utc_ns.item(row), windows[row]
        if isinstance(seen, CallFailure):
            error = seen.error
            break
        known = whole.cut(plan, instrument, row)
        for name, column in known.columns.items():
            was, becomes = column.item(-1), seen.columns[name].item(-1) if name in seen.columns else float("nan")
            drift = cuts.drift(was, becomes, usual[name])
            worst = max(worst, drift)
            if drift > tolerance:
                faults.append(CheckFailure(column=name, bar_open_utc_ns=opened, was=was, becomes=becomes, seen_to_utc_ns=opened))
        faults += cuts.decision_faults(known, seen, m15, tolerance)
        if isinstance(known.decision, CallFailure) and isinstance(seen.decision, CallFailure) and not error:
            error = f"{STRATEGY_ERROR}{known.decision.error}"
    return _result("warmup", plan, len(windows), tolerance, faults, error, worst)


def _first_row(pair: CheckedPair) -> int:
    first, bars = pair.plan.warmup_rows, len(pair.m15)
    if bars < first + 100:
        raise DataError(
            f"{pair.instrument.symbol}: {first + 100} M15 bars are needed for this check, there are {bars}",
            what_to_do="give a longer range",
        )
    return first


def _spread(first: int, last: int, count: int) -> list[int]:
    """Rows spread evenly from the first to the last."""
    if last < first:
        return []
    return list(dict.fromkeys(np.linspace(first, last, max(count, 1)).astype(np.int64).tolist()))


def _candidate_rows(whole: FullHistory, first: int, count: int) -> list[int]:
    """Some of the rows with a candidate, spread evenly over them."""
    found = np.flatnonzero(whole.columns[cuts.CANDIDATES][first:-1] > 0.0) + first
    return [found.item(place) for place in _spread(0, len(found) - 1, min(len(found), count))]


def _result(
    check: Literal["lookahead", "warmup"],
    plan: ScanPlan,
    tried: int,
    tolerance: float,
    faults: list[CheckFailure],
    error: str,
    worst: float = 0.0,
    *,
    memory: tuple[str, ...] = (),
    live_rows: int = 0,
) -> StrategyCheck:
    if any(cuts.follows(fault) < cuts.SIGNAL_FOLLOWS for fault in faults):
        faults = [fault for fault in faults if cuts.follows(fault) < cuts.SIGNAL_FOLLOWS]  # signals follow from the rest
    firsts: dict[str, CheckFailure] = {}
    for fault in faults:
        firsts.setdefault(fault.column, fault)
    first = sorted(firsts.values(), key=cuts.follows)
    kept = (first + [fault for fault in faults if not any(fault is other for other in first)])[:_FAULTS_KEPT]
    return StrategyCheck(
        check=check,
        strategy=plan.name,
        rows_tried=tried,
        tolerance=tolerance,
        faults=tuple(kept),
        worst_drift=worst,
        error=error,
        memory=memory,
        live_rows=live_rows,
    )
