"""The broker's book against ours: what stands, what vanished, what others did. A book that is not known changes nothing (law 4).

Promises: one contradiction asks again, two are believed; stops moved manually are respected, removed ones set again, and a
position that never had its stop is closed (law 7); what does not carry our magic number is counted and left alone (law 11).
Does not: book money (deals do that).
"""

from __future__ import annotations

from quarterdeck.core.desk import (
    balance_changes,
    breaker_watch,
    external_volume,
    flatten,
    margin,
    orders_in_flight,
    position_closing,
    stops,
)
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition, OrderInFlight
from quarterdeck.core.desk.equity import LOTS_NOISE, revalue, revalue_foreign, sum_equity
from quarterdeck.core.desk.memory_limits import GONE_MAX, trim
from quarterdeck.core.desk.positions import (
    adopt_position,
    book_closing_deal,
    book_opening_deal,
    closed_without_deals,
    deal_is_news,
    finish_trade,
    keep_early_deal,
    lots_by_book,
    more_by_deal,
    opened_by_broker_book,
    opened_by_deal,
)
from quarterdeck.core.desk.trading_state import add_reason, drop_reason
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import BrokerBook
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.risk.open_risk import assumed_stop


def reconcile_book(ctx: Context, book: BrokerBook) -> None:
    """Take over what the broker lists, or that it cannot be known."""
    state = ctx.state
    state.book_asked_utc_ns = state.book_retry_utc_ns = 0
    ctx.wake_changed = True
    if not book.known:
        state.book_known = False
        add_reason(ctx, "book_unknown", f"The broker's positions cannot be read: {book.why}")
        flatten.book_unknown(ctx)
        ctx.query_book_later()
        return
    state.book_known, state.book_at_utc_ns = True, book.at_utc_ns
    drop_reason(ctx, "book_unknown", "The broker's positions can be read again")
    listed: dict[int, BrokerPosition] = {held.position_id: held for held in book.positions}
    state.pending = {order.ticket: order for order in book.orders}
    for held in book.positions:
        _listed(ctx, book, held)
    for position in list(state.positions.values()):
        if position.position_id not in listed:
            _missing(ctx, book, position)
    for foreign in [one for one in state.external_positions.values() if one.at_broker.position_id not in listed]:
        external_volume.missing(ctx, foreign, book.at_utc_ns)
    _foreign_stops(ctx)
    _settle_by_book(ctx, book, listed)
    sum_equity(ctx)
    breaker_watch.check_equity(ctx)
    orders_in_flight.settle_superseded(ctx, position_closing.on_book_read(ctx, book.at_utc_ns))
    flatten.book_known(ctx, book)


def _listed(ctx: Context, book: BrokerBook, held: BrokerPosition) -> None:
    state = ctx.state
    mine = held.magic == ctx.magic
    position = state.positions.get(held.position_id)
    if position is not None and held.side is not position.side:
        _turned_round(ctx, book, position, held)
        return
    if position is not None and not mine and not ctx.settings.account.manage_external_positions:
        del state.positions[held.position_id]
        position, ctx.valuation_changed = None, True
    if position is not None:
        _compare(ctx, book, position, held)
        return
    if held.position_id in state.recently_closed and book.at_utc_ns <= state.recently_closed[held.position_id]:
        ctx.query_book_later()  # read before it went: what is there now is not known yet
        return
    if mine:
        _unexpected(ctx, held)
    elif ctx.settings.account.manage_external_positions and ctx.valuer(held.symbol) is not None:
        state.external_positions.pop(held.position_id, None)
        _adopt(ctx, held, foreign=True)
    else:
        _foreign(ctx, held, book.at_utc_ns)


