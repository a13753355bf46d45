"""All that the desk knows between two inputs: one tree of structs, so that a checkpoint is its encoding.

Promises: plain numbers, texts, lists and dicts with insertion order; nothing here refers to settings (they come with `Started`).
Does not: decide. Bounds of every list and dict are in `core.desk.memory_limits`.
Units: money in account currency, prices in quote currency, instants UTC ns of market time.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from quarterdeck.core.filters.news_window import NewsSchedule
from quarterdeck.core.model.broker_account import Account, BrokerOrder, BrokerPosition, TradeMode
from quarterdeck.core.model.effects import CloseReason
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.signals import Check, Features, Signal
from quarterdeck.core.model.tape_v1 import current_checkpoint
from quarterdeck.core.model.units import Lots, Money, Price, PriceDistance, UtcNs
from quarterdeck.core.risk.balance import BalanceState
from quarterdeck.core.risk.breakers import BreakerState
from quarterdeck.core.risk.commission import LearnedCommission, RoundTrip
from quarterdeck.core.risk.prop_firm import PropFirmState


class StateReason(Struct, kw_only=True):
    """Why the desk does less than it could: since when, and the way back."""

    code: str
    state: Literal["REDUCE_ONLY", "HALTED"]
    since_utc_ns: UtcNs
    text: str
    clears_when: str
    told: Literal["", "info", "warning", "critical"] = ""
    """The level of the alert about its beginning, and of that about its end; empty: no alert about the end."""


class PairState(Struct, kw_only=True):
    """One traded pair as the desk saw it."""

    symbol: str
    h1_open_utc_ns: list[int] = []
    h1_close_price: list[float] = []
    """Closes by hour, the last one possibly of an hour that is not over."""
    typical_spread_price: list[float] = []
    """One figure per quarter hour of the week from Sunday 00:00 UTC; empty where nothing is known."""
    features: Features = Features()
    features_bar_utc_ns: UtcNs = 0
    last_bar_utc_ns: UtcNs = 0
    gap_bar_utc_ns: UtcNs = 0
    """The newest bar whose predecessor is missing although the market was open."""
    late_bar_utc_ns: UtcNs = 0
    seen_spread_utc_ns: UtcNs = 0
    seen_spread_price: PriceDistance = 0.0
    """Seen at the last bar close; learned from at the next, so that nothing is judged by itself."""
    judged_bar_utc_ns: UtcNs = 0
    outcome: str = ""
    reason: str = ""
    block_reasons: dict[str, StateReason] = {}
    round_trips: list[RoundTrip] = []
    """The newest settled trades, with what they paid."""
    learned_commission: LearnedCommission | None = None
    """As they showed it, where that is not what settings assume."""
    missed_range_price: PriceDistance = 0.0
    """High less low of the last bar that closed while the desk was off."""
    tick_value_expected_money: Money | None = None
    """Our own figure for the broker's tick value of a loss, from the quotes of the moment it was read."""


class EntryTerms(Struct, kw_only=True):
    """What an opening order was sent with; kept until its outcome is proven and then with its position."""

    signal_id: str
    strategy: str
    bar_open_utc_ns: UtcNs
    quoted_price: Price
    stop_price: Price
    target_price: Price | None
    risk_money: Money
    spread_price: PriceDistance
    confidence: float
    adds_to_position_id: int = 0


class OrderInFlight(Struct, kw_only=True):
    """A request that left and whose outcome is not proven."""

    client_id: str
    kind: Literal["open", "modify", "close", "cancel"]
    symbol: str
    side: Side | None
    lots: Lots
    sent_utc_ns: UtcNs
    position_id: int = 0
    order_ticket: int = 0
    order_status: Literal["in_flight", "accepted", "unknown"] = "in_flight"
    unknown_since_utc_ns: UtcNs = 0
    query_utc_ns: UtcNs = 0
    alert_utc_ns: UtcNs = 0
    entry: EntryTerms | None = None
    stop_price: Price | None = None
    target_price: Price | None = None
    why: str = ""
    filled_lots: Lots = 0.0


class Reservation(Struct, kw_only=True):
    """Risk, margin and one place in each count, taken before an order leaves and kept until its outcome is proven."""

    reservation_id: str
    client_id: str
    symbol: str
    side: Side
    lots: Lots
    entry_price: Price
    stop_price: Price
    risk_money: Money
    margin_money: Money
    made_utc_ns: UtcNs
    adds: bool = False


