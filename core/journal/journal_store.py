"""One connection that turns a list of entries into one transaction of the journal.

Promises: all of the list is in the file after `write`, or nothing of it is and the store stands as before, so that the same list
can be tried again; quotes of a run are packed in order, and the chain runs through every input. An error that is the entry's own
(`ENTRY_ERRORS`) is distinguished from one of the file, which another try may cure.
Does not: queue, start threads or decide when (`core.journal.writer`). One caller at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.journal.journal_rows import Row, RowBatch, TapePlace, add_effect, add_input
from quarterdeck.core.journal.journal_schema import TABLES, open_writable
from quarterdeck.core.journal.quote_blocks import QuoteBlock, QuoteGrid
from quarterdeck.core.journal.reserve_file import ReserveRecord
from quarterdeck.core.journal.tape_format import chain_bytes, decode_effect, decode_input, encode, pack_state, tag_of, tags_of
from quarterdeck.core.model.effects import Alert, Effect
from quarterdeck.core.model.inputs import (
    Accepted,
    Filled,
    Instruments,
    NotExecuted,
    OrderRejected,
    RequestDone,
    SequencedInput,
    SettingsChanged,
    Started,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import DAY_NS, UtcNs

UNCHAINED = -1
"""Chain of rows that were completed from the reserve: what was before them is not known."""
ENTRY_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)
"""What an entry raises that can never be written, whatever the disk does."""
_WHY_MAX = 200
_CHUNKS = (64, 16, 4, 1)
"""Rows a statement: each step of SQLite gives the interpreter's lock away, and a busy desk takes 5 ms to give it back."""
_REPLACED = ("quote_blocks", "equity", "heartbeats", "checkpoints")
"""An open block grows; of one input, and of one moment, the last word holds."""
_FINAL = ", ".join(f"'{tag}'" for tag in tags_of(Filled, OrderRejected, NotExecuted, RequestDone))
_OPEN = ", ".join(f"'{tag}'" for tag in tags_of(Unconfirmed, Accepted))
_SETTLE = f"""UPDATE intents SET fate = ?, fate_utc_ns = ?, fate_body = ?
    WHERE rowid = (SELECT rowid FROM intents WHERE client_id = ? ORDER BY run DESC, seq DESC LIMIT 1)
    AND NOT (fate IN ({_FINAL}, 'settled') AND ? IN ({_OPEN}, 'settled'))"""
_NAME_ACCOUNT = "UPDATE runs SET account = ?, server = ?, currency = ?, currency_digits = ? WHERE run = ? AND currency = ''"
_COUNT = """INSERT INTO usage VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes"""

InputAndEffects = tuple[SequencedInput, Sequence[Effect]]


class Checkpoint(Struct, frozen=True):
    """The desk's whole state after the last input before it."""

    at_utc_ns: UtcNs
    why: str
    state: bytes


class ErrorRow(Struct, frozen=True):
    """Something that went wrong outside the desk."""

    wall_utc_ns: UtcNs
    kind: str
    level: str
    text: str
    symbol: str
    ticket: int


class AlertRow(Struct, frozen=True):
    """An alert of the engine's own, which no effect of the desk carries; `n` is negative and unique."""

    at_utc_ns: UtcNs
    n: int
    alert: Alert


class HeartbeatRow(Struct, frozen=True):
    """A heartbeat for the history."""

    wall_utc_ns: UtcNs
    ok: bool
    state: str
    body: bytes


JournalEntry = InputAndEffects | Checkpoint | ErrorRow | AlertRow | HeartbeatRow


class NewRun(Struct, frozen=True, kw_only=True):
    """What is known when a run begins; an account of 0 is filled in by the first `AccountRead`."""

    run_id: str
    mode: str
    account: int = 0
    server: str = ""
    currency: str = ""
    currency_digits: int = 2
    code_version: str
    strategy_hash: str = ""
    seed: int = 0
    started_utc_ns: UtcNs
    tape_version: int


