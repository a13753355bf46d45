"""Breakers and rules of the account, asked at every change of equity: trips become reasons of the trading state.

Promises: a trip stands until its own way back; base, peak and trips are part of the state and survive restarts; deposits and
withdrawals are no results. Does not: hold the formulas (`core.risk.breakers`, `core.risk.prop_firm`).
Units: money in account currency, shares as fractions.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Final, Literal, TypeAlias

from quarterdeck.core.clock.time_zones import day_started, local_words, next_local_time
from quarterdeck.core.desk.context import Context, QuietEquityBand
from quarterdeck.core.desk.equity import amount, revalue_all, signed_amount, unexplained_money
from quarterdeck.core.desk.memory_limits import RESULTS_MAX, trim_list
from quarterdeck.core.desk.open_exposure import open_risk
from quarterdeck.core.desk.trading_state import BREAKERS, AlertLevel, add_reason, drop_reason
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.effects import Alert, EquityMarked
from quarterdeck.core.model.market_data import Bar, Instrument, Quote, Side
from quarterdeck.core.model.units import M15_NS, NS_PER_S, Money, PriceDistance, UtcNs
from quarterdeck.core.risk import breakers, prop_firm

BalanceOperation: TypeAlias = Literal["transfer", "credit", "withdrawal", "payout"]
TRIP_WORDS: Final = {
    "day_loss": "Daily loss limit reached",
    "drawdown": "Maximum drawdown reached",
    "losses_in_row": "Maximum consecutive losses reached",
    "entries": "Maximum entries of the day reached",
}
"""What an operator reads when a breaker trips."""
_NOISE = 1e-9
_TIMER_LATE_NS = NS_PER_S
"""A day whose timer is late by more is begun before anything is judged."""


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
    _begin_funded_day(ctx, worth, ctx.now)


def _begin_funded_day(ctx: Context, worth: Money, at_utc_ns: UtcNs) -> None:
    """The funded account's day runs by its own zone and hour."""
    state, policy = ctx.state, ctx.account_policy
    state.prop_firm = prop_firm.begin_day(
        state.prop_firm,
        policy.prop_firm,
        day_started_utc_ns=day_started(at_utc_ns, policy.prop_firm_day_zone, policy.prop_firm_day_start_s),
        balance_money=state.balance_money,
        equity_money=worth,
    )
    state.prop_firm_requests_today = 0
    state.prop_firm_day_end_utc_ns = next_local_time(at_utc_ns, policy.prop_firm_day_zone, policy.prop_firm_day_start_s)
    ctx.wake_changed = True


def next_due(ctx: Context) -> UtcNs:
    """When the next day begins, the account's or the funded account's own; 0 before the first."""
    state = ctx.state
    return min(state.day_end_utc_ns, state.prop_firm_day_end_utc_ns or state.day_end_utc_ns)


def roll_days(ctx: Context, until_utc_ns: UtcNs) -> None:
    """Begin every day that started by then, the account's and the funded account's, each with what was there when it did."""
    state = ctx.state
    summary = True
    while state.day_end_utc_ns and until_utc_ns >= next_due(ctx):
        started = next_due(ctx)
        if started >= (state.prop_firm_day_end_utc_ns or state.day_end_utc_ns):
            _begin_funded_day(ctx, _day_equity(ctx, started)[0], started)
            drop_reason(ctx, "funded_close", "The prop firm's limit no longer stops entries: its new day has started")
        if started >= state.day_end_utc_ns:
            _roll_account_day(ctx, started, summary=summary)
            summary = False
        check_equity(ctx)


