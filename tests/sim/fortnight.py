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
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import H1_NS, NS_PER_S
from quarterdeck.core.study.account_report import account_performance
from tests.sim.eager_scanner import EagerScanner
from tests.sim.gateway_week import WEEK_SETTINGS, GatewayWorld
from tests.sim.simulated_engine import World, pip_sizes

START_UTC_NS = 1_760_940_000 * NS_PER_S
"""Monday 2025-10-20 06:00 UTC: Europe's clocks change on the 26th, America's on 2 November."""
FORTNIGHT_H = 14 * 24.0
TIME_EXIT_H = 2.0
LATE_EXIT_H = 1.0
"""So much later than its time a position may leave, beside hours in which the market, the line or the engine is away."""
_EVENTS = (
    *("deposit", "withdraw", "credit", "charge", "hand opens", "hand closes", "hand moves stop", "hand removes stop"),
    *("freeze", "disconnect", "kill", "restart"),
)
SOAK: dict[str, float] = {"at_orders": 0.02, "at_reads": 0.0001, "mean_h": 12.0}
"""Chances of blows to the gateway's processes at orders and reads, and the mean hours between those at any moment."""
_SETTINGS = WEEK_SETTINGS | {
    "engine__broker_start_timeout_s": 300.0,
    "engine__read_timeout_s": 5.0,
    "engine__send_timeout_s": 5.0,
    "position__time_exit_hours": TIME_EXIT_H,
    "breakers__day_loss_max_pct": 30.0,
    "breakers__drawdown_max_pct": 60.0,
}


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What is wrong with a journal, by the broker's rows; all 0 where nothing is."""

    lost: int
    """Trade deals and movements of money of the broker that the journal does not have."""
    doubled: int
    """Deals booked twice, and intents that the broker opened twice."""
    orphans: int
    """Positions opened under our number without an intent of ours, or left open."""
    wrong_trips: int
    """Breakers that tripped on a broker's day whose results stayed under half their limit."""
    missed_exits: int
    """Positions that outlived their time exit while market, line and engine were there."""
    report_differs: int
    """Figures of `report` that are not the broker's."""


class FortnightFigures(Struct, kw_only=True):
    """What a fortnight was like."""

    seed: int
    market_h: float = 0.0
    real_s: float = 0.0
    events: Counter[str] = Counter()
    blows: Counter[str] = Counter()
    trades: int = 0
    runs: int = 0
    requests_a_day: int = 0
    found: Reconciliation | None = None

    def __str__(self) -> str:
        """For people."""
        drawn = ", ".join(f"{count} {kind}" for kind, count in sorted((self.events + self.blows).items()))
        return (
            f"seed {self.seed}: {self.market_h:g} h in {self.real_s:.0f} s, {self.runs} runs, {self.trades} trades; {drawn}; "
            f"at most {self.requests_a_day} requests a day; {self.found}"
        )


class Fortnight:
    """One world, and what befalls it."""

    def __init__(self, home: Path, seed: int, **chances: Any) -> None:
        """`chances` are those of `GatewayWorld`; without them the terminal is in this process, and no process is struck."""
        self.gateway = GatewayWorld(home, seed=seed, start_utc_ns=START_UTC_NS, **(_SETTINGS | chances)) if chances else None
        self.world = self.gateway or World(home, seed=seed, start_utc_ns=START_UTC_NS, tick_s=30, **_SETTINGS)
        self.world.scanner = EagerScanner(seed, pip_sizes(self.world.settings), share=0.15)
        self.actions = OperatorActions(self.world.terminal)
        self.figures = FortnightFigures(seed=seed, events=Counter())
        self.away: list[tuple[int, int]] = []
        """Spans without engine, line or quotes, UTC ns."""
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
            await world.start()
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
            await world.close()

    async def _end_gateway(self) -> None:
        """The gateway beside an engine that is gone."""
        if self.gateway is not None:
            with self.gateway.loop.patient():
                await self.gateway.local.close()

    async def _befall(self, event: str) -> None:
        self.figures.events[event] += 1
        world, draw, now = self.world, self._draw, self.world.now_utc_ns
        if event == "kill":
            await world.bury()
            await self._end_gateway()
            await self._away(draw.uniform(0.0, 0.5))
        elif event == "restart":
            await world.close()
            await self._end_gateway()
            await self._away(draw.choice((0.0, 0.1, 6.0)))
        else:
            world.terminal.advance_to(max(now, world.terminal.now_utc_ns))
            action = self._action(event)
            if action is None:
                return
            # what a broker refuses, in the weekend say, is no event
            with contextlib.suppress(UsageError):
                self.actions.carry_out(action)
                if isinstance(action, FreezeQuotes | LoseServer):
                    self.away.append((now, now + int((action.minutes or 0.0) * 60 * NS_PER_S)))

    async def _away(self, hours: float) -> None:
        began = self.world.now_utc_ns
        await self.world.hours_without(hours)
        await self.world.start()
        self.away.append((began, self.world.now_utc_ns))

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
                return MoveMoney(deal_type=draw.choice((4, 7, 12)), amount_money=-60.0, comment="Charge")
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
        figures.found = reconcile(world, self.away)
        figures.blows = Counter() if self.gateway is None else self.gateway.figures.blows
        figures.runs = world.runs
        figures.requests_a_day = max(self._requests.values(), default=0)
        with contextlib.closing(sqlite3.connect(world.home.journal)) as journal:
            (figures.trades,) = journal.execute("SELECT count(*) FROM trades").fetchone()
        return figures


