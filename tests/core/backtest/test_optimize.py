"""A search is fixed by its seed, continues where it was, keeps to its ranges, and is judged on days it never saw."""

from __future__ import annotations

import signal
import sys
import time
from concurrent.futures import Executor, Future
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from quarterdeck.core.backtest import optimize
from quarterdeck.core.backtest.backtest_settings import plain_tree
from quarterdeck.core.backtest.optimize import Neighbour, SearchRequest, evaluate_values, neighbours, search
from quarterdeck.core.backtest.search_page import luck, search_page, stability_text
from quarterdeck.core.backtest.search_space import Dimension, parse_dimension, with_searched_values
from quarterdeck.core.backtest.search_store import SearchSpec, SearchStore, Trial, earlier_trials
from quarterdeck.core.backtest.trial import TrialJob, TrialOutcome, evaluate
from quarterdeck.core.backtest.walk_forward import walk_forward, walk_forward_windows
from quarterdeck.core.model.errors import SettingsError, UsageError
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.backtest import sample_runs

SPACE = (
    Dimension(key="position.time_exit_hours", kind="number", low=1.0, high=12.0, step=1.0),
    Dimension(key="strategy.parameters.every", kind="whole", low=5, high=60, step=0),
    Dimension(key="correlation.over_limit_action", kind="choice", choices=("skip", "shrink")),
)


class Hill:
    """Answers at once: a goal that is a hill over the values, no backtest."""

    def __init__(self) -> None:
        self.jobs = 0

    def map(self, jobs: Any) -> list[bytes]:
        self.jobs += len(jobs)
        return [msgspec.json.encode(self.outcome(msgspec.json.decode(job, type=TrialJob))) for job in jobs]

    def outcome(self, job: TrialJob) -> TrialOutcome:
        values = job.values
        if not values:
            return TrialOutcome(goal=0.0, figures={"result_r": 0.0}, digest="")
        goal = -((values["position.time_exit_hours"] - 6.0) ** 2) - (values["strategy.parameters.every"] - 30) ** 2 / 100.0
        return TrialOutcome(
            goal=goal + (values["correlation.over_limit_action"] == "shrink"), figures={"result_r": goal}, digest=""
        )


def asked(trials: int = 24, seed: int = 5) -> SearchRequest:
    job = TrialJob(home="", folders=(), from_day=None, to_day=None, rates={}, settings={}, values={}, goal="expectancy")
    return SearchRequest(job=job, space=SPACE, trials=trials, seed=seed)


def head(seed: int = 5) -> SearchSpec:
    return SearchSpec(space=SPACE, goal="expectancy", seed=seed, batch=optimize.BATCH_SIZE, data="", settings_hash="")


def test_the_same_seed_proposes_the_same_and_another_does_not() -> None:
    found = []
    for seed in (5, 5, 6):
        study = SearchStore(None, head(seed))
        search(asked(seed=seed), study, Hill())
        found.append([trial.values for trial in study.trials])
    assert found[0] == found[1] != found[2]


def test_values_keep_to_their_ranges_and_kinds() -> None:
    study = SearchStore(None, head())
    search(asked(32), study, Hill())
    for trial in study.trials:
        assert 1.0 <= trial.values["position.time_exit_hours"] <= 12.0
        assert trial.values["position.time_exit_hours"] % 1.0 == 0.0
        assert isinstance(trial.values["strategy.parameters.every"], int)
        assert trial.values["correlation.over_limit_action"] in ("skip", "shrink")
    assert study.best is not None
    assert study.best.goal is not None
    assert study.best.goal > -3.0


def test_an_interrupted_search_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = SearchStore(None, head())
    search(asked(), whole, Hill())
    path = tmp_path / "study.jsonl"
    assert not search(asked(), SearchStore(path, head()), Hill(), told=lambda _study: False)
    with path.open("ab") as file:
        file.write(b'{"number":99,"torn')
    again = SearchStore(path, head())
    assert len(again.trials) == optimize.BATCH_SIZE
    workers = Hill()
    assert search(asked(), again, workers)
    assert workers.jobs == 24 - optimize.BATCH_SIZE
    assert [trial.values for trial in again.trials] == [trial.values for trial in whole.trials]


def test_what_was_tried_is_not_run_again() -> None:
    few = (Dimension(key="correlation.over_limit_action", kind="choice", choices=("skip", "shrink")),)

    class Two(Hill):
        def outcome(self, job: TrialJob) -> TrialOutcome:
            return TrialOutcome(goal=float(job.values["correlation.over_limit_action"] == "shrink"), figures={}, digest="")

    study, workers = SearchStore(None, msgspec.structs.replace(head(), space=few)), Two()
    search(msgspec.structs.replace(asked(24), space=few), study, workers)
    assert len(study.trials) == 24
    assert workers.jobs == 2


