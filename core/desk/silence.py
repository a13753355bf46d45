"""Pairs whose quotes have fallen silent while their market should be open: what may not be entered, and what is told.

Guarantees: a silent pair takes no entries; once it is silent for `filters.silence_all_minutes` and its quotes move the worth of
something open, no pair does; one alert an episode. Does not: measure silence (the engine does), or send exits
(`position_management`, `closes`).
"""

from __future__ import annotations

from quarterdeck.core.desk import position_management
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.trading_state import add_reason, block_pair, drop_reason, unblock_pair
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import ConnectionState
from quarterdeck.core.model.units import UtcNs

REASON = "quotes_silent"


def told(ctx: Context, state: ConnectionState) -> None:
    """The quotes of one symbol stopped, or came again."""
    silent = ctx.state.silent
    if state.is_connected:
        if silent.pop(state.symbol, None) is not None:
            ctx.emit(Alert(kind="connection", level="warning", text=f"{state.symbol}: {state.why}", symbol=state.symbol))
        unblock_pair(ctx, state.symbol, "feed")
        _stop_all(ctx)
        return
    why = state.why or "no quotes"
    block_pair(ctx, state.symbol, "feed", why, "its quotes come again")
    if state.symbol not in silent:
        silent[state.symbol] = ctx.now
        text = f"{state.symbol}: {why}. No entries in it; exits that the clock or you demand are sent, price-based ones wait."
        ctx.emit(Alert(kind="connection", level="warning", text=text, symbol=state.symbol))
    for position in list(ctx.state.positions.values()):
        if position.symbol == state.symbol:
            position_management.manage_position(ctx, position)


def _exposed(ctx: Context) -> dict[str, UtcNs]:
    """Silent symbols that move the worth of something open, with since when."""
    return {symbol: since for symbol, since in ctx.state.silent.items() if symbol in ctx.positions_by_quote()}


def _stop_all(ctx: Context) -> None:
    wait = ns(60.0 * ctx.settings.filters.silence_all_minutes)
    old = [symbol for symbol, since in _exposed(ctx).items() if ctx.now - since >= wait]
    if old:
        text = f"equity is not known: no quotes of {', '.join(old)}"
        add_reason(ctx, REASON, text, alert="critical")
    else:
        drop_reason(ctx, REASON, "what is open can be valued again")


def due(ctx: Context) -> None:
    """Stop all entries where silence lasts, and let them go on where nothing open hangs on it any more."""
    if ctx.state.silent or REASON in ctx.state.reasons:
        _stop_all(ctx)


def next_due(ctx: Context) -> UtcNs:
    """When silence has lasted long enough; 0 where nothing open hangs on it."""
    wait = ns(60.0 * ctx.settings.filters.silence_all_minutes)
    times = [since + wait for since in _exposed(ctx).values() if since + wait > ctx.now]
    return min(times, default=0)
