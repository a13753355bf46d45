"""Breakers and rules of the account, asked at every change of equity: trips become reasons of the trading state.

Promises: a trip stands until its own way back; base, peak and trips are part of the state and survive restarts; deposits and
withdrawals are no results. Does not: hold the formulas (`core.risk.breakers`, `core.risk.prop_firm`).
Units: money in account currency, shares as fractions.
"""

from __future__ import annotations

from math import inf

from quarterdeck.core.clock.time_zones import day_started, next_local_time
from quarterdeck.core.desk.context import Context, QuietEquityBand
from quarterdeck.core.desk.memory_limits import RESULTS_MAX, trim_list
from quarterdeck.core.desk.open_exposure import open_risk
from quarterdeck.core.desk.trading_state import add_reason, drop_reason
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.effects import Alert, EquityMarked
from quarterdeck.core.model.units import Money, UtcNs
from quarterdeck.core.risk import breakers, prop_firm

_NOISE = 1e-9
_REASONS = ("day_loss", "drawdown", "losses_in_row", "entries")


def begin_account(ctx: Context) -> None:
    """The account is known for the first time: its day, base and peak begin."""
    state, policy = ctx.state, ctx.account_policy
    worth = _worth(ctx)
    started = day_started(ctx.now, policy.day_zone, policy.day_start_s)
    state.breakers = breakers.begin_day(
        state.breakers, day_started_utc_ns=started, balance_money=state.balance_money, equity_money=worth
    )
    start_money = ctx.settings.prop_firm.starting_balance_money
    state.prop_firm = prop_firm.start(starting_balance_money=start_money, balance_money=state.balance_money)
    state.day_end_utc_ns = next_local_time(ctx.now, policy.day_zone, policy.day_start_s)
    _begin_funded_day(ctx, worth)


def _begin_funded_day(ctx: Context, worth: Money) -> None:
    """The funded account's day runs by its own zone and hour."""
    state, policy = ctx.state, ctx.account_policy
    state.prop_firm = prop_firm.begin_day(
        state.prop_firm,
        policy.prop_firm,
        day_started_utc_ns=day_started(ctx.now, policy.prop_firm_day_zone, policy.prop_firm_day_start_s),
        balance_money=state.balance_money,
        equity_money=worth,
    )
    state.prop_firm_day_end_utc_ns = next_local_time(ctx.now, policy.prop_firm_day_zone, policy.prop_firm_day_start_s)
    ctx.wake_changed = True


def next_due(ctx: Context) -> UtcNs:
    """When the next day begins, the account's or the funded account's own; 0 before the first."""
    state = ctx.state
    return min(state.day_end_utc_ns, state.prop_firm_day_end_utc_ns or state.day_end_utc_ns)


def roll_day(ctx: Context) -> None:
    """Begin the account's new day, and the funded account's, each if it is time."""
    state = ctx.state
    if not state.day_end_utc_ns or ctx.now < next_due(ctx) or "starting" in state.reasons:
        return
    account_day = ctx.now >= state.day_end_utc_ns
    if ctx.now >= (state.prop_firm_day_end_utc_ns or state.day_end_utc_ns):
        _begin_funded_day(ctx, _worth(ctx))
        drop_reason(ctx, "funded_close", "funded_close: a new day began")
        if not account_day:
            check_equity(ctx)
    if account_day:
        _roll_account_day(ctx)


def _roll_account_day(ctx: Context) -> None:
    state, policy = ctx.state, ctx.account_policy
    worth = _worth(ctx)
    record_equity(ctx)
    _tell_summary(ctx, worth)
    started = day_started(ctx.now, policy.day_zone, policy.day_start_s)
    state.breakers = breakers.begin_day(
        state.breakers, day_started_utc_ns=started, balance_money=state.balance_money, equity_money=worth
    )
    state.day_end_utc_ns = next_local_time(ctx.now, policy.day_zone, policy.day_start_s)
    state.trades_today = 0
    ctx.wake_changed = True
    standing = [trip.name for trip in state.breakers.trips]
    for name in _REASONS:
        if name not in standing:
            drop_reason(ctx, name, f"{name}: a new day began")
    check_equity(ctx)


