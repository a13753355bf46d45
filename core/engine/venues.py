"""Making a venue: the simulated market, recorded days, or a MetaTrader 5 account behind a gateway or on this machine.

Promises: a simulated, replayed or paper venue is never given credentials (C2); whatever a market cannot price is an error that
names the pair before anything starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from core.brokers.mt5.adapter import Mt5Broker
from core.brokers.mt5.inprocess import InProcess
from core.brokers.mt5.policy import policy_from
from core.brokers.mt5.servertime import ServerClock as AdapterClock
from core.brokers.simulator.instruments import instruments
from core.brokers.simulator.market import Market
from core.brokers.simulator.market_recorded import RecordedMarket
from core.brokers.simulator.records import AccountTerms
from core.brokers.simulator.servertime import ServerClock
from core.brokers.simulator.terminal import SimulatedTerminal
from core.calendar.read import read_calendar
from core.data.recording import load_recording
from core.engine.venue import Venue
from core.model.book import TradeMode
from core.model.inputs import News
from core.model.units import DAY_NS, UtcNs
from core.settings.home import Home
from core.settings.load import for_pair
from core.settings.schema import Settings

REPLAY_RUN_ID = "replay"
SIMULATED_LOGIN = 1001
SIMULATED_SERVER = "Quarterdeck-Simulated"
_STOP_OUT_PCT = 50.0
_MARGIN_CALL_PCT = 100.0
_SERVER_RULE: Literal["new_york_plus_7"] = "new_york_plus_7"


class ReplayRequest(Struct, frozen=True, kw_only=True):
    """What to replay: folders, UTC days (both inclusive), pace, and rates for pairs that the data lack."""

    folders: tuple[Path, ...]
    from_day: date | None = None
    to_day: date | None = None
    speed: float | None = None
    rates: dict[str, float] = {}
    warmup_bars: int = 0
    history_bars: int = 0


class MarketTime:
    """The clock of a terminal that makes its own time: market time, which also serves for spans."""

    def __init__(self, terminal: SimulatedTerminal) -> None:
        """Read `terminal`."""
        self._terminal = terminal

    def utc_ns(self) -> UtcNs:
        """Market now."""
        return self._terminal.now_utc_ns

    def monotonic_s(self) -> float:
        """Market seconds."""
        return self._terminal.now_utc_ns / 1e9


def base36(number: int) -> str:
    """A whole number in digits and small letters: run ids that fit an order's comment."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text or "0"


def replay_venue(settings: Settings, request: ReplayRequest, home: Home) -> Venue:
    """Recorded days as a venue. Raises DataError for data that cannot carry the run."""
    news = file_news(settings, home)
    recording = load_recording(
        request.folders,
        settings.desk.pairs,
        from_day=request.from_day,
        to_day=request.to_day,
        warmup_bars=request.warmup_bars,
        history_bars=request.history_bars,
        account_currency=settings.simulation.currency,
        fixed_rates=tuple(request.rates),
        spread_given=lambda symbol: for_pair(settings, symbol).costs.spread_pips > 0.0,
    )
    pairs = (*recording.pairs, *recording.conversions)
    specs = instruments(pair.symbol for pair in pairs)
    folders = ", ".join(folder.name for folder in request.folders)
    market = RecordedMarket(
        specs,
        pairs,
        {pair.symbol: for_pair(settings, pair.symbol).costs for pair in pairs},
        from_utc_ns=recording.from_utc_ns,
        to_utc_ns=recording.to_utc_ns,
        label=f"recorded days from {folders}",
    )
    terminal = simulated_terminal(settings, market, tuple(pair.symbol for pair in pairs), fixed_rates=request.rates)
    return Venue(
        mode="replay",
        broker=simulated_broker(settings, terminal, "replay"),
        label=market.label,
        run_id=REPLAY_RUN_ID,
        seed=settings.simulation.seed,
        terminal=terminal,
        from_utc_ns=recording.from_utc_ns,
        until_utc_ns=recording.to_utc_ns,
        speed=request.speed,
        news=None if news is None else near(news, recording.from_utc_ns, recording.to_utc_ns),
        notes=recording.notes,
        ends=True,
    )


def file_news(settings: Settings, home: Home) -> tuple[News, ...] | None:
    """Events of the calendar files that settings name, relative ones in the home; None where none is named. Raises DataError."""
    if not settings.news.files:
        return None
    events = [event for name in settings.news.files for event in read_calendar(home.root / Path(name).expanduser())]
    return tuple(sorted(dict.fromkeys(events), key=lambda event: (event.at_utc_ns, event.currency, event.title)))


def near(news: tuple[News, ...], from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[News, ...]:
    """The events of a stretch of time, with a day on either side."""
    return tuple(event for event in news if from_utc_ns - DAY_NS <= event.at_utc_ns <= to_utc_ns + DAY_NS)


def simulated_terminal(
    settings: Settings, market: Market, symbols: Sequence[str], *, fixed_rates: dict[str, float]
) -> SimulatedTerminal:
    """A terminal over `market` with the account that settings describe. Raises DataError when a pair cannot be valued."""
    simulation, costs = settings.simulation, settings.costs
    specs = instruments(symbols)
    terms = AccountTerms(
        login=SIMULATED_LOGIN,
        server=SIMULATED_SERVER,
        currency=simulation.currency,
        leverage=simulation.leverage,
        hedging=simulation.hedging,
        balance_money=simulation.balance_money,
        commission_per_lot_money=costs.commission_usd_per_lot_side,
        commission_currency="USD",
        stop_out_level_pct=_STOP_OUT_PCT,
        margin_call_level_pct=_MARGIN_CALL_PCT,
        slippage_pips=costs.slippage_pips,
        fixed_rates=fixed_rates,
    )
    if not costs.swap:
        specs = tuple(msgspec.structs.replace(spec, swap_mode=0, swap_long=0.0, swap_short=0.0) for spec in specs)
    terminal = SimulatedTerminal(market, specs, terms, clock=ServerClock(_SERVER_RULE))
    terminal.require_conversions(settings.desk.pairs)
    return terminal


def simulated_broker(settings: Settings, terminal: SimulatedTerminal, mode: TradeMode) -> Mt5Broker:
    """The adapter over a simulated terminal in this process; it never suspends."""
    transport = InProcess(terminal.module, changes=lambda: terminal.trades_changed_counter)
    policy = policy_from(settings, mode=mode)
    return Mt5Broker(transport, policy, MarketTime(terminal), sleep=_no_wait, server_clock=AdapterClock(_SERVER_RULE))


async def _no_wait(_seconds: float) -> None:
    """A terminal in this process that makes its own time has nothing to wait for."""
