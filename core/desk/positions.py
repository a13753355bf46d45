"""Positions of ours from the first fill to the last deal: volume, money and what a closed trade was.

Promises: a fill counts once, whether its report or its deal comes first, late or twice; money comes from deals alone; a position
is closed when its deals account for all of its volume. Does not: decide to close anything.
Units: money in account currency, prices in quote currency.
"""

from __future__ import annotations

from quarterdeck.core.desk import breaker_watch
from quarterdeck.core.desk.balance_changes import balance_moved, unaccounted
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import EntryTerms, FillTally, GroupProfitPeak, ManagedPosition, OrderInFlight
from quarterdeck.core.desk.equity import LOTS_NOISE, amount, left_money, revalue, signed_amount, sum_equity
from quarterdeck.core.desk.learned_commission import round_trip_settled
from quarterdeck.core.desk.memory_limits import DEALS_MAX, FILLS_MAX, GONE_MAX, trim
from quarterdeck.core.desk.risk_reservation import filled
from quarterdeck.core.desk.trading_state import drop_reason
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.effects import Alert, PartialClose, PositionOpened, TradeClosed
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.inputs import Filled
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Lots, Money, Price

ADOPTED = "adopted"
"""Strategy of a position that no order of ours explains: its result is nobody's skill."""
_READINGS_WITHOUT_MAX = 60


def fill_delta(ctx: Context, order_ticket: int, deal_ticket: int, *, reported: Lots = 0.0, dealt: Lots = 0.0) -> Lots:
    """How much of an order's fill is news: the greater of what was reported and what deals add up to, less what was booked."""
    key = order_ticket or -deal_ticket
    fills = ctx.state.fills
    seen = fills.get(key)
    if seen is None:
        seen = fills[key] = FillTally()
        trim(fills, FILLS_MAX)
    before = max(seen.reported_lots, seen.dealt_lots)
    seen.reported_lots = max(seen.reported_lots, reported)
    seen.dealt_lots += dealt
    return max(seen.reported_lots, seen.dealt_lots) - before


def opened_by_report(ctx: Context, order: OrderInFlight, fate: Filled) -> ManagedPosition | None:
    """A report says that an opening order was filled."""
    if order.entry is None:
        return None
    delta = fill_delta(ctx, fate.order_ticket, fate.deal_ticket, reported=fate.lots)
    return _grow(ctx, order, order.entry, fate.position_id, delta, fate.price, fate.latency_ms, ctx.now)


def opened_by_deal(ctx: Context, order: OrderInFlight, deal: Deal) -> ManagedPosition | None:
    """A deal of ours opened or added volume."""
    if order.entry is None:
        return None
    delta = fill_delta(ctx, deal.order_ticket, deal.deal_ticket, dealt=deal.lots)
    return _grow(ctx, order, order.entry, deal.position_id, delta, deal.price, 0.0, deal.at_utc_ns)


def _grow(
    ctx: Context,
    order: OrderInFlight,
    entry: EntryTerms,
    position_id: int,
    lots: Lots,
    price: Price,
    latency_ms: float,
    at_utc_ns: int,
) -> ManagedPosition | None:
    state = ctx.state
    position = state.positions.get(position_id)
    if position is not None:
        lots = _not_ahead(position, lots)
    if lots <= LOTS_NOISE:
        return position
    if order.filled_lots <= LOTS_NOISE:
        breaker_watch.entry_made(ctx, at_utc_ns)
    order.filled_lots += lots
    order.position_id = position_id
    filled(ctx, order.client_id, lots, by="filled")
    if position is not None:
        _add_volume(ctx, position, order, lots, price)
        return position
    group = entry.adds_to_position_id
    leader = state.positions.get(group) if group else None
    position = _made(ctx, entry, position_id, order.symbol, order.side or Side.BUY, lots, price, at_utc_ns)
    position.client_id, position.latency_ms = order.client_id, latency_ms
    if leader is not None:
        leader.adds += 1
        position.group_id = leader.group_id
        state.groups.setdefault(leader.group_id, GroupProfitPeak(peak_money=leader.peak_money))
    position.risk_money = _risk_at_fill(ctx, position, order.lots)
    position.asked_risk_money = entry.risk_money * lots / order.lots
    _tell_opened(ctx, position)
    return position


