"""Funded rules over random histories: balance figures and floors to the cent, reckoned here from the deals alone.

The model below knows deals with their dates, the operator's words and the firm's rules as docs/funded_accounts.md states them.
It shares nothing with the product. Downtimes, restarts, deals told late or twice, and accounts read before their deals are drawn.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import CommandDone
from quarterdeck.core.model.inputs import NewDeal
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.risk import prop_firm
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.account_model import next_start
from tests.core.desk.playbook import Play, only
from tests.core.desk.test_balance_changes import CALM, read
from tests.core.desk.test_days import asleep

MINUTE = 60 * NS_PER_S
FIRST = 10_000.0
WEEKS = tuple(datetime(2024, month, day, 12, tzinfo=UTC) for month, day in ((3, 6), (3, 27), (10, 23), (10, 30)))
"""Weeks around the days on which New York and Prague change their clocks, apart from each other."""
BASES = (
    "static", "trailing_balance", "trailing_equity", "trailing_day_end_balance", "trailing_day_end_equity", "trailing_day_end_greater",
)  # fmt: skip


class Event(NamedTuple):
    """Something that happened to the account, or what the operator said of it."""

    at: int
    kind: str
    money: float
    deal_type: int = 2
    comment: str = ""
    ticket: int = 0


class Model:
    """The firm's own reckoning: one pass over the events in the order of their dates."""

    def __init__(self, rules: dict[str, object], began: int) -> None:
        self.rules, self.zone = rules, ZoneInfo(str(rules["day_zone"]))
        self.balance, self.start, self.credit, self.paid = FIRST, float(rules["starting_balance_money"] or FIRST), 0.0, False
        self.high = FIRST
        self.base = max(self.start, FIRST)
        self.next_day = self._day_after(began)

    def _day_after(self, at: int) -> int:
        return next_start(at, self.zone, str(self.rules["day_start"]))

    def until(self, at: int) -> None:
        base, kind = self.rules["overall_base"], self.rules["day_base"]
        while self.next_day <= at:
            equity = self.balance + self.credit
            self.base = {"balance": self.balance, "equity": equity}.get(str(kind), max(self.balance, equity))
            ends = {"trailing_day_end_balance": self.balance, "trailing_day_end_equity": equity}
            ends["trailing_day_end_greater"] = max(self.balance, equity)
            self.high = max(self.high, ends.get(str(base), self.high))
            self.next_day = self._day_after(self.next_day)

    def take(self, one: Event) -> None:
        self.until(one.at)
        base = self.rules["overall_base"]
        if one.kind == "credit":
            self.credit += one.money
            self.base += one.money if self.rules["day_base"] != "balance" else 0.0
            by_equity = base in ("trailing_equity", "trailing_day_end_equity", "trailing_day_end_greater")
            self.high += one.money if by_equity else 0.0
        elif one.kind in ("is transfer", "is payout"):
            self._meaning(one.kind, one.money)
        else:
            self.balance += one.money
        if one.kind in ("deposit", "payout", "withdrawal"):
            self.base += one.money
            self._meaning(one.kind, one.money)
        if base == "trailing_balance":
            self.high = max(self.high, self.balance)
        if base == "trailing_equity":
            self.high = max(self.high, self.balance + self.credit)

    def _meaning(self, kind: str, money: float) -> None:
        if kind in ("is transfer", "deposit"):
            self.start += money
            self.high += money
        elif kind in ("is payout", "payout"):
            self.paid = True

    def floors(self) -> tuple[float, float]:
        rules, trailing = self.rules, self.rules["overall_base"] != "static"
        day = float(rules["day_loss_pct"]) / 100 * (self.base if rules["day_loss_of"] == "base" else self.start)
        high = max(self.high, self.start) if trailing else self.start
        floor = high - float(rules["overall_loss_pct"]) / 100 * (high if rules["overall_loss_of"] == "high_water" else self.start)
        lock = self.start + float(rules["trailing_lock_plus_money"])
        if trailing and rules["trailing_locks_at_starting_balance"]:
            floor = min(floor, lock)
        if self.paid and rules["floor_after_payout"] == "start":
            floor = max(floor, lock)
        return self.base - day, floor


def drawn_rules(draw: random.Random) -> dict[str, object]:
    return {
        "enabled": True,
        "starting_balance_money": draw.choice((0.0, 10_000.0, 10_400.0)),
        "day_zone": draw.choice(("Europe/Prague", "America/New_York", "Asia/Tokyo")),
        "day_start": draw.choice(("00:00", "17:00", "02:30")),
        "day_base": draw.choice(("greater", "balance", "equity")),
        "day_loss_of": draw.choice(("base", "starting_balance")),
        "day_loss_pct": 60.0,
        "overall_base": draw.choice(BASES),
        "overall_loss_of": draw.choice(("starting_balance", "high_water")),
        "overall_loss_pct": draw.choice((50.0, 60.0)),
        "trailing_locks_at_starting_balance": draw.random() < 0.5,
        "trailing_lock_plus_money": draw.choice((0.0, 100.0)),
        "floor_after_payout": draw.choice(("stay", "start")),
    }


def drawn_event(draw: random.Random, at: int, ticket: int) -> Event:
    kind = draw.choice(("trade", "trade", "trade", "charge", "income", "deposit", "payout", "withdrawal", "credit"))
    money = round(draw.uniform(1.0, 90.0), 2)
    if kind == "trade":
        return Event(at, kind, round(draw.uniform(-120.0, 140.0), 2), 1, "", ticket)
    if kind == "credit":
        return Event(at, kind, draw.choice((money, -money)), 3, "", ticket)
    if kind == "charge":
        return Event(at, kind, -money, draw.choice((2, 4, 7, 8, 9, 10, 11, 17)), "fee", ticket)
    if kind == "income":
        return Event(at, kind, money, draw.choice((12, 15, 19, 33)), "", ticket)
    comment = {"deposit": "", "payout": "Profit split", "withdrawal": "wire"}[kind]
    return Event(at, kind, money if kind == "deposit" else -money, draw.choice((2, 5, 6)), comment, ticket)


