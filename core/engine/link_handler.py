"""The engine as the link sees it: commands go to the desk and wait for its word, questions are answered from desk and journal.

Promises: a command is answered once, with the desk's own text, when no crash can take back what the answer says (law 15). A
change of settings is refused with the reason before the desk hears of it. Questions read the journal in a thread, never in the
way of the desk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from quarterdeck.core.desk.trading_state import CLOCK_REASONS
from quarterdeck.core.engine.journal_queries import JournalQueries
from quarterdeck.core.engine.live_doctor import doctor_requirements, run_live_doctor
from quarterdeck.core.link.limits import rows_within
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    BarsQuery,
    BarsReply,
    CalendarQuery,
    CalendarReply,
    CommandResult,
    DoctorQuery,
    DoctorReply,
    LinkWelcome,
    PreviewAction,
    PreviewQuery,
    PreviewReply,
    QueryBody,
    ReplayControl,
    ReplyBody,
    SettingsQuery,
    SettingsReply,
)
from quarterdeck.core.model.commands import MACHINE_CLOCK, Acknowledge, Command, Resolve, SetSettings, StopEngine
from quarterdeck.core.model.effects import CommandDone, Effect, Modify
from quarterdeck.core.model.errors import QuarterdeckError, StorageError
from quarterdeck.core.model.inputs import CommandReceived, Input
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.settings.settings_loader import toml_text

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

_COMMAND_TIMEOUT_S = 60.0
_DOCTOR_S_MAX = 600.0
_ALERTS = "alerts"
"""What is acknowledged when reminders are to stop: the desk does not know of them."""
NEWS_MAX = 5_000
"""Releases in one answer at most."""


class LinkHandler:
    """See the module."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is started or starting."""
        self._engine = engine
        self._waiting: dict[str, asyncio.Future[CommandDone]] = {}
        self._answers = JournalQueries(engine.home.journal, engine.home.logs, lambda: engine.journal.run)

    def welcome(self) -> LinkWelcome:
        """See `EngineSide`."""
        venue = self._engine.venue
        return LinkWelcome(version=LINK_VERSION, run_id=venue.run_id, pid=os.getpid(), mode=venue.mode)

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        """See `EngineSide`."""
        if isinstance(command, SetSettings):
            return await self._set(command, origin, command_id)
        if isinstance(command, StopEngine):
            await self._decided(self._engine.stop(command.policy, command.why or origin))
            return await self._acknowledged(command_id, ok=True, text="stopping")
        if isinstance(command, Acknowledge) and command.what == _ALERTS:
            count = self._engine.monitoring.alarms.acknowledge()
            text = f"{count} acknowledged: no more reminders of them in this run" if count else "Nothing to acknowledge"
            return CommandResult(command_id=command_id, ok=bool(count), text=text)
        if (refused := self._trust_clock(command)) is not None:
            return CommandResult(command_id=command_id, ok=False, text=refused)
        future: asyncio.Future[CommandDone] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = future
        self._engine.run_loop.post(CommandReceived(command_id=command_id, origin=origin, command=command))
        try:
            done = await asyncio.wait_for(future, _COMMAND_TIMEOUT_S)
        except TimeoutError:
            return CommandResult(
                command_id=command_id, ok=False, text="the desk has not finished yet; see the screen or `quarterdeck status`"
            )
        finally:
            self._waiting.pop(command_id, None)
        if isinstance(command, Resolve) and command.client_id == MACHINE_CLOCK:
            self._engine.run_loop.measure_clock()
        return await self._acknowledged(command_id, ok=done.ok, text=done.text)

    def _trust_clock(self, command: Command) -> str | None:
        """Keep the operator's decision on a doubtful clock before the desk hears of it; why that failed, else None."""
        trust = self._engine.venue.trust_machine_clock
        if trust is None or not isinstance(command, Resolve) or command.outcome != "pc_right":
            return None
        if command.client_id != MACHINE_CLOCK or not any(
            reason.code in CLOCK_REASONS for reason in self._engine.desk.view().reasons
        ):
            return None
        try:
            trust()
        except StorageError as error:
            return f"The decision cannot be kept: {error.one_line()}"
        return None

    async def _decided(self, item: Input | None) -> None:
        """Wait until the desk has booked an input that was posted; None is one that was booked before."""
        if item is None:
            return
        booked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine.runner.when_decided(item, lambda: None if booked.done() else booked.set_result(None))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(booked, _COMMAND_TIMEOUT_S)

    async def _acknowledged(self, command_id: str, *, ok: bool, text: str) -> CommandResult:
        """The answer, once the journal or its reserve holds what it says; where neither can, it is no success."""
        journal = self._engine.journal
        if await journal.kept():
            return CommandResult(command_id=command_id, ok=ok, text=text)
        unsafe = f"{text}; but this is NOT RECORDED, and a crash would undo it: {journal.trouble}"
        return CommandResult(command_id=command_id, ok=False, text=unsafe)

    async def answer(self, question: QueryBody) -> ReplyBody:
        """See `EngineSide`."""
        engine = self._engine
        if isinstance(question, SettingsQuery):
            await engine.journal.written()  # what was changed a moment ago is in it
            return SettingsReply(
                tree=msgspec.Raw(msgspec.msgpack.encode(engine.runtime_settings.tree)),
                file_tree=msgspec.Raw(msgspec.msgpack.encode(engine.runtime_settings.file_tree)),
                overridden=engine.runtime_settings.overridden,
                changes=await asyncio.to_thread(self._answers.setting_changes),
                returns=tuple(
                    (item.at_utc_ns, key, toml_text(value))
                    for item in engine.runtime_settings.pending_reverts
                    for key, value in item.values.items()
                ),
                own=engine.runtime_settings.own,
                pending=engine.runtime_settings.pending,
            )
        if isinstance(question, PreviewQuery):
            return self._rehearsed(question)
        if isinstance(question, CalendarQuery):
            return await self._news(question)
        if isinstance(question, BarsQuery):
            return await self._bars(question)
        if isinstance(question, DoctorQuery):
            wanted = doctor_requirements(engine.runtime_settings.settings, engine.strategy)
            findings = await run_live_doctor(
                engine.venue, wanted, engine.clock, engine.home, limit_s=min(max(question.limit_s, 1.0), _DOCTOR_S_MAX)
            )
            return msgspec.convert({"type": "doctor_reply", "findings": msgspec.to_builtins(findings)}, DoctorReply)
        await engine.journal.written()
        return await asyncio.to_thread(self._answers.answer, question)

    def replay_control(self, control: ReplayControl) -> None:
        """See `EngineSide`."""
        self._engine.run_loop.control(control)

    def hear(self, effect: Effect) -> None:
        """Settle the command that the desk just finished."""
        if isinstance(effect, CommandDone):
            future = self._waiting.get(effect.command_id)
            if future is not None and not future.done():
                future.set_result(effect)

    async def _set(self, command: SetSettings, origin: str, command_id: str) -> CommandResult:
        engine = self._engine
        try:
            changed = engine.runtime_settings.change(command.changes, origin, engine.runner.at_utc_ns, command.minutes)
        except QuarterdeckError as error:
            return CommandResult(command_id=command_id, ok=False, text=error.one_line())
        engine.run_loop.post(changed)
        await self._decided(changed)
        waits = engine.runtime_settings.pending
        said = ", ".join(
            f"{key}: {old} -> {new}" + (" from the next start on" if key in waits else "") for key, old, new in changed.changes
        )
        return await self._acknowledged(command_id, ok=True, text=said or "nothing changed")

    def _rehearsed(self, question: PreviewQuery) -> PreviewReply:
        """The desk tries the changes on a copy; a few milliseconds, at the operator's wish alone."""
        engine = self._engine
        tried = engine.desk.preview_changes(engine.runtime_settings.preview_settings(question.changes), engine.runner.at_utc_ns)
        acts = (
            PreviewAction(position_id=act.position_id, stop_price=act.stop_price, why=act.why)
            if isinstance(act, Modify)
            else PreviewAction(position_id=act.position_id, close_lots=act.lots, why=act.why)
            for act in tried.acts
        )
        return PreviewReply(before=tried.before, after=tried.after, acts=tuple(acts))

    async def _news(self, question: CalendarQuery) -> CalendarReply:
        """The calendar in force; what it has forgotten by now is on the tape."""
        calendar = self._engine.maintenance.calendar
        events = calendar.events
        if question.since_utc_ns:
            past = await asyncio.to_thread(self._answers.past_news, question.since_utc_ns)
            known = (event for event in events if event.at_utc_ns >= question.since_utc_ns)
            events = tuple(sorted({*past, *known}, key=lambda event: (event.at_utc_ns, event.currency, event.title)))
        closing = tuple(self._engine.runtime_settings.settings.news.impacts)
        return CalendarReply(available=calendar.available, events=events[-NEWS_MAX:], why=calendar.why, impacts=closing)

    async def _bars(self, question: BarsQuery) -> BarsReply:
        venue = self._engine.venue
        broker = venue.broker
        if venue.observer_broker is not None:
            broker = venue.observer_broker
            await broker.connect()
            await broker.select((question.symbol,))
        read = await broker.bars(question.symbol, question.timeframe, rows_within(question.count))
        if isinstance(read, Unknown):
            raise ValueError(f"{question.symbol}: {read.why}")
        rows = tuple(read.value.bar(row) for row in range(len(read.value)))
        return BarsReply(symbol=question.symbol, timeframe=question.timeframe, bars=rows)