def _compare(ctx: Context, book: BrokerBook, position: ManagedPosition, held: BrokerPosition) -> None:
    """A position that both know: ticket, swap, volume, stop and target."""
    position.ticket = held.ticket
    if position.swap_money != held.swap_money:
        position.swap_money = held.swap_money
        revalue(ctx, position)
    if abs(held.lots - position.lots) > LOTS_NOISE:
        _contradicted(ctx, book, position, held)
    else:
        position.volume_mismatches = 0
    if position.modify_id or book.at_utc_ns < position.modify_utc_ns or position.lots <= LOTS_NOISE:
        return
    _compare_stop(ctx, position, held)


def _compare_stop(ctx: Context, position: ManagedPosition, held: BrokerPosition) -> None:
    spec = ctx.spec(position.symbol)
    if held.stop_price is None:
        if not position.stop_seen and not position.adopted:
            stops.stop_not_accepted(ctx, position)
            position_closing.start_close(ctx, position.position_id, "no_stop", urgent=True)
        elif stops.beyond_stop(ctx, position):
            position_closing.start_close(ctx, position.position_id, "no_stop", urgent=True)
        else:
            stops.restore(ctx, position)
        return
    if not stops.same_price(spec, held.stop_price, position.stop_price):
        text = f"Stop moved in the terminal from {position.stop_price} to {held.stop_price}"
        ctx.note("stop_by_hand", text, symbol=position.symbol, ticket=position.ticket, level="warning")
        position.stop_price, position.stop_state = held.stop_price, "manual"
    stops.stop_confirmed(ctx, position)
    if not stops.same_price(spec, held.target_price, position.target_price):
        text = f"Target moved in the terminal from {position.target_price} to {held.target_price}"
        ctx.note("target_by_hand", text, symbol=position.symbol, ticket=position.ticket)
        position.target_price = held.target_price


def _contradicted(ctx: Context, book: BrokerBook, position: ManagedPosition, held: BrokerPosition | None) -> None:
    """Broker and desk hold different volumes: ask once more, then believe the broker."""
    if book.at_utc_ns < position.changed_utc_ns:
        return
    position.volume_mismatches += 1
    if position.volume_mismatches >= 2:
        lots = 0.0 if held is None else held.lots
        text = f"Position mismatch: {lots:g} lots at the broker, {position.lots:g} at the desk; the broker's figure is used"
        ctx.note("volume_by_book", text, symbol=position.symbol, ticket=position.ticket, level="warning")
        lots_by_book(ctx, position, held)
        position.volume_mismatches = 0
    elif position.volume_mismatches == 1 and book.at_utc_ns > position.changed_utc_ns:
        ctx.query_book(f"broker and desk hold different volumes of #{position.ticket}")
    else:
        ctx.query_book_later()


def _turned_round(ctx: Context, book: BrokerBook, position: ManagedPosition, held: BrokerPosition) -> None:
    """A netting position is on the other side: a manual trade, or an unconfirmed close that met less than it was sent for.

    What we held is over. Its deals say so; where they do not come, two readings are believed. What stands now is judged as any
    position that nobody asked for: ours without a stop goes at once.
    """
    if book.at_utc_ns < position.changed_utc_ns:
        return
    position.volume_mismatches += 1
    if position.volume_mismatches == 1:
        _tell_turned(ctx, position, f"the broker now shows {held.side.word} {held.lots:g} lots")
    else:
        position.close_reason, position.closed_utc_ns = position.close_reason or "unaccounted", ctx.now
        finish_trade(ctx, position)
    ctx.query_book(f"#{position.ticket} was reversed")


def _tell_turned(ctx: Context, position: ManagedPosition, seen: str) -> None:
    text = (
        f"#{position.ticket} {position.symbol} {position.side.word} {position.lots:g} lots was reversed at the broker: {seen}. "
        "The desk ends its trade and reads the positions again; a reversed position of ours without a stop is closed at once. "
        "Check in the terminal who traded it."
    )
    ctx.emit(Alert(kind="risk", level="critical", text=text, symbol=position.symbol, ticket=position.ticket))


def _missing(ctx: Context, book: BrokerBook, position: ManagedPosition) -> None:
    """The broker does not list a position of ours: closed, and its deals are on their way."""
    if position.lots > LOTS_NOISE:
        _contradicted(ctx, book, position, None)
    else:
        closed_without_deals(ctx, position)


