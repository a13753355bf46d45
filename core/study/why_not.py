"""The "why not?" ledger as questions: what the desk made of a pair's bar, with every number and threshold, and counts by reason.

Promises: answers come from the journal alone; a bar that was judged several times (a passing condition) tells every judgement and
counts once, by its last.
Does not: judge anew (`core.study.audit` does), or mix runs unless several are named.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.journal.tape_format import decode_effect, decode_input, tags_of
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.model.inputs import BarClosed, BarMissing, ConnectionState
from quarterdeck.core.model.signals import Check, NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S, UtcNs

_SEEN_IN = ("verdicts", "signals", "no_signals")


class TimedVerdict(Struct, frozen=True):
    """One verdict on one bar, and when it was given."""

    at_utc_ns: UtcNs
    verdict: Verdict


class BarVerdicts(Struct, frozen=True, kw_only=True):
    """All that is recorded about one pair's closed bar in one run."""

    run_id: str
    symbol: str
    bar_open_utc_ns: UtcNs
    found: Signal | NoSignal | None
    """What the scanner said, with its votes; None where it said nothing, or its input is pruned."""
    gate: str = ""
    """What the gate said before that scan: the trading state and its reasons. Empty where this run had reported none by then."""
    judgements: tuple[TimedVerdict, ...]
    """In the order in which they were given; the last one holds."""

    @property
    def last(self) -> Verdict | None:
        """The verdict that holds."""
        return self.judgements[-1].verdict if self.judgements else None

    def lines(self) -> tuple[str, ...]:
        """For people: the verdict, then every vote and check with its number and threshold."""
        text = [f"{self.symbol}, bar of {iso(self.bar_open_utc_ns)}, run {self.run_id}"]
        if self.gate:
            text.append(f"state before this scan: {self.gate}")
        if self.found is not None:
            text.append(_found_line(self.found))
            text += [_check_line(vote) for vote in self.found.votes]
        for judgement in self.judgements:
            verdict = judgement.verdict
            side = f" {verdict.side.word}" if verdict.side is not None else ""
            size = f", {verdict.lots:.2f} lots, risk {verdict.risk_money:.2f}" if verdict.lots else ""
            reason = f": {verdict.reason}" if verdict.reason else ""
            text.append(f"{iso(judgement.at_utc_ns)}{side} {verdict.outcome}{reason}{size}")
            text += [_check_line(check) for check in verdict.checks]
        if len(text) == 1:
            text.append("nothing is recorded about this bar")
        return tuple(text)


