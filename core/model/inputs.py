"""Everything the desk can be determined. One frozen struct a kind, an explicit tag each, one union, one envelope.

Tags and fields are never renamed, re-used or given a new meaning; a new field has a default that means "as before". Otherwise
`TAPE_VERSION` in `core.journal.tape_reader` rises, with a reader for each old one. `tests/golden` keeps one tape per release.

Order at one instant, for a shell that makes its own time: `INSTANT_ORDER`, then symbol as listed in settings.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from quarterdeck.core.model.broker_account import Account, BrokerOrder, BrokerPosition, Deal
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.market_data import Bar, Instrument, Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import Lots, Price, UtcNs


class Started(Struct, frozen=True, kw_only=True, tag="started"):
    """A run begins. `settings` is the whole validated tree as plain data."""

    run_id: str
    code_version: str
    settings: Raw
    strategy_hash: str
    seed: int
    mode: Literal["real", "demo", "paper", "replay", "simulated"]


class Restored(Struct, frozen=True, kw_only=True, tag="restored"):
    """The desk's whole state as `Desk.checkpoint()` gave it; the first input after `Started` when there is a past."""

    state: Raw


class History(Struct, frozen=True, kw_only=True, tag="history"):
    """What the desk needs of one pair's past: H1 closes for correlation and the spreads usual for each minute of the week."""

    symbol: str
    h1_open_utc_ns: tuple[int, ...] = ()
    h1_close_price: tuple[Price, ...] = ()
    usual_spread_price: tuple[Price, ...] = ()
    """One figure per quarter hour of the week from Sunday 00:00 UTC (672), 0.0 where nothing was seen; may be empty."""


class Instruments(Struct, frozen=True, kw_only=True, tag="instruments"):
    """Specifications of traded and conversion symbols, at start and whenever one changes."""

    instruments: tuple[Instrument, ...]


class ServerClockRule(Struct, frozen=True, kw_only=True, tag="server_clock_rule"):
    """The rule of the server's clock, for showing broker time; rules of trade use the zones they name."""

    rule: Literal["new_york_plus_7", "eet", "fixed"]
    offset_s: int
    confirmed: bool = True
    judgement: Literal["", "agrees", "unconfirmed", "contradicted"] = ""
    """Whether witnesses confirm this machine's clock; empty where it was not judged. The last two stop entries."""
    pc_error_s: int = 0
    """How far this machine's clock is ahead of UTC by the witnesses."""
    why: str = ""
    """The figures of the comparison."""


class AccountRead(Struct, frozen=True, kw_only=True, tag="account"):
    """The account as read; sent when anything but floating figures changed, and with each full book."""

    account: Account
    read_utc_ns: UtcNs = 0
    """When the reading began; 0 where that was not kept, and it counts as read when it arrives."""


class BrokerBook(Struct, frozen=True, kw_only=True, tag="broker_book"):
    """The broker's lists of positions and pending orders: known as of an instant, or unknown since one."""

    known: bool
    at_utc_ns: UtcNs
    positions: tuple[BrokerPosition, ...] = ()
    orders: tuple[BrokerOrder, ...] = ()
    why: str = ""


class NewDeal(Struct, frozen=True, kw_only=True, tag="new_deal"):
    """A deal of the account's history that was not reported before; realised money arrives nowhere else."""

    deal: Deal


class BarClosed(Struct, frozen=True, kw_only=True, tag="bar_closed"):
    """A candle that will not change any more, bid prices."""

    symbol: str
    timeframe: Literal["M15", "H1"]
    bar: Bar
    late: bool = False
    """Recognised so late that no entry may follow from it."""


class BarMissing(Struct, frozen=True, kw_only=True, tag="bar_missing"):
    """The time of a bar is over and the pair had no tick in it, or could not be read."""

    symbol: str
    timeframe: Literal["M15", "H1"]
    bar_open_utc_ns: UtcNs
    why: str = ""


class NewsEvent(Struct, frozen=True, kw_only=True):
    """A calendar event; only time, currency and impact count. `all_day` events have no clock time."""

    at_utc_ns: UtcNs
    currency: str
    impact: Literal["high", "medium", "low", "holiday"]
    title: str = ""
    all_day: bool = False
    tentative: bool = False


class Calendar(Struct, frozen=True, kw_only=True, tag="calendar"):
    """The calendar as known now, whole: what lies ahead and the last day; where it is not `available`, `why` says it."""

    available: bool
    events: tuple[NewsEvent, ...] = ()
    why: str = ""
    fetched_utc_ns: UtcNs = 0