def _roll_account_day(ctx: Context, started_utc_ns: UtcNs, *, summary: bool) -> None:
    state, policy = ctx.state, ctx.account_policy
    worth, error = _day_equity(ctx, started_utc_ns)
    if "starting" not in state.reasons:
        record_equity(ctx)
    elif error:
        text = f"The day of {_day(started_utc_ns)} UTC started with balance {state.balance_money:.2f}, equity {worth:.2f}"
        ctx.note("day_reconstructed", f"{text} +-{error:.2f}, reconstructed from deals and bars")
    if summary:
        _tell_summary(ctx, worth)
    state.breakers = breakers.begin_day(
        state.breakers,
        day_started_utc_ns=started_utc_ns,
        balance_money=state.balance_money,
        equity_money=worth,
        error_money=error,
    )
    state.day_end_utc_ns = next_local_time(started_utc_ns, policy.day_zone, policy.day_start_s)
    state.trades_today = state.requests_today = 0
    for position in state.positions.values():
        position.day_money = (position.floating_money or 0.0) + position.swap_money + position.left_money
    for foreign in state.external_positions.values():
        foreign.day_money = (foreign.floating_money or 0.0) + foreign.at_broker.swap_money
    for left in state.external_left.values():
        left.day_money = left.money
    ctx.wake_changed = True
    standing = [trip.name for trip in state.breakers.trips]
    for name in BREAKERS:
        if name not in standing:
            drop_reason(ctx, name, f"{TRIP_WORDS[name]}: no longer, a new trading day has started")


def _day(utc_ns: UtcNs) -> str:
    return datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M")


def _day_equity(ctx: Context, started_utc_ns: UtcNs) -> tuple[Money, Money]:
    """(equity when a day began, how far off it may be): of a day that nobody saw begin, by the last bars before it.

    Where such a bar is missing, the stricter of balance and what equity was last.
    """
    state, worth = ctx.state, _worth(ctx)
    if "starting" not in state.reasons:
        return worth, 0.0
    error = 0.0
    for position in state.positions.values():
        valuer, spec, quote = ctx.valuer(position.symbol), ctx.spec(position.symbol), state.quotes.get(position.symbol)
        if valuer is None or spec is None or quote is None or _bar_missing(ctx, spec, quote.at_utc_ns, started_utc_ns):
            return max(worth, state.balance_money), abs(worth - state.balance_money)
        span = ctx.pair(position.symbol).missed_range_price
        error += abs(valuer.profit_money(Side.BUY, position.lots, quote.bid, quote.bid - span, ctx.rates) or 0.0)
    return worth, error


def _unpriced(ctx: Context, symbol: str, until_utc_ns: UtcNs) -> bool:
    spec, quote = ctx.spec(symbol), ctx.state.quotes.get(symbol)
    return spec is None or quote is None or _bar_missing(ctx, spec, quote.at_utc_ns, until_utc_ns)


def _bar_missing(ctx: Context, spec: Instrument, quoted_utc_ns: UtcNs, until_utc_ns: UtcNs) -> bool:
    return quoted_utc_ns < until_utc_ns - M15_NS and ctx.is_open(spec, until_utc_ns - M15_NS)


def missed_bar(ctx: Context, symbol: str, bar: Bar, spread_price: PriceDistance) -> None:
    """A bar that closed while the desk was off: days begin on its way, equity at its extremes counts for the peak."""
    state, closed = ctx.state, bar.open_utc_ns + M15_NS
    if "starting" not in state.reasons:
        return
    roll_days(ctx, closed - 1)
    known = state.quotes.get(symbol)
    if known is not None and known.at_utc_ns >= closed:
        return
    ctx.pair(symbol).missed_range_price = bar.high - bar.low
    for price in (bar.high, bar.low, bar.close):
        state.quotes[symbol] = Quote(symbol=symbol, at_utc_ns=closed, bid=price, ask=price + spread_price)
        if not state.positions and not state.external_positions:
            continue
        revalue_all(ctx)
        equity = state.equity_money
        if equity is not None and state.day_end_utc_ns:
            state.breakers = breakers.peak_seen(state.breakers, equity)
            funded_calm(ctx, equity)


def _worth(ctx: Context) -> Money:
    equity = ctx.state.equity_money
    return ctx.state.balance_money if equity is None else equity


