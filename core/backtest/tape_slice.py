"""What a stretch of a tape holds, read in one pass: bars, quotes, the strategy's answers, words from outside, and the desk.

Promises: the runs of one account in one mode follow each other as one tape (a made-up market is read a run at a time); the desk
is the tape's own, fed from a checkpoint up to the first quarter hour of the stretch at which no request was without an outcome.
Does not: make a market of it (`tape_market`). Quotes are kept as columns: a stretch may hold millions.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.desk.desk_state import DeskState, decoded
from quarterdeck.core.journal.tape_reader import Run, TapeEntry, TapeReader
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.commands import Resolve, SetSettings, StopEngine
from quarterdeck.core.model.errors import DataError, InvariantError
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    Calendar,
    CommandReceived,
    ConnectionState,
    EngineFault,
    Instruments,
    SettingsChanged,
    Started,
)
from quarterdeck.core.model.market_data import Bar, Instrument, Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import DAY_NS, M15_NS, NS_PER_MS, UtcNs
from quarterdeck.core.study.account_report import SIMULATED_MODES
from quarterdeck.core.study.queries import inputs_with_tag

_PAST_NS = 70 * DAY_NS
"""So much of the bars before the stretch teaches which spreads are usual."""
_NOT_TOLD = (SetSettings, StopEngine, Resolve)
"""Commands that the shell carries out, or that speak of requests which the simulated broker never saw."""
_LOTS_NOISE = 1e-9


class TapeQuotes(Struct):
    """Quotes of one symbol as they reached the desk."""

    at_utc_ns: array[int]
    bid: array[float]
    ask: array[float]


class TapeSlice:
    """Collects while the tape is read."""

    def __init__(self) -> None:
        """Nothing read yet."""
        self.settings: msgspec.Raw | None = None
        """The newest tree of settings."""
        self.strategy_hash = ""
        self.specs: dict[str, Instrument] = {}
        self.bars: dict[str, dict[UtcNs, Bar]] = {}
        self.quotes: dict[str, TapeQuotes] = {}
        self.answers: dict[tuple[str, UtcNs], Signal | NoSignal] = {}
        self.told: list[tuple[UtcNs, Any]] = []
        self.account: Account | None = None
        self.begin_utc_ns: UtcNs = 0
        """0 until the stretch has begun."""
        self.fed_utc_ns: UtcNs = 0
        """How far the tape's own desk was fed; 0 while it is not begun."""
        self.begin_settings: msgspec.Raw | None = None
        self.state: DeskState | None = None

    def take(self, at: UtcNs, told: Any) -> None:
        """One input of the tape, in order."""
        match told:
            case Quote():
                self._quote(at, told)
            case Signal() | NoSignal():
                self.answers[told.symbol, told.bar_open_utc_ns] = told
            case BarClosed() if told.timeframe == "M15":
                self.bars.setdefault(told.symbol, {})[told.bar.open_utc_ns] = told.bar
            case AccountRead():
                self.account = told.account
            case Instruments():
                self.specs.update((spec.symbol, spec) for spec in told.instruments)
            case Started():
                self._started(at, told)
            case SettingsChanged():
                self.settings = told.settings
                self._tell(at, told)
            case Calendar() | ConnectionState() | EngineFault():
                self._tell(at, told)
            case CommandReceived() if not isinstance(told.command, _NOT_TOLD):
                self._tell(at, told)
            case _:
                pass

    def begin(self, at: UtcNs, state: DeskState) -> None:
        """The stretch begins here, with the desk as it stands."""
        self.begin_utc_ns, self.state, self.begin_settings = at, state, self.settings
        self.told.clear()
        self.quotes.clear()

    def has_history(self, symbols: Sequence[str], at: UtcNs) -> bool:
        """Whether each of the pairs has a closed bar before that instant."""
        return all(any(opened < at for opened in self.bars.get(symbol, ())) for symbol in symbols)

    def _quote(self, at: UtcNs, told: Quote) -> None:
        found = self.quotes.get(told.symbol)
        if found is None:
            found = self.quotes[told.symbol] = TapeQuotes(array("q"), array("d"), array("d"))
        found.at_utc_ns.append(at)
        found.bid.append(told.bid)
        found.ask.append(told.ask)

    def _started(self, at: UtcNs, told: Started) -> None:
        """A run begins: its settings hold from here on, as if the operator had changed them."""
        if self.settings is not None and bytes(self.settings) != bytes(told.settings):
            self._tell(at, SettingsChanged(settings=told.settings, cause="restart"))
        self.settings, self.strategy_hash = told.settings, told.strategy_hash

    def _tell(self, at: UtcNs, told: Any) -> None:
        if self.begin_utc_ns:
            self.told.append((at, told))


