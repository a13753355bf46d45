"""Rules of funded accounts, as parameters: daily and overall loss, trailing or static, with buffers before the breach.

Why: such an account ends with the first breach; the desk must stop short of it, not at it.
Guarantees: every limit is an equity floor in money; the nearest one decides; a payout lowers no overall floor.
Does not: name a firm, or know clocks. Units: money in account currency, shares as fractions.
"""

from __future__ import annotations

from math import inf
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Lots, Money, UtcNs

PropFirmAction = Literal["go", "reduce_only", "close"]
OverallBase = Literal[
    "static",
    "trailing_balance",
    "trailing_equity",
    "trailing_day_end_balance",
    "trailing_day_end_equity",
    "trailing_day_end_greater",
]
"""From the starting balance, or from the highest balance or equity: at any moment, or at the end of a day."""
_NOISE = 1e-9


class PropFirmPolicy(Struct, frozen=True, kw_only=True):
    """The account's rules. A loss in money, where given, replaces the one in percent."""

    day_loss_fraction: float
    """Of what `day_loss_of` says."""
    overall_loss_fraction: float
    """Of what `overall_loss_of` says."""
    day_loss_money: Money | None
    overall_loss_money: Money | None
    day_base: Literal["greater", "balance", "equity"]
    overall_base: OverallBase
    trailing_locks_at_starting_balance: bool
    """A trailing floor stops rising at the starting balance and `trailing_lock_plus_money`."""
    reduce_only_buffer_fraction: float
    close_buffer_fraction: float
    lots_max: Lots
    """0 is no cap."""
    best_day_max_fraction: float
    """1 is no rule."""
    day_loss_of: Literal["base", "starting_balance"] = "base"
    """The daily loss is a share of the day's base or of the starting balance; it is counted from the base either way."""
    overall_loss_of: Literal["starting_balance", "high_water"] = "starting_balance"
    trailing_lock_plus_money: Money = 0.0
    floor_after_payout: Literal["stay", "start"] = "stay"
    """`start`: from the first payout on the overall floor is at least where a trailing one locks."""
    requests_per_day_max: int = 0
    """0 is no rule."""


class PropFirmState(Struct, frozen=True, kw_only=True):
    """All that must survive a restart."""

    starting_balance_money: Money = 0.0
    high_water_money: Money = 0.0
    """Highest figure that a trailing limit follows; a floor takes the starting balance where that is higher."""
    day_started_utc_ns: UtcNs = 0
    day_base_money: Money = 0.0
    day_balance_money: Money = 0.0
    """Balance when the day began."""
    best_day_money: Money = 0.0
    """Best result of a finished day."""
    stated_start_money: Money = 0.0
    """The starting balance that settings stated when it was taken; 0 where the first balance seen was."""
    day_equity_money: Money | None = None
    """Equity when the day began; None where it was not kept."""
    first_day: bool = False
    """The day in which the account was seen first: its base is the starting balance."""
    high_before_day_money: Money | None = None
    """The high water before the last day's end raised it; None where that was not kept."""
    paid_out_money: Money = 0.0
    """All payouts, positive."""


class PropFirmLimit(Struct, frozen=True, kw_only=True):
    """One loss limit: the equity at which it is breached, what is left, and that as a share of what was allowed."""

    name: Literal["funded_day", "funded_overall"]
    floor_money: Money
    left_money: Money
    left_fraction: float


def start(*, starting_balance_money: Money, balance_money: Money) -> PropFirmState:
    """The state of an account seen for the first time; a starting balance of 0 takes the balance seen."""
    first = starting_balance_money or balance_money
    return PropFirmState(starting_balance_money=first, high_water_money=balance_money, stated_start_money=starting_balance_money)


def stated(state: PropFirmState, starting_balance_money: Money) -> PropFirmState:
    """Settings state another starting balance than before: it holds at once. 0 states none."""
    if starting_balance_money in (0.0, state.stated_start_money):
        return state
    return replace(state, starting_balance_money=starting_balance_money, stated_start_money=starting_balance_money)


