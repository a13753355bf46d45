"""A live engine with five positions over a gateway's processes at shipped polling: memory, open files and journal by the hour.

`python -m benchmarks.live_hours 72` runs for 72 hours and prints a line every ten minutes; as a part of `make bench` it takes
half an hour. Where libfaketime is installed the machine's clock begins on a weekday morning, so that entries come at once.
Does not: speed anything up. What happens over weeks is measured on virtual time (tests/sim/test_thirty_days.py).
"""

from __future__ import annotations

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

_PAIRS = "['EURUSD', 'GBPUSD', 'AUDUSD', 'USDJPY', 'USDCHF']"
_HOURS = 0.5
_EVERY_S = 600.0
_SECONDS_A_DAY = 86_400.0
_SETTLED_S = 300.0
"""Start, first bars and first entries: not what a day is made of."""


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


class Sample(NamedTuple):
    """What an engine weighs at one moment."""

    at_s: float
    resident_mib: float
    open_files: int
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
            began_s = time.monotonic()
            while time.monotonic() - began_s < hours * 3600.0:
                time.sleep(every_s)
                sample = _sample(home, engine.process.pid, time.monotonic() - began_s)
                print(f"  {sample}", file=sys.stderr, flush=True)
                yield sample
        finally:
            engine.close()


def _sample(home: Path, pid: int, at_s: float) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    resident = next(int(line.split()[1]) / 1024.0 for line in status if line.startswith("VmRSS:"))
    beat = read_heartbeat(home / "heartbeat.json")
    with contextlib.closing(sqlite3.connect(f"file:{home / 'journal.sqlite'}?mode=ro", uri=True)) as journal:
        ((written,),) = journal.execute("SELECT coalesce(sum(bytes), 0) FROM usage").fetchall()
    return Sample(
        at_s=round(at_s, 1),
        resident_mib=round(resident, 1),
        open_files=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        journal_bytes=int(written),
        positions=0 if beat is None else beat.positions,
        loop_lag_ms=0.0 if beat is None else beat.loop_lag_ms,
    )


if __name__ == "__main__":
    for figure in figures(float(sys.argv[1]) if len(sys.argv) > 1 else _HOURS, _EVERY_S if len(sys.argv) > 1 else 60.0):
        print(f"{figure.value:>12,.2f} {figure.unit:<4} {figure.name}")