def _tell_summary(ctx: Context, worth: Money) -> None:
    state = ctx.state
    if not ctx.settings.alerts.daily_summary:
        return
    day = state.breakers
    limit, used = breakers.day_limit_money(day, ctx.account_policy.breakers), max(day.day_loss_money(worth), 0.0)
    text = (
        f"Trading day over: P&L {signed_amount(ctx, day.day_result_money(worth))}; equity {amount(ctx, worth)}; "
        f"{used:,.2f} of the daily loss limit of {amount(ctx, limit)} used; "
        f"{_count(day.entries_today, 'entry', 'entries')}, {_count(state.trades_today, 'trade', 'trades')} closed. Nothing to do."
    )
    ctx.emit(Alert(kind="summary", level="info", text=text))


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def check_equity(ctx: Context, broker_equity_money: Money | None = None) -> None:
    """Judge the equity as it is now; cheap while nothing is reached.

    A funded account's rules are judged by the broker's own equity when it is read, and by the balance as read in between.
    """
    state = ctx.state
    equity = state.equity_money
    if equity is None or not state.day_end_utc_ns:
        return
    if "starting" in state.reasons:
        missed_peak(ctx, ctx.now)
        return
    if ctx.now - next_due(ctx) > _TIMER_LATE_NS:
        roll_days(ctx, ctx.now)
    if state.suspects:
        # one quote out of proportion is not enough; the firm's own figure is
        if ctx.settings.prop_firm.enabled and broker_equity_money is not None:
            _act_on_funded(ctx, broker_equity_money)
        return
    unexplained = state.balance.unexplained_money != 0.0
    if "funded" not in state.reasons and broker_equity_money is None and not unexplained and equity_in_quiet_band(ctx, equity):
        return
    if equity > state.breakers.peak_money or floor_reached(ctx, equity):
        _judge(ctx, equity)
    if ctx.settings.prop_firm.enabled:
        _judge_funded(ctx, equity, broker_equity_money or equity + unexplained_money(ctx))


def missed_peak(ctx: Context, at_utc_ns: UtcNs) -> None:
    """Equity that a deal left while the desk was off counts for the peaks, what is open by the last bars before it."""
    state, equity = ctx.state, ctx.state.equity_money
    if equity is None or not state.day_end_utc_ns:
        return
    for position in state.positions.values():
        if _unpriced(ctx, position.symbol, at_utc_ns):
            return
    for foreign in state.external_positions.values():
        if _unpriced(ctx, foreign.at_broker.symbol, at_utc_ns):
            return
    state.breakers = breakers.peak_seen(state.breakers, equity)
    if ctx.settings.prop_firm.enabled:
        funded_calm(ctx, equity)


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
    if state.suspects:
        return  # judged with the quote that decides
    state.breakers, new = breakers.check_breakers(
        state.breakers, ctx.account_policy.breakers, at_utc_ns=ctx.now, equity_money=equity
    )
    for trip in new:
        text = f"{TRIP_WORDS[trip.name]}: {_figure(trip)}, limit {_limit(trip)}; equity {amount(ctx, equity)}"
        level: AlertLevel = "info" if trip.name == "entries" else "critical"  # a full day is no mishap
        when = "" if trip.name == "drawdown" else _hour(state.day_end_utc_ns, ctx.account_policy.day_zone)
        add_reason(ctx, trip.name, text, alert="", told=level, when=when)
        closes = ctx.settings.breakers.trip_action == "flatten" and trip.name in ("day_loss", "drawdown")
        now = "The desk closes all its positions." if closes else "Open positions are still managed."
        told = f"{text}. No new entries. {now} Entries resume when {state.reasons[trip.name].clears_when}."
        ctx.emit(Alert(kind="breaker", level=level, text=told))
        if closes:
            ctx.flatten_requested = "breaker"


def _hour(utc_ns: UtcNs, zone: str) -> str:
    """When a day starts, on its own clock and in UTC."""
    return f": {local_words(utc_ns, zone)}" if utc_ns else ""


def _figure(trip: breakers.BreakerTrip) -> str:
    return f"{trip.value:.2%}" if trip.name in ("day_loss", "drawdown") else f"{trip.value:g}"


