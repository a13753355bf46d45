"""A fortnight over a gateway: weekends, both clock changes, a month's end, and what befalls an account in between, drawn by a seed.

The engine is killed and restarted, a hand trades in the terminal, money comes and goes, quotes and the trade server fall silent,
and the gateway's processes are killed, frozen and cut off (`gateway_week`). What the journal says afterwards is compared with the
broker's own rows by SQL that shares no code with the product.

    python -m tests.sim.fortnight SEED [HOURS] [near]

`near` leaves the gateway's processes out: the terminal is in this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec import Struct

from quarterdeck.core.brokers.simulator.ledger_rows import DEAL_CREDIT
from quarterdeck.core.brokers.simulator.operator_actions import (
    CloseByHand,
    FreezeQuotes,
    LoseServer,
    MoveMoney,
    MoveStops,
    OpenByHand,
    OperatorActions,
    TerminalAction,
)
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.model.commands import Acknowledge, Flatten, Pause, ResetDrawdown, Resume
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import H1_NS, NS_PER_S
from quarterdeck.core.study.account_report import account_performance, account_report_json
from tests.sim.eager_scanner import EagerScanner
from tests.sim.gateway_week import WEEK_SETTINGS, GatewayWorld
from tests.sim.reconciliation import BrokerRecord, Found, Mark, Reconciliation, reconcile
from tests.sim.simulated_engine import World, pip_sizes

START_UTC_NS = 1_760_940_000 * NS_PER_S
"""Monday 2025-10-20 06:00 UTC: Europe's clocks change on the 26th, America's on 2 November."""
FORTNIGHT_H = 14 * 24.0
TIME_EXIT_H = 2.0
DAY_LOSS_PCT = 2.0
DRAWDOWN_PCT = 5.0
MARK_S = 30.0
"""The market ticks as often."""
_EVENTS = (
    *("deposit", "withdraw", "credit", "charge", "large charge", "income", "hand opens", "hand closes", "hand moves stop"),
    *("hand removes stop", "freeze", "disconnect", "kill", "restart", "pause", "flatten"),
)
SOAK: dict[str, float] = {"at_orders": 0.02, "at_reads": 0.0001, "mean_h": 12.0}
"""Chances of blows to the gateway's processes at orders and reads, and the mean hours between those at any moment."""
_SETTINGS = WEEK_SETTINGS | {
    "engine__broker_start_timeout_s": 300.0,
    "engine__read_timeout_s": 5.0,
    "engine__send_timeout_s": 5.0,
    "position__time_exit_hours": TIME_EXIT_H,
    "breakers__day_loss_max_pct": DAY_LOSS_PCT,
    "breakers__drawdown_max_pct": DRAWDOWN_PCT,
}


class FortnightFigures(Struct, kw_only=True):
    """What a fortnight was like."""

    seed: int
    market_h: float = 0.0
    real_s: float = 0.0
    events: Counter[str] = Counter()
    blows: Counter[str] = Counter()
    trades: int = 0
    runs: int = 0
    trips: int = 0
    requests_a_day: int = 0
    found: Reconciliation | None = None
    words: list[str] = []
    """What is wrong, in rows."""

    def __str__(self) -> str:
        """For people."""
        drawn = ", ".join(f"{count} {kind}" for kind, count in sorted((self.events + self.blows).items()))
        return (
            f"seed {self.seed}: {self.market_h:g} h in {self.real_s:.0f} s, {self.runs} runs, {self.trades} trades, "
            f"{self.trips} breakers tripped; {drawn}; at most {self.requests_a_day} requests a day; {self.found}"
            + "".join(f"\n  {line}" for line in self.words)
        )


