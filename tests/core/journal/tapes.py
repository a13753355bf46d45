"""Shared by the journal's and the studies' tests: an example of every model struct, and a small desk with a day of inputs.

The small desk is a real deterministic machine with a state and a threshold, so that a tape can be audited without the large one.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.journal.journal_store import NewRun
from quarterdeck.core.journal.tape_reader import TAPE_VERSION
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.effects import Close, Effect, EquityMarked, PositionOpened, Submit, TradeClosed, Verdict
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    ExecutionReport,
    Filled,
    Instruments,
    Restored,
    SequencedInput,
    Started,
)
from quarterdeck.core.model.market_data import Bar, Instrument, Quote, Side
from quarterdeck.core.model.signals import Check, NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_MS
from quarterdeck.core.settings.schema import JournalSection
from quarterdeck.core.settings.settings_loader import shipped_settings

MONDAY_NS = 1_722_816_000_000_000_000
"""2024-08-05T00:00Z."""
PAIRS = ("EURUSD", "USDJPY")


class Watch:
    """A clock that continues by a second each time it is asked."""

    def __init__(self, start_utc_ns: int = MONDAY_NS) -> None:
        self.now = start_utc_ns

    def utc_ns(self) -> int:
        self.now += 1_000_000_000
        return self.now

    def monotonic_s(self) -> float:
        return self.utc_ns() / 1e9


def example(kind: Any, depth: int = 0) -> Any:
    """A value of any type that the model uses; every field is filled, optional ones too."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return args[-1]
    if origin in (Union, types.UnionType):
        return example(next(arg for arg in args if arg is not type(None)), depth)
    if origin is tuple:
        return (example(args[0], depth + 1),) * 2 if args[-1] is Ellipsis else tuple(example(arg, depth + 1) for arg in args)
    if kind is Raw:
        return Raw(msgspec.msgpack.encode({"key": [1, 2.5, "text"]}))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind(**{name: example(hint, depth + 1) for name, hint in get_type_hints(kind).items()})
    return {int: 7, float: 1.25, str: "word", bool: True, Side: Side.SELL}[kind]


def instruments() -> Instruments:
    """EURUSD with five digits and USDJPY with three."""
    return Instruments(instruments=tuple(instrument(pair) for pair in PAIRS))


def instrument(pair: str) -> Instrument:
    digits = 3 if pair.endswith("JPY") else 5
    point = 10.0**-digits
    return Instrument(
        symbol=pair,
        base_currency=pair[:3],
        profit_currency=pair[3:],
        margin_currency=pair[:3],
        digits=digits,
        point=point,
        tick_size=point,
        pip=10 * point,
        contract_size=100_000.0,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
    )


def journal_settings() -> JournalSection:
    return shipped_settings().journal


def new_run(run_id: str = "r1", **changes: Any) -> NewRun:
    facts = {"mode": "replay", "account": 7, "server": "Sim", "currency": "USD", "started_utc_ns": MONDAY_NS} | changes
    return NewRun(run_id=run_id, code_version="0.1.0", strategy_hash="abc", seed=7, tape_version=TAPE_VERSION, **facts)


def account(login: int = 7) -> AccountRead:
    money = Account(
        login=login,
        server="Sim",
        mode="replay",
        currency="USD",
        currency_digits=2,
        leverage=30,
        hedging=True,
        balance_money=10_000.0,
    )
    return AccountRead(account=money)


class SmallState(Struct, kw_only=True):
    run_id: str = ""
    seq: int = 0
    made: int = 0
    bids: dict[str, float] = {}
    spreads: dict[str, float] = {}
    open_ids: list[int] = []


