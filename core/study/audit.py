"""The audit: a tape is fed to a fresh desk, and each decision is compared with the one on the tape.

Why: a machine that decides the same from the same inputs can be proved to have done so, from the journal alone, in any process.
Promises: every recorded decision is compared, field by field; the first difference is reported with its input, what the tape
has and what was decided now; a changed, swapped, missing or pruned input is reported as such. After a break the audit continues
at the next checkpoint.
Does not: know the desk (a factory makes it), nor perform anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.desk.desk_state import decoded, encoded
from quarterdeck.core.journal.tape_format import decode_effect, same_decision, same_effect, tag_of
from quarterdeck.core.journal.tape_reader import TAPE_VERSION, Run, TapeEntry, TapeReader
from quarterdeck.core.model.effects import Effect, TradeClosed, Verdict
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import Input, SequencedInput
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.version import code_version

_PROGRESS_EVERY = 2_000
_VALUE_MAX = 80
_CHANGES_SHOWN = 4


class AuditedDesk(Protocol):
    """What an audit needs of a desk."""

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        """Consume an input, answer with effects."""
        ...

    def checkpoint(self) -> bytes:
        """The whole state."""
        ...


def _same_state(recorded: bytes, now: bytes) -> bool:
    """Whether a checkpoint equals a recorded one; fields that came later count with their defaults, old names as today's."""
    if recorded == now:
        return True
    try:
        return encoded(decoded(recorded)) == now
    except msgspec.ValidationError:
        return False


DeskFactory = Callable[[], AuditedDesk]
AuditProgress = Callable[[int, int], None]
"""Called with (inputs done, inputs in all)."""


class AuditDifference(Struct, frozen=True, kw_only=True):
    """One finding, at the input where it showed."""

    kind: Literal["decision", "altered", "gap", "broken", "end"]
    """decision: another effect; altered: a changed tape; gap: missing inputs; broken: the desk refused; end: it is cut short."""
    seq: int
    at_utc_ns: UtcNs
    input: str
    text: str

    def one_line(self) -> str:
        """In words."""
        return f"input {self.seq} at {iso(self.at_utc_ns)} ({self.input}): {self.text}"