def _made(
    ctx: Context, entry: EntryTerms, position_id: int, symbol: str, side: Side, lots: Lots, price: Price, at_utc_ns: int
) -> ManagedPosition:
    state = ctx.state
    position = ManagedPosition(
        position_id=position_id,
        ticket=position_id,
        client_id="",
        symbol=symbol,
        side=side,
        lots=lots,
        opened_lots=lots,
        open_price=price,
        stop_price=entry.stop_price,
        target_price=entry.target_price,
        opened_utc_ns=at_utc_ns,
        changed_utc_ns=ctx.now,
        entry=entry,
        first_stop_price=entry.stop_price,
        risk_money=entry.risk_money,
        equity_money=state.equity_money or state.balance_money,
        group_id=position_id,
        first_volume_lots=lots,
    )
    cost, position.opened_deal_lots = state.early_deal_costs.pop(position_id, 0.0), state.early_deal_lots.pop(position_id, 0.0)
    state.recently_closed.pop(position_id, None)
    position.commission_money = position.open_commission_money = cost
    state.positions[position_id] = position
    position.round_trip_money = _round_trip(ctx, position)
    ctx.wake_changed = ctx.valuation_changed = True
    revalue(ctx, position)
    sum_equity(ctx)
    return position


def _round_trip(ctx: Context, position: ManagedPosition) -> Money:
    """Spread at entry and both commissions; what is not known counts as nothing."""
    valuer, per_lot = ctx.valuer(position.symbol), ctx.commission_money_per_lot(position.symbol)
    spread = None
    if valuer is not None:
        crossed = position.open_price - position.side * position.entry.spread_price
        spread = valuer.profit_money(position.side, position.lots, position.open_price, crossed, ctx.rates)
    return -(spread or 0.0) + 2.0 * (per_lot or 0.0) * position.lots


def _not_ahead(position: ManagedPosition, lots: Lots) -> Lots:
    """`lots` without what the broker's book showed before."""
    absorbed = min(position.book_opened_early_lots, lots)
    position.book_opened_early_lots -= absorbed
    return lots - absorbed


def opened_by_broker_book(ctx: Context, order: OrderInFlight, entry: EntryTerms, held: BrokerPosition) -> ManagedPosition:
    """The broker's book proves the outcome of an opening order before any report or deal did."""
    position = _grow(ctx, order, entry, held.position_id, held.lots, held.open_price, 0.0, held.opened_utc_ns)
    invariant(position is not None, "a position that the book shows is booked", position=held.position_id)
    made = ctx.state.positions[held.position_id]
    made.book_opened_early_lots, made.ticket = held.lots, held.ticket
    return made


def adopt_position(ctx: Context, held: BrokerPosition, stop_price: Price) -> ManagedPosition:
    """A position that is ours to manage and that no order in flight explains; its own stop, or the one assumed for it."""
    valuer = ctx.valuer(held.symbol)
    lost = None
    if valuer is not None:
        lost = valuer.profit_money(held.side, held.lots, held.open_price, stop_price, ctx.rates)
    entry = EntryTerms(
        signal_id=f"adopted:{held.position_id}",
        strategy=ADOPTED,
        bar_open_utc_ns=0,
        quoted_price=held.open_price,
        stop_price=stop_price,
        target_price=held.target_price,
        risk_money=max(-lost, 0.0) if lost is not None else 0.0,
        spread_price=0.0,
        confidence=0.0,
    )
    position = _made(ctx, entry, held.position_id, held.symbol, held.side, held.lots, held.open_price, held.opened_utc_ns)
    position.ticket, position.client_id, position.swap_money = held.ticket, held.comment[:16], held.swap_money
    position.book_opened_early_lots = position.opened_deal_lots = held.lots
    position.asked_risk_money, position.fill_judged = entry.risk_money, True
    _tell_opened(ctx, position)
    return position


def more_by_deal(ctx: Context, position: ManagedPosition, deal: Deal) -> None:
    """An opening deal in a position whose order is settled or was never ours: volume that is news is added."""
    lots = _not_ahead(position, fill_delta(ctx, deal.order_ticket, deal.deal_ticket, dealt=deal.lots))
    if lots <= LOTS_NOISE:
        return
    total = position.lots + lots
    position.open_price = (position.open_price * position.lots + deal.price * lots) / total
    position.lots = rounded(total, 8)
    position.opened_lots = rounded(position.opened_lots + lots, 8)
    position.changed_utc_ns = ctx.now
    ctx.wake_changed = ctx.valuation_changed = True
    ctx.note(
        "volume_added", f"{lots:g} at {deal.price}, not by us", symbol=position.symbol, ticket=position.ticket, level="warning"
    )


