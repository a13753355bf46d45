"""A market whose instants a test writes manually, and a terminal over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import structs

from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.ledger_rows import AccountTerms
from quarterdeck.core.brokers.simulator.market_source import FormingBar, MarketStep, RangeTuple, TickColumns, TickTuple
from quarterdeck.core.brokers.simulator.mt5_api import SimulatedMetaTrader5
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import M15_NS, NS_PER_S

START = 1_720_000_800 * NS_PER_S
"""Wednesday 2024-07-03 10:00 UTC, 13:00 on a New York + 7 server."""
SECOND = NS_PER_S
SERVER_START_S = 1_720_000_800 + 3 * 3_600

USUAL = {
    "EURUSD": (1.08500, 1.08515),
    "GBPUSD": (1.27000, 1.27015),
    "USDJPY": (150.890, 150.900),
    "USDCAD": (1.36000, 1.36005),
    "EURGBP": (0.85400, 0.85420),
    "EURJPY": (163.420, 163.440),
    "AUDJPY": (97.490, 97.500),
    "USDCHF": (0.88000, 0.88010),
}


class HandMarket:
    """Steps as pushed by the test; a hundred flat M15 bars before the start."""

    label = "written manually"

    def __init__(self, quotes: dict[str, tuple[float, float]], *, target_first: bool = False, bars: int = 100) -> None:
        self.symbols = tuple(quotes)
        self.target_first = frozenset(quotes) if target_first else frozenset()
        self.start_utc_ns = START
        self._quotes = quotes
        self._steps: list[MarketStep] = []
        opens = START - M15_NS * np.arange(bars, 0, -1)
        self._columns = {name: Candles(opens, *([np.full(bars, bid)] * 4)) for name, (bid, _) in quotes.items()}

    def push(self, at_utc_ns: int, ticks: Sequence[TickTuple] = (), ranges: Sequence[RangeTuple] = ()) -> None:
        self._steps.append(MarketStep(at_utc_ns, tuple(ticks), tuple(ranges)))

    def initial(self) -> tuple[tuple[str, float, float, int], ...]:
        return tuple((name, bid, ask, START) for name, (bid, ask) in self._quotes.items())

    def next_ns(self) -> int | None:
        return self._steps[0].at_utc_ns if self._steps else None

    def step(self) -> MarketStep:
        return self._steps.pop(0)

    def version(self, symbol: str, timeframe: str) -> int:
        return 1

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        return self._columns[symbol] if timeframe == "M15" else None

    def reached(self, symbol: str, timeframe: str, now_utc_ns: int) -> int:
        return int(np.searchsorted(self._columns[symbol].open_utc_ns, now_utc_ns, side="right"))

    def forming(self, symbol: str, timeframe: str, now_utc_ns: int) -> FormingBar | None:
        return None

    def ticks(self, symbol: str, from_utc_ns: int, to_utc_ns: int, now_utc_ns: int) -> TickColumns:
        bid, ask = self._quotes[symbol]
        return TickColumns(np.array([START - SECOND, START]), np.array([bid, bid]), np.array([ask, ask]))

    def news(self) -> None:
        return None


class Desk:
    """A terminal at hand: quotes, time and trade requests in short."""

    def __init__(
        self,
        *symbols: str,
        quotes: dict[str, tuple[float, float]] | None = None,
        specs: dict[str, dict[str, Any]] | None = None,
        faults: Faults | None = None,
        state: TerminalState | None = None,
        target_first: bool = False,
        clock: SimulatedServerClock | None = None,
        **terms: Any,
    ) -> None:
        names = symbols or ("EURUSD",)
        shown = {name: (quotes or USUAL)[name] for name in names}
        self.market = HandMarket(shown, target_first=target_first)
        instruments = [changed(name, (specs or {}).get(name, {})) for name in names]
        self.terminal = SimulatedTerminal(
            self.market,
            instruments,
            account(**terms),
            clock=clock or SimulatedServerClock("new_york_plus_7"),
            faults=faults,
            state=state,
        )
        self.ledger = self.terminal.ledger
        self.mt = self.terminal.module
        self.mt.initialize()
        for name in names:
            self.mt.symbol_select(name, True)

    def tick(self, symbol: str, bid: float, ask: float, after_s: float = 1.0) -> None:
        self.market.push(self.terminal.now_utc_ns + int(after_s * SECOND), [(symbol, bid, ask)])
        self.terminal.advance()

    def span(self, symbol: str, low: float, high: float, spread: float = 0.0001, after_s: float = 1.0) -> None:
        row = (symbol, low, high, round(low + spread, 5), round(high + spread, 5))
        self.market.push(self.terminal.now_utc_ns + int(after_s * SECOND), ranges=[row])
        self.terminal.advance()

    def send(self, **fields: Any) -> Any:
        return self.mt.order_send({"type_filling": 1, "magic": 7, **fields})

    def deal(self, side: str, lots: float, symbol: str = "EURUSD", **fields: Any) -> Any:
        bid, ask, _ = self.ledger.quotes[symbol]
        kind, price = (0, ask) if side == "buy" else (1, bid)
        return self.send(action=1, symbol=symbol, volume=lots, type=kind, price=price, **fields)

    def deals(self, **chosen: Any) -> list[Any]:
        rows = self.mt.history_deals_get(1, 2**31 - 1)
        return [row for row in rows if row.type < 2 and all(getattr(row, key) == value for key, value in chosen.items())]

    def balance(self) -> float:
        return float(self.mt.account_info().balance)


def changed(symbol: str, fields: dict[str, Any]) -> Instrument:
    return structs.replace(instrument(symbol), **fields)


def account(**fields: Any) -> AccountTerms:
    usual: dict[str, Any] = {
        "login": 1,
        "server": "Test",
        "currency": "USD",
        "leverage": 100,
        "hedging": True,
        "balance_money": 10_000.0,
        "commission_per_lot_money": 0.0,
        "commission_currency": "USD",
        "stop_out_level_pct": 50.0,
        "margin_call_level_pct": 100.0,
    }
    return AccountTerms(**{**usual, **fields})


def bare_module() -> SimulatedMetaTrader5:
    """A module that nothing was asked of yet, and whose terminal cannot be started."""
    market = HandMarket({"EURUSD": USUAL["EURUSD"]})
    state = TerminalState(running=False)
    clock = SimulatedServerClock("new_york_plus_7")
    return SimulatedTerminal(market, [instrument("EURUSD")], account(), clock=clock, state=state).module
