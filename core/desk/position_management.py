"""Management of open positions: peaks, profit retracement, trailing stop, time exit, weekend, missing stops; waits for no scan.

Promises: acts on fresh quotes only, a wish that fell due before waits for the first one; a stop is only ever tightened; a
profit retracement closes once per position; exits by time exit or management wait out the rollover unless the loss at the stop
grows meanwhile.
Does not: send (`position_closing`, `stops` do). Units: money in account currency, net of the cost to close; prices executable.
"""

from __future__ import annotations

from quarterdeck.core.clock.time_zones import NEW_YORK, next_local_time, week_second
from quarterdeck.core.desk import position_closing, stops
from quarterdeck.core.desk.context import Context, PairPolicy, ns
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.desk.equity import LOTS_NOISE, close_cost_money
from quarterdeck.core.desk.open_exposure import gap_words
from quarterdeck.core.desk.trading_state import is_halted
from quarterdeck.core.filters.news_window import closed_windows
from quarterdeck.core.filters.trading_hours import LONG_CLOSURE_S, WEEK_CLOSE_S, next_close, next_open
from quarterdeck.core.model.effects import Alert, CloseReason
from quarterdeck.core.model.market_data import Bar, Instrument, Side
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, Money, Price, UtcNs
from quarterdeck.core.risk.rounding import partial_lots

_SESSIONS_AHEAD = 8
_NEVER = 2**63 - 1
_LEAVES_MAX = 256
_GROWTH_FRACTION = 0.05
"""A loss at the stop that rose by no more than this share of the money risked has not grown."""


def on_position_quote(ctx: Context, position: ManagedPosition) -> None:
    """A quote moved this position's worth: keep its extremes, then do what is due."""
    net = position.net_money
    if net is None or position.lots <= LOTS_NOISE:
        return
    update_peaks(ctx, position, net)
    manage_position(ctx, position)


def update_peaks(ctx: Context, position: ManagedPosition, net: Money) -> None:
    """Keep the extremes of a position that is worth `net` now."""
    price = ctx.exit_price(position.symbol, position.side)
    if price is not None and (position.peak_price == 0.0 or (price - position.peak_price) * position.side > 0.0):
        position.peak_price = price
    position.peak_money = max(position.peak_money, net)
    if position.quoted_utc_ns != ctx.now:
        position.quoted_before_utc_ns, position.quoted_utc_ns = position.quoted_utc_ns, ctx.now
    group = ctx.state.groups.get(position.group_id)
    if group is not None:
        together = group_net_money(group_positions(ctx, position))
        if together is not None and together > group.peak_money:
            group.peak_money = together
    realised = position.gross_money + position.commission_money - position.open_commission_money + position.swap_realised_money
    if position.opened_lots > position.lots:
        realised += position.open_commission_money * (1.0 - position.lots / position.opened_lots)
    whole = realised + net
    position.best_money = max(position.best_money, whole)
    position.worst_money = min(position.worst_money, whole)


def update_peaks_from_bar(ctx: Context, symbol: str, bar: Bar) -> None:
    """Where no quote came within a closed bar, the bar tells how good it was: the peak is extended by it, and marked so."""
    for position in ctx.state.positions.values():
        if position.symbol != symbol or position.opened_utc_ns > bar.open_utc_ns or position.lots <= LOTS_NOISE:
            continue
        last = position.quoted_before_utc_ns if position.quoted_utc_ns == ctx.now else position.quoted_utc_ns
        if last >= bar.open_utc_ns:
            continue
        valuer, cost = ctx.valuer(symbol), close_cost_money(ctx, position)
        usual = ctx.typical_spread(symbol) or 0.0
        best = bar.high if position.side is Side.BUY else bar.low + usual
        if valuer is None or cost is None or (best - (position.peak_price or position.open_price)) * position.side <= 0.0:
            continue
        worth = valuer.profit_money(position.side, position.lots, position.open_price, best, ctx.rates)
        if worth is None:
            continue
        position.peak_price = best
        paid = position.open_commission_money * (position.lots / position.opened_lots)
        position.peak_money = max(position.peak_money, worth + position.swap_money + paid - cost)
        text = f"no quotes within the bar: peak taken from its extreme {best}, {position.peak_money:.2f}"
        ctx.note("peak_from_bar", text, symbol=symbol, ticket=position.ticket)


