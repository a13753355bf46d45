"""Breakers trip, stay tripped, and come back only by their own way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.risk.breakers import (
    BreakerPolicy,
    BreakerState,
    begin_day,
    breaker_views,
    check_breakers,
    count_entry,
    day_limit_money,
    entry_checks,
    reset_drawdown_peak,
    shift_bases,
    trade_closed,
)

POLICY = BreakerPolicy(
    day_loss_max_fraction=0.05,
    drawdown_max_fraction=0.10,
    consecutive_losses_max=5,
    scratch_r=0.1,
    entries_per_day_max=10,
    positions_max=5,
    positions_per_pair_max=1,
    margin_level_min_pct=300.0,
)
DAY = 86_400_000_000_000


def fresh(balance: float = 10_000.0, equity: float = 10_000.0) -> BreakerState:
    return begin_day(BreakerState(), day_started_utc_ns=DAY, balance_money=balance, equity_money=equity)


def names(state: BreakerState) -> list[str]:
    return [trip.name for trip in state.trips]


def allowed(state: BreakerState, **facts: object) -> dict[str, bool]:
    given_facts: dict[str, object] = {
        "equity_money": 10_000.0,
        "positions": 0,
        "pair_positions": 0,
        "entries_reserved": 0,
        "margin_level_pct": None,
        **facts,
    }
    return {check.name: check.passed for check in entry_checks(state, POLICY, **given_facts)}  # type: ignore[arg-type]


def test_daily_limit_counts_from_greater_of_balance_and_equity() -> None:
    assert fresh(10_000.0, 10_400.0).day_base_money == 10_400.0
    assert day_limit_money(fresh(10_200.0, 10_000.0), POLICY) == pytest.approx(510.0)


def test_daily_loss_trips_at_limit_until_next_day() -> None:
    state, new = check_breakers(fresh(), POLICY, at_utc_ns=DAY + 5, equity_money=9_500.01)
    assert new == ()
    state, new = check_breakers(state, POLICY, at_utc_ns=DAY + 7, equity_money=9_500.0)
    assert [(trip.name, trip.since_utc_ns, trip.resets_by) for trip in new] == [("day_loss", DAY + 7, "day")]
    state, again = check_breakers(state, POLICY, at_utc_ns=DAY + 8, equity_money=10_000.0)
    assert again == ()
    assert names(state) == ["day_loss"], "equity that recovers does not reset"
    assert not allowed(state)["day_loss"]
    assert begin_day(state, day_started_utc_ns=DAY, balance_money=9_500, equity_money=9_500) == state, "the same day again"
    state = begin_day(state, day_started_utc_ns=2 * DAY, balance_money=9_500.0, equity_money=9_400.0)
    assert names(state) == []
    assert state.day_base_money == 9_500.0


def test_drawdown_counts_from_the_peak_and_waits_for_the_operator() -> None:
    state, _ = check_breakers(fresh(), POLICY, at_utc_ns=DAY, equity_money=12_000.0)
    state = begin_day(state, day_started_utc_ns=2 * DAY, balance_money=10_900.0, equity_money=10_900.0)
    state, new = check_breakers(state, POLICY, at_utc_ns=2 * DAY, equity_money=10_800.0)
    assert [trip.name for trip in new] == ["drawdown"]
    state = begin_day(state, day_started_utc_ns=3 * DAY, balance_money=12_000.0, equity_money=12_000.0)
    assert names(state) == ["drawdown"]
    state = reset_drawdown_peak(state, equity_money=10_800.0)
    assert (names(state), state.peak_money) == ([], 10_800.0)
    assert check_breakers(state, POLICY, at_utc_ns=3 * DAY, equity_money=11_500.0)[1] == ()


def test_deposits_and_withdrawals_are_no_results() -> None:
    state = shift_bases(fresh(), -5_000.0, equity_money=10_000.0)
    assert (state.day_base_money, state.peak_money) == (5_000.0, 5_000.0)
    assert check_breakers(state, POLICY, at_utc_ns=DAY, equity_money=5_000.0)[1] == ()
    rich = shift_bases(fresh(), 5_000.0, equity_money=10_000.0)
    assert rich.drawdown_fraction(15_000.0) == 0.0
    assert rich.day_loss_money(15_000.0) == 0.0


def test_five_consecutive_losses_trip_and_scratches_are_ignored() -> None:
    state = fresh()
    for result in (-1.0, -0.2, 0.05, -0.09, -1.0, -0.5):
        state = trade_closed(state, result_r=result, scratch_r=POLICY.scratch_r)
    assert state.consecutive_losses == 4
    assert trade_closed(state, result_r=0.1, scratch_r=0.1).consecutive_losses == 0
    state = trade_closed(state, result_r=-0.1, scratch_r=0.1)
    _, new = check_breakers(state, POLICY, at_utc_ns=DAY, equity_money=10_000.0)
    assert [trip.name for trip in new] == ["losses_in_row"]
    assert begin_day(state, day_started_utc_ns=2 * DAY, balance_money=1.0, equity_money=1.0).consecutive_losses == 0


def test_entries_count_with_those_reserved() -> None:
    state = fresh()
    for _ in range(9):
        state = count_entry(state)
    assert allowed(state)["entries"]
    assert not allowed(state, entries_reserved=1)["entries"]
    assert [trip.name for trip in check_breakers(count_entry(state), POLICY, at_utc_ns=DAY, equity_money=10_000.0)[1]] == [
        "entries"
    ]


def test_positions_pair_and_margin_come_back_by_themselves() -> None:
    state = fresh()
    assert all(allowed(state).values())
    assert not allowed(state, positions=5)["positions"]
    assert not allowed(state, pair_positions=1)["pair_positions"]
    assert not allowed(state, margin_level_pct=299.0)["margin_level"]
    assert allowed(state, margin_level_pct=300.0)["margin_level"]


def test_nothing_is_entered_before_the_first_day_has_a_base() -> None:
    assert not allowed(BreakerState())["day_loss"]


def test_views_tell_distance_since_and_way_back() -> None:
    state, _ = check_breakers(fresh(), POLICY, at_utc_ns=DAY + 7, equity_money=9_400.0)
    views = {view.name: view for view in breaker_views(state, POLICY, equity_money=9_600.0, positions=2, margin_level_pct=900.0)}
    assert views["day_loss"].tripped
    assert (views["day_loss"].since_utc_ns, views["day_loss"].rearm) == (DAY + 7, "day")
    assert views["day_loss"].distance == pytest.approx(0.01)
    assert views["drawdown"].distance == pytest.approx(0.06)
    assert views["positions"].distance == 3.0
    assert (views["margin_level"].tripped, views["margin_level"].rearm) == (False, "itself")


@given(st.lists(st.floats(8_000, 12_000), max_size=30))
def test_whatever_equity_does_within_the_day_a_trip_stays(equities: list[float]) -> None:
    state, seen = fresh(), 0
    for tick, equity in enumerate(equities):
        state, new = check_breakers(state, POLICY, at_utc_ns=DAY + tick, equity_money=equity)
        seen += len(new)
        assert len(state.trips) == seen
        assert len(set(names(state))) == seen
        assert state.peak_money >= equity