def _unexpected(ctx: Context, held: BrokerPosition) -> None:
    """It carries our number and we do not know it: an unconfirmed order was filled, or an earlier run left it."""
    order = _order_of(ctx, held.comment, held)
    if order is not None and order.entry is not None:
        if order.order_status == "unknown":
            opened_by_broker_book(ctx, order, order.entry, held)
            if order.filled_lots >= order.lots - LOTS_NOISE:
                # of a part the outcome is not proven: the rest is queried
                outcome = f"was executed: the broker lists it as position #{held.ticket}"
                orders_in_flight.close_request(ctx, order, held.position_id, outcome)
            made = ctx.state.positions[held.position_id]
            if held.stop_price is not None:
                made.stop_price = held.stop_price
            _compare_stop(ctx, made, held)
        return
    _another_engine(ctx, opened=held, at_utc_ns=held.opened_utc_ns)
    _adopt(ctx, held, foreign=False)


def _order_of(ctx: Context, comment: str, held: BrokerPosition) -> OrderInFlight | None:
    """The opening order that explains a position: by its comment, the operator's decision, or as the only one of its kind."""
    order = ctx.state.orders.get(comment)
    if order is not None and order.kind == "open":
        return order
    for one in ctx.state.orders.values():
        if one.kind == "open" and one.position_id == held.position_id:
            return one
    if _of_another_run(ctx, comment):
        return None
    fitting = [
        order
        for order in ctx.state.orders.values()
        if order.kind == "open"
        and order.symbol == held.symbol
        and order.side is held.side
        and not order.position_id
        and held.opened_utc_ns >= order.sent_utc_ns
    ]
    return fitting[0] if len(fitting) == 1 else None


def _adopt(ctx: Context, held: BrokerPosition, *, foreign: bool) -> None:
    stop = held.stop_price
    if stop is None:
        price = ctx.exit_price(held.symbol, held.side) or held.open_price
        own, spec = ctx.policy(held.symbol).settings, ctx.spec(held.symbol)
        if spec is None:
            _foreign(ctx, held, ctx.state.book_at_utc_ns)
            return
        atr = ctx.pair(held.symbol).features.atr_h1_price
        distance = own.risk.external_stop_x_atr * atr if atr > 0.0 else own.exposure.gap_weekend_pct / 100.0 * price
        stop = assumed_stop(spec, held.side, price, distance, x_atr=1.0)
    position = adopt_position(ctx, held, stop)
    position.adopted = foreign
    text = f"#{held.ticket} {held.symbol} {held.side.word} {held.lots:g} lots is managed by this desk from now on"
    ctx.note("adopted", text, symbol=held.symbol, ticket=held.ticket, level="warning")
    _compare_stop(ctx, position, held)


def _foreign(ctx: Context, held: BrokerPosition, read_utc_ns: UtcNs) -> None:
    """A position that is not ours."""
    state = ctx.state
    known = state.external_positions.get(held.position_id)
    if known is None:
        known = state.external_positions[held.position_id] = ExternalPosition(at_broker=held, read_utc_ns=read_utc_ns)
        ctx.valuation_changed = True
        _tell_foreign(ctx, held)
    elif external_volume.shown(ctx, known, held, read_utc_ns):
        known.at_broker = held
    else:
        ctx.query_book_later()  # read before a deal closed a part of it
        return
    known.acknowledged = state.acknowledged.get(f"foreign_no_stop:{held.position_id}", False)
    revalue_foreign(ctx, known)


def _tell_foreign(ctx: Context, held: BrokerPosition) -> None:
    text = (
        f"#{held.ticket} {held.symbol} {held.side.word} {held.lots:g} lots was not opened by this desk. Its risk counts "
        "towards the limits, and the desk does not touch it. Nothing to do; set account.manage_external_positions = true if "
        "the desk is to manage it."
    )
    ctx.emit(Alert(kind="risk", level="info", text=text, symbol=held.symbol, ticket=held.ticket))


