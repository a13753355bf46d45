"""Commission learned from round trips: whatever an account charges, the figure is that charge; what is tiny teaches nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.risk.commission import RoundTrip, confirms, learned_commission

CENT = 0.01


def trip(lots: float, opened: float, closed: float, *, at: int = 0, deals: int = 2) -> RoundTrip:
    return RoundTrip(closed_utc_ns=at, lots=lots, open_money=round(opened, 2), close_money=round(closed, 2), deals=deals)


def charged(lots: float, per_lot: float, ends: str, least: float) -> RoundTrip:
    one = max(per_lot * lots, least)
    return trip(lots, one if ends != "close" else 0.0, one if ends != "open" else 0.0)


@given(
    st.lists(st.integers(20, 150), min_size=5, max_size=20),
    st.floats(4.5, 40.0),
    st.sampled_from(["open", "close", "both"]),
    st.sampled_from([0.0, 0.5]),
)
def test_any_charge_is_learned_as_it_is(steps: list[int], per_lot: float, ends: str, least: float) -> None:
    trips = [charged(step * 0.01, per_lot, ends, least) for step in steps]
    found = learned_commission(trips, assumed_money_per_lot=1.0, unit_money=CENT, trips_min=5)
    if found is None:
        assert ends != "both"
        assert per_lot < 5.0
        return
    assert found.round_trips == len(steps)
    assert found.open_money_per_lot == pytest.approx(per_lot if ends != "close" else 0.0, rel=0.02)
    assert found.close_money_per_lot == pytest.approx(per_lot if ends != "open" else 0.0, rel=0.02)


@given(st.lists(st.integers(1, 300), min_size=5, max_size=20), st.sampled_from([0.0, 3.5, 7.0]))
def test_what_rounding_explains_is_not_learned(steps: list[int], per_lot: float) -> None:
    trips = [charged(step * 0.01, per_lot, "both", 0.0) for step in steps]
    assert learned_commission(trips, assumed_money_per_lot=per_lot, unit_money=CENT, trips_min=5) is None


def test_one_dear_deal_does_not_rule() -> None:
    """Four of 0.50 lots at 3.00 a side and one at a tenfold charge: (4 x 3.00 + 30.00) / 2.5 lots."""
    trips = [trip(0.5, 1.5, 1.5)] * 4
    assert learned_commission(trips, assumed_money_per_lot=5.0, unit_money=CENT, trips_min=5) is None
    found = learned_commission([*trips, trip(0.5, 15.0, 15.0)], assumed_money_per_lot=5.0, unit_money=CENT, trips_min=5)
    assert found is not None
    assert found.side_money_per_lot == pytest.approx((4 * 1.5 + 15.0) / 2.5)


def test_tiny_deals_teach_nothing() -> None:
    tiny = trip(0.01, 1.0, 1.0)  # a minimum per deal: 100 a lot
    assert learned_commission([trip(0.01, 0.0, 0.0)] * 9, assumed_money_per_lot=3.5, unit_money=CENT, trips_min=5) is None
    whole = [trip(0.5, 2.5, 2.5)] * 5
    with_tiny = learned_commission([*whole, *[tiny] * 9], assumed_money_per_lot=3.5, unit_money=CENT, trips_min=5)
    assert with_tiny is not None
    assert with_tiny.round_trips == 5
    assert with_tiny.side_money_per_lot == pytest.approx(5.0)


def test_a_free_account_is_learned_and_the_least_volume_confirms() -> None:
    free = learned_commission([trip(0.5, 0.0, 0.0)] * 5, assumed_money_per_lot=3.5, unit_money=CENT, trips_min=5)
    assert free is not None
    assert free.side_money_per_lot == 0.0
    assert confirms(trip(0.01, 0.0, 0.0), free, CENT)
    assert not confirms(trip(0.01, 0.04, 0.04), free, CENT)
