"""Playbooks for the desk: short words for inputs, a broker that fills what it is sent, and readable effects.

`Play` stamps what it is given; `Play.said` keeps all effects. The broker here is the simplest honest one: it answers when a test
lets it, so that a test decides what comes late, twice or never.
"""

from __future__ import annotations

import msgspec

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.broker_account import Account, BrokerOrder, BrokerPosition, Deal
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.effects import Close, Effect, Modify, Submit
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    BrokerBook,
    CommandReceived,
    ExecutionReport,
    Filled,
    History,
    Input,
    Instruments,
    NewDeal,
    OrderOutcome,
    Restored,
    SequencedInput,
    ServerClockRule,
    SettingsChanged,
    Started,
    TimerFired,
)
from quarterdeck.core.model.market_data import Bar, Instrument, Quote, Side
from quarterdeck.core.model.signals import Features, NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings

MONDAY = 1_722_816_000 * NS_PER_S
"""2024-08-05 00:00 UTC, a Monday; London is at UTC+1."""
NOON = MONDAY + 12 * 3600 * NS_PER_S
BID = {"EURUSD": 1.08500, "GBPUSD": 1.27000, "USDJPY": 150.890, "USDCHF": 0.88000}


def spec(symbol: str, *, point: float = 0.00001, **more: object) -> Instrument:
    """An FX symbol with a contract of 100,000 and tick values of a dollar account at the prices of `BID`."""
    base, quote = symbol[:3], symbol[3:]
    if quote == "JPY":
        point = 0.001
    ticks = {"USD": 1.0, "JPY": 100.0 / 150.890, "CHF": 1.0 / 0.88000}
    fields: dict[str, object] = {
        "symbol": symbol,
        "base_currency": base,
        "profit_currency": quote,
        "margin_currency": base,
        "digits": 3 if quote == "JPY" else 5,
        "point": point,
        "tick_size": point,
        "pip": 10 * point,
        "contract_size": 100_000.0,
        "volume_min_lots": 0.01,
        "volume_max_lots": 50.0,
        "volume_step_lots": 0.01,
        "tick_value_profit_money": ticks[quote],
        "tick_value_loss_money": ticks[quote],
    }
    fields.update(more)
    return Instrument(**fields)  # type: ignore[arg-type]


def account(**more: object) -> Account:
    """A hedging dollar account with 10,000."""
    fields: dict[str, object] = {
        "login": 1,
        "server": "sim",
        "mode": "simulated",
        "currency": "USD",
        "currency_digits": 2,
        "leverage": 100,
        "hedging": True,
        "balance_money": 10_000.0,
    }
    fields.update(more)
    return Account(**fields)  # type: ignore[arg-type]


