"""The gateway: a round trip for the quotes of 28 pairs in one call, for one order, and for one whole entry through the adapter.

Real processes over a real socket on loopback; the child hosts a simulated terminal that stands still in an open market.
`python -m benchmarks.gateway` prints the figures alone.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from quarterdeck.core.brokers.base import TerminalCall
from quarterdeck.core.brokers.mt5.adapter import Mt5Broker
from quarterdeck.core.brokers.mt5.gateway.launch import start_local_gateway
from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.brokers.mt5.policy import policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, seeded_terminal
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.effects import Close, Submit
from quarterdeck.core.model.inputs import ExecutionReport, Filled
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings

_CURRENCIES = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "JPY")
PAIRS = tuple(first + second for first, second in itertools.combinations(_CURRENCIES, 2))
_ROUNDS = 500
_ORDERS = 100
_PAUSE_S, _ORDER_PAUSE_S = 0.02, 0.06
"""Between rounds: the gateway refuses whoever talks more than a desk ever does."""


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


class StillClock:
    """The simulated terminal's moment, with the machine's own spans."""

    def __init__(self) -> None:
        """Begins with the seeded market."""
        self._wall = WallClock()

    def utc_ns(self) -> int:
        """The moment at which the market stands."""
        return SEEDED_START_UTC_NS

    def monotonic_s(self) -> float:
        """The machine's."""
        return self._wall.monotonic_s()


def make(_arguments: list[str]) -> HostedModule:
    """The child's host."""
    terminal = seeded_terminal(_settings())
    return HostedModule(module=terminal.module, name="simulated", version="benchmark")


def figures() -> list[Figure]:
    """All figures of the gateway, in order."""
    return asyncio.run(_figures())


def _settings() -> Settings:
    changes = (("desk.pairs", PAIRS), ("simulation.history_days", 30), ("simulation.balance_money", 1e9))
    return shipped_settings(*changes)


async def _figures() -> list[Figure]:
    clock = StillClock()
    gateway = await start_local_gateway(("benchmarks.gateway:make",))
    deadlines = CallTimeouts(read_s=5.0, send_s=20.0, start_s=60.0)
    terminal = GatewayTerminal(gateway.address, gateway.token, deadlines, clock, retry_min_s=1.0, retry_max_s=10.0)
    try:
        broker = Mt5Broker(
            terminal, policy_from(_settings(), mode="simulated"), clock, server_clock=ServerClock("new_york_plus_7")
        )
        await broker.connect()
        await broker.select(PAIRS)
        calls = [TerminalCall("symbol_info_tick", (pair,)) for pair in PAIRS]
        ticks = await _timed(_ROUNDS, lambda _: terminal.call_many(calls))
        quotes = await _timed(_ROUNDS, lambda _: broker.quotes(PAIRS))
        one = await _timed(_ROUNDS, lambda _: terminal.call("account_info"))
        orders = await _timed(_ORDERS, lambda number: _order(terminal, number), _ORDER_PAUSE_S)
        entries = await _timed(_ORDERS, lambda number: _entry(broker, number), _ORDER_PAUSE_S)
    finally:
        await terminal.close()
        await gateway.stop()
    return [
        *_both("gateway, one small read", one),
        *_both("gateway, quotes of 28 pairs in one call", ticks),
        *_both("gateway, the same through the adapter", quotes),
        *_both("gateway, one order sent", orders),
        *_both("gateway, one entry and its close through the adapter, checked, sent, deals and book read", entries),
    ]


async def _order(terminal: GatewayTerminal, number: int) -> None:
    request = {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 0.01,
        "type": number % 2,
        "price": 1.0,
        "type_filling": 1,
        "comment": f"b-{number}",
    }
    await terminal.call("order_send", request)


async def _entry(broker: Mt5Broker, number: int) -> None:
    read = await broker.quotes(("GBPUSD",))
    quote = read.value[0]  # type: ignore[union-attr]
    told = await broker.execute_request(
        Submit(
            client_id=f"bench-{2 * number}",
            reservation_id="",
            signal_id="",
            symbol="GBPUSD",
            side=Side.BUY,
            lots=0.01,
            quoted_price=quote.ask,
            stop_price=quote.bid - 0.01,
            target_price=None,
            deviation_points=50,
            risk_money=0.0,
        )
    )
    report = told[0]
    if not isinstance(report, ExecutionReport) or not isinstance(report.order_outcome, Filled):
        raise RuntimeError(f"the order was not filled: {report}")
    position = report.order_outcome.position_id
    await broker.execute_request(
        Close(
            client_id=f"bench-{2 * number + 1}",
            position_id=position,
            ticket=position,
            symbol="GBPUSD",
            side=Side.BUY,
            lots=0.01,
            quoted_price=quote.bid,
            deviation_points=50,
            why="command",
        )
    )


async def _timed(rounds: int, step: Callable[[int], Awaitable[object]], pause_s: float = _PAUSE_S) -> list[float]:
    """Milliseconds of each round, after a few that do not count."""
    spent = []
    for number in range(rounds + 5):
        began = time.perf_counter()
        await step(number)
        spent.append((time.perf_counter() - began) * 1000.0)
        await asyncio.sleep(pause_s)
    return sorted(spent[5:])


def _both(name: str, spent: list[float]) -> list[Figure]:
    return [
        Figure(f"{name}, median", spent[len(spent) // 2], "ms"),
        Figure(f"{name}, 99 of 100 under", spent[len(spent) * 99 // 100], "ms"),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name}: {figure.value:,.3f} {figure.unit}")
