"""Requests in flight: what became of each, however late and however often it is reported.

Promises: an unconfirmed order is queried and never re-sent; it stops entries and alerts again while it lasts (laws 5, 6); a
second report changes nothing; a fill that comes after a refusal is believed, alerted, and the book is read.
Does not: close or judge positions (`position_closing`, `positions`).
"""

from __future__ import annotations

from typing import Final, assert_never

from quarterdeck.core.desk import margin, position_closing, requests, stops
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import OrderInFlight, SettledRequest
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.fills import check_fill_risk
from quarterdeck.core.desk.memory_limits import SETTLED_MAX, trim
from quarterdeck.core.desk.positions import closed_by_report, opened_by_report
from quarterdeck.core.desk.risk_reservation import release
from quarterdeck.core.desk.trading_state import add_reason, block_pair, consequence, drop_reason, unblock_pair
from quarterdeck.core.model.effects import Alert, OrderSettled, QueryOrder
from quarterdeck.core.model.inputs import Accepted, ExecutionReport, Filled, NotExecuted, OrderRejected, RequestDone, Unconfirmed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import UtcNs

_KIND_WORDS: Final = {"open": "Entry order", "close": "Close order", "modify": "Stop change", "cancel": "Cancellation"}
_UNCONFIRMED: Final = {
    "open": "A position with its stop may have been opened, and its risk counts as if it were.",
    "close": "The position may still be open, with its stop at the broker.",
    "modify": "The position has its old stop or the new one.",
    "cancel": "The pending order may still be at the broker.",
}
"""What an order that the broker has not confirmed means for the money."""
_NOT_DONE: Final = {
    "open": "nothing was opened",
    "close": "the position is still open",
    "modify": "the stop is where it was",
    "cancel": "the pending order is still at the broker",
}
"""What it means that a request was not executed."""
_TO_DO: Final = {
    "open": "Look in the terminal: if the position is there, run `quarterdeck resolve {id} --position TICKET` with its ticket; "
    "if the account history shows that the order did not execute, run `quarterdeck resolve {id} --not-executed`.",
    "close": "Look in the terminal: if the position is gone, there is nothing to do; if it is open and the account history shows "
    "no close, run `quarterdeck resolve {id} --not-executed`, and the desk sends the close again.",
    "modify": "The next reading of the positions settles it; nothing to do.",
    "cancel": "The next reading of the pending orders settles it; nothing to do.",
}
"""What the operator should do meanwhile."""
RETRY_ENTRY = "retry"
"""A refused entry that may be judged again with fresh data, while its signal lives."""


def on_execution_report(ctx: Context, told: ExecutionReport) -> OrderInFlight | None:
    """Book what became of a request; returns an opening order that was refused for now and may be judged again."""
    order = ctx.state.orders.get(told.client_id)
    if order is None:
        _late(ctx, told)
        return None
    ctx.wake_changed = True
    fate = told.order_outcome
    match fate:
        case Filled():
            _filled(ctx, order, fate)
        case Accepted():
            _accepted(ctx, order, fate)
        case RequestDone():
            close_request(ctx, order, order.position_id, "was executed")
            if order.kind == "modify":
                stops.changed(ctx, order)
            elif order.kind == "cancel":
                ctx.state.pending.pop(order.order_ticket, None)
        case OrderRejected():
            return _refused(ctx, order, fate)
        case NotExecuted():
            _absent(ctx, order, fate)
        case Unconfirmed():
            mark_unconfirmed(ctx, order, fate.why)
        case other:
            assert_never(other)
    return None


def _accepted(ctx: Context, order: OrderInFlight, fate: Accepted) -> None:
    """The broker has it, its deals are to come: queried, and no unconfirmed longer."""
    was_unknown = order.order_status == "unknown"
    order.order_status, order.order_ticket = "accepted", fate.order_ticket
    order.query_utc_ns = ctx.now + ns(ctx.settings.execution.order_query_s)
    if was_unknown:
        _known_again(ctx, order, "was accepted by the broker and waits there for its execution")


def _executed(fate: Filled) -> str:
    return f"was executed: {fate.lots:g} lots at {fate.price}"


def _left(order: OrderInFlight) -> str:
    """What is there after a request that was not executed, or not wholly."""
    return f"{order.filled_lots:g} lots of it were executed before" if order.filled_lots > LOTS_NOISE else _NOT_DONE[order.kind]


