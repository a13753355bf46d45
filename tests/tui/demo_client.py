"""A client of no engine: it tells the demo desk, remembers what was ordered, and answers from the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from quarterdeck.core.link.link_client import EventBox
from quarterdeck.core.link.messages import (
    BarsQuery,
    BarsReply,
    CalendarQuery,
    CalendarReply,
    CommandResult,
    EquityQuery,
    EquityReply,
    LinkEvent,
    LinkState,
    LogQuery,
    LogReply,
    PreviewAction,
    PreviewQuery,
    PreviewReply,
    QueryBody,
    QueryFailed,
    ReplayControl,
    ReplyBody,
    SettingsQuery,
    SettingsReply,
    TradesQuery,
    TradesReply,
    VerdictsQuery,
    VerdictsReply,
)
from quarterdeck.core.link.trade_queries import AccountReportQuery, TimelineQuery, TradeTimeline
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import EngineNotRunningError
from quarterdeck.core.model.units import H1_NS
from quarterdeck.core.settings.settings_loader import shipped_settings, shipped_tree, with_strategy_parameters
from quarterdeck.core.strategy.strategy_loader import strategy_parameters
from tests.tui.demo_desk import MINUTE, NOW, demo_desk, demo_log, demo_snapshot
from tests.tui.demo_history import demo_bars, demo_ledger, demo_news, demo_record, demo_steps, demo_trades


class FakeClient:
    """A client of no engine: yields what it is given, remembers what was ordered, answers from the demo."""

    def __init__(self, events: Iterable[LinkEvent] = ()) -> None:
        self.box = EventBox()
        self.sent: list[Command] = []
        self.controls: list[ReplayControl] = []
        self.asked: list[QueryBody] = []
        self.closed = False
        self.up = True
        self.hold: asyncio.Event | None = None
        self.reply: Callable[[Command], CommandResult] = lambda command: CommandResult(command_id="x", ok=True, text="done")
        self.answers: dict[type, ReplyBody] = {}
        for event in events:
            self.box.put(event)

    def give(self, *events: LinkEvent) -> None:
        for event in events:
            self.box.put(event)

    async def next(self) -> LinkEvent:
        return await self.box.get()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.up:
            raise EngineNotRunningError("the connection to the engine is down", what_to_do="wait, or see `quarterdeck status`")
        self.sent.append(command)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply(command)

    async def ask(self, question: QueryBody, *, timeout_s: float = 10.0) -> ReplyBody:
        if not self.up:
            raise EngineNotRunningError("the connection to the engine is down")
        self.asked.append(question)
        if type(question) in self.answers:
            return self.answers[type(question)]
        match question:
            case BarsQuery(symbol=symbol, timeframe=timeframe, count=count):
                return BarsReply(symbol=symbol, timeframe=timeframe, bars=demo_bars(symbol, timeframe, count))
            case VerdictsQuery(symbol=symbol):
                return VerdictsReply(rows=demo_ledger(symbol), counts={"spread": 41, "confidence": 96, "budget": 3})
            case TradesQuery(only=only):
                return TradesReply(trades=tuple(row for row in demo_trades() if only.passes(row)))
            case TimelineQuery(position_id=position_id):
                return TradeTimeline(position_id=position_id, steps=demo_steps())
            case AccountReportQuery():
                return demo_record()
            case EquityQuery(count=count):
                count = min(count, 120)
                return EquityReply(
                    at_utc_ns=tuple(NOW - (count - n) * H1_NS for n in range(count)),
                    equity_money=tuple(10_000 + 2.1 * n + 70 * ((n * 37) % 19 - 9) / 9 for n in range(count)),
                )
            case SettingsQuery():
                return demo_settings()
            case PreviewQuery():
                return demo_rehearsal()
            case CalendarQuery(since_utc_ns=since):
                return CalendarReply(available=True, events=tuple(event for event in demo_news() if event.at_utc_ns >= since))
            case LogQuery():
                return LogReply(lines=tuple(demo_log()))
            case _:
                return QueryFailed(why="not known here")

    async def control(self, control: ReplayControl) -> None:
        self.controls.append(control)

    async def close(self) -> None:
        self.closed = True


def demo_rehearsal() -> PreviewReply:
    """A tighter cap and a shorter life: one position ages out, one trails later, the cap is passed, the drawdown's breaker trips."""
    before = demo_desk()
    first, second, *rest = before.positions
    risk = msgspec.structs.replace(
        before.risk,
        cap_money=None if before.risk.open_money is None else round(before.risk.open_money * 0.9, 2),
        limits=tuple(
            msgspec.structs.replace(limit, limit=limit.limit / 10, tripped=True) if limit.name == "drawdown" else limit
            for limit in before.risk.limits
        ),
    )
    moved = msgspec.structs.replace(second, next_action="trail from 1.0R")
    after = msgspec.structs.replace(before, positions=(first, moved, *rest), risk=risk)
    return PreviewReply(
        before=before, after=after, acts=(PreviewAction(position_id=first.position_id, close_lots=first.lots, why="age"),)
    )


def demo_settings(**changes: Any) -> SettingsReply:
    own = strategy_parameters(shipped_settings().strategy)
    tree = with_strategy_parameters(shipped_tree(), own)
    packed = msgspec.Raw(msgspec.msgpack.encode(tree))
    row = SettingsReply(
        tree=packed,
        file_tree=packed,
        overridden=("risk.risk_per_trade_pct",),
        changes=((NOW - 90 * MINUTE, "risk.risk_per_trade_pct", "0.5", "1.0", "screen"),),
        own=own,
    )
    return msgspec.structs.replace(row, **changes)


def live_events(**changes: Any) -> list[LinkEvent]:
    """What a screen gets in its first second."""
    return [LinkState(up=True, mode="simulated"), *demo_log(), demo_snapshot(**changes)]
