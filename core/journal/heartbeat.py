"""The heartbeat: that the engine lives, and what is wrong with it, for watchers outside.

Promises: `heartbeat.json` is replaced whole, so a reader never sees half of one; where the disk is too full for a second file, it
is overwritten in its own room. History is kept in the journal: each change, and once a minute.
Does not: judge trading; a reason that the operator set is reported, and is no fault.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.errors import UNREADABLE, CheckFailedError, EngineNotRunningError
from quarterdeck.core.model.snapshot import PartView, Snapshot
from quarterdeck.core.model.units import NS_PER_S, Money, UtcNs
from quarterdeck.core.settings.safe_files import open_new, read_small

_ROOM_BYTES = 4096
"""The file is padded to a multiple of this, so that overwriting it takes no new room."""
_HISTORY_NS = 60 * NS_PER_S
_LATE_BEATS = 4
_LATE_S_MIN = 20.0
_LOOP_LATE_MS = 2_000.0
_NO_FAULT = ("starting", "paused", "flatten", "flat", "stopping", "entries")
"""Reasons of the trading state that are someone's wish, or tell that the day's count is full: no fault."""


_REASON_OF = {"data": "feed"}
"""A part whose failure the desk tells as a reason of another name."""


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, by a countable word."""

    kind: str
    text: str
    since_utc_ns: UtcNs = 0
    """0 where the beginning is not known."""
    of_part: bool = False
    """A part of the engine fails at its work: no reason of the desk's, so that nobody else tells of it."""

    @property
    def line(self) -> str:
        """Kind and text on one line, the kind once."""
        return self.text if self.text.startswith(self.kind) else f"{self.kind}: {self.text}"


class Heartbeat(Struct, frozen=True, kw_only=True):
    """What a watcher outside can know; money in account currency."""

    wall_utc_ns: UtcNs
    wall: str
    """The same instant as ISO 8601, for people."""
    every_s: float = 0.0
    """Seconds since the beat before; 0 at the first."""
    pid: int
    run_id: str
    home: str
    ready: bool
    mode: str
    account: int = 0
    server: str = ""
    state: str
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    market_utc_ns: UtcNs = 0
    tape_seq: int = 0
    equity_money: Money | None = None
    day_result_money: Money | None = None
    positions: int = 0
    without_stop: int = 0
    unknown_fates: int = 0
    oldest_quote_utc_ns: UtcNs = 0
    loop_lag_ms: float = 0.0
    tape_bytes_day: int = 0
    errors: dict[str, int] = {}
    parts: tuple[PartView, ...] = ()
    """Each part of the engine with the age of its last work."""
    ended: Literal["", "clean", "failed"] = ""
    ended_why: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and self.ended != "failed"


class HeartbeatStatus(Struct, frozen=True):
    """What `status` makes of a heartbeat."""

    exit_code: int
    text: str


class HeartbeatHistory(Protocol):
    """Where heartbeats are kept."""

    def heartbeat(self, wall_utc_ns: UtcNs, body: bytes, *, ok: bool, state: str) -> None:
        """Keep one."""
        ...


