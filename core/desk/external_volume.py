"""Volume of external positions as deals and readings of the book change it: a result and its floating result never both count.

Why: the deal that closes an external position and the book that no longer shows it come in either order. In between the result
would count twice, or not at all: a drawdown that never was, or a peak that never was.
Guarantees: an opening deal makes a position that is valued before the book shows it, in a downtime too; a closing deal takes its
volume out at once; volume that a reading of the book lacks counts with what it was worth until its deal comes;
after `account.unexplained_wait_s` the balance alone says what it brought.
Does not: book money (`core.desk.balance_changes`), or hold positions of ours (`core.desk.positions`).
Units: money in account currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import ExternalPosition, LeftVolume
from quarterdeck.core.desk.equity import LOTS_NOISE, left_money, revalue_foreign
from quarterdeck.core.desk.memory_limits import GONE_MAX, trim
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.units import Lots, Money, UtcNs


def opened_by_deal(ctx: Context, deal: Deal) -> BrokerPosition | None:
    """An external position is opened or grows; gives a new one, whose stop only the broker's list shows."""
    state = ctx.state
    closed = deal.position_id in state.recently_closed or deal.position_id in state.external_left
    if closed or deal.at_utc_ns < state.balance_read_utc_ns or deal.lots <= LOTS_NOISE or ctx.valuer(deal.symbol) is None:
        return None
    known = state.external_positions.get(deal.position_id)
    if known is not None:
        _grown(ctx, known, deal)
        return None
    held = BrokerPosition(
        ticket=deal.position_id,
        position_id=deal.position_id,
        symbol=deal.symbol,
        side=deal.side,
        lots=deal.lots,
        open_price=deal.price,
        stop_price=None,
        target_price=None,
        opened_utc_ns=deal.at_utc_ns,
        magic=deal.magic,
        comment=deal.comment,
    )
    known = state.external_positions[deal.position_id] = ExternalPosition(at_broker=held, read_utc_ns=deal.at_utc_ns)
    ctx.valuation_changed = True
    revalue_foreign(ctx, known)
    return held


def _grown(ctx: Context, known: ExternalPosition, deal: Deal) -> None:
    held = known.at_broker
    if deal.at_utc_ns <= known.read_utc_ns or deal.side is not held.side:
        return
    lots = rounded(held.lots + deal.lots, 8)
    price = (held.open_price * held.lots + deal.price * deal.lots) / lots
    known.at_broker, known.changed_utc_ns = replace(held, lots=lots, open_price=price), ctx.now
    revalue_foreign(ctx, known)


def shown(ctx: Context, known: ExternalPosition, held: BrokerPosition, read_utc_ns: UtcNs) -> bool:
    """The book shows a known position; whether that reading is newer than the last deal in it."""
    if read_utc_ns < known.changed_utc_ns:
        return False
    gone = known.at_broker.lots - held.lots
    if gone > LOTS_NOISE:
        _left(ctx, known, gone)
    known.read_utc_ns = read_utc_ns
    return True


def missing(ctx: Context, known: ExternalPosition, read_utc_ns: UtcNs) -> None:
    """The book does not show the position; a reading from before its last deal says nothing of it."""
    if read_utc_ns < max(known.changed_utc_ns, known.read_utc_ns):
        ctx.query_book_later()
        return
    _left(ctx, known, known.at_broker.lots)
    del ctx.state.external_positions[known.at_broker.position_id]
    ctx.valuation_changed = True


def _left(ctx: Context, known: ExternalPosition, gone: Lots) -> None:
    """Volume left the book, and its deal is still to come."""
    state, held = ctx.state, known.at_broker
    share = gone / held.lots
    left = state.external_left.get(held.position_id)
    if left is None:
        left = state.external_left[held.position_id] = LeftVolume()
        trim(state.external_left, GONE_MAX)
    left.lots += gone
    left.money += ((known.floating_money or 0.0) + held.swap_money) * share
    left.day_money += known.day_money * share
    known.day_money *= 1.0 - share
    left.is_read, left.since_utc_ns = False, ctx.now
    valuer = ctx.valuer(held.symbol)
    if valuer is None:
        return
    worse = ctx.policy(held.symbol).slippage.allowance(valuer.instrument, 0.0)
    slipped = valuer.profit_money(held.side, gone, held.open_price, held.open_price - held.side * worse, ctx.rates) or 0.0
    left.slippage_money += (ctx.close_commission_money_per_lot(held.symbol) or 0.0) * gone - slipped


def closed_by_deal(ctx: Context, deal: Deal) -> Money:
    """A closing deal takes its volume out; returns what that volume was worth when the day began."""
    state = ctx.state
    lots, seen = deal.lots, 0.0
    left, known = state.external_left.get(deal.position_id), state.external_positions.get(deal.position_id)
    if left is not None:
        kept = max(1.0 - lots / left.lots, 0.0)
        lots = max(lots - left.lots, 0.0)
        seen += left.day_money * (1.0 - kept)
        left.lots, left.money, left.day_money = left.lots * kept, left.money * kept, left.day_money * kept
        left.slippage_money *= kept
        if left.lots <= LOTS_NOISE:
            del state.external_left[deal.position_id]
    if known is None or lots <= LOTS_NOISE or deal.side is known.at_broker.side or deal.at_utc_ns <= known.read_utc_ns:
        return seen
    held = known.at_broker
    kept = max(1.0 - lots / held.lots, 0.0)
    seen += known.day_money * (1.0 - kept)
    known.day_money *= kept
    known.changed_utc_ns = ctx.now
    known.at_broker = replace(held, lots=rounded(held.lots * kept, 8), swap_money=held.swap_money * kept)
    if known.at_broker.lots <= LOTS_NOISE:
        del state.external_positions[deal.position_id]
        state.recently_closed[deal.position_id] = ctx.now
        trim(state.recently_closed, GONE_MAX)
        ctx.valuation_changed = True
    else:
        revalue_foreign(ctx, known)
    return seen


def balance_read(ctx: Context) -> None:
    """A balance was read: from now on it shows what closed volume brought."""
    for left in ctx.state.external_left.values():
        left.is_read = True


def without_deal(ctx: Context) -> Money:
    """Forget volume whose deal has not come in time; returns what the balance shows of its result."""
    state, wait = ctx.state, ns(ctx.settings.account.unexplained_wait_s)
    over = [
        position_id for position_id, left in state.external_left.items() if left.is_read and ctx.now - left.since_utc_ns >= wait
    ]
    before = left_money(ctx) if over else 0.0
    for position_id in over:
        del state.external_left[position_id]
    return before - left_money(ctx) if over else 0.0