def reconcile(world: World, away: list[tuple[int, int]]) -> Reconciliation:
    """The journal against the broker's rows, in SQL of its own."""
    ledger = world.terminal.ledger
    with TapeReader(world.home.journal) as reader:
        told = account_performance(reader).performance.trades
    with contextlib.closing(sqlite3.connect(world.home.journal)) as db:
        db.execute(
            "CREATE TEMP TABLE b (ticket, at_ns, kind, entry, magic, position_id, lots, money, symbol, comment, order_ticket)"
        )
        db.executemany(
            "INSERT INTO b VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    *(row.ticket, row.at_utc_ns, row.kind, row.entry, row.magic, row.position_id, row.lots),
                    round(row.profit_money + row.commission_money + row.swap_money + row.fee_money, 2),
                    *(row.symbol, row.comment, row.order),
                )
                for row in ledger.deals
                if row.comment != "Initial balance"
            ],
        )
        db.execute("CREATE TEMP TABLE away (since, until)")
        db.executemany("INSERT INTO away VALUES (?, ?)", away)
        first = {"magic": world.magic}

        def count(sql: str, **values: Any) -> int:
            (found,) = db.execute(sql, first | values).fetchone()
            return int(found or 0)

        ours = "SELECT position_id FROM b WHERE symbol != '' AND entry = 0 AND magic = :magic"
        lost = count("SELECT count(*) FROM b WHERE ticket NOT IN (SELECT deal_ticket FROM deals)")
        doubled = count("SELECT count(*) FROM (SELECT 1 FROM deals GROUP BY deal_ticket HAVING count(*) > 1)")
        doubled += count(
            "SELECT count(*) FROM (SELECT 1 FROM b WHERE symbol != '' AND entry = 0 AND magic = :magic "
            "GROUP BY comment HAVING count(DISTINCT order_ticket) > 1)"
        )
        orphans = count(
            "SELECT count(*) FROM b WHERE symbol != '' AND entry = 0 AND magic = :magic "
            "AND comment NOT IN (SELECT client_id FROM intents WHERE kind = 'submit')"
        )
        orphans += count(
            f"SELECT count(*) FROM ({ours}) o WHERE abs((SELECT sum(CASE WHEN entry = 0 THEN lots ELSE -lots END) FROM b "
            "WHERE b.position_id = o.position_id AND b.symbol != '')) > 1e-6"
        )
        # a broker's day ends at 17:00 New York: 21:00 UTC before 2 November 2025, 22:00 after
        wrong_trips = count(
            "SELECT count(*) FROM alerts a WHERE a.kind = 'breaker' AND a.text LIKE '%day loss%' AND "
            "coalesce((SELECT -sum(money) FROM b WHERE at_ns <= a.at_utc_ns AND at_ns > a.at_utc_ns - 86400000000000 "
            "AND (symbol != '' OR kind NOT IN (2, 3))), 0) < 0.5 * :limit * (SELECT min(balance_money) FROM equity)",
            limit=world.settings.breakers.day_loss_max_pct / 100.0,
        )
        missed = 0
        holds = db.execute(
            "SELECT position_id, min(CASE WHEN entry = 0 THEN at_ns END), max(CASE WHEN entry != 0 THEN at_ns END) FROM b "
            f"WHERE symbol != '' AND position_id IN ({ours}) GROUP BY position_id",
            first,
        ).fetchall()
        for position_id, opened, closed in holds:
            due = opened + int(TIME_EXIT_H * H1_NS)
            late = int(LATE_EXIT_H * H1_NS) + sum(
                max(0, min(closed or due, until) - max(due, since)) for since, until in (*away, *WEEKENDS)
            )
            if closed is None or closed > due + late:
                missed += 1
                print(f"missed: {position_id} opened {opened}, closed {closed}, {((closed or 0) - due) / H1_NS:.2f} h late")
        net, number = db.execute(
            f"SELECT round(sum(money), 2), count(DISTINCT position_id) FROM b WHERE symbol != '' AND position_id IN ({ours})",
            first,
        ).fetchone()
        differs = int(abs(told.net_money - (net or 0.0)) > 0.005) + int(told.trades != number)
    return Reconciliation(
        lost=lost, doubled=doubled, orphans=orphans, wrong_trips=wrong_trips, missed_exits=missed, report_differs=differs
    )


WEEKENDS = tuple(
    (START_UTC_NS + int(begin * H1_NS), START_UTC_NS + int(end * H1_NS))
    for begin, end in ((4 * 24 + 14, 6 * 24 + 16), (11 * 24 + 14, 13 * 24 + 17), (18 * 24 + 15, 20 * 24 + 17))
)
"""Friday evening to Sunday evening, with the thin hour before and after, and the two clock changes between."""


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
