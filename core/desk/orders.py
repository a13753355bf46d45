"""Requests in flight: what became of each, however late and however often it is told.

Promises: an unknown fate is asked after and never re-sent; it stops entries and alerts again while it lasts (laws 5, 6); a second
report changes nothing; a fill that comes after a refusal is believed, alerted, and the book is read.
Does not: close or judge positions (`closes`, `positions`).
"""

from __future__ import annotations

from typing import assert_never

from quarterdeck.core.desk import closes, stops
from quarterdeck.core.desk.bounds import SETTLED_MAX, trim
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.fills import judge_fill
from quarterdeck.core.desk.gate import release
from quarterdeck.core.desk.positions import closed_by_report, opened_by_report
from quarterdeck.core.desk.state import OrderInFlight, Settled
from quarterdeck.core.desk.states import add_reason, bar_pair, drop_reason, free_pair
from quarterdeck.core.model.effects import Alert, AskFate
from quarterdeck.core.model.inputs import Absent, Accepted, Changed, Filled, Refused, Report, UnknownFate
from quarterdeck.core.model.market import Side
from quarterdeck.core.model.units import UtcNs

RETRY_ENTRY = "retry"
"""A refused entry that may be judged again with fresh data, while its signal lives."""


def report(ctx: Context, told: Report) -> OrderInFlight | None:
    """Book what became of a request; returns an opening order that was refused for now and may be judged again."""
    order = ctx.state.orders.get(told.client_id)
    if order is None:
        _late(ctx, told)
        return None
    ctx.touched = True
    fate = told.fate
    match fate:
        case Filled():
            _filled(ctx, order, fate)
        case Accepted():
            _accepted(ctx, order, fate)
        case Changed():
            settle(ctx, order, order.position_id)
            if order.kind == "modify":
                stops.changed(ctx, order)
            elif order.kind == "cancel":
                ctx.state.pending.pop(order.order_ticket, None)
        case Refused():
            return _refused(ctx, order, fate)
        case Absent():
            _absent(ctx, order, fate)
        case UnknownFate():
            unknown(ctx, order, fate.why)
        case other:
            assert_never(other)
    return None


def _accepted(ctx: Context, order: OrderInFlight, fate: Accepted) -> None:
    """The broker has it, its deals are to come: asked after, and no longer of unknown fate."""
    was_unknown = order.fate == "unknown"
    order.fate, order.order_ticket = "accepted", fate.order_ticket
    order.ask_utc_ns = ctx.now + ns(ctx.settings.execution.ask_again_s)
    if was_unknown:
        _known_again(ctx, order)


def _filled(ctx: Context, order: OrderInFlight, fate: Filled) -> None:
    if order.kind == "open":
        if not fate.position_id:
            ctx.ask_book(f"fill of {order.client_id} names no position")
            return
        position = opened_by_report(ctx, order, fate)
        if position is not None:
            judge_fill(ctx, position)
        settle(ctx, order, fate.position_id)
        release(ctx, order.client_id, by="filled")
        if order.filled_lots < order.lots - LOTS_NOISE:
            ctx.note("partial_fill", f"{order.filled_lots:g} of {order.lots:g}", symbol=order.symbol, ticket=fate.position_id)
        return
    settle(ctx, order, order.position_id)
    if order.kind == "close":
        closes.close_filled(ctx, order, fate)


def _refused(ctx: Context, order: OrderInFlight, fate: Refused) -> OrderInFlight | None:
    settle(ctx, order, order.position_id)
    if order.kind == "open":
        if order.filled_lots > LOTS_NOISE:
            release(ctx, order.client_id, by="filled")
            return None
        release(ctx, order.client_id, by="refused")
        text = f"{order.symbol} {order.lots:g} refused: {fate.reason} ({fate.code})"
        ctx.note("order_refused", text, symbol=order.symbol, level="warning")
        if fate.kind == "our_bug":
            ctx.emit(Alert(kind="error", level="critical", text=text, symbol=order.symbol))
        return order if fate.kind == RETRY_ENTRY else None
    ctx.note(
        f"{order.kind}_refused", f"{fate.reason} ({fate.code})", symbol=order.symbol, ticket=order.position_id, level="warning"
    )
    if order.kind == "close":
        closes.close_refused(ctx, order, fate)
    elif order.kind == "modify":
        stops.refused(ctx, order, fate)
    else:
        ctx.ask_book_later()
    return None


def _absent(ctx: Context, order: OrderInFlight, fate: Absent) -> None:
    settle(ctx, order, order.position_id)
    if order.kind == "open":
        if order.filled_lots <= LOTS_NOISE:
            ctx.note("order_absent", f"{order.lots:g} surely not executed: {fate.why}", symbol=order.symbol, level="warning")
        release(ctx, order.client_id, by="filled" if order.filled_lots > LOTS_NOISE else "absent")
    elif order.kind == "close":
        closes.close_absent(ctx, order)
    elif order.kind == "modify":
        stops.absent(ctx, order)


