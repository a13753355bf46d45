"""The tape: every input the desk consumed and every decision it made, in order, read back from the journal.

Promises: inputs come in the order of their sequence numbers, equal to what the desk was given, quotes included, with the effects
as the bytes that were written; what is missing or was changed is reported, not hidden; an older tape is read by its own reader.
Does not: judge decisions (`core.study.audit`). Reads while an engine writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from heapq import merge
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import msgspec
from msgspec import Struct

from quarterdeck.core.journal.journal_schema import open_readonly, storage_error
from quarterdeck.core.journal.journal_store import UNCHAINED
from quarterdeck.core.journal.quote_blocks import unpack
from quarterdeck.core.journal.tape_format import chain_bytes, decode_input, unpack_state
from quarterdeck.core.model.broker_account import TradeMode
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import Input, Restored, SequencedInput
from quarterdeck.core.model.units import UtcNs

TAPE_VERSION = 2
"""Rises when a tag or field is renamed, re-used or given a new meaning; `_READERS` keeps a reader for each older one."""
_READERS: dict[int, Callable[[bytes], Input]] = {1: decode_input, 2: decode_input}
_FETCH = 1_000


class NewerTape(StorageError):
    """A tape that only a newer Quarterdeck reads: nothing is wrong with it, and nothing may continue without it."""


OnDamage = Callable[[StorageError], None]
"""Called for each row of the tape, or block of quotes, that cannot be decoded."""


class Run(Struct, frozen=True, kw_only=True):
    """One run of an engine, as the journal heads it."""

    run: int
    run_id: str
    mode: TradeMode
    account: int
    server: str
    currency: str
    currency_digits: int
    code_version: str
    tape_version: int
    strategy_hash: str
    seed: int
    started_utc_ns: UtcNs
    ended_utc_ns: UtcNs | None
    ended_how: str
    last_seq: int | None
    """Of a run that ended in order; None when it did not, or still continues."""
    tape_from_seq: int
    """From here on nothing was pruned."""


class TapeEntry(Struct, frozen=True):
    """One input of the tape and what the desk answered."""

    stamped: SequencedInput
    effects: tuple[bytes, ...]
    """As written; `core.journal.tape_format.decode_effect` reads them."""
    intact: bool
    """False where the chain does not fit: this input or one since the last fit was changed, swapped, added or taken out."""
    lost_effects: int
    """Effects on the tape whose inputs, just before this one, are missing."""


class CheckpointMark(Struct, frozen=True):
    """Where a checkpoint stands: after the input `seq`."""

    seq: int
    at_utc_ns: UtcNs
    why: str


class TapeSegment(Struct, frozen=True):
    """A stretch of a run that a fresh desk can be fed alone: the inputs that replace its past, and where it continues."""

    prefix: tuple[SequencedInput, ...]
    """Empty at a run's own beginning, else `Started` and `Restored`, numbered so that the tape follows without a gap."""
    after_seq: int
    state: bytes | None
    """The checkpoint itself; None at a run's own beginning."""


