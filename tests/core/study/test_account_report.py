"""The record of an account: its runs together, other modes apart, deposits no result, a trade reported by two runs once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.effects import EquityMarked, TradeClosed, Verdict
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import NewDeal, SequencedInput, TimerFired
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import DAY_NS, H1_NS
from quarterdeck.core.study.account_report import account_performance
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings, new_run
from tests.core.study.test_summary import trade


def closed(day: int, position_id: int, result_r: float, **more: Any) -> TradeClosed:
    at = MONDAY_NS + day * DAY_NS + 12 * H1_NS
    facts = {"position_id": position_id, "opened_utc_ns": at - H1_NS, "closed_utc_ns": at, "net_money": 100.0 * result_r}
    return trade(result_r=result_r, **facts, **more)


def marked(money: float) -> EquityMarked:
    return EquityMarked(equity_money=money, balance_money=money, open_risk_money=0.0, day_result_money=0.0, drawdown_fraction=0.0)


def journal(path: Path, runs: list[tuple[str, list[tuple[int, Any, tuple[Any, ...]]]]]) -> Path:
    """Runs as (mode, rows), rows as (day, input, effects)."""
    writer = JournalWriter(path / "journal.sqlite", journal_settings(), clock=Watch(), durable=False, threaded=False)
    for number, (mode, rows) in enumerate(runs):
        writer.begin_run(msgspec.structs.replace(new_run(), run_id=f"r{number}", mode=mode))
        for seq, (day, told, effects) in enumerate(rows, 1):
            writer.append(SequencedInput(seq=seq, at_utc_ns=MONDAY_NS + day * DAY_NS + 12 * H1_NS, input=told), effects)
        writer.end_run("test")
    writer.close()
    return path / "journal.sqlite"


def row(day: int, *effects: Any, told: Any = None) -> tuple[int, Any, tuple[Any, ...]]:
    return (day, told or TimerFired(), effects)


def test_runs_of_an_account_count_together_and_other_modes_apart(tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        [
            ("demo", [row(0, closed(0, 1, 1.0), marked(10_100.0))]),
            ("paper", [row(0, closed(0, 9, -5.0))]),
            ("demo", [row(1, closed(0, 1, 1.0)), row(2, closed(2, 2, -0.5, symbol="USDJPY", reason="stop"), marked(10_050.0))]),
        ],
    )
    with TapeReader(path) as reader:
        whole, alone = account_performance(reader), account_performance(reader, 1)
    assert (whole.mode, whole.runs, alone.runs) == ("demo", (1, 3), (1,))
    assert whole.performance.trades.trades == 2, "a trade that a second run reported again is one trade"
    assert whole.performance.trades.expectancy_r == pytest.approx(0.25)
    assert {name: figures.trades for name, figures in whole.by_pair.items()} == {"EURUSD": 1, "USDJPY": 1}
    assert set(whole.by_exit) == {"target", "stop"}
    assert set(whole.by_hour) == {"12"}, "11:00 UTC in August is noon in London"
    assert alone.performance.trades.trades == 1


def test_simulated_market_is_reported_one_run_at_a_time(tmp_path: Path) -> None:
    path = journal(tmp_path, [("replay", [row(0, closed(0, 1, 1.0))]), ("replay", [row(0, closed(0, 1, 1.0))])])
    with TapeReader(path) as reader:
        assert account_performance(reader).runs == (2,)


def test_drawdown_counts_from_the_start_of_the_run(tmp_path: Path) -> None:
    first = msgspec.structs.replace(marked(9_900.0), drawdown_fraction=0.01)
    path = journal(tmp_path, [("demo", [row(0), row(1, first), row(2, marked(10_050.0))])])
    with TapeReader(path) as reader:
        record = account_performance(reader)
    assert record.performance.drawdown is not None
    assert record.performance.drawdown.fraction == pytest.approx(0.01)
    assert record.equity[0].equity_money == pytest.approx(10_000.0)
    assert record.equity[0].at_utc_ns == MONDAY_NS + 12 * H1_NS


def test_a_deposit_is_no_result(tmp_path: Path) -> None:
    deposit = Deal(
        deal_ticket=1, order_ticket=0, position_id=0, symbol="", side=Side.BUY, entry="in", reason="other", lots=0.0, price=0.0,
        at_utc_ns=MONDAY_NS + DAY_NS, balance_money=5_000.0,
    )  # fmt: skip
    path = journal(tmp_path, [("demo", [row(0, marked(10_000.0)), row(1, told=NewDeal(deal=deposit)), row(2, marked(14_000.0))])])
    with TapeReader(path) as reader:
        fall = account_performance(reader).performance.drawdown
    assert fall is not None
    assert fall.fraction == pytest.approx(1_000.0 / 15_000.0)


def test_candidates_count_by_their_last_verdict(tmp_path: Path) -> None:
    def verdict(outcome: str, reason: str) -> Verdict:
        return Verdict(symbol="EURUSD", bar_open_utc_ns=MONDAY_NS, strategy="trend", outcome=outcome, reason=reason)

    path = journal(tmp_path, [("demo", [row(0, verdict("waiting", "quote_age")), row(1, verdict("refused", "spread_stop"))])])
    with TapeReader(path) as reader:
        assert account_performance(reader).refusals == {"spread_stop": 1}


def test_a_journal_without_runs_says_so(tmp_path: Path) -> None:
    with TapeReader(journal(tmp_path, [])) as reader, pytest.raises(StorageError, match="no run"):
        account_performance(reader)