class AuditResult(Struct, frozen=True, kw_only=True):
    """What an audit of one run found."""

    run_id: str
    run: int
    recorded_by: str
    """Version of the code that made the tape."""
    inputs: int
    decisions: int
    """Effects compared: those on the tape, and those that were decided now beyond them."""
    agree: int
    first_difference: AuditDifference | None
    """The earliest finding of any kind."""
    first_decision: AuditDifference | None
    """The first decision that differs."""
    changed: dict[str, int]
    """Differing decisions by what they were and became, the most frequent first."""
    findings: dict[str, int]
    """Findings by kind."""
    pruned_before_seq: int
    """Inputs before this one were pruned and not audited; 1 where the tape is complete."""
    states: int
    """Checkpoints passed."""
    states_agree: int
    """Checkpoints at which the fresh desk's state was the same to the byte; another version's may differ and decide the same."""
    reworded: int
    """Decisions that agree, with a sentence for people in other words: the tape is of another version of the program."""
    older_rules: bool
    """The tape is of an older version whose rules were other ones: decisions that differ are no fault of the record."""

    @property
    def agrees(self) -> bool:
        """Whether the tape is complete and every decision agrees that was made by today's rules."""
        return not self.findings or (self.older_rules and self.findings.keys() <= {"decision"})

    def lines(self) -> tuple[str, ...]:
        """For people."""
        head = f"run {self.run_id}, recorded by {self.recorded_by}"
        found = [f"{head}: {self.agree} of {self.decisions} decisions agree, {self.inputs} inputs"]
        if self.older_rules and self.agrees:
            today = "the differences below are decisions that today's rules make differently"
            found.append(f"it was recorded under older rules: no input is missing or altered, and {today}")
        if self.reworded:
            found.append(f"the texts of {self.reworded} decisions are worded differently, as this version of the program does")
        if self.pruned_before_seq > 1:
            found.append(f"inputs before {self.pruned_before_seq} are pruned and were not audited")
        if self.first_difference is not None:
            found.append(f"first difference: {self.first_difference.one_line()}")
        if self.first_decision is not None and self.first_decision != self.first_difference:
            found.append(f"first decision that differs: {self.first_decision.one_line()}")
        found += [f"{count} x {what}" for what, count in self.changed.items()]
        return tuple(found)

    def fields(self) -> dict[str, Any]:
        """For scripts: one flat object."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain | {"agrees": self.agrees}


def audit(
    path: Path,
    factory: DeskFactory,
    *,
    run: int | None = None,
    other_settings: bool = False,
    progress: AuditProgress | None = None,
) -> AuditResult:
    """Audit a run of the journal at `path`, the last one unless named. With `other_settings` every difference is a finding.

    Raises:
        StorageError: no such journal or run, a tape that cannot be decoded, or one pruned throughout.
    """
    with TapeReader(path) as reader:
        return _Audit(reader, reader.run(run), factory, other_settings=other_settings).result(progress)


class _Audit:
    """One pass over one run."""

    def __init__(self, reader: TapeReader, run: Run, factory: DeskFactory, *, other_settings: bool) -> None:
        self._reader = reader
        self._run = run
        self._older_rules = run.tape_version < TAPE_VERSION and not other_settings
        self._factory = factory
        self._marks = {mark.seq for mark in reader.checkpoints(run)}
        self._desk: AuditedDesk | None = None
        self._other_code = run.code_version != code_version() and not other_settings
        self._inputs = self._decisions = self._agree = self._reworded = self._states = self._states_agree = 0
        self._first: AuditDifference | None = None
        self._first_decision: AuditDifference | None = None
        self._changed: Counter[str] = Counter()
        self._findings: Counter[str] = Counter()

    def result(self, progress: AuditProgress | None) -> AuditResult:
        start = self._start()
        total = self._reader.inputs_after(self._run, start)
        self._desk = self._fresh(start)
        last: SequencedInput | None = None
        for entry in self._reader.entries(self._run, start):
            self._take(entry, start if last is None else last.seq)
            last = entry.stamped
            if progress is not None and self._inputs % _PROGRESS_EVERY == 0:
                progress(self._inputs, total)
        if last is not None and self._run.last_seq is not None and last.seq < self._run.last_seq:
            self._find("end", last, f"the tape ends here, the run continued to input {self._run.last_seq}")
        if progress is not None:
            progress(self._inputs, total)
        return AuditResult(
            run_id=self._run.run_id,
            run=self._run.run,
            recorded_by=self._run.code_version,
            inputs=self._inputs,
            decisions=self._decisions,
            agree=self._agree,
            first_difference=self._first,
            first_decision=self._first_decision,
            changed=dict(sorted(self._changed.items(), key=lambda pair: (-pair[1], pair[0]))),
            findings=dict(sorted(self._findings.items())),
            pruned_before_seq=start + 1,
            states=self._states,
            states_agree=self._states_agree,
            reworded=self._reworded,
            older_rules=self._older_rules,
        )

    def _start(self) -> int:
        """After which input the audit begins: 0, or the first checkpoint behind which nothing was pruned."""
        if self._run.tape_from_seq <= 1:
            return 0
        whole = [seq for seq in sorted(self._marks) if seq + 1 >= self._run.tape_from_seq]
        if not whole:
            pruned = f"pruned up to input {self._run.tape_from_seq} and has no checkpoint after it"
            what = f"the tape of run {self._run.run_id} is {pruned}"
            raise StorageError(what, what_to_do="audit a newer run, or keep quotes longer (journal.quotes_days)")
        return whole[0]

    def _fresh(self, after_seq: int) -> AuditedDesk:
        desk = self._factory()
        for stamped in self._reader.segment(self._run, after_seq).prefix:
            desk.on(stamped)
        return desk

    def _take(self, entry: TapeEntry, last_seq: int) -> None:
        stamped = entry.stamped
        self._inputs += 1
        self._decisions += entry.lost_effects
        if not entry.intact and stamped.seq == last_seq + 1:
            self._find("altered", stamped, "the tape was changed here or just before: its checksum does not fit")
        if stamped.seq != last_seq + 1:
            self._find("gap", stamped, f"{stamped.seq - last_seq - 1} inputs are missing before it")
            self._desk = self._fresh(stamped.seq - 1) if stamped.seq - 1 in self._marks else None
        elif self._desk is None and last_seq in self._marks:
            self._desk = self._fresh(last_seq)
        got = self._decided(stamped)
        if got is None:
            self._decisions += len(entry.effects)
            return
        self._compare(entry, got)
        if stamped.seq in self._marks and self._desk is not None:
            self._states += 1
            recorded = self._reader.segment(self._run, stamped.seq).state
            self._states_agree += recorded is not None and _same_state(recorded, self._desk.checkpoint())

    def _decided(self, stamped: SequencedInput) -> tuple[Effect, ...] | None:
        if self._desk is None:
            return None
        try:
            return self._desk.on(stamped)
        except Exception as error:  # noqa: BLE001 - a desk that breaks on a tape, whichever way, is what an audit is to find
            self._find("broken", stamped, f"the desk breaks: {type(error).__name__}: {error}")
            self._desk = None
            return None

    def _compare(self, entry: TapeEntry, got: tuple[Effect, ...]) -> None:
        recorded = entry.effects
        self._decisions += max(len(recorded), len(got))
        same = [self._same(body, effect) for body, effect in zip(recorded, got, strict=False)]
        self._agree += sum(same)
        if all(same) and len(recorded) == len(got):
            return
        was, now = _unmatched(recorded, got, self._same)
        for old, new in zip_longest(was, now):
            self._changed[f"{_word(old)} -> {_word(new)}"] += 1
        old, new = next(zip_longest(was, now), (None, None))
        # the same effects in another order leave nothing unmatched
        text = _contrast(old, new) if was or now else "the same effects in another order"
        self._find("decision", entry.stamped, text)

    def _same(self, recorded: bytes, effect: Effect) -> bool:
        """Whether a decision is the recorded one; another version may say the same in other words, and that is counted."""
        if same_effect(recorded, effect):
            return True
        if not self._other_code or not same_decision(recorded, effect):
            return False
        self._reworded += 1
        return True

    def _find(self, kind: Literal["decision", "altered", "gap", "broken", "end"], stamped: SequencedInput, text: str) -> None:
        found = AuditDifference(
            kind=kind, seq=stamped.seq, at_utc_ns=stamped.at_utc_ns, input=_input_word(stamped.input), text=text
        )
        self._findings[kind] += 1
        self._first = self._first or found
        if kind == "decision":
            self._first_decision = self._first_decision or found


def _unmatched(
    recorded: tuple[bytes, ...], got: tuple[Effect, ...], same: Callable[[bytes, Effect], bool]
) -> tuple[list[Effect], list[Effect]]:
    """What only the tape has, and what only the fresh desk has, whatever the order."""
    left = list(recorded)
    only_now: list[Effect] = []
    for effect in got:
        place = next((place for place, body in enumerate(left) if same(body, effect)), None)
        if place is None:
            only_now.append(effect)
        else:
            del left[place]
    return [decode_effect(body) for body in left], only_now


def _word(effect: Effect | None) -> str:
    """An effect as it is counted: its tag, and its reason where it has one."""
    if effect is None:
        return "nothing"
    if isinstance(effect, Verdict):
        return f"verdict {effect.outcome} {effect.reason}".rstrip()
    if isinstance(effect, TradeClosed):
        return f"trade_closed {effect.reason}"
    return tag_of(type(effect))


def _contrast(was: Effect | None, now: Effect | None) -> str:
    if was is None or now is None or type(was) is not type(now):
        return f"the tape has {_shown(was)}, decided now: {_shown(now)}"
    found = list(_changes(msgspec.to_builtins(was), msgspec.to_builtins(now), ""))
    more = f" and {len(found) - _CHANGES_SHOWN} more" if len(found) > _CHANGES_SHOWN else ""
    return f"{_shown(was)}, the tape's and now: " + "; ".join(found[:_CHANGES_SHOWN]) + more


def _changes(old: Any, new: Any, place: str) -> Iterator[str]:
    """Where two plain values differ, each as `field: old -> new`; members of lists go by their name where they have one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _changes(old.get(name), new.get(name), f"{place}.{name}" if place else name)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            label = before.get("name", number) if isinstance(before, dict) else number
            yield from _changes(before, after, f"{place}[{label}]")
    elif old != new:
        yield f"{place}: {_cut(old)} -> {_cut(new)}"


def _shown(effect: Effect | None) -> str:
    return "nothing" if effect is None else f"{_word(effect)}{_symbol(effect)}"


def _symbol(item: Any) -> str:
    symbol = getattr(item, "symbol", "")
    return f" {symbol}" if symbol else ""


def _input_word(item: Input) -> str:
    return f"{tag_of(type(item))}{_symbol(item)}"


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 3] + "..."
