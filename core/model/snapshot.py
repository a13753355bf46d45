"""What a screen is fed: the desk as it stands (`DeskView`), the machine around it (`EngineHealth`), both in one `Snapshot`.

Replicas only: nothing here decides anything. Money in account currency, shares as fractions, instants UTC. A figure that is not
known is None, never zero.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.broker_account import Account, TradeMode
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

DisplayState = Literal["STARTING", "ACTIVE", "REDUCE_ONLY", "HALTED"]


class ReasonView(Struct, frozen=True, kw_only=True):
    """One reason of the trading state: since when, and the way back."""

    code: str
    state: Literal["REDUCE_ONLY", "HALTED"]
    since_utc_ns: UtcNs
    text: str
    clears_when: str


class PairView(Struct, frozen=True, kw_only=True):
    """One traded pair."""

    symbol: str
    digits: int
    pip: Price
    bid: Price | None = None
    ask: Price | None = None
    quote_utc_ns: UtcNs = 0
    session_open: bool = True
    stale: bool = False
    spread_pips: float | None = None
    typical_spread_pips: float | None = None
    atr_pips: float | None = None
    atr_percentile_pct: float | None = None
    regime: str = "unknown"
    h1_trend: str = "unknown"
    m15_state: str = ""
    last_bar_utc_ns: UtcNs = 0
    verdict: str = ""
    """Outcome and reason of the last bar in short words, e.g. `refused: spread`."""
    entries_blocked: str = ""
    """Why this pair alone takes no entries; empty when it does."""


class SignalView(Struct, frozen=True, kw_only=True):
    """One candidate and what became of it, newest first in lists."""

    symbol: str
    bar_open_utc_ns: UtcNs
    decided_utc_ns: UtcNs
    side: Side
    confidence: float
    outcome: Literal["entered", "refused", "waiting"]
    reason: str
    text: str
    checks: tuple[Check, ...] = ()


class PositionView(Struct, frozen=True, kw_only=True):
    """One open position, ours or not."""

    position_id: int
    ticket: int
    symbol: str
    side: Side
    ours: bool
    lots: Lots
    open_price: Price
    current_price: Price | None
    stop_price: Price | None
    target_price: Price | None
    opened_utc_ns: UtcNs
    pips: float | None
    profit_money: Money | None
    result_r: float | None
    stop_distance_pips: float | None
    open_risk_money: Money | None
    peak_money: Money
    closing: bool
    next_action: str
    """What position management will do next, in words: `trail from 0.5R`, `time exit 14:30`."""
    closable: bool = True
    blocked: str = ""
    """Why it cannot be closed now, with the earliest time; empty when it can."""
    spread_cost_money: Money | None = None
    """What the spread takes when it is closed now; already inside `profit_money`."""
    margin_money: Money | None = None
    """Margin that closing it sets free."""


class OrderView(Struct, frozen=True, kw_only=True):
    """An order in flight unconfirmed or."""

    client_id: str
    symbol: str
    what: Literal["open", "modify", "close", "cancel"]
    side: Side | None
    lots: Lots
    sent_utc_ns: UtcNs
    order_status: Literal["in_flight", "accepted", "unknown"]


class LimitView(Struct, frozen=True, kw_only=True):
    """A cap or breaker: where it stands, where it trips, and how it comes back."""

    name: str
    value: float | None
    limit: float
    unit: str
    tripped: bool = False
    since_utc_ns: UtcNs = 0
    resets_when: str = ""


class CurrencyView(Struct, frozen=True, kw_only=True):
    """Net exposure of one currency leg, as multiple of equity."""

    currency: str
    net_x_equity: float


class RiskView(Struct, frozen=True, kw_only=True):
    """The risk budget."""

    open_money: Money | None
    reserved_money: Money
    cap_money: Money | None
    correlated_risk_fraction: float | None
    correlated_risk_cap_fraction: float
    gap_risk_money: Money | None
    gap_risk_cap_money: Money | None
    weekend_gap_risk_money: Money | None = None
    """The same with the weekend's gap behind each stop: no gap of that size costs more, however near the stops are."""
    limits: tuple[LimitView, ...] = ()
    currencies: tuple[CurrencyView, ...] = ()
    kelly: str = ""


class FlattenView(Struct, frozen=True, kw_only=True):
    """A flatten under way or just done."""

    scope: Literal["ours", "account"]
    since_utc_ns: UtcNs
    done: bool
    text: str
    left_open: tuple[str, ...] = ()


