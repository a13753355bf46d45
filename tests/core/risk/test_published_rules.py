"""Six firms' published rules with their own worked examples (docs/funded_accounts.md has the table), through the settings."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from quarterdeck.core.desk.context import account_policy
from quarterdeck.core.risk import prop_firm
from quarterdeck.core.risk.prop_firm import PropFirmPolicy, PropFirmState
from quarterdeck.core.settings.settings_loader import shipped_settings

DAY = 86_400_000_000_000


class Day(NamedTuple):
    """A new day begins with this balance and equity; the floors of the day and of the account."""

    balance: float
    equity: float
    day_floor: float | None = None
    overall_floor: float | None = None


class Seen(NamedTuple):
    """Balance and equity within the day; the overall floor after them."""

    balance: float
    equity: float
    overall_floor: float


class Payout(NamedTuple):
    """So much is paid out; the overall floor after it."""

    amount: float
    overall_floor: float


class Firm(NamedTuple):
    """Rules as settings and the published examples, each from the account's first day at its starting balance."""

    rules: dict[str, object]
    examples: tuple[tuple[Day | Seen | Payout, ...], ...]


NO_DAY_RULE: dict[str, object] = {"day_loss_pct": 100.0, "day_loss_of": "starting_balance"}
FIRMS = {
    "a: static, day's greater figure less a share of the start": Firm(
        {
            "day_loss_pct": 4.0, "day_loss_of": "starting_balance", "day_base": "greater", "overall_loss_pct": 10.0,
            "day_zone": "America/New_York", "day_start": "17:00",
        },
        (
            (Day(50_000, 50_000, 48_000, 45_000), Day(50_000, 51_000, 49_000)),
            (Day(50_000, 50_000), Day(50_000, 49_000, 48_000, 45_000)),
        ),
    ),
    "b: share of the day's balance, floating profit aside": Firm(
        {"day_loss_pct": 5.0, "day_base": "balance", "day_zone": "America/New_York", "day_start": "17:00"},
        (
            (Day(100_000, 100_000, 95_000),),
            (Day(100_000, 100_000), Day(100_000, 106_000, 95_000)),
            (Day(100_000, 100_000), Day(105_000, 105_000, 99_750)),
        ),
    ),
    "c: greater of balance and equity at midnight in central Europe": Firm(
        {"day_loss_pct": 3.0, "day_base": "greater", "day_zone": "Europe/Prague", "day_start": "00:00"},
        (
            (Day(100_000, 100_000), Day(100_000, 102_000, 98_940)),
            (Day(100_000, 100_000), Day(100_000, 98_000, 97_000)),
        ),
    ),
    "d: trails the highest balance, share of it, locks at the start": Firm(
        {
            "day_loss_pct": 3.0, "day_base": "balance", "overall_loss_pct": 6.0, "overall_loss_of": "high_water",
            "overall_base": "trailing_balance", "trailing_locks_at_starting_balance": True,
        },
        (
            (
                Day(100_000, 100_000, 97_000, 94_000),
                Seen(103_000, 104_500, 96_820),
                Day(102_000, 102_000, 98_940, 96_820),
                Seen(108_000, 108_000, 100_000),
                Seen(110_000, 110_000, 100_000),
            ),
        ),
    ),
    "e: trails intraday equity by money, locks a little above the start": Firm(
        {
            **NO_DAY_RULE, "overall_loss_money": 2_500.0, "overall_base": "trailing_equity", "trailing_lock_plus_money": 100.0,
        },
        (
            (Day(50_000, 50_000, None, 47_500), Seen(50_000, 51_000, 48_500), Seen(50_000, 50_200, 48_500)),
            (Day(50_000, 50_000), Seen(50_000, 52_600, 50_100), Seen(56_000, 56_000, 50_100)),
        ),
    ),
    "f: trails end-of-day balance by money, locks, and rises by a payout": Firm(
        {
            **NO_DAY_RULE, "overall_loss_money": 3_500.0, "overall_base": "trailing_day_end_balance",
            "trailing_lock_plus_money": 100.0, "floor_after_payout": "start",
        },
        (
            (
                Day(100_000, 100_000, None, 96_500),
                Seen(101_400, 101_900, 96_500),
                Day(101_000, 101_000, None, 97_500),
                Day(102_300, 102_300, None, 98_800),
                Day(103_600, 103_600, None, 100_100),
                Day(105_600, 105_600, None, 100_100),
            ),
            (Day(50_000, 50_000), Payout(1_000, 50_100)),
        ),
    ),
}  # fmt: skip


def policy_of(firm: Firm) -> PropFirmPolicy:
    return account_policy(shipped_settings(*((f"prop_firm.{key}", value) for key, value in firm.rules.items()))).prop_firm


def floors(state: PropFirmState, policy: PropFirmPolicy) -> tuple[float, float]:
    day, overall = prop_firm.limits(state, policy, equity_money=0.0)
    return day.floor_money, overall.floor_money


