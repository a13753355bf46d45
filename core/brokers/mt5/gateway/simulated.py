"""The simulated terminal as a gateway's module: for trying the way to a broker without one, and for rehearsing bad days.

Promises: its market is the seeded one, running by the wall clock; its account outlives the child and the gateway, as a broker's
does: every change is on disk before its answer leaves, and what prices did while no child was there is made up before the first
call. Faults are drawn from the seed. Does not: make up more than [10 days]; a stop passed earlier fills at the first price after.
Arguments of `make`: the home folder whose settings hold, then optional `fault=probability` pairs named as in `FaultRates`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.brokers.mt5.gateway.hosts import Hosted
from core.brokers.mt5.kept import ANEW, AccountFile, SimulatedAccount, SimulatedFile
from core.brokers.simulator.faults import FaultRates, Faults
from core.brokers.simulator.market_seeded import SeededMarket
from core.brokers.simulator.opening import account_terms, seeded_market, terminal_over
from core.brokers.simulator.terminal import SimulatedTerminal
from core.clock.wall import Clock, WallClock
from core.model.errors import BrokerError, UsageError
from core.model.units import DAY_NS, UtcNs
from core.settings.load import load_settings
from core.settings.schema import Settings

NAME = "simulated"
TICK_S = 1
_MADE_UP_NS = 10 * DAY_NS


def make(arguments: list[str]) -> Hosted:
    """The host that the child loads. Raises SettingsError, UsageError for a fault, BrokerError for a kept account."""
    root = Path(arguments[0])
    settings = load_settings(root).settings
    return hosted_at(settings, WallClock(), fault_rates(arguments[1:]), AccountFile(root, SimulatedAccount))


def hosted_at(settings: Settings, clock: Clock, rates: FaultRates, file: SimulatedFile, *, tick_s: int = TICK_S) -> Hosted:
    """A simulated terminal that stands at the clock's now before each call. Raises BrokerError for a file of another account."""
    faults = Faults(rates, settings.simulation.seed)
    kept = file.read(account_terms(settings))
    origin = clock.utc_ns() if kept is None else kept.origin_utc_ns
    market = seeded_market(settings, start_utc_ns=origin, tick_s=tick_s)
    if kept is None:
        terminal = terminal_over(settings, market, faults=faults)
    else:
        terminal = _resumed(settings, kept, market, clock.utc_ns(), faults)
    written = -1

    def move() -> None:
        terminal.advance_to(clock.utc_ns())

    def keep() -> float:
        nonlocal written
        changes = terminal.trades_changed_counter
        if changes != written:
            books = terminal.ledger.books()
            if file.write(SimulatedAccount(books=books, seed=settings.simulation.seed, origin_utc_ns=origin)):
                written = changes
        return faults.take_delay_s()

    move()
    keep()
    return Hosted(
        module=terminal.module,
        name=NAME,
        version=str(terminal.module.__version__),
        before_call=move,
        after_call=keep,
    )


def _resumed(
    settings: Settings, kept: SimulatedAccount, market: SeededMarket, now_utc_ns: UtcNs, faults: Faults
) -> SimulatedTerminal:
    """The account where it was left, in the market that it was left in."""
    if kept.seed != settings.simulation.seed:
        raise BrokerError(
            f"the simulated account lives in the market of seed {kept.seed}; settings ask for {settings.simulation.seed}",
            what_to_do=f"change simulation.seed back, or see {SimulatedAccount.FILE}: {ANEW}",
        )
    left = max(kept.books.now_utc_ns, now_utc_ns - _MADE_UP_NS, kept.origin_utc_ns)
    terminal = terminal_over(settings, market.entered(left + 1), faults=faults)
    terminal.ledger.restore(kept.books)
    for symbol, bid, ask, at in terminal.market.initial():
        terminal.ledger.quotes[symbol] = (bid, ask, at)
    return terminal


def fault_rates(pairs: list[str]) -> FaultRates:
    """`name=number` pairs as rates. Raises UsageError naming what there is."""
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return msgspec.convert({name: float(text) for name, text in given.items()}, FaultRates, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        names = ", ".join(FaultRates.__struct_fields__)
        raise UsageError(f"faults {pairs}: {error}", what_to_do=f"write name=probability with one of {names}") from error
