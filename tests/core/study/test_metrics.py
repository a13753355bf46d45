"""Figures worked out on paper: trades in R, daily returns in the account's day, drawdown, time in the market."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.effects import TradeClosed, Verdict
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.study.metrics import (
    BalanceOperation,
    DrawdownPoint,
    EquityPoint,
    by_confidence,
    by_exit,
    by_hour,
    by_pair,
    count_words,
    daily_returns,
    distribution,
    downsampled,
    drawdown,
    drawdown_inside,
    marked_points,
    performance,
    refusals,
    sharpe,
    sortino,
    time_in_market,
    trade_figures,
)

HOUR = 3_600_000_000_000
START = 17 * 3600
NEW_YORK = "America/New_York"


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def trade(
    result_r: float,
    *,
    symbol: str = "EURUSD",
    confidence: float = 0.8,
    opened: str = "2024-06-05 10:00",
    hours: float = 2.0,
    reason: str = "stop",
) -> TradeClosed:
    at = utc(opened)
    return TradeClosed(
        position_id=1,
        symbol=symbol,
        side=Side.BUY,
        lots=0.1,
        opened_utc_ns=at,
        closed_utc_ns=at + round(hours * HOUR),
        open_price=1.08,
        close_price=1.081,
        stop_price=None,
        reason=reason,
        rule="",
        gross_money=result_r * 100.0 + 3.0,
        commission_money=-2.0,
        swap_money=-1.0,
        net_money=result_r * 100.0,
        risk_money=100.0,
        result_r=result_r,
        peak_money=0.0,
        worst_money=0.0,
        signal_id="s",
        confidence=confidence,
    )


def test_trades_in_r() -> None:
    figures = trade_figures([trade(r) for r in (1.5, -1.0, -1.0, 2.0, -0.5)])
    assert (figures.trades, figures.won, figures.losses_in_row_max) == (5, 2, 2)
    assert figures.win_fraction == pytest.approx(0.4)
    assert figures.expectancy_r == pytest.approx(0.2)
    assert figures.deviation_r == pytest.approx(math.sqrt((1.69 + 1.44 + 1.44 + 3.24 + 0.49) / 4))
    assert figures.profit_factor == pytest.approx(350 / 250)
    assert (figures.mean_win_r, figures.mean_loss_r) == (pytest.approx(1.75), pytest.approx(-2.5 / 3))
    assert (figures.net_money, figures.costs_money) == (pytest.approx(100.0), pytest.approx(-15.0))
    assert (figures.best_r, figures.worst_r, figures.mean_hours) == (2.0, -1.0, 2.0)


def test_what_rests_on_nothing_is_blank() -> None:
    none = trade_figures([])
    assert (none.win_fraction, none.expectancy_r, none.profit_factor, none.best_r) == (None, None, None, None)
    assert trade_figures([trade(1.0)]).profit_factor is None
    assert trade_figures([trade(1.0)]).deviation_r is None


def test_groups() -> None:
    trades = [
        trade(1.0, confidence=0.80, opened="2024-06-05 10:30"),
        trade(-1.0, symbol="USDJPY", confidence=0.79, opened="2024-01-05 10:30", reason="target"),
        trade(0.5, confidence=1.0, opened="2024-06-05 10:59"),
    ]
    assert {name: figures.trades for name, figures in by_pair(trades).items()} == {"EURUSD": 2, "USDJPY": 1}
    assert {name: figures.trades for name, figures in by_hour(trades, "Europe/London").items()} == {"10": 1, "11": 2}
    assert {name: figures.expectancy_r for name, figures in by_confidence(trades).items()} == {
        "0.7": -1.0,
        "0.8": 1.0,
        "0.9": 0.5,
    }
    assert list(by_exit(trades)) == ["stop", "target"]


def test_refusals_and_errors_are_counted() -> None:
    def verdict(reason: str, outcome: str = "refused") -> Verdict:
        return Verdict(symbol="EURUSD", bar_open_utc_ns=0, strategy="trend", outcome=outcome, reason=reason)  # type: ignore[arg-type]

    assert refusals([verdict("spread"), verdict("news"), verdict("spread"), verdict("", "entered"), verdict("x", "waiting")]) == {
        "spread": 2,
        "news": 1,
    }
    assert list(count_words(["b", "a", "c", "c"]).items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_days_follow_the_account_and_deposits_are_no_returns() -> None:
    # Days begin at 17:00 New York (21:00 UTC in summer). 10000 -> 10100 -> deposit 5000, 15000 -> weekend -> 15300.
    points = [
        EquityPoint(utc("2024-06-05 21:00"), 10_000.0),
        EquityPoint(utc("2024-06-06 20:59"), 10_100.0),
        EquityPoint(utc("2024-06-07 20:00"), 15_000.0),
        EquityPoint(utc("2024-06-10 12:00"), 15_300.0),
    ]
    transfers = [BalanceOperation(utc("2024-06-05 20:00"), 10_000.0), BalanceOperation(utc("2024-06-07 10:00"), 5_000.0)]
    returns = daily_returns(points, transfers, day_start_s=START, day_zone=NEW_YORK)
    assert returns == pytest.approx((0.01, -100 / 15_100, 0.02))


def test_late_recognised_deposit_is_excluded_from_that_days_return() -> None:
    points = [
        EquityPoint(utc("2024-06-05 22:00"), 10_000.0),
        EquityPoint(utc("2024-06-06 12:00"), 10_100.0),
        EquityPoint(utc("2024-06-07 12:00"), 15_100.0),
    ]
    returns = daily_returns(points, [BalanceOperation(utc("2024-06-06 15:00"), 5_000.0)], day_start_s=START, day_zone=NEW_YORK)
    assert returns == pytest.approx((0.01, 0.0))


def test_weekday_without_equity_point_has_no_return() -> None:
    points = [EquityPoint(utc("2024-06-03 12:00"), 100.0), EquityPoint(utc("2024-06-05 12:00"), 110.0)]
    assert daily_returns(points, (), day_start_s=START, day_zone=NEW_YORK) == pytest.approx((0.0, 0.0, 0.1))
    assert daily_returns(points[:1], (), day_start_s=START, day_zone=NEW_YORK) == ()


def test_sharpe_and_sortino() -> None:
    # Ten days of +1 % and ten of -0.5 %: mean 0.25 %, deviation 0.75 % x sqrt(20/19), downside 0.5 % x sqrt(1/2).
    returns = [0.01, -0.005] * 10
    assert sharpe(returns) == pytest.approx(0.0025 / (0.0075 * math.sqrt(20 / 19)) * math.sqrt(252))
    assert sharpe(returns) == pytest.approx(5.1575, abs=1e-4)
    assert sortino(returns) == pytest.approx(0.0025 / (0.005 * math.sqrt(0.5)) * math.sqrt(252))
    assert sortino(returns) == pytest.approx(11.2250, abs=1e-4)
    assert sharpe(returns[:19]) is None
    assert sortino(returns[:19]) is None
    assert sharpe([0.01] * 30) is None
    assert sortino([0.01] * 30) is None


def test_deepest_drawdown_with_its_days() -> None:
    points = [EquityPoint(day, money) for day, money in enumerate((100.0, 120.0, 90.0, 110.0, 125.0, 112.5, 130.0))]
    deepest = drawdown(points)
    assert deepest is not None
    assert deepest.fraction == pytest.approx(0.25)
    assert (deepest.money, deepest.peak_utc_ns, deepest.bottom_utc_ns, deepest.recovered_utc_ns) == (30.0, 1, 2, 4)
    still = drawdown(points[:4])
    assert still is not None
    assert still.recovered_utc_ns == 0
    assert drawdown([]) is None


def test_a_peak_before_the_first_mark_counts() -> None:
    # 10,000 at the start, the first mark after a loss of 1 %, and a peak of 10,200 between the third mark and the fourth
    marks = [
        DrawdownPoint(10, 9_900.0, 0.01),
        DrawdownPoint(20, 10_050.0, 0.0),
        DrawdownPoint(30, 10_100.0, 0.0),
        DrawdownPoint(40, 9_996.0, 0.02),
    ]
    points = marked_points(marks)
    assert [round(point.equity_money, 6) for point in points] == [10_000.0, 9_900.0, 10_050.0, 10_100.0, 10_200.0, 9_996.0]
    deepest = drawdown(points)
    assert deepest is not None
    assert deepest.fraction == pytest.approx(max(mark.drawdown_fraction for mark in marks))
    assert drawdown(points[:2]).fraction == pytest.approx(0.01)  # type: ignore[union-attr]
    assert marked_points(marks[:1], EquityPoint(0, 10_000.0)) == [EquityPoint(0, 10_000.0), EquityPoint(10, 9_900.0)]


def test_the_worst_inside_bars_takes_what_was_open_together() -> None:
    begin = utc("2024-06-05 00:00")
    points = [EquityPoint(begin, 10_000.0), EquityPoint(begin + 40 * 3600 * 10**9, 10_010.0)]
    first = replace(trade(0.05, opened="2024-06-05 10:00", hours=4.0), worst_money=-80.0, net_money=5.0)
    second = replace(trade(0.05, opened="2024-06-05 11:00", hours=1.0), worst_money=-60.0, net_money=5.0)
    later = replace(trade(0.05, opened="2024-06-05 20:00", hours=1.0), worst_money=-100.0, net_money=0.0)
    assert drawdown_inside(points, [second, first, later]) == pytest.approx(140.0 / 10_000.0)
    assert drawdown_inside(points, [later]) == pytest.approx(0.01)
    assert drawdown_inside([], []) is None


def test_returns_of_open_days_are_as_many_in_every_run() -> None:
    begin, end = utc("2024-06-03 22:00"), utc("2024-06-17 20:00")
    quiet = [EquityPoint(begin, 100.0), EquityPoint(end, 100.0)]
    weekend = [EquityPoint(begin, 100.0), EquityPoint(utc("2024-06-08 12:00"), 110.0), EquityPoint(end, 110.0)]
    day = {"day_start_s": 17 * 3600, "day_zone": "America/New_York"}
    both = [daily_returns(points, (), open_days_alone=True, **day) for points in (quiet, weekend)]  # type: ignore[arg-type]
    assert len(both[0]) == len(both[1]) == 10
    assert sum(both[1]) == pytest.approx(0.1)
    assert len(daily_returns(weekend, (), **day)) == 11  # type: ignore[arg-type]


def test_a_withdrawal_is_no_drawdown_and_a_deposit_hides_none() -> None:
    points = [EquityPoint(day, money) for day, money in enumerate((100.0, 50.0, 45.0))]
    deepest = drawdown(points, [BalanceOperation(1, -50.0)])
    assert deepest is not None
    assert deepest.fraction == pytest.approx(0.1)
    hidden = drawdown([EquityPoint(0, 100.0), EquityPoint(2, 130.0)], [BalanceOperation(1, 50.0)])
    assert hidden is not None
    assert hidden.fraction == pytest.approx(20 / 150)


def test_time_in_the_market() -> None:
    trades = [
        trade(1, opened="2024-06-05 10:00", hours=2),
        trade(1, opened="2024-06-05 11:00", hours=2),
        trade(1, opened="2024-06-05 15:00", hours=9),
    ]
    exposure = time_in_market(trades, from_utc_ns=utc("2024-06-05 08:00"), to_utc_ns=utc("2024-06-05 18:00"))
    assert exposure is not None
    assert (exposure.any_fraction, exposure.positions_mean, exposure.positions_max) == (pytest.approx(0.6), pytest.approx(0.7), 2)
    assert time_in_market(trades, from_utc_ns=5, to_utc_ns=5) is None


def test_all_together_and_nothing_at_all() -> None:
    nothing = performance([], [], day_start_s=START, day_zone=NEW_YORK)
    assert (nothing.days, nothing.sharpe, nothing.drawdown, nothing.time_in_market) == (0, None, None, None)
    points = [EquityPoint(utc(f"2024-06-{day:02d} 12:00"), 10_000.0 + day * (-1) ** day) for day in range(1, 31)]
    whole = performance([trade(1.0)], points, day_start_s=START, day_zone=NEW_YORK)
    assert whole.days >= 20
    assert whole.sharpe is not None


@given(st.lists(st.floats(-0.2, 0.2), min_size=20, max_size=60))
def test_sharpe_agrees_with_the_standard_library(returns: list[float]) -> None:
    spread = statistics.stdev(returns)
    found = sharpe(returns)
    if found is not None and spread > 1e-6:
        assert found == pytest.approx(statistics.fmean(returns) / spread * math.sqrt(252), rel=1e-6, abs=1e-9)


def test_results_are_counted_at_the_nearest_half_of_an_r() -> None:
    assert distribution([-1.03, -0.98, 0.1, 0.6]) == ((-1.0, 2), (-0.5, 0), (0.0, 1), (0.5, 1))
    assert distribution([]) == ()
    assert distribution([40.0, 11.0]) == ((10.0, 2),)


def test_thinning_keeps_peak_and_trough() -> None:
    points = [EquityPoint(at, 100.0 + at % 7) for at in range(100)]
    points[50] = EquityPoint(50, 10.0)
    few = downsampled(points, 10)
    assert len(few) <= 11
    assert min(point.equity_money for point in few) == 10.0
    assert [point.at_utc_ns for point in few] == sorted(point.at_utc_ns for point in few)
    assert few[-1] == points[-1]
    assert downsampled(points[:5], 10) == tuple(points[:5])