def _limit(trip: breakers.BreakerTrip) -> str:
    return f"{trip.threshold:.2%}" if trip.name in ("day_loss", "drawdown") else f"{trip.threshold:g}"


def funded_calm(ctx: Context, equity: Money) -> bool:
    """Raise the funded account's mark; whether its rules demand nothing at this equity."""
    state, policy = ctx.state, ctx.account_policy.prop_firm
    state.prop_firm = prop_firm.raise_high_water(state.prop_firm, policy, balance_money=state.balance_money, equity_money=equity)
    return prop_firm.within_buffers(state.prop_firm, policy, equity_money=equity)


def _judge_funded(ctx: Context, equity: Money, at_broker_money: Money) -> None:
    """Marks rise by equity that deals explain; floors are judged by what the broker holds."""
    state, policy = ctx.state, ctx.account_policy.prop_firm
    if funded_calm(ctx, equity) and prop_firm.within_buffers(state.prop_firm, policy, equity_money=at_broker_money):
        drop_reason(ctx, "funded", "Equity is above the prop firm's warning buffer again")
        return
    _act_on_funded(ctx, at_broker_money)


def _act_on_funded(ctx: Context, at_broker_money: Money) -> None:
    state, policy = ctx.state, ctx.account_policy.prop_firm
    action, checks = prop_firm.check_limits(state.prop_firm, policy, equity_money=at_broker_money)
    if action == "go":
        return
    worst = min(checks, key=lambda check: check.value or 0.0)
    text = f"Prop-firm limit near ({worst.name}): {worst.value or 0.0:.0%} of the allowed loss is left, {worst.note}"
    when = _hour(state.prop_firm_day_end_utc_ns, ctx.account_policy.prop_firm_day_zone)
    if action != "close":
        add_reason(ctx, "funded", text, when=when)
        return
    if "funded_close" not in state.reasons:
        add_reason(ctx, "funded_close", text, alert="critical", when=when)
        ctx.flatten_requested = "funded_rule"
    drop_reason(ctx, "funded", "The prop-firm warning has become a stop")


def settings_changed(ctx: Context) -> None:
    """New limits hold at once; a trip that stands is not taken back by them."""
    if not ctx.settings.prop_firm.enabled:
        ctx.state.unclear_withdrawals.clear()
        drop_reason(ctx, "payout_unclear", "Prop-firm rules are switched off")
        drop_reason(ctx, "funded", "Prop-firm rules are switched off")
        drop_reason(ctx, "funded_close", "Prop-firm rules are switched off")
    equity = ctx.state.equity_money
    if equity is not None and ctx.state.day_end_utc_ns:
        ctx.state.prop_firm = prop_firm.stated(ctx.state.prop_firm, ctx.settings.prop_firm.starting_balance_money)
        _judge(ctx, equity)
        check_equity(ctx)


def entry_made(ctx: Context, at_utc_ns: UtcNs) -> None:
    """An opening order became a position; one from before the day's start is no entry of today."""
    state = ctx.state
    if at_utc_ns >= state.breakers.day_started_utc_ns:
        state.breakers = breakers.count_entry(state.breakers)
    if state.equity_money is not None and "starting" not in state.reasons:
        _judge(ctx, state.equity_money)


def begun(ctx: Context) -> None:
    """The desk has read all that it missed: now it judges."""
    roll_days(ctx, ctx.now)
    equity = ctx.state.equity_money
    if equity is not None and ctx.state.day_end_utc_ns:
        ctx.state.prop_firm = prop_firm.stated(ctx.state.prop_firm, ctx.settings.prop_firm.starting_balance_money)
        _judge(ctx, equity)
        check_equity(ctx)


