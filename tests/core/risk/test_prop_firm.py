"""Rules of a funded account: floors in money, buffers before the breach."""

from __future__ import annotations

from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.risk.prop_firm import (
    PropFirmPolicy,
    PropFirmState,
    begin_day,
    best_day_check,
    check_limits,
    entry_checks,
    limits,
    quiet_above_money,
    raise_high_water,
    shift_prop_firm_bases,
    start,
    within_buffers,
)

POLICY = PropFirmPolicy(
    day_loss_fraction=0.05,
    overall_loss_fraction=0.10,
    day_loss_money=None,
    overall_loss_money=None,
    day_base="greater",
    overall_base="static",
    trailing_locks_at_starting_balance=True,
    reduce_only_buffer_fraction=0.20,
    close_buffer_fraction=0.05,
    lots_max=0.0,
    best_day_max_fraction=1.0,
)
DAY = 86_400_000_000_000


def account(balance: float = 100_000.0, equity: float = 100_000.0, policy: PropFirmPolicy = POLICY) -> PropFirmState:
    state = start(starting_balance_money=100_000.0, balance_money=balance)
    return begin_day(state, policy, day_started_utc_ns=DAY, balance_money=balance, equity_money=equity)


def floors(state: PropFirmState, policy: PropFirmPolicy = POLICY) -> tuple[float, float]:
    day, overall = limits(state, policy, equity_money=100_000.0)
    return day.floor_money, overall.floor_money


def test_static_floors() -> None:
    assert floors(account()) == (95_000.0, 90_000.0)
    assert floors(account(104_000.0, 106_000.0)) == (100_700.0, 90_000.0)
    assert floors(account(104_000.0, 106_000.0, replace(POLICY, day_base="balance")))[0] == 98_800.0
    in_money = replace(POLICY, day_loss_money=2_500.0, overall_loss_money=6_000.0)
    assert floors(account(policy=in_money), in_money) == (97_500.0, 94_000.0)
    assert start(starting_balance_money=0.0, balance_money=25_000.0).starting_balance_money == 25_000.0


@pytest.mark.parametrize(("locked", "floor"), [(True, 100_000.0), (False, 105_000.0)])
def test_trailing_floor_follows_peak_and_locks_at_starting_balance(locked: bool, floor: float) -> None:
    policy = replace(POLICY, overall_base="trailing_equity", trailing_locks_at_starting_balance=locked)
    state = raise_high_water(account(policy=policy), policy, balance_money=100_000.0, equity_money=104_000.0)
    assert floors(state, policy)[1] == 94_000.0
    assert raise_high_water(state, policy, balance_money=100_000.0, equity_money=101_000.0) == state
    assert floors(raise_high_water(state, policy, balance_money=1.0, equity_money=115_000.0), policy)[1] == floor
    by_balance = replace(policy, overall_base="trailing_balance")
    assert (
        floors(raise_high_water(account(), by_balance, balance_money=101_000.0, equity_money=104_000.0), by_balance)[1]
        == 91_000.0
    )


@pytest.mark.parametrize(
    ("equity", "action"),
    [(96_000.01, "go"), (96_000.0, "reduce_only"), (95_250.01, "reduce_only"), (95_250.0, "close"), (94_000.0, "close")],
)
def test_buffers_act_before_the_breach(equity: float, action: str) -> None:
    assert check_limits(account(), POLICY, equity_money=equity)[0] == action


@given(
    st.sampled_from(["static", "trailing_balance", "trailing_equity"]),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(1.0, 1e7),
    st.floats(0.0, 1e-6),
)
def test_above_its_bound_an_account_is_calm(base: str, day: float, overall: float, balance: float, over: float) -> None:
    policy = replace(POLICY, overall_base=base, day_loss_fraction=day, overall_loss_fraction=overall)
    state = account(balance, balance, policy)
    bound = quiet_above_money(state, policy)
    if bound == inf:
        assert not within_buffers(state, policy, equity_money=10.0 * balance), "nothing may be lost"
    else:
        assert within_buffers(state, policy, equity_money=nextafter(bound * (1.0 + over), inf))
        assert not within_buffers(state, policy, equity_money=bound - 1e-6 * (abs(bound) + balance + 100_000.0))


def test_an_entry_must_survive_all_stops_with_a_gap() -> None:
    def passes(money: float | None) -> bool:
        checks = entry_checks(
            account(), POLICY, equity_money=97_000.0, balance_money=97_000.0, all_stops_money=money, lots_after=1.0
        )
        return all(check.passed for check in checks)

    assert passes(1_999.0)
    assert not passes(2_000.0)
    assert not passes(None)


def test_lots_and_best_day() -> None:
    policy = replace(POLICY, lots_max=2.0, best_day_max_fraction=0.3)
    state = account(104_000.0, 104_000.0)
    checks = entry_checks(state, policy, equity_money=106_000.0, balance_money=106_000.0, all_stops_money=0.0, lots_after=2.01)
    assert {check.name: check.passed for check in checks}["funded_lots"] is False
    assert best_day_check(state, policy, balance_money=106_000.0).value == pytest.approx(2 / 6)
    assert not best_day_check(state, policy, balance_money=106_000.0).passed
    assert best_day_check(state, policy, balance_money=105_000.0).passed
    assert best_day_check(account(), policy, balance_money=101_000.0).passed


def test_days_and_transfers_move_the_bases() -> None:
    state = begin_day(account(), POLICY, day_started_utc_ns=2 * DAY, balance_money=103_000.0, equity_money=102_000.0)
    assert (state.best_day_money, state.day_base_money) == (3_000.0, 103_000.0)
    assert begin_day(state, POLICY, day_started_utc_ns=2 * DAY, balance_money=1.0, equity_money=1.0) == state
    moved = shift_prop_firm_bases(state, -10_000.0)
    assert floors(moved) == (pytest.approx(93_000.0 * 0.95), pytest.approx(81_000.0))
