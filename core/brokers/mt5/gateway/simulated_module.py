"""The simulated terminal as a gateway's module: for trying the way to a broker without one, and for rehearsing bad days.

Promises: its market is the seeded one, running by the wall clock; its account outlives the child and the gateway, as a broker's
does: every change is on disk before its answer leaves, and what prices did while no child was there is made up before the first
call. Late orders and Market Watch stay too. Faults are drawn from the seed, by each child anew.
Does not: make up more than [5 days]; a stop passed earlier fills at the first price after. Does not answer what it could not
write down: then the child ends, and its successor stands where the file does.
Arguments of `make`: the home folder whose settings hold, then optional `fault=probability` pairs named as in `FaultRates`, and
`market_clock=` with a `MarketClock` as JSON where market time is not the machine's.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from quarterdeck.core.brokers.mt5.account_file import ANEW, AccountFile, SimulatedAccount, SimulatedFile
from quarterdeck.core.brokers.mt5.gateway.module_loader import MARKET, HostedModule
from quarterdeck.core.brokers.simulator.fault_options import fault_rates
from quarterdeck.core.brokers.simulator.faults import FaultRates, Faults
from quarterdeck.core.brokers.simulator.market_seeded import SeededMarket
from quarterdeck.core.brokers.simulator.operator_actions import OperatorActions
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_builder import account_terms, seeded_market, terminal_over
from quarterdeck.core.clock.market_clock import BrokerMarketClock, MarketClock
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.model.errors import BrokerError, StorageError
from quarterdeck.core.model.units import DAY_NS, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import load_settings

NAME = "simulated"
TICK_S = 1
_MADE_UP_NS = 5 * DAY_NS
_SAME_MARKET_NS = 300 * DAY_NS
"""A longer past takes too long to roll in (0.07 s of a processor a day): the account then meets a new market, with a gap."""


def make(arguments: list[str]) -> HostedModule:
    """The host that the child loads. Raises SettingsError, UsageError for a fault, BrokerError for a kept account."""
    root = Path(arguments[0])
    settings = load_settings(root).settings
    given = [text for text in arguments[1:] if text.startswith(MARKET)]
    clock: Clock = WallClock()
    for text in given:
        clock = BrokerMarketClock(msgspec.json.decode(text.removeprefix(MARKET), type=MarketClock), clock)
    pairs = [text for text in arguments[1:] if text not in given]
    return hosted_at(settings, clock, fault_rates(pairs), AccountFile(root, SimulatedAccount))


def hosted_at(settings: Settings, clock: Clock, rates: FaultRates, file: SimulatedFile, *, tick_s: int = TICK_S) -> HostedModule:
    """A simulated terminal that is at the clock's now before each call. Raises BrokerError for a file of another account."""
    kept = file.read(account_terms(settings))
    starts = 1 if kept is None else kept.starts + 1
    # each child draws its own: else a fault that strikes at the first calls would strike every successor alike
    faults = Faults(rates, settings.simulation.seed + starts - 1)
    now = clock.utc_ns()
    origin = now if kept is None or now - kept.origin_utc_ns > _SAME_MARKET_NS else kept.origin_utc_ns
    market = seeded_market(settings, start_utc_ns=origin, tick_s=tick_s)
    if kept is None:
        terminal = terminal_over(settings, market, faults=faults)
        actions = OperatorActions(terminal)
    else:
        terminal, actions = _resumed(settings, kept, market, now, faults)
    written = (-1, -1)

    def move() -> None:
        terminal.advance_to(clock.utc_ns())

    def keep() -> float:
        nonlocal written
        watched = tuple(terminal.state.watch)
        changed = (terminal.trades_changed_counter, len(watched))
        if changed != written:
            account = SimulatedAccount(
                books=terminal.ledger.books(),
                seed=settings.simulation.seed,
                origin_utc_ns=origin,
                starts=starts,
                under_way=faults.kept(),
                watched=watched,
                rehearsal=actions.rehearsal,
            )
            if not file.write(account):
                raise StorageError(
                    f"the simulated account cannot be written to {file.path}, or another process writes there",
                    what_to_do="make room on the disk, or give each gateway a --home of its own",
                )
            written = changed
        return faults.take_delay_s()

    move()
    keep()
    return HostedModule(
        module=terminal.module,
        name=NAME,
        version=str(terminal.module.__version__),
        before_call=move,
        after_call=keep,
        act=actions.act,
    )


def _resumed(
    settings: Settings, kept: SimulatedAccount, market: SeededMarket, now_utc_ns: UtcNs, faults: Faults
) -> tuple[SimulatedTerminal, OperatorActions]:
    """The account where it was left, in the market that it was left in."""
    if kept.seed != settings.simulation.seed:
        raise BrokerError(
            f"the simulated account lives in the market of seed {kept.seed}; settings ask for {settings.simulation.seed}",
            what_to_do=f"change simulation.seed back, or see {SimulatedAccount.FILE}: {ANEW}",
        )
    strange = sorted(set(kept.exposed) - set(market.symbols) - set(kept.rehearsal.names))
    if strange:
        raise BrokerError(
            f"the simulated account holds {', '.join(strange)}, which settings no longer trade",
            what_to_do=f"put the pair back into desk.pairs, or see {SimulatedAccount.FILE}: {ANEW}",
        )
    left = max(kept.books.now_utc_ns + 1, now_utc_ns - _MADE_UP_NS, market.start_utc_ns + 1)
    terminal = terminal_over(settings, market.entered(left), faults=faults)
    actions = OperatorActions(terminal, kept.rehearsal)
    terminal.ledger.restore(kept.books)
    faults.restore(kept.under_way, terminal.ledger)
    terminal.state.watch.update(dict.fromkeys(kept.watched, kept.books.now_utc_ns))
    for symbol, bid, ask, at in terminal.market.initial():
        for name in (symbol, *(name for name, like in kept.rehearsal.names.items() if like == symbol)):
            terminal.ledger.quotes[name] = (bid, ask, at)
    return terminal, actions
