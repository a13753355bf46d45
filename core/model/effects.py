"""Everything the desk can answer. An effect holds all that is needed to perform it and all that is needed to compare it.

Ids come from run and sequence, never from chance or the clock: `{run_id}-{n}` at most 16 ASCII characters, so that an order's
comment can carry it. What a human should read later is an effect as well (`JournalEvent`, `Alert`); the desk has no logger.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs


class Submit(Struct, frozen=True, kw_only=True, tag="submit"):
    """Open a position at the market with its stop and target in the same request. Only the gate makes `reservation_id`.

    Prices are executable. `quoted_price` is what the desk saw; `deviation_points` bounds the fill on instant execution.
    """

    client_id: str
    reservation_id: str
    signal_id: str
    symbol: str
    side: Side
    lots: Lots
    quoted_price: Price
    stop_price: Price
    target_price: Price | None
    deviation_points: int
    risk_money: Money
    adds_to_position_id: int = 0


class Modify(Struct, frozen=True, kw_only=True, tag="modify"):
    """Set stop and target of a position; both are always sent whole."""

    client_id: str
    position_id: int
    ticket: int
    symbol: str
    stop_price: Price | None
    target_price: Price | None
    why: str


CloseReason = Literal[
    "flatten",
    "command",
    "age",
    "weekend",
    "give_back",
    "strategy",
    "breaker",
    "no_stop",
    "shutdown",
    "reverse",
    "trim",
    "funded_rule",
]


class Close(Struct, frozen=True, kw_only=True, tag="close"):
    """Close a position, or `lots` of it, at the market, pinned to its ticket. `side` is the position's own."""

    client_id: str
    position_id: int
    ticket: int
    symbol: str
    side: Side
    lots: Lots
    quoted_price: Price
    deviation_points: int
    why: CloseReason
    urgent: bool = False


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Remove a pending order."""

    client_id: str
    order_ticket: int
    symbol: str


class QueryBook(Struct, frozen=True, kw_only=True, tag="query_book"):
    """Read positions, orders, account and new deals again; answered by `Book` (known or not), `AccountRead` and `NewDeal`."""

    why: str


class QueryOrder(Struct, frozen=True, kw_only=True, tag="query_order"):
    """Find out what became of an order; answered by a `Report` for `client_id`."""

    client_id: str
    symbol: str
    side: Side
    lots: Lots
    sent_utc_ns: UtcNs
    position_id: int = 0
    """The position it was to close or change; 0 for an entry."""


AlertKind = Literal[
    "fill",
    "close",
    "breaker",
    "state",
    "unknown_fate",
    "connection",
    "risk",
    "flatten",
    "crash",
    "summary",
    "error",
    "calendar",
    "money",
]


class Alert(Struct, frozen=True, kw_only=True, tag="alert"):
    """Something the operator wants to learn wherever he is."""

    kind: AlertKind
    level: Literal["info", "warning", "critical"]
    """Who gets it and when: the end of something is sent at the level of its beginning, so that it reaches the same people."""
    text: str
    symbol: str = ""
    ticket: int = 0
    resolved: bool = False
    """It says that something is over; shown as that, whatever the level."""


class Verdict(Struct, frozen=True, kw_only=True, tag="verdict"):
    """The "why not?" ledger: what the desk made of one pair's closed bar, with every number and threshold.

    `outcome` is `entered`, `refused`, `waiting` (a passing condition; judged again) or `none` (the strategy found nothing).
    """

    symbol: str
    bar_open_utc_ns: UtcNs
    strategy: str
    outcome: Literal["entered", "refused", "waiting", "none"]
    reason: str
    """Machine word of what decided, e.g. `spread`, `confidence`, `budget`; counted by reason. Empty when entered."""
    side: Side | None = None
    checks: tuple[Check, ...] = ()
    lots: Lots = 0.0
    risk_money: Money = 0.0
    client_id: str = ""


class StateChanged(Struct, frozen=True, kw_only=True, tag="state"):
    """The trading state or its set of reasons changed."""

    state: Literal["ACTIVE", "REDUCE_ONLY", "HALTED"]
    reasons: tuple[str, ...]
    text: str = ""


class ReservationReleased(Struct, frozen=True, kw_only=True, tag="reservation_released"):
    """A reservation ended, by a proven outcome or by the operator's decision."""

    reservation_id: str
    client_id: str
    release_cause: str


class OrderSettled(Struct, frozen=True, kw_only=True, tag="order_settled"):
    """An order that was unconfirmed is settled: by its report, a deal, the broker's book or the operator's decision."""

    client_id: str


