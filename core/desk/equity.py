"""What the account is worth now: balance, credit and the floating result of every position by our own quotes.

Promises: a missing rate makes equity None, never a smaller number; positions are revalued only when a quote that counts for them
came. The balance is the one that deals explain (`core.desk.balance_changes`); closed volume whose deals are still to come counts
with it.
Units: money in account currency.
"""

from __future__ import annotations

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition
from quarterdeck.core.model.units import Money

LOTS_NOISE = 1e-9


def amount(ctx: Context, money: Money) -> str:
    """A sum as a person writes it, with its currency."""
    return f"{money:,.2f} {_currency(ctx)}".rstrip()


def signed_amount(ctx: Context, money: Money) -> str:
    """A gain or a loss as a person writes it, with its sign and currency."""
    return f"{money:+,.2f} {_currency(ctx)}".rstrip()


def _currency(ctx: Context) -> str:
    return ctx.state.account.currency if ctx.state.account is not None else ""


def revalue(ctx: Context, position: ManagedPosition) -> None:
    """Floating and net result of one position of ours at the newest quote."""
    if position.lots <= LOTS_NOISE:
        position.floating_money = position.net_money = 0.0
        return
    now_price = ctx.exit_price(position.symbol, position.side)
    valuer = ctx.valuer(position.symbol)
    floating = None
    if now_price is not None and valuer is not None:
        floating = valuer.profit_money(position.side, position.lots, position.open_price, now_price, ctx.rates)
    position.floating_money = floating
    cost = None if floating is None else close_cost_money(ctx, position)
    if floating is None or cost is None:
        position.net_money = None
        return
    paid = position.open_commission_money * (position.lots / position.opened_lots)
    position.net_money = floating + position.swap_money + paid - cost


def close_cost_money(ctx: Context, position: ManagedPosition) -> Money | None:
    """Commission still to pay for closing what is open; None while no rate is known."""
    per_lot = ctx.close_commission_money_per_lot(position.symbol)
    return None if per_lot is None else per_lot * position.lots


def revalue_foreign(ctx: Context, foreign: ExternalPosition) -> None:
    """Floating result of a position that is not ours; the broker's own figure where we have no quote of its symbol."""
    held = foreign.at_broker
    now_price, valuer = ctx.exit_price(held.symbol, held.side), ctx.valuer(held.symbol)
    floating = None
    if now_price is not None and valuer is not None:
        floating = valuer.profit_money(held.side, held.lots, held.open_price, now_price, ctx.rates)
    foreign.floating_money = held.profit_money if floating is None else floating


def revalue_all(ctx: Context) -> None:
    """Every position at the newest quotes, and equity with them."""
    for position in ctx.state.positions.values():
        revalue(ctx, position)
    for foreign in ctx.state.external_positions.values():
        revalue_foreign(ctx, foreign)
    sum_equity(ctx)


def sum_equity(ctx: Context) -> None:
    """Equity from balance, credit, and what positions are worth; None while one of them is not known."""
    state = ctx.state
    account = state.account
    if account is None:
        state.equity_money = None
        return
    total, left = state.balance_money + account.credit_money, bool(state.external_left)
    for position in state.positions.values():
        if position.floating_money is None:
            state.equity_money = None
            return
        total += position.floating_money + position.swap_money
        left = left or position.left_lots > 0.0
    for foreign in state.external_positions.values():
        if foreign.floating_money is None:
            state.equity_money = None
            return
        total += foreign.floating_money + foreign.at_broker.swap_money
    state.equity_money = total + left_money(ctx) if left else total


def left_money(ctx: Context) -> Money:
    """Result of volume that is closed while its deals are still to come.

    Until a balance is read, what it was worth last. From then on what the balance shows: never more than that worth, and of a
    loss no more than the floating loss and the slippage allowed for.
    """
    unread = 0.0
    for position in ctx.state.positions.values():
        if position.left_lots > 0.0 and not position.left_read:
            unread += position.left_money
    for left in ctx.state.external_left.values():
        if not left.is_read:
            unread += left.money
    return unread + _shown_money(ctx, unread_too=False)


def _shown_money(ctx: Context, *, unread_too: bool) -> Money:
    """The part of the unexplained money that is the result of volume whose deals are still to come."""
    least = most = 0.0
    for position in ctx.state.positions.values():
        if position.left_lots > 0.0 and (position.left_read or unread_too):
            least += min(position.left_money, 0.0) - position.left_slippage_money
            most += position.left_money
    for left in ctx.state.external_left.values():
        if left.is_read or unread_too:
            least += min(left.money, 0.0) - left.slippage_money
            most += left.money
    return max(min(ctx.state.balance.unexplained_money, most), least) if least else 0.0


def unexplained_money(ctx: Context) -> Money:
    """Money of the balance that no deal explains, and no closed trade whose deals are still to come."""
    unexplained = ctx.state.balance.unexplained_money
    if not unexplained:
        return 0.0
    shown = _shown_money(ctx, unread_too=True)
    if unexplained < 0.0:
        return min(unexplained - min(shown, 0.0), 0.0)
    return max(unexplained - max(shown, 0.0), 0.0)


def shortfall_money(ctx: Context) -> Money:
    """Unexplained money that is missing, never above zero: for new entries it counts as lost."""
    return min(unexplained_money(ctx), 0.0) if ctx.state.balance.unexplained_money else 0.0


def entry_equity_money(ctx: Context) -> Money | None:
    """Equity as an entry may count on it: without money that is missing."""
    equity = ctx.state.equity_money
    return None if equity is None else equity + shortfall_money(ctx)