def _filled(ctx: Context, order: OrderInFlight, fate: Filled) -> None:
    if order.kind != "modify":
        margin.traded(ctx, order.sent_utc_ns)
    if order.kind == "open":
        if not fate.position_id:
            ctx.query_book(f"fill of {order.client_id} names no position")
            return
        position = opened_by_report(ctx, order, fate)
        if position is not None:
            check_fill_risk(ctx, position)
        close_request(ctx, order, fate.position_id, f"{_executed(fate)}, position #{fate.position_id}")
        release(ctx, order.client_id, by="filled")
        if order.filled_lots < order.lots - LOTS_NOISE:
            ctx.note("partial_fill", f"{order.filled_lots:g} of {order.lots:g}", symbol=order.symbol, ticket=fate.position_id)
        return
    close_request(ctx, order, order.position_id, _executed(fate))
    if order.kind == "close":
        position_closing.close_filled(ctx, order, fate)


def _refused(ctx: Context, order: OrderInFlight, fate: OrderRejected) -> OrderInFlight | None:
    close_request(ctx, order, order.position_id, f"was refused by the broker, {requests.refusal(fate)}: {_left(order)}")
    if order.kind == "open":
        if order.filled_lots > LOTS_NOISE:
            release(ctx, order.client_id, by="filled")
            return None
        release(ctx, order.client_id, by="refused")
        text = f"Entry order refused: {order.symbol} {order.lots:g} lots, {requests.refusal(fate)}"
        ctx.note("order_refused", text, symbol=order.symbol, level="warning")
        if fate.kind == "internal_error":
            told = f"{text}. Nothing was opened and trading continues. The request was malformed: please report this as a bug."
            ctx.emit(Alert(kind="error", level="critical", text=told, symbol=order.symbol))
        return order if fate.kind == RETRY_ENTRY else None
    ctx.note(f"{order.kind}_refused", requests.refusal(fate), symbol=order.symbol, ticket=order.position_id, level="warning")
    if order.kind == "close":
        position_closing.close_rejected(ctx, order, fate)
    elif order.kind == "modify":
        stops.refused(ctx, order, fate)
        position = ctx.state.positions.get(order.position_id)
        if position is not None and stops.overdue(ctx, position):
            position_closing.start_close(ctx, position.position_id, "no_stop", urgent=True)
    else:
        ctx.query_book_later()
    return None


def _absent(ctx: Context, order: OrderInFlight, fate: NotExecuted) -> None:
    close_request(ctx, order, order.position_id, f"was not executed: {_left(order)}")
    if order.kind == "open":
        if order.filled_lots <= LOTS_NOISE:
            ctx.note("order_absent", f"{order.lots:g} lots not executed: {fate.why}", symbol=order.symbol, level="warning")
        release(ctx, order.client_id, by="filled" if order.filled_lots > LOTS_NOISE else "absent")
    elif order.kind == "close":
        position_closing.close_not_executed(ctx, order)
    elif order.kind == "modify":
        stops.absent(ctx, order)


def mark_unconfirmed(ctx: Context, order: OrderInFlight, why: str) -> None:
    """It may or may not have been executed: keep what is reserved, stop entries, and ask."""
    if order.order_status != "unknown":
        order.order_status = "unknown"
        order.unknown_since_utc_ns = ctx.now
        _stop_entries(ctx, order, why)
        _alert(ctx, order, f"is unconfirmed: {why}")
        ctx.note("unknown_fate", f"{order.kind} {order.client_id}: {why}", symbol=order.symbol, level="error")
        if order.kind == "close":
            position_closing.close_unconfirmed(ctx, order)
        _ask(ctx, order)
    else:
        order.query_utc_ns = ctx.now + ns(ctx.settings.execution.order_query_s)


def _stop_entries(ctx: Context, order: OrderInFlight, why: str) -> None:
    text = f"{_named(order)} is unconfirmed: {why}"
    if ctx.settings.execution.unknown_order_scope == "all":
        add_reason(ctx, "unknown_fate", text, alert="")
    else:
        block_pair(
            ctx,
            order.symbol,
            "unknown_fate",
            text,
            f"the broker confirms it, or you say what became of it (`quarterdeck resolve {order.client_id}`)",
        )


def _alert(ctx: Context, order: OrderInFlight, what: str) -> None:
    where = "" if ctx.settings.execution.unknown_order_scope == "all" else f" in {order.symbol}"
    order.alert_utc_ns = ctx.now + ns(60.0 * ctx.settings.execution.alert_repeat_minutes)
    text = (
        f"{_named(order)} {what}. {_UNCONFIRMED[order.kind]} The desk keeps asking the broker, never sends it twice, and makes "
        f"no new entries{where} meanwhile. {_TO_DO[order.kind].format(id=order.client_id)}"
    )
    ctx.emit(Alert(kind="unknown_fate", level="critical", text=text, symbol=order.symbol, ticket=order.position_id))


def _named(order: OrderInFlight) -> str:
    side = f" {order.side.word}" if order.side is not None else ""
    return f"{_KIND_WORDS[order.kind]} {order.client_id} ({order.symbol}{side} {order.lots:g} lots)"


def _age_s(ctx: Context, order: OrderInFlight) -> int:
    return (ctx.now - order.unknown_since_utc_ns) // 1_000_000_000


