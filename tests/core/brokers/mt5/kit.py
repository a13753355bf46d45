"""A simulated terminal whose quotes a test sets manually, and an adapter over it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
from msgspec import structs

from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.mt5.policy import Mt5Policy, policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.faults import FaultRates, Faults
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.ledger_rows import AccountTerms
from quarterdeck.core.brokers.simulator.market_source import FormingBar, MarketStep, TickColumns, aggregate, reached_rows
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock as TerminalClock
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import Close, Modify, Submit
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings

T = TypeVar("T")
START = 1_717_405_200 * NS_PER_S
"""Monday 2024-06-03 09:00 UTC."""
MAGIC = 771001


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it suspended")


class HandMarket:
    """Quotes as the test sets them; a thousand flat M15 bars before the start."""

    label = "manually"
    target_first: frozenset[str] = frozenset()

    def __init__(self, quotes: dict[str, tuple[float, float]], weeks: int = 2):
        self.symbols = tuple(quotes)
        self.start_utc_ns = START
        self._quotes = quotes
        self._queue: list[MarketStep] = []
        count = weeks * 7 * 96
        opens = START - M15_NS * np.arange(count, 0, -1)
        opens = opens[((opens // (86_400 * NS_PER_S)) + 4) % 7 != 6]
        self._m15 = {
            name: Candles(opens, *([np.full(len(opens), bid)] * 4), np.full(len(opens), 9), np.full(len(opens), 2))
            for name, (bid, _) in quotes.items()
        }

    def initial(self):
        return tuple((name, bid, ask, START) for name, (bid, ask) in self._quotes.items())

    def push(self, at, *ticks):
        self._queue.append(MarketStep(at, ticks))

    def next_ns(self):
        return self._queue[0].at_utc_ns if self._queue else None

    def step(self):
        return self._queue.pop(0)

    def version(self, symbol, timeframe):
        return 0

    def columns(self, symbol, timeframe):
        if timeframe in ("M1", "M5"):
            return None
        return self._m15[symbol] if timeframe == "M15" else aggregate(self._m15[symbol], timeframe)

    def reached(self, symbol, timeframe, now_utc_ns):
        return reached_rows(self.columns(symbol, timeframe), now_utc_ns)

    def forming(self, symbol, timeframe, now_utc_ns) -> FormingBar | None:
        return None

    def ticks(self, symbol, from_utc_ns, to_utc_ns, now_utc_ns):
        return TickColumns(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))

    def news(self):
        return None


class HandClock:
    """Follows the terminal's market time; the monotonic one only moves when reported."""

    def __init__(self, terminal: SimulatedTerminal):
        self._terminal = terminal
        self.ahead_ns = 0

    def utc_ns(self) -> int:
        return self._terminal.now_utc_ns + self.ahead_ns

    def monotonic_s(self) -> float:
        return self.utc_ns() / NS_PER_S

    def wait(self, seconds: float) -> None:
        self.ahead_ns += round(seconds * NS_PER_S)


class Rig:
    """Terminal, module, adapter and clock together."""

    def __init__(
        self,
        *,
        hedging: bool = True,
        rule: Any = "new_york_plus_7",
        fixed_s: int = 0,
        faults: FaultRates | None = None,
        seed: int = 0,
        policy: dict[str, Any] | None = None,
        specs: dict[str, Any] | None = None,
        terms: dict[str, Any] | None = None,
        suffix: str = "",
        known_clock: bool = True,
        connect: bool = True,
    ):
        quotes = {"EURUSD": (1.08500, 1.08512), "GBPUSD": (1.27000, 1.27015), "USDJPY": (156.250, 156.262)}
        self.market = HandMarket({name + suffix: quote for name, quote in quotes.items()})
        found = [structs.replace(instrument(name), **(specs or {})) for name in self.market.symbols]
        base = AccountTerms(
            login=5001,
            server="Sim-Demo",
            currency="USD",
            leverage=100,
            hedging=hedging,
            balance_money=100_000.0,
            commission_per_lot_money=3.5,
            commission_currency="USD",
            stop_out_level_pct=50.0,
            margin_call_level_pct=100.0,
        )
        self.faults = Faults(faults, seed)
        self.terminal = SimulatedTerminal(
            self.market, found, structs.replace(base, **(terms or {})), clock=TerminalClock(rule, fixed_s), faults=self.faults
        )
        self.module = self.terminal.module
        self.clock = HandClock(self.terminal)
        self.policy: Mt5Policy = structs.replace(policy_from(shipped_settings()), **(policy or {}))
        self.slept: list[float] = []
        self.carrier = InProcessTerminal(self.module, lambda: self.terminal.trades_changed_counter)
        self.broker = Mt5Broker(
            self.carrier,
            self.policy,
            self.clock,
            sleep=self._sleep,
            server_clock=ServerClock(rule, fixed_s) if known_clock else None,
        )
        if connect:
            drive(self.broker.connect())
            self.instruments = drive(self.broker.select(("EURUSD", "GBPUSD", "USDJPY")))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.wait(seconds)

    def tick(self, symbol: str, bid: float, ask: float, after_s: float = 1.0) -> None:
        self.market.push(self.terminal.now_utc_ns + round(after_s * NS_PER_S), (symbol, bid, ask))
        self.terminal.advance()

    def pass_time(self, seconds: float) -> None:
        self.terminal.advance_to(self.terminal.now_utc_ns + round(seconds * NS_PER_S))

    def perform(self, request):
        return drive(self.broker.execute_request(request))

    def fate(self, request):
        return self.perform(request)[0].order_outcome

    @property
    def positions(self):
        return list(self.terminal.ledger.positions.values())


def submit(client_id: str = "r1-1", **changes: Any) -> Submit:
    base = Submit(
        client_id=client_id,
        reservation_id="v1",
        signal_id="s1",
        symbol="EURUSD",
        side=Side.BUY,
        lots=0.5,
        quoted_price=1.08512,
        stop_price=1.08300,
        target_price=1.09000,
        deviation_points=20,
        risk_money=100.0,
    )
    return structs.replace(base, **changes)


def close(ticket: int, client_id: str = "r1-2", **changes: Any) -> Close:
    base = Close(
        client_id=client_id,
        position_id=ticket,
        ticket=ticket,
        symbol="EURUSD",
        side=Side.BUY,
        lots=0.5,
        quoted_price=1.08500,
        deviation_points=20,
        why="command",
    )
    return structs.replace(base, **changes)


def modify(ticket: int, **changes: Any) -> Modify:
    base = Modify(
        client_id="r1-3", position_id=ticket, ticket=ticket, symbol="EURUSD", stop_price=1.08400, target_price=1.09, why="trail"
    )
    return structs.replace(base, **changes)
