"""Effects of a run by kind, and the bars that were judged last, straight from the journal: what views of the tape begin with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from quarterdeck.core.journal.journal_schema import storage_error
from quarterdeck.core.journal.tape_format import decode_effect, decode_input, tags_of
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import UNREADABLE, StorageError
from quarterdeck.core.model.inputs import Input
from quarterdeck.core.model.units import UtcNs

BarKey = tuple[str, UtcNs]


def effects_of(reader: TapeReader, run: Run, *kinds: type[Struct]) -> Iterator[Effect]:
    """The effects of `kinds` that the run's desk decided, in order.

    Raises:
        StorageError: the journal cannot be read, or holds an effect that this version does not know.
    """
    tags = tags_of(*kinds)
    sql = f"SELECT body FROM effects WHERE run = ? AND tag IN ({', '.join('?' * len(tags))}) ORDER BY seq, n"
    try:
        for (body,) in reader.connection.execute(sql, (run.run, *tags)):
            yield decode_effect(body)
    except sqlite3.Error as error:
        raise storage_error(reader.path, error, "read") from error
    except UNREADABLE as error:
        what = f"the effects of run {run.run} in {reader.path} cannot be decoded: {error}"
        raise StorageError(what, what_to_do="read it with the Quarterdeck that wrote it") from error


def inputs_with_tag(
    reader: TapeReader, run: Run, tag: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs
) -> Iterator[tuple[UtcNs, Input]]:
    """The inputs of one kind in [from, to) of a run's tape with their instants, in order; quotes are not among them.

    Raises:
        StorageError: the journal cannot be read, or holds an input that this version does not know.
    """
    sql = "SELECT at_utc_ns, body FROM tape WHERE run = ? AND tag = ? AND at_utc_ns >= ? AND at_utc_ns < ? ORDER BY seq"
    try:
        for at, body in reader.connection.execute(sql, (run.run, tag, from_utc_ns, to_utc_ns)):
            yield int(at), decode_input(body)
    except sqlite3.Error as error:
        raise storage_error(reader.path, error, "read") from error
    except UNREADABLE as error:
        what = f"the tape of run {run.run} in {reader.path} cannot be decoded: {error}"
        raise StorageError(what, what_to_do="read it with the Quarterdeck that wrote it") from error


def last_judged_bars(
    reader: TapeReader, run: Run, *, symbol: str = "", reason: str = "", count: int, candidates_only: bool = True
) -> tuple[BarKey, ...]:
    """The last `count` judged bars of a run as (symbol, open instant), newest first; only those that `reason` decided, if given.

    Raises:
        StorageError: the journal cannot be read.
    """
    verdicts = "SELECT run, seq, n, symbol, bar_open_utc_ns, reason, outcome FROM verdicts"
    nothing = "SELECT run, seq, 0, symbol, bar_open_utc_ns, withheld, 'none' FROM no_signals"
    judged = verdicts if candidates_only else f"{verdicts} UNION ALL {nothing}"
    sql = f"""SELECT symbol, bar_open_utc_ns FROM ({judged})
        WHERE run = ?1 AND (?2 = '' OR symbol = ?2) AND (?3 = '' OR reason = ?3) AND (?4 = 0 OR outcome != 'none')
        GROUP BY symbol, bar_open_utc_ns ORDER BY max(seq) DESC, max(n) DESC LIMIT ?5"""
    rows = reader.rows(sql, run.run, symbol, reason, int(candidates_only), count)
    return tuple((str(pair), int(bar)) for pair, bar in rows)
