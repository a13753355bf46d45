"""The journal: what a safe intent costs beside raw SQLite and the disk's own flush, and what a tape costs a busy replay.

Every figure is taken in one run on one disk; the ratios are what to quote. `python -m benchmarks.journal` prints them alone.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.journal_store import NewRun
from quarterdeck.core.journal.tape_reader import TAPE_VERSION, TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import Effect, Verdict
from quarterdeck.core.model.inputs import Instruments, SequencedInput
from quarterdeck.core.model.market_data import Instrument, Quote
from quarterdeck.core.model.signals import Check, NoSignal
from quarterdeck.core.model.units import NS_PER_MS
from quarterdeck.core.settings.settings_loader import shipped_settings

_EVENTS = 1_000
_REPLAYED = 60_000
_START_NS = 1_722_816_000_000_000_000
_CHECKS = tuple(Check(f"check_{n}", 1.25 * n, 2.5, passed=True, note="x ATR") for n in range(8))


Step = Callable[[], object]


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


def figures() -> list[Figure]:
    """All figures of the journal, in order."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-", dir=Path.cwd()) as folder:
        home = Path(folder)
        floor, raw, intents = _in_turns(_floor(home / "floor"), _raw(home / "raw.sqlite"), _intents(home / "intents.sqlite"))
        awaited = asyncio.run(_awaited(home / "awaited.sqlite"))
        grouped = _grouped(home / "grouped.sqlite")
        replay = _replayed(home / "replay.sqlite")
    return [
        *_rates("append and flush of the disk itself", floor),
        *_rates("raw SQLite, WAL and FULL, one commit an event", raw),
        *_rates("journal, one safe intent an event, from the caller's thread", intents),
        *_rates("journal, one safe intent an event, awaited from an event loop", awaited),
        Figure("journal, safe intents against raw SQLite", _per_s(intents) / _per_s(raw), "x"),
        Figure("journal, p99 of a safe intent against raw SQLite", _p99(intents) / _p99(raw), "x"),
        grouped,
        *replay,
    ]


def _floor(path: Path) -> Iterator[Step]:
    with path.open("ab", buffering=0) as file:
        flush = getattr(os, "fdatasync", os.fsync)
        for _ in range(_EVENTS):
            yield lambda: (file.write(bytes(512)), flush(file.fileno()))


def _raw(path: Path) -> Iterator[Step]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER, tag TEXT, body BLOB)")
    body = os.urandom(400)
    sql = "INSERT INTO events VALUES (?, ?, 'event', ?)"
    for seq in range(_EVENTS):
        yield partial(connection.execute, sql, (seq, seq, body))
    connection.close()


def _intents(path: Path) -> Iterator[Step]:
    journal = _journal(path, durable=True, threaded=False)

    def safe(stamped: SequencedInput, effects: tuple[Effect, ...]) -> None:
        journal.append(stamped, effects)
        journal.flush_blocking()

    for stamped, effects in _events(_EVENTS):
        yield partial(safe, stamped, effects)
    journal.close()


async def _awaited(path: Path) -> list[float]:
    journal = _journal(path, durable=True, threaded=True)
    took = []
    for stamped, effects in _events(_EVENTS):
        began = time.perf_counter()
        journal.append(stamped, effects)
        await journal.flush()
        took.append(time.perf_counter() - began)
    journal.close()
    return took


def _grouped(path: Path) -> Figure:
    journal = _journal(path, durable=True, threaded=False)
    events = list(_events(20_000))
    began = time.perf_counter()
    for place, (stamped, effects) in enumerate(events, 1):
        journal.append(stamped, effects)
        if place % 10 == 0:
            journal.flush_blocking()
    journal.close()
    return Figure("journal, durable events in groups of ten", len(events) / (time.perf_counter() - began), "1/s")


def _replayed(path: Path) -> list[Figure]:
    journal = _journal(path, durable=False, threaded=False)
    journal.append(SequencedInput(seq=1, at_utc_ns=_START_NS, input=_instruments()))
    told = list(_market(_REPLAYED))
    began = time.process_time()
    for stamped, effects in told:
        journal.append(stamped, effects)
    journal.close()
    cpu_s = time.process_time() - began
    with TapeReader(path) as tape:
        run = tape.run()
        began = time.process_time()
        read = sum(1 for _ in tape.entries(run))
        read_s = time.process_time() - began
    return [
        Figure("journal, CPU of an input with its effects in a replay", cpu_s / len(told) * 1e6, "us"),
        Figure("journal, CPU of reading an input back", read_s / read * 1e6, "us"),
        Figure("journal, file bytes an input (4 of 5 are quotes)", path.stat().st_size / len(told), "B"),
    ]


def _journal(path: Path, *, durable: bool, threaded: bool) -> JournalWriter:
    journal = JournalWriter(path, shipped_settings().journal, clock=WallClock(), durable=durable, threaded=threaded)
    journal.begin_run(
        NewRun(run_id="bench", mode="demo", code_version="bench", started_utc_ns=_START_NS, tape_version=TAPE_VERSION)
    )
    return journal


def _events(count: int) -> Iterator[tuple[SequencedInput, tuple[Effect, ...]]]:
    for seq in range(2, count + 2):
        yield _judged(seq, _START_NS + seq * NS_PER_MS)


def _market(count: int) -> Iterator[tuple[SequencedInput, tuple[Effect, ...]]]:
    for seq in range(2, count + 2):
        at = _START_NS + seq * NS_PER_MS
        if seq % 5 == 0:
            yield _judged(seq, at)
        else:
            bid = 108_500 + seq % 97
            yield (
                SequencedInput(
                    seq=seq, at_utc_ns=at, input=Quote(symbol="EURUSD", at_utc_ns=at, bid=bid / 1e5, ask=(bid + 9) / 1e5)
                ),
                (),
            )


def _judged(seq: int, at_utc_ns: int) -> tuple[SequencedInput, tuple[Effect, ...]]:
    bar = at_utc_ns - at_utc_ns % (15 * 60 * 1000 * NS_PER_MS)
    said = NoSignal(symbol="EURUSD", strategy="trend", strategy_hash="0" * 16, bar_open_utc_ns=bar, votes=_CHECKS[:4])
    verdict = Verdict(symbol="EURUSD", bar_open_utc_ns=bar, strategy="trend", outcome="none", reason="", checks=_CHECKS)
    return SequencedInput(seq=seq, at_utc_ns=at_utc_ns, input=said), (verdict,)


def _instruments() -> Instruments:
    euro = Instrument(
        symbol="EURUSD",
        base_currency="EUR",
        profit_currency="USD",
        margin_currency="EUR",
        digits=5,
        point=1e-5,
        tick_size=1e-5,
        pip=1e-4,
        contract_size=1e5,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
    )
    return Instruments(instruments=(euro,))


def _in_turns(*all_steps: Iterator[Step]) -> tuple[list[float], ...]:
    """Seconds of each step; the contestants take turns, so that a disk's bad minute is everybody's."""
    took: tuple[list[float], ...] = tuple([] for _ in all_steps)
    for turn in zip(*all_steps, strict=True):
        for step, times in zip(turn, took, strict=True):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
    return took


def _per_s(took: list[float]) -> float:
    return len(took) / sum(took)


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


def _rates(name: str, took: list[float]) -> list[Figure]:
    return [
        Figure(name, _per_s(took), "1/s"),
        Figure(f"{name}, p50", statistics.median(took) * 1e6, "us"),
        Figure(f"{name}, p99", _p99(took) * 1e6, "us"),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.value:>12,.1f} {figure.unit:<4} {figure.name}")