def begin_day(
    state: PropFirmState, policy: PropFirmPolicy, *, day_started_utc_ns: UtcNs, balance_money: Money, equity_money: Money
) -> PropFirmState:
    """Close the day behind and set the base of the new one; the same day changes nothing."""
    if day_started_utc_ns <= state.day_started_utc_ns:
        return state
    first = not state.day_started_utc_ns
    begun = replace(
        state,
        day_started_utc_ns=day_started_utc_ns,
        day_base_money=_day_base_money(policy, balance_money, equity_money),
        day_balance_money=balance_money,
        day_equity_money=equity_money,
        best_day_money=state.best_day_money if first else max(state.best_day_money, balance_money - state.day_balance_money),
        first_day=first,
        high_before_day_money=state.high_water_money,
    )
    if first:  # an account that is first seen above its start may be older, and then its day began higher
        return replace(begun, day_base_money=max(begun.day_base_money, state.starting_balance_money))
    return _day_end_seen(begun, policy)


def _day_end_seen(state: PropFirmState, policy: PropFirmPolicy) -> PropFirmState:
    """Raise the high water by what the day behind ended with, where the limit follows that."""
    seen = _day_end_money(state, policy)
    if seen is None or state.high_before_day_money is None or state.first_day:
        return state
    return replace(state, high_water_money=max(state.high_before_day_money, seen))


def _day_end_money(state: PropFirmState, policy: PropFirmPolicy) -> Money | None:
    balance = state.day_balance_money
    equity = balance if state.day_equity_money is None else state.day_equity_money
    if policy.overall_base == "trailing_day_end_balance":
        return balance
    if policy.overall_base == "trailing_day_end_equity":
        return equity
    return max(balance, equity) if policy.overall_base == "trailing_day_end_greater" else None


def _day_base_money(policy: PropFirmPolicy, balance_money: Money, equity_money: Money) -> Money:
    if policy.day_base == "balance":
        return balance_money
    return equity_money if policy.day_base == "equity" else max(balance_money, equity_money)


def dated_before(state: PropFirmState, policy: PropFirmPolicy, money: Money, *, seen_money: Money = 0.0) -> PropFirmState:
    """A deal from before the day's start comes late: the day began with its money, not with `seen_money` that floated then."""
    if state.day_equity_money is None:
        return state
    balance, equity = state.day_balance_money + money, state.day_equity_money + money - seen_money
    moved = state.day_base_money - _day_base_money(policy, state.day_balance_money, state.day_equity_money)
    base = state.day_base_money if state.first_day else _day_base_money(policy, balance, equity) + moved
    dated = replace(state, day_balance_money=balance, day_equity_money=equity, day_base_money=base)
    return _day_end_seen(dated, policy)


def raise_high_water(state: PropFirmState, policy: PropFirmPolicy, *, balance_money: Money, equity_money: Money) -> PropFirmState:
    """Raise the high-water mark of a limit that trails at any moment."""
    if policy.overall_base == "trailing_balance":
        seen = balance_money
    elif policy.overall_base == "trailing_equity":
        seen = equity_money
    else:
        return state
    return replace(state, high_water_money=seen) if seen > state.high_water_money else state


def shift_prop_firm_bases(state: PropFirmState, amount_money: Money) -> PropFirmState:
    """A deposit, or a withdrawal that is no payout, moves every base by its amount."""
    return start_moved(_day_moved(state, amount_money), amount_money)


def start_moved(state: PropFirmState, amount_money: Money) -> PropFirmState:
    """The firm made the account larger or smaller: the overall floor moves with it."""
    before = state.high_before_day_money
    return replace(
        state,
        starting_balance_money=state.starting_balance_money + amount_money,
        high_water_money=state.high_water_money + amount_money,
        high_before_day_money=None if before is None else before + amount_money,
    )