def _worth(ctx: Context) -> Money:
    equity = ctx.state.equity_money
    return ctx.state.balance_money if equity is None else equity


def _tell_summary(ctx: Context, worth: Money) -> None:
    state = ctx.state
    if not ctx.settings.alerts.daily_summary:
        return
    result = worth - state.breakers.day_base_money
    text = (
        f"day over: result {result:+.2f}, equity {worth:.2f}, entries {state.breakers.entries_today}, trades {state.trades_today}"
    )
    ctx.emit(Alert(kind="summary", level="info", text=text))


def check_equity(ctx: Context) -> None:
    """Judge the equity as it is now; cheap while nothing is reached."""
    state = ctx.state
    equity = state.equity_money
    if equity is None or not state.day_end_utc_ns:
        return
    if "funded" not in state.reasons and equity_in_quiet_band(ctx, equity):
        return
    if equity > state.breakers.peak_money or floor_reached(ctx, equity):
        _judge(ctx, equity)
    if ctx.settings.prop_firm.enabled:
        _judge_funded(ctx, equity)


def equity_in_quiet_band(ctx: Context, equity: Money) -> bool:
    """Whether equity is surely above all floors and buffers and under all marks: most quotes end here."""
    state, known = ctx.state, ctx.quiet_band
    if (
        known is None
        or known.breakers is not state.breakers
        or known.funded is not state.prop_firm
        or known.policy is not ctx.account_policy
        or known.balance_money != state.balance_money
    ):
        known = ctx.quiet_band = _untouched(ctx)
    return known.above_money < equity <= known.most_money


def _untouched(ctx: Context) -> QuietEquityBand:
    state, policy = ctx.state, ctx.account_policy
    above, most = max(_floors(ctx)) * (1.0 + _NOISE), state.breakers.peak_money
    if ctx.settings.prop_firm.enabled:
        above = max(above, prop_firm.quiet_above_money(state.prop_firm, policy.prop_firm))
        if policy.prop_firm.overall_base == "trailing_equity":
            most = min(most, state.prop_firm.high_water_money)
        elif policy.prop_firm.overall_base == "trailing_balance" and state.balance_money > state.prop_firm.high_water_money:
            most = -inf
    return QuietEquityBand(above, most, state.breakers, state.prop_firm, policy, state.balance_money)


def _floors(ctx: Context) -> tuple[Money, Money]:
    """The equity at which the day's loss trips, and that of the drawdown."""
    held, policy = ctx.state.breakers, ctx.account_policy.breakers
    return held.day_base_money * (1.0 - policy.day_loss_max_fraction), held.peak_money * (1.0 - policy.drawdown_max_fraction)


def floor_reached(ctx: Context, equity: Money) -> bool:
    """Whether equity is down to a floor that has not tripped yet: of the day, or under its peak."""
    held = ctx.state.breakers
    day, peak = _floors(ctx)
    if equity > max(day, peak) * (1.0 + _NOISE):
        return False
    standing = [trip.name for trip in held.trips]
    return ("day_loss" not in standing and equity <= day * (1.0 + _NOISE)) or (
        "drawdown" not in standing and equity <= peak * (1.0 + _NOISE)
    )


def _judge(ctx: Context, equity: Money) -> None:
    state = ctx.state
    state.breakers, new = breakers.check_breakers(
        state.breakers, ctx.account_policy.breakers, at_utc_ns=ctx.now, equity_money=equity
    )
    for trip in new:
        text = f"{trip.name} reached: {_figure(trip)} against {_limit(trip)}, equity {equity:.2f}"
        add_reason(ctx, trip.name, text, alert="")
        ctx.emit(Alert(kind="breaker", level="critical", text=f"{text}. Way back: {state.reasons[trip.name].clears_when}."))
        if ctx.settings.breakers.trip_action == "flatten" and trip.name in ("day_loss", "drawdown"):
            ctx.flatten_requested = "breaker"


def _figure(trip: breakers.BreakerTrip) -> str:
    return f"{trip.value:.2%}" if trip.name in ("day_loss", "drawdown") else f"{trip.value:g}"


def _limit(trip: breakers.BreakerTrip) -> str:
    return f"{trip.threshold:.2%}" if trip.name in ("day_loss", "drawdown") else f"{trip.threshold:g}"


