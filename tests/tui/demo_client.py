"""A client of no engine: it tells the demo desk, remembers what was ordered, and answers from the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from quarterdeck.core.link.client import EventBox
from quarterdeck.core.link.messages import (
    Act,
    AnswerBody,
    AskBars,
    AskEquity,
    AskLedger,
    AskLog,
    AskNews,
    AskRehearsal,
    AskSettings,
    AskTrades,
    Bars,
    Cannot,
    CommandResult,
    EquityPoints,
    Event,
    Ledger,
    LinkState,
    LogNow,
    NewsNow,
    Question,
    RehearsalNow,
    ReplayControl,
    SettingsNow,
    Trades,
)
from quarterdeck.core.link.trades import AskRecord, AskStory, Story
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.errors import NoEngineError
from quarterdeck.core.model.units import H1_NS
from quarterdeck.core.settings.load import shipped_settings, shipped_tree, with_own
from quarterdeck.core.strategy.load import strategy_parameters
from tests.tui.demo import MINUTE, NOW, demo_desk, demo_log, demo_snapshot
from tests.tui.demo_past import demo_bars, demo_ledger, demo_news, demo_record, demo_steps, demo_trades


class FakeClient:
    """A client of no engine: yields what it is given, remembers what was ordered, answers from the demo."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.box = EventBox()
        self.sent: list[Command] = []
        self.controls: list[ReplayControl] = []
        self.asked: list[Question] = []
        self.closed = False
        self.up = True
        self.hold: asyncio.Event | None = None
        self.reply: Callable[[Command], CommandResult] = lambda command: CommandResult(command_id="x", ok=True, text="done")
        self.answers: dict[type, AnswerBody] = {}
        for event in events:
            self.box.put(event)

    def give(self, *events: Event) -> None:
        for event in events:
            self.box.put(event)

    async def next(self) -> Event:
        return await self.box.get()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.up:
            raise NoEngineError("the line to the engine is down", what_to_do="wait, or see `quarterdeck status`")
        self.sent.append(command)
        if self.hold is not None:
            await self.hold.wait()
        return self.reply(command)

    async def ask(self, question: Question, *, timeout_s: float = 10.0) -> AnswerBody:
        if not self.up:
            raise NoEngineError("the line to the engine is down")
        self.asked.append(question)
        if type(question) in self.answers:
            return self.answers[type(question)]
        match question:
            case AskBars(symbol=symbol, timeframe=timeframe, count=count):
                return Bars(symbol=symbol, timeframe=timeframe, bars=demo_bars(symbol, timeframe, count))
            case AskLedger(symbol=symbol):
                return Ledger(rows=demo_ledger(symbol), counts={"spread": 41, "confidence": 96, "budget": 3})
            case AskTrades(only=only):
                return Trades(trades=tuple(row for row in demo_trades() if only.passes(row)))
            case AskStory(position_id=position_id):
                return Story(position_id=position_id, steps=demo_steps())
            case AskRecord():
                return demo_record()
            case AskEquity(count=count):
                count = min(count, 120)
                return EquityPoints(
                    at_utc_ns=tuple(NOW - (count - n) * H1_NS for n in range(count)),
                    equity_money=tuple(10_000 + 2.1 * n + 70 * ((n * 37) % 19 - 9) / 9 for n in range(count)),
                )
            case AskSettings():
                return demo_settings()
            case AskRehearsal():
                return demo_rehearsal()
            case AskNews(since_utc_ns=since):
                return NewsNow(available=True, events=tuple(event for event in demo_news() if event.at_utc_ns >= since))
            case AskLog():
                return LogNow(lines=tuple(demo_log()))
            case _:
                return Cannot(why="not known here")

    async def control(self, control: ReplayControl) -> None:
        self.controls.append(control)

    async def close(self) -> None:
        self.closed = True


def demo_rehearsal() -> RehearsalNow:
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
    moved = msgspec.structs.replace(second, care="trail from 1.0R")
    after = msgspec.structs.replace(before, positions=(first, moved, *rest), risk=risk)
    return RehearsalNow(before=before, after=after, acts=(Act(position_id=first.position_id, close_lots=first.lots, why="age"),))


def demo_settings(**changes: Any) -> SettingsNow:
    own = strategy_parameters(shipped_settings().strategy)
    tree = with_own(shipped_tree(), own)
    packed = msgspec.Raw(msgspec.msgpack.encode(tree))
    row = SettingsNow(
        tree=packed,
        file_tree=packed,
        overridden=("risk.risk_per_trade_pct",),
        changes=((NOW - 90 * MINUTE, "risk.risk_per_trade_pct", "0.5", "1.0", "screen"),),
        own=own,
    )
    return msgspec.structs.replace(row, **changes)


def live_events(**changes: Any) -> list[Event]:
    """What a screen gets in its first second."""
    return [LinkState(up=True, mode="simulated"), *demo_log(), demo_snapshot(**changes)]