class HeartbeatWriter:
    """Beats for one run."""

    def __init__(self, path: Path, journal: HeartbeatHistory) -> None:
        """`path` is heartbeat.json; nothing is written yet."""
        self._path = path
        self._journal = journal
        self._last: Heartbeat | None = None
        self._kept_utc_ns = 0
        self._kept_as: tuple[object, ...] = ()
        self.failures = 0
        """Beats that could not be written to the file."""

    @property
    def last_utc_ns(self) -> UtcNs:
        """Wall time of the newest beat; 0 before the first."""
        return 0 if self._last is None else self._last.wall_utc_ns

    def beat(self, snapshot: Snapshot) -> Heartbeat:
        """Write a beat of what the snapshot shows; a disk that will not serve is counted, never raised."""
        beat = heartbeat_of(snapshot, self.last_utc_ns)
        self._write(beat)
        return beat

    def stopped(self, wall_utc_ns: UtcNs, why: str, *, clean: bool) -> None:
        """Write the last beat: the run is over, and how."""
        if self._last is None:
            return
        ended: Literal["clean", "failed"] = "clean" if clean else "failed"
        last = msgspec.structs.replace(
            self._last, wall_utc_ns=wall_utc_ns, wall=iso(wall_utc_ns), ready=False, ended=ended, ended_why=why
        )
        self._write(last)

    def _write(self, beat: Heartbeat) -> None:
        self._last = beat
        if not write_whole(self._path, msgspec.json.format(msgspec.json.encode(beat), indent=1)):
            self.failures += 1
        looks = (beat.state, beat.ok, beat.ended, tuple(problem.kind for problem in beat.problems))
        if looks != self._kept_as or beat.wall_utc_ns - self._kept_utc_ns >= _HISTORY_NS:
            self._kept_utc_ns, self._kept_as = beat.wall_utc_ns, looks
            self._journal.heartbeat(beat.wall_utc_ns, msgspec.json.encode(beat), ok=beat.ok, state=beat.state)


def heartbeat_of(snapshot: Snapshot, before_utc_ns: UtcNs = 0) -> Heartbeat:
    """The heartbeat that a snapshot amounts to; `before_utc_ns` is the wall time of the beat before, 0 for none."""
    desk, engine = snapshot.desk, snapshot.engine
    account = desk.account
    return Heartbeat(
        wall_utc_ns=engine.wall_utc_ns,
        wall=iso(engine.wall_utc_ns),
        every_s=(engine.wall_utc_ns - before_utc_ns) / NS_PER_S if before_utc_ns else 0.0,
        pid=engine.pid,
        run_id=engine.run_id,
        home=engine.home,
        ready=engine.ready,
        mode=desk.mode,
        account=0 if account is None else account.login,
        server="" if account is None else account.server,
        state=desk.state,
        reasons=tuple(reason.code for reason in desk.reasons),
        problems=problems_of(snapshot),
        market_utc_ns=desk.at_utc_ns,
        tape_seq=engine.tape_seq,
        equity_money=desk.equity_money,
        day_result_money=desk.day_result_money,
        positions=sum(position.ours for position in desk.positions),
        without_stop=desk.positions_without_stop,
        unknown_fates=desk.unconfirmed_orders,
        oldest_quote_utc_ns=desk.oldest_quote_utc_ns,
        loop_lag_ms=engine.loop_lag_ms,
        tape_bytes_day=engine.tape_bytes_day,
        errors=dict(engine.errors),
        parts=engine.parts,
    )


def read_heartbeat(path: Path) -> Heartbeat | None:
    """The heartbeat of a home; None where there is none that can be read."""
    try:
        return msgspec.json.decode(read_small(path), type=Heartbeat)
    except (OSError, *UNREADABLE):
        return None


def heartbeat_status(beat: Heartbeat | None, now_utc_ns: UtcNs, *, alive: bool | None = None) -> HeartbeatStatus:
    """Exit code and one line: 0 well, 8 not running, 9 running and something is wrong.

    `alive` says whether the process exists, None where nobody looked. A beat counts as late after four of its intervals, and
    never before 20 s.
    """
    if beat is None:
        return HeartbeatStatus(EngineNotRunningError.exit_code, "not running: there is no heartbeat")
    what = f"run {beat.run_id} ({beat.mode}, pid {beat.pid})"
    age_s = max(0.0, (now_utc_ns - beat.wall_utc_ns) / NS_PER_S)
    if beat.ended:
        how = "ended" if beat.ended == "clean" else "ended badly"
        return HeartbeatStatus(
            EngineNotRunningError.exit_code, f"not running: {what} {how} {span_words(age_s)} ago: {beat.ended_why}"
        )
    late = age_s > max(_LATE_BEATS * beat.every_s, _LATE_S_MIN)
    if alive is False or (late and alive is None):
        return HeartbeatStatus(
            EngineNotRunningError.exit_code,
            f"not running: {what} sent its last heartbeat {span_words(age_s)} ago and did not end properly",
        )
    if late:
        return HeartbeatStatus(
            CheckFailedError.exit_code, f"stuck: {what} is running, but has sent no heartbeat for {span_words(age_s)}"
        )
    reasons = f" ({', '.join(beat.reasons)})" if beat.reasons else ""
    line = f"{what} {beat.state}{reasons}, {beat.positions} positions"
    if beat.problems:
        return HeartbeatStatus(
            CheckFailedError.exit_code, f"{line}; wrong: " + "; ".join(problem.text for problem in beat.problems)
        )
    return HeartbeatStatus(0, f"{line}; well")