def read_tape_slice(reader: TapeReader, runs: Sequence[Run], from_utc_ns: UtcNs) -> TapeSlice:
    """Read the tape of `runs` (one account, oldest first) from about an instant on.

    Raises:
        DataError: the tape has no moment at which to begin; StorageError: it cannot be read.
    """
    reel = TapeSlice()
    first, after_seq = _start(reader, runs, from_utc_ns)
    for at, told in _past_bars(reader, runs, from_utc_ns):
        reel.take(at, told)
    for place, run in enumerate(runs[first:]):
        segment = reader.segment(run, after_seq if place == 0 else 0)
        fresh = Desk()
        reel.fed_utc_ns = 0
        for stamped in segment.prefix:
            reel.take(stamped.at_utc_ns, stamped.input)
            fresh.on(stamped)
            reel.fed_utc_ns = stamped.at_utc_ns
        desk: Desk | None = fresh
        for entry in reader.entries(run, segment.after_seq):
            if not reel.begin_utc_ns:
                desk = _toward(reel, desk, entry, from_utc_ns)
            reel.take(entry.stamped.at_utc_ns, entry.stamped.input)
    if not reel.begin_utc_ns:
        raise DataError(
            "the tape has no quarter hour in this time at which nothing was under way and every pair had a bar",
            what_to_do="ask for more --days, or let the run continue for an hour",
        )
    return reel


def runs_of_account(reader: TapeReader, run: Run) -> tuple[Run, ...]:
    """The runs that are one tape with `run`, up to it: the same account, mode and server. Raises StorageError."""
    if run.mode in SIMULATED_MODES:
        return (run,)
    key = (run.mode, run.account, run.server)
    return tuple(one for one in reader.runs() if (one.mode, one.account, one.server) == key and one.run <= run.run)


def final_state(reader: TapeReader, run: Run) -> DeskState | None:
    """The desk at the end of a run's tape; None where it never got so far. Raises StorageError."""
    marks = reader.checkpoints(run)
    segment, desk, begun = reader.segment(run, marks[-1].seq if marks else 0), Desk(), False
    try:
        for stamped in segment.prefix:
            desk.on(stamped)
            begun = True
        for entry in reader.entries(run, segment.after_seq):
            desk.on(entry.stamped)
            begun = True
    except InvariantError:
        return None
    return decoded(desk.checkpoint()) if begun else None


def _start(reader: TapeReader, runs: Sequence[Run], from_utc_ns: UtcNs) -> tuple[int, int]:
    """(place of the run, sequence number) of the last checkpoint at or before an instant, else the beginning of it all."""
    for place in range(len(runs) - 1, -1, -1):
        marks = [mark for mark in reader.checkpoints(runs[place]) if mark.at_utc_ns <= from_utc_ns]
        if marks:
            return place, marks[-1].seq
        if runs[place].started_utc_ns <= from_utc_ns and runs[place].tape_from_seq <= 1:
            return place, 0
    if not runs:
        raise DataError("the journal contains no run", what_to_do="start one with `quarterdeck run`")
    marks = list(reader.checkpoints(runs[0]))
    return 0, 0 if runs[0].tape_from_seq <= 1 or not marks else marks[0].seq


def _past_bars(reader: TapeReader, runs: Sequence[Run], from_utc_ns: UtcNs) -> Iterator[tuple[UtcNs, Any]]:
    for run in runs:
        yield from inputs_with_tag(reader, run, "bar_closed", from_utc_ns - _PAST_NS, from_utc_ns)


def _toward(reel: TapeSlice, desk: Desk | None, entry: TapeEntry, from_utc_ns: UtcNs) -> Desk | None:
    """Feed the desk up to the stretch; begin it before this entry where that will do. None once the desk broke."""
    stamped = entry.stamped
    quarter = stamped.at_utc_ns // M15_NS * M15_NS
    if desk is None:
        return None
    if from_utc_ns <= quarter and 0 < reel.fed_utc_ns <= quarter - NS_PER_MS:
        state = decoded(desk.checkpoint())
        if _settled(state) and reel.has_history(tuple(state.pairs), quarter):
            reel.begin(quarter, state)
            return desk
    try:
        desk.on(stamped)
    except InvariantError:
        return None
    reel.fed_utc_ns = stamped.at_utc_ns
    return desk


def _settled(state: DeskState) -> bool:
    """Nothing is under way that only the real broker could answer."""
    whole = all(
        held.lots > _LOTS_NOISE and not held.book_opened_early_lots and not held.book_closed_early_lots
        for held in state.positions.values()
    )
    return whole and not state.orders and state.account is not None and "starting" not in state.reasons