def _ask(ctx: Context, order: OrderInFlight) -> None:
    order.query_utc_ns = ctx.now + ns(ctx.settings.execution.order_query_s)
    ctx.wake_changed = True
    ctx.emit(
        QueryOrder(
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side or Side.BUY,
            lots=order.lots,
            sent_utc_ns=order.sent_utc_ns,
            position_id=0 if order.kind == "open" else order.position_id,
        )
    )


def due(ctx: Context) -> None:
    """Query what is unknown or overdue, and alert again."""
    for order in list(ctx.state.orders.values()):
        if order.query_utc_ns <= ctx.now:
            if order.order_status == "in_flight":
                mark_unconfirmed(ctx, order, "no reply from the broker")
            else:
                _ask(ctx, order)
        if order.order_status == "unknown" and order.alert_utc_ns <= ctx.now:
            _alert(ctx, order, f"is still unconfirmed after {_age_s(ctx, order)} s: the broker has not said what became of it")


def next_due(ctx: Context) -> UtcNs | None:
    """When the next question or alert is due."""
    times = [order.query_utc_ns for order in ctx.state.orders.values()]
    times += [order.alert_utc_ns for order in ctx.state.orders.values() if order.order_status == "unknown"]
    return min(times, default=None)


def close_request(ctx: Context, order: OrderInFlight, position_id: int, outcome: str) -> None:
    """The outcome is proven: the request is no longer in flight. `outcome` says it in words, `was executed: ...`."""
    state = ctx.state
    if state.orders.pop(order.client_id, None) is None:
        return
    state.settled[order.client_id] = SettledRequest(
        kind=order.kind,
        position_id=position_id,
        symbol=order.symbol,
        side=order.side,
        lots=order.lots,
        stop_price=order.entry.stop_price if order.entry is not None else order.stop_price,
    )
    trim(state.settled, SETTLED_MAX)
    ctx.wake_changed = True
    task = state.closes.get(order.position_id)
    if order.kind == "close" and task is not None and task.client_id == order.client_id and order.order_status == "unknown":
        position_closing.require_book_read(ctx, task)
    if order.order_status != "in_flight":
        ctx.emit(OrderSettled(client_id=order.client_id))
    if order.order_status == "unknown":
        _known_again(ctx, order, outcome)


def _known_again(ctx: Context, order: OrderInFlight, outcome: str) -> None:
    """What it stopped continues, unless another one's outcome is unknown."""
    unknown_in = [held.symbol for held in ctx.state.orders.values() if held.order_status == "unknown"]
    if not unknown_in:
        drop_reason(ctx, "unknown_fate", f"{_named(order)} {outcome}")
    left = f" Still unconfirmed: {len(unknown_in)}." if unknown_in else ""
    text = f"{_named(order)} {outcome}. It was unconfirmed for {_age_s(ctx, order)} s.{left} {consequence(ctx)}"
    ticket = order.position_id
    ctx.emit(Alert(kind="unknown_fate", level="critical", text=text, symbol=order.symbol, ticket=ticket, resolved=True))
    if order.symbol not in unknown_in:
        unblock_pair(ctx, order.symbol, "unknown_fate")


def settle_superseded(ctx: Context, client_ids: list[str]) -> None:
    """Unconfirmed closes whose position was read since: what is still open is sent anew, the old question is over."""
    for client_id in client_ids:
        order = ctx.state.orders.get(client_id)
        if order is not None:
            close_request(
                ctx, order, order.position_id, "is settled by a new reading of the positions: what is open is closed anew"
            )


def _late(ctx: Context, told: ExecutionReport) -> None:
    """A report for a request that is no longer in flight: only a fill can still be news."""
    fate, state = told.order_outcome, ctx.state
    if not isinstance(fate, Filled):
        return
    known = state.settled.get(told.client_id)
    if known is not None and known.kind != "open":
        position = state.positions.get(known.position_id)
        if position is not None:
            closed_by_report(ctx, position, fate)
        return
    if fate.deal_ticket in state.deals or fate.position_id in state.positions or fate.position_id in state.recently_closed:
        return
    order, symbol, stop = "Order", "", ""
    if known is not None and known.symbol and known.side is not None:
        order, symbol = f"{known.symbol} {known.side.word} order", known.symbol
        stop = "" if known.stop_price is None else f", sent with its stop at {known.stop_price}"
    text = (
        f"{order} {told.client_id} was executed after it counted as not executed: {fate.lots:g} lots at {fate.price}, position "
        f"#{fate.position_id}{stop}. The desk reads the positions and manages it from now on. Check in the terminal that it is "
        "there and has its stop."
    )
    ctx.emit(Alert(kind="error", level="critical", text=text, symbol=symbol, ticket=fate.position_id))
    ctx.query_book("a fill came for an order that was settled")
