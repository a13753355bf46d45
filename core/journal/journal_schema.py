"""The journal file: its tables, its version, and how it is opened.

Promises: a file that is not a journal, or one of a newer version, is refused with a `StorageError` and left untouched; a reader
never blocks the writer (WAL). Every row belongs to a run, and a run has one mode, account and server, so no figure mixes them.
Does not: know what the rows mean (`core.journal.journal_rows`), or write any (`core.journal.writer`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from quarterdeck.core.model.errors import StorageError

APPLICATION_ID = 0x51444B4A
"""Marks the file as ours in SQLite's header: "QDKJ"."""
SCHEMA_VERSION = 2
"""2: the state of a checkpoint may be packed."""
_PAGE_BYTES = 8192
_BUSY_S = 10.0

_COLUMNS = {
    "tape": "run:i seq:i at_utc_ns:i tag:t chain:i body:b",
    "effects": "run:i seq:i n:i tag:t body:b",
    "quote_symbols": "run:i idx:i symbol:t digits:i",
    "quote_blocks": "id:i run:i first_seq:i last_seq:i base_utc_ms:i last_utc_ns:i chain:i body:b",
    "checkpoints": "run:i seq:i at_utc_ns:i why:t chain:i started:b state:b",
    "signals": "run:i seq:i at_utc_ns:i signal_id:t symbol:t strategy:t bar_open_utc_ns:i side:i confidence:r "
    "entry_price:r stop_price:r target_price:r",
    "no_signals": "run:i seq:i at_utc_ns:i symbol:t strategy:t bar_open_utc_ns:i withheld:t",
    "verdicts": "run:i seq:i n:i at_utc_ns:i symbol:t strategy:t bar_open_utc_ns:i outcome:t reason:t side:i?",
    "intents": "run:i seq:i n:i at_utc_ns:i client_id:t kind:t symbol:t side:i? lots:r price:r? stop_price:r? target_price:r? "
    "risk_money:r position_id:i why:t fate:t fate_utc_ns:i? fate_body:b?",
    "deals": "run:i seq:i at_utc_ns:i deal_ticket:i order_ticket:i position_id:i symbol:t side:i entry:t reason:t lots:r price:r "
    "profit_money:r commission_money:r fee_money:r swap_money:r balance_money:r magic:i rule:t",
    "positions": "run:i seq:i at_utc_ns:i position_id:i client_id:t signal_id:t symbol:t side:i lots:r open_price:r "
    "quoted_price:r stop_price:r target_price:r? risk_money:r asked_risk_money:r spread_price:r confidence:r latency_ms:r",
    "trades": "run:i seq:i n:i position_id:i symbol:t side:i lots:r opened_utc_ns:i closed_utc_ns:i open_price:r close_price:r "
    "stop_price:r? reason:t rule:t gross_money:r commission_money:r swap_money:r net_money:r risk_money:r result_r:r "
    "peak_money:r worst_money:r signal_id:t confidence:r ambiguous:i",
    "equity": "run:i seq:i at_utc_ns:i equity_money:r balance_money:r open_risk_money:r day_result_money:r drawdown_fraction:r",
    "setting_changes": "run:i seq:i n:i at_utc_ns:i key:t old:t new:t cause:t",
    "states": "run:i seq:i n:i at_utc_ns:i state:t reasons:t text:t",
    "alerts": "run:i seq:i n:i at_utc_ns:i kind:t level:t text:t symbol:t ticket:i",
    "errors": "run:i seq:i at_utc_ns:i? wall_utc_ns:i? kind:t level:t text:t symbol:t ticket:i",
    "heartbeats": "run:i wall_utc_ns:i ok:i state:t body:b",
    "usage": "run:i wall_day:i rows:i bytes:i",
}
"""Columns with their type: i whole number, r number, t text, b bytes; `?` may be empty."""
TABLES = {table: tuple(column.split(":")[0] for column in columns.split()) for table, columns in _COLUMNS.items()}
"""Column names by table, in the order of the rows that `core.journal.journal_rows` and `core.journal.journal_store` make."""
_CLUSTERED = {
    "tape": "run, seq",
    "quote_symbols": "run, idx",
    "no_signals": "run, seq",
    "verdicts": "run, seq, n",
    "equity": "run, seq",
    "heartbeats": "run, wall_utc_ns",
    "usage": "run, wall_day",
}
"""Small rows are stored in the order of their key; large ones beside an index, because long rows would not share a page."""
_KEYED = {
    "effects": "run, seq, n",
    "quote_blocks": "id",
    "checkpoints": "run, seq",
    "signals": "run, seq",
    "intents": "run, seq, n",
    "deals": "run, deal_ticket",
    "trades": "run, seq, n",
    "setting_changes": "run, seq, n",
    "states": "run, seq, n",
    "alerts": "run, seq, n",
}
_RUNS = """CREATE TABLE runs (
    run INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, mode TEXT NOT NULL, account INTEGER NOT NULL,
    server TEXT NOT NULL, currency TEXT NOT NULL, currency_digits INTEGER NOT NULL, code_version TEXT NOT NULL,
    tape_version INTEGER NOT NULL, strategy_hash TEXT NOT NULL, seed INTEGER NOT NULL, started_utc_ns INTEGER NOT NULL,
    ended_utc_ns INTEGER, ended_how TEXT NOT NULL DEFAULT '', last_seq INTEGER, tape_from_seq INTEGER NOT NULL DEFAULT 1)"""
