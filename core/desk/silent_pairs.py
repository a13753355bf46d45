"""Pairs whose quotes have fallen silent while their market should be open: which entries stop, and who is alerted.

Guarantees: a silent pair takes no entries; once it is silent for `filters.silence_all_minutes` and its quotes move the worth of
something open, no pair does; one alert an episode. Does not: measure silence (the engine does), or send exits
(`position_management`, `closes`).
"""

from __future__ import annotations

from quarterdeck.core.desk import position_management
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.trading_state import add_reason, block_pair, drop_reason, sentence, unblock_pair
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import ConnectionState
from quarterdeck.core.model.units import UtcNs

REASON = "quotes_silent"


def told(ctx: Context, state: ConnectionState) -> None:
    """The quotes of one symbol stopped, or came again."""
    silent = ctx.state.silent
    if state.is_connected:
        if silent.pop(state.symbol, None) is not None:
            ctx.emit(
                Alert(
                    kind="connection",
                    level="warning",
                    text=f"{state.symbol}: {sentence(state.why or 'Quotes arrive again')} Entries in it are possible again.",
                    symbol=state.symbol,
                    resolved=True,
                )
            )
        unblock_pair(ctx, state.symbol, "feed")
        _stop_all(ctx)
        return
    why = state.why or "No quotes"
    block_pair(ctx, state.symbol, "feed", why, "quotes arrive again")
    if state.symbol not in silent:
        silent[state.symbol] = ctx.now
        text = (
            f"{state.symbol}: {sentence(why)} No entries in it. Stops at the broker stay in force; trailing and profit "
            "protection of open positions wait for quotes; time exits and your own closes are sent. Check the symbol in the "
            "terminal."
        )
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
        text = f"Equity cannot be computed: no quotes of {', '.join(old)}, in which positions are open"
        add_reason(ctx, REASON, text, alert="critical")
    else:
        drop_reason(ctx, REASON, "All open positions can be valued again")


def due(ctx: Context) -> None:
    """Stop all entries where silence lasts, and let them continue where nothing open depends on it any more."""
    if ctx.state.silent or REASON in ctx.state.reasons:
        _stop_all(ctx)


def next_due(ctx: Context) -> UtcNs:
    """When silence has lasted long enough; 0 where nothing open depends on it."""
    wait = ns(60.0 * ctx.settings.filters.silence_all_minutes)
    times = [since + wait for since in _exposed(ctx).values() if since + wait > ctx.now]
    return min(times, default=0)