class Fortnight:
    """One world, and what befalls it."""

    def __init__(self, home: Path, seed: int, **chances: Any) -> None:
        """`chances` are those of `GatewayWorld`; without them the terminal is in this process, and no process is struck."""
        values = _SETTINGS | {"breakers__trip_action": ("stop", "flatten")[seed % 2]}
        self.gateway = GatewayWorld(home, seed=seed, start_utc_ns=START_UTC_NS, **(values | chances)) if chances else None
        self.world = self.gateway or World(home, seed=seed, start_utc_ns=START_UTC_NS, tick_s=30, **values)
        self.world.scanner = EagerScanner(seed, pip_sizes(self.world.settings), share=0.15)
        self.actions = OperatorActions(self.world.terminal)
        self.figures = FortnightFigures(seed=seed, events=Counter())
        self.away: list[tuple[int, int, str]] = []
        """Spans without engine or line, or without the quotes of a symbol, UTC ns."""
        self.marks: list[Mark] = []
        self.resets: list[int] = []
        self._draw = random.Random(f"fortnight {seed}")
        self._requests: Counter[int] = Counter()
        self.world.requests.append(self._count)

    async def live(self, hours: float, event_h: float) -> None:
        """So many hours with an event every `event_h` on average, then a calm that ends flat."""
        world, gateway = self.world, self.gateway
        async with contextlib.AsyncExitStack() as ending:
            if gateway is not None:
                server = await gateway.serve()
                ending.callback(server.close)
                ending.push_async_callback(self._end_gateway)
                ending.callback(gateway.trouble.calm)
            self._mark()
            await world.start()
            marking = asyncio.create_task(self._keep_marking())
            ending.callback(marking.cancel)
            if gateway is not None:
                gateway.trouble.active = True
                striking = asyncio.create_task(gateway.trouble.keep_striking())
                ending.callback(striking.cancel)
            left_h, next_h = hours, self._draw.expovariate(1.0 / event_h)
            while left_h > 0.0:
                step_h = min(left_h, next_h)
                await world.hours(step_h)
                left_h, next_h = left_h - step_h, next_h - step_h
                if next_h <= 0.0:
                    await self._befall(self._draw.choice(_EVENTS))
                    next_h = self._draw.expovariate(1.0 / event_h)
            if gateway is not None:
                striking.cancel()
                gateway.trouble.calm()
            await world.until(world.settled, 72.0, "one book", every_s=60.0)
            await world.flatten(hours=72.0)
            await world.until(world.settled, 2.0, "one book")
            await world.hours(0.1)
            self._mark()
            await world.close()

    def _mark(self, flow_money: float = 0.0, kind: str = "") -> None:
        """The broker's account as it is now."""
        terminal = self.world.terminal
        terminal.advance_to(max(self.world.now_utc_ns, terminal.now_utc_ns))
        ledger = terminal.ledger
        if flow_money or not self.marks or ledger.positions or self.marks[-1].balance != ledger.balance_money:
            self.marks.append(Mark(terminal.now_utc_ns, ledger.balance_money, ledger.equity_money(), flow_money, kind))

    async def _keep_marking(self) -> None:
        while True:
            await asyncio.sleep(MARK_S)
            self._mark()

    async def _end_gateway(self) -> None:
        """The gateway beside an engine that is gone."""
        if self.gateway is not None:
            with self.gateway.loop.patient():
                await self.gateway.local.close()

    async def _befall(self, event: str) -> None:
        self.figures.events[event] += 1
        world, draw = self.world, self._draw
        await self._operator()
        if event == "kill":
            await world.bury()
            await self._end_gateway()
            await self._away(draw.uniform(0.0, 0.5))
        elif event == "restart":
            await world.close()
            await self._end_gateway()
            await self._away(draw.choice((0.0, 0.1, 6.0, 30.0)))
        elif event == "pause":
            world.give(Pause())
            await world.hours(draw.uniform(0.0, 1.0))
            world.give(Resume())
        elif event == "flatten":
            world.give(Flatten(scope="ours"))
        else:
            self._in_the_terminal(event)

    async def _operator(self) -> None:
        """Looks at the desk now and then: resumes after a flatten, accepts a drawdown."""
        world = self.world
        reasons = world.state()["reasons"]
        if "drawdown" in reasons and self._draw.random() < 0.6:
            world.give(ResetDrawdown())
            await world.hours(0.02)
            if "drawdown" not in world.state()["reasons"]:
                self.resets.append(world.now_utc_ns)
        if "foreign_no_stop" in reasons:
            world.give(Acknowledge(what="foreign_no_stop"))
        if "flat" in reasons:
            world.give(Resume())

    def _in_the_terminal(self, event: str) -> None:
        self._mark()
        now, action = self.world.terminal.now_utc_ns, self._action(event)
        if action is None:
            return
        # what a broker refuses, in the weekend say, is no event
        with contextlib.suppress(UsageError):
            self.actions.carry_out(action)
            if isinstance(action, FreezeQuotes | LoseServer):
                frozen = action.symbol if isinstance(action, FreezeQuotes) else ""
                self.away.append((now, now + int((action.minutes or 0.0) * 60 * NS_PER_S), frozen))
            if isinstance(action, MoveMoney):
                kind = {"deposit": "transfer", "withdraw": "transfer", "credit": "transfer", "income": "income"}.get(event, "")
                self._mark(action.amount_money if kind else 0.0, kind)

    async def _away(self, hours: float) -> None:
        began = self.world.now_utc_ns
        await self.world.hours_without(hours)
        await self.world.start()
        self.away.append((began, self.world.now_utc_ns, ""))

    def _action(self, event: str) -> TerminalAction | None:
        draw, ledger = self._draw, self.world.terminal.ledger
        symbol = draw.choice(self.world.settings.desk.pairs)
        held = draw.choice(list(ledger.positions.values())) if ledger.positions else None
        bid, ask, _ = ledger.quotes[symbol]
        match event:
            case "deposit":
                return MoveMoney(deal_type=2, amount_money=round(draw.uniform(100.0, 5_000.0), 2), comment="Deposit")
            case "withdraw":
                return MoveMoney(deal_type=2, amount_money=-round(draw.uniform(100.0, 2_000.0), 2), comment="Withdrawal")
            case "credit":
                gives = not ledger.credit_money
                return MoveMoney(deal_type=3, amount_money=500.0 if gives else -ledger.credit_money, comment="Credit")
            case "charge":
                return MoveMoney(deal_type=draw.choice((2, 4, 7, 8, 9, 10, 11, 12, 17, 18)), amount_money=-60.0, comment="Fee")
            case "large charge":
                share = draw.uniform(0.005, 0.03)
                return MoveMoney(deal_type=4, amount_money=-round(share * ledger.balance_money, 2), comment="Charge")
            case "income":
                amount = round(draw.uniform(5.0, 300.0), 2)
                return MoveMoney(deal_type=draw.choice((12, 15, 16, 19)), amount_money=amount, comment="Income")
            case "hand opens":
                side = draw.choice((1, -1))
                price = ask if side > 0 else bid
                digits = ledger.instruments[symbol].digits
                return OpenByHand(
                    symbol=symbol,
                    side="buy" if side > 0 else "sell",
                    lots=0.05,
                    stop_price=round(price * (1 - side * 0.01), digits),
                )
            case "hand closes" if held is not None:
                return CloseByHand(ticket=held.ticket)
            case "hand moves stop" if held is not None and held.stop_price:
                spec = ledger.instruments[held.symbol]
                return MoveStops(ticket=held.ticket, stop_price=round(held.stop_price - held.side * spec.pip, spec.digits))
            case "hand removes stop" if held is not None and held.magic == self.world.magic:
                return MoveStops(ticket=held.ticket, stop_price=0.0)
            case "freeze":
                return FreezeQuotes(symbol=symbol, minutes=draw.uniform(5.0, 60.0))
            case "disconnect":
                return LoseServer(minutes=draw.uniform(1.0, 30.0))
            case _:
                return None

    def _count(self, name: str, _args: tuple[Any, ...]) -> None:
        if name == "order_send":
            self._requests[self.world.now_utc_ns // (24 * H1_NS)] += 1

    def finish(self) -> FortnightFigures:
        """Reconcile, and say how it was."""
        figures, world = self.figures, self.world
        figures.found, figures.trips, figures.words = self._reconcile()
        figures.blows = Counter() if self.gateway is None else self.gateway.figures.blows
        figures.runs = world.runs
        figures.requests_a_day = max(self._requests.values(), default=0)
        with contextlib.closing(sqlite3.connect(world.home.journal)) as journal:
            (figures.trades,) = journal.execute("SELECT count(*) FROM trades").fetchone()
        return figures

    def _reconcile(self) -> Found:
        world = self.world
        with TapeReader(world.home.journal) as reader:
            report = account_report_json(account_performance(reader))
        deals = [
            (
                *(row.ticket, row.at_utc_ns, row.kind, row.entry, row.magic, row.position_id, row.lots, row.profit_money),
                round(row.commission_money + row.swap_money, 2),
                round(row.profit_money + row.commission_money + row.swap_money + row.fee_money, 2) * (row.kind != DEAL_CREDIT),
                *(row.symbol, row.comment, row.order),
            )
            for row in world.terminal.ledger.deals
            if row.comment != "Initial balance"
        ]
        broker = BrokerRecord(
            deals=deals, marks=self.marks, away=self.away, resets=self.resets, magic=world.magic,
            start_money=world.settings.simulation.balance_money, time_exit_h=TIME_EXIT_H,
            day_loss_share=DAY_LOSS_PCT / 100.0, drawdown_share=DRAWDOWN_PCT / 100.0,
        )  # fmt: skip
        return reconcile(world.home.journal, broker, report)


def live_through(home: Path, seed: int, hours: float, *, event_h: float = 4.0, **chances: Any) -> FortnightFigures:
    """Live through so many hours and reconcile."""
    began_s = time.monotonic()
    fortnight = Fortnight(home, seed, **chances)
    with (
        patch("quarterdeck.core.brokers.mt5.gateway_client.PING_S", None),
        patch("quarterdeck.core.brokers.mt5.gateway_client.PONG_S", None),
    ):
        fortnight.world.run(lambda _: fortnight.live(hours, event_h))
    fortnight.figures.market_h, fortnight.figures.real_s = hours, time.monotonic() - began_s
    return fortnight.finish()


def main(arguments: list[str]) -> int:
    """One seed with words."""
    seed, hours = int(arguments[0]), float(arguments[1]) if len(arguments) > 1 else FORTNIGHT_H
    with tempfile.TemporaryDirectory(prefix="quarterdeck-fortnight-") as folder:
        print(live_through(Path(folder) / "home", seed, hours, **({} if arguments[2:] == ["near"] else SOAK)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