class DeskView(Struct, frozen=True, kw_only=True):
    """The desk at one instant of market time."""

    at_utc_ns: UtcNs
    seq: int
    mode: TradeMode
    account: Account | None
    state: DisplayState
    reasons: tuple[ReasonView, ...]
    equity_money: Money | None
    balance_money: Money | None
    day_result_money: Money | None
    """What the day brought in money, transfers and income aside; adds up over days."""
    day_base_money: Money | None
    day_limit_money: Money | None
    day_loss_money: Money | None = None
    """As the daily loss limit counts it, from `day_base_money`; negative is a gain."""
    """Loss of the day at which the breaker trips, positive."""
    drawdown_fraction: float | None
    pairs: tuple[PairView, ...]
    signals: tuple[SignalView, ...]
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    risk: RiskView
    positions_without_stop: int
    unconfirmed_orders: int
    positions_match: bool | None
    """Desk and broker hold the same; None while the broker's book is unknown."""
    oldest_quote_utc_ns: UtcNs
    next_news: NewsEvent | None
    calendar_available: bool
    next_bar_utc_ns: UtcNs
    trades_today: int
    entries_today: int
    flatten: FlattenView | None = None
    pending_orders_ours: int = 0
    external_count: int = 0
    server_offset_s: int = 0
    clock_text: str = ""
    """How this machine's clock compares with the broker's; empty where it was not compared."""

    @property
    def peak_money(self) -> Money | None:
        """The equity that the drawdown is counted from; None while equity is not known."""
        if self.equity_money is None or self.drawdown_fraction is None or self.drawdown_fraction >= 1.0:
            return None
        return self.equity_money / (1.0 - self.drawdown_fraction)


class PartView(Struct, frozen=True, kw_only=True):
    """A part of the engine: whether it did its work recently, and how long ago."""

    name: str
    ok: bool
    age_s: float | None = None
    """Seconds since it did its work last; None where that is not known, or it has none to do."""
    text: str = ""
    """What is wrong, or why it has nothing to do."""


class AlarmView(Struct, frozen=True, kw_only=True):
    """Something that is wrong, for how long, and whether someone has seen it."""

    kind: str
    text: str
    age_s: float
    acknowledged: bool = False


class EngineHealth(Struct, frozen=True, kw_only=True):
    """The machine around the desk."""

    run_id: str
    pid: int
    started_utc_ns: UtcNs
    wall_utc_ns: UtcNs
    ready: bool
    connection_up: bool
    connection_reason: str = ""
    broker_round_trip_ms: float | None = None
    journal_lag_ms: float = 0.0
    journal_writable: bool = True
    tape_seq: int = 0
    tape_bytes_day: int = 0
    loop_lag_ms: float = 0.0
    errors: tuple[tuple[str, int], ...] = ()
    replay_fraction: float | None = None
    """How far a replay has come, 0..1; None when it is no replay."""
    replay_speed: float | None = None
    """Times life; 0 is paused; None is as fast as it goes or no replay."""
    bars_per_s: float | None = None
    home: str = ""
    market: str = ""
    """What is traded on, for people: which account, which recorded days, which made-up market."""
    scanning: str = ""
    """Which machines scan, or why none does; empty where this machine was asked to scan."""
    scanning_up: bool = True
    """False while machines should scan and none answers."""
    calendar_why: str = ""
    """Why news rules of a live desk have no calendar for the next 24 h of open market; empty where they have, or are off."""
    history_why: str = ""
    """Which bars of the warm-up the broker has not, by pair: those pairs take no entries; empty where none are missing."""
    news_off: bool = False
    """No release closes entries in any pair, by the operator's own setting."""
    parts: tuple[PartView, ...] = ()
    alarms: tuple[AlarmView, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True, tag="snapshot"):
    """What goes to every screen, conflated: only the newest counts."""

    number: int
    desk: DeskView
    engine: EngineHealth


class LogLine(Struct, frozen=True, kw_only=True, tag="log"):
    """A line of the log as screens show it."""

    at_utc_ns: UtcNs
    level: Literal["debug", "info", "warning", "error", "critical"]
    kind: str
    text: str
    symbol: str = ""
    ticket: int = 0
    resolved: bool = False
    """It says that something is over."""
