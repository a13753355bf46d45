"""The journal's writer: takes what the desk got and answered, and has it on disk before anything is done about it.

Why: an order may only leave when its intent is safe (law 5), and a disk must never slow the desk.
Promises: `append` only queues, for microseconds; `flush` returns True when all that was appended is in the file (and through the
disk's cache when durable), False when the journal cannot be written: then nothing that adds risk may be sent, and the requests
appended are in the reserve. What could not be written is kept and written when there is room, with the reserve as its witness
through a crash. The queue is bounded; what it cannot hold in a long failure is left out as a visible gap. An entry that can never
be written is left out and reported, and blocks none behind it (law 15). A journal whose file was taken away counts as one that
cannot be written.
Does not: perform, decide, or read what it wrote. One event loop or thread appends.

Threads: with `threaded` a thread of its own commits every `group_commit_ms`, and at once for a flush; a queue that has grown long
is written by whoever appends. Without, all is written by the caller, in batches: a busy single-threaded replay keeps the
interpreter's lock, and a second thread would only make it stutter.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.journal import retention
from quarterdeck.core.journal.journal_file_check import JournalFiles
from quarterdeck.core.journal.journal_rows import REQUESTS
from quarterdeck.core.journal.journal_schema import storage_error
from quarterdeck.core.journal.journal_store import (
    ENTRY_ERRORS,
    AlertRow,
    Checkpoint,
    ErrorRow,
    HeartbeatRow,
    JournalEntry,
    JournalStore,
    NewRun,
)
from quarterdeck.core.journal.reserve_file import ReserveFile, ReserveRecord
from quarterdeck.core.journal.tape_format import encode
from quarterdeck.core.model.effects import Alert, Effect
from quarterdeck.core.model.errors import InvariantError, StorageError
from quarterdeck.core.model.inputs import CommandReceived, ExecutionReport, NewDeal, SequencedInput
from quarterdeck.core.model.units import DAY_NS, H1_NS, UtcNs
from quarterdeck.core.settings.schema import JournalSection

RESERVE_SUFFIX = ".reserve"
_QUEUE_MAX = 20_000
_INLINE_THREADED = 4_000
_INLINE_ALONE = 1_000
_BATCH = 4_000
_RETRY_S = 1.0
_SPAN_NS_MIN = H1_NS
_KEPT_INPUTS = (ExecutionReport, NewDeal, CommandReceived)

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[bool]"]
OnTrouble = Callable[[bool, str], None]
"""Called with (active, why) when the journal stops being writable and when it is again, from any thread."""
OnLeftOut = Callable[[str], None]
"""Called for each entry that can never be written; called from whichever thread found out."""


class JournalWriter:
    """The journal of a home, open for writing by one engine."""

    def __init__(
        self,
        path: Path,
        settings: JournalSection,
        *,
        clock: Clock,
        durable: bool,
        threaded: bool = True,
        on_trouble: OnTrouble | None = None,
        on_left_out: OnLeftOut | None = None,
    ) -> None:
        """Open or make the journal and its reserve, and complete it from the reserve of a crashed run.

        `durable` is for money that is not made up: real, demo and paper; the rest skips the disk's flush.

        Raises:
            StorageError: home not writable, disk full, not a journal, damaged, or of a newer version.
        """
        self._store = JournalStore(path, durable=durable, clock=clock)
        self._settings, self._clock, self._durable, self._threaded = settings, clock, durable, threaded
        self._on_trouble, self._on_left_out = on_trouble, on_left_out
        self._files = JournalFiles(path)
        self._pending: deque[JournalEntry] = deque()  # bounded: `_relieve` writes it, or drops beyond twice _QUEUE_MAX
        self._inline_at = _INLINE_THREADED if threaded else _INLINE_ALONE
        self._lock = threading.Lock()
        self._waiters: list[Waiter] = []
        self._wake, self._hurry = threading.Event(), threading.Event()
        self._awake = not threaded
        self._closing = threading.Event()
        self._pruning: Iterator[tuple[str, int]] | None = None
        self._last_seq = self._first_utc_ns = self._last_utc_ns = 0
        self.reserve_holds = False
        """While the journal cannot be written: whether all that must survive a crash is in the reserve."""
        self.trouble = ""
        """Why the journal cannot be written; empty while it can."""
        self._alerts = 0
        """Numbers the engine's own alerts, over runs as well: by the clock, and never twice the same."""
        self.dropped = 0
        """Inputs that a long failure left out of the tape."""
        try:
            self._reserve = _LastResort(path.with_name(path.name + RESERVE_SUFFIX), settings.reserve_kib * 1024)
            self.completed = self._reserve.hand_over(self._store)
            """Inputs that were found in the reserve of a crashed run and are now in the journal."""
        except BaseException:
            self._store.close()
            raise
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        if threaded:
            self._thread.start()

    @property
    def writable(self) -> bool:
        """Whether the last attempt to write succeeded."""
        return not self.trouble

    @property
    def run(self) -> int:
        """The journal's number of the run, 0 before it begins."""
        return self._store.run

    @property
    def queued(self) -> int:
        """Entries that wait for the writing thread; where there is none they wait for company, and none of them is late."""
        return len(self._pending) if self._threaded else 0

    @property
    def bytes_a_day(self) -> int:
        """Bodies of the tape that this run writes in a day of its market's time; 0 before an hour has passed."""
        span = self._last_utc_ns - self._first_utc_ns
        return round(self._store.tape_bytes * DAY_NS / span) if span >= _SPAN_NS_MIN else 0

    def begin_run(self, run: NewRun) -> int:
        """Begin a run and return its number in the journal. Raises StorageError."""
        try:
            with self._lock:
                self._write_all()
                number = self._store.begin_run(run)
        except sqlite3.Error as error:
            raise storage_error(self._store.path, error, "written") from error
        self._last_seq = self._first_utc_ns = self._last_utc_ns = 0
        self._reserve.begin_run()
        return number

    def append(self, stamped: SequencedInput, effects: Sequence[Effect] = ()) -> None:
        """Queue an input and the desk's whole answer to it. Raises InvariantBroken when the tape would go back."""
        if stamped.seq <= self._last_seq:
            raise InvariantError(f"the tape goes forward (seq={stamped.seq}, last={self._last_seq})")
        if not self._last_seq:
            self._first_utc_ns = stamped.at_utc_ns
        self._last_seq = stamped.seq
        self._last_utc_ns = stamped.at_utc_ns
        self._queue((stamped, effects))

    def checkpoint(self, at_utc_ns: UtcNs, state: bytes, why: str) -> None:
        """Queue the desk's whole state after the last appended input, and the upkeep that may follow from it."""
        self._queue(Checkpoint(at_utc_ns, why, state))

    def error(self, kind: str, text: str, *, level: str = "error", symbol: str = "", ticket: int = 0) -> None:
        """Queue an error that the desk knows nothing of."""
        self._queue(ErrorRow(self._clock.utc_ns(), kind, level, text, symbol, ticket))

    def alert(self, at_utc_ns: UtcNs, alert: Alert) -> None:
        """Queue an alert of the engine's own; those of the desk are in its effects."""
        self._alerts = max(self._alerts + 1, self._clock.utc_ns())
        self._queue(AlertRow(at_utc_ns, -self._alerts, alert))

    def heartbeat(self, wall_utc_ns: UtcNs, body: bytes, *, ok: bool, state: str) -> None:
        """Queue a heartbeat for the history."""
        self._queue(HeartbeatRow(wall_utc_ns, ok, state, body))

    def holds(self, seq: int) -> bool:
        """Whether the inputs up to `seq` are safe already; without `durable` they count as safe when they were appended."""
        return self._store.written_seq >= seq or (not self._durable and self.writable)

    async def kept(self) -> bool:
        """Wait until no crash takes back an order, a report or a command appended so far: by the file, else by the reserve."""
        return await self.flush() or self.reserve_holds

    async def flush(self) -> bool:
        """Wait until all that was appended is safe; False when it is not. Without `durable` it answers without waiting."""
        return True if not self._durable and self.writable else await self.written()

    async def written(self) -> bool:
        """Wait until all that was appended can be read in the file; False when it cannot be written."""
        if not self._threaded:
            return self.flush_blocking()
        if self._closing.is_set():
            return self.writable and not self._pending
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        self._waiters.append((loop, done))
        self._hurry.set()
        self._wake.set()
        return await done

    def flush_blocking(self) -> bool:
        """Write all that was appended in the caller's thread; False when it cannot be written (requests are in the reserve)."""
        return self._write_pending()

    def check_file(self) -> None:
        """Have looked after the journal's file, whether or not there is anything to write."""
        if self._threaded:
            self._hurry.set()
            self._wake.set()
        else:
            self._write_pending()

    def catch_up(self) -> None:
        """Where no thread writes, write what waits: someone is about to read the file, or the market stands still."""
        if not self._threaded:
            self._write_pending()

    def prune(self) -> None:
        """Have deleted what is older than settings keep: by the thread in small steps between its writing, or here and now."""
        settings = self._settings
        steps = retention.prune_steps(self._store.connection, self._clock.utc_ns(), settings.quotes_days, settings.decisions_days)
        self._pruning = steps
        if self._threaded:
            self._wake.set()
            return
        while self._prune_step():
            pass

    def end_run(self, how: str) -> bool:
        """Write what is queued and mark the run as ended in order; False when it cannot be written."""
        if not self._write_pending():
            return False
        try:
            with self._lock:
                self._store.end_run(how, self._last_seq)
        except sqlite3.Error as error:
            self._failed(error)
            return False
        return True

    def close(self) -> None:
        """Write what is queued, stop the thread, close the file. Never raises for a disk that will not serve."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._threaded:
            self._hurry.set()
            self._wake.set()
            self._thread.join()
        self._write_pending()
        with self._lock:
            self._store.close()
            self._reserve.close()

    def _queue(self, entry: JournalEntry) -> None:
        self._pending.append(entry)
        if len(self._pending) >= self._inline_at:
            self._relieve()
        if not self._awake:
            self._awake = True
            self._wake.set()

    def _relieve(self) -> None:
        if (self.writable or not self._threaded) and self._write_pending():
            return
        if len(self._pending) > _QUEUE_MAX:
            newest = self._pending.pop()
            if _matters(newest) and len(self._pending) < 2 * _QUEUE_MAX:
                self._pending.append(newest)
            else:
                self.dropped += 1

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            self._hurry.wait(self._settings.group_commit_ms / 1000.0)
            self._hurry.clear()
            self._awake = False
            waiters, self._waiters = self._waiters, []
            written = self._write_pending()
            for loop, done in waiters:
                _answer(loop, done, written)
            if written and not self._closing.is_set() and self._prune_step():
                self._hurry.set()
                self._wake.set()
            if not written and not self._closing.is_set():
                self._awake = True
                self._hurry.wait(_RETRY_S)
                self._wake.set()
        for loop, done in self._waiters:
            _answer(loop, done, self._write_pending())

    def _prune_step(self) -> bool:
        """One step of what `prune` began; False when there is none left, or the journal will not serve."""
        if self._pruning is None:
            return False
        try:
            with self._lock:
                more = next(self._pruning, None) is not None
        except sqlite3.Error as error:
            self._failed(error)
            more = False
        if not more:
            self._pruning = None
        return more

    def _write_pending(self) -> bool:
        try:
            with self._lock:
                self._files.check()
                self._write_all()
                if self.trouble:
                    self._reserve.clear()
        except (sqlite3.Error, StorageError) as error:
            self._failed(error)
            return False
        if self.trouble:
            self.trouble = ""
            self._tell(active=False)
        return True

    def _write_all(self) -> None:
        """Called with the lock held; what fails goes back to the head of the queue."""
        pending, left = self._pending, len(self._pending)
        while left:
            entries = [pending.popleft() for _ in range(min(left, _BATCH))]
            left -= len(entries)
            written = 0
            try:
                try:
                    self._store.write(entries)
                except ENTRY_ERRORS:
                    for entry in entries:
                        self._tell_left_out(self._store.write_alone(entry))
                        written += 1
            except BaseException:
                pending.extendleft(reversed(entries[written:]))
                raise

    def _failed(self, error: sqlite3.Error | StorageError) -> None:
        with self._lock:
            newly = not self.trouble
            known = error if isinstance(error, StorageError) else storage_error(self._store.path, error, "written")
            self.trouble = str(known)
            self.reserve_holds = self._reserve.record(self._store.run, tuple(self._pending))
        if newly:
            self._tell(active=True)

    def _tell_left_out(self, what: str) -> None:
        if what and self._on_left_out is not None:
            self._on_left_out(what)

    def _tell(self, *, active: bool) -> None:
        if self._on_trouble is not None:
            self._on_trouble(active, self.trouble)


class _LastResort:
    """The reserve, filled from the queue while the journal cannot be written and handed over at the next start."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        """Raises StorageError."""
        self._file = ReserveFile(path, size_bytes)
        self._seq = 0

    def begin_run(self) -> None:
        """Sequence numbers begin anew."""
        self._seq = 0

    def record(self, run: int, pending: Sequence[JournalEntry]) -> bool:
        """Record what matters of the queue and is not recorded yet; whether all that matters is safe."""
        kept: list[ReserveRecord] = []
        for entry in pending:
            if isinstance(entry, tuple) and entry[0].seq > self._seq and _matters(entry):
                stamped, effects = entry
                with contextlib.suppress(*ENTRY_ERRORS):  # what has no encoding blocks none behind it
                    bodies = tuple(encode(effect) for effect in effects)
                    kept.append(ReserveRecord(run, stamped.seq, stamped.at_utc_ns, encode(stamped.input), bodies))
        if kept and not self._file.record(kept):
            return False
        if kept:
            self._seq = kept[-1].seq
        return True

    def hand_over(self, store: JournalStore) -> int:
        """Complete the journal of a run that crashed; gives the inputs added. Raises StorageError."""
        records = self._file.read()
        if not records:
            return 0
        try:
            added = store.complete(records)
        except sqlite3.Error as error:
            raise storage_error(store.path, error, "completed from its reserve") from error
        self._file.clear()
        return added

    def clear(self) -> None:
        """The journal holds all of it now."""
        self._file.clear()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _matters(entry: JournalEntry) -> bool:
    """Whether a crash must not lose it: a request to the broker, what became of one, money, or an operator's decision."""
    if not isinstance(entry, tuple):
        return False
    stamped, effects = entry
    return isinstance(stamped.input, _KEPT_INPUTS) or any(type(effect) in REQUESTS for effect in effects)


def _answer(loop: asyncio.AbstractEventLoop, done: asyncio.Future[bool], written: bool) -> None:
    def settle() -> None:
        if not done.done():
            done.set_result(written)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop was closed meanwhile: nobody waits any more