_INDEXES = (
    "CREATE UNIQUE INDEX quote_blocks_by_seq ON quote_blocks (run, first_seq)",
    "CREATE INDEX signals_by_bar ON signals (symbol, bar_open_utc_ns)",
    "CREATE INDEX no_signals_by_bar ON no_signals (symbol, bar_open_utc_ns)",
    "CREATE INDEX verdicts_by_bar ON verdicts (symbol, bar_open_utc_ns)",
    "CREATE INDEX intents_by_client ON intents (client_id)",
    "CREATE INDEX positions_by_id ON positions (position_id)",
)

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: dict[int, Migration] = {1: lambda _connection: None}
"""From version n to n + 1, run in one transaction with the new version number; every version ever shipped keeps its step."""


def open_writable(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open the journal for its one writer, making or migrating it; usable from any thread, one at a time.

    Raises:
        StorageError: the folder or file cannot be written, is not a journal, is damaged, or is of a newer version.
    """
    connection = _connect(path, f"file:{_quoted(path)}?mode=rwc")
    try:
        _check(connection, path, may_be_new=True)
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        connection.execute("PRAGMA temp_store = MEMORY")
        _create_or_migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise storage_error(path, error, "written") from error
    except StorageError:
        connection.close()
        raise
    return connection


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open the journal for reading, while an engine writes it or not; nothing on disk is changed.

    Raises:
        StorageError: there is no journal, it cannot be read, is not a journal, is damaged, or is of a newer version.
    """
    if not path.is_file():
        raise StorageError(f"there is no journal at {path}", what_to_do="name the home folder of a run with --home DIR")
    # a folder that we may not write has no place for WAL's index; nobody can be writing there either, so it may be left out
    for manner, last in (("mode=ro", False), ("mode=ro&immutable=1", True)):
        connection = _connect(path, f"file:{_quoted(path)}?{manner}")
        try:
            _check(connection, path, may_be_new=False)
        except sqlite3.Error as error:
            connection.close()
            if last:
                raise storage_error(path, error, "read") from error
        except StorageError:
            connection.close()
            raise
        else:
            return connection
    raise StorageError(f"the journal {path} cannot be read", what_to_do="check the file's rights")


def storage_error(path: Path, error: sqlite3.Error, verb: str) -> StorageError:
    """A failure of SQLite in the operator's words: what, where, what to do."""
    text = str(error)
    if "not a database" in text:
        return StorageError(f"{path} is not a journal", what_to_do="move that file away, or choose another home with --home DIR")
    if "malformed" in text:
        remedy = (
            "keep a copy, then move it away; the next start creates a new one and manages the positions that the broker lists"
        )
        return StorageError(f"the journal {path} is damaged", what_to_do=remedy)
    if "full" in text:
        return StorageError(f"the journal {path} cannot be {verb}: the disk is full", what_to_do="make room on that disk")
    if "locked" in text:
        return StorageError(f"the journal {path} is in use by another program", what_to_do="close it and try again")
    return StorageError(f"the journal {path} cannot be {verb}: {text}", what_to_do="check the folder's rights and the disk")


def _connect(path: Path, uri: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
    except sqlite3.Error as error:
        raise storage_error(path, error, "opened") from error


def _quoted(path: Path) -> str:
    return path.absolute().as_posix().replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _check(connection: sqlite3.Connection, path: Path, *, may_be_new: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    empty = objects == 0 and application == 0 and version == 0
    if empty and may_be_new:
        return
    if empty:
        raise StorageError(f"the journal {path} is empty", what_to_do="nothing was recorded there yet")
    if application != APPLICATION_ID:
        raise StorageError(f"{path} is not a journal", what_to_do="move that file away, or choose another home with --home DIR")
    if version > SCHEMA_VERSION:
        what = f"the journal {path} was written by a newer Quarterdeck (version {version}, this one knows {SCHEMA_VERSION})"
        raise StorageError(what, what_to_do="use that one, or another home with --home DIR")


def _create_or_migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            for statement in (_RUNS, *map(_table, _COLUMNS), *_INDEXES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for step in range(max(version, 1), SCHEMA_VERSION) if version else ():
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _table(name: str) -> str:
    types = {"i": "INTEGER", "r": "REAL", "t": "TEXT", "b": "BLOB"}
    lines = []
    for column in _COLUMNS[name].split():
        label, kind = column.split(":")
        lines.append(f"{label} {types[kind[0]]}" + ("" if kind.endswith("?") else " NOT NULL"))
    key = _CLUSTERED.get(name) or _KEYED.get(name)
    if key is not None:
        lines.append(f"PRIMARY KEY ({key})")
    return f"CREATE TABLE {name} ({', '.join(lines)})" + (" WITHOUT ROWID" if name in _CLUSTERED else "")