def told(one: Event) -> NewDeal:
    """The event as the broker's history has it."""
    trade, credit = one.kind == "trade", one.kind == "credit"
    fee = -0.35 if trade else 0.0
    return NewDeal(
        deal=Deal(
            deal_ticket=one.ticket, order_ticket=0, position_id=one.ticket if trade else 0, symbol="EURUSD" if trade else "",
            side=Side.SELL, entry="out", reason="client", lots=0.1 if trade else 0.0, price=1.08 if trade else 0.0,
            at_utc_ns=one.at, profit_money=round(one.money - fee, 2) if trade else 0.0, fee_money=fee,
            balance_money=0.0 if trade or credit else one.money, credit_money=one.money if credit else 0.0,
            comment=one.comment, deal_type=one.deal_type,
        )
    )  # fmt: skip


class History:
    """A desk that lives through a random history, and the events of the account as they were dated."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.rules = drawn_rules(self.draw)
        began = round(self.draw.choice(WEEKS).timestamp()) * NS_PER_S + self.draw.randrange(86_400) * NS_PER_S
        limits = (("breakers.day_loss_max_pct", 90.0), ("breakers.drawdown_max_pct", 90.0), ("breakers.trip_action", "stop"))
        keys = tuple((f"prop_firm.{key}", value) for key, value in self.rules.items())
        self.play = Play(shipped_settings(*CALM, *limits, *keys), at=began).start()
        self.began, self.credit, self.events, self.ticket = began, 0.0, list[Event](), 900_000
        self.unclear: list[Event] = []

    def event(self, at: int) -> Event:
        self.ticket += 1
        one = drawn_event(self.draw, at, self.ticket)
        self.events.append(one)
        if one.kind == "withdrawal":
            self.unclear.append(one)
        if one.kind == "credit":
            self.credit = round(self.credit + one.money, 2)
        else:
            self.play.balance = round(self.play.balance + one.money, 2)
        return one

    def read(self) -> None:
        read(self.play, self.play.balance, credit_money=self.credit)

    def live(self) -> None:
        """A deal while the desk runs; its account may be read first, and it may be told late where no intraday mark hangs on it."""
        self.play.wait(self.draw.randrange(1, 9 * 3600))
        late = self.draw.randrange(40) * MINUTE
        intraday = self.rules["overall_base"] in ("trailing_balance", "trailing_equity")
        before = max((one.at for one in self.events), default=self.began) + NS_PER_S
        at = self.play.at if intraday else max(self.play.at - late, before)
        one = self.event(min(at, self.play.at))
        if one.kind == "credit":
            self.events[-1] = one._replace(at=self.play.at)
        if self.draw.random() < 0.3:
            self.read()
            self.play.wait(self.draw.randrange(20))
        for _ in range(self.draw.choice((1, 1, 2))):
            self.play.give(told(one))
        self.read()

    def word(self) -> None:
        one = self.unclear.pop(self.draw.randrange(len(self.unclear)))
        self.play.wait(60.0)
        outcome = self.draw.choice(("payout", "transfer"))
        done = only(self.play.command(Resolve(client_id=str(one.ticket), outcome=outcome)), CommandDone)  # type: ignore[arg-type]
        assert done.ok, done.text
        self.events.append(Event(self.play.at, f"is {outcome}", one.money))

    def sleep(self) -> None:
        """The desk is off, or is killed and comes back at once; a few of the old deals are told again."""
        hours = self.draw.choice((0.01, 3.0, 20.0, 60.0))
        begin, span = self.play.at, round(hours * 3600) * NS_PER_S
        times = sorted(begin + self.draw.randrange(NS_PER_S, span) for _ in range(self.draw.randrange(6)))
        credit, old = self.credit, [one for one in self.events[-3:] if one.ticket]
        missed = [self.event(at) for at in times]
        self.credit = credit  # credit comes with the account as it is read, after all deals
        given = [told(one) for one in (*old, *missed) if one.kind != "credit"]
        self.events = [one for one in self.events if one.kind != "credit" or one.at <= begin]
        self.play = asleep(self.play, hours, given)
        self.read()

    def check(self) -> None:
        model = Model(self.rules, self.began)
        for one in sorted(self.events, key=lambda one: one.at):
            model.take(one)
        model.until(self.play.at)
        ctx = self.play.desk._ctx
        day, overall = prop_firm.limits(ctx.state.prop_firm, ctx.account_policy.prop_firm, equity_money=0.0)
        assert ctx.state.balance_money == pytest.approx(model.balance, abs=1e-6), self.rules
        assert (day.floor_money, overall.floor_money) == pytest.approx(model.floors(), abs=1e-6), self.rules
        assert ("payout_unclear" in ctx.state.reasons) == bool(self.unclear)


def live_through(seed: int) -> None:
    history = History(seed)
    for _ in range(history.draw.randrange(8, 20)):
        what = history.draw.random()
        if what < 0.2:
            history.sleep()
        elif what < 0.35 and history.unclear:
            history.word()
        else:
            history.live()
        history.check()


@pytest.mark.parametrize("seed", range(20))
def test_funded_floors_are_those_of_the_deals(seed: int) -> None:
    live_through(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20, 1_000))
def test_funded_floors_are_those_of_the_deals_over_many_histories(seed: int) -> None:
    live_through(seed)
