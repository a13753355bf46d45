"""What the market shows: quotes, closed bars, what is usual, and what the broker says of its symbols.

Promises: a quote that concerns nothing open costs a dictionary entry; nothing is judged by what it taught itself: a spread seen
at one bar close is learned from at the next. Does not: judge candidates (`signal_rounds`).
"""

from __future__ import annotations

from quarterdeck.core.desk import breaker_watch, position_management, spikes
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import PairState
from quarterdeck.core.desk.equity import revalue, revalue_all, revalue_foreign, sum_equity
from quarterdeck.core.desk.memory_limits import H1_SPARE, trim_list
from quarterdeck.core.filters.spread import QUARTERS_OF_WEEK, UsualSpreads
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import BarClosed, History, Instruments
from quarterdeck.core.model.market_data import Bar, Instrument, Quote
from quarterdeck.core.model.units import H1_NS, M15_NS, PriceDistance

_ALERTED = (
    "contract_size",
    "tick_size",
    "digits",
    "point",
    "trade_mode",
    "volume_min_lots",
    "volume_max_lots",
    "volume_step_lots",
    "volume_limit_lots",
    "margin_currency",
    "profit_currency",
)
"""Fields of a specification whose change concerns size, direction or worth."""
_NOTED = (
    "stops_level_points",
    "freeze_level_points",
    "calc_mode",
    "execution",
    "filling_flags",
    "swap_mode",
    "swap_long",
    "swap_short",
    "swap_triple_weekday",
    "margin_initial",
    "margin_hedged",
    "margin_hedged_use_leg",
    "sessions",
)


def quote(ctx: Context, new: Quote) -> None:
    """Take a quote; what is open and depends on it is revalued and looked after."""
    state = ctx.state
    old = state.quotes.get(new.symbol)
    if old is not None and new.at_utc_ns < old.at_utc_ns:
        return
    state.quotes[new.symbol] = new
    watched = ctx.positions_by_quote()
    if new.symbol in watched:
        _valued(ctx, watched[new.symbol])
        if spikes.believed(ctx, old, new):
            _judged(ctx, watched[new.symbol])
        else:
            breaker_watch.check_equity(ctx)


def spikes_due(ctx: Context) -> None:
    """Suspect quotes that no other followed: what depends on them is judged now."""
    for symbol in spikes.confirmed_by_silence(ctx):
        _judged(ctx, ctx.positions_by_quote().get(symbol, ()))


def _valued(ctx: Context, position_ids: tuple[int, ...]) -> None:
    state = ctx.state
    for position_id in position_ids:
        position = state.positions.get(position_id)
        if position is not None:
            revalue(ctx, position)
        elif position_id in state.external_positions:
            revalue_foreign(ctx, state.external_positions[position_id])
    sum_equity(ctx)


def _judged(ctx: Context, position_ids: tuple[int, ...]) -> None:
    for position_id in position_ids:
        position = ctx.state.positions.get(position_id)
        if position is not None:
            position_management.on_position_quote(ctx, position)
    breaker_watch.check_equity(ctx)


def bar_closed(ctx: Context, closed: BarClosed) -> None:
    """Book a closed M15 bar: the hour it belongs to, holes before it, and the spread seen at the close before."""
    if closed.timeframe != "M15":
        return
    bar, pair = closed.bar, ctx.pair(closed.symbol)
    opened = bar.open_utc_ns
    if opened <= pair.last_bar_utc_ns:
        return
    if closed.late:
        breaker_watch.missed_bar(ctx, closed.symbol, bar, _spread_of(ctx, pair, bar))
    if hole(ctx, closed.symbol, pair.last_bar_utc_ns, opened):
        pair.gap_bar_utc_ns = opened
    pair.last_bar_utc_ns = opened
    if closed.late:
        pair.late_bar_utc_ns = opened
    _hour(ctx, pair, opened, bar.close)
    _learn_spread(ctx, pair)
    if pair.tick_value_expected_money is None:
        expect_tick_value(ctx, closed.symbol)
    if ctx.state.positions:
        position_management.update_peaks_from_bar(ctx, closed.symbol, bar)
    if ctx.state.positions and opened > ctx.state.marked_bar_utc_ns:
        ctx.state.marked_bar_utc_ns = opened
        breaker_watch.record_equity(ctx)


def _spread_of(ctx: Context, pair: PairState, bar: Bar) -> PriceDistance:
    """What a bar's prices were apart: the usual of its minute, and no less than the bar's own least."""
    spec, usual = ctx.spec(pair.symbol), UsualSpreads(price=pair.typical_spread_price).typical(bar.open_utc_ns) or 0.0
    return usual if spec is None else max(usual, bar.spread_points * spec.point)