def _foreign_stops(ctx: Context) -> None:
    """An external position without a stop stops entries until the operator accepts it."""
    naked = [
        held for held in ctx.state.external_positions.values() if held.at_broker.stop_price is None and not held.acknowledged
    ]
    if naked:
        names = ", ".join(f"#{held.at_broker.ticket} {held.at_broker.symbol}" for held in naked)
        add_reason(
            ctx, "foreign_no_stop", f"Positions that this desk did not open have no stop, so their loss is not limited: {names}"
        )
    else:
        drop_reason(
            ctx, "foreign_no_stop", "Each position that this desk did not open has a stop, is closed, or is accepted by you"
        )


def acknowledge_external(ctx: Context) -> int:
    """The operator accepts the external positions without a stop; returns how many."""
    seen = [held for held in ctx.state.external_positions.values() if held.at_broker.stop_price is None and not held.acknowledged]
    for held in seen:
        held.acknowledged = True
        ctx.state.acknowledged[f"foreign_no_stop:{held.at_broker.position_id}"] = True
    trim(ctx.state.acknowledged, GONE_MAX)
    _foreign_stops(ctx)
    return len(seen)


def _settle_by_book(ctx: Context, book: BrokerBook, listed: dict[int, BrokerPosition]) -> None:
    """Modifications and unconfirmed cancellations are proven by what the book shows."""
    for order in list(ctx.state.orders.values()):
        if order.order_status != "unknown" or book.at_utc_ns < order.unknown_since_utc_ns:
            continue
        if order.kind == "modify":
            held = listed.get(order.position_id)
            if held is None:
                outcome = "is settled: the broker lists no such position any more"
            elif stops.same_price(ctx.spec(order.symbol), held.stop_price, order.stop_price):
                outcome = f"was executed: the broker shows the stop at {held.stop_price}"
            else:
                outcome = (
                    f"was not executed: the broker shows {f'the stop at {held.stop_price}' if held.stop_price else 'no stop'}"
                )
            orders_in_flight.close_request(ctx, order, order.position_id, outcome)
            if held is not None and stops.same_price(ctx.spec(order.symbol), held.stop_price, order.stop_price):
                stops.changed(ctx, order)
            else:
                stops.absent(ctx, order)
        elif order.kind == "cancel":
            still = order.order_ticket in ctx.state.pending
            outcome = f"was {'not ' if still else ''}executed: the broker {'still' if still else 'no longer'} lists the order"
            orders_in_flight.close_request(ctx, order, order.position_id, outcome)


def on_deal(ctx: Context, deal: Deal) -> None:
    """A deal of the account's history: the only way for money to arrive."""
    if ctx.state.account is not None:
        breaker_watch.roll_days(ctx, min(deal.at_utc_ns, ctx.now))
    if not deal_is_news(ctx, deal):
        balance_changes.deal_changed(ctx, deal)
        _judge(ctx, deal)
        return
    ctx.wake_changed = True
    meaning = balance_changes.kind(ctx, deal)
    if meaning != "trade":
        balance_changes.no_trade(ctx, deal, meaning)
        _judge(ctx, deal)
        return
    margin.traded(ctx, deal.at_utc_ns)
    position = ctx.state.positions.get(deal.position_id)
    known = position is not None and _since_start(ctx, deal, deal.at_utc_ns)
    if known and deal.magic == ctx.magic and _of_another_run(ctx, deal.comment):
        _halt_for_another(ctx, deal, "was changed")
    if deal.entry == "in":
        _deal_in(ctx, position, deal)
    elif position is not None and deal.side is not position.side:
        task = ctx.state.closes.get(deal.position_id)
        if deal.entry == "inout":
            _tell_turned(ctx, position, f"deal {deal.deal_ticket} of {deal.lots:g} ({deal.reason})")
            ctx.query_book("a position was reversed")
        book_closing_deal(ctx, position, deal, task.why if task is not None else position.exit_why)
    else:  # also what turned a position round, reported after the book showed it on its new side
        _others(ctx, deal)
    _judge(ctx, deal)


