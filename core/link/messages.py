"""What travels over the link. Tagged structs in MessagePack; one union each way.

Promises: snapshots are whole and conflated, so a lost one costs nothing; every order and question carries an id and is
answered once.
Does not: carry code, or anything that a client could make the engine evaluate.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct

from quarterdeck.core.link.trades import AskRecord, AskStory, RecordNow, Story, TradeFilter
from quarterdeck.core.model.book import TradeMode
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.effects import TradeClosed, Verdict
from quarterdeck.core.model.inputs import News
from quarterdeck.core.model.market import Bar
from quarterdeck.core.model.snapshot import DeskView, LogLine, Snapshot
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs
from quarterdeck.core.settings.parameters import Parameter

LINK_VERSION = 1
MESSAGE_BYTES_MAX = 8 * 1024 * 1024


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First words of a client. `watch` asks for snapshots and log lines; `token` is needed on a loopback port."""

    version: int
    client: str
    watch: bool
    token: str = ""


class Order(Struct, frozen=True, kw_only=True, tag="order"):
    """An operator's command; answered by `CommandResult`."""

    command_id: str
    command: Command


class ReplayControl(Struct, frozen=True, kw_only=True, tag="replay_control"):
    """Steer a replay: it never reaches the desk, for it changes when things happen and not what."""

    action: Literal["play", "pause", "speed", "step_bar", "next_trade", "next_refusal"]
    speed: float = 0.0


class AskBars(Struct, frozen=True, kw_only=True, tag="ask_bars"):
    """The last closed bars of a pair, oldest first."""

    symbol: str
    timeframe: Literal["M15", "H1"]
    count: int = 200


class AskLedger(Struct, frozen=True, kw_only=True, tag="ask_ledger"):
    """Verdicts of the "why not?" ledger of this run's mode and account, newest first; an empty symbol means all pairs."""

    symbol: str = ""
    until_utc_ns: UtcNs = 2**62
    count: int = 100


class AskTrades(Struct, frozen=True, kw_only=True, tag="ask_trades"):
    """Closed trades of this run's mode and account, those that pass, newest first."""

    count: int = 200
    only: TradeFilter = TradeFilter()


class AskEquity(Struct, frozen=True, kw_only=True, tag="ask_equity"):
    """Equity of this run's mode and account over time, thinned to about `count` points, oldest first."""

    count: int = 400


class AskSettings(Struct, frozen=True, kw_only=True, tag="ask_settings"):
    """The settings in force, the file's values and the history of changes."""


class AskRehearsal(Struct, frozen=True, kw_only=True, tag="ask_rehearsal"):
    """What a set of changes (key, value as TOML writes it) would do to what is open now; nothing is changed."""

    changes: tuple[tuple[str, str], ...]


class AskNews(Struct, frozen=True, kw_only=True, tag="ask_news"):
    """The calendar as the desk knows it, with what went by since an instant where one is given."""

    since_utc_ns: UtcNs = 0


class AskLog(Struct, frozen=True, kw_only=True, tag="ask_log"):
    """The newest log lines, oldest first."""

    count: int = 500


class AskDoctor(Struct, frozen=True, kw_only=True, tag="ask_doctor"):
    """Examine the way to the broker; what is not looked at within `limit_s` is told as unknown."""

    limit_s: float = 60.0


Question = (
    AskBars | AskLedger | AskTrades | AskStory | AskRecord | AskEquity | AskSettings | AskRehearsal | AskNews | AskLog | AskDoctor
)


class Query(Struct, frozen=True, kw_only=True, tag="query"):
    """A question with its id; answered by `Answer`."""

    query_id: str
    question: Question


FromClient = Hello | Order | ReplayControl | Query


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
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


class Bars(Struct, frozen=True, kw_only=True, tag="bars"):
    """Answer to `AskBars`."""

    symbol: str
    timeframe: str
    bars: tuple[Bar, ...]


class LedgerRow(Struct, frozen=True, kw_only=True):
    """A verdict and when it fell."""

    at_utc_ns: UtcNs
    verdict: Verdict


class Ledger(Struct, frozen=True, kw_only=True, tag="ledger"):
    """Answer to `AskLedger`, with counts by reason of all that was refused."""

    rows: tuple[LedgerRow, ...]
    counts: dict[str, int]


class Trades(Struct, frozen=True, kw_only=True, tag="trades"):
    """Answer to `AskTrades`."""

    trades: tuple[TradeClosed, ...]


class EquityPoints(Struct, frozen=True, kw_only=True, tag="equity_points"):
    """Answer to `AskEquity`: instants and equity, equal lengths."""

    at_utc_ns: tuple[UtcNs, ...]
    equity_money: tuple[Money, ...]


class SettingsNow(Struct, frozen=True, kw_only=True, tag="settings_now"):
    """Answer to `AskSettings`; trees in MessagePack, changes as (instant, key, old, new, cause)."""

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


class Act(Struct, frozen=True, kw_only=True):
    """What the engine would send for a position at once. A stop is the new one, None where it is left; lots are those closed."""

    position_id: int
    stop_price: Price | None = None
    close_lots: Lots = 0.0
    why: str = ""


class RehearsalNow(Struct, frozen=True, kw_only=True, tag="rehearsal_now"):
    """Answer to `AskRehearsal`: the desk as it is and as it would be, at the prices of now."""

    before: DeskView
    after: DeskView
    acts: tuple[Act, ...]


class NewsNow(Struct, frozen=True, kw_only=True, tag="news_now"):
    """Answer to `AskNews`."""

    available: bool
    events: tuple[News, ...]
    why: str = ""
    impacts: tuple[str, ...] = ()
    """Those that close entries; empty where the engine does not say."""


class LogNow(Struct, frozen=True, kw_only=True, tag="log_now"):
    """Answer to `AskLog`."""

    lines: tuple[LogLine, ...]


class Examined(Struct, frozen=True, kw_only=True):
    """One finding of the doctor: a link of the way, its verdict, and what to do about it."""

    name: str
    verdict: Literal["ok", "warn", "unknown", "fail"]
    text: str
    number: float | None = None
    unit: str = ""
    remedy: str = ""


class DoctorNow(Struct, frozen=True, kw_only=True, tag="doctor_now"):
    """Answer to `AskDoctor`, in the order of the way."""

    findings: tuple[Examined, ...]


class Cannot(Struct, frozen=True, kw_only=True, tag="cannot"):
    """The question could not be answered."""

    why: str


AnswerBody = (
    Bars | Ledger | Trades | Story | RecordNow | EquityPoints | SettingsNow | RehearsalNow | NewsNow | LogNow | DoctorNow | Cannot
)


class Answer(Struct, frozen=True, kw_only=True, tag="answer"):
    """The answer to a `Query`."""

    query_id: str
    body: AnswerBody


class Bye(Struct, frozen=True, kw_only=True, tag="bye"):
    """The engine ends the conversation."""

    why: str


FromEngine = Welcome | Snapshot | LogLine | CommandResult | Answer | Bye


class LinkState(Struct, frozen=True, kw_only=True):
    """The client's own view of the line; never travels."""

    up: bool
    why: str = ""
    mode: TradeMode | None = None
    ended: bool = False
    """The engine said goodbye: the line is not lost, there is nothing at its other end."""


Event = Snapshot | LogLine | LinkState | Bye
"""What a watching client is given, besides the answers to what it asked."""