def manage_position(ctx: Context, position: ManagedPosition) -> None:
    """Everything that may be due for one position, on a fresh quote."""
    task = ctx.state.closes.get(position.position_id)
    if (task is not None and task.whole) or is_halted(ctx):
        return
    policy, silent = ctx.policy(position.symbol), position.symbol in ctx.state.silent
    if not ctx.quote_is_fresh(position.symbol):
        # what a price decides waits for a fresh one; a missing stop and the clock do not wait for quotes that fell silent
        if silent and position.stop_missing:
            _stop_again(ctx, position)
        spec = ctx.spec(position.symbol)
        if position.pending_exit is not None and spec is not None and (silent or not ctx.market_accepts_closes(spec)):
            _carry_out(ctx, position, policy)
        return
    if position.stop_missing:
        _stop_again(ctx, position)
    if position.pending_exit is not None:
        _carry_out(ctx, position, policy)
        return
    if not position.retrace_done and task is None:
        _give_back(ctx, position, policy)
    _trail(ctx, position, policy)
    if policy.management.tighten_before_news:
        _tighten_before_news(ctx, position, policy)


def _stop_again(ctx: Context, position: ManagedPosition) -> None:
    if stops.beyond_stop(ctx, position):
        position_closing.start_close(ctx, position.position_id, "no_stop", urgent=True)
    elif not position.modify_id and ctx.now >= position.modify_utc_ns:
        stops.restore(ctx, position)