def hole(ctx: Context, symbol: str, before_utc_ns: int, opened_utc_ns: int) -> bool:
    """Whether a bar is missing between two at a time when the market was open; `before_utc_ns` is 0 where there was none."""
    if not before_utc_ns or opened_utc_ns <= before_utc_ns + M15_NS:
        return False
    spec = ctx.spec(symbol)
    return spec is not None and ctx.is_open(spec, opened_utc_ns - M15_NS) and ctx.is_open(spec, before_utc_ns + M15_NS)


def _hour(ctx: Context, pair: PairState, opened_utc_ns: int, close: float) -> None:
    hour = opened_utc_ns - opened_utc_ns % H1_NS
    hours, closes = pair.h1_open_utc_ns, pair.h1_close_price
    if hours and hours[-1] == hour:
        closes[-1] = close
    elif not hours or hours[-1] < hour:
        hours.append(hour)
        closes.append(close)
        most = ctx.settings.correlation.lookback_bars + H1_SPARE
        if len(hours) > most + most // 8:
            trim_list(hours, most)
            trim_list(closes, most)


def _learn_spread(ctx: Context, pair: PairState) -> None:
    if pair.seen_spread_utc_ns:
        UsualSpreads(price=pair.typical_spread_price).observe(pair.seen_spread_utc_ns, pair.seen_spread_price)
        pair.seen_spread_utc_ns = 0
    seen = ctx.state.quotes.get(pair.symbol)
    if seen is not None and ctx.now - seen.at_utc_ns < M15_NS:
        pair.seen_spread_utc_ns, pair.seen_spread_price = ctx.now, seen.ask - seen.bid


def history(ctx: Context, past: History) -> None:
    """A pair's past; what the desk knows already and newer is kept."""
    pair = ctx.pair(past.symbol)
    if len(past.h1_open_utc_ns) >= len(pair.h1_open_utc_ns):
        newest = past.h1_open_utc_ns[-1] if past.h1_open_utc_ns else 0
        later = [row for row, opened in enumerate(pair.h1_open_utc_ns) if opened > newest]
        pair.h1_open_utc_ns = [*past.h1_open_utc_ns, *(pair.h1_open_utc_ns[row] for row in later)]
        pair.h1_close_price = [*past.h1_close_price, *(pair.h1_close_price[row] for row in later)]
        most = ctx.settings.correlation.lookback_bars + H1_SPARE
        trim_list(pair.h1_open_utc_ns, most)
        trim_list(pair.h1_close_price, most)
    if len(past.usual_spread_price) == QUARTERS_OF_WEEK and not pair.typical_spread_price:
        pair.typical_spread_price = list(past.usual_spread_price)


def instruments(ctx: Context, read: Instruments) -> None:
    """Specifications, new or changed."""
    for spec in read.instruments:
        known = ctx.state.instruments.get(spec.symbol)
        ctx.state.instruments[spec.symbol] = spec
        if known is not None:
            _tell_changes(ctx, known, spec)
        if known != spec and spec.symbol in ctx.state.pairs:
            ctx.state.pairs[spec.symbol].tick_value_expected_money = None
    ctx.use_instruments()
    for spec in read.instruments:
        expect_tick_value(ctx, spec.symbol)
    revalue_all(ctx)


def _tell_changes(ctx: Context, known: Instrument, spec: Instrument) -> None:
    """What changed in a specification while the desk trades; an alert where sizes, directions or volumes are concerned."""
    alerted = _differences(known, spec, _ALERTED)
    noted = _differences(known, spec, _NOTED)
    if alerted:
        text = (
            f"The broker changed {spec.symbol}: {', '.join(alerted)}. New orders follow it from now on, and open positions are "
            "valued by it. Check the size of what is open."
        )
        ctx.emit(Alert(kind="risk", level="warning", text=text, symbol=spec.symbol))
    if noted:
        ctx.note("specification", ", ".join(noted), symbol=spec.symbol)


def _differences(known: Instrument, spec: Instrument, names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        before, after = getattr(known, name), getattr(spec, name)
        if before != after:
            words = (f"{before:g}", f"{after:g}") if isinstance(before, float) else (str(before), str(after))
            found.append(f"{name} {words[0]} to {words[1]}")
    return found


def expect_tick_value(ctx: Context, symbol: str) -> None:
    """Our own figure for the tick value the broker reported, from the quotes of now; tried again while a rate is missing."""
    valuer = ctx.valuer(symbol)
    if valuer is not None and symbol in ctx.pairs:
        ctx.pair(symbol).tick_value_expected_money = valuer.tick_value_money(ctx.rates, result="loss")
