"""When the desk hears of what, in a market that makes its own time: bars, gaps, the last bar of a week, one instant's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quarterdeck.core.engine.lockstep import Lockstep, run_without_loop
from quarterdeck.core.engine.order_sender import OrderSender
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.scanner_setup import LocalScanner
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import Effect, QueryBook
from quarterdeck.core.model.inputs import BarClosed, BarMissing, BrokerBook, Input, SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Bar, Quote
from quarterdeck.core.model.reads import Known
from quarterdeck.core.model.signals import NoSignal
from quarterdeck.core.model.units import M15_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.settings_loader import shipped_settings

PAIRS = ("EURUSD", "GBPUSD")
START = 1_720_000_800 * NS_PER_S // M15_NS * M15_NS


class Moved(NamedTuple):
    at_utc_ns: UtcNs
    symbols: tuple[str, ...]


class Ticker:
    """A terminal whose ticks are in a list of (quarters and seconds after the start, symbols)."""

    def __init__(self, ticks: Sequence[tuple[float, str, tuple[str, ...]]]) -> None:
        self.ticks = [(START + round(seconds * NS_PER_S), symbols) for seconds, _, symbols in ticks]
        self.now_utc_ns = START - NS_PER_S
        self.trades_changed_counter = 0
        self.seen: dict[str, list[UtcNs]] = {symbol: [] for symbol in PAIRS}

    def next_ns(self) -> UtcNs | None:
        return self.ticks[0][0] if self.ticks else None

    def advance(self) -> Moved:
        self.now_utc_ns, symbols = self.ticks.pop(0)
        for symbol in symbols:
            self.seen[symbol].append(self.now_utc_ns)
        return Moved(self.now_utc_ns, symbols)

    def advance_to(self, at_utc_ns: UtcNs) -> None:
        self.now_utc_ns = at_utc_ns


class TickerBroker:
    """Shows bars made of the ticks seen, whatever is asked for else."""

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker
        self.performed: list[object] = []

    async def bars(self, symbol: str, timeframe: str, count: int) -> Known[Candles]:
        now = self.ticker.now_utc_ns
        slots = sorted({at // M15_NS for at in self.ticker.seen[symbol]})
        closed = [slot * M15_NS for slot in slots if (slot + 1) * M15_NS <= now][-count:]
        ones = np.ones(len(closed))
        return Known(Candles(closed, ones, ones, ones, ones), now)

    async def quotes(self, symbols: Sequence[str]) -> Known[tuple[Quote, ...]]:
        now = self.ticker.now_utc_ns
        return Known(tuple(Quote(symbol=symbol, at_utc_ns=now, bid=1.0, ask=1.1) for symbol in symbols), now)

    async def execute_request(self, request: object) -> tuple[Input, ...]:
        self.performed.append(request)
        return (BrokerBook(known=True, at_utc_ns=self.ticker.now_utc_ns),)


class Recorder:
    """A desk that remembers what it was reported."""

    def __init__(self) -> None:
        self.told: list[SequencedInput] = []
        self.wake: UtcNs | None = None
        self.hot: tuple[str, ...] = ()
        self.answers: dict[type, tuple[Effect, ...]] = {}

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        self.told.append(stamped)
        if isinstance(stamped.input, TimerFired):
            self.wake = None
        return self.answers.pop(type(stamped.input), ())

    def wake_at(self) -> UtcNs | None:
        return self.wake

    def quote_interest(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.hot, ()


class Blind:
    def on_bar(self, symbol: str, bar: Bar) -> NoSignal:
        return NoSignal(symbol=symbol, strategy="blind", strategy_hash="", bar_open_utc_ns=bar.open_utc_ns)


def live(ticks: Sequence[tuple[float, str, tuple[str, ...]]], desk: Recorder | None = None) -> tuple[Recorder, TickerBroker]:
    ticker, desk = Ticker(ticks), desk or Recorder()
    broker = TickerBroker(ticker)
    runner = DeskRunner(desk, None, START - NS_PER_S)
    steps = Lockstep(
        terminal=ticker,
        broker=broker,  # type: ignore[arg-type] - only what lockstep asks for
        runner=runner,
        performer=OrderSender(broker, None),  # type: ignore[arg-type] - the same
        scans=LocalScanner(Blind()),
        settings=shipped_settings(("desk.pairs", list(PAIRS))),
        interest=desk,
    )

    async def all_steps() -> None:
        while await steps.step():
            pass

    run_without_loop(all_steps())
    return desk, broker


def story(desk: Recorder) -> list[tuple[float, str, str]]:
    return [
        ((item.at_utc_ns - START) / NS_PER_S, type(item.input).__name__, getattr(item.input, "symbol", "")) for item in desk.told
    ]


def test_bar_closes_at_next_tick_of_any_pair_in_order() -> None:
    desk, _ = live([(0, "", PAIRS), (600, "", PAIRS), (900, "", ("GBPUSD",))])
    assert story(desk)[:8] == [
        (900, "Quote", "EURUSD"),
        (900, "Quote", "GBPUSD"),
        (900, "BarClosed", "EURUSD"),
        (900, "BarClosed", "GBPUSD"),
        (900, "NoSignal", "EURUSD"),
        (900, "NoSignal", "GBPUSD"),
        (1805, "Quote", "EURUSD"),
        (1805, "Quote", "GBPUSD"),
    ]


def test_bar_without_later_tick_closes_once_after_the_wait() -> None:
    desk, _ = live([(0, "", PAIRS), (200_000, "", PAIRS), (200_700, "", PAIRS)])
    bars = [(at, name) for at, name, _ in story(desk) if name == "BarClosed"]
    assert bars[:2] == [(905, "BarClosed"), (905, "BarClosed")]
    assert len(
        {(item.input.symbol, item.input.bar.open_utc_ns) for item in desk.told if isinstance(item.input, BarClosed)}
    ) == len(bars)


def test_pair_without_tick_is_missing_and_delays_no_other() -> None:
    desk, _ = live([(0, "", ("EURUSD",)), (900, "", ("EURUSD",))])
    at_close = [(name, symbol) for at, name, symbol in story(desk) if at == 900]
    assert ("BarClosed", "EURUSD") in at_close
    assert ("BarMissing", "GBPUSD") in at_close
    absent = next(item.input for item in desk.told if isinstance(item.input, BarMissing))
    assert absent.bar_open_utc_ns == START


def test_between_bars_only_pairs_of_interest_are_quoted() -> None:
    desk = Recorder()
    desk.hot = ("GBPUSD",)
    live([(0, "", PAIRS), (60, "", PAIRS), (120, "", ("EURUSD",))], desk)
    assert [(at, symbol) for at, name, symbol in story(desk) if name == "Quote" and at < 900] == [(0, "GBPUSD"), (60, "GBPUSD")]


def test_timer_fires_between_ticks_and_its_effects_execute_first() -> None:
    desk = Recorder()
    desk.wake = START + 30 * NS_PER_S
    desk.answers[TimerFired] = (QueryBook(why="test"),)
    _, broker = live([(0, "", PAIRS), (60, "", PAIRS)], desk)
    assert story(desk)[:2] == [(30, "TimerFired", ""), (30, "BrokerBook", "")]
    assert broker.performed == [QueryBook(why="test")]