def _carry_out(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> None:
    """A wish to close that fell due: at an open market, and after the rollover unless open risk has grown."""
    wish = position.pending_exit
    spec = ctx.spec(position.symbol)
    if wish is None or spec is None:
        return
    if not ctx.market_accepts_closes(spec):
        _tell_shut(ctx, position, wish, spec)
        return
    if policy.exit_rollover.contain(ctx.now) and not _risk_grew(ctx, position):
        return
    position_closing.start_close(ctx, position.position_id, wish)


def _tell_shut(ctx: Context, position: ManagedPosition, why: CloseReason, spec: Instrument) -> None:
    """It was to be closed and the market is closed: reported once, with what a gap may cost until it opens."""
    if position.shut_told:
        return
    position.shut_told = True
    ctx.emit(
        Alert(
            kind="risk",
            level="critical",
            text=f"#{position.ticket} {position.symbol} {position.side.word} {position.lots:g} lots is due to be closed ({why}), "
            f"but its market is closed until {position_closing.clock_words(ctx.next_open(spec))}. Its stop stays at the broker. "
            f"{gap_words(ctx, position)} The desk closes it at the open.",
            symbol=position.symbol,
            ticket=position.ticket,
        )
    )


def request_exit(ctx: Context, position: ManagedPosition, why: CloseReason) -> None:
    """A position should go as soon as a fresh quote and the hour allow."""
    if position.pending_exit is not None:
        return
    position.pending_exit = why
    position.wish_stop_price, position.wish_loss_money = position.stop_price, _loss_at_stop_money(ctx, position)
    ctx.wake_changed = True
    manage_position(ctx, position)


def _risk_grew(ctx: Context, position: ManagedPosition) -> bool:
    """Whether more is at stake than when the wish was made: the stop is gone or farther, or lots or conversion cost more at it.

    Spread and price move nothing of it: the loss at the stop counts, from the open price. Small changes of money are none:
    up to the greater of the account's unit and a share of the money risked.
    """
    if position.stop_missing:
        return True
    if position.wish_stop_price is not None and stops.tighter(position.side, position.wish_stop_price, position.stop_price):
        return True
    loss, account = _loss_at_stop_money(ctx, position), ctx.state.account
    if loss is None or position.wish_loss_money is None:
        return False
    unit = 10.0**-account.currency_digits if account is not None else 0.01
    return loss - position.wish_loss_money > max(unit, _GROWTH_FRACTION * remaining_risk_money(position))


def _loss_at_stop_money(ctx: Context, position: ManagedPosition) -> Money | None:
    """What the stop costs from the open price, negative where it locks a gain; None while a rate is missing."""
    valuer = ctx.valuer(position.symbol)
    if valuer is None:
        return None
    found = valuer.profit_money(position.side, position.lots, position.open_price, position.stop_price, ctx.rates)
    return None if found is None else -found


def remaining_risk_money(position: ManagedPosition) -> Money:
    """The R of what is still open."""
    return position.risk_money * position.lots / position.opened_lots if position.opened_lots > 0.0 else position.risk_money


def retrace_floor_money(position: ManagedPosition, policy: PairPolicy) -> Money:
    """The peak from which a profit retracement acts: the greatest of the three floors, for what is open."""
    own = policy.management
    part = position.lots / position.opened_lots if position.opened_lots > 0.0 else 1.0
    least = max(own.retrace_from_equity_fraction * position.equity_money, own.retrace_from_r * position.risk_money * part)
    return max(least, own.retrace_from_costs_x * position.round_trip_money * part)


def group_positions(ctx: Context, position: ManagedPosition) -> list[ManagedPosition]:
    """The open positions that were added to each other, this one among them."""
    return [held for held in ctx.state.positions.values() if held.group_id == position.group_id and held.lots > LOTS_NOISE]


def group_net_money(group: list[ManagedPosition]) -> Money | None:
    """What a group would bring if it were closed now; None while a part is not known."""
    total = 0.0
    for held in group:
        if held.net_money is None:
            return None
        total += held.net_money
    return total


def _give_back(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> None:
    spec, back = ctx.spec(position.symbol), _given_back(ctx, position, policy)
    if spec is None or back is None:
        return
    group, net, peak = back
    for held in group:
        _give_back_part(ctx, held, spec, policy, f"profit retraced {peak - net:.2f} from a {peak:.2f} peak")


def retrace_triggered(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> bool:
    """Whether a position that has not given back yet does now."""
    return not position.retrace_done and _given_back(ctx, position, policy) is not None


def _given_back(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> tuple[list[ManagedPosition], Money, Money] | None:
    """What retraced too much of its peak, what it would bring now and that peak; None where nothing did, or not now."""
    own, net, peak = policy.management, position.net_money, position.peak_money
    group, shared = [position], ctx.state.groups.get(position.group_id)
    if shared is not None:
        group, peak = group_positions(ctx, position), shared.peak_money
        net = group_net_money(group)
    if net is None or not own.retrace_enabled or net > peak * own.retrace_keep_fraction:
        return None
    begins = 0.0
    for held in group:
        begins += retrace_floor_money(held, policy)
    if peak < begins or policy.exit_rollover.contain(ctx.now):
        return None
    spec = ctx.spec(position.symbol)
    return (group, net, peak) if spec is not None and ctx.market_accepts_closes(spec) else None


def _give_back_part(ctx: Context, position: ManagedPosition, spec: Instrument, policy: PairPolicy, note: str) -> None:
    own = policy.settings.position
    lots = partial_lots(spec, position.lots, own.profit_retrace_close_pct / 100.0)
    position.retrace_done = True
    ctx.wake_changed = True
    if lots > 0.0:
        ctx.note("give_back", f"{note}; closing {lots:g}", symbol=position.symbol, ticket=position.ticket)
        position_closing.start_close(ctx, position.position_id, "give_back", lots=lots)
    elif own.profit_retrace_below_min_lot == "close":
        ctx.note("give_back", f"{note}; closing all", symbol=position.symbol, ticket=position.ticket)
        position_closing.start_close(ctx, position.position_id, "give_back")
    else:
        ctx.note(
            "give_back",
            f"{note}; nothing closed, a part would be below the minimum lot",
            symbol=position.symbol,
            ticket=position.ticket,
        )


def trail_active(position: ManagedPosition, policy: PairPolicy) -> bool:
    """Whether the trailing stop has begun: only then does a quote's answer depend on ATR."""
    own = policy.management
    if own.trail_x_atr <= 0.0 or position.peak_price == 0.0:
        return False
    return position.peak_money >= own.trail_from_r * remaining_risk_money(position)


def trailing_stop_price(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> Price | None:
    """Where the trailing stop belongs now; None while it has not begun."""
    own = policy.management
    if not trail_active(position, policy):
        return None
    gained = position.peak_price - position.open_price
    lock = position.open_price + own.trail_initial_lock_fraction * gained
    atr = ctx.pair(position.symbol).features.atr_m15_price
    if atr <= 0.0:
        return lock
    follow = position.peak_price - position.side * own.trail_x_atr * atr
    return follow if stops.tighter(position.side, follow, lock) else lock


def _trail(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> None:
    wanted = trailing_stop_request(ctx, position, policy)
    if wanted is not None:
        stops.tighten(ctx, position, wanted, stops.TRAIL)


def trailing_stop_request(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> Price | None:
    """Where the trail wants the stop, if that is worth a request now."""
    wanted = trailing_stop_price(ctx, position, policy)
    if wanted is None or ctx.now < position.modify_utc_ns:
        return None
    step = policy.management.trail_step_x_atr * ctx.pair(position.symbol).features.atr_m15_price
    begun = stops.tighter(position.side, position.stop_price, position.open_price)
    gain = (wanted - position.stop_price) * position.side
    return wanted if gain > 0.0 and (gain >= step or not begun) else None


def _tighten_before_news(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> None:
    """Ahead of a release, what is in profit keeps a share of it: the first lock of the trail, at the price now."""
    spec, price = ctx.spec(position.symbol), ctx.exit_price(position.symbol, position.side)
    if spec is None or price is None or (price - position.open_price) * position.side <= 0.0:
        return
    near = any(
        window.from_utc_ns <= ctx.now < window.planned.news.at_utc_ns
        for window in closed_windows(ctx.state.news, spec.currencies, policy.news)
    )
    if near:
        lock = position.open_price + policy.management.trail_initial_lock_fraction * (price - position.open_price)
        if stops.tighter(position.side, lock, position.stop_price):
            stops.tighten(ctx, position, lock, stops.TRAIL)


def due(ctx: Context) -> None:
    """What the clock brings: age, weekend, early closes, the end of rollover, stops to set again."""
    for position in list(ctx.state.positions.values()):
        if position.lots <= LOTS_NOISE:
            continue
        policy = ctx.policy(position.symbol)
        if position.pending_exit is None:
            why = _time_is_up(ctx, position, policy)
            if why is not None:
                request_exit(ctx, position, why)
                continue
        manage_position(ctx, position)


def _time_is_up(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> CloseReason | None:
    age = time_exit_at(position, policy)
    if age is not None and ctx.now >= age:
        return "age"
    leave = weekend_exit_at(ctx, position, policy)
    return "weekend" if leave is not None and ctx.now >= leave else None


def time_exit_at(position: ManagedPosition, policy: PairPolicy) -> UtcNs | None:
    """When the position is too old; None without such a limit."""
    most = policy.management.time_exit_ns
    return position.opened_utc_ns + most if most else None


def weekend_exit_at(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> UtcNs | None:
    """When the position has to leave before the next long closure; None when it may stay."""
    known = ctx.weekend_exits
    position_id = position.position_id
    if position_id not in known:
        if len(known) >= _LEAVES_MAX:
            known.clear()
        known[position_id] = _leave_of_week(ctx, position, policy)
    return known[position_id]


def _leave_of_week(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> UtcNs | None:
    """The same for all positions of a pair that were opened between the first of them and that instant."""
    since, known = position.opened_utc_ns, ctx.weekend_exit_spans.get(position.symbol)
    if known is not None and known[0] <= since < known[1]:
        return known[1]
    leave, spec = _leave_time(ctx, position, policy), ctx.spec(position.symbol)
    if leave is not None and leave > since and spec is not None and len(spec.sessions) <= _SESSIONS_AHEAD:
        ctx.weekend_exit_spans[position.symbol] = (since, leave)
    return leave


def _leave_time(ctx: Context, position: ManagedPosition, policy: PairPolicy) -> UtcNs | None:
    spec, since = ctx.spec(position.symbol), position.opened_utc_ns
    if spec is None:
        return None
    never, funded = policy.close_week_s >= WEEK_CLOSE_S, policy.settings.prop_firm
    times: list[UtcNs] = [] if never else [_week_instant(since, policy.close_week_s)]
    if not never or (funded.enabled and funded.weekend_flat):
        ends = next_close(spec, since)
        for _ in range(_SESSIONS_AHEAD):
            if next_open(spec, ends) - ends >= LONG_CLOSURE_S * NS_PER_S:
                times.append(ends - ns(60.0 * policy.settings.position.early_close_minutes))
                break
            ends = next_close(spec, ends)
    # listed by the operator, so meant, also where positions may otherwise stay
    ahead = ns(60.0 * policy.settings.position.early_close_minutes)
    times += [close.at_utc_ns - ahead for close in policy.early_closes if close.at_utc_ns > since][:1]
    return min(times, default=None)


def _week_instant(since_utc_ns: UtcNs, week_s: int) -> UtcNs:
    """The next instant at which New York's week shows that second, counted from `since`; `since` itself when it is past it."""
    if week_second(since_utc_ns, NEW_YORK) >= week_s:
        return since_utc_ns
    instant = next_local_time(since_utc_ns - 1, NEW_YORK, week_s % S_PER_DAY)
    while week_second(instant, NEW_YORK) // S_PER_DAY != week_s // S_PER_DAY:
        instant = next_local_time(instant, NEW_YORK, week_s % S_PER_DAY)
    return instant


def next_due(ctx: Context) -> UtcNs | None:
    """When the clock next brings something."""
    now, soonest = ctx.now, _NEVER
    for position in ctx.state.positions.values():
        if position.lots <= LOTS_NOISE:
            continue
        policy = ctx.policy(position.symbol)
        if position.stop_missing and not position.modify_id and now < position.modify_utc_ns < soonest:
            soonest = position.modify_utc_ns
        if position.pending_exit is None:
            # a limit that was lowered, or passed while nobody looked, is due at the next chance
            age, leave = time_exit_at(position, policy), weekend_exit_at(ctx, position, policy)
            if age is not None:
                soonest = min(soonest, max(age, now + 1))
            if leave is not None:
                soonest = min(soonest, max(leave, now + 1))
        elif policy.exit_rollover.contain(now):
            soonest = min(soonest, policy.exit_rollover.next_end(now))
        elif position.symbol in ctx.state.silent:
            spec = ctx.spec(position.symbol)
            if spec is not None and position.position_id not in ctx.state.closes and not ctx.market_accepts_closes(spec):
                soonest = min(soonest, ctx.next_open(spec))
    return soonest if soonest < _NEVER else None