class ManagedPosition(Struct, kw_only=True):
    """A position of ours. It always has the stop that should stand; law 7."""

    position_id: int
    ticket: int
    client_id: str
    symbol: str
    side: Side
    lots: Lots
    opened_lots: Lots
    open_price: Price
    stop_price: Price
    target_price: Price | None
    opened_utc_ns: UtcNs
    changed_utc_ns: UtcNs
    """When the desk last booked a change of volume; an older book cannot contradict it."""
    entry: EntryTerms
    first_stop_price: Price
    risk_money: Money
    """What the fill put at risk: the R of this trade."""
    equity_money: Money
    """Equity when it was opened."""
    asked_risk_money: Money = 0.0
    """The share of the asked risk that the volume filled stands for."""
    risk_asked: bool = False
    """It was filled beyond its stop, so that its R is measured against the risk asked."""
    fill_judged: bool = False
    group_id: int
    latency_ms: float = 0.0
    first_volume_lots: Lots = 0.0
    swap_money: Money = 0.0
    floating_money: Money | None = None
    """Price result of the open volume by our own quotes; None while a rate is missing."""
    net_money: Money | None = None
    """Floating, swap and the opening commission of what is open, less the cost to close."""
    round_trip_money: Money = 0.0
    """Spread at entry and both commissions, of the volume first filled."""
    quoted_utc_ns: UtcNs = 0
    quoted_before_utc_ns: UtcNs = 0
    """The last two instants at which a quote reported what it is worth."""
    peak_price: Price = 0.0
    """Best price at which it could have been closed; 0 while none was seen."""
    peak_money: Money = 0.0
    """Best `net_money` seen; after a partial close that of the rest."""
    best_money: Money = 0.0
    """Best result of the whole trade with what was realised before; for excursions."""
    worst_money: Money = 0.0
    retrace_done: bool = False
    stop_state: Literal["first", "break_even", "trail", "manual"] = "first"
    stop_seen: bool = False
    """The broker's book showed our stop at least once."""
    stop_missing: bool = False
    """The broker's book shows no stop although it once did; set again, and no entries until it stands."""
    modify_id: str = ""
    modify_utc_ns: UtcNs = 0
    adds: int = 0
    partly_closed: bool = False
    shut_told: bool = False
    """The operator knows that it was to be closed while its market is closed."""
    pending_exit: CloseReason | None = None
    """Care fell due and waits for a fresh quote, the end of rollover, or an open market."""
    volume_mismatches: int = 0
    wish_stop_price: Price | None = None
    wish_loss_money: Money | None = None
    """Stop and loss at the stop when the wish was made; a rollover is waited out only while they have not grown."""
    exit_why: str = ""
    """Why we last asked for it to be closed."""
    book_opened_early_lots: Lots = 0.0
    """Volume that the broker's book showed before the deals that opened it were seen."""
    book_closed_early_lots: Lots = 0.0
    """Volume that the broker's book took away before the deal that explains it was seen."""
    left_lots: Lots = 0.0
    """Volume that is closed while its closing deals are still to come."""
    left_money: Money = 0.0
    """What that volume was worth when it was seen last."""
    left_slippage_money: Money = 0.0
    """How much less it may have brought."""
    day_money: Money = 0.0
    """What it was worth when the day began."""
    requests_from_utc_ns: UtcNs = 0
    requests_minute: int = 0
    """Requests for it since that instant, of a minute at most."""
    modify_refused: int = 0
    """How often in a row a modification was refused."""
    stop_missing_utc_ns: UtcNs = 0
    """Since when the broker's book shows no stop."""
    left_read: bool = False
    """A balance was read since it is closed."""
    opened_deal_lots: Lots = 0.0
    """Volume whose opening deals were seen."""
    closed_deal_lots: Lots = 0.0
    """Volume whose closing deals were seen."""
    reads_without_deals: int = 0
    """How often the book was read since it is closed, while deals are still missing."""
    gross_money: Money = 0.0
    commission_money: Money = 0.0
    open_commission_money: Money = 0.0
    deals: int = 0
    """Deals of it that were booked."""
    swap_realised_money: Money = 0.0
    close_value: float = 0.0
    """Sum of lots times price over all closing deals."""
    closed_utc_ns: UtcNs = 0
    close_reason: str = ""
    close_rule: str = ""
    ambiguous: bool = False
    adopted: bool = False


class GroupProfitPeak(Struct, kw_only=True):
    """What positions that were added to each other brought together."""

    peak_money: Money = 0.0
    retrace_done: bool = False


class ExternalPosition(Struct, kw_only=True):
    """A position that does not carry our magic number: counted, shown, and left alone."""

    at_broker: BrokerPosition
    floating_money: Money | None = None
    acknowledged: bool = False
    read_utc_ns: UtcNs = 0
    """When the book that shows it so was read."""
    changed_utc_ns: UtcNs = 0
    """When a deal closed a part of it last."""
    day_money: Money = 0.0
    """What it was worth when the day began."""


