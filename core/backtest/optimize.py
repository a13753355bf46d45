"""Searching settings for the best goal over recorded days: proposals in batches, trials in worker processes or on a cluster.

Promises: a seed fixes the whole search, whatever the number of workers (proposals are made a batch at a time and answered in
order); an interrupted search goes on where it was; memory does not grow with the number of trials.
Does not: believe what it finds (`walk`, and how the neighbours of the best fare).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from core.backtest.space import Dimension
from core.backtest.study import Study, Trial
from core.backtest.trial import Job, Outcome, evaluate
from core.model.errors import UsageError

BATCH = 8
"""Trials proposed before the first of them is answered; the same for any number of workers."""


class Runner(Protocol):
    """Who carries out jobs."""

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """Answers in the order of the jobs."""
        ...


class Alone:
    """Jobs in this process, one after the other."""

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `Runner`."""
        return [evaluate(job) for job in jobs]


class Pool:
    """Jobs in processes of this machine."""

    def __init__(self, executor: Executor) -> None:
        """`executor` is somebody else's to close."""
        self._executor = executor

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `Runner`."""
        return list(self._executor.map(evaluate, jobs))


class Cluster:
    """Jobs on a Dask cluster."""

    def __init__(self, client: Any) -> None:
        """`client` is somebody else's to close."""
        self._client = client

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `Runner`."""
        # a job is never answered from an earlier result: equal jobs are equal answers, but a failed worker must run again
        answers: list[bytes] = self._client.gather(self._client.map(evaluate, list(jobs), pure=False))
        return answers


@contextmanager
def runner(workers: int, cluster: str = "") -> Iterator[Runner]:
    """Workers to run on: a cluster where an address is given, else so many processes (0: one for each core).

    Raises:
        UsageError: the cluster's library is not installed, or nobody answers there.
    """
    if cluster:
        with _client(cluster) as client:
            yield Cluster(client)
        return
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield Alone()
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as executor:
        yield Pool(executor)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError("--cluster needs the library `distributed`", what_to_do="install quarterdeck[optimize]") from error
    try:
        client = distributed.Client(address, timeout="10s")
    except OSError as error:
        raise UsageError(f"--cluster {address}: nobody answers", what_to_do="start a scheduler there, and workers") from error
    try:
        yield client
    finally:
        client.close()


class Asked(Struct, frozen=True, kw_only=True):
    """A search: what may vary, how often, and the job that each trial is made of."""

    job: Job
    space: tuple[Dimension, ...]
    trials: int
    seed: int


def search(asked: Asked, study: Study, workers: Runner, told: Callable[[Study], bool] = lambda _study: True) -> bool:
    """Run trials until there are `asked.trials`; `told` hears after each batch and may end it. Whether it was finished."""
    while len(study.trials) < asked.trials:
        _batch(asked, study, workers, min(BATCH, asked.trials - len(study.trials)))
        if not told(study):
            return len(study.trials) >= asked.trials
    return True


def judged(job: Job, values: Sequence[dict[str, Any]], workers: Runner) -> list[Outcome]:
    """Jobs with these values, answered in order."""
    jobs = [msgspec.json.encode(msgspec.structs.replace(job, values=one)) for one in values]
    return [msgspec.json.decode(answer, type=Outcome) for answer in workers.map(jobs)]


def _batch(asked: Asked, study: Study, workers: Runner, count: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    first = len(study.trials)
    spans = {one.key: _distribution(optuna, one) for one in asked.space}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental parts, and spans that are no whole number of steps
        # a sampler for each batch: what it proposes hangs on the seed and the trials so far, not on how often it was interrupted
        seed = asked.seed * 1_000_003 + first
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * BATCH, constant_liar=True)
        memory = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in study.trials:
            memory.add_trial(_past(optuna, trial, asked.space, spans))
        proposals = [memory.ask(spans) for _ in range(count)]
    values = [_values(asked.space, proposal.params) for proposal in proposals]
    for place, (one, found) in enumerate(zip(values, judged(asked.job, values, workers), strict=True)):
        study.add(
            Trial(number=first + place, values=one, goal=found.goal, figures=found.figures, digest=found.digest, why=found.why)
        )


def _distribution(optuna: Any, one: Dimension) -> Any:
    kinds = optuna.distributions
    if one.kind == "choice":
        return kinds.CategoricalDistribution(list(range(len(one.choices))))
    if one.kind == "whole":
        return kinds.IntDistribution(int(one.low), int(one.high), step=max(round(one.step), 1))
    return kinds.FloatDistribution(one.low, one.high, step=one.step or None)


def _values(space: Sequence[Dimension], params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in space:
        value = params[one.key]
        found[one.key] = one.choices[value] if one.kind == "choice" else int(value) if one.kind == "whole" else round(value, 10)
    return found


def _past(optuna: Any, trial: Trial, space: Sequence[Dimension], spans: dict[str, Any]) -> Any:
    params = {}
    for one in space:
        value = trial.values[one.key]
        params[one.key] = one.choices.index(value) if one.kind == "choice" else value
    state = optuna.trial.TrialState.COMPLETE if trial.goal is not None else optuna.trial.TrialState.FAIL
    return optuna.trial.create_trial(params=params, distributions=spans, value=trial.goal, state=state)


class Neighbour(Struct, frozen=True, kw_only=True):
    """How the best values fare with one of them moved."""

    key: str
    value: Any
    goal: float | None


def neighbours(asked: Asked, best: Trial, workers: Runner) -> list[Neighbour]:
    """Each parameter of the best trial moved by a step either way, or to its other choices; the rest as it was."""
    moved = [(one.key, value) for one in asked.space for value in one.around(best.values[one.key])]
    found = judged(asked.job, [{**best.values, key: value} for key, value in moved], workers)
    return [Neighbour(key=key, value=value, goal=one.goal) for (key, value), one in zip(moved, found, strict=True)]