@pytest.mark.parametrize("name", FIRMS)
def test_published_examples_give_the_firms_own_floors(name: str) -> None:
    firm = FIRMS[name]
    policy = policy_of(firm)
    for example in firm.examples:
        state, started = prop_firm.start(starting_balance_money=0.0, balance_money=example[0].balance), 0
        for step in example:
            if isinstance(step, Payout):
                state = prop_firm.withdrawn(state, policy, -step.amount, dated_utc_ns=started)
                state = prop_firm.paid_out(state, -step.amount)
            elif isinstance(step, Day):
                started += DAY
                state = prop_firm.begin_day(
                    state, policy, day_started_utc_ns=started, balance_money=step.balance, equity_money=step.equity
                )
            if not isinstance(step, Payout):
                state = prop_firm.raise_high_water(state, policy, balance_money=step.balance, equity_money=step.equity)
            day, overall = floors(state, policy)
            if isinstance(step, Day) and step.day_floor is not None:
                assert day == pytest.approx(step.day_floor), step
            if step.overall_floor is not None:
                assert overall == pytest.approx(step.overall_floor), step


@pytest.mark.parametrize(
    ("rules", "high", "floor"),
    [
        ({"overall_base": "trailing_day_end_equity"}, (101_000, 103_000), 97_000),
        ({"overall_base": "trailing_day_end_greater"}, (103_500, 101_000), 97_500),
        ({"overall_base": "trailing_day_end_balance", "trailing_locks_at_starting_balance": False}, (109_000, 109_000), 103_000),
        ({"overall_base": "trailing_day_end_balance"}, (109_000, 109_000), 100_000),
    ],
)
def test_only_the_day_end_raises_the_floor(rules: dict[str, object], high: tuple[float, float], floor: float) -> None:
    policy = policy_of(Firm({"overall_loss_pct": 6.0, **rules}, ()))
    state = prop_firm.start(starting_balance_money=100_000.0, balance_money=100_000.0)
    for number, (balance, equity) in enumerate(((100_000.0, 100_000.0), high, (99_000.0, 99_000.0)), 1):
        state = prop_firm.begin_day(state, policy, day_started_utc_ns=number * DAY, balance_money=balance, equity_money=equity)
        state = prop_firm.raise_high_water(state, policy, balance_money=120_000.0, equity_money=120_000.0)
    assert floors(state, policy)[1] == pytest.approx(floor)


@pytest.mark.parametrize("base", ["static", "trailing_balance", "trailing_equity", "trailing_day_end_balance"])
@pytest.mark.parametrize("after", ["stay", "start"])
def test_a_payout_lowers_no_floor(base: str, after: str) -> None:
    policy = policy_of(Firm({"overall_base": base, "floor_after_payout": after}, ()))
    state = prop_firm.start(starting_balance_money=100_000.0, balance_money=100_000.0)
    state = prop_firm.begin_day(state, policy, day_started_utc_ns=DAY, balance_money=100_000.0, equity_money=100_000.0)
    state = prop_firm.begin_day(state, policy, day_started_utc_ns=2 * DAY, balance_money=106_000.0, equity_money=106_000.0)
    state = prop_firm.raise_high_water(state, policy, balance_money=106_000.0, equity_money=106_000.0)
    day, overall = floors(state, policy)
    paid = prop_firm.withdrawn(state, policy, -4_000.0, dated_utc_ns=2 * DAY)
    paid = prop_firm.paid_out(paid, -4_000.0)
    assert floors(paid, policy) == pytest.approx((day - 4_000.0 * 0.95, 100_000.0 if after == "start" else overall))
    assert prop_firm.best_day_check(paid, policy, balance_money=102_000.0).note == (
        prop_firm.best_day_check(state, policy, balance_money=106_000.0).note
    )
    smaller = prop_firm.start_moved(prop_firm.withdrawn(state, policy, -4_000.0, dated_utc_ns=2 * DAY), -4_000.0)
    assert smaller == prop_firm.shift_prop_firm_bases(state, -4_000.0)


def test_credit_moves_no_floor_of_the_balance() -> None:
    policy = policy_of(Firm({"overall_base": "static", "day_base": "balance"}, ()))
    state = prop_firm.start(starting_balance_money=100_000.0, balance_money=100_000.0)
    state = prop_firm.begin_day(state, policy, day_started_utc_ns=DAY, balance_money=100_000.0, equity_money=100_000.0)
    assert floors(prop_firm.credit_moved(state, policy, -2_000.0, dated_utc_ns=state.day_started_utc_ns), policy) == floors(
        state, policy
    )
    assert (
        prop_firm.credit_moved(state, policy, -2_000.0, dated_utc_ns=state.day_started_utc_ns).day_balance_money
        == state.day_balance_money
    )


def test_a_stated_start_that_was_a_mistake_leaves_no_mark() -> None:
    policy = policy_of(Firm({"overall_base": "trailing_balance"}, ()))
    state = prop_firm.start(starting_balance_money=1_000_000.0, balance_money=101_000.0)
    assert floors(state, policy)[1] == pytest.approx(900_000.0)
    assert floors(prop_firm.stated(state, 100_000.0), policy)[1] == pytest.approx(91_000.0)