class LeftVolume(Struct, kw_only=True):
    """Volume of an external position that the book lacks while its closing deal is still to come."""

    lots: Lots = 0.0
    money: Money = 0.0
    """What it was worth when it was seen last."""
    slippage_money: Money = 0.0
    """How much less it may have brought."""
    day_money: Money = 0.0
    """What it was worth when the day began."""
    is_read: bool = False
    """A balance was read since."""
    since_utc_ns: UtcNs = 0


class PendingClose(Struct, kw_only=True):
    """A position on its way out. Each has its own retries; none waits for another's."""

    position_id: int
    ticket: int
    symbol: str
    side: Side
    lots: Lots
    """What is still to be closed."""
    why: CloseReason
    urgent: bool
    whole: bool
    since_utc_ns: UtcNs
    client_id: str = ""
    """The request in flight; empty when none is."""
    next_try_utc_ns: UtcNs = 0
    tries: int = 0
    blocked: str = ""
    """Why it cannot be closed now; empty when nothing is in the way."""
    market_closed: bool = False
    open_seen_utc_ns: UtcNs = 0
    needs_book_read: bool = False
    """An earlier request's outcome is unknown: nothing leaves before the position was read again."""
    book_wanted_utc_ns: UtcNs = 0
    """Since when; a reading that was begun before it says nothing."""


class FlattenState(Struct, kw_only=True):
    """A flatten under way, or the last one."""

    scope: Literal["ours", "account"]
    why: CloseReason
    since_utc_ns: UtcNs
    halt: bool
    """Ends in HALTED until resumed."""
    command_ids: list[str] = []
    empty_books: int = 0
    done: bool = False
    answered: bool = False
    done_utc_ns: UtcNs = 0
    text: str = ""
    left_open: list[str] = []
    closes_sent: int = 0


class SettledRequest(Struct, kw_only=True):
    """A request with a proven outcome, and the position it made or touched (0: none)."""

    kind: Literal["open", "modify", "close", "cancel"]
    position_id: int
    symbol: str = ""
    side: Side | None = None
    lots: Lots = 0.0
    stop_price: Price | None = None
    """What it was sent for, should a fill arrive after all; empty in states of older versions."""


class PendingSignal(Struct, kw_only=True):
    """A signal on its way through the round, or waiting for a passing condition."""

    signal: Signal
    arrived_utc_ns: UtcNs
    tries: int = 0
    waiting_reason: str = ""
    checks: tuple[Check, ...] = ()
    after_close_of: int = 0
    """Judged only once this position is closed (close and reverse)."""


class SignalRound(Struct, kw_only=True):
    """The candidates of one bar close."""

    bar_open_utc_ns: UtcNs = 0
    deadline_utc_ns: UtcNs = 0
    reported: dict[str, bool] = {}
    candidates: list[PendingSignal] = []
    judged: bool = True


class SignalDecision(Struct, kw_only=True):
    """A candidate and what became of it, for the screen."""

    symbol: str
    bar_open_utc_ns: UtcNs
    decided_utc_ns: UtcNs
    side: Side
    confidence: float
    outcome: Literal["entered", "refused", "waiting"]
    reason: str
    text: str
    checks: tuple[Check, ...]


class FillTally(Struct, kw_only=True):
    """Volume of one order as reported, and as its deals added up; the position moves by the greater."""

    reported_lots: Lots = 0.0
    dealt_lots: Lots = 0.0


class SuspectQuote(Struct, kw_only=True):
    """A quote out of proportion, and the one before it; the pair's next quote decides."""

    before: Quote
    bid: Price
    ask: Price
    since_utc_ns: UtcNs


class ShutdownRequest(Struct, kw_only=True):
    """The run is to end."""

    policy: Literal["flatten", "keep"]
    why: str
    since_utc_ns: UtcNs
    command_id: str
    ended: bool = False