def withdrawn(state: PropFirmState, policy: PropFirmPolicy, amount_money: Money, *, dated_utc_ns: UtcNs) -> PropFirmState:
    """Money leaves (`amount_money` is negative): no loss of the day, and no overall floor falls.

    What is dated before the day's start and reported late was no part of what the day behind ended with.
    """
    moved = _day_moved(state, amount_money)
    return _day_end_seen(moved, policy) if dated_utc_ns < state.day_started_utc_ns else moved


def paid_out(state: PropFirmState, amount_money: Money) -> PropFirmState:
    """Money that was withdrawn (`amount_money` is negative) is a payout."""
    return replace(state, paid_out_money=state.paid_out_money - amount_money)


def credit_moved(state: PropFirmState, policy: PropFirmPolicy, amount_money: Money, *, dated_utc_ns: UtcNs) -> PropFirmState:
    """Credit is equity and no balance: it moves the marks of equity alone. A day begins with what is dated before it."""
    by_equity = policy.overall_base in ("trailing_equity", "trailing_day_end_equity", "trailing_day_end_greater")
    before, shift = state.high_before_day_money, amount_money if by_equity else 0.0
    moved = replace(
        state,
        high_water_money=state.high_water_money + shift,
        high_before_day_money=None if before is None else before + shift,
    )
    if dated_utc_ns < state.day_started_utc_ns:
        return dated_before(moved, policy, 0.0, seen_money=-amount_money)
    return replace(moved, day_base_money=moved.day_base_money + (0.0 if policy.day_base == "balance" else amount_money))


def _day_moved(state: PropFirmState, amount_money: Money) -> PropFirmState:
    """Money that is no result comes or goes within the day."""
    return replace(
        state,
        day_base_money=state.day_base_money + amount_money,
        day_balance_money=state.day_balance_money + amount_money,
        day_equity_money=None if state.day_equity_money is None else state.day_equity_money + amount_money,
    )


def limits(state: PropFirmState, policy: PropFirmPolicy, *, equity_money: Money) -> tuple[PropFirmLimit, PropFirmLimit]:
    """The daily and the overall limit as they are at this equity."""
    day_floor, day, overall_floor, overall = _floors(state, policy)
    return (
        _limit("funded_day", day_floor, day, equity_money),
        _limit("funded_overall", overall_floor, overall, equity_money),
    )


def _floors(state: PropFirmState, policy: PropFirmPolicy) -> tuple[Money, Money, Money, Money]:
    """Where the daily limit is breached and the loss that it allows, and the same of the overall one."""
    start, day_base = state.starting_balance_money, state.day_base_money
    high = start if policy.overall_base == "static" else max(state.high_water_money, start)
    day, overall = policy.day_loss_money, policy.overall_loss_money
    if day is None:
        day = policy.day_loss_fraction * (start if policy.day_loss_of == "starting_balance" else day_base)
    if overall is None:
        overall = policy.overall_loss_fraction * (high if policy.overall_loss_of == "high_water" else start)
    floor, lock = high - overall, start + policy.trailing_lock_plus_money
    if policy.overall_base != "static" and policy.trailing_locks_at_starting_balance:
        floor = min(floor, lock)
    if policy.floor_after_payout == "start" and state.paid_out_money > 0.0:
        floor = max(floor, lock)
    return day_base - day, day, floor, overall


def _left_fraction(floor_money: Money, allowed: Money, equity_money: Money) -> float:
    return (equity_money - floor_money) / allowed if allowed > 0.0 else 0.0


def _limit(
    name: Literal["funded_day", "funded_overall"], floor_money: Money, allowed: Money, equity_money: Money
) -> PropFirmLimit:
    share = _left_fraction(floor_money, allowed, equity_money)
    return PropFirmLimit(name=name, floor_money=floor_money, left_money=equity_money - floor_money, left_fraction=share)


