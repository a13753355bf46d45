"""Walk-forward: search in one stretch of days, judge in the days right after it, move on; the judging days never overlap.

Why: the best of many trials looks good where it was searched; only days it never saw tell what it is worth.
Promises: no judging day lies in its own search; each window has its own search from the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.backtest.optimize import SearchRequest, SearchStopped, WorkerPool, evaluate_values, search
from quarterdeck.core.backtest.search_store import SearchStore
from quarterdeck.core.model.errors import UsageError


class WalkForwardWindow(Struct, frozen=True, kw_only=True):
    """Days to search in and days to judge in, all inclusive."""

    search_from: date
    search_to: date
    judge_from: date
    judge_to: date


class WalkForwardResult(Struct, frozen=True, kw_only=True):
    """What one window came to."""

    window: WalkForwardWindow
    values: dict[str, Any]
    searched_goal: float | None
    judged_goal: float | None
    judged_figures: dict[str, float | None]
    unchanged_figures: dict[str, float | None]
    """The same days with the settings as they were, for comparison."""


def walk_forward_windows(first: date, last: date, *, search_days: int, judge_days: int) -> list[WalkForwardWindow]:
    """Rolling windows over [first, last]. Raises UsageError when not even one fits."""
    found, start = [], first
    while True:
        search_to = start + timedelta(days=search_days - 1)
        judge_to = min(search_to + timedelta(days=judge_days), last)
        if search_to >= last or (judge_to - search_to).days * 2 < judge_days:
            break
        found.append(
            WalkForwardWindow(search_from=start, search_to=search_to, judge_from=search_to + timedelta(days=1), judge_to=judge_to)
        )
        start += timedelta(days=judge_days)
    if not found:
        raise UsageError(
            f"{first} to {last} is too short for a window of {search_days} days to search and {judge_days} to judge",
            what_to_do="give more days, or shorter windows",
        )
    return found


def walk_forward(
    asked: SearchRequest,
    parts: Sequence[WalkForwardWindow],
    study_of: Callable[[WalkForwardWindow], SearchStore],
    workers: WorkerPool,
    told: Callable[[SearchStore], bool],
) -> list[WalkForwardResult]:
    """Search and judge each window in turn; `told` may end it early, then the windows finished so far are returned."""
    done = []
    for window in parts:
        study = study_of(window)
        inside = msgspec.structs.replace(asked.job, from_day=window.search_from, to_day=window.search_to)
        if not search(msgspec.structs.replace(asked, job=inside), study, workers, told):
            break
        best = study.best
        after = msgspec.structs.replace(asked.job, from_day=window.judge_from, to_day=window.judge_to, trades_min=1)
        values = best.values if best is not None else {}
        try:
            chosen, unchanged = evaluate_values(after, [values, {}], workers)
        except SearchStopped:
            break
        done.append(
            WalkForwardResult(
                window=window,
                values=values,
                searched_goal=None if best is None else best.goal,
                judged_goal=chosen.goal,
                judged_figures=chosen.figures,
                unchanged_figures=unchanged.figures,
            )
        )
    return done
