"""Effects of a run, by kind, straight from the journal: what every view of the tape begins with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from core.journal.codec import decode_effect, tag_of
from core.journal.schema import storage_error
from core.journal.tape import Run, TapeReader
from core.model.effects import Effect
from core.model.errors import StorageError


def effects_of(reader: TapeReader, run: Run, *kinds: type[Struct]) -> Iterator[Effect]:
    """The effects of `kinds` that the run's desk decided, in order.

    Raises:
        StorageError: the journal cannot be read, or holds an effect that this version does not know.
    """
    tags = [tag_of(kind) for kind in kinds]
    sql = f"SELECT body FROM effects WHERE run = ? AND tag IN ({', '.join('?' * len(tags))}) ORDER BY seq, n"
    try:
        for (body,) in reader.connection.execute(sql, (run.run, *tags)):
            yield decode_effect(body)
    except sqlite3.Error as error:
        raise storage_error(reader.path, error, "read") from error
    except msgspec.MsgspecError as error:
        what = f"the effects of run {run.run} in {reader.path} cannot be decoded: {error}"
        raise StorageError(what, what_to_do="read it with the Quarterdeck that wrote it") from error
