"""Closed trades over the link: which of them are asked for, how one of them went, and what they came to together.

Promises: a filter is read from words in one place and means the same on the screen and in the engine; periods are UTC days and
count a trade by its close. A figure that rests on too little is None. Does not: compute figures (`core.study`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, Money, UtcNs

FOREVER_UTC_NS: Final = 2**62
FILTER_WORDS: Final = "pair or currency, buy, sell, won, lost, exit, 7d, today, 2024-07, 2024-07-01..2024-08-05"
"""What a filter may be made of, for whoever asks for one."""
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_DAYS = re.compile(r"(\d{1,4})d")


class TradeFilter(Struct, frozen=True, kw_only=True):
    """Trades that closed from one instant until before another and that every word names."""

    words: tuple[str, ...] = ()
    """Lower case; each is part of the pair, or begins the side, the exit's reason, `won`, `lost` or the position's number."""
    from_utc_ns: UtcNs = 0
    until_utc_ns: UtcNs = FOREVER_UTC_NS

    def passes(self, trade: TradeClosed) -> bool:
        """Whether a trade is one of them."""
        if not self.from_utc_ns <= trade.closed_utc_ns < self.until_utc_ns:
            return False
        fate = "won" if trade.net_money > 0 else "lost"
        symbol = trade.symbol.casefold()
        names = (trade.side.word, trade.reason.casefold(), fate, str(trade.position_id))
        return all(word in symbol or any(name.startswith(word) for name in names) for word in self.words)


def filter_of(text: str, now_utc_ns: UtcNs) -> TradeFilter:
    """The filter that an operator's words ask for; of several periods the last holds, a word of no meaning passes nothing."""
    words, start, end = [], 0, FOREVER_UTC_NS
    for word in text.casefold().replace("#", "").split():
        period = _period(word, now_utc_ns)
        if period is None:
            words.append(word)
        else:
            start, end = period
    return TradeFilter(words=tuple(words), from_utc_ns=start, until_utc_ns=end)


def _period(word: str, now_utc_ns: UtcNs) -> tuple[UtcNs, UtcNs] | None:
    today = now_utc_ns // DAY_NS * DAY_NS
    if word in ("today", "yesterday"):
        start = today if word == "today" else today - DAY_NS
        return start, start + DAY_NS
    if found := _DAYS.fullmatch(word):
        return today - (int(found[1]) - 1) * DAY_NS, FOREVER_UTC_NS
    first, dots, last = word.partition("..")
    begin, end = _date(first), _date(last) if dots else None
    if dots and (begin or end):
        return begin[0] if begin else 0, end[1] if end else FOREVER_UTC_NS
    return begin if not dots else None


def _date(word: str) -> tuple[UtcNs, UtcNs] | None:
    """A year, month or day as the instants of its beginning and end."""
    found = _DATE.fullmatch(word)
    if found is None:
        return None
    year, month, day = found[1], found[2], found[3]
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        end = start + timedelta(days=1 if day else 32 if month else 366)
    except (ValueError, OverflowError):
        return None
    if not day:
        end = end.replace(month=end.month if month else 1, day=1)
    return round(start.timestamp()) * NS_PER_S, round(end.timestamp()) * NS_PER_S


class TimelineQuery(Struct, frozen=True, kw_only=True, tag="timeline_query"):
    """How one trade went, from its signal to its close."""

    position_id: int


class TimelineStep(Struct, frozen=True, kw_only=True):
    """One thing that happened to a trade, in words with prices; the checks behind it where it was decided."""

    at_utc_ns: UtcNs
    what: str
    """`signal`, `verdict`, `order`, `filled`, `opened`, `stop`, `close`, `deal`, `note`, ...: a word for the margin."""
    text: str
    checks: tuple[Check, ...] = ()


class TradeTimeline(Struct, frozen=True, kw_only=True, tag="trade_timeline"):
    """Answer to `TimelineQuery`, in order of time."""

    position_id: int
    steps: tuple[TimelineStep, ...]


class AccountReportQuery(Struct, frozen=True, kw_only=True, tag="account_report_query"):
    """What the trades of this account and mode came to, only those that pass."""

    only: TradeFilter = TradeFilter()


class TradeGroup(Struct, frozen=True, kw_only=True):
    """Trades that have something in common."""

    name: str
    trades: int
    win_fraction: float | None
    mean_r: float | None
    net_money: Money


class AccountReport(Struct, frozen=True, kw_only=True, tag="account_report"):
    """Answer to `AccountReportQuery`. Daily figures are the account's: they know no pair or side, only the period."""

    mode: str
    account: int
    server: str
    currency: str
    runs: int
    trades: int
    won: int
    win_fraction: float | None
    expectancy_r: float | None
    deviation_r: float | None
    mean_win_r: float | None
    mean_loss_r: float | None
    profit_factor: float | None
    net_money: Money
    costs_money: Money
    best_r: float | None
    worst_r: float | None
    losses_in_row_max: int
    mean_hours: float | None
    days: int
    sharpe: float | None
    sortino: float | None
    drawdown_fraction: float | None
    drawdown_money: Money | None
    in_market_fraction: float | None
    positions_max: int | None
    by_pair: tuple[TradeGroup, ...]
    by_hour: tuple[TradeGroup, ...]
    hours_zone: str
    by_confidence: tuple[TradeGroup, ...]
    by_exit: tuple[TradeGroup, ...]
    results: tuple[tuple[float, int], ...]
    """How many trades came to about how much: halves of an R without gaps, and the trades nearest to each."""
    refusals: tuple[tuple[str, int], ...]
    errors: tuple[tuple[str, int], ...]
    at_utc_ns: tuple[UtcNs, ...]
    equity_money: tuple[Money, ...]
    """Equity over time, thinned so that no peak and no trough is lost."""
    drawdown_inside_fraction: float | None = None
    """Deepest drawdown with the worst points inside bars; None from an engine that does not tell."""