def trade_done(ctx: Context, result_r: float, closed_utc_ns: UtcNs, *, of_strategy: bool) -> None:
    """A trade is over: runs of losses, Kelly's memory where the strategy asked for it, and equity as it stands.

    One that closed before the day's start, reported late, is no trade of today.
    """
    state = ctx.state
    if of_strategy:
        state.results_r.append(result_r)
        trim_list(state.results_r, RESULTS_MAX)
    if closed_utc_ns >= state.breakers.day_started_utc_ns:
        state.trades_today += 1
        scratch = ctx.settings.breakers.scratch_r
        state.breakers = breakers.trade_closed(state.breakers, result_r=result_r, scratch_r=scratch)
    equity = state.equity_money
    if "starting" in state.reasons:
        return
    if equity is not None and state.day_end_utc_ns:
        _judge(ctx, equity)
    record_equity(ctx)


def deal_dated(ctx: Context, money: Money, at_utc_ns: UtcNs, seen_money: Money = 0.0) -> None:
    """Where a deal's money is from before the start of a day that has begun, that day began with it.

    `seen_money` is what its position floated when the day began.
    """
    state = ctx.state
    if at_utc_ns < state.breakers.day_started_utc_ns:
        state.breakers = breakers.dated_before(state.breakers, money, seen_money=seen_money)
    if at_utc_ns < state.prop_firm.day_started_utc_ns:
        state.prop_firm = prop_firm.dated_before(state.prop_firm, ctx.account_policy.prop_firm, money, seen_money=seen_money)


def balance_operation(
    ctx: Context, amount_money: Money, equity_money: Money, dated_utc_ns: UtcNs, what: BalanceOperation = "transfer"
) -> None:
    """Money that is no result comes or goes, at an equity of `equity_money` before it; one dated before the day began with it.

    A funded account's bases move with a transfer; a withdrawal of unknown meaning and a payout lower no floor of it.
    """
    state, policy = ctx.state, ctx.account_policy.prop_firm
    day = state.breakers
    state.breakers = breakers.shift_bases(day, amount_money, equity_money=equity_money)
    if dated_utc_ns < day.day_started_utc_ns:
        no_balance = what == "credit"
        dated = breakers.dated_before(day, 0.0 if no_balance else amount_money, seen_money=-amount_money if no_balance else 0.0)
        state.breakers = breakers.with_day_of(state.breakers, dated)
    if what == "transfer":
        state.prop_firm = prop_firm.shift_prop_firm_bases(state.prop_firm, amount_money)
    elif what == "credit":
        state.prop_firm = prop_firm.credit_moved(state.prop_firm, policy, amount_money, dated_utc_ns=dated_utc_ns)
    else:
        state.prop_firm = prop_firm.withdrawn(state.prop_firm, policy, amount_money, dated_utc_ns=dated_utc_ns)
        if what == "payout":
            state.prop_firm = prop_firm.paid_out(state.prop_firm, amount_money)


def result_was_transfer(
    ctx: Context, amount_money: Money, equity_money: Money, dated_utc_ns: UtcNs, what: Literal["transfer", "payout"]
) -> None:
    """A deal that is booked as a result was a transfer, at an equity of `equity_money` without it.

    A day that began after the deal began without its money already: that day's figures stay.
    """
    state, policy = ctx.state, ctx.account_policy.prop_firm
    day, firm = state.breakers, state.prop_firm
    state.breakers = breakers.shift_bases(day, amount_money, equity_money=equity_money)
    if dated_utc_ns < day.day_started_utc_ns:
        state.breakers = breakers.with_day_of(state.breakers, day)
    today = dated_utc_ns >= firm.day_started_utc_ns
    if what == "payout":
        firm = prop_firm.withdrawn(firm, policy, amount_money, dated_utc_ns=dated_utc_ns) if today else firm
        state.prop_firm = prop_firm.paid_out(firm, amount_money)
    elif today:
        state.prop_firm = prop_firm.shift_prop_firm_bases(firm, amount_money)
    else:
        state.prop_firm = prop_firm.start_moved(firm, amount_money)


def withdrawal_told(ctx: Context, amount_money: Money, *, payout: bool) -> None:
    """The operator says what a withdrawal of unknown meaning was."""
    booked = prop_firm.paid_out if payout else prop_firm.start_moved
    ctx.state.prop_firm = booked(ctx.state.prop_firm, amount_money)


