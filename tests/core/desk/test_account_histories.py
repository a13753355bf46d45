"""Random histories of a whole account on the desk, against figures that `account_model` derives from deals and prices alone.

Drawn: trades of ours and of others, deals of all types, late, told twice and cancelled; downtimes, restarts at any minute,
transfers at any drawdown, the operator's decisions, funded-account rules on and off.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.effects import Alert, CommandDone, MoneyMoved, Submit, TradeClosed
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    Filled,
    History,
    Instruments,
    NewDeal,
    Restored,
    ServerClockRule,
    Started,
)
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.risk import prop_firm
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.account_model import CONTRACT, SPREAD, AccountModel, Open
from tests.core.desk.playbook import BID, Play, account, only, spec
from tests.core.desk.test_balance_changes import CALM
from tests.core.desk.test_days import raw
from tests.core.desk.test_funded_histories import drawn_rules

FIRST = 100_000.0
MINUTE = 60 * NS_PER_S
STEP = 5 * MINUTE
"""So often prices move."""
DAYS = 12
PAIRS = ("EURUSD", "GBPUSD")
WEEKS = tuple(datetime(2024, month, day, tzinfo=UTC) for month, day in ((3, 5), (3, 26), (8, 6), (10, 22), (10, 29)))
"""Around the days on which New York and Prague change their clocks, and one of neither."""
RESULT_TYPES = (4, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 33)
NEW_YORK = ZoneInfo("America/New_York")


def market_open(at: int) -> bool:
    """Sunday to Friday 17:00 of New York."""
    local = datetime.fromtimestamp(at / NS_PER_S, UTC).astimezone(NEW_YORK)
    hour = local.weekday() * 24 + local.hour
    return not 4 * 24 + 17 <= hour < 6 * 24 + 17


class Market:
    """Bids on a grid of five minutes; a weekend keeps Friday's last."""

    def __init__(self, draw: random.Random, began: int) -> None:
        self.began = began - began % M15_NS
        is_open = [market_open(self.began + place * STEP) for place in range(DAYS * 288)]
        self.bids = {symbol: [BID[symbol]] for symbol in PAIRS}
        for series in self.bids.values():
            for place in range(1, len(is_open)):
                move = draw.gauss(0.0, 0.0004) if is_open[place] else 0.0
                series.append(round(series[-1] + move, 5))

    def bid(self, symbol: str, at: int) -> float:
        return self.bids[symbol][(at - self.began) // STEP]

    def bar(self, symbol: str, opened: int) -> Bar:
        place = (opened - self.began) // STEP
        three = self.bids[symbol][place : place + 3]
        return Bar(open_utc_ns=opened, open=three[0], high=max(three), low=min(three), close=three[-1])


class AccountLife:
    """A desk, its broker, and the model of both."""

    def __init__(self, seed: int) -> None:
        self.draw = draw = random.Random(f"account {seed}")
        self.rules = drawn_rules(draw) | {
            "enabled": draw.random() < 0.6,
            "starting_balance_money": draw.choice((0.0, FIRST, FIRST + 400.0)),
        }
        began = round(draw.choice(WEEKS).timestamp()) * NS_PER_S + draw.randrange(86_400) * NS_PER_S
        self.market = Market(draw, began)
        self.limit = draw.choice((90.0, 90.0, 4.0))
        limits = (
            ("breakers.day_loss_max_pct", self.limit),
            ("breakers.drawdown_max_pct", 90.0),
            ("breakers.trip_action", "stop"),
        )
        keys = tuple((f"prop_firm.{key}", value) for key, value in self.rules.items())
        more = (
            ("desk.pairs", list(PAIRS)), ("position.weekend_close_from", "Sat 00:00"), ("breakers.spike_atr_x", 1000.0),
            ("breakers.consecutive_losses_max", 1000), ("breakers.positions_per_pair_max", 3), ("filters.entry_hours", ["UTC 00:00-24:00"]),
        )  # fmt: skip
        self.settings = shipped_settings(*CALM, *limits, *keys, *more)
        self.credit, self.ticket, self.balance = 0.0, 900_000, FIRST
        self.play = Play(self.settings, at=began)
        self.play.balance = FIRST
        self.start(None, [])
        prices = {symbol: self.market.bid(symbol, began) for symbol in PAIRS}
        self.model = AccountModel(FIRST, self.rules, began, prices, self.limit / 100.0)
        self.charges: dict[int, tuple[float, int]] = {}
        self.unclear: dict[int, float] = {}
        self.closing: list[Deal] = []
        self.nets: dict[int, float] = {}
        self.ours: set[int] = set()
        self.swaps: dict[int, float] = {}
        self.effects = list[object]()
        self.log: list[str] = []

    # ------------------------------------------------------------------------------------------------- what a shell does
    def start(self, state: bytes | None, missed: list[NewDeal | BarClosed]) -> None:
        play = self.play
        play.give(
            Started(
                run_id=play.run_id, code_version="t", settings=raw(self.settings), strategy_hash="h", seed=1, mode="simulated"
            )
        )
        if state is not None:
            play.give(Restored(state=raw(state)))
        play.give(ServerClockRule(rule="new_york_plus_7", offset_s=10_800))
        play.give(Instruments(instruments=tuple(spec(symbol) for symbol in PAIRS)))
        for symbol in PAIRS:
            play.give(History(symbol=symbol, usual_spread_price=(SPREAD,) * 672))
        for told in sorted(
            missed, key=lambda one: one.deal.at_utc_ns if isinstance(one, NewDeal) else one.bar.open_utc_ns + M15_NS
        ):
            play.give(told)
        self.read()
        for symbol in PAIRS:
            play.quote(symbol, self.market.bid(symbol, play.at))

    def read(self) -> None:
        """Account and book, in either order."""
        told = [
            lambda: self.play.give(AccountRead(account=account(balance_money=self.balance, credit_money=self.credit))),
            self.play.book,
        ]
        for one in told if self.draw.random() < 0.5 else reversed(told):
            one()

    def quote_all(self) -> None:
        for symbol in PAIRS:
            bid = self.market.bid(symbol, self.play.at)
            self.model.quoted(symbol, bid)
            self.play.quote(symbol, bid)

    def wait(self, seconds: float) -> None:
        self.play.wait(seconds)
        self.model.until(self.play.at)

    # --------------------------------------------------------------------------------------------------- what a broker does
    def money(self, at: int, error: float = 0.0) -> Deal | None:
        """A deal that is no trade, dated `at`; its meaning goes to the model."""
        draw, self.ticket = self.draw, self.ticket + 1
        kind = draw.choice(("deposit", "withdrawal", "payout", "charge", "income", "credit", "fee"))
        money = round(draw.uniform(1.0, 0.02 * FIRST) if draw.random() < 0.8 else draw.uniform(0.02, 0.3) * FIRST, 2)
        comment, model, enabled = "", self.model, bool(self.rules["enabled"])
        deal_type = draw.choice((2, 5, 6))
        if kind in ("charge", "fee"):
            money = -round(money / 20.0, 2)
            deal_type = draw.choice(RESULT_TYPES) if kind == "charge" else deal_type
            comment = draw.choice(("Monthly fee", "swap", "adjustment of terms", "reversal")) if kind == "fee" else ""
            model.booked(money, error)
            self.charges[self.ticket] = (money, at)
        elif kind == "income":
            money, deal_type = round(money / 20.0, 2), draw.choice(RESULT_TYPES)
            model.income(money, error)
        elif kind == "credit":
            deal_type = draw.choice((3, 20))
            money = -self.credit if self.credit else money
            model.credited(money, error)
            self.credit = round(self.credit + money, 2)
        elif kind == "deposit":
            model.transfer(money, error)
        else:
            money = -min(money, round(0.3 * model.equity(), 2))
            comment = "Profit split" if kind == "payout" else draw.choice(("wire", "Withdrawal"))
            model.transfer(money, error, firm=kind if enabled else "transfer")
            if enabled and kind == "withdrawal":
                self.unclear[self.ticket] = money
        self.balance = round(self.balance + (0.0 if kind == "credit" else money), 2)
        self.log.append(f"{at} {kind} {deal_type} {money} {comment}")
        return Deal(
            deal_ticket=self.ticket, order_ticket=0, position_id=0, symbol="", side=Side.BUY, entry="in", reason="client", lots=0.0,
            price=0.0, at_utc_ns=at, balance_money=0.0 if kind == "credit" else money, credit_money=money if kind == "credit" else 0.0,
            comment=comment, deal_type=deal_type,
        )  # fmt: skip

    def leave(self, at: int, error: float = 0.0) -> Deal | None:
        """The broker, or someone, closes a position or a part of it at the price of the moment."""
        if not self.play.held:
            return None
        draw = self.draw
        position_id = draw.choice(list(self.play.held))
        held = self.play.held[position_id]
        bid = self.market.bid(held.symbol, at)
        price = bid if held.side > 0 else round(bid + SPREAD, 5)
        lots = held.lots if held.lots <= 0.02 or draw.random() < 0.7 else round(held.lots / 2, 2)
        whole = lots >= held.lots - 1e-9
        self.ticket += 1
        swap = self.swaps.pop(position_id, 0.0) if whole else 0.0
        deal = Deal(
            deal_ticket=self.ticket, order_ticket=self.ticket, position_id=position_id, symbol=held.symbol, side=held.side.opposite,
            entry="out", reason="client", lots=lots, price=price, at_utc_ns=at,
            profit_money=round(held.side * (price - held.open_price) * lots * CONTRACT, 2), commission_money=-round(3.5 * lots, 2),
            fee_money=draw.choice((0.0, -0.4)), swap_money=swap, magic=held.magic, deal_type=1 if held.side > 0 else 0,
        )  # fmt: skip
        net = round(deal.profit_money + deal.commission_money + deal.fee_money + swap, 2)
        model = self.model
        model.swap = round(model.swap - swap, 2)
        if whole:
            del self.play.held[position_id], model.open[position_id]
        else:
            self.play.held[position_id] = replace(held, lots=round(held.lots - lots, 2))
            model.open[position_id] = model.open[position_id]._replace(lots=round(held.lots - lots, 2))
        model.booked(net, error)
        self.balance = round(self.balance + net, 2)
        self.nets[position_id] = round(self.nets.get(position_id, 0.0) + net, 2)
        self.closing.append(deal)
        self.log.append(f"{at} out {position_id} {lots} {net}")
        return deal

    def by_hand(self, at: int, error: float = 0.0) -> Deal:
        """Someone opens a position in the terminal."""
        draw, self.ticket = self.draw, self.ticket + 1
        symbol, side, lots = draw.choice(PAIRS), draw.choice((Side.BUY, Side.SELL)), round(draw.uniform(0.05, 0.6), 2)
        bid = self.market.bid(symbol, at)
        price = round(bid + SPREAD, 5) if side > 0 else bid
        self.play.held[self.ticket] = BrokerPosition(
            ticket=self.ticket, position_id=self.ticket, symbol=symbol, side=side, lots=lots, open_price=price,
            stop_price=round(price - side * 0.2, 5), target_price=0.0, opened_utc_ns=at, magic=0, comment="",
        )  # fmt: skip
        commission = -round(3.5 * lots, 2)
        self.model.open[self.ticket] = Open(symbol, int(side), lots, price)
        self.model.booked(commission, error)
        self.balance = round(self.balance + commission, 2)
        self.log.append(f"{at} by hand {self.ticket} {symbol} {side} {lots}")
        return Deal(
            deal_ticket=self.ticket, order_ticket=self.ticket, position_id=self.ticket, symbol=symbol, side=side, entry="in",
            reason="client", lots=lots, price=price, at_utc_ns=at, commission_money=commission, deal_type=0 if side > 0 else 1,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- what happens
    def live(self) -> None:
        """Something happens while the desk runs: its deal may come late or twice, and the account before it."""
        self.wait(self.draw.randrange(60, 7 * 3600))
        is_open = market_open(self.play.at)
        if is_open:
            self.quote_all()
        what = self.draw.random()
        deal = (
            self.by_hand(self.play.at)
            if what < 0.15 and is_open
            else self.leave(self.play.at)
            if what < 0.45 and is_open
            else None
        )
        deal = deal or self.money(self.play.at)
        trade = bool(deal.symbol)
        if self.draw.random() < 0.5:
            if self.draw.random() < 0.5:
                self.read()
            self.wait(self.draw.randrange(5 if trade else 25))
        told = [lambda: self.play.give(NewDeal(deal=deal))]
        for one in (*told, self.read, *(told if self.draw.random() < 0.2 else ()), self.read):
            one()

    def enter(self) -> None:
        """A candidate of ours at the next bar, filled if the desk wants it."""
        play = self.play
        play.wait((M15_NS - play.at % M15_NS) / NS_PER_S)
        self.model.until(play.at)
        if not market_open(play.at - M15_NS) or not market_open(play.at):
            return
        self.quote_all()
        for symbol in PAIRS:
            play.give(BarClosed(symbol=symbol, timeframe="M15", bar=self.market.bar(symbol, play.bar_open())))
        symbol, side = self.draw.choice(PAIRS), self.draw.choice((Side.BUY, Side.SELL))
        price, before = self.market.bid(symbol, play.at), len(play.all(Submit))
        stop, target = round(price - side * 0.03, 5), round(price + side * 0.09, 5)
        for one in PAIRS:
            wanted = play.signal(one, side, entry_price=price, stop_price=stop, target_price=target)
            play.give(wanted if one == symbol else play.none(one))
        sent = play.all(Submit)[before:]
        self.log.append(f"{play.at} entry of {symbol}: {len(sent)}")
        for submit in sent:
            assert isinstance(submit, Submit)
            play.tickets += 1
            ticket = play.tickets
            commission = -round(3.5 * submit.lots, 2)
            play.hold(submit, ticket, submit.lots, submit.quoted_price)
            self.model.open[ticket] = Open(symbol, int(side), submit.lots, submit.quoted_price)
            self.model.booked(commission)
            self.balance = round(self.balance + commission, 2)
            self.nets[ticket] = commission
            self.ours.add(ticket)
            play.report(
                submit.client_id,
                Filled(
                    order_ticket=ticket,
                    position_id=ticket,
                    deal_ticket=ticket + 50_000,
                    lots=submit.lots,
                    price=submit.quoted_price,
                ),
            )
            self.play.balance = self.balance - commission
            play.deal_in(submit, ticket, submit.lots, submit.quoted_price)
            self.read()

    def decide(self) -> None:
        """The operator says what a withdrawal was, or that a charge was a transfer."""
        self.wait(30.0)
        if self.unclear:
            ticket = self.draw.choice(list(self.unclear))
            money, outcome = self.unclear.pop(ticket), self.draw.choice(("payout", "transfer"))
            if outcome == "payout":
                self.model.paid = True
            else:
                self.model.start_moves(money)
                self.model.seen()
        else:
            ticket = self.draw.choice(list(self.charges))
            (money, dated), outcome = self.charges.pop(ticket), "transfer"
            self.model.was_transfer(money, dated)
        self.log.append(f"{self.play.at} resolve {ticket} {money} {outcome}")
        done = only(self.play.command(Resolve(client_id=str(ticket), outcome=outcome)), CommandDone)  # type: ignore[arg-type]
        assert done.ok, done.text

    def cancel(self) -> None:
        """The broker takes a closing deal back."""
        deal = self.closing.pop(self.draw.randrange(len(self.closing)))
        net = round(deal.profit_money + deal.commission_money + deal.fee_money + deal.swap_money, 2)
        self.model.booked(-net)
        self.balance = round(self.balance - net, 2)
        self.log.append(f"{self.play.at} cancelled {deal.deal_ticket} {net}")
        gone = replace(deal, symbol="", lots=0.0, price=0.0, profit_money=0.0, commission_money=0.0, fee_money=0.0, swap_money=0.0,
            deal_type=13 if deal.side > 0 else 14)  # fmt: skip
        self.play.give(NewDeal(deal=gone))
        self.read()

    def sleep(self) -> None:
        """The desk is off, or is killed and comes back at once; a few old deals are told again."""
        draw, play = self.draw, self.play
        self.quote_all()
        hours = draw.choice((0.002, 0.3, 3.0, 20.0, 60.0))
        begin, end = play.at, play.at + round(hours * 3600) * NS_PER_S
        self.log.append(f"{begin} sleeps {hours} h")
        missed = list[NewDeal | BarClosed]()
        self.model.awake = False
        events = sorted(begin + draw.randrange(NS_PER_S, end - begin) for _ in range(draw.randrange(5) if hours > 0.1 else 0))
        times = [
            self.market.began + place * STEP
            for place in range((begin - self.market.began) // STEP + 1, (end - self.market.began) // STEP + 1)
        ]
        for at, step in sorted([(one, True) for one in times] + [(one, False) for one in events]):
            self.model.until(at)
            error = self.error(at)
            if step:
                for symbol in PAIRS:
                    self.model.quoted(symbol, self.market.bid(symbol, at), error)
                opened = at - M15_NS
                if at % M15_NS == 0 and market_open(opened):
                    missed += [
                        BarClosed(symbol=symbol, timeframe="M15", bar=self.market.bar(symbol, opened), late=True)
                        for symbol in PAIRS
                    ]
                continue
            what = draw.random() if market_open(at) else 1.0
            deal = self.by_hand(at, error) if what < 0.15 else self.leave(at, error) if what < 0.5 else None
            deal = deal or self.money(at, error)
            self.model.seen(self.error(at))
            if deal is not None:
                missed.append(NewDeal(deal=deal))
        self.model.until(end)
        self.model.wakes(self.error(end))
        self.play = Play(self.settings, run_id="r2" if play.run_id == "r1" else "r1", at=end)
        self.play.balance, self.play.held, self.play.tickets = self.balance, play.held, play.tickets
        self.effects += play.said
        self.start(play.desk.checkpoint(), missed)
        for symbol in PAIRS:
            self.model.quoted(symbol, self.market.bid(symbol, end))

    def error(self, at: int) -> float:
        """How far equity may be off what a desk that sees bars alone makes of it: what was open, by the range of the bar and its last."""
        opened = at - at % M15_NS
        total = 0.0
        for one in self.model.open.values():
            if opened - M15_NS < self.market.began:
                continue
            bars = [self.market.bar(one.symbol, opened - M15_NS), self.market.bar(one.symbol, opened)]
            total += (max(bar.high for bar in bars) - min(bar.low for bar in bars)) * one.lots * CONTRACT
        return total

    # --------------------------------------------------------------------------------------------------------------- figures
    def check(self) -> None:
        model, state = self.model, self.play.desk._ctx.state
        day = state.breakers
        said = "\n".join([str(self.rules), *self.log[-12:]])

        def same(what: str, told: float | None, truth: float) -> None:
            assert told == pytest.approx(truth, abs=1e-5), f"{what}\n{said}"

        same("balance", state.balance_money, self.balance)
        same("balance of the model", model.balance, self.balance)
        same("equity", state.equity_money, model.equity())
        if model.day_start:
            same("balance at the day's start", day.day_balance_money, model.day_balance)
            assert abs((day.day_equity_money or 0.0) - model.day_equity) <= day.day_error_money + 1e-5, (
                f"day's equity {day.day_equity_money} {model.day_equity} +-{day.day_error_money}\n{said}"
            )
        assert model.base.holds(day.day_base_money), f"base {day.day_base_money} {model.base}\n{said}"
        assert model.peak.holds(day.peak_money), f"peak {day.peak_money} {model.peak}\n{said}"
        same("the day's result", day.day_result_money(model.equity()), model.day_result())
        if self.rules["enabled"]:
            floors = prop_firm.limits(state.prop_firm, self.play.desk._ctx.account_policy.prop_firm, equity_money=0.0)
            floor, overall = model.floors()
            same("floor of the day", floors[0].floor_money, floor)
            assert overall.holds(floors[1].floor_money), f"overall floor {floors[1].floor_money} {overall}\n{said}"
            assert ("payout_unclear" in state.reasons) == bool(self.unclear), said
        assert "unexplained_money" not in state.reasons, said
        tripped = "day_loss" in state.reasons
        assert tripped or not model.must_trip, f"no trip at a loss beyond {self.limit} %\n{said}"
        assert model.may_trip or not tripped, f"a trip at a loss under {self.limit} %\n{said}"

    def check_reported(self) -> None:
        """Trades to the cent, and every movement of money alerted."""
        self.effects += self.play.said
        closed = {one.position_id: one.net_money for one in self.effects if isinstance(one, TradeClosed)}
        over = self.ours - set(self.play.held)
        assert set(closed) == over
        for position_id in over:
            assert closed[position_id] == pytest.approx(self.nets[position_id], abs=1e-6), position_id
        moved = [one for one in self.effects if isinstance(one, MoneyMoved)]
        told = [one for one in self.effects if isinstance(one, Alert) and one.kind == "money"]
        assert len(told) >= len(moved)


def live_through(seed: int) -> None:
    life = AccountLife(seed)
    draw = life.draw
    end = life.market.began + (DAYS - 4) * 24 * 3600 * NS_PER_S
    while life.play.at < end:
        what = draw.random()
        if what < 0.15:
            life.sleep()
        elif what < 0.35:
            life.enter()
        elif what < 0.4 and (life.unclear or life.charges):
            life.decide()
        elif what < 0.43 and life.closing:
            life.cancel()
        else:
            life.live()
        life.check()
    life.check_reported()


@pytest.mark.parametrize("seed", range(40))
def test_figures_of_an_account_are_those_of_its_deals(seed: int) -> None:
    live_through(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40, 1_000))
def test_account_figures_follow_from_deals_in_random_histories(seed: int) -> None:
    live_through(seed)
