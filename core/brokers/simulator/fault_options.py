"""Faults as words on a command line, and the connection to a simulated terminal that has them.

Why: whoever trains for a bad night wants the same terminal, misbehaving; a gateway's and a run's faults are named alike.
Promises: a slow call and a wait take market time, so that prices continue meanwhile; nothing suspends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.units import NS_PER_S

_SPANS = ("refusal_burst_length", "slow_call_s", "server_lost_s", "quote_gap_s", "delay_s", "hidden_stops_level_points")
_SWITCHES = ("tick_size_zero",)
_FREE = (*_SPANS, "tick_value_factor")


def fault_rates(pairs: Sequence[str]) -> FaultRates:
    """`name=number` pairs as rates. Raises UsageError naming what there is."""
    given = dict(pair.partition("=")[::2] for pair in pairs)
    remedy = f"write name=probability with one of {', '.join(FaultRates.__struct_fields__)}"
    strange = [name for name in given if name not in FaultRates.__struct_fields__]
    if strange:
        raise UsageError(f"there is no fault called {', '.join(strange)}", what_to_do=remedy)
    try:
        numbers = {name: float(text) for name, text in given.items()}
        switches = {name: bool(number) if name in _SWITCHES else number for name, number in numbers.items()}
        rates = msgspec.convert(switches, FaultRates, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"faults {', '.join(pairs)}: {error}", what_to_do=remedy) from error
    for name, number in numbers.items():
        most = math.inf if name in _FREE else 1.0
        if not 0.0 <= number <= most or math.isinf(number):
            remedy = "a probability lies between 0 and 1; spans, lengths and factors are not negative"
            raise UsageError(f"fault {name}={number:g} cannot be", what_to_do=remedy)
    return rates


def fault_words(rates: FaultRates) -> str:
    """What is switched on, as it is written on a command line; empty for a terminal in good health."""
    healthy = FaultRates()
    changed = [name for name in FaultRates.__struct_fields__ if getattr(rates, name) != getattr(healthy, name)]
    return ", ".join(f"{name}={float(getattr(rates, name)):g}" for name in changed)


class FaultyTerminal(InProcessTerminal):
    """Calls into a simulated terminal in this process whose slow ones take market time."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        """`terminal` has its faults already."""
        super().__init__(terminal.module, changes=lambda: terminal.trades_changed_counter)
        self._terminal = terminal

    def call_now(self, name: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None) -> CallReply:
        """As `InProcessTerminal`; the answer comes when the call is over."""
        reply = super().call_now(name, args, kwargs)
        self._pass(self._terminal.faults.take_delay_s())
        return reply

    async def sleep(self, seconds: float) -> None:
        """Wait, in market time."""
        self._pass(seconds)

    def _pass(self, seconds: float) -> None:
        if seconds > 0.0:
            self._terminal.advance_to(self._terminal.now_utc_ns + round(seconds * NS_PER_S))