class TapeReader:
    """The runs of a journal and their tapes. Close it, or use it as a context."""

    def __init__(self, path: Path) -> None:
        """Open the journal for reading. Raises StorageError."""
        self.path = path
        self.connection = open_readonly(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def runs(self) -> tuple[Run, ...]:
        """All runs, oldest first. Raises StorageError."""
        columns = Run.__struct_fields__
        rows = self.rows(f"SELECT {', '.join(columns)} FROM runs ORDER BY run")
        return tuple(msgspec.convert(dict(zip(columns, row, strict=True)), Run) for row in rows)

    def run(self, number: int | None = None) -> Run:
        """A run by its number, or the last one. Raises StorageError when there is none."""
        found = [run for run in self.runs() if number is None or run.run == number]
        if not found:
            which = "no run" if number is None else f"no run {number}"
            raise StorageError(f"the journal {self.path} contains {which}", what_to_do="start one with `quarterdeck run`")
        return found[-1]

    def checkpoints(self, run: Run) -> tuple[CheckpointMark, ...]:
        """Where the run's checkpoints stand, in order. Raises StorageError."""
        rows = self.rows("SELECT seq, at_utc_ns, why FROM checkpoints WHERE run = ? ORDER BY seq", run.run)
        return tuple(CheckpointMark(*row) for row in rows)

    def segment(self, run: Run, seq: int) -> TapeSegment:
        """The start of the stretch after the checkpoint at `seq`; 0 is the run's own beginning. Raises StorageError."""
        if seq == 0:
            return TapeSegment((), 0, None)
        sql = "SELECT at_utc_ns, started, state FROM checkpoints WHERE run = ? AND seq = ?"
        rows = self.rows(sql, run.run, seq)
        if not rows:
            raise StorageError(f"run {run.run} has no checkpoint at {seq}", what_to_do="name one that the journal lists")
        at, started_body, packed = rows[0]
        try:
            state = unpack_state(packed)
            started = _reader(run)(started_body) if started_body else None
        except (msgspec.MsgspecError, ValueError) as error:
            what = f"the checkpoint of run {run.run_id} at input {seq} in {self.path} is damaged: {error}"
            raise StorageError(what, what_to_do="restore the journal from a copy, or begin at another checkpoint") from error
        restored = SequencedInput(seq=seq, at_utc_ns=at, input=Restored(state=msgspec.Raw(state)))
        if started is None:
            return TapeSegment((restored,), seq, state)
        return TapeSegment((SequencedInput(seq=seq - 1, at_utc_ns=at, input=started), restored), seq, state)

    def inputs_after(self, run: Run, after_seq: int) -> int:
        """How many inputs the tape holds after `after_seq`, had none been left out. Raises StorageError."""
        return max(self._last_seq(run) - after_seq, 0)

    def entries(self, run: Run, after_seq: int = 0, on_damage: OnDamage | None = None) -> Iterator[TapeEntry]:
        """Inputs with their effects, in order, from the one after `after_seq` up to now's last.

        What cannot be decoded raises, or is passed over where `on_damage` is informed of it. Raises StorageError.
        """
        try:
            yield from self._entries(run, after_seq, on_damage or _raise)
        except sqlite3.Error as error:
            raise storage_error(self.path, error, "read") from error

    def _entries(self, run: Run, after_seq: int, on_damage: OnDamage) -> Iterator[TapeEntry]:
        # commits are complete and in order: all up to the last input that is there now is there, whatever is added meanwhile
        until = self._last_seq(run)
        effects = _Effects(_pages(self.connection, _EFFECT_ROWS, run.run, (after_seq, _N_MAX)))
        chain = self._chain_at(run, after_seq)
        rows, quotes = self._ordinary(run, after_seq, on_damage), self._quotes(run, after_seq, on_damage)
        for stamped, link, expected in merge(rows, quotes, key=_seq_of):
            if stamped.seq > until:
                break
            if chain is not None:
                chain = crc32(link, chain)
            intact = chain is None or expected is None or expected in (chain, UNCHAINED)
            if expected is not None:
                # after a break the chain as written is taken up again, so that one change is one finding
                chain = None if expected == UNCHAINED else expected
            yield TapeEntry(stamped, *effects.of(stamped.seq, intact=intact))

    def _ordinary(self, run: Run, after_seq: int, on_damage: OnDamage) -> Iterator[_Linked]:
        decode = _reader(run)
        for seq, at, expected, body in _pages(self.connection, _TAPE_ROWS, run.run, (after_seq,)):
            try:
                stamped, link = SequencedInput(seq=seq, at_utc_ns=at, input=decode(body)), chain_bytes(seq, at, body)
            except (msgspec.MsgspecError, ValueError, TypeError) as error:
                on_damage(self._damage(run, seq, error))
                continue
            yield stamped, link, expected

    def _quotes(self, run: Run, after_seq: int, on_damage: OnDamage) -> Iterator[_Linked]:
        symbols = self._symbols(run)
        ((first,),) = self.rows(_BLOCK_BEFORE, run.run, after_seq, after_seq)
        for first_seq, last_seq, base, expected, body in _pages(self.connection, _BLOCK_ROWS, run.run, (first,)):
            try:
                unpacked = list(unpack(first_seq, base, body, symbols))
            except (LookupError, ValueError, TypeError) as error:
                on_damage(self._damage(run, last_seq, error))
                continue
            for stamped, record in unpacked:
                if stamped.seq > after_seq:
                    yield stamped, record, expected if stamped.seq == last_seq else None

    def _damage(self, run: Run, seq: int, error: Exception) -> StorageError:
        what = f"the tape of run {run.run_id} in {self.path} cannot be decoded at input {seq}: {error}"
        return StorageError(what, what_to_do="audit another run, or restore the journal from a copy")

    def _last_seq(self, run: Run) -> int:
        ((row,),) = self.rows("SELECT coalesce(max(seq), 0) FROM tape WHERE run = ?", run.run)
        ((packed,),) = self.rows("SELECT coalesce(max(last_seq), 0) FROM quote_blocks WHERE run = ?", run.run)
        return int(max(row, packed))

    def _symbols(self, run: Run) -> dict[int, tuple[str, int]]:
        rows = self.rows("SELECT idx, symbol, digits FROM quote_symbols WHERE run = ?", run.run)
        return {idx: (symbol, digits) for idx, symbol, digits in rows}

    def _chain_at(self, run: Run, seq: int) -> int | None:
        if seq == 0:
            return 0
        rows = self.rows("SELECT chain FROM checkpoints WHERE run = ? AND seq = ?", run.run, seq)
        return int(rows[0][0]) if rows else None

    def rows(self, sql: str, *values: int | str) -> list[tuple[Any, ...]]:
        """Ask the journal in SQL. Raises StorageError."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise storage_error(self.path, error, "read") from error


class RecoveryState:
    """What recovery needs: the past of the last run of an account, to be fed to a fresh desk whose effects are dropped."""

    def __init__(self, reader: TapeReader, run: Run, after_seq: int) -> None:
        """The past from the checkpoint at `after_seq` on, 0 for the run's beginning. Raises StorageError for a damaged one."""
        self.run = run
        self.segment = reader.segment(run, after_seq)
        self.count = reader.inputs_after(run, after_seq)
        """Inputs after the segment's start."""
        self.damage = ""
        """Filled while `inputs` runs: the first place at which the tape is not what was written, empty where it is."""
        self._reader = reader

    def inputs(self, without: Collection[int] = ()) -> Iterator[tuple[int, SequencedInput]]:
        """The segment's prefix and then the tape, in order, each with its number on the tape; but for those `without`.

        The inputs are numbered anew where some are missing: what a crash in a time without a writable journal left in the reserve
        follows without a gap, and so does what lies behind a row that cannot be read.
        """
        for stamped in self.segment.prefix:
            yield stamped.seq, stamped
        seen = given = self.segment.after_seq
        for entry in self._reader.entries(self.run, seen, lambda error: self._found(str(error))):
            seen = entry.stamped.seq
            if not entry.intact:
                self._found(f"the checksum of run {self.run.run_id} does not fit at or just before input {seen}")
            if seen not in without:
                given += 1
                yield seen, entry.stamped if seen == given else msgspec.structs.replace(entry.stamped, seq=given)
        if self.run.last_seq is not None and seen < self.run.last_seq:
            self._found(f"the tape of run {self.run.run_id} ends at input {seen} of {self.run.last_seq}")

    def _found(self, what: str) -> None:
        self.damage = self.damage or what


def recovery_state(reader: TapeReader, *, mode: str, account: int, server: str) -> tuple[Run, list[int]] | None:
    """The newest run that is a past of an account in one mode, and where it can be taken up, the newest place first.

    A place is a checkpoint's input, or 0 for the run's own beginning. A run that died before it was restored is passed over.

    Raises:
        StorageError: the journal cannot be read.
    """
    runs = [run for run in reader.runs() if (run.mode, run.account, run.server) == (mode, account, server)]
    for place in range(len(runs) - 1, -1, -1):
        run = runs[place]
        marks = [mark.seq for mark in reversed(reader.checkpoints(run))]
        whole = run.tape_from_seq <= 1
        if not marks and not (whole and _has_past(reader, run, is_first=place == 0)):
            continue
        return run, [*marks, 0] if whole else marks
    return None


def _has_past(reader: TapeReader, run: Run, *, is_first: bool) -> bool:
    sql = "SELECT count(*), coalesce(sum(tag = 'restored'), 0) FROM tape WHERE run = ?"
    inputs, restored = reader.connection.execute(sql, (run.run,)).fetchone()
    return bool(inputs) and (is_first or bool(restored))


def _reader(run: Run) -> Callable[[bytes], Input]:
    reader = _READERS.get(run.tape_version)
    if reader is None:
        what = f"run {run.run} has a tape of version {run.tape_version}, this Quarterdeck reads up to {TAPE_VERSION}"
        raise NewerTape(what, what_to_do="read it with the Quarterdeck that wrote it")
    return reader


_Linked = tuple[SequencedInput, bytes, int | None]
"""An input, what it adds to the chain, and the chain that was written with it, where one was."""
_N_MAX = 1 << 31
_TAPE_ROWS = "SELECT seq, at_utc_ns, chain, body FROM tape WHERE run = ? AND seq > ? ORDER BY seq LIMIT 1000", 1
_EFFECT_ROWS = "SELECT seq, n, body FROM effects WHERE run = ? AND (seq, n) > (?, ?) ORDER BY seq, n LIMIT 1000", 2
_BLOCK_ROWS = (
    """SELECT first_seq, last_seq, base_utc_ms, chain, body FROM quote_blocks
    WHERE run = ? AND first_seq > ? ORDER BY first_seq LIMIT 50""",
    1,
)
_BLOCK_BEFORE = """SELECT coalesce((SELECT max(first_seq) - 1 FROM quote_blocks WHERE run = ? AND first_seq <= ?), ?)"""


def _raise(error: StorageError) -> None:
    raise error


def _seq_of(found: _Linked) -> int:
    return found[0].seq


def _pages(connection: sqlite3.Connection, query: tuple[str, int], run: int, after: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows in pages, continuing after the key columns (the first ones) of the last row: no read holds WAL back for long."""
    sql, keys = query
    while rows := connection.execute(sql, (run, *after)).fetchall():
        yield from rows
        after = rows[-1][:keys]


class _Effects:
    """Effects beside the inputs: both come in order, so one look ahead is enough."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, seq: int, *, intact: bool) -> tuple[tuple[bytes, ...], bool, int]:
        """(effects of the input, `intact` handed through, effects passed over because their input is missing)."""
        lost = 0
        while self._next is not None and self._next[0] < seq:
            lost += 1
            self._next = next(self._rows, None)
        if self._next is None or self._next[0] != seq:
            return (), intact, lost
        found: list[bytes] = []
        while self._next is not None and self._next[0] == seq:
            found.append(self._next[2])
            self._next = next(self._rows, None)
        return tuple(found), intact, lost