class JournalStore:
    """The journal file under one writer."""

    def __init__(self, path: Path, *, durable: bool, clock: Clock) -> None:
        """Open or make the journal. Raises StorageError."""
        self.path = path
        self.connection = open_writable(path, durable=durable)
        self._clock = clock
        self._sql: dict[tuple[str, int], str] = {}
        (last,) = self.connection.execute("SELECT coalesce(max(id), 0) FROM quote_blocks").fetchone()
        self._next_block = int(last) + 1
        self._begin(0)

    def _begin(self, run: int) -> None:
        self.run = run
        self._chain = self._seq = self._quotes = self._grid_saved = 0
        self.written_seq = 0
        """The newest input of this run that is in the file."""
        self.tape_bytes = 0
        """Bodies of the tape that this run has written."""
        self._started: Started | None = None
        self._grid = QuoteGrid()
        self._block: QuoteBlock | None = None
        self._blocks: dict[int, QuoteBlock] = {}

    def begin_run(self, run: NewRun) -> int:
        """Write a run's head and return its number. Raises sqlite3.Error."""
        columns = (*NewRun.__struct_fields__,)
        sql = f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        cursor = self.connection.execute(sql, msgspec.structs.astuple(run))
        self._begin(int(cursor.lastrowid or 0))
        return self.run

    def end_run(self, how: str, last_seq: int) -> None:
        """Mark the run as ended in order. Raises sqlite3.Error."""
        sql = "UPDATE runs SET ended_utc_ns = ?, ended_how = ?, last_seq = ? WHERE run = ?"
        self.connection.execute(sql, (self._clock.utc_ns(), how, last_seq, self.run))

    def write(self, entries: Iterable[JournalEntry], *, rows: bool = True) -> None:
        """Write all entries in one transaction, without the tables that people ask where not `rows`.

        Raises sqlite3.Error or one of ENTRY_ERRORS with nothing written.
        """
        before = (self._chain, self._seq, self._started, self._next_block, None if self._block is None else self._block.copy())
        batch = RowBatch()
        self._blocks, self._quotes = {}, 0
        try:
            for entry in entries:
                if isinstance(entry, tuple):
                    self._take(batch, entry[0], entry[1], rows=rows)
                else:
                    self._take_other(batch, entry)
            self._commit(batch)
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._chain, self._seq, self._started, self._next_block, self._block = before
            raise
        self.written_seq = self._seq

    def write_alone(self, entry: JournalEntry) -> str:
        """Write one entry; what can never be written is left out: first its rows for people, then all of it.

        Gives what was left out and why, empty where nothing was. Raises sqlite3.Error for a file that cannot be written.
        """
        try:
            self.write([entry])
        except ENTRY_ERRORS as error:
            why = f"{type(error).__name__}: {error}"[:_WHY_MAX]
            try:
                self.write([entry], rows=False)
                what = f"The journal cannot hold the rows of {_described(entry)} ({why}); the tape has it."
            except ENTRY_ERRORS:
                what = f"The journal cannot hold {_described(entry)} ({why}); it was left out."
                if isinstance(entry, tuple):
                    self._seq = entry[0].seq  # a checkpoint that follows stands after it
            what = _printable(what)
            self.write([ErrorRow(self._clock.utc_ns(), "journal", "error", what, "", 0)])
            return what
        return ""

    def complete(self, records: Sequence[ReserveRecord]) -> int:
        """Add what a reserve kept and the tape has not; returns how many inputs. Raises sqlite3.Error with nothing written.

        What belongs to a run that this journal does not know (another one lay here then) is left out.
        """
        batch = RowBatch()
        added = 0
        runs = {run for (run,) in self.connection.execute("SELECT run FROM runs")}
        for kept in records:
            sql = "SELECT 1 FROM tape WHERE run = ? AND seq = ?"
            known = self.connection.execute(sql, (kept.run, kept.seq)).fetchone()
            if known is not None or kept.run not in runs:
                continue
            added += 1
            item = decode_input(kept.body)
            batch.add("tape", (kept.run, kept.seq, kept.at_utc_ns, tag_of(type(item)), UNCHAINED, kept.body))
            add_input(batch, TapePlace(kept.run, kept.seq, 0, kept.at_utc_ns), item)
            for n, body in enumerate(kept.effects):
                effect = decode_effect(body)
                batch.add("effects", (kept.run, kept.seq, n, tag_of(type(effect)), body))
                add_effect(batch, TapePlace(kept.run, kept.seq, n, kept.at_utc_ns), effect)
        if added:
            self._blocks, self._quotes = {}, 0
            try:
                self._commit(batch)
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        return added

    def close(self) -> None:
        """Close the file; WAL is folded into it."""
        self.connection.close()

    def _take(self, batch: RowBatch, stamped: SequencedInput, effects: Sequence[Effect], *, rows: bool) -> None:
        seq, at, item = stamped.seq, stamped.at_utc_ns, stamped.input
        if not (type(item) is Quote and self._packed(seq, at, item)):
            body = encode(item)
            self._chain = crc32(chain_bytes(seq, at, body), self._chain)
            batch.add("tape", (self.run, seq, at, tag_of(type(item)), self._chain, body))
            if rows:
                add_input(batch, TapePlace(self.run, seq, 0, at), item)
            if type(item) is Instruments:
                self._grid.learn(item.instruments)
            elif type(item) is Started:
                self._started = item
            elif type(item) is SettingsChanged and self._started is not None:
                self._started = msgspec.structs.replace(self._started, settings=item.settings)
        self._seq = seq
        for n, effect in enumerate(effects):
            batch.add("effects", (self.run, seq, n, tag_of(type(effect)), encode(effect)))
            if rows:
                add_effect(batch, TapePlace(self.run, seq, n, at), effect)

    def _packed(self, seq: int, at_utc_ns: UtcNs, quote: Quote) -> bool:
        units = self._grid.units(quote)
        if units is None:
            return False
        block = self._block
        chain = None if block is None else block.add(seq, at_utc_ns, units, quote.at_utc_ns, self._chain)
        if chain is None:
            self._close_block()
            block = QuoteBlock(self._next_block, seq, at_utc_ns)
            chain = block.add(seq, at_utc_ns, units, quote.at_utc_ns, self._chain)
            if chain is None:
                return False
            self._next_block += 1
            self._block = block
        if block is not None:
            self._blocks[block.row_id] = block
        self._chain = chain
        self._quotes += 1
        return True

    def _close_block(self) -> None:
        """No quote is added to the open block any more: it is written once more, compressed."""
        block, self._block = self._block, None
        if block is not None:
            block.closed = True
            self._blocks[block.row_id] = block

    def _take_other(self, batch: RowBatch, entry: Checkpoint | ErrorRow | AlertRow | HeartbeatRow) -> None:
        if isinstance(entry, Checkpoint):
            # a quote's time counts from the one before it: the block that follows begins with its own, under the chain
            self._close_block()
            started = b"" if self._started is None else encode(self._started)
            row = (self.run, self._seq, entry.at_utc_ns, entry.why, self._chain, started, pack_state(entry.state))
            batch.add("checkpoints", row)
        elif isinstance(entry, ErrorRow):
            text = (entry.kind, entry.level, entry.text, entry.symbol, entry.ticket)
            batch.add("errors", (self.run, self._seq, None, entry.wall_utc_ns, *text))
        elif isinstance(entry, AlertRow):
            alert = entry.alert
            text = (alert.kind, alert.level, alert.text, alert.symbol, alert.ticket)
            batch.add("alerts", (self.run, self._seq, entry.n, entry.at_utc_ns, *text))
        else:
            batch.add("heartbeats", (self.run, entry.wall_utc_ns, int(entry.ok), entry.state, entry.body))

    def _commit(self, batch: RowBatch) -> None:
        execute = self.connection.execute
        new_symbols = self._grid.rows[self._grid_saved :]
        for number, (symbol, digits) in enumerate(new_symbols, self._grid_saved):
            batch.add("quote_symbols", (self.run, number, symbol, digits))
        grown: list[tuple[QuoteBlock, int]] = []
        for block in self._blocks.values():
            times, body = (block.base_utc_ms, block.last_utc_ns), block.stored()
            grown.append((block, len(body)))
            batch.add("quote_blocks", (block.row_id, self.run, block.first_seq, block.last_seq, *times, block.chain, body))
        execute("BEGIN IMMEDIATE")
        for table, rows in batch.tables.items():
            self._insert(table, rows)
        for fate in batch.fates:
            execute(_SETTLE, (*fate, fate[0]))
        for account in batch.accounts:
            execute(_NAME_ACCOUNT, account)
        self._count(batch, sum(size - block.kept_bytes for block, size in grown))
        execute("COMMIT")
        self._grid_saved = len(self._grid.rows)
        for block, size in grown:
            block.kept_bytes = size

    def _insert(self, table: str, rows: list[Row]) -> None:
        execute, place = self.connection.execute, 0
        for size in _CHUNKS:
            sql = self._insert_sql(table, size)
            while len(rows) - place >= size:
                execute(sql, [value for row in rows[place : place + size] for value in row])
                place += size

    def _insert_sql(self, table: str, count: int) -> str:
        sql = self._sql.get((table, count))
        if sql is None:
            columns = TABLES[table]
            one = "(" + ", ".join("?" * len(columns)) + ")"
            verb = "INSERT OR REPLACE" if table in _REPLACED else "INSERT OR IGNORE" if table == "deals" else "INSERT"
            sql = f"{verb} INTO {table} ({', '.join(columns)}) VALUES " + ", ".join([one] * count)
            self._sql[table, count] = sql
        return sql

    def _count(self, batch: RowBatch, quote_bytes: int) -> None:
        rows = self._quotes + sum(len(group) for group in batch.tables.values())
        bodies = sum(len(row[-1]) for name in ("tape", "effects", "checkpoints") for row in batch.tables.get(name, ()))
        day = self._clock.utc_ns() // DAY_NS
        written = quote_bytes + bodies
        self.connection.execute(_COUNT, (self.run, day, rows, written))
        self.tape_bytes += written


def _described(entry: JournalEntry) -> str:
    """An entry in a few words, for errors about it."""
    if isinstance(entry, tuple):
        return f"input {entry[0].seq} ({tag_of(type(entry[0].input))})"
    return f"a {type(entry).__name__.lower()}"


def _printable(text: str) -> str:
    """A text that any file and screen takes."""
    return text.encode("utf-8", "backslashreplace").decode()