class SmallDesk:
    """Enters on a signal when the spread is small enough, closes at the next bar; every bar gets a verdict."""

    def __init__(self, spread_price_max: float = 0.00012) -> None:
        self._spread_max = spread_price_max
        self._state = SmallState()
        self._fresh = True

    def checkpoint(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        state = self._state
        if isinstance(stamped.input, Restored):
            self._state = msgspec.msgpack.decode(stamped.input.state, type=SmallState)
            self._state.seq = stamped.seq
            self._fresh = False
            return ()
        invariant(self._fresh or stamped.seq == state.seq + 1, "inputs come without a gap", seq=stamped.seq)
        self._fresh = False
        state.seq = stamped.seq
        match stamped.input:
            case Started() as started:
                state.run_id = started.run_id
            case Quote() as quote:
                state.bids[quote.symbol] = quote.bid
                state.spreads[quote.symbol] = round(quote.spread_price, 6)
            case Signal() as signal:
                return self._signal(signal)
            case NoSignal() as none:
                return (self._verdict(none.symbol, none.bar_open_utc_ns, "none", ""),)
            case ExecutionReport(order_outcome=Filled() as fill, client_id=client_id):
                state.open_ids.append(fill.position_id)
                return (opened(fill, client_id),)
            case BarClosed() as closed:
                return self._bar(closed, stamped.at_utc_ns)
            case _:
                pass
        return ()

    def _verdict(self, symbol: str, bar_open: int, outcome: Any, reason: str) -> Verdict:
        spread = self._state.spreads.get(symbol, 0.0)
        check = Check("spread", spread, self._spread_max, spread <= self._spread_max, "price")
        return Verdict(symbol=symbol, bar_open_utc_ns=bar_open, strategy="trend", outcome=outcome, reason=reason, checks=(check,))

    def _signal(self, signal: Signal) -> tuple[Effect, ...]:
        state = self._state
        if state.spreads.get(signal.symbol, 1.0) > self._spread_max:
            return (self._verdict(signal.symbol, signal.bar_open_utc_ns, "refused", "spread"),)
        state.made += 1
        submit = Submit(
            client_id=f"{state.run_id}-{state.made}",
            reservation_id=f"v{state.made}",
            signal_id=signal.id,
            symbol=signal.symbol,
            side=signal.side,
            lots=0.10,
            quoted_price=state.bids[signal.symbol],
            stop_price=signal.stop_price,
            target_price=signal.target_price,
            deviation_points=10,
            risk_money=50.0,
        )
        return (self._verdict(signal.symbol, signal.bar_open_utc_ns, "entered", ""), submit)

    def _bar(self, closed: BarClosed, at_utc_ns: int) -> tuple[Effect, ...]:
        state = self._state
        if closed.symbol != PAIRS[0] or not state.open_ids:
            return ()
        position_id = state.open_ids.pop(0)
        state.made += 1
        close = Close(
            client_id=f"{state.run_id}-{state.made}",
            position_id=position_id,
            ticket=position_id,
            symbol=closed.symbol,
            side=Side.BUY,
            lots=0.10,
            quoted_price=state.bids[closed.symbol],
            deviation_points=10,
            why="age",
        )
        mark = EquityMarked(
            equity_money=10_000.0, balance_money=10_000.0, open_risk_money=0.0, day_result_money=0.0, drawdown_fraction=0.0
        )
        return close, trade(position_id, closed_utc_ns=at_utc_ns, net_money=10.0 if position_id % 2 else -50.0), mark


def opened(fill: Filled, client_id: str) -> PositionOpened:
    return PositionOpened(
        position_id=fill.position_id,
        client_id=client_id,
        signal_id="trend:EURUSD:M15:0",
        symbol="EURUSD",
        side=Side.BUY,
        lots=fill.lots,
        open_price=fill.price,
        quoted_price=fill.price,
        stop_price=1.08,
        target_price=None,
        risk_money=50.0,
        asked_risk_money=50.0,
        spread_price=0.0001,
        confidence=0.8,
    )


def trade(position_id: int, *, closed_utc_ns: int, net_money: float, **changes: Any) -> TradeClosed:
    """A closed trade that risked 50."""
    facts: dict[str, Any] = {
        "symbol": "EURUSD",
        "side": Side.BUY,
        "lots": 0.10,
        "opened_utc_ns": closed_utc_ns - M15_NS,
        "open_price": 1.085,
        "close_price": 1.0851,
        "stop_price": 1.08,
        "reason": "age" if net_money > 0 else "stop",
        "rule": "tick",
        "gross_money": net_money + 0.9,
        "commission_money": -0.7,
        "swap_money": -0.2,
        "risk_money": 50.0,
        "result_r": net_money / 50.0,
        "peak_money": 12.0,
        "worst_money": -3.0,
        "signal_id": "trend:EURUSD:M15:0",
        "confidence": 0.8,
    }
    return TradeClosed(position_id=position_id, closed_utc_ns=closed_utc_ns, net_money=net_money, **(facts | changes))


def day(bars: int, quotes_a_bar: int = 8, run_id: str = "r1") -> Iterator[SequencedInput]:
    """Inputs of `bars` quarter hours: quotes, bars, a signal every fourth bar, and its fill."""
    seq = 0

    def stamped(at: int, item: Any) -> SequencedInput:
        nonlocal seq
        seq += 1
        return SequencedInput(seq=seq, at_utc_ns=at, input=item)

    settings = Raw(msgspec.msgpack.encode({"risk": {"risk_per_trade_pct": 1.0}}))
    yield stamped(
        MONDAY_NS, Started(run_id=run_id, code_version="0.1.0", settings=settings, strategy_hash="abc", seed=7, mode="replay")
    )
    yield stamped(MONDAY_NS, instruments())
    yield stamped(MONDAY_NS, account())
    entries = 0
    for number in range(bars):
        start = MONDAY_NS + number * M15_NS
        for step in range(quotes_a_bar):
            at = start + (step + 1) * 60_000 * NS_PER_MS
            for place, pair in enumerate(PAIRS):
                yield stamped(at, quote(pair, at - 120 * NS_PER_MS, number * 7 + step * 3 + place))
        end = start + M15_NS
        for pair in PAIRS:
            bar = Bar(open_utc_ns=start, open=1.085, high=1.086, low=1.084, close=1.0851, tick_volume=100, spread_points=1)
            yield stamped(end, BarClosed(symbol=pair, timeframe="M15", bar=bar))
        yield stamped(end, signal("EURUSD", start) if number % 4 == 3 else no_signal("EURUSD", start))
        yield stamped(end, no_signal("USDJPY", start))
        if number % 8 == 3:
            entries += 1
            fate = Filled(
                order_ticket=100 + entries, position_id=200 + entries, deal_ticket=300 + entries, lots=0.1, price=1.0851
            )
            yield stamped(end, ExecutionReport(client_id=f"{run_id}-{2 * entries - 1}", order_outcome=fate))


def quote(pair: str, tick_utc_ns: int, wiggle: int) -> Quote:
    digits = 3 if pair.endswith("JPY") else 5
    base = 150_890 if pair.endswith("JPY") else 108_500
    bid = base + wiggle * 37 % 101
    ask = bid + 8 + wiggle * 5 % 7
    return Quote(symbol=pair, at_utc_ns=tick_utc_ns, bid=bid / 10**digits, ask=ask / 10**digits)


def signal(pair: str, bar_open: int) -> Signal:
    return Signal(
        symbol=pair,
        strategy="trend",
        strategy_hash="abc",
        bar_open_utc_ns=bar_open,
        side=Side.BUY,
        entry_price=1.085,
        stop_price=1.08,
        target_price=1.095,
        confidence=0.8,
        votes=(Check("h1_trend", 1.0, 0.0, True, "up"),),
    )


def no_signal(pair: str, bar_open: int) -> NoSignal:
    votes = (Check("h1_trend", 0.0, 0.5, False, "flat"),)
    return NoSignal(symbol=pair, strategy="trend", strategy_hash="abc", bar_open_utc_ns=bar_open, votes=votes)


def record(
    path: Path,
    inputs: Sequence[SequencedInput],
    *,
    desk: SmallDesk | None = None,
    run: NewRun | None = None,
    checkpoint_every: int = 0,
    clock: Clock | None = None,
) -> SmallDesk:
    """Run the small desk over inputs and keep the tape, as an engine would."""
    desk = desk or SmallDesk()
    writer = JournalWriter(path, journal_settings(), clock=clock or Watch(), durable=False, threaded=False)
    writer.begin_run(run or new_run())
    for stamped in inputs:
        writer.append(stamped, desk.on(stamped))
        if checkpoint_every and stamped.seq % checkpoint_every == 0:
            writer.checkpoint(stamped.at_utc_ns, desk.checkpoint(), "midnight")
    writer.end_run("finished")
    writer.close()
    return desk
