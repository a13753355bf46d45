"""Bid prices become executable ones in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.desk.pricing import executable
from quarterdeck.core.model.market_data import Quote, Side
from quarterdeck.core.model.signals import Signal
from tests.core.desk.playbook import spec


def signal(side: Side, entry: float, stop: float, target: float) -> Signal:
    return Signal(
        symbol="EURUSD", strategy="t", strategy_hash="h", bar_open_utc_ns=0, side=side, entry_price=entry, stop_price=stop,
        target_price=target, confidence=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "usual", "prices"),
    [
        (Side.BUY, 0.0001, (1.08515, 1.08201, 1.09000)),
        (Side.SELL, 0.0001, (1.08500, 1.08815, 1.08016)),
        (Side.SELL, 0.0003, (1.08500, 1.08830, 1.08031)),
    ],
)
def test_worked_example(side: Side, usual: float, prices: tuple[float, float, float]) -> None:
    quote = Quote(symbol="EURUSD", at_utc_ns=0, bid=1.08500, ask=1.08515)
    stop, target = (1.082004, 1.090004) if side is Side.BUY else (1.088004, 1.080004)
    made = executable(signal(side, 1.085, stop, target), quote, spec("EURUSD"), usual)
    assert (made.entry_price, made.stop_price, made.target_price) == prices


@given(st.sampled_from([Side.BUY, Side.SELL]), st.integers(0, 60), st.integers(0, 60), st.integers(50, 900), st.integers(50, 900))
def test_short_pays_the_greater_spread_and_long_pays_once(side: Side, now: int, usual: int, stop: int, target: int) -> None:
    point, bid = 0.00001, 1.085
    quote = Quote(symbol="EURUSD", at_utc_ns=0, bid=bid, ask=round(bid + now * point, 5))
    found = signal(side, bid, round(bid - side * stop * point, 5), round(bid + side * target * point, 5))
    made = executable(found, quote, spec("EURUSD"), usual * point)
    moved = 0 if side is Side.BUY else max(now, usual)
    assert made.stop_price == pytest.approx(found.stop_price + moved * point, abs=1.01e-5)
    assert made.target_price == pytest.approx(found.target_price + moved * point, abs=1.01e-5)
    assert (made.entry_price - made.stop_price) * side > 0
