"""Breakers: what stops entries for the day, or until the operator says otherwise.

Why: a desk that continues after a bad morning turns a loss into a ruin.
Promises: a trip stays until its own way back: the day's start, or the operator; deposits and withdrawals are no results.
Does not: know positions, orders or clocks; equity, counts and the day's start come in. State goes in and comes back.
Units: money in account currency, shares as fractions, results in R, instants UTC ns.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Money, UtcNs

ResetRule = Literal["day", "operator", "itself"]
"""How a breaker comes back: at the day's start, by the operator's decision, or when its figure is good again."""
_EMPTY_MONEY = 1e-6
"""Equity under which an account holds no money, and a share of it means nothing."""


class BreakerPolicy(Struct, frozen=True, kw_only=True):
    """The operator's limits."""

    day_loss_max_fraction: float
    drawdown_max_fraction: float
    consecutive_losses_max: int
    scratch_r: float
    """Results nearer to zero than this neither break nor lengthen a run."""
    entries_per_day_max: int
    positions_max: int
    positions_per_pair_max: int
    margin_level_min_pct: float


class BreakerTrip(Struct, frozen=True, kw_only=True):
    """A breaker that has gone off, with the figure that did it."""

    name: Literal["day_loss", "drawdown", "losses_in_row", "entries"]
    since_utc_ns: UtcNs
    value: float
    threshold: float
    resets_by: ResetRule


class BreakerState(Struct, frozen=True, kw_only=True):
    """All that must survive a restart. Made empty; `begin_day` gives it its first base and peak."""

    day_started_utc_ns: UtcNs = 0
    day_base_money: Money = 0.0
    """The greater of balance and equity when the day began, scaled by transfers since."""
    peak_money: Money = 0.0
    consecutive_losses: int = 0
    entries_today: int = 0
    trips: tuple[BreakerTrip, ...] = ()
    day_equity_money: Money | None = None
    """Equity when the day began; None where it was not kept."""
    day_balance_money: Money | None = None
    """Balance when the day began; None where it was not kept."""
    day_scale: float = 1.0
    """By how much transfers and income scaled the day's base since."""
    day_error_money: Money = 0.0
    """How far off `day_equity_money` may be, reconstructed from bars because nobody saw the day begin; 0 where it was seen."""
    day_moved_money: Money = 0.0
    """Transfers, credit and income since then: equity that no trade made."""
    empty_base_x: float = 0.0
    empty_peak_x: float = 0.0
    """Base and peak as multiples of equity before a withdrawal of everything; 0 while there is money."""

    def day_result_money(self, equity_money: Money) -> Money:
        """What the day brought in money, transfers and income aside; adds up over days."""
        if self.day_equity_money is None:
            return -self.day_loss_money(equity_money)
        return equity_money - self.day_equity_money - self.day_moved_money

    def day_loss_money(self, equity_money: Money) -> Money:
        """Loss since the day's base; negative is a gain."""
        return self.day_base_money - equity_money

    def drawdown_fraction(self, equity_money: Money) -> float:
        """Equity under its peak, as a share of the peak."""
        return max(1.0 - equity_money / self.peak_money, 0.0) if self.peak_money > 0.0 else 0.0


class BreakerStatus(Struct, frozen=True, kw_only=True):
    """One breaker for a screen: its figure, its limit, and since when and how it comes back."""

    name: str
    value: float
    threshold: float
    tripped: bool
    since_utc_ns: UtcNs
    """0 while it has not tripped."""
    rearm: ResetRule
    distance: float
    """How much more it takes, in the figure's own unit; 0 or less when it is reached."""


def begin_day(
    state: BreakerState, *, day_started_utc_ns: UtcNs, balance_money: Money, equity_money: Money, error_money: Money = 0.0
) -> BreakerState:
    """The state of a new day: base, entries and runs afresh, trips that reset by day gone; the same day changes nothing."""
    if day_started_utc_ns <= state.day_started_utc_ns:
        return state
    return replace(
        state,
        day_started_utc_ns=day_started_utc_ns,
        day_base_money=max(balance_money, equity_money),
        peak_money=max(state.peak_money, equity_money),
        consecutive_losses=0,
        entries_today=0,
        day_equity_money=equity_money,
        day_balance_money=balance_money,
        day_scale=1.0,
        day_error_money=error_money,
        day_moved_money=0.0,
        empty_base_x=min(state.empty_base_x, 1.0),
        trips=tuple(trip for trip in state.trips if trip.resets_by != "day"),
    )


