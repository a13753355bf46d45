"""An engine that only speaks: a real link server over a scripted engine side, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.messages import (
    LINK_VERSION,
    CommandResult,
    LinkWelcome,
    QueryBody,
    QueryFailed,
    ReplayControl,
    ReplyBody,
    SettingsReply,
)
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.snapshot import DeskView, EngineHealth, FlattenView, RiskView, Snapshot
from quarterdeck.core.settings.settings_loader import shipped_tree, with_values

NS = 1_000_000_000


def snapshot(*, flatten: FlattenView | None = None, **desk: Any) -> Snapshot:
    """A desk at rest, with what the test wants to differ."""
    view = DeskView(
        at_utc_ns=1_720_000_000 * NS,
        seq=1,
        mode="replay",
        account=None,
        state=desk.pop("state", "ACTIVE"),
        reasons=desk.pop("reasons", ()),
        equity_money=10_000.0,
        balance_money=10_000.0,
        day_result_money=-12.5,
        day_base_money=10_000.0,
        day_limit_money=500.0,
        drawdown_fraction=0.0,
        pairs=(),
        signals=(),
        positions=(),
        orders=(),
        risk=RiskView(
            open_money=0.0,
            reserved_money=0.0,
            cap_money=500.0,
            correlated_risk_fraction=0.0,
            correlated_risk_cap_fraction=0.03,
            gap_risk_money=0.0,
            gap_risk_cap_money=1_000.0,
        ),
        positions_without_stop=desk.pop("without_stop", 0),
        unconfirmed_orders=0,
        positions_match=desk.pop("book_agrees", True),
        oldest_quote_utc_ns=0,
        next_news=None,
        calendar_available=True,
        next_bar_utc_ns=0,
        trades_today=0,
        entries_today=0,
        flatten=flatten,
        **desk,
    )
    now = WallClock().utc_ns()
    health = EngineHealth(run_id="r1", pid=42, started_utc_ns=now - 90 * NS, wall_utc_ns=now, ready=True, connection_up=True)
    return Snapshot(number=1, desk=view, engine=health)


class ScriptedEngine:
    """Answers every command with `reply`, and remembers them."""

    def __init__(self, reply: Callable[[Command], tuple[bool, str]]) -> None:
        self.reply = reply
        self.commands: list[Command] = []
        self.after_command: list[Snapshot] = []
        self.server: LinkServer | None = None
        self.loop: asyncio.AbstractEventLoop
        """Its thread's; set once it listens."""

    def welcome(self) -> LinkWelcome:
        return LinkWelcome(version=LINK_VERSION, run_id="r1", pid=42, mode="replay")

    async def command(self, command: Command, origin: str, command_id: str) -> CommandResult:
        self.commands.append(command)
        ok, text = self.reply(command)
        assert self.server is not None
        for view in self.after_command:
            asyncio.get_running_loop().call_later(0.05, self.server.publish, view)
        return CommandResult(command_id=command_id, ok=ok, text=text)

    async def answer(self, question: QueryBody) -> ReplyBody:
        del question
        tree = with_values(shipped_tree(), [("risk.risk_per_trade_pct", 0.25)])
        raw = msgspec.Raw(msgspec.msgpack.encode(tree))
        return (
            SettingsReply(tree=raw, file_tree=raw, overridden=("risk.risk_per_trade_pct",))
            if tree
            else QueryFailed(why="nothing")
        )

    def replay_control(self, control: ReplayControl) -> None:
        del control


@contextmanager
def running(home: Path, engine: ScriptedEngine, first: Snapshot | None = None, then: Snapshot | None = None) -> Iterator[None]:
    """Listen in `home` until the block ends; publish `first` for whoever comes to watch, `then` over and over."""
    ready, end = threading.Event(), threading.Event()

    async def serve() -> None:
        engine.loop = asyncio.get_running_loop()
        server = engine.server = LinkServer(home, engine, on_watcher=lambda: None if first is None else server.publish(first))
        await server.start()
        ready.set()
        while not await asyncio.to_thread(end.wait, 0.05):
            if then is not None and server.watched:
                server.publish(then)
        await server.stop("the test is over")

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        end.set()
        thread.join(30)