def lots_by_book(ctx: Context, position: ManagedPosition, held: BrokerPosition | None) -> None:
    """The broker's book contradicts us twice: it is right; the deals that explain it must not move the volume again."""
    lots = 0.0 if held is None else held.lots
    if lots < position.lots:
        ahead = position.lots - lots
        reduce_lots(ctx, position, ahead)
        position.book_closed_early_lots += ahead
    elif held is not None and lots > position.lots:
        more = lots - position.lots
        position.book_opened_early_lots += more
        position.lots, position.open_price = lots, held.open_price
        position.opened_lots = rounded(position.opened_lots + more, 8)
        position.changed_utc_ns = ctx.now
        ctx.wake_changed = ctx.valuation_changed = True
        revalue(ctx, position)
        sum_equity(ctx)


def _add_volume(ctx: Context, position: ManagedPosition, order: OrderInFlight, lots: Lots, price: Price) -> None:
    """More volume in the same position: another deal of its order, or an add on a netting account."""
    total = position.lots + lots
    position.open_price = (position.open_price * position.lots + price * lots) / total
    position.lots = rounded(total, 8)
    position.opened_lots = rounded(position.opened_lots + lots, 8)
    position.changed_utc_ns = ctx.now
    if position.client_id != order.client_id:
        if order.filled_lots - lots <= LOTS_NOISE:
            position.adds += 1
        position.stop_price = order.stop_price if order.stop_price is not None else position.stop_price
    else:
        position.first_volume_lots += lots
        position.risk_money = _risk_at_fill(ctx, position, order.lots)
        position.asked_risk_money = order.entry.risk_money * position.lots / order.lots if order.entry is not None else 0.0
    ctx.wake_changed = ctx.valuation_changed = True
    revalue(ctx, position)
    sum_equity(ctx)
    ctx.note("volume_added", f"{lots:g} at {price}", symbol=position.symbol, ticket=position.ticket)


def _risk_at_fill(ctx: Context, position: ManagedPosition, ordered_lots: Lots) -> Money:
    """Loss at the stop with commission, from the price it was filled at.

    The asked share where no rate is known, or where it was filled beyond its stop: what is left to lose there is no measure of R.
    """
    valuer, commission = ctx.valuer(position.symbol), ctx.commission_money_per_lot(position.symbol)
    asked = position.entry.risk_money * position.lots / ordered_lots
    position.risk_asked = (position.open_price - position.stop_price) * position.side <= 0.0
    if valuer is None or commission is None or position.risk_asked:
        return asked
    lost = valuer.profit_money(position.side, position.lots, position.open_price, position.stop_price, ctx.rates)
    if lost is None:
        return asked
    return max(-lost + valuer.commission_money(position.lots, commission), asked * 0.01)


def _tell_opened(ctx: Context, position: ManagedPosition) -> None:
    entry = position.entry
    ctx.emit(
        PositionOpened(
            position_id=position.position_id,
            client_id=position.client_id,
            signal_id=entry.signal_id,
            symbol=position.symbol,
            side=position.side,
            lots=position.lots,
            open_price=position.open_price,
            quoted_price=entry.quoted_price,
            stop_price=position.stop_price,
            target_price=position.target_price,
            risk_money=position.risk_money,
            asked_risk_money=position.asked_risk_money,
            spread_price=entry.spread_price,
            confidence=entry.confidence,
            latency_ms=position.latency_ms,
        )
    )
    ctx.emit(
        Alert(
            kind="fill",
            level="info",
            text=f"{position.symbol} opened: {position.side.word} {position.lots:g} lots at {position.open_price}, "
            f"stop {position.stop_price}, risk {amount(ctx, position.risk_money)}.",
            symbol=position.symbol,
            ticket=position.ticket,
        )
    )


def reduce_lots(ctx: Context, position: ManagedPosition, lots: Lots, *, dealt: bool = False) -> None:
    """`lots` are no longer open, with their deal or before it; what the book took away before does not leave twice."""
    absorbed = min(position.book_closed_early_lots, lots)
    position.book_closed_early_lots -= absorbed
    gone = min(lots - absorbed, position.lots)
    if gone <= 0.0:
        return
    keep = (position.lots - gone) / position.lots
    if not dealt:
        _without_deal(ctx, position, gone)
    group = ctx.state.groups.get(position.group_id)
    if group is not None:
        whole = sum(held.lots for held in ctx.state.positions.values() if held.group_id == position.group_id)
        group.peak_money *= (whole - gone) / whole
    position.lots = 0.0 if position.lots - gone <= LOTS_NOISE else rounded(position.lots - gone, 8)
    position.peak_money *= keep
    position.swap_money *= keep
    position.changed_utc_ns = ctx.now
    position.partly_closed = True
    ctx.wake_changed = True
    revalue(ctx, position)
    sum_equity(ctx)


