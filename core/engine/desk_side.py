"""The engine as the link sees it: commands go to the desk and wait for its word, questions are answered from desk and journal.

Promises: a command is answered once, with the desk's own text; a change of settings is refused with the reason before the desk
hears of it. Questions read the journal in a thread, never in the way of the desk.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import msgspec

from quarterdeck.core.engine.answers import JournalAnswers
from quarterdeck.core.engine.examining import examined, wanted_of
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    Act,
    AnswerBody,
    AskBars,
    AskDoctor,
    AskNews,
    AskRehearsal,
    AskSettings,
    Bars,
    CommandResult,
    DoctorNow,
    NewsNow,
    Question,
    RehearsalNow,
    ReplayControl,
    SettingsNow,
    Welcome,
)
from quarterdeck.core.model.commands import Command, SetSettings, StopEngine
from quarterdeck.core.model.effects import CommandDone, Effect, Modify
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.model.inputs import CommandGiven
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.settings.load import shown

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

_COMMAND_TIMEOUT_S = 60.0
NEWS_MAX = 5_000
"""Releases in one answer at most."""


class DeskSide:
    """See the module."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is started or starting."""
        self._engine = engine
        self._waiting: dict[str, asyncio.Future[CommandDone]] = {}
        self._answers = JournalAnswers(engine.home.journal, engine.home.logs, lambda: engine.journal.run)

    def welcome(self) -> Welcome:
        """See `EngineSide`."""
        venue = self._engine.venue
        return Welcome(version=LINK_VERSION, run_id=venue.run_id, pid=os.getpid(), mode=venue.mode)

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        """See `EngineSide`."""
        if isinstance(command, SetSettings):
            return self._set(command, origin, command_id)
        if isinstance(command, StopEngine):
            self._engine.stop(command.policy, command.why or origin)
            return CommandResult(command_id=command_id, ok=True, text="stopping")
        future: asyncio.Future[CommandDone] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = future
        self._engine.drive.post(CommandGiven(command_id=command_id, origin=origin, command=command))
        try:
            done = await asyncio.wait_for(future, _COMMAND_TIMEOUT_S)
        except TimeoutError:
            return CommandResult(
                command_id=command_id, ok=False, text="the desk has not finished yet; see the screen or `status`"
            )
        finally:
            self._waiting.pop(command_id, None)
        return CommandResult(command_id=command_id, ok=done.ok, text=done.text)

    async def answer(self, question: Question) -> AnswerBody:
        """See `EngineSide`."""
        engine = self._engine
        if isinstance(question, AskSettings):
            await engine.journal.written()  # what was changed a moment ago is in it
            return SettingsNow(
                tree=msgspec.Raw(msgspec.msgpack.encode(engine.tuning.tree)),
                file_tree=msgspec.Raw(msgspec.msgpack.encode(engine.tuning.file_tree)),
                overridden=engine.tuning.overridden,
                changes=await asyncio.to_thread(self._answers.setting_changes),
                returns=tuple(
                    (item.at_utc_ns, key, shown(value)) for item in engine.tuning.returns for key, value in item.values.items()
                ),
                own=engine.tuning.own,
                pending=engine.tuning.pending,
            )
        if isinstance(question, AskRehearsal):
            return self._rehearsed(question)
        if isinstance(question, AskNews):
            return await self._news(question)
        if isinstance(question, AskBars):
            return await self._bars(question)
        if isinstance(question, AskDoctor):
            wanted = wanted_of(engine.tuning.settings, engine.strategy)
            findings = await examined(engine.venue, wanted, engine.clock, limit_s=question.limit_s)
            return msgspec.convert({"type": "doctor_now", "findings": msgspec.to_builtins(findings)}, DoctorNow)
        await engine.journal.written()
        return await asyncio.to_thread(self._answers.answer, question)

    def replay_control(self, control: ReplayControl) -> None:
        """See `EngineSide`."""
        self._engine.drive.control(control)

    def hear(self, effect: Effect) -> None:
        """Settle the command that the desk just finished."""
        if isinstance(effect, CommandDone):
            future = self._waiting.get(effect.command_id)
            if future is not None and not future.done():
                future.set_result(effect)

    def _set(self, command: SetSettings, origin: str, command_id: str) -> CommandResult:
        engine = self._engine
        try:
            changed = engine.tuning.change(command.changes, origin, engine.runner.at_utc_ns, command.minutes)
        except QuarterdeckError as error:
            return CommandResult(command_id=command_id, ok=False, text=error.one_line())
        engine.drive.post(changed)
        waits = engine.tuning.pending
        said = ", ".join(
            f"{key}: {old} -> {new}" + (" from the next start on" if key in waits else "") for key, old, new in changed.changes
        )
        return CommandResult(command_id=command_id, ok=True, text=said or "nothing changed")

    def _rehearsed(self, question: AskRehearsal) -> RehearsalNow:
        """The desk tries the changes on a copy; a few milliseconds, at the operator's wish alone."""
        engine = self._engine
        tried = engine.desk.rehearse(engine.tuning.wished(question.changes), engine.runner.at_utc_ns)
        acts = (
            Act(position_id=act.position_id, stop_price=act.stop_price, why=act.why)
            if isinstance(act, Modify)
            else Act(position_id=act.position_id, close_lots=act.lots, why=act.why)
            for act in tried.acts
        )
        return RehearsalNow(before=tried.before, after=tried.after, acts=tuple(acts))

    async def _news(self, question: AskNews) -> NewsNow:
        """The calendar in force; what it has forgotten by now stands on the tape."""
        calendar = self._engine.upkeep.calendar
        events = calendar.events
        if question.since_utc_ns:
            past = await asyncio.to_thread(self._answers.past_news, question.since_utc_ns)
            known = (event for event in events if event.at_utc_ns >= question.since_utc_ns)
            events = tuple(sorted({*past, *known}, key=lambda event: (event.at_utc_ns, event.currency, event.title)))
        closing = tuple(self._engine.tuning.settings.news.impacts)
        return NewsNow(available=calendar.available, events=events[-NEWS_MAX:], why=calendar.why, impacts=closing)

    async def _bars(self, question: AskBars) -> Bars:
        venue = self._engine.venue
        broker = venue.broker
        if venue.onlooker is not None:
            broker = venue.onlooker
            await broker.connect()
            await broker.select((question.symbol,))
        read = await broker.bars(question.symbol, question.timeframe, question.count)
        if isinstance(read, Unknown):
            raise ValueError(f"{question.symbol}: {read.why}")
        rows = tuple(read.value.bar(row) for row in range(len(read.value)))
        return Bars(symbol=question.symbol, timeframe=question.timeframe, bars=rows)