def test_stop_request_discards_the_running_batch() -> None:
    study = SearchStore(None, head())
    assert not search(asked(), study, optimize.SerialWorkers(lambda: True))
    assert not study.trials


class PressesCtrlC(Executor):
    """Work is handed out at the very moment at which someone presses Ctrl-C."""

    def submit(self, _work: Any, /, *_args: Any, **_more: Any) -> Future[Any]:
        signal.raise_signal(signal.SIGINT)
        time.thread_time()  # a call at which a signal that is not held back would be heard
        self.early = list(heard)
        done: Future[Any] = Future()
        done.set_result(b"")
        return done


heard: list[int] = []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot hold a Ctrl-C back")
def test_ctrl_c_while_processes_are_started_is_heard_afterwards() -> None:
    heard.clear()
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    hands = PressesCtrlC()
    try:
        assert optimize.ProcessWorkers(hands).map([b""]) == [b""]
    finally:
        signal.signal(signal.SIGINT, before)
    assert hands.early == []
    assert heard == [signal.SIGINT]


def test_a_line_that_is_no_trial_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    SearchStore(path, head())
    with path.open("a", encoding="utf-8") as file:
        file.write("edited manually\n")
    with pytest.raises(UsageError, match="line 2 is no trial"):
        SearchStore(path, head())


def test_the_study_of_another_search_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.jsonl"
    SearchStore(path, head())
    with pytest.raises(UsageError, match="another search"):
        SearchStore(path, head(seed=6))


def test_neighbours_and_page(tmp_path: Path) -> None:
    study, workers = SearchStore(None, head()), Hill()
    search(asked(), study, workers)
    assert study.best is not None
    near = neighbours(asked(), study.best, workers)
    assert {one.key for one in near} == {one.key for one in SPACE}
    text = search_page(study, near, [], "Search")
    assert text.count("<svg") == 1 + 3
    assert text.count('class="mark"') == 3, "the best is framed in each map"
    assert ">skip<" in text
    assert "http" not in text


def test_what_stands_around_the_best_is_said() -> None:
    best = Trial(number=3, values={"a": 1}, goal=1.0, figures={"result_r": -4.0}, digest="")

    def near(*goals: float | None) -> list[Neighbour]:
        return [Neighbour(key="a", value=place, goal=goal) for place, goal in enumerate(goals)]

    lonely = stability_text(near(0.4, None, 0.9), best)
    assert lonely == "2 of 3 neighbours fall off: an isolated peak; even the best of all loses"
    assert "1 of them fare better, so more trials" in stability_text(near(1.2, 0.9), best)
    won = msgspec.structs.replace(best, figures={"result_r": 4.0})
    assert stability_text(near(0.9, 0.8), won) == "0 of 2 neighbours fall off: it stands"


def trial(number: int, daily: np.ndarray, *, trades: float = 200.0) -> Trial:
    figures = {"trades": trades, "result_r": 1.0}
    return Trial(
        number=number, values={"a": number}, goal=float(daily.mean()), figures=figures, digest="", daily=tuple(daily.tolist())
    )


def test_the_page_says_how_much_of_the_best_is_luck() -> None:
    rng = np.random.default_rng(3)
    study = SearchStore(None, msgspec.structs.replace(head(), space=()))
    for number in range(20):
        study.add(trial(number, rng.normal(0.0, 0.01, 300)))
    study.add(msgspec.structs.replace(study.trials[4], number=20))  # proposed twice, tried once
    lines = {line.name: line for line in luck(study, [], earlier=480)}
    assert lines["Trials on these data"].value == "500"
    assert float(lines["Deflated Sharpe ratio"].value.split()[0]) < 60.0
    assert 20.0 < float(lines["Probability of overfitting"].value.split()[0]) < 90.0
    text = search_page(study, [], [], "Search", 480)
    assert "How much of it is luck" in text
    assert "480 in earlier studies on these data" in text


def test_a_winner_with_few_trades_is_called_one() -> None:
    study = SearchStore(None, msgspec.structs.replace(head(), space=()))
    study.add(trial(0, np.full(300, 0.001), trades=6.0))
    lines = {line.name: line for line in luck(study, [])}
    assert "the winner made 6 trades: too few" in lines["Trades of the winner"].text
    assert {lines[name].value for name in ("Deflated Sharpe ratio", "Probability of overfitting")} == {"not computable"}
    assert "it made 6 trades only" in stability_text([], study.trials[0])


