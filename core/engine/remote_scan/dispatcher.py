"""Asking the scanning machines, and what the engine does where none answers: it looks itself, or holds entries.

Promises: each question is decided once; an answer that comes after that reaches the desk in order of arrival, which refuses what
is too old and notes what was judged before; what is not ours, or made by another strategy, is refused with the reason; that the
machines are gone, and that they are back, is said once, in the log and as an alert. Management never waits here: whoever asks
is the loop of one pair's bars.
Does not: judge a signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

from quarterdeck.core.engine.event_publisher import EventLevel
from quarterdeck.core.engine.remote_scan.address import RedisAddress
from quarterdeck.core.engine.remote_scan.client import LINE_ENDED_S, ScanClient, cancel_until_done, engine_presence
from quarterdeck.core.engine.remote_scan.scan_messages import (
    BadScanMessage,
    StrategyIdentity,
    decode_scan_result,
    encode_scan_job,
    mismatch_reason,
    shortened,
)
from quarterdeck.core.engine.strategy_process import ScanBackend
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import EngineFault
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.scan.scan_request import ScanRequest, answer_request
from quarterdeck.core.settings.version import code_version

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

_FIRST_S = 3.0
"""So long the start waits to learn who is there."""
_KEEP_X = 2.0
"""A question outlives the engine's patience by so much, so that a late answer can still come."""
_REMEMBERED = 1_000
"""Questions whose late answers are still known."""


class _Question:
    """One question that was put."""

    __slots__ = ("answer", "bar_open_utc_ns", "symbol")

    def __init__(self, look: ScanRequest) -> None:
        self.symbol = look.instrument.symbol
        self.bar_open_utc_ns: UtcNs = look.bar_open_utc_ns
        self.answer: asyncio.Future[Signal | NoSignal] = asyncio.get_running_loop().create_future()