class DeskState(Struct, kw_only=True):
    """The tree."""

    seq: int = 0
    at_utc_ns: UtcNs = 0
    run_id: str = ""
    mode: TradeMode = "simulated"
    started: bool = False
    started_utc_ns: UtcNs = 0
    """When this run began; 0 on a tape of before it was kept."""
    next_number: int = 1
    account: Account | None = None
    balance_money: Money = 0.0
    """As its deals explain it; `balance` has the rest."""
    balance_read_utc_ns: UtcNs = 0
    """Deals older than this are part of the first balance read."""
    balance_ahead_money: Money = 0.0
    """Of checkpoints from before `balance`: money that `balance_money` held while its deals were still to be seen."""
    balance: BalanceState = BalanceState()
    deal_money: dict[int, float] = {}
    """What the newest deals brought, by ticket; a broker may change one later."""
    credit_ahead_money: Money = 0.0
    """Change of credit that the account as read showed before its deal came."""
    results_without_trade: dict[int, float] = {}
    """Deals that are no trades and count as results, newest last; the operator may call one a transfer."""
    results_dated_utc_ns: dict[int, UtcNs] = {}
    """When those deals were, by ticket; one that is missing counts as of the day that runs."""
    unclear_withdrawals: dict[int, float] = {}
    """Withdrawals from a funded account, by ticket, of which nobody has said yet whether they are payouts."""
    equity_money: Money | None = None
    margin_read: bool = False
    """The account's margin was read after the last deal."""
    traded_utc_ns: UtcNs = 0
    """When the newest deal or fill was made."""
    margin_gap_day_utc_ns: UtcNs = 0
    """End of the day in which a difference between the broker's margin and ours was last reported."""
    instruments: dict[str, Instrument] = {}
    quotes: dict[str, Quote] = {}
    pairs: dict[str, PairState] = {}
    broker_offset_s: int = 0
    clock_text: str = ""
    """How this machine's clock compares with the broker's."""
    reasons: dict[str, StateReason] = {}
    positions: dict[int, ManagedPosition] = {}
    groups: dict[int, GroupProfitPeak] = {}
    """Peaks of pyramided positions, by their first one."""
    external_positions: dict[int, ExternalPosition] = {}
    external_left: dict[int, LeftVolume] = {}
    """By position; the newest last."""
    pending: dict[int, BrokerOrder] = {}
    orders: dict[str, OrderInFlight] = {}
    reservations: dict[str, Reservation] = {}
    closes: dict[int, PendingClose] = {}
    early_deal_costs: dict[int, float] = {}
    """Costs of opening deals whose position is not known yet."""
    early_deal_lots: dict[int, Lots] = {}
    """Volume of the same deals."""
    recently_closed: dict[int, int] = {}
    """Positions that are closed, with when; an older book may still list them."""
    settled: dict[str, SettledRequest] = {}
    """Requests with a proven outcome, newest last."""
    deals: dict[int, int] = {}
    """Deals booked, newest last, with their position."""
    fills: dict[int, FillTally] = {}
    traded_signals: dict[str, str] = {}
    """Signals that became an order, with its client id."""
    book_known: bool | None = None
    """None before the first book."""
    book_at_utc_ns: UtcNs = 0
    book_asked_utc_ns: UtcNs = 0
    book_query_instant_ns: UtcNs = 0
    book_queries_at_instant: int = 0
    """How often the book was asked for at this very instant."""
    book_retry_utc_ns: UtcNs = 0
    """When to ask again, because the last answer was unknown or did not agree; 0 when nothing is wanted."""
    round: SignalRound = msgspec.field(default_factory=SignalRound)
    waiting: list[PendingSignal] = []
    sent: list[PendingSignal] = []
    """The newest candidates that became an order, in case the broker wants them sent again."""
    reevaluate_utc_ns: UtcNs = 0
    signals: list[SignalDecision] = []
    breakers: BreakerState = msgspec.field(default_factory=BreakerState)
    prop_firm: PropFirmState = msgspec.field(default_factory=PropFirmState)
    day_end_utc_ns: UtcNs = 0
    prop_firm_day_end_utc_ns: UtcNs = 0
    """End of the funded account's own day; 0 where it is that of the account."""
    trades_today: int = 0
    strategy: str = ""
    """Name of the strategy that the results belong to."""
    results_r: list[float] = []
    calendar_received: bool = False
    news: NewsSchedule = NewsSchedule()
    flatten: FlattenState | None = None
    stop: ShutdownRequest | None = None
    marked_bar_utc_ns: UtcNs = 0
    requests_today: int = 0
    """Requests that change something at the broker, since the day began."""
    prop_firm_requests_today: int = 0
    """The same since the funded account's own day began."""
    suspects: dict[str, SuspectQuote] = {}
    silent: dict[str, int] = {}
    """Symbols whose quotes have fallen silent in their trading hours, with when that was reported."""
    acknowledged: dict[str, bool] = {}
    engine_faults: dict[str, bool] = {}
    """What the shell reported of itself and has not taken back."""
    kelly_note: str = ""
    kelly_negative: bool = False


def encoded(state: DeskState) -> bytes:
    """The checkpoint."""
    return msgspec.msgpack.encode(state)


def decoded(data: bytes) -> DeskState:
    """A state from its checkpoint. Raises msgspec.ValidationError when it is none."""
    if msgspec.msgpack.decode(data, type=_Version1).gone:
        state = current_checkpoint(msgspec.msgpack.decode(data, strict=False))
        return msgspec.convert(state, type=DeskState, strict=False)
    return msgspec.msgpack.decode(data, type=DeskState)


class _Version1(Struct):
    """What tells a checkpoint of tape version 1: a field that version 2 calls `recently_closed`."""

    gone: Raw = Raw(b"")