def test_trials_of_other_studies_on_the_same_days_are_counted(tmp_path: Path) -> None:
    def study(name: str, data: str, count: int) -> SearchSpec:
        told = msgspec.structs.replace(head(), data=data)
        made = SearchStore(tmp_path / name, told)
        for number in range(count):
            made.add(trial(number // 2, np.zeros(3)))
        return told

    mine = study("mine.jsonl", "/data: 2024-01-01 to 2024-06-30", 4)
    study("overlapping.jsonl", "/data: 2024-06-30 to end", 6)
    study("later.jsonl", "/data: 2024-07-01 to 2024-12-31", 8)
    study("elsewhere.jsonl", "/other: begin to end", 8)
    (tmp_path / "notes.jsonl").write_text("none\n")
    assert earlier_trials(tmp_path / "mine.jsonl", mine) == 3


def test_windows_do_not_overlap_and_judge_what_was_not_searched() -> None:
    parts = walk_forward_windows(date(2024, 1, 1), date(2024, 12, 31), search_days=120, judge_days=60)
    assert len(parts) == 4
    for part in parts:
        assert part.search_to < part.judge_from
    for before, after in pairwise(parts):
        assert before.judge_to < after.judge_from
    with pytest.raises(UsageError):
        walk_forward_windows(date(2024, 1, 1), date(2024, 2, 1), search_days=120, judge_days=60)


def test_walking_judges_each_window_by_its_own_best() -> None:
    parts = walk_forward_windows(date(2024, 1, 1), date(2024, 12, 31), search_days=120, judge_days=60)
    done = walk_forward(asked(16), parts, lambda _window: SearchStore(None, head()), Hill(), lambda _study: True)
    assert len(done) == len(parts)
    assert all(one.values for one in done)


def test_ranges_come_from_the_settings_and_the_strategy(tmp_path: Path) -> None:
    section = sample_runs.coin_settings(tmp_path).strategy
    age = parse_dimension("position.time_exit_hours", section, tmp_path)
    assert (age.kind, age.low, age.high) == ("number", 0.0, 1000.0)
    assert parse_dimension("position.pyramid", section, tmp_path).choices == (False, True)
    assert parse_dimension("correlation.over_limit_action=skip,shrink", section, tmp_path).choices == ("skip", "shrink")
    own = parse_dimension("strategy.parameters.every=5..50/5", section, tmp_path)
    assert (own.kind, own.low, own.high, own.step) == ("whole", 5.0, 50.0, 5.0)
    for wrong in (
        "care.age",
        "position.time_exit_hours=5..2000",
        "strategy.parameters.nothing",
        "desk.pairs",
        "position.time_exit_hours=3",
        "position.time_exit_hours=5..1",
        "position.time_exit_hours=1..3/9",
    ):
        with pytest.raises(SettingsError):
            parse_dimension(wrong, section, tmp_path)


def test_own_parameters_are_laid_over_those_that_stand() -> None:
    tree = {"strategy": {"parameters": {"every": 20, "salt": 3}}}
    assert with_searched_values(tree, {"strategy.parameters.every": 7, "risk.x": 1}) == [
        ("risk.x", 1),
        ("strategy.parameters", {"every": 7, "salt": 3}),
    ]


def test_trial_runs_on_recorded_days_and_failure_gives_its_reason(tmp_path: Path, recorded_data: Path) -> None:
    settings = shipped_settings(("desk.pairs", ["EURUSD"]))
    job = TrialJob(
        home=str(tmp_path),
        folders=(str(recorded_data / "m15"),),
        from_day=date(2024, 3, 4),
        to_day=date(2024, 3, 15),
        rates={},
        settings=plain_tree(settings),
        values={"strategy.confidence_min": 0.5},
        goal="expectancy",
        trades_min=1,
    )
    good = msgspec.json.decode(evaluate(msgspec.json.encode(job)), type=TrialOutcome)
    assert good.goal is not None
    assert good.figures["trades"]
    bad = msgspec.structs.replace(job, folders=(str(tmp_path),))
    assert "no candle files" in msgspec.json.decode(evaluate(msgspec.json.encode(bad)), type=TrialOutcome).why
    assert evaluate_values(job, [{"strategy.confidence_min": 0.5}], optimize.SerialWorkers())[0] == good
