"""A simulated terminal from settings: over recorded days, over the seeded market, or over the scripted crash.

Why: run, replay, backtest and tests must price and value alike, so all of them open their terminal here.
Promises: every price and cost comes from settings (per pair where they say so); conversion pairs are in the market beside the
traded ones, a missing one is an error that names it. The account says that it is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.brokers.simulator.ledger_rows import AccountTerms
from quarterdeck.core.brokers.simulator.market_crash import CRASH_UTC_NS, crash_market
from quarterdeck.core.brokers.simulator.market_recorded import RecordedMarket
from quarterdeck.core.brokers.simulator.market_seeded import SeededMarket, trading_day
from quarterdeck.core.brokers.simulator.market_source import MarketSource
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.data.recorded_prices import conversion_pairs
from quarterdeck.core.data.series import Recording
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import H1_NS, NS_PER_S, Price, UtcNs
from quarterdeck.core.settings.schema import CostsSection, Settings
from quarterdeck.core.settings.settings_loader import for_pair

SIMULATED_LOGIN = 7_100_001
SIMULATED_SERVER = "Quarterdeck-Simulated"
SIMULATED_COMPANY = "Quarterdeck simulated broker"
SEEDED_START_UTC_NS: UtcNs = 1_736_236_800 * NS_PER_S
"""Tuesday 2025-01-07 08:00 UTC, when the shipped market begins to run: London is open, New York wakes up."""
STOP_OUT_LEVEL_PCT = 50.0
MARGIN_CALL_LEVEL_PCT = 100.0
_QUOTED = ("EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "USDJPY", "USDCHF", "USDCAD", "XAUUSD")
_CRASH_LEAD_NS = 11 * H1_NS
_SAME_MARKET_DAYS = 60


def account_terms(settings: Settings, *, fixed_rates: Mapping[str, Price] | None = None) -> AccountTerms:
    """The simulated account as settings want it."""
    wanted, costs = settings.simulation, settings.costs
    return AccountTerms(
        login=settings.account.login or SIMULATED_LOGIN,
        server=settings.account.server or SIMULATED_SERVER,
        currency=wanted.currency,
        leverage=wanted.leverage,
        hedging=wanted.hedging,
        balance_money=wanted.balance_money,
        commission_per_lot_money=costs.commission_usd_per_lot_side,
        commission_currency="USD",
        stop_out_level_pct=STOP_OUT_LEVEL_PCT,
        margin_call_level_pct=MARGIN_CALL_LEVEL_PCT,
        slippage_pips=costs.slippage_pips,
        company=SIMULATED_COMPANY,
        fixed_rates=dict(fixed_rates or {}),
    )


def recorded_terminal(
    settings: Settings,
    recording: Recording,
    *,
    label: str = "recorded market",
    fixed_rates: Mapping[str, Price] | None = None,
    clock: SimulatedServerClock | None = None,
    faults: Faults | None = None,
) -> SimulatedTerminal:
    """A terminal over recorded days. Raises DataError where spreads or conversions are missing."""
    pairs = (*recording.pairs, *recording.conversions)
    symbols = tuple(pair.symbol for pair in pairs)
    specs = _specs(settings, symbols)
    market = RecordedMarket(
        specs,
        pairs,
        _costs(settings, symbols),
        from_utc_ns=recording.from_utc_ns,
        to_utc_ns=recording.to_utc_ns,
        label=label,
    )
    traded = tuple(pair.symbol for pair in recording.pairs)
    return _terminal(settings, market, specs, traded, fixed_rates, clock, faults)


def seeded_market(
    settings: Settings,
    *,
    seed: int | None = None,
    start_utc_ns: UtcNs = SEEDED_START_UTC_NS,
    end_utc_ns: UtcNs | None = None,
    tick_s: int = 15,
) -> SeededMarket:
    """The seeded market; `seed` instead of the one in settings. Raises DataError for an unknown currency.

    Its past begins so many days before the usual start as settings say, so that a later start enters the same market.
    """
    symbols = _with_conversions(settings)
    later_days = trading_day(start_utc_ns) - trading_day(SEEDED_START_UTC_NS)
    history_days = settings.simulation.history_days + (later_days if 0 < later_days <= _SAME_MARKET_DAYS else 0)
    return SeededMarket(
        _specs(settings, symbols),
        _costs(settings, symbols),
        seed=settings.simulation.seed if seed is None else seed,
        start_utc_ns=start_utc_ns,
        history_days=history_days,
        tick_s=tick_s,
        end_utc_ns=end_utc_ns,
    )


def seeded_terminal(
    settings: Settings,
    *,
    seed: int | None = None,
    start_utc_ns: UtcNs = SEEDED_START_UTC_NS,
    end_utc_ns: UtcNs | None = None,
    tick_s: int = 15,
    clock: SimulatedServerClock | None = None,
    faults: Faults | None = None,
) -> SimulatedTerminal:
    """A terminal over the seeded market (see `seeded_market`). Raises DataError for an unknown currency."""
    market = seeded_market(settings, seed=seed, start_utc_ns=start_utc_ns, end_utc_ns=end_utc_ns, tick_s=tick_s)
    return terminal_over(settings, market, clock=clock, faults=faults)


def terminal_over(
    settings: Settings, market: SeededMarket, *, clock: SimulatedServerClock | None = None, faults: Faults | None = None
) -> SimulatedTerminal:
    """A terminal over a seeded market that is made already."""
    return _terminal(settings, market, _specs(settings, market.symbols), settings.desk.pairs, None, clock, faults)


def crash_terminal(
    settings: Settings,
    *,
    seed: int | None = None,
    start_utc_ns: UtcNs = CRASH_UTC_NS - _CRASH_LEAD_NS,
    end_utc_ns: UtcNs | None = None,
    clock: SimulatedServerClock | None = None,
    faults: Faults | None = None,
) -> SimulatedTerminal:
    """A terminal over the scripted sterling crash; it begins eleven hours before. Raises DataError for an unknown currency."""
    symbols = _with_conversions(settings)
    specs = _specs(settings, symbols)
    market = crash_market(
        specs,
        _costs(settings, symbols),
        seed=settings.simulation.seed if seed is None else seed,
        start_utc_ns=start_utc_ns,
        history_days=settings.simulation.history_days,
        end_utc_ns=end_utc_ns,
    )
    return _terminal(settings, market, specs, settings.desk.pairs, None, clock, faults)


def _terminal(
    settings: Settings,
    market: MarketSource,
    specs: Sequence[Instrument],
    traded: Sequence[str],
    fixed_rates: Mapping[str, Price] | None,
    clock: SimulatedServerClock | None,
    faults: Faults | None,
) -> SimulatedTerminal:
    terms = account_terms(settings, fixed_rates=fixed_rates)
    terminal = SimulatedTerminal(market, specs, terms, clock=clock or SimulatedServerClock("new_york_plus_7"), faults=faults)
    terminal.require_conversions(traded)
    return terminal


def _with_conversions(settings: Settings) -> tuple[str, ...]:
    traded = settings.desk.pairs
    return (*traded, *conversion_pairs(traded, settings.simulation.currency, _QUOTED.__contains__))


def _specs(settings: Settings, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    return tuple(_spec(settings, symbol) for symbol in symbols)


def _spec(settings: Settings, symbol: str) -> Instrument:
    spec = instrument(symbol)
    spec = structs.replace(spec, pip=settings.pip.get(symbol, spec.pip))
    return spec if for_pair(settings, symbol).costs.swap else structs.replace(spec, swap_mode=0)


def _costs(settings: Settings, symbols: Sequence[str]) -> dict[str, CostsSection]:
    return {symbol: for_pair(settings, symbol).costs for symbol in symbols}
