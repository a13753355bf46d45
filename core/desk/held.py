"""Quotes in which nothing could be decided, taken in without an answer: how a backtest lives through what is merely held.

Why: most of a position's life is quotes that move its worth and nothing else.
Promises: afterwards the state is, to the last bit, what the same quotes reported one by one would have left; an instant at
which the desk would do anything is refused and leaves no trace. Does not: decide, send, or keep equity (the shell asks for each
mark).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from quarterdeck.core.desk import breaker_watch, position_management
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import GroupProfitPeak, ManagedPosition
from quarterdeck.core.desk.equity import LOTS_NOISE, revalue, sum_equity
from quarterdeck.core.desk.passed import idle
from quarterdeck.core.desk.spikes import is_spike
from quarterdeck.core.desk.trading_state import is_halted
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import Money, Price, UtcNs
from quarterdeck.core.risk.breakers import BreakerState
from quarterdeck.core.risk.prop_firm import PropFirmState

_Moved: TypeAlias = tuple[Money | None, Money | None, Price, Money, Money, Money, UtcNs, UtcNs]
"""What a quote may change of a position: floating, net, peak price, peak, best, worst, quoted, quoted before."""
Figures: TypeAlias = Callable[[str], Signal | NoSignal | None]
"""What was measured of a pair last; None where the desk got it."""


class HeldMark(NamedTuple):
    """Equity at the end of a quarter hour that was passed."""

    equity_money: Money
    balance_money: Money
    day_result_money: Money
    drawdown_fraction: float


def steady(ctx: Context) -> bool:
    """Something is held, and until the clock, a candidate or a price calls, there is nothing to do but to watch it."""
    state = ctx.state
    # inside its buffer a funded account is asked at every quote
    if not state.positions or not idle(ctx) or "funded" in state.reasons or "funded_close" in state.reasons or is_halted(ctx):
        return False
    if state.balance.unexplained_money or state.suspects:
        return False
    for position in state.positions.values():  # noqa: SIM110 - a generator costs more than the look itself
        if not _settled(ctx, position):
            return False
    return True


def _settled(ctx: Context, position: ManagedPosition) -> bool:
    """Its volume, stop and worth are known and nothing is under way for it."""
    return not (
        position.lots <= LOTS_NOISE
        or position.net_money is None
        or position.pending_exit is not None
        or position.stop_missing
        or position.modify_id
        or (ctx.state.news.planned and ctx.policy(position.symbol).management.tighten_before_news)
    )


def take(ctx: Context, at_utc_ns: UtcNs, quotes: Sequence[Quote], figures: Figures) -> bool:
    """Take the quotes of one instant, in order; False, and nothing taken, where the desk would act on one of them.

    `figures` is asked where that depends on what was measured of a pair.
    """
    state = ctx.state
    then, ctx.now = ctx.now, at_utc_ns
    before = _kept(ctx, quotes)
    watched = ctx.positions_by_quote()
    for new in quotes:
        old, state.quotes[new.symbol] = state.quotes.get(new.symbol), new
        if new.symbol in watched and (is_spike(ctx, old, new) or not _quiet(ctx, watched[new.symbol], figures)):
            _put_back(ctx, before)
            ctx.now = then
            return False
    return True


def _quiet(ctx: Context, position_ids: tuple[int, ...], figures: Figures) -> bool:
    """Revalue what a quote moved; False where care or a breaker would act."""
    state = ctx.state
    moved = [state.positions[position_id] for position_id in position_ids]
    for position in moved:
        revalue(ctx, position)
    sum_equity(ctx)
    equity = state.equity_money
    if equity is None:
        return False
    for position in moved:
        if position.net_money is None:
            return False
        position_management.update_peaks(ctx, position, position.net_money)
        if _stirs(ctx, position, figures):
            return False
    if breaker_watch.equity_in_quiet_band(ctx, equity):
        return True
    if equity > state.breakers.peak_money:
        state.breakers = replace(state.breakers, peak_money=equity)
    elif breaker_watch.floor_reached(ctx, equity):
        return False
    return not ctx.settings.prop_firm.enabled or breaker_watch.funded_calm(ctx, equity)


def _stirs(ctx: Context, position: ManagedPosition, figures: Figures) -> bool:
    """Whether a quote calls for anything that `position_management.look` might do to a position without a wish or a task."""
    policy = ctx.policy(position.symbol)
    if position_management.retrace_triggered(ctx, position, policy):
        return ctx.quote_is_fresh(position.symbol)
    if not position_management.trail_active(position, policy):
        return False
    found = figures(position.symbol)
    if found is not None:
        measured(ctx, found)
    return position_management.trailing_stop_request(ctx, position, policy) is not None and ctx.quote_is_fresh(position.symbol)


class _Before(NamedTuple):
    """What an instant's quotes may change of the state."""

    quotes: list[tuple[str, Quote | None]]
    positions: list[_Moved]
    """Of each, in the order of positions."""
    groups: list[tuple[GroupProfitPeak, Money]]
    equity_money: Money | None
    breakers: BreakerState
    funded: PropFirmState


def _kept(ctx: Context, quotes: Sequence[Quote]) -> _Before:
    state = ctx.state
    return _Before(
        [(quote.symbol, state.quotes.get(quote.symbol)) for quote in quotes],
        [_moved(held) for held in state.positions.values()],
        [(group, group.peak_money) for group in state.groups.values()] if state.groups else [],
        state.equity_money,
        state.breakers,
        state.prop_firm,
    )


def _moved(held: ManagedPosition) -> _Moved:
    return (
        held.floating_money,
        held.net_money,
        held.peak_price,
        held.peak_money,
        held.best_money,
        held.worst_money,
        held.quoted_utc_ns,
        held.quoted_before_utc_ns,
    )


def _put_back(ctx: Context, before: _Before) -> None:
    state = ctx.state
    state.equity_money, state.breakers, state.prop_firm = before.equity_money, before.breakers, before.funded
    for symbol, quote in before.quotes:
        if quote is None:
            state.quotes.pop(symbol, None)
        else:
            state.quotes[symbol] = quote
    for held, moved in zip(state.positions.values(), before.positions, strict=True):
        (
            held.floating_money,
            held.net_money,
            held.peak_price,
            held.peak_money,
            held.best_money,
            held.worst_money,
            held.quoted_utc_ns,
            held.quoted_before_utc_ns,
        ) = moved
    for group, peak_money in before.groups:
        group.peak_money = peak_money


def mark(ctx: Context, bar_open_utc_ns: UtcNs) -> HeldMark | None:
    """Equity as it is at the end of a quarter hour; None where nothing is open or that bar is marked already."""
    state, equity = ctx.state, ctx.state.equity_money
    if not state.positions or bar_open_utc_ns <= state.marked_bar_utc_ns:
        return None
    state.marked_bar_utc_ns = bar_open_utc_ns
    if equity is None:
        return None
    return HeldMark(*breaker_watch.equity_figures(ctx, equity))


def measured(ctx: Context, found: Signal | NoSignal) -> None:
    """What was measured at a bar's close, of a pair that had nothing to say."""
    pair = ctx.pair(found.symbol)
    if isinstance(found, NoSignal) and not found.withheld and found.bar_open_utc_ns >= pair.features_bar_utc_ns:
        pair.features, pair.features_bar_utc_ns = found.features, found.bar_open_utc_ns