def _without_deal(ctx: Context, position: ManagedPosition, gone: Lots) -> None:
    """Volume is closed before its deals are seen: it counts with what it was worth, until they come."""
    share = gone / position.lots
    position.left_lots += gone
    position.left_money += ((position.floating_money or 0.0) + position.swap_money) * share
    position.left_read = False
    valuer = ctx.valuer(position.symbol)
    if valuer is None:
        return
    distance = abs(position.open_price - position.first_stop_price)
    worse = ctx.policy(position.symbol).slippage.allowance(valuer.instrument, distance)
    slipped_price = position.open_price - position.side * worse
    slipped = valuer.profit_money(position.side, gone, position.open_price, slipped_price, ctx.rates) or 0.0
    position.left_slippage_money += (ctx.close_commission_money_per_lot(position.symbol) or 0.0) * gone - slipped


def _deal_came(position: ManagedPosition, lots: Lots) -> None:
    """`lots` of what is closed have their deal: they no longer count with what they were worth."""
    if position.left_lots <= 0.0:
        return
    kept = max(1.0 - lots / position.left_lots, 0.0)
    position.left_lots = 0.0 if kept <= LOTS_NOISE else position.left_lots * kept
    position.left_money *= kept if position.left_lots else 0.0
    position.left_slippage_money *= kept if position.left_lots else 0.0


def closed_by_report(ctx: Context, position: ManagedPosition, fate: Filled) -> None:
    """A report says that a close was executed; the money follows with its deals."""
    reduce_lots(ctx, position, fill_delta(ctx, fate.order_ticket, fate.deal_ticket, reported=fate.lots))


def deal_is_news(ctx: Context, deal: Deal) -> bool:
    """Whether this deal was not booked before; from now on it was."""
    deals = ctx.state.deals
    if deal.deal_ticket in deals:
        return False
    deals[deal.deal_ticket] = deal.position_id
    trim(deals, DEALS_MAX)
    return True


def keep_early_deal(ctx: Context, deal: Deal) -> None:
    """An opening deal of ours came before its position was known: kept for the moment in which it is."""
    state, key = ctx.state, deal.position_id
    state.early_deal_costs[key] = state.early_deal_costs.get(key, 0.0) + deal.commission_money + deal.fee_money
    state.early_deal_lots[key] = state.early_deal_lots.get(key, 0.0) + deal.lots
    trim(state.early_deal_costs, GONE_MAX)
    trim(state.early_deal_lots, GONE_MAX)


def book_opening_deal(ctx: Context, position: ManagedPosition, deal: Deal) -> None:
    """The costs of an opening deal."""
    cost = deal.commission_money + deal.fee_money
    position.opened_deal_lots += deal.lots
    position.deals += 1
    position.commission_money += cost
    position.open_commission_money += cost
    position.swap_realised_money += deal.swap_money
    position.gross_money += deal.profit_money
    balance_moved(ctx, deal)
    revalue(ctx, position)
    sum_equity(ctx)
    finish_if_settled(ctx, position)


def book_closing_deal(ctx: Context, position: ManagedPosition, deal: Deal, why: str) -> None:
    """A closing deal: volume, money, and the end of the trade once all volume is accounted for. `why` is our own reason."""
    reduce_lots(ctx, position, fill_delta(ctx, deal.order_ticket, deal.deal_ticket, dealt=deal.lots), dealt=True)
    _deal_came(position, deal.lots)
    cost = deal.commission_money + deal.fee_money
    position.gross_money += deal.profit_money
    position.commission_money += cost
    position.swap_realised_money += deal.swap_money
    lots = deal.lots if deal.entry != "inout" else max(min(deal.lots, position.opened_lots - position.closed_deal_lots), 0.0)
    position.closed_deal_lots += lots
    position.deals += 1
    position.close_value += lots * deal.price
    position.closed_utc_ns = deal.at_utc_ns
    position.close_reason = closing_reason(position, deal, why)
    position.close_rule = deal.rule
    position.ambiguous = position.ambiguous or deal.rule.startswith("both_touched")
    net = deal.profit_money + cost + deal.swap_money
    seen = position.day_money * min(lots / position.opened_lots, 1.0) if position.opened_lots > 0.0 else 0.0
    balance_moved(ctx, deal, seen_money=seen)
    sum_equity(ctx)
    if position.lots <= LOTS_NOISE and position.closed_deal_lots >= position.opened_lots - LOTS_NOISE:
        finish_if_settled(ctx, position)
        return
    ctx.emit(
        PartialClose(
            position_id=position.position_id,
            symbol=position.symbol,
            lots=deal.lots,
            price=deal.price,
            reason=position.close_reason,
            profit_money=net,
        )
    )