class Play:
    """A desk with its inputs stamped and its effects kept."""

    def __init__(self, settings: Settings | None = None, *, run_id: str = "r1", at: int = NOON, mode: str = "simulated") -> None:
        """Nothing is reported yet; `start` tells what a shell tells first."""
        self.desk = Desk()
        self.settings = settings or shipped_settings()
        self.run_id = run_id
        self.mode = mode
        self.at = at
        self.seq = 0
        self.said: list[Effect] = []
        self.tape: list[SequencedInput] = []
        self.tickets = 1000
        self.balance = 10_000.0
        self.held: dict[int, BrokerPosition] = {}
        self.pending: dict[int, BrokerOrder] = {}

    # ---------------------------------------------------------------------------------------------------- feeding
    def give(self, told: Input, *, after_s: float = 0.0) -> list[Effect]:
        """Feed one input, `after_s` later than the last."""
        self.at += round(after_s * NS_PER_S)
        self.seq += 1
        stamped = SequencedInput(seq=self.seq, at_utc_ns=self.at, input=told)
        self.tape.append(stamped)
        effects = list(self.desk.on(stamped))
        self.said += effects
        return effects

    def start(self, *, restored: bytes | None = None, pairs: tuple[str, ...] = (), **account_more: object) -> Play:
        """What a shell tells first, up to the first quotes."""
        settings = self.settings
        self.give(
            Started(
                run_id=self.run_id,
                code_version="t",
                settings=msgspec.Raw(msgspec.msgpack.encode(settings)),
                strategy_hash="h",
                seed=1,
                mode=self.mode,  # type: ignore[arg-type]
            )
        )
        if restored is not None:
            self.give(Restored(state=msgspec.Raw(restored)))
        symbols = pairs or settings.desk.pairs
        self.give(ServerClockRule(rule="new_york_plus_7", offset_s=10_800))
        self.give(Instruments(instruments=tuple(spec(symbol) for symbol in symbols)))
        for symbol in symbols:
            self.give(History(symbol=symbol, usual_spread_price=(0.00010 if "JPY" not in symbol else 0.010,) * 672))
        self.give(AccountRead(account=account(balance_money=self.balance, **account_more)))
        self.book()
        for symbol in symbols:
            self.quote(symbol)
        return self

    def quote(self, symbol: str, bid: float | None = None, *, spread: float | None = None, after_s: float = 0.0) -> list[Effect]:
        """A fresh quote; the usual spread unless reported."""
        self.at += round(after_s * NS_PER_S)
        price = BID[symbol] if bid is None else bid
        usual = 0.010 if "JPY" in symbol else 0.00010
        return self.give(
            Quote(symbol=symbol, at_utc_ns=self.at, bid=price, ask=round(price + (usual if spread is None else spread), 5))
        )

    def timer(self, *, after_s: float = 0.0) -> list[Effect]:
        """The clock came to an instant."""
        return self.give(TimerFired(), after_s=after_s)

    def wait(self, seconds: float) -> list[Effect]:
        """Let the clock run as a shell would: a timer at each instant the desk asked for."""
        end = self.at + round(seconds * NS_PER_S)
        found: list[Effect] = []
        while (wake := self.desk.wake_at()) is not None and wake <= end:
            self.at = max(wake, self.at)
            found += self.give(TimerFired())
        self.at = end
        return found

    def command(self, command: Command, command_id: str = "c1") -> list[Effect]:
        """The operator's decision."""
        return self.give(CommandReceived(command_id=command_id, origin="test", command=command))

    def change(self, *changes: tuple[str, object]) -> list[Effect]:
        """Settings changed manually."""
        self.settings = shipped_settings(*changes)
        told = tuple((key, "", str(value)) for key, value in changes)
        return self.give(SettingsChanged(settings=msgspec.Raw(msgspec.msgpack.encode(self.settings)), cause="test", changes=told))

    # ------------------------------------------------------------------------------------------------ bars and signals
    def bar_open(self) -> int:
        """The bar that was closed last at this instant."""
        return self.at - self.at % M15_NS - M15_NS

    def bars(self, *symbols: str) -> None:
        """The last bar of these pairs (of all when none is named) closed."""
        for symbol in symbols or self.settings.desk.pairs:
            price = BID[symbol]
            bar = Bar(open_utc_ns=self.bar_open(), open=price, high=price, low=price, close=price)
            self.give(BarClosed(symbol=symbol, timeframe="M15", bar=bar))

    def signal(self, symbol: str, side: Side = Side.BUY, **more: object) -> Signal:
        """A good candidate at the last bar: 30 pips of stop, 90 of target."""
        pips = 0.01 if "JPY" in symbol else 0.0001
        price = BID[symbol]
        stop, target = float(more.pop("stop_pips", 30.0)), float(more.pop("target_pips", 90.0))  # type: ignore[arg-type]
        fields: dict[str, object] = {
            "symbol": symbol,
            "strategy": "trend",
            "strategy_hash": "h",
            "bar_open_utc_ns": self.bar_open(),
            "side": side,
            "entry_price": price,
            "stop_price": round(price - side * stop * pips, 5),
            "target_price": round(price + side * target * pips, 5),
            "confidence": 0.9,
            "features": Features(atr_m15_price=10 * pips, atr_h1_price=20 * pips, atr_percentile_pct=50.0, regime="normal"),
        }
        fields.update(more)
        return Signal(**fields)  # type: ignore[arg-type]

    def none(self, symbol: str) -> NoSignal:
        """Nothing found at the last bar."""
        return NoSignal(symbol=symbol, strategy="trend", strategy_hash="h", bar_open_utc_ns=self.bar_open())

    def round(self, *signals: Signal) -> list[Effect]:
        """A bar close of all pairs with these candidates, and nothing in the other pairs."""
        self.bars()
        found: list[Effect] = []
        for one in signals:
            found += self.give(one)
        for symbol in self.settings.desk.pairs:
            if all(one.symbol != symbol for one in signals):
                found += self.give(self.none(symbol))
        return found

    def next_bar(self, **quotes: float) -> None:
        """Go on to the next bar close, with fresh quotes."""
        self.at = self.at - self.at % M15_NS + M15_NS
        for symbol in self.settings.desk.pairs:
            for _ in range(2 if symbol in quotes else 1):  # a second quote confirms a jump
                self.quote(symbol, quotes.get(symbol))

    # ----------------------------------------------------------------------------------------------------------- broker
    def book(self, *, known: bool = True, why: str = "") -> list[Effect]:
        """The broker's lists as they are."""
        if not known:
            return self.give(BrokerBook(known=False, at_utc_ns=self.at, why=why or "no answer"))
        return self.give(
            BrokerBook(known=True, at_utc_ns=self.at, positions=tuple(self.held.values()), orders=tuple(self.pending.values()))
        )

    def report(self, client_id: str, fate: OrderOutcome) -> list[Effect]:
        """What became of a request."""
        return self.give(ExecutionReport(client_id=client_id, order_outcome=fate))

    def fill(self, sent: Submit, *, lots: float | None = None, price: float | None = None, deal: bool = True) -> int:
        """Fill an entry: the report, then its deal; returns the position's id."""
        self.tickets += 1
        ticket, filled, at_price = self.tickets, lots or sent.lots, price or sent.quoted_price
        self.hold(sent, ticket, filled, at_price)
        self.report(
            sent.client_id,
            Filled(order_ticket=ticket, position_id=ticket, deal_ticket=ticket + 50_000, lots=filled, price=at_price),
        )
        if deal:
            self.deal_in(sent, ticket, filled, at_price)
        return ticket

    def hold(self, sent: Submit, ticket: int, lots: float, price: float) -> None:
        """The broker holds a position from now on."""
        self.held[ticket] = BrokerPosition(
            ticket=ticket,
            position_id=ticket,
            symbol=sent.symbol,
            side=sent.side,
            lots=lots,
            open_price=price,
            stop_price=sent.stop_price,
            target_price=sent.target_price,
            opened_utc_ns=self.at,
            magic=self.settings.account.magic,
            comment=sent.client_id,
        )

    def deal_in(self, sent: Submit, ticket: int, lots: float, price: float) -> list[Effect]:
        """The opening deal."""
        commission = -round(3.5 * lots, 2)
        self.balance += commission
        return self.give(
            NewDeal(
                deal=Deal(
                    deal_ticket=ticket + 50_000,
                    order_ticket=ticket,
                    position_id=ticket,
                    symbol=sent.symbol,
                    side=sent.side,
                    entry="in",
                    reason="expert",
                    lots=lots,
                    price=price,
                    at_utc_ns=self.at,
                    commission_money=commission,
                    magic=self.settings.account.magic,
                    comment=sent.client_id,
                )
            )
        )

    def out(
        self,
        position_id: int,
        price: float,
        profit: float,
        *,
        reason: str = "stop",
        lots: float | None = None,
        order: int = 0,
        rule: str = "",
    ) -> list[Effect]:
        """A closing deal of the broker, with its money."""
        self.tickets += 1
        held = self.held[position_id]
        gone = lots or held.lots
        if gone >= held.lots - 1e-9:
            del self.held[position_id]
        else:
            self.held[position_id] = msgspec.structs.replace(held, lots=round(held.lots - gone, 8))
        commission = -round(3.5 * gone, 2)
        self.balance += profit + commission
        return self.give(
            NewDeal(
                deal=Deal(
                    deal_ticket=self.tickets + 90_000,
                    order_ticket=order or self.tickets,
                    position_id=position_id,
                    symbol=held.symbol,
                    side=held.side.opposite,
                    entry="out",
                    reason=reason,  # type: ignore[arg-type]
                    lots=gone,
                    price=price,
                    at_utc_ns=self.at,
                    profit_money=profit,
                    commission_money=commission,
                    magic=held.magic,
                    rule=rule,
                )
            )
        )

    def close(self, sent: Close, price: float, profit: float, *, lots: float | None = None) -> list[Effect]:
        """Execute a close: the report, then its deal."""
        self.tickets += 1
        order, gone = self.tickets, lots or sent.lots
        found = self.report(
            sent.client_id,
            Filled(order_ticket=order, position_id=sent.position_id, deal_ticket=order + 90_001, lots=gone, price=price),
        )
        return found + self.out(sent.position_id, price, profit, reason="expert", lots=gone, order=order)

    def modified(self, sent: Modify) -> None:
        """The broker's book shows what a modification asked for."""
        held = self.held[sent.position_id]
        self.held[sent.position_id] = msgspec.structs.replace(held, stop_price=sent.stop_price, target_price=sent.target_price)

    # ---------------------------------------------------------------------------------------------------------- reading
    def all(self, kind: type) -> list[Effect]:
        """All effects of a kind, so far."""
        return [effect for effect in self.said if isinstance(effect, kind)]

    def last(self, kind: type) -> Effect:
        """The newest effect of a kind."""
        found = self.all(kind)
        assert found, f"no {kind.__name__} among {[type(effect).__name__ for effect in self.said]}"
        return found[-1]

    def enter(self, symbol: str = "EURUSD", side: Side = Side.BUY, **more: object) -> int:
        """A candidate that is entered and filled; returns the position's id."""
        before = len(self.all(Submit))
        self.round(self.signal(symbol, side, **more))
        sent = self.all(Submit)
        assert len(sent) == before + 1, f"not entered: {self.said[-1]}"
        return self.fill(sent[-1])  # type: ignore[arg-type]


def only(effects: list[Effect], kind: type) -> Effect:
    """The one effect of a kind."""
    found = [effect for effect in effects if isinstance(effect, kind)]
    assert len(found) == 1, f"{len(found)} {kind.__name__} among {[type(effect).__name__ for effect in effects]}"
    return found[0]


def kinds(effects: list[Effect]) -> list[str]:
    """Names of effects, for a transcript."""
    return [type(effect).__name__ for effect in effects]
