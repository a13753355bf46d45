"""What the engine tells of its journal: all runs of the account in this mode, never another mode's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.engine.journal_queries import JournalQueries
from quarterdeck.core.link.messages import (
    BarsQuery,
    BarsReply,
    CalendarQuery,
    EquityQuery,
    EquityReply,
    QueryFailed,
    TradesQuery,
    TradesReply,
    VerdictsQuery,
    VerdictsReply,
)
from quarterdeck.core.link.trade_queries import AccountReport, AccountReportQuery, TimelineQuery, TradeTimeline, filter_of
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.inputs import BarClosed, Calendar, NewsEvent
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.units import DAY_NS, H1_NS, M15_NS
from tests.core.journal.tapes import MONDAY_NS
from tests.core.study.test_account_report import closed, journal, marked, row

NOW = MONDAY_NS + 5 * DAY_NS


def verdict(reason: str, symbol: str = "EURUSD") -> Verdict:
    return Verdict(symbol=symbol, bar_open_utc_ns=MONDAY_NS, strategy="trend", outcome="refused", reason=reason)


def calendar(*days: int) -> Calendar:
    events = tuple(
        NewsEvent(at_utc_ns=MONDAY_NS + day * DAY_NS, currency="USD", impact="high", title=f"day {day}") for day in days
    )
    return Calendar(available=True, events=events)


def answers(path: Path, *runs: tuple[str, list[Any]]) -> JournalQueries:
    return JournalQueries(journal(path, list(runs)), path / "logs", lambda: len(runs))


@pytest.fixture
def restarted(tmp_path: Path) -> JournalQueries:
    """A demo account whose engine was restarted, with a paper run in between."""
    first = [row(0, closed(0, 1, 1.0), verdict("spread"), marked(10_100.0)), row(1, told=calendar(0, 1, 2))]
    other = [row(1, closed(1, 9, -5.0), verdict("news"), marked(5_000.0))]
    last = [
        row(2, closed(2, 2, -1.0, symbol="USDJPY", reason="stop"), verdict("hours"), marked(10_000.0)),
        row(3, told=calendar(2, 3)),
    ]
    return answers(tmp_path, ("demo", first), ("paper", other), ("demo", last))


def test_trades_of_all_runs_are_newest_first_in_one_mode(restarted: JournalQueries) -> None:
    told = restarted.answer(TradesQuery())
    assert isinstance(told, TradesReply)
    assert [trade.position_id for trade in told.trades] == [2, 1]


def test_a_filter_narrows_the_trades(restarted: JournalQueries) -> None:
    told = restarted.answer(TradesQuery(only=filter_of("usdjpy lost", NOW)))
    assert isinstance(told, TradesReply)
    assert [trade.position_id for trade in told.trades] == [2]


def test_the_ledger_reaches_over_a_restart(restarted: JournalQueries) -> None:
    told = restarted.answer(VerdictsQuery(symbol="EURUSD"))
    assert isinstance(told, VerdictsReply)
    assert [ledger_row.verdict.reason for ledger_row in told.rows] == ["hours", "spread"]
    assert told.counts == {"spread": 1, "hours": 1}


def test_the_record_is_the_accounts_and_narrows_like_the_trades(restarted: JournalQueries) -> None:
    whole, lost = restarted.answer(AccountReportQuery()), restarted.answer(AccountReportQuery(only=filter_of("lost", NOW)))
    assert isinstance(whole, AccountReport)
    assert isinstance(lost, AccountReport)
    assert (whole.mode, whole.runs, whole.trades, whole.expectancy_r) == ("demo", 2, 2, 0.0)
    assert [group.name for group in whole.by_pair] == ["EURUSD", "USDJPY"]
    assert whole.results == ((-1.0, 1), (-0.5, 0), (0.0, 0), (0.5, 0), (1.0, 1))
    assert whole.equity_money == (10_100.0, 10_000.0)
    assert whole.drawdown_fraction == pytest.approx(100.0 / 10_100.0)
    assert (lost.trades, lost.win_fraction) == (1, 0.0)


def test_equity_covers_all_runs_and_downsampling_keeps_drawdown(tmp_path: Path) -> None:
    moneys = [10_000.0 + number for number in range(200)]
    moneys[77] = 9_000.0
    rows = [row(0, marked(money)) for money in moneys]
    told = answers(tmp_path, ("demo", rows)).answer(EquityQuery(count=20))
    assert isinstance(told, EquityReply)
    assert len(told.equity_money) <= 21
    assert min(told.equity_money) == 9_000.0
    assert told.equity_money[-1] == moneys[-1]


def test_news_that_went_by_are_found_on_the_tape(restarted: JournalQueries) -> None:
    past = restarted.past_news(MONDAY_NS + DAY_NS - H1_NS)
    assert sorted(event.title for event in past) == ["day 1", "day 2", "day 3"]


def test_trade_timeline_reports_what_the_journal_lacks(restarted: JournalQueries) -> None:
    told = restarted.answer(TimelineQuery(position_id=2))
    assert isinstance(told, TradeTimeline)
    assert [step.what for step in told.steps] == ["closed"]
    assert isinstance(restarted.answer(CalendarQuery()), QueryFailed)


def quarter(number: int, symbol: str = "EURUSD") -> BarClosed:
    price = 1.0 + number / 1000
    bar = Bar(open_utc_ns=MONDAY_NS + number * M15_NS, open=price, high=price + 0.01, low=price - 0.01, close=price + 0.001)
    return BarClosed(symbol=symbol, timeframe="M15", bar=bar)


def test_bars_of_a_finished_run_come_from_tape(tmp_path: Path) -> None:
    told = [row(0, told=quarter(number, symbol)) for number in range(12) for symbol in ("EURUSD", "USDJPY")]
    past = JournalQueries(journal(tmp_path, [("replay", told)]), tmp_path / "logs", lambda: None)
    bars = past.answer(BarsQuery(symbol="EURUSD", timeframe="M15", count=3))
    assert isinstance(bars, BarsReply)
    assert [bar.open_utc_ns for bar in bars.bars] == [MONDAY_NS + number * M15_NS for number in (9, 10, 11)]
    hours = past.answer(BarsQuery(symbol="EURUSD", timeframe="H1", count=2))
    assert isinstance(hours, BarsReply)
    assert [(bar.open_utc_ns, round(bar.open, 6), round(bar.close, 6)) for bar in hours.bars] == [
        (MONDAY_NS + H1_NS, 1.004, 1.008),
        (MONDAY_NS + 2 * H1_NS, 1.008, 1.012),
    ]


@pytest.mark.parametrize("count", [-(2**63), -1, 0, 2**63 - 1])
def test_a_count_of_any_size_is_answered_within_bounds(restarted: JournalQueries, count: int) -> None:
    told = [restarted.answer(ask(count=count)) for ask in (TradesQuery, VerdictsQuery, EquityQuery)]  # type: ignore[operator]
    assert all(not isinstance(one, QueryFailed) for one in told)
    assert isinstance(told[0], TradesReply)
    assert len(told[0].trades) == (1 if count < 1 else 2)
