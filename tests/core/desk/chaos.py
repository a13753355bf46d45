"""A broker that has a bad day, drawn from one seed: late, double, lost and wrong-order answers, hands in the terminal, gaps.

It keeps the one truth (positions, stops, deals, balance) and tells the desk as little as a real one would. `calm` ends the faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from msgspec.structs import replace

from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.commands import Flatten, Pause, Resume
from quarterdeck.core.model.effects import Cancel, Close, Effect, Modify, QueryBook, QueryOrder, Submit
from quarterdeck.core.model.inputs import (
    AccountRead,
    BrokerBook,
    ExecutionReport,
    Filled,
    Input,
    NewDeal,
    NotExecuted,
    OrderRejected,
    RequestDone,
    Unconfirmed,
)
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from tests.core.desk.playbook import BID, Play, account

VALUE = {"EURUSD": 100_000.0, "GBPUSD": 100_000.0, "USDJPY": 100_000.0 / 150.0, "USDCHF": 100_000.0 / 0.88}


class Chaos:
    """A play whose broker answers by itself, badly while `faults` is above 0."""

    def __init__(self, play: Play, seed: int) -> None:
        """`seed` draws everything."""
        self.play = play
        self.random = random.Random(seed)
        self.faults = 0.35
        self.price = dict(BID)
        self.truth: dict[int, BrokerPosition] = {}
        self.order_outcome: dict[str, Filled | None] = {}
        self.deals: list[Deal] = []
        self.told = 0
        self.late: list[tuple[int, Input]] = []
        self.balance = 10_000.0
        self.ticket = 5000
        self.watchers: list[Callable[[Effect], None]] = []

    # ------------------------------------------------------------------------------------------------------ the ledger
    def quote_of(self, symbol: str) -> tuple[float, float]:
        pip = 0.01 if "JPY" in symbol else 0.0001
        bid = self.price[symbol]
        return bid, round(bid + pip, 5)

    def fill(self, sent: Submit, lots: float) -> Filled:
        bid, ask = self.quote_of(sent.symbol)
        price = ask if sent.side is Side.BUY else bid
        self.ticket += 1
        number = self.ticket
        self.truth[number] = BrokerPosition(
            ticket=number,
            position_id=number,
            symbol=sent.symbol,
            side=sent.side,
            lots=lots,
            open_price=price,
            stop_price=sent.stop_price,
            target_price=sent.target_price,
            opened_utc_ns=self.play.at,
            magic=self.play.settings.account.magic,
            comment=sent.client_id,
        )
        deal = self.book_deal(self.truth[number], "in", "expert", lots, price, 0.0, number)
        return Filled(order_ticket=number, position_id=number, deal_ticket=deal, lots=lots, price=price)

    def book_deal(
        self, held: BrokerPosition, entry: str, reason: str, lots: float, price: float, profit: float, order: int
    ) -> int:
        commission = -round(3.5 * lots, 2)
        self.balance = round(self.balance + profit + commission, 2)
        self.ticket += 1
        self.deals.append(
            Deal(
                deal_ticket=100_000 + self.ticket,
                order_ticket=order,
                position_id=held.position_id,
                symbol=held.symbol,
                side=held.side if entry == "in" else held.side.opposite,
                entry=entry,  # type: ignore[arg-type]
                reason=reason,  # type: ignore[arg-type]
                lots=lots,
                price=price,
                at_utc_ns=self.play.at,
                profit_money=profit,
                commission_money=commission,
                magic=held.magic,
                comment=held.comment if entry == "in" else "",
            )
        )
        return 100_000 + self.ticket

    def leave(self, position_id: int, lots: float, reason: str, price: float | None = None) -> Filled:
        held = self.truth[position_id]
        bid, ask = self.quote_of(held.symbol)
        at_price = price if price is not None else (bid if held.side is Side.BUY else ask)
        gone = min(lots, held.lots)
        profit = round((at_price - held.open_price) * held.side * gone * VALUE[held.symbol], 2)
        self.ticket += 1
        order = self.ticket
        deal = self.book_deal(held, "out", reason, gone, at_price, profit, order)
        if gone >= held.lots - 1e-9:
            del self.truth[position_id]
        else:
            self.truth[position_id] = replace(held, lots=round(held.lots - gone, 8))
        return Filled(order_ticket=order, position_id=position_id, deal_ticket=deal, lots=gone, price=at_price)

    # -------------------------------------------------------------------------------------------------------- answering
    def say(self, told: Input) -> None:
        """Tell the desk now, or later, or twice; carry out what it answers."""
        if isinstance(told, ExecutionReport | NewDeal) and self.random.random() < self.faults * 0.3:
            self.late.append((self.play.at + self.random.randrange(1, 20) * NS_PER_S, told))
            if self.random.random() < 0.5:
                return
        self.feed(told)

    def feed(self, told: Input) -> None:
        effects = self.play.give(told)
        for effect in effects:
            for watcher in self.watchers:
                watcher(effect)
        for effect in effects:
            self.perform(effect)

    def tell_deals(self) -> None:
        while self.told < len(self.deals):
            deal = self.deals[self.told]
            self.told += 1
            self.say(NewDeal(deal=deal))

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, Submit | Close | Modify | Cancel):
            self.send(effect)
        elif isinstance(effect, QueryOrder):
            self.ask_fate(effect)
        elif isinstance(effect, QueryBook):
            if self.random.random() < self.faults * 0.3:
                return
            self.read()

    def read(self) -> None:
        """Deals, account, book: what a reading brings."""
        if self.random.random() < self.faults * 0.3:
            self.feed(BrokerBook(known=False, at_utc_ns=self.play.at, why="no answer"))
            return
        if self.random.random() >= self.faults * 0.3:
            self.tell_deals()
        self.feed(AccountRead(account=account(balance_money=self.balance)))
        self.feed(BrokerBook(known=True, at_utc_ns=self.play.at, positions=tuple(self.truth.values())))

    def send(self, effect: Submit | Close | Modify | Cancel) -> None:
        luck = self.random.random()
        if luck < self.faults * 0.25:
            kind = self.random.choice(["retry", "refused", "frozen"])
            self.order_outcome[effect.client_id] = None
            self.say(ExecutionReport(client_id=effect.client_id, order_outcome=OrderRejected(kind=kind, code=10004, reason=kind)))  # type: ignore[arg-type]
            return
        executed = luck >= self.faults * 0.4
        done: Filled | None = None
        if executed and isinstance(effect, Submit):
            part = self.random.random() < self.faults * 0.2 and effect.lots > 0.02
            done = self.fill(effect, round(effect.lots / 2, 2) if part else effect.lots)
        elif executed and isinstance(effect, Close):
            if effect.position_id not in self.truth:
                self.order_outcome[effect.client_id] = None
                self.say(
                    ExecutionReport(
                        client_id=effect.client_id, order_outcome=OrderRejected(kind="not_found", code=10036, reason="not_found")
                    )
                )
                return
            done = self.leave(effect.position_id, effect.lots, "expert")
        elif executed and isinstance(effect, Modify) and effect.position_id in self.truth:
            held = self.truth[effect.position_id]
            self.truth[effect.position_id] = replace(held, stop_price=effect.stop_price, target_price=effect.target_price)
        self.order_outcome[effect.client_id] = done
        heard = self.random.random()
        if heard < self.faults * 0.3:
            self.say(ExecutionReport(client_id=effect.client_id, order_outcome=Unconfirmed(why="timed out")))
        elif heard < self.faults * 0.35:
            return
        elif done is not None:
            self.say(ExecutionReport(client_id=effect.client_id, order_outcome=done))
        elif isinstance(effect, Modify) and executed:
            self.say(ExecutionReport(client_id=effect.client_id, order_outcome=RequestDone()))
        else:
            self.say(ExecutionReport(client_id=effect.client_id, order_outcome=Unconfirmed(why="connection lost")))
        if self.random.random() >= self.faults * 0.5:
            self.tell_deals()

    def ask_fate(self, asked: QueryOrder) -> None:
        if self.random.random() < self.faults:
            self.feed(ExecutionReport(client_id=asked.client_id, order_outcome=Unconfirmed(why="still down")))
            return
        done = self.order_outcome.get(asked.client_id)
        self.feed(
            ExecutionReport(client_id=asked.client_id, order_outcome=done if done is not None else NotExecuted(why="never seen"))
        )

    # ------------------------------------------------------------------------------------------------------------- time
    def tick(self, symbol: str, pips: float) -> None:
        pip = 0.01 if "JPY" in symbol else 0.0001
        self.price[symbol] = round(self.price[symbol] + pips * pip, 5)
        bid, ask = self.quote_of(symbol)
        for held in list(self.truth.values()):
            if held.symbol != symbol:
                continue
            now = bid if held.side is Side.BUY else ask
            if held.stop_price is not None and (now - held.stop_price) * held.side <= 0:
                self.leave(held.position_id, held.lots, "stop", now)
            elif held.target_price is not None and (now - held.target_price) * held.side >= 0:
                self.leave(held.position_id, held.lots, "target", now)
        self.play.at += self.random.randrange(0, 3) * NS_PER_S
        self.catch_up()
        from quarterdeck.core.model.market_data import Quote

        self.feed(Quote(symbol=symbol, at_utc_ns=self.play.at, bid=bid, ask=ask))

    def catch_up(self) -> None:
        """What is late and due now, timers, and news of the broker's own doing."""
        for at, told in list(self.late):
            if at <= self.play.at:
                self.late.remove((at, told))
                self.feed(told)
        self.timers()
        if self.told < len(self.deals) and self.random.random() >= self.faults:
            self.read()

    def timers(self) -> None:
        from quarterdeck.core.model.inputs import TimerFired

        for _ in range(50):
            wake = self.play.desk.wake_at()
            if wake is None or wake > self.play.at:
                return
            self.feed(TimerFired())
        raise AssertionError("the desk wants to be woken for ever at one instant")

    def hand(self) -> None:
        """Someone sits at the terminal."""
        ours = [held for held in self.truth.values() if held.magic == self.play.settings.account.magic]
        if not ours:
            return
        held = self.random.choice(ours)
        what = self.random.random()
        if what < 0.3:
            self.truth[held.position_id] = replace(held, stop_price=None)
        elif what < 0.6 and held.stop_price is not None:
            pip = 0.01 if "JPY" in held.symbol else 0.0001
            self.truth[held.position_id] = replace(held, stop_price=round(held.stop_price - held.side * 3 * pip, 5))
        elif what < 0.8:
            self.leave(held.position_id, held.lots, "client")
        self.read()

    def day(self, bars: int) -> None:
        """So many bar closes with ticks between them."""
        symbols = self.play.settings.desk.pairs
        for _ in range(bars):
            for _ in range(12):
                self.tick(self.random.choice(symbols), self.random.gauss(0.0, 6.0))
                if self.random.random() < self.faults * 0.1:
                    self.hand()
                if self.random.random() < self.faults * 0.03:
                    self.feed_command(self.random.choice([Pause(), Resume(), Resume(), Flatten()]))
            self.bar_close()

    def feed_command(self, command: Pause | Resume | Flatten) -> None:
        from quarterdeck.core.model.inputs import CommandReceived

        self.feed(CommandReceived(command_id=f"c{self.play.seq}", origin="chaos", command=command))

    def bar_close(self) -> None:
        from quarterdeck.core.model.inputs import BarClosed
        from quarterdeck.core.model.market_data import Bar, Quote

        self.play.at = max(self.play.at, self.play.at - self.play.at % M15_NS + M15_NS)
        self.catch_up()
        symbols = self.play.settings.desk.pairs
        for symbol in symbols:
            bid, ask = self.quote_of(symbol)
            self.feed(Quote(symbol=symbol, at_utc_ns=self.play.at, bid=bid, ask=ask))
        for symbol in symbols:
            price = self.price[symbol]
            bar = Bar(open_utc_ns=self.play.bar_open(), open=price, high=price, low=price, close=price)
            self.feed(BarClosed(symbol=symbol, timeframe="M15", bar=bar))
        for symbol in symbols:
            if self.random.random() < 0.5:
                side = self.random.choice([Side.BUY, Side.SELL])
                pip = 0.01 if "JPY" in symbol else 0.0001
                price = self.price[symbol]
                found = self.play.signal(
                    symbol,
                    side,
                    entry_price=price,
                    stop_price=round(price - side * 25 * pip, 5),
                    target_price=round(price + side * 75 * pip, 5),
                )
                self.feed(found)
            elif self.random.random() < 0.9:
                self.feed(self.play.none(symbol))

    def calm(self) -> None:
        """The faults are over; time passes until everything is reported."""
        self.faults = 0.0
        for _ in range(40):
            self.play.at += 15 * NS_PER_S
            self.catch_up()
            self.read()
