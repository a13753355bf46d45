"""Searching settings for the best goal over recorded days: proposals in batches, trials in worker processes or on a cluster.

Promises: a seed fixes the whole search, whatever the number of workers (proposals are made a batch at a time and answered in
order); an interrupted search continues where it was; memory does not grow with the number of trials.
Does not: believe what it finds (`walk_forward`, and how the neighbours of the best fare).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import active_children, get_context, resource_tracker
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from quarterdeck.core.backtest.search_space import Dimension
from quarterdeck.core.backtest.search_store import SearchStore, Trial
from quarterdeck.core.backtest.trial import TrialJob, TrialOutcome, evaluate
from quarterdeck.core.model.errors import QuarterdeckError, UsageError

BATCH_SIZE = 8
"""Trials proposed before the first of them is answered; the same for any number of workers."""
_LOOK_S = 0.2
"""How often a wish to stop is looked for while jobs are under way."""


class WorkerPool(Protocol):
    """Who carries out jobs."""

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """Answers in the order of the jobs."""
        ...


class SearchStopped(Exception):
    """Stopped before the jobs were answered; what was begun is forgotten, for a search continues with whole batches."""


def _never() -> bool:
    return False


class SerialWorkers:
    """Jobs in this process, one after the other."""

    def __init__(self, stopped: Callable[[], bool] = _never) -> None:
        """`stopped` is asked before each job."""
        self._stopped = stopped

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `WorkerPool`. Raises Stopped."""
        answers = []
        for job in jobs:
            if self._stopped():
                raise SearchStopped
            answers.append(evaluate(job))
        return answers


class ProcessWorkers:
    """Jobs in processes of this machine."""

    def __init__(self, executor: Executor, stopped: Callable[[], bool] = _never) -> None:
        """`executor` is someone else's to close."""
        self._executor, self._stopped = executor, stopped

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `WorkerPool`.

        Raises:
            Stopped; QuarterdeckError: a process ended under its job.
        """
        try:
            with _deaf():  # processes are started here, and a Ctrl-C for all of us is for this one to hear
                answers = [self._executor.submit(evaluate, job) for job in jobs]
            while wait(answers, timeout=_LOOK_S).not_done:
                if self._stopped():
                    raise SearchStopped
            return [answer.result() for answer in answers]
        except BrokenProcessPool as error:
            raise QuarterdeckError(
                "a worker process ended under its trial (killed, or out of memory)",
                what_to_do="run the same command with fewer --workers; it continues from the last whole batch",
            ) from error


class DaskWorkers:
    """Jobs on a Dask cluster."""

    def __init__(self, client: Any, stopped: Callable[[], bool] = _never) -> None:
        """`client` is someone else's to close."""
        self._client, self._stopped = client, stopped

    def map(self, jobs: Sequence[bytes]) -> list[bytes]:
        """See `WorkerPool`. Raises Stopped."""
        # a job is never answered from an earlier result: equal jobs are equal answers, but a failed worker must run again
        futures = self._client.map(evaluate, list(jobs), pure=False)
        pause = threading.Event()  # never set: it only waits
        while not all(future.done() for future in futures):
            if self._stopped():
                self._client.cancel(futures)
                raise SearchStopped
            pause.wait(_LOOK_S)
        answers: list[bytes] = self._client.gather(futures)
        return answers


@contextmanager
def worker_pool(workers: int, cluster: str = "", stopped: Callable[[], bool] = _never) -> Iterator[WorkerPool]:
    """Workers to run on: a cluster where an address is given, else so many processes (0: one for each core).

    Raises:
        UsageError: the cluster's library is not installed, or no answer there.
    """
    if cluster:
        with _client(cluster) as client:
            yield DaskWorkers(client, stopped)
        return
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield SerialWorkers(stopped)
        return
    executor = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_hear_nothing)
    try:
        yield ProcessWorkers(executor, stopped)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        if stopped():  # nobody waits for a trial that is given up
            for child in active_children():
                child.terminate()
        executor.shutdown(wait=True)


