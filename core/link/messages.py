"""What travels over the link. Tagged structs in MessagePack; one union each way.

Promises: snapshots are complete and conflated, so a lost one costs nothing; every order and question carries an id and is
answered once.
Does not: carry code, or anything that a client could make the engine evaluate.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from quarterdeck.core.link.trade_queries import AccountReport, AccountReportQuery, TimelineQuery, TradeFilter, TradeTimeline
from quarterdeck.core.model.broker_account import TradeMode
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.effects import TradeClosed, Verdict
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.snapshot import DeskView, LogLine, Snapshot
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs
from quarterdeck.core.settings.parameters import Parameter

LINK_VERSION = 1
MESSAGE_BYTES_MAX = 8 * 1024 * 1024


class LinkHello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First words of a client. `watch` asks for snapshots and log lines; `token` is needed on a loopback port."""

    version: int
    client: str
    watch: bool
    token: str = ""
    brief: bool = False
    """A command, which leaves by itself: watching or not, it takes no screen's place and no screen takes its own."""


class CommandMessage(Struct, frozen=True, kw_only=True, tag="command"):
    """An operator's command; answered by `CommandResult`."""

    command_id: str
    command: Command


class ReplayControl(Struct, frozen=True, kw_only=True, tag="replay_control"):
    """Steer a replay: it never reaches the desk, for it changes when things happen and not what."""

    action: Literal["play", "pause", "speed", "step_bar", "next_trade", "next_refusal"]
    speed: float = 0.0


class BarsQuery(Struct, frozen=True, kw_only=True, tag="bars_query"):
    """The last closed bars of a pair, oldest first."""

    symbol: str
    timeframe: Literal["M15", "H1"]
    count: int = 200


class VerdictsQuery(Struct, frozen=True, kw_only=True, tag="verdicts_query"):
    """Verdicts of the "why not?" ledger of this run's mode and account, newest first; an empty symbol means all pairs."""

    symbol: str = ""
    until_utc_ns: UtcNs = 2**62
    count: int = 100


class TradesQuery(Struct, frozen=True, kw_only=True, tag="trades_query"):
    """Closed trades of this run's mode and account, those that pass, newest first."""

    count: int = 200
    only: TradeFilter = TradeFilter()


class EquityQuery(Struct, frozen=True, kw_only=True, tag="equity_query"):
    """Equity of this run's mode and account over time, thinned to about `count` points, oldest first."""

    count: int = 400


class SettingsQuery(Struct, frozen=True, kw_only=True, tag="settings_query"):
    """The settings in force, the file's values and the history of changes."""


class PreviewQuery(Struct, frozen=True, kw_only=True, tag="preview_query"):
    """What a set of changes (key, value as TOML writes it) would do to what is open now; nothing is changed."""

    changes: tuple[tuple[str, str], ...]


class CalendarQuery(Struct, frozen=True, kw_only=True, tag="calendar_query"):
    """The calendar as the desk knows it, with what went by since an instant where one is given."""

    since_utc_ns: UtcNs = 0


class LogQuery(Struct, frozen=True, kw_only=True, tag="log_query"):
    """The newest log lines, oldest first."""

    count: int = 500


class DoctorQuery(Struct, frozen=True, kw_only=True, tag="doctor_query"):
    """Examine the way to the broker; what is not looked at within `limit_s` is reported as unknown."""

    limit_s: float = 60.0


QueryBody = (
    BarsQuery
    | VerdictsQuery
    | TradesQuery
    | TimelineQuery
    | AccountReportQuery
    | EquityQuery
    | SettingsQuery
    | PreviewQuery
    | CalendarQuery
    | LogQuery
    | DoctorQuery
)


class QueryMessage(Struct, frozen=True, kw_only=True, tag="query"):
    """A question with its id; answered by `QueryReply`."""

    query_id: str
    question: QueryBody


FromClient = LinkHello | CommandMessage | ReplayControl | QueryMessage


class LinkWelcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    """The engine's first words."""

    version: int
    run_id: str
    pid: int
    mode: TradeMode
    readonly: bool = False


class CommandResult(Struct, frozen=True, kw_only=True, tag="command_result"):
    """What became of a command."""

    command_id: str
    ok: bool
    text: str


class BarsReply(Struct, frozen=True, kw_only=True, tag="bars_reply"):
    """Answer to `BarsQuery`."""

    symbol: str
    timeframe: str
    bars: tuple[Bar, ...]


