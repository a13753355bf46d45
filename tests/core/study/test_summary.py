"""A summary counts what the desk decided, and its digest stands for the trades alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from quarterdeck.core.model.effects import EquityMarked, LogEvent, TradeClosed, Verdict
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.study.summary import SummaryCounter, digest_of, trade_line

HOUR = 3_600_000_000_000


def trade(**changes: Any) -> TradeClosed:
    base = TradeClosed(
        position_id=1,
        symbol="EURUSD",
        side=Side.BUY,
        lots=0.5,
        opened_utc_ns=1_719_800_000_000_000_000,
        closed_utc_ns=1_719_800_000_000_000_000 + HOUR,
        open_price=1.07,
        close_price=1.072,
        stop_price=1.068,
        reason="target",
        rule="",
        gross_money=100.0,
        commission_money=-3.5,
        swap_money=-0.5,
        net_money=96.0,
        risk_money=100.0,
        result_r=0.96,
        peak_money=100.0,
        worst_money=-10.0,
        signal_id="trend:EURUSD:M15:1",
        confidence=0.8,
    )
    return msgspec.structs.replace(base, **changes)


def verdict(outcome: str, *, bar: int = 0, reason: str = "", symbol: str = "EURUSD") -> Verdict:
    return Verdict(symbol=symbol, bar_open_utc_ns=bar, strategy="trend", outcome=outcome, reason=reason)


def tally_of(*effects: Any) -> SummaryCounter:
    tally = SummaryCounter()
    for effect in effects:
        tally.on_effect(0, effect)
    return tally


def test_a_candidate_counts_once_however_often_it_waits() -> None:
    seen = tally_of(
        verdict("waiting", bar=1, reason="spread"),
        verdict("waiting", bar=1, reason="quote_age"),
        verdict("entered", bar=1),
        verdict("refused", bar=2, reason="budget"),
        verdict("refused", bar=2, reason="confidence", symbol="GBPUSD"),
        verdict("refused", bar=3, reason="budget"),
        verdict("waiting", bar=4, reason="news"),
        verdict("none", bar=5),
    ).summary()
    assert (seen.signals, seen.entered, seen.waiting) == (5, 1, 1)
    assert list(seen.refusals.items()) == [("budget", 2), ("confidence", 1)]


def test_money_and_r_are_sums_over_trades() -> None:
    lost = trade(side=Side.SELL, symbol="USDJPY", reason="stop", gross_money=-100.0, net_money=-104.0, result_r=-1.04)
    seen = tally_of(trade(), lost).summary()
    assert (seen.trades, seen.won, seen.result_money, seen.gross_money) == (2, 1, -8.0, 0.0)
    assert (seen.commission_money, seen.swap_money, seen.costs_r) == (-7.0, -1.0, -0.08)
    assert (seen.result_r, seen.best_r, seen.worst_r) == (pytest.approx(-0.08), 0.96, -1.04)
    assert seen.by_pair == {"EURUSD": 1, "USDJPY": 1}
    assert seen.by_side == {"buy": 1, "sell": 1}
    assert seen.exits == {"stop": 1, "target": 1}


def test_the_worst_day_is_the_lowest_mark() -> None:
    marks = [
        EquityMarked(equity_money=1.0, balance_money=1.0, open_risk_money=0.0, day_result_money=day, drawdown_fraction=0.0)
        for day in (10.0, -40.0, 5.0)
    ]
    assert tally_of(*marks).summary().worst_day_money == -40.0
    assert tally_of().summary().worst_day_money == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "GBPUSD"},
        {"side": Side.SELL},
        {"lots": 0.51},
        {"opened_utc_ns": 1},
        {"closed_utc_ns": 2},
        {"open_price": 1.07001},
        {"close_price": 1.07201},
        {"reason": "stop"},
        {"commission_money": -3.51},
        {"swap_money": 0.0},
    ],
)
def test_the_digest_sees_every_part_of_a_trade(changes: dict[str, Any]) -> None:
    assert digest_of([trade()]) != digest_of([trade(**changes)])


def test_the_digest_sees_order_and_nothing_but_trades() -> None:
    one, two = trade(), trade(symbol="USDJPY")
    assert digest_of([one, two]) != digest_of([two, one])
    noise = tally_of(verdict("refused", reason="budget"), one, LogEvent(kind="x", text="y"), two).summary()
    assert noise.digest == digest_of([one, two])
    assert digest_of([trade(position_id=9, signal_id="other")]) == digest_of([one])


def test_a_line_reads_without_the_code() -> None:
    assert trade_line(trade()) == (
        "EURUSD buy 1719800000000000000 1719803600000000000 0.5000 1.070000 1.072000 target 100.00 -3.50 -0.50\n"
    )
