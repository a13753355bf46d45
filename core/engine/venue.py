"""Where a run trades: the broker, what feeds it, and when its market begins and ends.

One function a kind of run makes it: `simulated` (the embedded market), `replay` (recorded days), `live_feed` (a MetaTrader 5
account), `paper` (its feed, with fills of our own). Does not: start anything; `Engine` does.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.engine.lockstep import SteppedTerminal
from quarterdeck.core.engine.ownership import LeaseTerminal
from quarterdeck.core.model.broker_account import TradeMode
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import UtcNs


class Venue(Struct, kw_only=True):
    """One place to trade at. `terminal` is None where the market keeps its own time."""

    mode: TradeMode
    broker: Broker
    label: str
    """What it is, for people: `simulated market, seed 7`."""
    run_id: str
    seed: int = 0
    terminal: SteppedTerminal | None = None
    from_utc_ns: UtcNs = 0
    until_utc_ns: UtcNs = 2**62
    speed: float | None = None
    """Times life where the terminal makes its own time; None is as fast as it goes."""
    market_speed: float = 1.0
    """Market seconds per second of life where the market keeps its own time; above 1 in a rehearsal over a gateway."""
    news: Callable[[], tuple[NewsEvent, ...] | None] | None = None
    """The calendar that belongs to the market, as known at the time of asking."""
    calendar: CalendarSource | None = None
    """The calendar of feeds and files, for a market that keeps its own time."""
    notes: tuple[str, ...] = ()
    yes_real: int = 0
    """The login that the operator named on the command line as a real account to be traded."""
    lease: LeaseTerminal | None = None
    """Who gives the account to one engine at a time; None where no order leaves for a broker."""
    live: bool = False
    """A broker's account: what it is (real or demo) is known once it was read."""
    faults: Faults | None = None
    """What the simulated terminal does wrong, where the operator switched something on."""
    observer_broker: Broker | None = None
    """Over a misbehaving terminal: a broker of its own for charts, so that opening one changes nothing."""
    trust_machine_clock: Callable[[], None] | None = None
    """Keeps the operator's decision that this machine's clock is right; None where it is not compared with a broker's."""
    ends: bool = False
    """The market ends (a replay): what is open then is closed with reason `end`."""
