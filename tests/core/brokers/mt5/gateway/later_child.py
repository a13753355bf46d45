"""A hosted simulated terminal on a Wednesday, whatever day it is: `make` takes the home and how far the clock is moved, in seconds."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.brokers.mt5.account_file import AccountFile, SimulatedAccount
from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from quarterdeck.core.brokers.mt5.gateway.simulated_module import hosted_at
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import load_settings

HOST = "tests.core.brokers.mt5.gateway.later_child:make"


class MovedClock(WallClock):
    """The machine's clock, moved."""

    def __init__(self, by_s: int) -> None:
        self._by_ns = by_s * NS_PER_S

    def utc_ns(self) -> int:
        return super().utc_ns() + self._by_ns


def make(arguments: list[str]) -> HostedModule:
    home = Path(arguments[0])
    settings, clock = load_settings(home).settings, MovedClock(int(arguments[1]))
    return hosted_at(settings, clock, FaultRates(), AccountFile(home, SimulatedAccount), tick_s=60)
