"""The "why not?" ledger: what the desk made of each closed bar, with every number and threshold, newest first.

Promises: read from the journal alone, while an engine writes; a bounded number of rows. Does not: judge, or explain what was not
checked.
"""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import Struct

from core.journal.codec import decode_effect
from core.journal.schema import storage_error
from core.journal.tape import Run, TapeReader
from core.model.effects import Verdict
from core.model.errors import StorageError
from core.model.units import UtcNs

ROWS_MAX = 10_000


class Ruling(Struct, frozen=True):
    """A verdict and when it fell."""

    at_utc_ns: UtcNs
    verdict: Verdict


class Wanted(Struct, frozen=True, kw_only=True):
    """Which verdicts; empty means any."""

    symbol: str = ""
    outcome: str = ""
    reason: str = ""
    until_utc_ns: UtcNs = 2**62
    candidates_only: bool = True
    """Leave out bars in which the strategy found nothing."""


def rulings(reader: TapeReader, run: Run, wanted: Wanted, count: int) -> tuple[Ruling, ...]:
    """The newest `count` verdicts that fit, newest first. Raises StorageError."""
    where, values = _where(run, wanted)
    table = "verdicts v JOIN effects e USING (run, seq, n)"
    sql = f"SELECT v.at_utc_ns, e.body FROM {table} WHERE {where} ORDER BY seq DESC, n DESC LIMIT ?"
    found = []
    try:
        rows = reader.connection.execute(sql, (*values, min(count, ROWS_MAX))).fetchall()
        for at_utc_ns, body in rows:
            effect = decode_effect(body)
            if isinstance(effect, Verdict):
                found.append(Ruling(at_utc_ns, effect))
    except sqlite3.Error as error:
        raise storage_error(reader.path, error, "read") from error
    except msgspec.MsgspecError as error:
        what = f"a verdict of run {run.run} in {reader.path} cannot be decoded: {error}"
        raise StorageError(what, what_to_do="read it with the Quarterdeck that wrote it") from error
    return tuple(found)


def counts(reader: TapeReader, run: Run, wanted: Wanted) -> dict[str, int]:
    """How often each outcome and reason fell, the most frequent first, as `refused: spread`. Raises StorageError."""
    where, values = _where(run, wanted)
    columns = "outcome, reason"
    sql = f"SELECT {columns}, count(*) FROM verdicts v WHERE {where} GROUP BY {columns} ORDER BY count(*) DESC, {columns}"
    try:
        rows = reader.connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise storage_error(reader.path, error, "read") from error
    return {f"{outcome}: {reason}" if reason else outcome: times for outcome, reason, times in rows}


def _where(run: Run, wanted: Wanted) -> tuple[str, tuple[int | str, ...]]:
    clauses, values = ["v.run = ?", "v.at_utc_ns <= ?"], [run.run, wanted.until_utc_ns]
    words: list[int | str] = [*values]
    for column in ("symbol", "outcome", "reason"):
        word = getattr(wanted, column)
        if word:
            clauses.append(f"v.{column} = ?")
            words.append(word)
    if wanted.candidates_only and not wanted.outcome:
        clauses.append("v.outcome != 'none'")
    return " AND ".join(clauses), tuple(words)
