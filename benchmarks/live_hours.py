"""A live engine with five positions over a gateway's processes at shipped polling: memory, files and journal by the hour.

`python -m benchmarks.live_hours 72 --every 600 2>rows.csv` runs for 72 hours and prints a row every ten minutes, then the
figures; as a part of `make bench` it takes half an hour. Where libfaketime is installed the machine's clock begins on a weekday
morning, so that entries come at once. Does not: speed anything up. What happens over weeks is measured on virtual time
(tests/sim/test_thirty_days.py).
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quarterdeck.core.journal.heartbeat import read_heartbeat
from tests.e2e.eager import SETTINGS, write_strategy
from tests.e2e.moved_clock import LIBRARY, MovedClock, weekday_at
from tests.e2e.processes import EngineProcess
from tests.e2e.test_acknowledged import gateway, live_home
from tests.e2e.test_parts import children, gateway_of

_PAIRS = "['EURUSD', 'GBPUSD', 'AUDUSD', 'USDJPY', 'USDCHF']"
_HOURS = 0.5
_SECONDS_A_DAY = 86_400.0
_SETTLED_S = 300.0
"""Start, first bars and first entries: not what a day is made of."""


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


class Sample(NamedTuple):
    """What an engine and a gateway weigh at one moment, each with its children."""

    at_s: float
    resident_mib: float
    open_files: int
    gateway_mib: float
    gateway_open_files: int
    journal_bytes: int
    positions: int
    loop_lag_ms: float


def figures(hours: float = _HOURS, every_s: float = 60.0) -> list[Figure]:
    """All figures, in order."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-hours-") as folder:
        samples = list(_watched(Path(folder), hours, every_s))
    settled = [sample for sample in samples if sample.at_s >= _SETTLED_S and sample.positions]
    if len(settled) < 2:
        raise RuntimeError(f"nothing to measure: {samples[-1:]}")
    first, last = settled[0], settled[-1]
    span_s = last.at_s - first.at_s
    name = f"live over a gateway, {last.positions} positions, {last.at_s / 3600.0:.1f} h"
    return [
        Figure(f"{name}: resident memory at the beginning", first.resident_mib, "MiB"),
        Figure(f"{name}: resident memory at the end", last.resident_mib, "MiB"),
        Figure(f"{name}: open files at the beginning", first.open_files, ""),
        Figure(f"{name}: open files at the end", last.open_files, ""),
        Figure(f"{name}: engine's memory a day", (last.resident_mib - first.resident_mib) / span_s * _SECONDS_A_DAY, "MiB"),
        Figure(f"{name}: gateway's memory at the beginning", first.gateway_mib, "MiB"),
        Figure(f"{name}: gateway's memory at the end", last.gateway_mib, "MiB"),
        Figure(f"{name}: gateway's open files at the beginning", first.gateway_open_files, ""),
        Figure(f"{name}: gateway's open files at the end", last.gateway_open_files, ""),
        Figure(f"{name}: journal a day", (last.journal_bytes - first.journal_bytes) / span_s * _SECONDS_A_DAY / 1e6, "MB"),
        Figure(f"{name}: loop lag, median of its maxima", statistics.median(one.loop_lag_ms for one in settled), "ms"),
    ]


def _watched(folder: Path, hours: float, every_s: float) -> Iterator[Sample]:
    moved = MovedClock(folder / "clock", weekday_at(10, 12)).environ() if LIBRARY else {}
    gateway_settings = f"[simulation]\nhistory_days = 30\n[desk]\npairs = {_PAIRS}\n"
    with gateway(folder / "gateway", settings=gateway_settings, **moved) as address:
        home = live_home(folder / "desk", folder / "gateway", address, SETTINGS, pairs=_PAIRS)
        write_strategy(home)
        engine = EngineProcess(home, **moved)
        try:
            engine.ready()
            served_by = gateway_of(folder / "gateway")
            began_s = time.monotonic()
            print(",".join(Sample._fields), file=sys.stderr)
            while time.monotonic() - began_s < hours * 3600.0:
                time.sleep(every_s)
                sample = _sample(home, engine.process.pid, served_by, time.monotonic() - began_s)
                print(",".join(map(str, sample)), file=sys.stderr, flush=True)
                yield sample
        finally:
            engine.close()


def _sample(home: Path, engine: int, served_by: int, at_s: float) -> Sample:
    beat = read_heartbeat(home / "heartbeat.json")
    with contextlib.closing(sqlite3.connect(f"file:{home / 'journal.sqlite'}?mode=ro", uri=True)) as journal:
        ((written,),) = journal.execute("SELECT coalesce(sum(bytes), 0) FROM usage").fetchall()
    return Sample(
        at_s=round(at_s, 1),
        resident_mib=_resident_mib(engine),
        open_files=_open_files(engine),
        gateway_mib=_resident_mib(served_by),
        gateway_open_files=_open_files(served_by),
        journal_bytes=int(written),
        positions=0 if beat is None else beat.positions,
        loop_lag_ms=0.0 if beat is None else beat.loop_lag_ms,
    )


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for child in children(pid):
        yield from _family(child)


def _resident_mib(pid: int) -> float:
    """Memory of a process with its children."""
    kib = 0
    for one in _family(pid):
        status = Path(f"/proc/{one}/status").read_text(encoding="ascii").splitlines()
        kib += next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return round(kib / 1024.0, 1)


def _open_files(pid: int) -> int:
    return sum(1 for one in _family(pid) for _ in Path(f"/proc/{one}/fd").iterdir())


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("hours", type=float, nargs="?", default=_HOURS)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two rows")
    found = parser.parse_args()
    for figure in figures(found.hours, found.every):
        print(f"{figure.value:>12,.2f} {figure.unit:<4} {figure.name}")


if __name__ == "__main__":
    _main()