def funded_calm(ctx: Context, equity: Money) -> bool:
    """Raise the funded account's mark; whether its rules demand nothing at this equity."""
    state, policy = ctx.state, ctx.account_policy.prop_firm
    state.prop_firm = prop_firm.raise_high_water(state.prop_firm, policy, balance_money=state.balance_money, equity_money=equity)
    return prop_firm.within_buffers(state.prop_firm, policy, equity_money=equity)


def _judge_funded(ctx: Context, equity: Money) -> None:
    state, policy = ctx.state, ctx.account_policy.prop_firm
    if funded_calm(ctx, equity):
        drop_reason(ctx, "funded")
        return
    action, checks = prop_firm.check_limits(state.prop_firm, policy, equity_money=equity)
    worst = min(checks, key=lambda check: check.value or 0.0)
    text = f"{worst.name}: {worst.value or 0.0:.0%} of the limit left, {worst.note}"
    if action != "close":
        add_reason(ctx, "funded", text)
        return
    if "funded_close" not in state.reasons:
        add_reason(ctx, "funded_close", text, alert="critical")
        ctx.flatten_requested = "funded_rule"
    drop_reason(ctx, "funded")


def settings_changed(ctx: Context) -> None:
    """New limits hold at once; a trip that stands is not taken back by them."""
    if not ctx.settings.prop_firm.enabled:
        drop_reason(ctx, "funded", "funded rules are off")
        drop_reason(ctx, "funded_close", "funded rules are off")
    equity = ctx.state.equity_money
    if equity is not None and ctx.state.day_end_utc_ns:
        _judge(ctx, equity)
        check_equity(ctx)


def entry_made(ctx: Context) -> None:
    """An opening order became a position."""
    ctx.state.breakers = breakers.count_entry(ctx.state.breakers)
    equity = ctx.state.equity_money
    if equity is not None:
        _judge(ctx, equity)


def trade_done(ctx: Context, result_r: float, *, of_strategy: bool) -> None:
    """A trade is over: runs of losses, Kelly's memory where the strategy asked for it, and equity as it stands."""
    state = ctx.state
    state.trades_today += 1
    if of_strategy:
        state.results_r.append(result_r)
        trim_list(state.results_r, RESULTS_MAX)
    state.breakers = breakers.trade_closed(state.breakers, result_r=result_r, scratch_r=ctx.settings.breakers.scratch_r)
    equity = state.equity_money
    if equity is not None and state.day_end_utc_ns:
        _judge(ctx, equity)
    record_equity(ctx)


def balance_operation(ctx: Context, amount_money: Money) -> None:
    """Money that is no result came or went."""
    ctx.state.breakers = breakers.shift_bases(ctx.state.breakers, amount_money)
    ctx.state.prop_firm = prop_firm.shift_prop_firm_bases(ctx.state.prop_firm, amount_money)


def reset_drawdown(ctx: Context) -> None:
    """The operator accepts the drawdown."""
    ctx.state.breakers = breakers.reset_drawdown_peak(ctx.state.breakers, equity_money=_worth(ctx))
    drop_reason(ctx, "drawdown", "drawdown: accepted by the operator")


def record_equity(ctx: Context) -> None:
    """Keep equity as it is now; nothing where it is not known."""
    state = ctx.state
    equity = state.equity_money
    if equity is None:
        return
    worth, balance, day_result, drawdown = equity_figures(ctx, equity)
    ctx.emit(
        EquityMarked(
            equity_money=worth,
            balance_money=balance,
            open_risk_money=(open_risk(ctx) or 0.0) if state.positions or state.external_positions else 0.0,
            day_result_money=day_result,
            drawdown_fraction=drawdown,
        )
    )


def equity_figures(ctx: Context, equity: Money) -> tuple[Money, Money, Money, float]:
    """Equity, balance, the day's result and drawdown as a share of the peak, as they are kept."""
    state = ctx.state
    day_result = rounded(-state.breakers.day_loss_money(equity), 8)
    return rounded(equity, 8), rounded(state.balance_money, 8), day_result, state.breakers.drawdown_fraction(equity)