def parse_bar(text: str) -> UtcNs:
    """The open of the M15 bar that holds an instant, UTC unless `text` names an offset.

    Raises:
        UsageError: not a date with a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "write a date and a time in UTC, like 2024-08-05T13:30"
        raise UsageError(f"{text!r} is not a valid time", what_to_do=remedy) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return bar_open_of(round(moment.timestamp()) * NS_PER_S)


def bar_open_of(at_utc_ns: UtcNs) -> UtcNs:
    """The open of the M15 bar that holds an instant."""
    return at_utc_ns // M15_NS * M15_NS


def bar_verdicts(reader: TapeReader, symbol: str, bar_open_utc_ns: UtcNs, *, run: int | None = None) -> tuple[BarVerdicts, ...]:
    """The stories of a pair's bar, one for each run that judged it (a replay may have seen it too), the oldest run first.

    Raises:
        StorageError: the journal cannot be read, or holds no such run.
    """
    if run is not None:
        return (_story(reader, reader.run(run), symbol, bar_open_utc_ns),)
    sql = " UNION ".join(f"SELECT run FROM {table} WHERE symbol = ?1 AND bar_open_utc_ns = ?2" for table in _SEEN_IN)
    judged = {number for (number,) in reader.rows(sql, symbol, bar_open_utc_ns)}
    return tuple(_story(reader, found, symbol, bar_open_utc_ns) for found in reader.runs() if found.run in judged)


class Unjudged(Struct, frozen=True):
    """Why nobody judged a bar: the run that lived then, None where none did, and what it recorded of that time."""

    run: Run | None
    text: str


def unjudged(reader: TapeReader, symbol: str, bar_open_utc_ns: UtcNs, *, run: int | None = None) -> Unjudged:
    """Why a pair's bar was not judged, in the run named or in the one that lived when it closed.

    Raises:
        StorageError: the journal cannot be read, or holds no such run.
    """
    closed_utc_ns = bar_open_utc_ns + M15_NS
    spans = [(one, *_span_of(reader, one)) for one in ([reader.run(run)] if run is not None else reader.runs())]
    lived = [one for one, first, last in spans if first <= closed_utc_ns <= last + M15_NS]
    if not lived:
        before = max((last for _, _, last in spans if 0 < last < closed_utc_ns), default=0)
        after = min((first for _, first, _ in spans if first > closed_utc_ns), default=0)
        known = [f"the last input before it is of {iso(before)}"] if before else []
        known += [f"the next run began at {iso(after)}"] if after else []
        return Unjudged(None, "; ".join(["no engine ran when it closed", *known]))
    return Unjudged(lived[-1], _recorded(reader, lived[-1], symbol, bar_open_utc_ns))


def _span_of(reader: TapeReader, run: Run) -> tuple[UtcNs, UtcNs]:
    """Market time of a run's first and last input; zeros where its tape is empty."""
    ends = "SELECT at_utc_ns FROM tape WHERE run = ?1 ORDER BY seq {} LIMIT 1"
    found = [reader.rows(ends.format(order), run.run) for order in ("ASC", "DESC")]
    first, last = (int(rows[0][0]) if rows else 0 for rows in found)
    return first, last


def _recorded(reader: TapeReader, run: Run, symbol: str, bar_open_utc_ns: UtcNs) -> str:
    """What the tape says of a bar that got no answer: it was absent, it came late, or the line was down."""
    closed_utc_ns = bar_open_utc_ns + M15_NS
    tags = tags_of(BarMissing, BarClosed)
    sql = f"SELECT at_utc_ns, body FROM tape WHERE run = ? AND at_utc_ns >= ? AND tag IN ({_marks(tags)}) ORDER BY seq"
    for at, body in reader.rows(sql, run.run, bar_open_utc_ns, *tags):
        told = _decoded(decode_input, body, reader, run)
        if isinstance(told, BarMissing) and (told.symbol, told.bar_open_utc_ns) == (symbol, bar_open_utc_ns):
            return f"there was no such bar: {told.why or 'no tick in it'}"
        if isinstance(told, BarClosed) and (told.symbol, told.bar.open_utc_ns) == (symbol, bar_open_utc_ns):
            late = f"it was read late, at {iso(at)}, when no entry could follow from it any more"
            return late if told.late else "the strategy was asked and its answer is not recorded"
    tags = tags_of(ConnectionState)
    sql = (
        f"SELECT at_utc_ns, body FROM tape WHERE run = ? AND at_utc_ns <= ? AND tag IN ({_marks(tags)}) ORDER BY seq DESC LIMIT 1"
    )
    for at, body in reader.rows(sql, run.run, closed_utc_ns, *tags):
        told = _decoded(decode_input, body, reader, run)
        if isinstance(told, ConnectionState) and not told.is_connected:
            return f"the connection to the broker was down since {iso(at)}: {told.why}; the strategy was never asked"
    return "the pair's bar is not recorded: the strategy was never asked"


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def refusals_per_reason(reader: TapeReader, run: Run, *, symbol: str = "") -> dict[str, int]:
    """Refused and still waiting candidates by reason, each bar counted once by its last verdict, the most frequent first."""
    sql = """SELECT reason, count(*) FROM (
        SELECT reason, outcome,
            row_number() OVER (PARTITION BY symbol, strategy, bar_open_utc_ns ORDER BY seq DESC, n DESC) AS place
        FROM verdicts WHERE run = ? AND (? = '' OR symbol = ?))
        WHERE place = 1 AND outcome IN ('refused', 'waiting') GROUP BY reason ORDER BY count(*) DESC, reason"""
    return {str(reason): int(count) for reason, count in reader.rows(sql, run.run, symbol, symbol)}