def _hear_nothing() -> None:
    """In a worker: Ctrl-C is for the process that searches."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started meanwhile begin without an ear for Ctrl-C; only the main thread can do that.

    Where the system can, a Ctrl-C that comes meanwhile waits and is heard afterwards; elsewhere it has to be pressed again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if sys.platform == "win32":
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        return
    resource_tracker.ensure_running()  # begun by the first process otherwise, it would open our ears again
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    distributed: Any = import_module("distributed")
    try:
        client = distributed.Client(address, timeout="10s")
    except ValueError as error:
        raise UsageError(f"--cluster {address!r} is no address", what_to_do="write it like tcp://192.168.1.5:8786") from error
    except OSError as error:
        raise UsageError(f"--cluster {address}: no answer", what_to_do="start a scheduler there, and workers") from error
    try:
        yield client
    finally:
        client.close()


class SearchRequest(Struct, frozen=True, kw_only=True):
    """A search: what may vary, how often, and the job that each trial is made of."""

    job: TrialJob
    space: tuple[Dimension, ...]
    trials: int
    seed: int


def search(
    asked: SearchRequest, study: SearchStore, workers: WorkerPool, told: Callable[[SearchStore], bool] = lambda _study: True
) -> bool:
    """Run trials until there are `asked.trials`; `told` hears after each batch and may end it. Whether it was finished."""
    while len(study.trials) < asked.trials:
        try:
            _batch(asked, study, workers, min(BATCH_SIZE, asked.trials - len(study.trials)))
        except SearchStopped:
            return False
        if not told(study):
            return len(study.trials) >= asked.trials
    return True


def evaluate_values(job: TrialJob, values: Sequence[dict[str, Any]], workers: WorkerPool) -> list[TrialOutcome]:
    """Jobs with these values, answered in order."""
    jobs = [msgspec.json.encode(msgspec.structs.replace(job, values=one)) for one in values]
    return [msgspec.json.decode(answer, type=TrialOutcome) for answer in workers.map(jobs)]


def _batch(asked: SearchRequest, study: SearchStore, workers: WorkerPool, count: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    first = len(study.trials)
    spans = {one.key: _distribution(optuna, one) for one in asked.space}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental parts, and spans that are no whole number of steps
        # a sampler for each batch: what it proposes depends on the seed and the trials so far, not on interruptions
        seed = asked.seed * 1_000_003 + first
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * BATCH_SIZE, constant_liar=True)
        memory = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in study.trials:
            memory.add_trial(_past(optuna, trial, asked.space, spans))
        proposals = [memory.ask(spans) for _ in range(count)]
    values = [_values(asked.space, proposal.params) for proposal in proposals]
    for place, (one, found) in enumerate(zip(values, _answered(asked.job, values, study, workers), strict=True)):
        study.add(
            Trial(
                number=first + place,
                values=one,
                goal=found.goal,
                figures=found.figures,
                digest=found.digest,
                why=found.why,
                daily=found.daily,
            )
        )


def _answered(job: TrialJob, values: Sequence[dict[str, Any]], study: SearchStore, workers: WorkerPool) -> list[TrialOutcome]:
    """Jobs with these values, answered in order; what was tried before has its answer already."""
    known: dict[bytes, TrialOutcome] = {}
    for trial in study.trials:
        outcome = TrialOutcome(goal=trial.goal, figures=trial.figures, digest=trial.digest, why=trial.why, daily=trial.daily)
        known[msgspec.json.encode(trial.values, order="sorted")] = outcome
    keys = [msgspec.json.encode(one, order="sorted") for one in values]
    fresh = {key: one for key, one in zip(keys, values, strict=True) if key not in known}
    known.update(zip(fresh, evaluate_values(job, list(fresh.values()), workers), strict=True))
    return [known[key] for key in keys]


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


def neighbours(asked: SearchRequest, best: Trial, workers: WorkerPool) -> list[Neighbour]:
    """Each parameter of the best trial moved by a step either way, or to its other choices; the rest as it was."""
    moved = [(one.key, value) for one in asked.space for value in one.neighbours_of(best.values[one.key])]
    found = evaluate_values(asked.job, [{**best.values, key: value} for key, value in moved], workers)
    return [Neighbour(key=key, value=value, goal=one.goal) for (key, value), one in zip(moved, found, strict=True)]
