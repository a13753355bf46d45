"""Keeping the journal small: what is older than settings keep goes, in steps that never hold the file for long.

Promises: trades, positions, intents, deals, equity and changes of parameters stay for good; of the tape, quotes go first, then
all else; a run's head remembers from where its tape is complete, so that an audit does not take pruning for damage.
Age: within a run by the market's time, and for all runs by when they ended; a replay of old days is as old as its run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from quarterdeck.core.journal.journal_schema import open_readonly
from quarterdeck.core.model.units import DAY_NS, UtcNs

_STEP_ROWS = 500
_TAPE_TABLES = ("tape", "effects", "verdicts", "signals", "no_signals", "checkpoints")


class Pruned(Struct, frozen=True):
    """How many blocks of quotes and other rows were deleted."""

    quote_blocks: int
    rows: int


class JournalSize(Struct, frozen=True):
    """How large the journal is and how fast it grows."""

    file_bytes: int
    bytes_per_day: float
    """Bodies of the tape, over the wall days on which anything was written; 0 when nothing was."""


def prune(connection: sqlite3.Connection, now_utc_ns: UtcNs, quotes_days: int, decisions_days: int) -> Pruned:
    """Delete old quotes and decisions of all runs, all at once; `now_utc_ns` is wall time. Raises sqlite3.Error."""
    blocks = rows = 0
    for table, deleted in prune_steps(connection, now_utc_ns, quotes_days, decisions_days):
        if table == "quote_blocks":
            blocks += deleted
        else:
            rows += deleted
    return Pruned(blocks, rows)


def prune_steps(
    connection: sqlite3.Connection, now_utc_ns: UtcNs, quotes_days: int, decisions_days: int
) -> Iterator[tuple[str, int]]:
    """The same in steps, each a short transaction that gives (table, rows deleted); between two of them others may write."""
    runs = connection.execute("SELECT run, mode, started_utc_ns, ended_utc_ns FROM runs ORDER BY run").fetchall()
    for run, mode, started, ended in runs:
        (newest,) = connection.execute("SELECT max(at_utc_ns) FROM tape WHERE run = ?", (run,)).fetchone()
        if newest is None:
            continue
        idle_days = (now_utc_ns - (ended or started)) / DAY_NS
        over = ended is not None or run != runs[-1][0]
        quotes_before = _limit(newest, quotes_days, gone=over and idle_days > quotes_days, mode=mode)
        yield from _prune_quotes(connection, run, quotes_before)
        rows_before = _limit(newest, decisions_days, gone=over and idle_days > decisions_days, mode=mode)
        yield from _prune_rows(connection, run, rows_before)
    yield from _steps(connection, "heartbeats", "wall_utc_ns < ?", (now_utc_ns - quotes_days * DAY_NS,), key="run, wall_utc_ns")


def size_of(path: Path) -> JournalSize:
    """Size and growth of a journal. Raises StorageError."""
    connection = open_readonly(path)
    try:
        days, total = connection.execute("SELECT count(DISTINCT wall_day), coalesce(sum(bytes), 0) FROM usage").fetchone()
    finally:
        connection.close()
    files = (path, path.with_name(path.name + "-wal"))
    return JournalSize(sum(file.stat().st_size for file in files if file.exists()), total / days if days else 0.0)


def _limit(newest_utc_ns: UtcNs, days: int, *, gone: bool, mode: str) -> UtcNs:
    """Rows before this market time go; none (0) of a replay that is not old as a whole."""
    if gone:
        return newest_utc_ns + 1
    return 0 if mode == "replay" else newest_utc_ns - days * DAY_NS


def _prune_quotes(connection: sqlite3.Connection, run: int, before_utc_ns: UtcNs) -> Iterator[tuple[str, int]]:
    sql = "SELECT max(last_seq) FROM quote_blocks WHERE run = ? AND last_utc_ns < ?"
    (last,) = connection.execute(sql, (run, before_utc_ns)).fetchone()
    if last is not None:
        _whole_from(connection, run, last + 1)
        yield from _steps(connection, "quote_blocks", "run = ? AND last_seq <= ?", (run, last), key="id")


def _prune_rows(connection: sqlite3.Connection, run: int, before_utc_ns: UtcNs) -> Iterator[tuple[str, int]]:
    # whole segments only: what is before the last checkpoint that is itself old enough
    sql = "SELECT max(seq) FROM checkpoints WHERE run = ? AND at_utc_ns < ?"
    (last,) = connection.execute(sql, (run, before_utc_ns)).fetchone()
    (newest,) = connection.execute("SELECT max(at_utc_ns) FROM tape WHERE run = ?", (run,)).fetchone()
    if newest is not None and newest < before_utc_ns:
        (last,) = connection.execute("SELECT max(seq) + 1 FROM tape WHERE run = ?", (run,)).fetchone()
    if last is None:
        return
    _whole_from(connection, run, last)
    yield from _steps(connection, "quote_blocks", "run = ? AND last_seq < ?", (run, last), key="id")
    for table in _TAPE_TABLES:
        key = "run, seq, n" if table in ("effects", "verdicts") else "run, seq"
        yield from _steps(connection, table, "run = ? AND seq < ?", (run, last), key=key)


def _whole_from(connection: sqlite3.Connection, run: int, seq: int) -> None:
    connection.execute("UPDATE runs SET tape_from_seq = max(tape_from_seq, ?) WHERE run = ?", (seq, run))


def _steps(
    connection: sqlite3.Connection, table: str, where: str, values: tuple[int, ...], *, key: str
) -> Iterator[tuple[str, int]]:
    sql = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} LIMIT {_STEP_ROWS})"
    deleted = _STEP_ROWS
    while deleted == _STEP_ROWS:
        deleted = connection.execute(sql, values).rowcount
        if deleted:
            yield table, deleted