def last_word(beat: Heartbeat | None, now_utc_ns: UtcNs) -> str:
    """What the newest heartbeat said and how old it is, with what was open then; empty where there is none."""
    if beat is None:
        return ""
    ended = f", ended: {beat.ended_why}" if beat.ended_why else ""
    age = span_words(max(0.0, (now_utc_ns - beat.wall_utc_ns) / NS_PER_S))
    text = f"the last heartbeat was {age} ago, state {beat.state}{ended}"
    if not beat.positions or beat.mode in ("replay", "simulated"):
        return text
    count = "1 position was" if beat.positions == 1 else f"{beat.positions} positions were"
    return f"{text}; {count} open then: only stops at the broker protect open positions while no engine runs"


def write_whole(path: Path, body: bytes) -> bool:
    """Replace a file in one step, readable by this user alone; False when neither that nor overwriting it works."""
    padded = body + b"\n" + b" " * (-(len(body) + 1) % _ROOM_BYTES)
    beside = path.with_name(path.name + ".new")
    try:
        with os.fdopen(open_new(beside), "wb") as file:
            file.write(padded)
        beside.replace(path)
    except OSError:
        # a full disk, or on Windows a reader that holds the file open
        with contextlib.suppress(OSError):
            beside.unlink()
        try:
            with path.open("r+b") as file:
                file.write(padded)
                file.truncate()
        except OSError:
            return False
    return True


def problems_of(snapshot: Snapshot) -> tuple[Problem, ...]:
    """What is wrong, each once: reasons of the trading state, facts of the book, and parts that did not do their work."""
    desk, engine = snapshot.desk, snapshot.engine
    found = [
        Problem(kind=reason.code, text=reason.text or reason.code, since_utc_ns=reason.since_utc_ns)
        for reason in desk.reasons
        if reason.code not in _NO_FAULT
    ]
    known = {problem.kind for problem in found}
    facts = (
        ("feed", not engine.connection_up, f"the broker connection is down: {engine.connection_reason}"),
        ("journal", not engine.journal_writable, "the journal cannot be written"),
        ("unknown_fate", desk.unconfirmed_orders > 0, f"orders that the broker has not confirmed: {desk.unconfirmed_orders}"),
        ("no_stop", desk.positions_without_stop > 0, f"positions without a stop at the broker: {desk.positions_without_stop}"),
        ("book", desk.positions_match is False, "the positions of desk and broker do not match"),
        ("calendar", bool(engine.calendar_why), f"calendar: {engine.calendar_why}"),
        ("history", bool(engine.history_why), f"history: incomplete, no entries: {engine.history_why}"),
        ("scanning", not engine.scanning_up, f"no scan worker answers; {engine.scanning}"),
        ("loop", engine.loop_lag_ms > _LOOP_LATE_MS, f"the event loop is {engine.loop_lag_ms / 1000.0:.1f} s late"),
    )
    found += [Problem(kind=kind, text=text) for kind, wrong, text in facts if wrong and kind not in known]
    known = {problem.kind for problem in found}
    for part in engine.parts:
        if not part.ok and _REASON_OF.get(part.name, part.name) not in known:
            age = "" if part.age_s is None else f" for {span_words(part.age_s)}"
            found.append(Problem(kind=part.name, text=f"{part.name}: {part.text}{age}", of_part=True))
    return tuple(found)


def span_words(seconds: float) -> str:
    """A span in the largest unit of which there are two."""
    for size, word in ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
