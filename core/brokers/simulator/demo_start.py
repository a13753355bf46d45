"""When a demo of the seeded market should begin: shortly before something happens.

Why: the market is a fair game and most quarter hours of it are dull; who opens the desk for the first time should see a signal,
a refusal and a position soon. Nothing is bent for it: the market of a seed is what it is, only the moment of entering it is
chosen.
Promises: the same settings and strategy give the same moment; where nothing suits in the days searched, the usual start.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.market_news import news_between
from quarterdeck.core.brokers.simulator.market_seeded import SeededMarket
from quarterdeck.core.brokers.simulator.simulated_server_time import new_york_week_s
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.terminal_builder import SEEDED_START_UTC_NS, seeded_market, terminal_over
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import Signal
from quarterdeck.core.model.units import DAY_NS, M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.scan.vectorized_scan import VectorizedScan
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_DAYS_SEARCHED = 12
_LEAD_NS = 40 * 60 * NS_PER_S
"""Between the start and the signal that should trade; a demo at 120 times life gets there in twenty seconds."""
_WINDOW_NS = 105 * 60 * NS_PER_S
_FIRST_HOUR, _LAST_HOUR = 3, 11
"""New York hours in which the signal may come: London and New York are at their desks, and the rollover is far."""
_NEWS_CLEAR_NS = 45 * 60 * NS_PER_S
_REWARD_ROOM = 1.08
_COST_SHARE_MAX = 0.6


class _Candidate(Struct, frozen=True):
    """A signal of the days ahead: when its bar closes, whether it would likely trade, and whether it is surely refused."""

    at_utc_ns: UtcNs
    tradable: bool
    refused: bool


def demo_terminal(settings: Settings, loaded: LoadedStrategy, faults: Faults | None = None) -> SimulatedTerminal:
    """A terminal over the seeded market, entered at the first suitable moment after the usual start.

    Suitable: soon a tradable signal, and within the window one that is refused.
    """
    market = seeded_market(settings)
    start = demo_start(settings, loaded, market)
    return terminal_over(settings, market.entered(start) if start > SEEDED_START_UTC_NS else market, faults=faults)


def demo_start(settings: Settings, loaded: LoadedStrategy, market: SeededMarket) -> UtcNs:
    """That moment in `market`, which begins at the usual start."""
    seed = settings.simulation.seed
    ahead = terminal_over(settings, market.entered(SEEDED_START_UTC_NS + _DAYS_SEARCHED * DAY_NS))
    found: list[_Candidate] = []
    for symbol in settings.desk.pairs:
        bars = ahead.market.columns(symbol, "M15")
        if bars is not None:
            columns = VectorizedScan(scan_plan_for(loaded, settings, symbol), ahead.ledger.instruments[symbol], bars)
            found.extend(_candidates(settings, columns, ahead.ledger.instruments[symbol], seed))
    found.sort(key=lambda candidate: (candidate.at_utc_ns, candidate.tradable))
    return next(_starts(found), SEEDED_START_UTC_NS)


def _starts(found: list[_Candidate]) -> Iterator[UtcNs]:
    for signal in found:
        start = signal.at_utc_ns - _LEAD_NS
        if not signal.tradable or start < SEEDED_START_UTC_NS or not _in_hours(signal.at_utc_ns):
            continue
        near = [other for other in found if start < other.at_utc_ns <= start + _WINDOW_NS]
        if any(other.refused for other in near):
            yield start


def _in_hours(at_utc_ns: UtcNs) -> bool:
    day, second = divmod(new_york_week_s(at_utc_ns), S_PER_DAY)
    return 1 <= day <= 4 and _FIRST_HOUR * S_PER_HOUR <= second < _LAST_HOUR * S_PER_HOUR


def _candidates(settings: Settings, columns: VectorizedScan, spec: Instrument, seed: int) -> Iterator[_Candidate]:
    opens = columns.m15.open_utc_ns
    for row in columns.candidate.nonzero()[0].tolist():
        closed = int(opens[row]) + M15_NS
        if closed < SEEDED_START_UTC_NS:
            continue
        answer = columns.answer(row)
        if isinstance(answer, Signal) and not answer.exit_now:
            refused = answer.confidence < for_pair(settings, spec.symbol).strategy.confidence_min
            yield _Candidate(closed, not refused and _tradable(settings, spec, answer, closed, seed), refused)


def _tradable(settings: Settings, spec: Instrument, signal: Signal, closed: UtcNs, seed: int) -> bool:
    """What the desk's first questions would say, roughly and on the careful side."""
    wanted = for_pair(settings, spec.symbol)
    cost = 2.0 * wanted.costs.spread_floor_pips * spec.pip + 2.0 * wanted.costs.commission_usd_per_lot_side / 10.0 * spec.pip
    risk = abs(signal.entry_price - signal.stop_price) + cost
    reward = abs(signal.target_price - signal.entry_price) - cost
    if reward < risk * wanted.strategy.net_reward_risk_min * _REWARD_ROOM:
        return False
    if cost > risk * wanted.risk.round_trip_cost_max_pct / 100.0 * _COST_SHARE_MAX:
        return False
    near = news_between(seed, closed - _NEWS_CLEAR_NS, closed + _NEWS_CLEAR_NS)
    return not any(event.impact == "high" and event.currency in spec.currencies for event in near)