def _judge(ctx: Context, deal: Deal) -> None:
    """Equity with a deal; what was missed is judged once all of it is known, and counts for the peaks at its own time."""
    if "starting" in ctx.state.reasons:
        breaker_watch.missed_peak(ctx, deal.at_utc_ns)
    else:
        breaker_watch.check_equity(ctx)


def _deal_in(ctx: Context, position: ManagedPosition | None, deal: Deal) -> None:
    order = ctx.state.orders.get(deal.comment)
    if order is None:
        order = next(
            (held for held in ctx.state.orders.values() if deal.order_ticket and held.order_ticket == deal.order_ticket), None
        )
    if order is not None and order.kind == "open":
        position = opened_by_deal(ctx, order, deal)
    elif position is not None:
        more_by_deal(ctx, position, deal)
    if position is not None:
        book_opening_deal(ctx, position, deal)
        return
    if deal.magic == ctx.magic:
        keep_early_deal(ctx, deal)
        _another_engine(ctx, opened=deal, at_utc_ns=deal.at_utc_ns)
    _others(ctx, deal)


def _another_engine(ctx: Context, *, opened: BrokerPosition | Deal, at_utc_ns: UtcNs) -> None:
    """A position was opened with our magic number by an order of another program: that one trades this account too."""
    if not _since_start(ctx, opened, at_utc_ns):
        return
    if not _of_another_run(ctx, opened.comment):
        for order in ctx.state.orders.values():
            if order.kind == "open" and order.symbol == opened.symbol and order.side is opened.side:
                return  # our own, with a comment that the broker rewrote
    _halt_for_another(ctx, opened, "was opened")


def _halt_for_another(ctx: Context, what: BrokerPosition | Deal, happened: str) -> None:
    text = (
        f"Another engine trades this account: position #{what.position_id} {what.symbol} {what.side.word} {what.lots:g} lots "
        f"{happened} by an order that this desk did not send, under the number {ctx.magic} that marks this desk's orders "
        f"(account.magic; comment {what.comment!r})"
    )
    add_reason(ctx, "not_owner", text, alert="critical")


def _since_start(ctx: Context, what: BrokerPosition | Deal, at_utc_ns: UtcNs) -> bool:
    """Whether this run must know of it: it is no earlier run's, and no order of ours that was settled before."""
    state = ctx.state
    settled = state.settled.get(what.comment)
    # a second position of one order is not ours
    ours = settled is not None and settled.position_id in (0, what.position_id)
    known = ours or what.position_id in state.recently_closed
    return bool(state.started_utc_ns) and at_utc_ns > state.started_utc_ns and not known


def _of_another_run(ctx: Context, comment: str) -> bool:
    """Whether a comment is a client id, and of no order of ours: two engines with one strategy send the same orders at once."""
    run, _, number = comment.partition("-")
    if not (run.isascii() and run.isalnum() and number.isdigit()) or run == ctx.state.run_id:
        return False
    # a broker may cut a comment short
    return comment not in ctx.state.settled and not any(known.startswith(comment) for known in ctx.state.orders)


def _others(ctx: Context, deal: Deal) -> None:
    """A deal in a position that the desk does not hold: its money counts, and the book is read."""
    over = deal.position_id in ctx.state.recently_closed
    seen_money = external_volume.closed_by_deal(ctx, deal) if deal.entry != "in" else 0.0
    balance_changes.balance_moved(ctx, deal, seen_money=seen_money)
    if deal.entry == "in" and deal.magic != ctx.magic and not ctx.settings.account.manage_external_positions:
        opened = external_volume.opened_by_deal(ctx, deal)
        if opened is not None:
            _tell_foreign(ctx, opened)
    sum_equity(ctx)
    if deal.at_utc_ns >= ctx.state.balance_read_utc_ns and not over:
        ctx.query_book(f"deal {deal.deal_ticket} in a position that is not known")
