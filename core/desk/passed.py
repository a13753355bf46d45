"""Bars in which nothing could happen, taken together: what a backtest skips still teaches the desk hours and typical spreads.

Why: a quiet pair's closed bars change nothing but memory; one by one they are most of a backtest's work.
Promises: afterwards the state is, to the last bit, what the same bars reported one by one would have left (`--every-bar` proves
it).
Does not: decide. The shell tells only bars at whose time the desk was quiet, or that concern a pair without anything open.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.desk import signal_rounds
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import PairState
from quarterdeck.core.desk.market_updates import expect_tick_value, hole
from quarterdeck.core.desk.memory_limits import H1_SPARE, trim_list
from quarterdeck.core.filters.spread import QUARTERS_OF_WEEK
from quarterdeck.core.model.units import Price, PriceDistance, UtcNs


class PairPassed(Struct, frozen=True, kw_only=True):
    """One pair's closed M15 bars since it was last informed of any, oldest first."""

    symbol: str
    before_bar_utc_ns: UtcNs
    """The bar before the last, 0 where that is the first of all."""
    last_bar_utc_ns: UtcNs
    h1_open_utc_ns: list[int]
    h1_close_price: list[Price]
    """Last close within each hour the bars lie in."""
    quarters: list[int]
    """Quarters of the week whose usual spread was learned anew, in order."""
    spreads: list[PriceDistance]
    """The usual spread in each of them since."""
    seen_spread_utc_ns: UtcNs
    """When the spread at the last bar's close was seen, 0 where the quote was too old."""
    seen_spread_price: PriceDistance


def pair_passed(ctx: Context, told: PairPassed) -> None:
    """Book what a pair's skipped bars leave behind."""
    pair = ctx.pair(told.symbol)
    if hole(ctx, told.symbol, told.before_bar_utc_ns, told.last_bar_utc_ns):
        pair.gap_bar_utc_ns = told.last_bar_utc_ns
    pair.last_bar_utc_ns = told.last_bar_utc_ns
    _hours(pair, told, ctx.settings.correlation.lookback_bars + H1_SPARE)
    if told.quarters:
        if not pair.typical_spread_price:
            pair.typical_spread_price.extend([0.0] * QUARTERS_OF_WEEK)
        usual = pair.typical_spread_price
        for place, quarter in enumerate(told.quarters):
            usual[quarter] = told.spreads[place]
    pair.seen_spread_utc_ns, pair.seen_spread_price = told.seen_spread_utc_ns, told.seen_spread_price
    if pair.tick_value_expected_money is None:
        expect_tick_value(ctx, told.symbol)


def slot_passed(ctx: Context, bar_open_utc_ns: UtcNs, silent: tuple[str, ...]) -> None:
    """A quarter hour is over in which the pairs named had nothing to say: their place in the round."""
    signal_rounds.bar_seen(ctx, bar_open_utc_ns)
    for symbol in silent:
        signal_rounds.pair_without_bar(ctx, symbol, bar_open_utc_ns)


def quiet(ctx: Context) -> bool:
    """Nothing is open, in flight, waiting or under way: until the clock or a candidate comes, no price can change a decision."""
    return not ctx.state.positions and idle(ctx)


def idle(ctx: Context) -> bool:
    """Nothing is in flight, waiting or under way, and all that the desk must know it knows."""
    state = ctx.state
    return not (
        state.orders
        or state.closes
        or state.waiting
        or state.external_positions
        or state.pending
        or state.reservations
        or not state.round.judged
        or state.book_retry_utc_ns
        or state.stop is not None
        or (state.flatten is not None and not state.flatten.done)
        or "starting" in state.reasons
        or not _pairs_known(ctx)
    )


def _pairs_known(ctx: Context) -> bool:
    """Whether each pair was seen, so that the broker's tick value has something to be compared with."""
    pairs = ctx.state.pairs
    for symbol in ctx.pairs:
        pair = pairs.get(symbol)
        if pair is None or pair.tick_value_expected_money is None:
            return False
    return True


def _hours(pair: PairState, told: PairPassed, most: int) -> None:
    """As if every bar had come alone: the lists grow to an eighth above `most`, then shrink to it."""
    hours, closes = pair.h1_open_utc_ns, pair.h1_close_price
    new_hours, new_closes = told.h1_open_utc_ns, told.h1_close_price
    begun = bool(hours and new_hours and hours[-1] == new_hours[0])
    if begun:
        closes[-1] = new_closes[0]
    first = 1 if begun else 0
    before, added = len(hours), len(new_hours) - first
    hours.extend(new_hours[first:])
    closes.extend(new_closes[first:])
    limit = most + most // 8
    if before + added > limit:
        over = before + added - limit - 1
        kept = most + over % (limit + 1 - most)
        trim_list(hours, kept)
        trim_list(closes, kept)