class VerdictRow(Struct, frozen=True, kw_only=True):
    """A verdict and when it fell."""

    at_utc_ns: UtcNs
    verdict: Verdict


class VerdictsReply(Struct, frozen=True, kw_only=True, tag="verdicts_reply"):
    """Answer to `VerdictsQuery`, with counts by reason of all that was refused."""

    rows: tuple[VerdictRow, ...]
    counts: dict[str, int]


class TradesReply(Struct, frozen=True, kw_only=True, tag="trades_reply"):
    """Answer to `TradesQuery`."""

    trades: tuple[TradeClosed, ...]


class EquityReply(Struct, frozen=True, kw_only=True, tag="equity_reply"):
    """Answer to `EquityQuery`: instants and equity, equal lengths."""

    at_utc_ns: tuple[UtcNs, ...]
    equity_money: tuple[Money, ...]


class SettingsReply(Struct, frozen=True, kw_only=True, tag="settings_reply"):
    """Answer to `SettingsQuery`; trees in MessagePack, changes as (instant, key, old, new, cause)."""

    tree: Raw
    file_tree: Raw
    overridden: tuple[str, ...]
    changes: tuple[tuple[UtcNs, str, str, str, str], ...] = ()
    returns: tuple[tuple[UtcNs, str, str], ...] = ()
    """What comes back by itself: when by market time, key, and the value it comes back to."""
    own: tuple[Parameter, ...] = ()
    """What the strategy declares."""
    pending: tuple[str, ...] = ()
    """Keys of the tree whose value waits for the next start."""


class PreviewAction(Struct, frozen=True, kw_only=True):
    """What the engine would send for a position at once. A stop is the new one, None where it is left; lots are those closed."""

    position_id: int
    stop_price: Price | None = None
    close_lots: Lots = 0.0
    why: str = ""


class PreviewReply(Struct, frozen=True, kw_only=True, tag="preview_reply"):
    """Answer to `PreviewQuery`: the desk as it is and as it would be, at the prices of now."""

    before: DeskView
    after: DeskView
    acts: tuple[PreviewAction, ...]


class CalendarReply(Struct, frozen=True, kw_only=True, tag="calendar_reply"):
    """Answer to `CalendarQuery`."""

    available: bool
    events: tuple[NewsEvent, ...]
    why: str = ""
    impacts: tuple[str, ...] = ()
    """Those that close entries; empty where the engine does not say."""


class LogReply(Struct, frozen=True, kw_only=True, tag="log_reply"):
    """Answer to `LogQuery`."""

    lines: tuple[LogLine, ...]


class DoctorRow(Struct, frozen=True, kw_only=True):
    """One finding of the doctor: a link of the way, its verdict, and what to do about it."""

    name: str
    verdict: Literal["ok", "warn", "unknown", "fail"]
    text: str
    number: float | None = None
    unit: str = ""
    remedy: str = ""


class DoctorReply(Struct, frozen=True, kw_only=True, tag="doctor_reply"):
    """Answer to `DoctorQuery`, in the order of the way."""

    findings: tuple[DoctorRow, ...]


class QueryFailed(Struct, frozen=True, kw_only=True, tag="query_failed"):
    """The question could not be answered."""

    why: str


ReplyBody = (
    BarsReply
    | VerdictsReply
    | TradesReply
    | TradeTimeline
    | AccountReport
    | EquityReply
    | SettingsReply
    | PreviewReply
    | CalendarReply
    | LogReply
    | DoctorReply
    | QueryFailed
)


class QueryReply(Struct, frozen=True, kw_only=True, tag="query_reply"):
    """The answer to a `QueryMessage`."""

    query_id: str
    body: ReplyBody


class LinkBye(Struct, frozen=True, kw_only=True, tag="bye"):
    """The engine ends the conversation."""

    why: str


FromEngine = LinkWelcome | Snapshot | LogLine | CommandResult | QueryReply | LinkBye


class LinkState(Struct, frozen=True, kw_only=True):
    """The client's own view of the line; never travels."""

    up: bool
    why: str = ""
    mode: TradeMode | None = None
    ended: bool = False
    """The engine said goodbye: the line is not lost, there is nothing at its other end."""


LinkEvent = Snapshot | LogLine | LinkState | LinkBye
"""What a watching client is given, besides the answers to what it asked."""