class ScanDispatcher:
    """Asks them as `ScanBackend` does, with `here` (or the loaded strategy in this loop) as the way out."""

    def __init__(self, engine: Engine, place: RedisAddress, here: ScanBackend | None) -> None:
        """`engine` has its venue and strategy."""
        self._engine = engine
        self._here = here
        scan, limits = engine.runtime_settings.settings.scan, engine.runtime_settings.settings.engine
        self._scan = scan
        loaded = engine.strategy
        self._identity = StrategyIdentity(strategy=loaded.name, strategy_hash=loaded.hash, code_version=code_version())
        self._life = f"{engine.venue.run_id}-{secrets.token_hex(4)}"
        """Names this engine's questions: two runs over the same days must not take each other's answers for old ones."""
        me = engine_presence(self._identity, engine.venue.run_id)
        self._line = ScanClient(place, me, self, retry_min_s=limits.retry_min_s, retry_max_s=limits.retry_max_s)
        self._keeping: asyncio.Task[None] | None = None
        self._asked: OrderedDict[str, _Question] = OrderedDict()
        self._told: bool | None = None
        """Whether it was last said that there are machines."""
        self._warned: set[str] = set()
        holds = scan.no_worker_action == "no_entries" and engine.venue.terminal is None
        # where nobody looks here instead, an answer is worth waiting for as long as it could be traded
        self._wait_s = max(scan.response_timeout_s, scan.signal_age_max_s) if holds else scan.response_timeout_s

    # ------------------------------------------------------------------------------------------------------ its life
    async def start(self) -> None:
        """Begin to hold the line; returns when it is known who is there, or after a moment."""
        self._keeping = asyncio.create_task(self._line.keep(), name="connection to scan workers")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._line.looked.wait(), _FIRST_S)
        self.changed()

    async def stop(self) -> None:
        """Let go of the line."""
        if self._keeping is not None:
            await cancel_until_done(self._keeping, LINE_ENDED_S)

    @property
    def why(self) -> str:
        """Why no machine can be asked; empty where one can."""
        if self._line.why:
            return self._line.why
        return "" if self._line.machines else "no scan worker is connected"

    @property
    def view(self) -> str:
        """Who scans, for people: `2 scan workers (vps1, vps2)`, or `here: ...` and why."""
        names = self._line.machines
        if not self.why:
            return f"{len(names)} scan worker{'s' * (len(names) != 1)} ({shortened(', '.join(names))})"
        return f"{'here' if self._scan.no_worker_action == 'scan_here' else 'nowhere'}: {self.why}"

    # -------------------------------------------------------------------------------------------------- a question
    async def ask(self, look: ScanRequest) -> Signal | NoSignal:
        """A machine's answer; without one, this machine's, or that there is none and why."""
        if self.why:
            return await self._without(look, self.why)
        question = _Question(look)
        question_id = f"{self._life}-{question.symbol}-{question.bar_open_utc_ns // NS_PER_S}".replace(":", "_")
        data = encode_scan_job(self._identity, look)
        self._asked[question_id] = question
        while len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        try:
            async with asyncio.timeout(self._wait_s):
                await self._line.ask(question_id, data, self._wait_s * _KEEP_X)
                return await question.answer
        except TimeoutError:
            why = f"no scan worker answered within {self._wait_s:g} s"
        except (OSError, BadScanMessage) as error:
            why = str(error)
        question.answer.cancel()
        self._say("warning", f"{question.symbol}: {why}", counted="ScanUnanswered")
        found = await self._without(look, why)
        await self._line.forget(question_id)
        return found

    async def _without(self, look: ScanRequest, why: str) -> Signal | NoSignal:
        if self._scan.no_worker_action == "no_entries":
            return look.no_answer(self._engine.strategy, why)
        return answer_request(self._engine.strategy, look) if self._here is None else await self._here.ask(look)

    # ------------------------------------------------------------------------------------------- what the line brings
    def answered(self, question_id: str, text: object) -> None:
        """See `Listener`. What this engine never asked is another engine's."""
        question = self._asked.get(question_id)
        if question is None:
            return
        try:
            answer = decode_scan_result(text)
            why = mismatch_reason(answer.found, self._identity, question.symbol, question.bar_open_utc_ns)
            why = f"The answer of scan worker {shortened(answer.machine)} is rejected: {why}" if why else ""
        except BadScanMessage as error:
            answer, why = None, f"refused: {error}"
        if why or answer is None:
            self._say("error", f"{question.symbol}: {why}", counted="ScanRefused")
            self._give_up(question, why)
        elif not question.answer.done():
            question.answer.set_result(answer.found)
        elif isinstance(answer.found, Signal):
            self._engine.run_loop.post(answer.found)

    def failed(self, question_id: str, why: str) -> None:
        """See `Listener`."""
        question = self._asked.get(question_id)
        if question is not None:
            self._give_up(question, f"no scan worker could answer: {shortened(why)}")

    def changed(self) -> None:
        """See `Listener`: tell who is there now, and let nobody wait for those who are not."""
        for one in self._line.strangers:
            differs = self._identity.differs(one.identity)
            text = f"Scan worker {shortened(one.name)} has {shortened(differs)}: it gets no work"
            if text not in self._warned and len(self._warned) < _REMEMBERED:
                self._warned.add(text)
                self._say("warning", text)
        why = self.why
        if why and self._scan.no_worker_action == "scan_here":
            for question in self._asked.values():
                self._give_up(question, why)
        self._engine.health.scanning, self._engine.health.scanning_up = self.view, not why
        if self._keeping is not None and self._told is not (not why):
            self._tell(why)

    def _tell(self, why: str) -> None:
        first, self._told = self._told is None, not why
        here = self._scan.no_worker_action == "scan_here"
        text = f"Scanning: {self.view}"
        if not here:
            if why or not first:  # the desk says it, with what follows from it
                said = f"No scan worker, no signals: {why}" if why else text
                self._engine.run_loop.post(EngineFault(kind="degraded", active=bool(why), why=said))
            else:
                self._say("info", text)
        elif first and not why:
            self._say("info", text)
        else:
            self._engine.publisher.publish_alert(
                self._engine.runner.at_utc_ns,
                Alert(
                    kind="connection",
                    level="warning" if why else "info",
                    text=f"{text}. This machine scans itself meanwhile; trading continues." if why else text,
                    resolved=not why,
                ),
            )

    def _give_up(self, question: _Question, why: str) -> None:
        if not question.answer.done():
            question.answer.set_exception(ConnectionError(why))

    def _say(self, level: EventLevel, text: str, counted: str = "") -> None:
        engine = self._engine
        if counted:
            engine.health.count_error(counted)
        engine.publisher.publish_text(engine.runner.at_utc_ns, level, "scan", text)
