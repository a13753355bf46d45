"""A search on a Dask cluster of two worker processes is the search of one process: same seed, same study."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from quarterdeck.cli.main import main
from tests.conftest import CHECKOUT

_LIMIT_S = 60.0
_QUIET = ("--no-dashboard",)


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(_LIMIT_S)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler on loopback with two workers, each a process of its own."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    with ExitStack() as stack:
        stack.enter_context(
            process(
                "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), *_QUIET
            )
        )
        for _ in range(2):
            one = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", "--scheduler-file", str(file), *_QUIET)
            stack.enter_context(process("distributed.cli.dask_worker", *one, "--local-directory", str(tmp_path)))
        until = time.monotonic() + _LIMIT_S
        while not file.is_file() or not file.read_bytes().strip().endswith(b"}"):
            assert time.monotonic() < until, "the scheduler says where it is"
            time.sleep(0.05)
        yield str(msgspec.json.decode(file.read_bytes())["address"])


@pytest.mark.slow
@pytest.mark.processes
def test_two_workers_of_a_cluster_find_what_one_process_finds(scheduler: str, tmp_path: Path, recorded_data: Path) -> None:
    studies = {}
    for name, where in (("alone", ("--workers", "1")), ("cluster", ("--cluster", scheduler))):
        study = tmp_path / f"{name}.jsonl"
        words = ["optimize", "--data", str(recorded_data / "m15"), "--from", "2024-03-04", "--to", "2024-03-22"]
        words += ["--pairs", "EURUSD", "--over", "position.time_exit_hours=1..8", "--over", "strategy.confidence_min=0.4..0.7"]
        words += ["--goal", "expectancy", "--trials", "16", "--min-trades", "2", "--seed", "7", "--home", str(tmp_path)]
        assert main([*words, "--study", str(study), *where]) == 0
        studies[name] = study.read_text(encoding="utf-8")
    assert studies["alone"] == studies["cluster"]
    assert studies["alone"].count("\n") == 1 + 16
    assert '"goal":null' not in studies["alone"].splitlines()[5]