def shift_bases(state: BreakerState, amount_money: Money, *, equity_money: Money) -> BreakerState:
    """A deposit, withdrawal or change of credit at an equity of `equity_money` before it: it changes no percentage.

    Base and peak are scaled by equity after / equity before; after a withdrawal of everything, with the next deposit.
    """
    after = equity_money + amount_money
    moved = state.day_moved_money + amount_money
    if equity_money > _EMPTY_MONEY and after > _EMPTY_MONEY:
        scale = after / equity_money
        return replace(
            state,
            day_base_money=state.day_base_money * scale,
            peak_money=state.peak_money * scale,
            day_scale=state.day_scale * scale,
            day_moved_money=moved,
        )
    if equity_money > _EMPTY_MONEY:
        return replace(
            state,
            day_base_money=0.0,
            peak_money=0.0,
            day_moved_money=moved,
            empty_base_x=state.day_base_money / equity_money,
            empty_peak_x=state.peak_money / equity_money,
        )
    if after <= _EMPTY_MONEY:
        return replace(state, day_moved_money=moved)
    return replace(
        state,
        day_base_money=after * (state.empty_base_x or 1.0),
        peak_money=after * (state.empty_peak_x or 1.0),
        day_moved_money=moved,
        empty_base_x=0.0,
        empty_peak_x=0.0,
    )


def income(state: BreakerState, amount_money: Money, *, equity_money: Money) -> BreakerState:
    """Money that no trade earned, at an equity of `equity_money` before it: the day's loss stays the share that it was."""
    scale = (equity_money + amount_money) / equity_money if equity_money > _EMPTY_MONEY else 1.0
    return replace(
        state,
        day_base_money=state.day_base_money * scale,
        day_scale=state.day_scale * scale,
        day_moved_money=state.day_moved_money + amount_money,
    )


def dated_before(state: BreakerState, money: Money, *, seen_money: Money = 0.0) -> BreakerState:
    """A deal from before the day's start comes late: the day began with its money, not with `seen_money` that floated then."""
    if state.day_balance_money is None or state.day_equity_money is None or state.empty_base_x:
        return state
    balance, equity = state.day_balance_money + money, state.day_equity_money + money - seen_money
    return replace(
        state,
        day_balance_money=balance,
        day_equity_money=equity,
        day_base_money=max(balance, equity) * state.day_scale,
    )


def with_day_of(state: BreakerState, other: BreakerState) -> BreakerState:
    """`state` with the day's own figures of `other`."""
    return replace(
        state,
        day_base_money=other.day_base_money,
        day_balance_money=other.day_balance_money,
        day_equity_money=other.day_equity_money,
        day_scale=other.day_scale,
        day_moved_money=other.day_moved_money,
    )


def judged_again(state: BreakerState, policy: BreakerPolicy, *, equity_money: Money) -> BreakerState:
    """Take back the trips of equity that do not hold any more, because money that made them was no result."""
    reached = {name for name, value, threshold, _ in _figures(state, policy, equity_money) if _reached(value, threshold)}
    return replace(
        state, trips=tuple(trip for trip in state.trips if trip.name not in ("day_loss", "drawdown") or trip.name in reached)
    )


def trade_closed(state: BreakerState, *, result_r: float, scratch_r: float) -> BreakerState:
    """Lengthen or break the run of losses."""
    if abs(result_r) < scratch_r:
        return state
    return replace(state, consecutive_losses=state.consecutive_losses + 1 if result_r < 0.0 else 0)


def count_entry(state: BreakerState) -> BreakerState:
    """Count an entry of the day."""
    return replace(state, entries_today=state.entries_today + 1)


def reset_drawdown_peak(state: BreakerState, *, equity_money: Money) -> BreakerState:
    """The operator accepts the drawdown: the peak starts again from this equity."""
    return replace(state, peak_money=max(equity_money, 0.0), trips=tuple(trip for trip in state.trips if trip.name != "drawdown"))


def peak_seen(state: BreakerState, equity_money: Money) -> BreakerState:
    """Raise the peak, judging nothing."""
    return replace(state, peak_money=equity_money) if equity_money > state.peak_money else state