def _story(reader: TapeReader, run: Run, symbol: str, bar_open: UtcNs) -> BarVerdicts:
    sql = """SELECT v.at_utc_ns, e.body FROM verdicts AS v JOIN effects AS e ON e.run = v.run AND e.seq = v.seq AND e.n = v.n
        WHERE v.run = ? AND v.symbol = ? AND v.bar_open_utc_ns = ? ORDER BY v.seq, v.n"""
    judgements = []
    for at, body in reader.rows(sql, run.run, symbol, bar_open):
        effect = _decoded(decode_effect, body, reader, run)
        if isinstance(effect, Verdict):
            judgements.append(TimedVerdict(at, effect))
    scan = _scan_of(reader, run, symbol, bar_open)
    return BarVerdicts(
        run_id=run.run_id,
        symbol=symbol,
        bar_open_utc_ns=bar_open,
        found=_said(reader, run, scan),
        gate=_gate(reader, run, scan),
        judgements=tuple(judgements),
    )


def _scan_of(reader: TapeReader, run: Run, symbol: str, bar_open: UtcNs) -> int:
    """Sequence number of the scanner's first word about a bar; 0 where it said none."""
    places = " UNION ".join(
        f"SELECT seq FROM {table} WHERE run = ?1 AND symbol = ?2 AND bar_open_utc_ns = ?3" for table in ("signals", "no_signals")
    )
    ((first,),) = reader.rows(f"SELECT min(seq) FROM ({places})", run.run, symbol, bar_open)
    return int(first or 0)


def _gate(reader: TapeReader, run: Run, scan: int) -> str:
    sql = "SELECT state, reasons FROM states WHERE run = ? AND seq < ? ORDER BY seq DESC, n DESC LIMIT 1"
    for state, reasons_then in reader.rows(sql, run.run, scan):
        return "open" if state == "ACTIVE" else f"{state} ({', '.join(str(reasons_then).split())})"
    return ""


def _said(reader: TapeReader, run: Run, scan: int) -> Signal | NoSignal | None:
    for (body,) in reader.rows("SELECT body FROM tape WHERE run = ? AND seq = ?", run.run, scan):
        item = _decoded(decode_input, body, reader, run)
        if isinstance(item, Signal | NoSignal):
            return item
    return None


def _decoded(decode: Any, body: bytes, reader: TapeReader, run: Run) -> Any:
    try:
        return decode(body)
    except ValueError as error:
        what = f"run {run.run} in {reader.path} cannot be decoded: {error}"
        raise StorageError(what, what_to_do="read it with the Quarterdeck that wrote it") from error


def _found_line(found: Signal | NoSignal) -> str:
    if isinstance(found, NoSignal):
        if not found.withheld:
            return f"the strategy {found.strategy} found nothing"
        failed = found.withheld.startswith(("strategy ", "decide "))
        return f"the strategy {found.strategy} {'failed' if failed else 'was not asked'}: {found.withheld}"
    prices = f"entry {found.entry_price:g}, stop {found.stop_price:g}, target {found.target_price:g} (bid)"
    return f"the strategy {found.strategy} found {found.side.word} with confidence {found.confidence:.2f}: {prices}"


def _check_line(check: Check) -> str:
    value = "" if check.value is None else f" {check.value:.6g}"
    threshold = "" if check.threshold is None else f" against {check.threshold:.6g}"
    note = f" ({check.note})" if check.note else ""
    return f"  {'passed' if check.passed else 'FAILED'}  {check.name}{value}{threshold}{note}"
