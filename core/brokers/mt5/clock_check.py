"""The server's clock and this machine's: measured from ticks, compared with witnesses, and what follows from it.

Why: ticks alone made every wrong clock of this machine a rule of the server's.
Guarantees: a machine's clock that two witnesses contradict is corrected for the desk before its run begins, so that exits, days
and flattens follow the broker's clock; during a run the desk's clock only moves forward. Quotes are always read by the clock
that the desk has. A clock that was confirmed in this run cannot step: if the offset does, the server moved.
Does not: stop entries; the desk does, given `ServerClockRule`. Does not wait longer than the ticks it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from msgspec import structs

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5 import clock_witnesses as witnesses
from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.broker_startup import BrokerStartup
from quarterdeck.core.brokers.mt5.clock_file import ServerClockFile, StoredClock
from quarterdeck.core.brokers.mt5.clock_witnesses import ClockVerdict, Witness, ZoneRule
from quarterdeck.core.brokers.mt5.server_time import OFFSET_NOISE_S, ServerClock
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.clock.network_time import machine_error_s
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.errors import BrokerError, StorageError
from quarterdeck.core.model.inputs import EngineFault, ServerClockRule
from quarterdeck.core.model.units import NS_PER_S, S_PER_HOUR, S_PER_MINUTE

SAMPLES_MIN = 3
_POLL_S = 0.25
_SAMPLE_SECONDS = 6.0
_SAMPLES_WANTED = 4
_FEW_S = 300.0
"""Where a look shows too few ticks, those of so long before count with it."""
_LIQUID = ("EURUSD", "USDJPY", "GBPUSD", "AUDUSD", "USDCAD", "USDCHF", "NZDUSD", "EURJPY")
_FINE, _FINE_BARS = "M15", 10 * 5 * 96
"""Ten weeks: the offset to the quarter hour."""
_COARSE, _COARSE_BARS = "H1", 60 * 5 * 24
"""Sixty weeks: both American and both European switches lie in them."""
_BAR_S = {"M15": 15 * S_PER_MINUTE, "H1": S_PER_HOUR}
_HISTORY_S = 6.0 * S_PER_HOUR
"""So long weekly opens are believed before they are read again."""


class ClockCheck:
    """The clock of one session's server."""

    def __init__(
        self,
        session: TerminalSession,
        opening: BrokerStartup,
        moved: Callable[[int], None],
        *,
        file: ServerClockFile | None,
        machine: Clock | None,
    ) -> None:
        """`moved` hears by how many seconds the belief of the server's now changed.

        `machine` is the clock that is judged, where it is not the session's; `file` is the home's, None where nothing is stored.
        """
        self._session = session
        self._opening = opening
        self._moved = moved
        self._file = file
        steady = session.clock if isinstance(session.clock, SteadyClock) else None
        self._steady = steady
        self._machine: Clock = machine or (session.clock if steady is None else steady.machine)
        self._noise_s = OFFSET_NOISE_S if steady is None else max(OFFSET_NOISE_S, steady.speed / 4.0)
        self._told: ServerClockRule | None = None
        """The newest comparison that ticks allowed."""
        self._confirmed = False
        """Whether the desk's clock was found right, or corrected, in this run."""
        self._fault = False
        self._history: tuple[Witness, ...] = ()
        self._history_read_s: float | None = None
        self._since_s = 0
        self._few: list[tuple[float, tuple[float, float]]] = []  # bounded: fewer than SAMPLES_MIN a look, of _FEW_S
        self._looked = False
        self._ahead_s = 0.0
        """How far the desk's clock is ahead of the broker's, where it cannot follow."""

    def trust_machine(self) -> None:
        """The operator says that this machine's clock is right. Raises StorageError."""
        if self._file is not None:
            self._file.trust_machine(self._session.server_name, measured=self._told is not None)

    async def look(self) -> ServerClockRule:
        """Measure and compare; while no tick changes the last comparison holds."""
        session = self._session
        stored = StoredClock() if self._file is None else self._file.of(session.server_name)
        by_machine, by_desk = await self._shown()
        if by_machine is None and self._told is not None and not stored.trusts_machine:
            return structs.replace(self._told, offset_s=self._server_offset_s())
        known = await self._witnesses(stored, by_machine)
        verdict = witnesses.judge(by_machine, known, self._noise_s)
        if verdict.judgement == "agrees":
            if by_machine is not None and verdict.offset_s is not None:
                rules = self._rules(known, verdict.offset_s)
                self._keep(StoredClock(rules=rules, since_server_s=stored.since_server_s))
        elif stored.trusts_machine and not (stored.trusts_unseen and verdict.judgement == "contradicted"):
            verdict = self._trusted(verdict, by_machine)
        before_s, moving_s = self._server_offset_s(), 0.0
        if by_desk is not None:
            verdict, moving_s = self._align(known, verdict, by_desk)
        elif verdict.offset_s is not None:
            session.server = self._clock(known, verdict.offset_s)
        changed_s = self._server_offset_s() - before_s
        if changed_s or moving_s:
            self._moved(changed_s + round(moving_s))
        self._looked = True
        told = structs.replace(
            session.server.as_input(session.clock.utc_ns(), confirmed=by_desk is not None),
            judgement=verdict.judgement,
            pc_error_s=verdict.pc_error_s,
            why=verdict.why,
        )
        if by_desk is not None:
            self._tell_trouble(verdict, 0 if self._told is None or moving_s else changed_s)
            self._told = told
        return told

    # -------------------------------------------------------------------------------------------------- measuring
    async def _shown(self) -> tuple[float | None, float | None]:
        """Server minus this machine, and server minus the desk's clock, by ticks that change now."""
        session = self._session
        calls = [TerminalCall("symbol_info_tick", (name,)) for name in session.broker_names.values()]
        last: dict[str, int] = {}
        seen: list[tuple[float, float]] = []
        for _ in range(round(_SAMPLE_SECONDS / _POLL_S)):
            try:
                replies = await session.read_many(calls)
            except ReadFailed:
                break
            machine_ns, desk_ns = self._machine.utc_ns(), session.clock.utc_ns()
            for call, reply in zip(calls, replies, strict=True):
                if reply.value is None:
                    continue
                name, stamp = call.args[0], int(reply.value["time_msc"])
                if last.get(name, stamp) != stamp:
                    seen.append((stamp / 1000.0 - machine_ns / NS_PER_S, stamp / 1000.0 - desk_ns / NS_PER_S))
                    session.saw_tick(stamp)
                last[name] = stamp
            if len(seen) >= _SAMPLES_WANTED:
                break
            await session.sleep(_POLL_S)
        now_s = session.clock.monotonic_s()
        if len(seen) >= SAMPLES_MIN:
            self._few = []
        elif seen:  # a quiet hour of few pairs: ticks of the looks before count as well
            self._few = [(at_s, pair) for at_s, pair in self._few if now_s - at_s < _FEW_S] + [(now_s, pair) for pair in seen]
            seen = [pair for _, pair in self._few]
        shown = witnesses.shown_offset_s([machine for machine, _ in seen], SAMPLES_MIN, self._noise_s)
        return (None, None) if shown is None else (shown, max(desk for _, desk in seen))

    # -------------------------------------------------------------------------------------------------- witnesses
    async def _witnesses(self, stored: StoredClock, by_machine: float | None) -> list[Witness]:
        """Everyone who knows the server's offset now."""
        now_s = self._machine.utc_ns() // NS_PER_S
        stamp_s = self._session.newest_tick_ms // 1000 if by_machine is not None else 0
        found = [Witness(witnesses.STORED, (), stored.rules), *await self._from_history(stored.since_server_s)]
        told = []
        for one in found:
            offsets = tuple(rule.offset_s(stamp_s) if stamp_s else rule.offset_at(now_s * NS_PER_S) for rule in one.rules)
            if offsets:
                told.append(Witness(one.name, offsets, one.rules))
        server = self._session.policy.time_server
        if server and by_machine is not None:
            error_s = await machine_error_s(server, self._machine)
            if error_s is not None:
                told.append(Witness(witnesses.NETWORK, (round(by_machine + error_s),)))
        return told

    async def _from_history(self, since_s: int) -> tuple[Witness, ...]:
        """What the bars say: when weeks open in at least three pairs, and when they close."""
        now_s = self._session.clock.monotonic_s()
        fresh = self._history_read_s is not None and now_s - self._history_read_s < _HISTORY_S
        if fresh and self._history and since_s == self._since_s:
            return self._history
        names = await self._pairs()
        opens: dict[str, list[list[int]]] = {_FINE: [], _COARSE: []}
        closes: dict[str, list[list[int]]] = {_FINE: [], _COARSE: []}
        for timeframe, count in ((_FINE, _FINE_BARS), (_COARSE, _COARSE_BARS)):
            for name in names:
                edges = await self._edges(name, timeframe, count)
                if edges is None:
                    continue
                opens[timeframe].append([int(item) for item in edges[0] if item > since_s])
                closes[timeframe].append([int(item) for item in edges[1] if item > since_s])
        self._history_read_s, self._since_s = now_s, since_s
        by_opens = _of_edges(opens, witnesses.open_rules, witnesses.PAIRS_MIN)
        by_closes = _of_edges(closes, witnesses.close_rules, 1)
        self._history = (Witness(witnesses.OPENS, (), by_opens), Witness(witnesses.BARS, (), by_closes))
        return self._history

    async def _edges(self, name: str, timeframe: str, count: int) -> tuple[IntArray, IntArray] | None:
        try:
            rates = await self._session.read("copy_rates_from_pos", name, mt5.TIMEFRAMES[timeframe], 0, count)
        except ReadFailed:
            return None
        return witnesses.week_edges(rates["time"].astype("int64"), _BAR_S[timeframe])

    async def _pairs(self) -> tuple[str, ...]:
        """The broker's names of three liquid pairs; others than the traded ones are added where those are fewer."""
        names = self._session.broker_names
        ranked = sorted(names, key=lambda plain: _LIQUID.index(plain) if plain in _LIQUID else len(_LIQUID))
        found = tuple(names[plain] for plain in ranked[: witnesses.PAIRS_MIN])
        if len(found) < witnesses.PAIRS_MIN:
            with suppress(ReadFailed, BrokerError):
                more = await self._opening.add_quoted(plain for plain in _LIQUID if plain not in names)
                found = (*found, *more)[: witnesses.PAIRS_MIN]
        return found

    # --------------------------------------------------------------------------------------------------- judgement
    def _trusted(self, verdict: ClockVerdict, by_machine: float | None) -> ClockVerdict:
        """The operator vouches for this machine: its measurement is stored, and older history is no witness."""
        said = f"{verdict.why}; this machine's clock counts as right by your decision"
        if by_machine is None:
            return ClockVerdict("agrees", verdict.offset_s, 0, said)
        offset_s = witnesses.on_grid(by_machine, self._noise_s)
        offset_s = round(by_machine) if offset_s is None else offset_s
        stamp_s = self._session.newest_tick_ms // 1000
        rules = witnesses.rules_at(offset_s, (stamp_s - offset_s) * NS_PER_S)
        self._keep(StoredClock(rules=rules, since_server_s=stamp_s))
        self._confirmed = False  # what the desk's clock was corrected by does not hold any more
        self._told = None
        return ClockVerdict("agrees", offset_s, 0, said)

    def _align(self, known: Sequence[Witness], verdict: ClockVerdict, by_desk: float) -> tuple[ClockVerdict, float]:
        """Bring the desk's clock and the rule together, so that quotes are fresh on it.

        Returns the verdict, which may be that the server moved, and the seconds by which the desk's clock was corrected.
        """
        session, self._ahead_s = self._session, 0.0
        if verdict.judgement == "unconfirmed" or verdict.offset_s is None:
            near = verdict.offset_s is not None and abs(verdict.offset_s - by_desk) <= self._noise_s
            session.server = self._clock(known, verdict.offset_s if near and verdict.offset_s is not None else round(by_desk))
            return verdict, 0.0
        late_s = by_desk - verdict.offset_s
        if abs(late_s) <= self._noise_s:
            session.server = self._clock(known, verdict.offset_s)
            self._confirmed = True
            return verdict, 0.0
        if verdict.judgement == "contradicted" and self._confirmed:
            offset_s = witnesses.on_grid(by_desk, self._noise_s)
            session.server = ServerClock("fixed", round(by_desk) if offset_s is None else offset_s)
            why = f"{verdict.why}; it was not when this run began, so the server's clock has moved"
            return structs.replace(verdict, pc_error_s=0, why=why), 0.0
        if self._steady is not None and (late_s > 0.0 or not self._looked):
            self._steady.correct(late_s)
            self._few = []
            session.server = self._clock(known, verdict.offset_s)
            self._confirmed = True
            return verdict, late_s
        session.server = ServerClock("fixed", round(by_desk))
        self._ahead_s = 0.0 if self._steady is None else -late_s
        return verdict, 0.0

    def _clock(self, known: Sequence[Witness], offset_s: int) -> ServerClock:
        """The clock by the rules that witnesses agree on; without any the one there is, as long as it gives that offset."""
        session = self._session
        rules = witnesses.common_rules(known, offset_s)
        if not rules:
            if self._server_offset_s() == offset_s:
                return session.server
            rules = witnesses.rules_at(offset_s, session.clock.utc_ns())
        clocks = [rule.clock(offset_s) for rule in rules]
        return next((clock for clock in clocks if clock.rule != "fixed"), clocks[0])

    def _rules(self, known: Sequence[Witness], offset_s: int) -> tuple[ZoneRule, ...]:
        return witnesses.common_rules(known, offset_s) or witnesses.rules_at(offset_s, self._session.clock.utc_ns())

    def _server_offset_s(self) -> int:
        return self._session.server.offset_s(self._session.clock.utc_ns())

    def _keep(self, stored: StoredClock) -> None:
        if self._file is not None:
            with suppress(StorageError):  # a full disk costs a witness, never the start
                self._file.keep(self._session.server_name, stored)

    def _tell_trouble(self, verdict: ClockVerdict, moved_s: int) -> None:
        """A clock that moved against its rule is a trouble until it was measured the same once more."""
        session, why = self._session, ""
        if self._ahead_s:
            why = (
                f"the desk's clock is {self._ahead_s / S_PER_MINUTE:.0f} min ahead of the broker's and cannot go back during a "
                "run: run `quarterdeck restart`"
            )
        elif moved_s and verdict.judgement != "agrees":
            why = (
                f"the server's clock moved by {moved_s} s to {witnesses.utc_words(self._server_offset_s())} "
                f"({session.server.rule})"
            )
        if why:
            session.notice(EngineFault(kind="clock", active=True, why=why))
        elif self._fault:
            session.notice(EngineFault(kind="clock", active=False, why="the server's clock was measured again, the same"))
        self._fault = bool(why)


def _of_edges(
    edges: Mapping[str, Sequence[Sequence[int]]], rules: Callable[[Sequence[int]], tuple[ZoneRule, ...]], pairs_min: int
) -> tuple[ZoneRule, ...]:
    """The rules by the weeks that most pairs show, where enough pairs were read."""
    seen = {timeframe: witnesses.seen_by_most(series) if len(series) >= pairs_min else [] for timeframe, series in edges.items()}
    return witnesses.of_both(rules(seen[_FINE]), rules(seen[_COARSE]))