def check_breakers(
    state: BreakerState, policy: BreakerPolicy, *, at_utc_ns: UtcNs, equity_money: Money
) -> tuple[BreakerState, tuple[BreakerTrip, ...]]:
    """Raise the peak, trip what is reached, and return the new state with the trips that are new."""
    state = peak_seen(state, equity_money)
    standing = tuple(trip.name for trip in state.trips)
    new = tuple(
        BreakerTrip(name=name, since_utc_ns=at_utc_ns, value=value, threshold=threshold, resets_by=rearm)
        for name, value, threshold, rearm in _figures(state, policy, equity_money)
        if name not in standing and _reached(value, threshold)
    )
    return (replace(state, trips=state.trips + new) if new else state), new


def _figures(
    state: BreakerState, policy: BreakerPolicy, equity_money: Money
) -> tuple[tuple[Literal["day_loss", "drawdown", "losses_in_row", "entries"], float, float, ResetRule], ...]:
    base = state.day_base_money
    day_loss = state.day_loss_money(equity_money) / base if base > 0.0 else 0.0
    return (
        ("day_loss", day_loss, policy.day_loss_max_fraction, "day"),
        ("drawdown", state.drawdown_fraction(equity_money), policy.drawdown_max_fraction, "operator"),
        ("losses_in_row", float(state.consecutive_losses), float(policy.consecutive_losses_max), "day"),
        ("entries", float(state.entries_today), float(policy.entries_per_day_max), "day"),
    )


def _reached(value: float, threshold: float) -> bool:
    """A tenth that floats hold as 0.0999999999 is a tenth."""
    return value >= threshold - 1e-9


def day_limit_money(state: BreakerState, policy: BreakerPolicy) -> Money:
    """The loss at which the day ends, for `open_risk.day_room_check`."""
    return max(state.day_base_money, 0.0) * policy.day_loss_max_fraction


def entry_checks(
    state: BreakerState,
    policy: BreakerPolicy,
    *,
    equity_money: Money,
    positions: int,
    pair_positions: int,
    entries_reserved: int,
    margin_level_pct: float | None,
) -> tuple[Check, ...]:
    """Every breaker asked before an entry. Counts include reservations but not the candidate; no margin in use is None."""
    tripped = {trip.name: trip for trip in state.trips}
    checks = []
    for name, value, threshold, rearm in _figures(state, policy, equity_money):
        counted = value + entries_reserved if name == "entries" else value
        passed = name not in tripped and not _reached(counted, threshold) and state.day_base_money > 0.0
        checks.append(Check(name, counted, threshold, passed, _comes_back(rearm) if not passed else ""))
    checks.append(counted_check("positions", positions, policy.positions_max))
    checks.append(counted_check("pair_positions", pair_positions, policy.positions_per_pair_max))
    margin_fits = margin_level_pct is None or margin_level_pct >= policy.margin_level_min_pct
    checks.append(Check("margin_level", margin_level_pct, policy.margin_level_min_pct, margin_fits))
    return tuple(checks)


def counted_check(name: str, count: int, most: int) -> Check:
    """Whether there is a place for one more."""
    return Check(name, float(count + 1), float(most), count < most)


def _comes_back(rearm: ResetRule) -> str:
    if rearm == "day":
        return "comes back at the day's start"
    return "comes back by the operator's decision" if rearm == "operator" else "comes back by itself"


def breaker_views(
    state: BreakerState, policy: BreakerPolicy, *, equity_money: Money, positions: int, margin_level_pct: float | None
) -> tuple[BreakerStatus, ...]:
    """All breakers with their distance, for screens and `status`."""
    tripped = {trip.name: trip for trip in state.trips}
    views = []
    for name, value, threshold, rearm in _figures(state, policy, equity_money):
        trip = tripped.get(name)
        views.append(
            BreakerStatus(
                name=name,
                value=value,
                threshold=threshold,
                tripped=trip is not None,
                since_utc_ns=trip.since_utc_ns if trip else 0,
                rearm=rearm,
                distance=threshold - value,
            )
        )
    room = float(policy.positions_max - positions)
    views.append(_by_itself("positions", float(positions), float(policy.positions_max), room))
    if margin_level_pct is not None:
        room = margin_level_pct - policy.margin_level_min_pct
        views.append(_by_itself("margin_level", margin_level_pct, policy.margin_level_min_pct, room))
    return tuple(views)


def _by_itself(name: str, value: float, threshold: float, distance: float) -> BreakerStatus:
    tripped = distance < 0.0 if name == "margin_level" else distance <= 0.0
    return BreakerStatus(
        name=name, value=value, threshold=threshold, tripped=tripped, since_utc_ns=0, rearm="itself", distance=distance
    )