def within_buffers(state: PropFirmState, policy: PropFirmPolicy, *, equity_money: Money) -> bool:
    """Whether no limit demands anything at this equity: what `check_limits` calls `go`."""
    buffer = _buffer_fraction(policy)
    day_floor, day, overall_floor, overall = _floors(state, policy)
    if not _left_fraction(day_floor, day, equity_money) > buffer:
        return False
    return _left_fraction(overall_floor, overall, equity_money) > buffer


def check_limits(
    state: PropFirmState, policy: PropFirmPolicy, *, equity_money: Money
) -> tuple[PropFirmAction, tuple[Check, ...]]:
    """What this equity demands: continue, no more entries, or close all; with the share left of each limit."""
    action: PropFirmAction = "go"
    checks = []
    for limit in limits(state, policy, equity_money=equity_money):
        left = limit.left_fraction
        buffer = policy.reduce_only_buffer_fraction
        checks.append(_limit_check(limit, left, buffer, passed=left > buffer))
        if left <= policy.close_buffer_fraction:
            action = "close"
        elif left <= policy.reduce_only_buffer_fraction and action == "go":
            action = "reduce_only"
    return action, tuple(checks)


def _limit_check(limit: PropFirmLimit, value: float | None, threshold: float, *, passed: bool) -> Check:
    return Check(limit.name, value, threshold, passed, f"breached at equity {limit.floor_money:.2f}, {limit.left_money:.2f} left")


def entry_checks(
    state: PropFirmState,
    policy: PropFirmPolicy,
    *,
    equity_money: Money,
    balance_money: Money,
    all_stops_money: Money | None,
    lots_after: Lots,
) -> tuple[Check, ...]:
    """Whether an entry keeps the rules even if everything open and the entry itself gap through their stops.

    `all_stops_money` is the figure of `exposure.all_stops_check` with the candidate in it; `lots_after` all lots with it.
    """
    checks = []
    for limit in limits(state, policy, equity_money=equity_money):
        fits = all_stops_money is not None and all_stops_money < limit.left_money
        checks.append(_limit_check(limit, all_stops_money, limit.left_money, passed=fits))
    if policy.lots_max > 0.0:
        checks.append(Check("funded_lots", lots_after, policy.lots_max, lots_after <= policy.lots_max + 1e-9))
    if policy.best_day_max_fraction < 1.0:
        checks.append(best_day_check(state, policy, balance_money=balance_money))
    return tuple(checks)


def best_day_check(state: PropFirmState, policy: PropFirmPolicy, *, balance_money: Money) -> Check:
    """Whether today's closed profit is still a small enough share of all profit; without a profit there is nothing to share."""
    total = balance_money + state.paid_out_money - state.starting_balance_money
    today = balance_money - state.day_balance_money
    if total <= 0.0 or today <= 0.0 or total <= today:
        return Check("funded_best_day", None, policy.best_day_max_fraction, True, "nothing to share yet")
    share = today / total
    return Check(
        "funded_best_day",
        share,
        policy.best_day_max_fraction,
        share < policy.best_day_max_fraction,
        f"today {today:.2f} of {total:.2f}, best day before {state.best_day_money:.2f}",
    )


def quiet_above_money(state: PropFirmState, policy: PropFirmPolicy) -> Money:
    """Equity above which an account is `within_buffers` for certain: a little more than it takes, so that no rounding counts."""
    buffer = _buffer_fraction(policy)
    day_floor, day, overall_floor, overall = _floors(state, policy)
    if day <= 0.0 or overall <= 0.0:
        return inf
    return max(
        day_floor + buffer * day + _NOISE * (abs(day_floor) + day),
        overall_floor + buffer * overall + _NOISE * (abs(overall_floor) + overall),
    )


def _buffer_fraction(policy: PropFirmPolicy) -> float:
    """The part of a limit that must be left for nothing to be demanded."""
    return max(policy.reduce_only_buffer_fraction, policy.close_buffer_fraction)
