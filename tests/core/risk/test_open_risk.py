"""What the open book may still lose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.risk.open_risk import (
    RiskPosition,
    SlippagePolicy,
    assumed_stop,
    budget_check,
    day_room_check,
    gap_loss_money,
    open_risk_money,
)
from tests.core.risk.trade import BOARD, pair, valuer

SLIPPAGE = SlippagePolicy(pips_min=2.0, stop_fraction=0.10)
LONG = RiskPosition(
    valuer=valuer("EURUSD"),
    side=Side.BUY,
    lots=1.0,
    open_price=1.08500,
    stop_price=1.08300,
    now_price=1.08500,
    stop_distance=0.00200,
    close_cost_money=3.5,
)


def test_from_entry_with_slippage_and_the_cost_to_close() -> None:
    # 20 pips and the 2 of slippage are 220 USD, 3.50 to close.
    assert open_risk_money(LONG, BOARD, SLIPPAGE) == pytest.approx(223.5)
    wide = replace(LONG, stop_price=1.08100, stop_distance=0.00400)
    assert open_risk_money(wide, BOARD, SLIPPAGE) == pytest.approx(443.5), "10 % of 40 pips is more than 2 pips"


def test_open_risk_counts_from_now_when_losing_else_from_entry() -> None:
    assert open_risk_money(replace(LONG, now_price=1.08400), BOARD, SLIPPAGE) == pytest.approx(123.5)
    assert open_risk_money(replace(LONG, now_price=1.08900), BOARD, SLIPPAGE) == pytest.approx(223.5)


def test_a_locked_profit_is_no_negative_risk() -> None:
    locked = replace(LONG, now_price=1.08900, stop_price=1.08800)
    assert open_risk_money(locked, BOARD, SLIPPAGE) == 0.0
    at_entry = replace(LONG, now_price=1.08900, stop_price=1.08500)
    assert open_risk_money(at_entry, BOARD, SLIPPAGE) == pytest.approx(23.5)


def test_sell_in_a_yen_pair_converts_at_its_own_price() -> None:
    # 40 pips and 4 of slippage (10 %): stop 151.290, worst 151.330; 44000 JPY / 151.330.
    short = RiskPosition(
        valuer=valuer("USDJPY"),
        side=Side.SELL,
        lots=1.0,
        open_price=150.890,
        stop_price=151.290,
        now_price=150.890,
        stop_distance=0.4,
    )
    assert open_risk_money(short, BOARD, SLIPPAGE) == pytest.approx(290.76)


def test_foreign_position_without_a_stop_counts_with_an_assumed_one() -> None:
    assert assumed_stop(pair("EURUSD"), Side.BUY, 1.08500, 0.00100, x_atr=3.0) == 1.08200
    assert assumed_stop(pair("EURUSD"), Side.SELL, 1.08500, 0.00100, x_atr=3.0) == 1.08800


def test_gap_loss_counts_from_now() -> None:
    # Stop 1.08300, 0.5 % beyond: 1.077585; from 1.08900 that is 1141.50 and 3.50 to close.
    won = replace(LONG, now_price=1.08900)
    assert gap_loss_money(won, BOARD, gap_fraction=0.005) == pytest.approx(1145.0)
    short = replace(LONG, side=Side.SELL, stop_price=1.08700, now_price=1.08500)
    assert gap_loss_money(short, BOARD, gap_fraction=0.005) == pytest.approx(747.0)


def test_unknown_rate_is_unknown_risk() -> None:
    class Nothing:
        def bid_ask(self, symbol: str) -> None:
            return None

    cross = replace(LONG, valuer=valuer("EURGBP"))
    assert open_risk_money(cross, Nothing(), SLIPPAGE) is None
    assert gap_loss_money(cross, Nothing(), gap_fraction=0.01) is None


def test_budget_and_day_room() -> None:
    fits = budget_check(open_money=300.0, reserved_money=100.0, own_money=100.0, equity_money=10_000.0, max_fraction=0.05)
    assert (fits.passed, fits.value, fits.threshold) == (True, 500.0, 500.0)
    assert not budget_check(
        open_money=300.0, reserved_money=100.0, own_money=100.01, equity_money=10_000.0, max_fraction=0.05
    ).passed
    assert not budget_check(open_money=0.0, reserved_money=0.0, own_money=1.0, equity_money=-1.0, max_fraction=0.05).passed
    assert day_room_check(day_loss_money=-50.0, open_money=300.0, reserved_money=0.0, own_money=200.0, limit_money=500.0).passed
    assert not day_room_check(day_loss_money=1.0, open_money=300.0, reserved_money=0.0, own_money=200.0, limit_money=500.0).passed


@given(st.sampled_from(list(Side)), st.integers(-400, 400), st.integers(-400, 400), st.integers(-400, 400))
def test_open_risk_is_bounded_and_never_grows_with_tighter_stop(
    side: Side, stop_points: int, now_points: int, tighter_points: int
) -> None:
    held = replace(
        LONG, side=side, stop_price=round(1.085 + stop_points * 1e-5, 5), now_price=round(1.085 + now_points * 1e-5, 5)
    )
    risk = open_risk_money(held, BOARD, SLIPPAGE)
    assert risk is not None
    assert risk >= 0.0
    tight = replace(held, stop_price=round(held.stop_price + side * abs(tighter_points) * 1e-5, 5))
    less = open_risk_money(tight, BOARD, SLIPPAGE)
    assert less is not None
    assert less <= risk + 1e-9