class Filled(Struct, frozen=True, kw_only=True, tag="filled"):
    """Executed, wholly or in part (`lots` tells); the rest of it is not working any more."""

    order_ticket: int
    position_id: int
    deal_ticket: int
    lots: Lots
    price: Price
    bid: Price = 0.0
    ask: Price = 0.0
    latency_ms: float = 0.0
    """From the look at the market to the last answer; of it `check_ms` and `send_ms` went into checking and sending."""
    check_ms: float = 0.0
    send_ms: float = 0.0


class Accepted(Struct, frozen=True, kw_only=True, tag="accepted"):
    """Taken by the broker, no deal yet: neither success nor failure. A deal, a refusal or an absence follows."""

    order_ticket: int


class RequestDone(Struct, frozen=True, kw_only=True, tag="request_done"):
    """A modification or cancellation is done (or was so already)."""

    note: str = ""


class OrderRejected(Struct, frozen=True, kw_only=True, tag="rejected"):
    """Surely not executed. `kind` says what may happen next."""

    kind: Literal["retry", "refused", "market_closed", "frozen", "no_money", "not_found", "operator", "internal_error"]
    """retry: with fresh data at once or soon; refused: not this request; not_found: position or order no longer exists."""
    code: int
    reason: str
    retry_utc_ns: UtcNs = 0
    """Earliest sensible time, 0 where none is known."""


class NotExecuted(Struct, frozen=True, kw_only=True, tag="not_executed"):
    """Queried, and surely never executed."""

    why: str


class Unconfirmed(Struct, frozen=True, kw_only=True, tag="unconfirmed"):
    """It may or may not have been executed; the reservation stays and the desk asks (law 6)."""

    why: str


OrderOutcome = Filled | Accepted | RequestDone | OrderRejected | NotExecuted | Unconfirmed


class ExecutionReport(Struct, frozen=True, kw_only=True, tag="execution_report"):
    """What became of one effect, by the id the desk gave it. May come late, and more than once."""

    client_id: str
    order_outcome: OrderOutcome


class ConnectionState(Struct, frozen=True, kw_only=True, tag="connection_state"):
    """The connection to the broker, or to one symbol of it, went down or came back; `symbol` is empty for the whole."""

    is_connected: bool
    why: str = ""
    symbol: str = ""


class SettingsChanged(Struct, frozen=True, kw_only=True, tag="settings_changed"):
    """The whole validated tree after a change, with what changed and who asked; takes effect when the desk books it."""

    settings: Raw
    cause: str
    changes: tuple[tuple[str, str, str], ...] = ()
    """(key, old value, new value), values as written in TOML."""


class CommandReceived(Struct, frozen=True, kw_only=True, tag="command"):
    """The operator's decision, with who gave it."""

    command_id: str
    origin: str
    command: Command


class TimerFired(Struct, frozen=True, kw_only=True, tag="timer"):
    """Not earlier than the desk asked for with `Desk.wake_at`."""


class EngineFault(Struct, frozen=True, kw_only=True, tag="engine_fault"):
    """The shell's own health changed in a way that concerns trading: journal not writable, task looping, law broken before."""

    kind: Literal[
        "journal",
        "journal_damaged",
        "not_owner",
        "degraded",
        "account_changed",
        "law_broken",
        "clock",
        "terminal",
        "backlog",
    ]
    active: bool
    why: str = ""


Input = (
    Started
    | Restored
    | History
    | Instruments
    | ServerClockRule
    | AccountRead
    | BrokerBook
    | NewDeal
    | BarClosed
    | BarMissing
    | Quote
    | Signal
    | NoSignal
    | Calendar
    | ExecutionReport
    | ConnectionState
    | SettingsChanged
    | CommandReceived
    | TimerFired
    | EngineFault
)

INSTANT_ORDER: tuple[type, ...] = (
    Started,
    Restored,
    ServerClockRule,
    Instruments,
    History,
    SettingsChanged,
    EngineFault,
    ExecutionReport,
    NewDeal,
    AccountRead,
    BrokerBook,
    ConnectionState,
    Calendar,
    Quote,
    TimerFired,
    BarClosed,
    BarMissing,
    Signal,
    NoSignal,
    CommandReceived,
)


class SequencedInput(Struct, frozen=True, kw_only=True):
    """An input with its place: `seq` has no gaps and orders the tape; `at_utc_ns` is market time and never goes back."""

    seq: int
    at_utc_ns: UtcNs
    input: Input
