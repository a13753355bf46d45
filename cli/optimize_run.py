"""From the command line's wishes to a finished search: settings, space, workers, study, page. Imports the heavy rooms."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.cli.progress import InterruptFlag, duration_text
from quarterdeck.core.backtest.backtest_settings import plain_tree, settings_for_backtest
from quarterdeck.core.backtest.optimize import (
    BATCH_SIZE,
    Neighbour,
    SearchRequest,
    SearchStopped,
    WorkerPool,
    neighbours,
    search,
    worker_pool,
)
from quarterdeck.core.backtest.recorded_days import DataRequest, load_market
from quarterdeck.core.backtest.search_page import LuckLine, has_cliff, luck, search_page, stability_text
from quarterdeck.core.backtest.search_space import Dimension, parse_dimension
from quarterdeck.core.backtest.search_store import SearchSpec, SearchStore, Trial, earlier_trials
from quarterdeck.core.backtest.trial import GOALS, TrialJob
from quarterdeck.core.backtest.walk_forward import WalkForwardResult, WalkForwardWindow, walk_forward, walk_forward_windows
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.strategy.strategy_loader import load_strategy


class OptimizeRequest(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    home: Home
    folders: tuple[Path, ...]
    days: tuple[date | None, date | None]
    rates: dict[str, float]
    settings_file: Path | None
    values: tuple[tuple[str, Any], ...]
    over: tuple[str, ...]
    goal: str
    trials: int
    trades_min: int
    walk: tuple[int, int] | None
    workers: int
    cluster: str
    study: Path
    seed: int


class OptimizeDone(Struct, frozen=True, kw_only=True):
    """What came of it."""

    finished: bool
    goal: str
    trials: int
    judged: int
    best: Trial | None
    neighbours: int
    falls: int
    standing: str
    """What the neighbours say of the best, in words; empty where none was looked at."""
    luck: list[LuckLine]
    """How much of the best may be luck."""
    days: str
    """Of what data and days the best is."""
    walked: list[WalkForwardResult]
    page: str
    study: str

    @property
    def walk_lines(self) -> list[str]:
        """The windows, a line each, and their sum."""
        if not self.walked:
            return []
        lines = [
            f"judged    {one.window.judge_from} to {one.window.judge_to}: searched {_shown(one.searched_goal)}, judged "
            f"{_shown(one.judged_goal)}, {one.judged_figures.get('result_r') or 0.0:+.2f} R "
            f"(unchanged {one.unchanged_figures.get('result_r') or 0.0:+.2f} R)"
            for one in self.walked
        ]
        total = sum(one.judged_figures.get("result_r") or 0.0 for one in self.walked)
        unchanged = sum(one.unchanged_figures.get("result_r") or 0.0 for one in self.walked)
        return [*lines, f"together  {total:+.2f} R on days that no search saw; unchanged settings {unchanged:+.2f} R"]

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        tree: dict[str, Any] = msgspec.to_builtins(self)
        return tree


def run_optimize(wish: OptimizeRequest, wishes: InterruptFlag) -> OptimizeDone:
    """Search, judge, look around the best, write the page. Raises SettingsError, DataError, UsageError, StorageError."""
    if wish.goal not in GOALS:
        raise UsageError(f"--goal {wish.goal!r} is not a known goal", what_to_do=f"choose {', '.join(GOALS)}")
    settings = settings_for_backtest(wish.home, wish.settings_file, wish.values)
    space = tuple(parse_dimension(text, settings.strategy, wish.home.root) for text in wish.over)
    tree = plain_tree(settings)
    job = TrialJob(
        home=str(wish.home.root),
        folders=tuple(str(folder) for folder in wish.folders),
        from_day=wish.days[0],
        to_day=wish.days[1],
        rates=wish.rates,
        settings=tree,
        values={},
        goal=wish.goal,
        trades_min=wish.trades_min,
    )
    asked = SearchRequest(job=job, space=space, trials=wish.trials, seed=wish.seed)
    strategy = load_strategy(settings, wish.home.root)
    # read once here, so that a folder or a day that is wrong is reported before any trial is tried
    days = DataRequest(folders=wish.folders, from_day=wish.days[0], to_day=wish.days[1], rates=wish.rates)
    load_market(days, settings, strategy, wish.home)
    stamp = hashlib.sha256(msgspec.json.encode((tree, strategy.hash, wish.trades_min), order="sorted")).hexdigest()[:16]

    def study_of(window: WalkForwardWindow | None) -> SearchStore:
        days = wish.days if window is None else (window.search_from, window.search_to)
        data = f"{', '.join(str(folder) for folder in wish.folders)}: {days[0] or 'begin'} to {days[1] or 'end'}"
        head = SearchSpec(space=space, goal=wish.goal, seed=wish.seed, batch=BATCH_SIZE, data=data, settings_hash=stamp)
        name = "" if window is None else f".{window.search_from}"
        return SearchStore(wish.study.with_name(wish.study.stem + name + wish.study.suffix), head)

    with worker_pool(wish.workers, wish.cluster, lambda: wishes.interrupted) as workers:
        return _searched(wish, asked, study_of, workers, _meter(wish.trials, wishes))


def _searched(
    wish: OptimizeRequest,
    asked: SearchRequest,
    study_of: Callable[[WalkForwardWindow | None], SearchStore],
    workers: WorkerPool,
    told: Callable[[SearchStore], bool],
) -> OptimizeDone:
    walked: list[WalkForwardResult] = []
    if wish.walk is not None and wish.days[0] is not None and wish.days[1] is not None:
        parts = walk_forward_windows(wish.days[0], wish.days[1], search_days=wish.walk[0], judge_days=wish.walk[1])
        walked = walk_forward(asked, parts, study_of, workers, told)
        finished, window = len(walked) == len(parts), parts[max(len(walked) - 1, 0)]
        study = study_of(window)
        inside = msgspec.structs.replace(asked.job, from_day=window.search_from, to_day=window.search_to)
        asked = msgspec.structs.replace(asked, job=inside)
    else:
        study = study_of(None)
        finished = search(asked, study, workers, told)
    best = study.best
    near: list[Neighbour] = []
    with suppress(SearchStopped):
        near = neighbours(asked, best, workers) if best is not None and finished else []
    page, earlier = wish.study.with_suffix(".html"), earlier_trials(wish.study, study.head)
    try:
        page.write_text(search_page(study, near, walked, _title(asked.space), earlier), encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageError(
            f"{page}: cannot be written: {error.strerror or error}", what_to_do="check space and rights"
        ) from error
    return OptimizeDone(
        finished=finished,
        goal=wish.goal,
        trials=len(study.trials),
        judged=sum(trial.goal is not None for trial in study.trials),
        best=best,
        neighbours=len(near),
        falls=sum(has_cliff(best.goal if best is not None else None, one.goal) for one in near),
        standing=stability_text(near, best) if best is not None and near else "",
        luck=luck(study, near, earlier),
        days=study.head.data,
        walked=walked,
        page=str(page),
        study=str(wish.study),
    )


def _meter(trials: int, wishes: InterruptFlag) -> Callable[[SearchStore], bool]:
    clock = WallClock()
    began, done = clock.monotonic_s(), [0]

    def told(study: SearchStore) -> bool:
        done[0] += BATCH_SIZE
        rate = done[0] / max(clock.monotonic_s() - began, 1e-9)
        left = duration_text((trials - len(study.trials)) / rate)
        best = "none yet" if study.best is None else f"{study.best.goal:.4g}"
        print(
            f"{len(study.trials)} of {trials} trials, {rate:.2f} a second, best {best}, {left} left", file=sys.stderr, flush=True
        )
        return not wishes.interrupted

    return told


def _title(space: tuple[Dimension, ...]) -> str:
    return f"Search over {', '.join(one.key for one in space)}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