def unknown(ctx: Context, order: OrderInFlight, why: str) -> None:
    """It may or may not have been executed: keep what is reserved, stop entries, and ask."""
    if order.fate != "unknown":
        order.fate = "unknown"
        order.unknown_since_utc_ns = ctx.now
        _stop_entries(ctx, order, why)
        _alert(ctx, order, why)
        ctx.note("unknown_fate", f"{order.kind} {order.client_id}: {why}", symbol=order.symbol, level="error")
        if order.kind == "close":
            closes.close_unknown(ctx, order)
        _ask(ctx, order)
    else:
        order.ask_utc_ns = ctx.now + ns(ctx.settings.execution.ask_again_s)


def _stop_entries(ctx: Context, order: OrderInFlight, why: str) -> None:
    text = f"{order.kind} {order.symbol} {order.lots:g} ({order.client_id}): {why}"
    if ctx.settings.execution.unknown_stops == "all":
        add_reason(ctx, "unknown_fate", text, alert="")
    else:
        bar_pair(ctx, order.symbol, "unknown_fate", text, "its fate is proven, or `resolve ID`")


def _alert(ctx: Context, order: OrderInFlight, why: str) -> None:
    order.alert_utc_ns = ctx.now + ns(60.0 * ctx.settings.execution.alert_again_minutes)
    age_s = (ctx.now - order.unknown_since_utc_ns) // 1_000_000_000
    text = f"fate of {order.kind} {order.symbol} {order.lots:g} ({order.client_id}) unknown for {age_s} s: {why}"
    ctx.emit(Alert(kind="unknown_fate", level="critical", text=text, symbol=order.symbol, ticket=order.position_id))


def _ask(ctx: Context, order: OrderInFlight) -> None:
    order.ask_utc_ns = ctx.now + ns(ctx.settings.execution.ask_again_s)
    ctx.touched = True
    ctx.emit(
        AskFate(
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side or Side.BUY,
            lots=order.lots,
            sent_utc_ns=order.sent_utc_ns,
            position_id=0 if order.kind == "open" else order.position_id,
        )
    )


def due(ctx: Context) -> None:
    """Ask after what is unknown or overdue, and alert again."""
    for order in list(ctx.state.orders.values()):
        if order.ask_utc_ns <= ctx.now:
            if order.fate == "in_flight":
                unknown(ctx, order, "no report came")
            else:
                _ask(ctx, order)
        if order.fate == "unknown" and order.alert_utc_ns <= ctx.now:
            _alert(ctx, order, "still asking")


def next_due(ctx: Context) -> UtcNs | None:
    """When the next question or alert is due."""
    times = [order.ask_utc_ns for order in ctx.state.orders.values()]
    times += [order.alert_utc_ns for order in ctx.state.orders.values() if order.fate == "unknown"]
    return min(times, default=None)


def settle(ctx: Context, order: OrderInFlight, position_id: int) -> None:
    """The fate is proven: the request is no longer in flight."""
    state = ctx.state
    if state.orders.pop(order.client_id, None) is None:
        return
    state.settled[order.client_id] = Settled(kind=order.kind, position_id=position_id)
    trim(state.settled, SETTLED_MAX)
    ctx.touched = True
    task = state.closes.get(order.position_id)
    if order.kind == "close" and task is not None and task.client_id == order.client_id and order.fate == "unknown":
        closes.wait_for_book(ctx, task)
    if order.fate == "unknown":
        _known_again(ctx, order)


def _known_again(ctx: Context, order: OrderInFlight) -> None:
    """What it stopped goes on, unless another one's fate is unknown."""
    unknown_in = [held.symbol for held in ctx.state.orders.values() if held.fate == "unknown"]
    if not unknown_in:
        drop_reason(ctx, "unknown_fate", f"fate of {order.client_id} is known")
    if order.symbol not in unknown_in:
        free_pair(ctx, order.symbol, "unknown_fate")


def superseded(ctx: Context, client_ids: list[str]) -> None:
    """Closes of unknown fate whose position was read since: what is still open is sent anew, the old question is over."""
    for client_id in client_ids:
        order = ctx.state.orders.get(client_id)
        if order is not None:
            settle(ctx, order, order.position_id)


def _late(ctx: Context, told: Report) -> None:
    """A report for a request that is no longer in flight: only a fill can still be news."""
    fate, state = told.fate, ctx.state
    if not isinstance(fate, Filled):
        return
    known = state.settled.get(told.client_id)
    if known is not None and known.kind != "open":
        position = state.positions.get(known.position_id)
        if position is not None:
            closed_by_report(ctx, position, fate)
        return
    if fate.deal_ticket in state.deals or fate.position_id in state.positions or fate.position_id in state.gone:
        return
    text = f"{told.client_id} was filled after all: {fate.lots:g} at {fate.price}, position #{fate.position_id}"
    ctx.emit(Alert(kind="error", level="critical", text=text, ticket=fate.position_id))
    ctx.ask_book("a fill came for an order that was settled")
