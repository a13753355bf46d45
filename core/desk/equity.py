"""What the account is worth now: balance, credit and the floating result of every position by our own quotes.

Promises: a missing rate makes equity None, never a smaller number; positions are revalued only when a quote that counts for them
came. Balance moves by deals (`book_deal`), and by what the broker says when the two differ.
Units: money in account currency.
"""

from __future__ import annotations

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition
from quarterdeck.core.model.units import Money, Price

LOTS_NOISE = 1e-9
_MONEY_NOISE = 1e-6


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
    per_lot = ctx.commission_money_per_lot(position.symbol)
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
    total = state.balance_money + account.credit_money
    for position in state.positions.values():
        if position.floating_money is None:
            state.equity_money = None
            return
        total += position.floating_money + position.swap_money
    for foreign in state.external_positions.values():
        if foreign.floating_money is None:
            state.equity_money = None
            return
        total += foreign.floating_money + foreign.at_broker.swap_money
    state.equity_money = total


def balance_read(ctx: Context, balance_money: Money, *, first: bool) -> None:
    """The broker's balance is the truth; what it holds beyond our deals is money whose deals are still to be seen."""
    state = ctx.state
    if first:
        state.balance_read_utc_ns = ctx.now
        state.balance_ahead_money = 0.0
    else:
        ahead = balance_money - state.balance_money + state.balance_ahead_money
        state.balance_ahead_money = ahead if abs(ahead) > _MONEY_NOISE else 0.0
    state.balance_money = balance_money


def balance_moved(ctx: Context, net_money: Money, at_utc_ns: int) -> None:
    """A deal's money enters the balance, unless the balance as read holds it already."""
    state = ctx.state
    if state.account is None or at_utc_ns < state.balance_read_utc_ns:
        return
    ahead = state.balance_ahead_money
    if abs(ahead) > _MONEY_NOISE and abs(ahead - net_money) < abs(ahead):
        rest = ahead - net_money
        state.balance_ahead_money = rest if abs(rest) > _MONEY_NOISE else 0.0
        return
    state.balance_money += net_money


def used_margin_money(ctx: Context) -> Money | None:
    """Margin of all that is open, each position alone (hedged volume is not netted); None while a rate is missing."""
    account = ctx.state.account
    if account is None:
        return None
    total = 0.0
    for position in ctx.state.positions.values():
        if position.lots > LOTS_NOISE:
            one = _margin(ctx, position.symbol, position, position.lots, position.open_price)
            if one is None:
                return None
            total += one
    for foreign in ctx.state.external_positions.values():
        held = foreign.at_broker
        one = _margin(ctx, held.symbol, foreign, held.lots, held.open_price)
        if one is None:
            return max(account.margin_money, total)
        total += one
    return total


def _margin(ctx: Context, symbol: str, held: ManagedPosition | ExternalPosition, lots: float, price: Price) -> Money | None:
    account, valuer = ctx.state.account, ctx.valuer(symbol)
    if account is None or valuer is None:
        return None
    side = held.side if isinstance(held, ManagedPosition) else held.at_broker.side
    return valuer.margin_money(side, lots, price, account.leverage, ctx.rates)


def margin_level_pct(ctx: Context, extra_money: Money = 0.0) -> float | None:
    """Equity as percent of the margin in use and `extra_money`; None where no margin is in use or a figure is unknown."""
    margin, equity = used_margin_money(ctx), ctx.state.equity_money
    if margin is None or equity is None or margin + extra_money <= 0.0:
        return None
    return 100.0 * equity / (margin + extra_money)