def balance_seen(ctx: Context) -> None:
    """The balance moved: a funded account's limit may follow its highest."""
    state, policy = ctx.state, ctx.account_policy.prop_firm
    if ctx.settings.prop_firm.enabled and policy.overall_base == "trailing_balance" and state.day_end_utc_ns:
        balance = state.balance_money
        state.prop_firm = prop_firm.raise_high_water(state.prop_firm, policy, balance_money=balance, equity_money=balance)


def funded_explained(ctx: Context, since_utc_ns: UtcNs) -> None:
    """Money that nobody could explain since then turns out to be no loss: a funded rule that it alone broke is kept again."""
    state, policy = ctx.state, ctx.account_policy.prop_firm
    reason, equity = state.reasons.get("funded_close"), state.equity_money
    if reason is None or equity is None or not since_utc_ns or reason.since_utc_ns < since_utc_ns:
        return
    if prop_firm.within_buffers(state.prop_firm, policy, equity_money=equity + unexplained_money(ctx)):
        drop_reason(ctx, "funded_close", "The money that was missing is no loss, so the prop firm's limit is not reached")


def income(ctx: Context, amount_money: Money, equity_money: Money) -> None:
    """Money that no trade earned comes, at an equity of `equity_money` before it: it lessens no loss of the day."""
    ctx.state.breakers = breakers.income(ctx.state.breakers, amount_money, equity_money=equity_money)


def judge_again(ctx: Context) -> None:
    """The operator says that money was no result: what tripped by it alone is over."""
    state = ctx.state
    if state.equity_money is None:
        return
    state.breakers = breakers.judged_again(state.breakers, ctx.account_policy.breakers, equity_money=state.equity_money)
    standing = [trip.name for trip in state.breakers.trips]
    for name in ("day_loss", "drawdown"):
        if name not in standing:
            drop_reason(ctx, name, f"{TRIP_WORDS[name]}: no longer, because the money behind it was no trading result")
    check_equity(ctx)


def reset_drawdown(ctx: Context) -> tuple[bool, str]:
    """The operator accepts the drawdown: whether there was one to accept, and the old and the new peak in words."""
    held, worth = ctx.state.breakers, _worth(ctx)
    if all(trip.name != "drawdown" for trip in held.trips):
        now, limit = held.drawdown_fraction(worth), ctx.account_policy.breakers.drawdown_max_fraction
        peak = amount(ctx, held.peak_money)
        return False, f"No drawdown to accept: equity is {now:.2%} below its peak of {peak}, limit {limit:.2%}"
    ctx.state.breakers = breakers.reset_drawdown_peak(held, equity_money=worth)
    drop_reason(ctx, "drawdown", "Drawdown accepted by the operator")
    before, after = amount(ctx, held.peak_money), amount(ctx, ctx.state.breakers.peak_money)
    return True, f"Drawdown accepted: peak equity was {before}, now {after}"


def record_equity(ctx: Context) -> None:
    """Keep equity as it is now; nothing where it is not known."""
    state = ctx.state
    equity = state.equity_money
    if equity is None:
        return
    worth, balance, day_limit, drawdown = equity_figures(ctx, equity)
    ctx.emit(
        EquityMarked(
            equity_money=worth,
            balance_money=balance,
            open_risk_money=(open_risk(ctx) or 0.0) if state.positions or state.external_positions else 0.0,
            day_result_money=day_limit,
            drawdown_fraction=drawdown,
            result_money=rounded(state.breakers.day_result_money(equity), 8),
        )
    )


def equity_figures(ctx: Context, equity: Money) -> tuple[Money, Money, Money, float]:
    """Equity, balance, the day as its limit counts it, and drawdown as a share of the peak, as they are kept."""
    state = ctx.state
    day_limit = rounded(-state.breakers.day_loss_money(equity), 8)
    return rounded(equity, 8), rounded(state.balance_money, 8), day_limit, state.breakers.drawdown_fraction(equity)