def finish_if_settled(ctx: Context, position: ManagedPosition) -> None:
    """End the trade once nothing is open and its deals, opening and closing, account for all of its volume."""
    accounted = min(position.closed_deal_lots, position.opened_deal_lots) >= position.opened_lots - LOTS_NOISE
    if accounted and position.lots <= LOTS_NOISE:
        finish_trade(ctx, position)


def closed_without_deals(ctx: Context, position: ManagedPosition) -> None:
    """The broker does not list it any more and deals are missing: asked for a while, then reported as it is known."""
    position.reads_without_deals += 1
    if position.reads_without_deals < _READINGS_WITHOUT_MAX:
        ctx.query_book_later()
        return
    position.close_reason = position.close_reason or "unaccounted"
    position.closed_utc_ns = position.closed_utc_ns or ctx.now
    text = (
        f"#{position.ticket} {position.symbol} is closed at the broker, but the broker never reported its deals, so the recorded "
        "P&L of this trade is incomplete. The desk takes its result from the balance. Compare it with the terminal's history."
    )
    ctx.emit(Alert(kind="error", level="critical", text=text, symbol=position.symbol, ticket=position.ticket))
    if position.left_read:
        unaccounted(ctx, left_money(ctx))
    position.left_lots = position.left_money = position.left_slippage_money = 0.0
    finish_trade(ctx, position)


def closing_reason(position: ManagedPosition, deal: Deal, why: str) -> str:
    """The one word for why a position left: the broker's reason, refined by what we know of our stop and our own request."""
    if deal.reason == "stop":
        return position.stop_state if position.stop_state in ("trail", "break_even") else "stop"
    if deal.reason in ("target", "stop_out"):
        return deal.reason
    if deal.rule == "end":
        return "end"
    if deal.reason == "client":
        return "manual"
    return why or ("manual" if deal.reason == "expert" else deal.reason)


def finish_trade(ctx: Context, position: ManagedPosition) -> None:
    """The trade is over: reported, counted, and forgotten but for its number."""
    state = ctx.state
    net = position.gross_money + position.commission_money + position.swap_realised_money
    result_r = net / position.risk_money if position.risk_money > 0.0 else 0.0
    position.best_money, position.worst_money = max(position.best_money, net), min(position.worst_money, net)
    state.positions.pop(position.position_id, None)
    state.closes.pop(position.position_id, None)
    if position.group_id in state.groups and not any(one.group_id == position.group_id for one in state.positions.values()):
        del state.groups[position.group_id]
    ctx.closed.append(position.position_id)
    state.recently_closed[position.position_id] = position.closed_utc_ns or ctx.now
    trim(state.recently_closed, GONE_MAX)
    ctx.wake_changed = ctx.valuation_changed = True
    ctx.emit(
        TradeClosed(
            position_id=position.position_id,
            symbol=position.symbol,
            side=position.side,
            lots=position.opened_lots,
            opened_utc_ns=position.opened_utc_ns,
            closed_utc_ns=position.closed_utc_ns,
            open_price=position.open_price,
            close_price=rounded(position.close_value / position.closed_deal_lots, 8) if position.closed_deal_lots > 0.0 else 0.0,
            stop_price=position.stop_price,
            reason=position.close_reason,
            rule=position.close_rule,
            gross_money=rounded(position.gross_money, 8),
            commission_money=rounded(position.commission_money, 8),
            swap_money=rounded(position.swap_realised_money, 8),
            net_money=rounded(net, 8),
            risk_money=position.risk_money,
            result_r=result_r,
            peak_money=position.best_money,
            worst_money=position.worst_money,
            signal_id=position.entry.signal_id,
            confidence=position.entry.confidence,
            ambiguous=position.ambiguous,
            risk_asked=position.risk_asked,
        )
    )
    ctx.emit(
        Alert(
            kind="close",
            level="info",
            text=f"{position.symbol} closed ({position.close_reason}): {position.side.word} {position.opened_lots:g} lots, "
            f"{signed_amount(ctx, net)}, {result_r:+.2f} R.",
            symbol=position.symbol,
            ticket=position.ticket,
        )
    )
    round_trip_settled(ctx, position)
    if not any(held.stop_missing for held in state.positions.values()):
        drop_reason(ctx, "no_stop", "No open position lacks its stop any more")
    sum_equity(ctx)
    closed = position.closed_utc_ns or ctx.now
    breaker_watch.trade_done(ctx, result_r, closed, of_strategy=position.entry.strategy != ADOPTED)
