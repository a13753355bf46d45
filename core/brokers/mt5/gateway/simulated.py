"""The simulated terminal as a gateway's module: for trying the way to a broker without one, and for rehearsing bad days.

Promises: its market is the seeded one, running by the wall clock from the moment of the start; faults are drawn from the seed.
Does not: remember. A child that is replaced is a new terminal with an empty account.
Arguments of `make`: the home folder whose settings hold, then optional `fault=probability` pairs named as in `FaultRates`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from core.brokers.mt5.gateway.hosts import Hosted
from core.brokers.simulator.faults import FaultRates, Faults
from core.brokers.simulator.opening import seeded_terminal
from core.clock.wall import Clock, WallClock
from core.model.errors import UsageError
from core.settings.load import load_settings

NAME = "simulated"
TICK_S = 1


def make(arguments: list[str]) -> Hosted:
    """The host that the child loads. Raises SettingsError, UsageError for a fault that does not exist."""
    settings = load_settings(Path(arguments[0])).settings
    return hosted_at(settings, WallClock(), fault_rates(arguments[1:]))


def hosted_at(settings: Any, clock: Clock, rates: FaultRates) -> Hosted:
    """A simulated terminal that stands at the clock's now before each call."""
    faults = Faults(rates, settings.simulation.seed)
    terminal = seeded_terminal(settings, start_utc_ns=clock.utc_ns(), tick_s=TICK_S, faults=faults)

    def move() -> None:
        terminal.advance_to(clock.utc_ns())

    return Hosted(
        module=terminal.module,
        name=NAME,
        version=str(terminal.module.__version__),
        before_call=move,
        after_call=faults.take_delay_s,
    )


def fault_rates(pairs: list[str]) -> FaultRates:
    """`name=number` pairs as rates. Raises UsageError naming what there is."""
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return msgspec.convert({name: float(text) for name, text in given.items()}, FaultRates, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        names = ", ".join(FaultRates.__struct_fields__)
        raise UsageError(f"faults {pairs}: {error}", what_to_do=f"write name=probability with one of {names}") from error