class PositionOpened(Struct, frozen=True, kw_only=True, tag="position_opened"):
    """A position of ours stands, with its stop; `risk_money` is what the fill puts at risk, `asked_risk_money` what was asked."""

    position_id: int
    client_id: str
    signal_id: str
    symbol: str
    side: Side
    lots: Lots
    open_price: Price
    quoted_price: Price
    stop_price: Price
    target_price: Price | None
    risk_money: Money
    asked_risk_money: Money
    spread_price: Price
    confidence: float
    latency_ms: float = 0.0


class PartialClose(Struct, frozen=True, kw_only=True, tag="partial_close"):
    """Some lots of a position left."""

    position_id: int
    symbol: str
    lots: Lots
    price: Price
    reason: str
    profit_money: Money


class TradeClosed(Struct, frozen=True, kw_only=True, tag="trade_closed"):
    """A position from first to last deal, partials together, net of commission, fee and swap."""

    position_id: int
    symbol: str
    side: Side
    lots: Lots
    opened_utc_ns: UtcNs
    closed_utc_ns: UtcNs
    open_price: Price
    close_price: Price
    """Volume-weighted over all closing deals."""
    stop_price: Price | None
    reason: str
    """`stop`, `target`, `trail`, `break_even`, `give_back`, `age`, `weekend`, `hand`, `stop_out`, `flatten`, `end`, ..."""
    rule: str
    gross_money: Money
    commission_money: Money
    swap_money: Money
    net_money: Money
    risk_money: Money
    result_r: float
    peak_money: Money
    worst_money: Money
    signal_id: str
    confidence: float
    ambiguous: bool = False
    risk_asked: bool = False
    """R is measured against the risk asked, because it was filled beyond its stop."""


class SettingApplied(Struct, frozen=True, kw_only=True, tag="setting_applied"):
    """A parameter has its new value from here on."""

    key: str
    old: str
    new: str
    cause: str


class CommandDone(Struct, frozen=True, kw_only=True, tag="command_done"):
    """A command was carried out or refused; the link answers its sender with this."""

    command_id: str
    ok: bool
    text: str


class LogEvent(Struct, frozen=True, kw_only=True, tag="log_event"):
    """Anything else worth a line in journal and log, by a countable kind."""

    kind: str
    text: str
    symbol: str = ""
    ticket: int = 0
    level: Literal["debug", "info", "warning", "error"] = "info"


class EquityMarked(Struct, frozen=True, kw_only=True, tag="equity"):
    """Equity at an instant worth keeping: each closed bar while anything is open, each trade, each day."""

    equity_money: Money
    balance_money: Money
    open_risk_money: Money
    day_result_money: Money
    """As the day's loss limit counts it: from the greater of balance and equity at the day's start."""
    drawdown_fraction: float
    result_money: Money | None = None
    """The day's result in money, transfers and income aside; adds up over days. None on tapes that did not tell it."""


class MoneyMoved(Struct, frozen=True, kw_only=True, tag="money_moved"):
    """Money came or went without a trade: what it counts as, and what equity was before and after it.

    A transfer or a change of credit is no result; `income` is shown apart and lessens no loss; `result` counts as any loss does.
    """

    kind: Literal["transfer", "credit", "income", "result"]
    money: Money
    equity_before_money: Money
    equity_after_money: Money
    at_utc_ns: UtcNs
    """When the desk booked it."""
    deal_ticket: int = 0
    """0 where no deal tells of it."""
    text: str = ""


class EndRun(Struct, frozen=True, kw_only=True, tag="end_run"):
    """The desk is done (flattened, or asked to keep): the shell may end the run."""

    why: str
    clean: bool


BrokerRequest = Submit | Modify | Close | Cancel | QueryBook | QueryOrder
"""Effects that the broker's side performs."""
JournalEvent = (
    Alert
    | Verdict
    | StateChanged
    | ReservationReleased
    | PositionOpened
    | PartialClose
    | TradeClosed
    | SettingApplied
    | CommandDone
    | LogEvent
    | EquityMarked
    | MoneyMoved
    | EndRun
)
"""Effects for the journal, the log, the link and people."""
Effect = (
    Submit
    | Modify
    | Close
    | Cancel
    | QueryBook
    | QueryOrder
    | Alert
    | Verdict
    | StateChanged
    | ReservationReleased
    | OrderSettled
    | PositionOpened
    | PartialClose
    | TradeClosed
    | SettingApplied
    | CommandDone
    | LogEvent
    | EquityMarked
    | MoneyMoved
    | EndRun
)
