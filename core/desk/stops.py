"""Stops of open positions: moved by care (only ever tighter), by the operator (as he likes), and set again when they vanish.

Promises: position management never loosens a stop; stop and target are always sent whole; one modification per position at a
time; outside the broker's stops and freeze levels. Does not: decide where a trail should be (`position_management`).
"""

from __future__ import annotations

from typing import Final

from quarterdeck.core.desk import requests
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import ManagedPosition, OrderInFlight
from quarterdeck.core.desk.memory_limits import MODIFY_TRIES_ALERT
from quarterdeck.core.desk.pricing import towards_entry
from quarterdeck.core.desk.trading_state import add_reason, block_pair, drop_reason
from quarterdeck.core.model.effects import Alert, Modify
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.inputs import OrderRejected
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import NS_PER_S, Price
from quarterdeck.core.risk.rounding import effective_tick

RESTORE: Final = "restore"
BY_OPERATOR: Final = "command"
TRAIL: Final = "trail"
_HALF: Final = 0.5


def tighter(side: Side, new_price: Price, old_price: Price) -> bool:
    """Whether a stop at `new_price` risks less than one at `old_price`."""
    return (new_price - old_price) * side > 0.0


def same_price(spec: Instrument | None, one: Price | None, other: Price | None) -> bool:
    """Whether two levels are the same tick; None is no level."""
    if one is None or other is None:
        return one is other
    tick = effective_tick(spec) if spec is not None else 0.0
    return abs(one - other) < max(_HALF * tick, 1e-12)


def nearest_allowed(ctx: Context, position: ManagedPosition) -> Price | None:
    """The tightest stop the broker would take now; None without a quote."""
    spec, price = ctx.spec(position.symbol), ctx.exit_price(position.symbol, position.side)
    if spec is None or price is None:
        return None
    away = max(spec.stops_level_points, spec.freeze_level_points, 1) * spec.point
    return price - position.side * away


def tighten(ctx: Context, position: ManagedPosition, stop_price: Price, why: str) -> bool:
    """Care wants the stop there, or as near as the broker allows; False when that is no gain or not possible now."""
    spec, allowed = ctx.spec(position.symbol), nearest_allowed(ctx, position)
    if spec is None or allowed is None or position.modify_id or position.stop_missing or not requests.may_trail(ctx, position):
        return False
    wanted = stop_price if tighter(position.side, allowed, stop_price) else allowed
    # away from the market, so that rounding never brings it inside the levels
    rounded = towards_entry(spec, position.side.opposite, wanted)
    if not tighter(position.side, rounded, position.stop_price) or same_price(spec, rounded, position.stop_price):
        return False
    invariant(
        tighter(position.side, rounded, position.stop_price),
        "position management never loosens a stop",
        position=position.position_id,
    )
    _send(ctx, position, rounded, position.target_price, why)
    return True


def named(position: ManagedPosition) -> str:
    """A position as an alert names it."""
    return f"#{position.ticket} {position.symbol} {position.side.word} {position.lots:g} lots"


def move_by_operator(ctx: Context, position: ManagedPosition, stop_price: Price) -> str:
    """The operator's decision; returns why it cannot be, or nothing."""
    spec, allowed = ctx.spec(position.symbol), nearest_allowed(ctx, position)
    if spec is None or allowed is None:
        return f"{position.symbol} has no quote yet; try again once quotes arrive"
    wanted = towards_entry(spec, position.side, stop_price)
    if tighter(position.side, wanted, allowed):
        return f"{stop_price} is too close to the market or beyond it; the closest allowed stop is {round(allowed, spec.digits)}"
    if position.modify_id:
        return "an earlier change of this position is still with the broker; try again in a few seconds"
    _send(ctx, position, wanted, position.target_price, BY_OPERATOR)
    return ""


def restore(ctx: Context, position: ManagedPosition) -> None:
    """A stop that stood is gone from the broker's book: alert, no entries, and set it again."""
    text = f"The stop of {named(position)} was removed at the broker; the desk sets it again at {position.stop_price}"
    if not position.stop_missing:
        position.stop_missing, position.stop_missing_utc_ns = True, ctx.now
        told = (
            f"{text}. Until the broker shows it, the position has no stop and there are no new entries; if it cannot be set, the "
            "desk closes the position. Do not remove stops in the terminal: close the position instead."
        )
        ctx.emit(Alert(kind="risk", level="critical", text=told, symbol=position.symbol, ticket=position.ticket))
    add_reason(ctx, "no_stop", text, alert="", told="critical")
    if position.modify_id or ctx.now < position.modify_utc_ns:
        return
    _send(ctx, position, position.stop_price, position.target_price, RESTORE)


def stop_confirmed(ctx: Context, position: ManagedPosition) -> None:
    """The broker's book shows the stop as it should be."""
    position.stop_seen = True
    if position.stop_missing:
        position.stop_missing = False
        if not any(held.stop_missing for held in ctx.state.positions.values()):
            drop_reason(ctx, "no_stop", f"The broker shows the stop of {named(position)} again")


def stop_not_accepted(ctx: Context, position: ManagedPosition) -> None:
    """The broker took the opening order without its stop: such a pair is not traded."""
    text = f"The broker opened {named(position)} without the stop that was sent with it"
    told = (
        f"{text}. It has no stop; the desk closes it now and makes no more entries in {position.symbol}. Check that it "
        f"is closed, find the cause with `quarterdeck doctor`, then run `quarterdeck acknowledge {position.symbol}:no_stop`."
    )
    ctx.emit(Alert(kind="risk", level="critical", text=told, symbol=position.symbol, ticket=position.ticket))
    way_back = f"you have found the cause (`quarterdeck doctor`) and run `quarterdeck acknowledge {position.symbol}:no_stop`"
    block_pair(ctx, position.symbol, "no_stop", text, way_back)


def _send(ctx: Context, position: ManagedPosition, stop_price: Price, target_price: Price | None, why: str) -> None:
    client_id = ctx.next_id()
    position.modify_id, position.modify_utc_ns = client_id, ctx.now
    ctx.state.orders[client_id] = OrderInFlight(
        client_id=client_id,
        kind="modify",
        symbol=position.symbol,
        side=position.side,
        lots=position.lots,
        sent_utc_ns=ctx.now,
        position_id=position.position_id,
        query_utc_ns=ctx.now + ctx.account_policy.report_wait_ns,
        stop_price=stop_price,
        target_price=target_price,
        why=why,
    )
    ctx.wake_changed = True
    requests.count(ctx, position)
    ctx.emit(
        Modify(
            client_id=client_id,
            position_id=position.position_id,
            ticket=position.ticket,
            symbol=position.symbol,
            stop_price=stop_price,
            target_price=target_price,
            why=why,
        )
    )


def cancel_stop_move(ctx: Context, position: ManagedPosition) -> None:
    """The position goes whole within the input that moved its stop: a close leaves first, and the move would find nothing."""
    order = ctx.state.orders.get(position.modify_id)
    if order is None or order.why != TRAIL:
        return
    for place, effect in enumerate(ctx.pending_effects):
        if isinstance(effect, Modify) and effect.client_id == order.client_id:
            del ctx.pending_effects[place], ctx.state.orders[order.client_id]
            position.modify_id = ""
            return


def changed(ctx: Context, order: OrderInFlight) -> None:
    """A modification is done."""
    position = ctx.state.positions.get(order.position_id)
    if position is None or position.modify_id != order.client_id or order.stop_price is None:
        return
    position.modify_id, position.modify_refused = "", 0
    position.stop_price = order.stop_price
    position.target_price = order.target_price
    if order.why == TRAIL:
        past_entry = (order.stop_price - position.open_price) * position.side
        spec = ctx.spec(position.symbol)
        at_entry = spec is not None and abs(past_entry) <= spec.pip
        position.stop_state = "break_even" if at_entry else "trail" if past_entry > 0.0 else position.stop_state
    elif order.why == BY_OPERATOR:
        position.stop_state = "manual"
    stop_confirmed(ctx, position)
    ctx.note("stop_moved", f"{order.why}: stop {order.stop_price}", symbol=position.symbol, ticket=position.ticket)


def refused(ctx: Context, order: OrderInFlight, fate: OrderRejected) -> None:
    """A modification was surely not done: it waits, the longer the oftener the same request was refused.

    A step that fails while an older stop stands is reported at the third refusal, and never closes the position.
    """
    position = ctx.state.positions.get(order.position_id)
    if position is None or position.modify_id != order.client_id:
        return
    position.modify_id = ""
    position.modify_refused += 1
    wait = requests.wait_ns(ctx, fate, position.modify_refused) or NS_PER_S
    if position.stop_missing:
        wait = min(wait, ns(min(ctx.settings.position.stop_restore_s, ctx.settings.execution.close_retry_s) or 1.0))
    position.modify_utc_ns = max(ctx.now + wait, 0 if position.stop_missing else fate.retry_utc_ns)
    if position.modify_refused == MODIFY_TRIES_ALERT:
        missing = "The position has NO STOP. The desk keeps trying, then closes it. Set a stop in the terminal, or close it now."
        kept = f"The old stop at {position.stop_price} still protects the position and the desk keeps trying. Nothing to do."
        text = (
            f"The stop of {named(position)} cannot be moved to {order.stop_price}: the broker refused {position.modify_refused} "
            f"times: {requests.refusal(fate)}. {missing if position.stop_missing else kept}"
        )
        ctx.emit(Alert(kind="error", level="warning", text=text, symbol=position.symbol, ticket=position.ticket))
    if fate.kind == "not_found":
        ctx.query_book("the position of a stop change is gone")


def absent(ctx: Context, order: OrderInFlight) -> None:
    """A modification surely never happened."""
    position = ctx.state.positions.get(order.position_id)
    if position is not None and position.modify_id == order.client_id:
        position.modify_id = ""
        position.modify_utc_ns = ctx.now + ns(1.0)
        ctx.wake_changed = True


def overdue(ctx: Context, position: ManagedPosition) -> bool:
    """Whether a missing stop, refused just now, cannot be set again in time, so that the position has to go."""
    if not position.stop_missing or position.modify_id:
        return False
    return position.modify_utc_ns - position.stop_missing_utc_ns > ns(ctx.settings.position.stop_restore_s)


def beyond_stop(ctx: Context, position: ManagedPosition) -> bool:
    """Whether the market is already past the stop, so that it cannot be set any more."""
    price = ctx.exit_price(position.symbol, position.side)
    return price is not None and (price - position.stop_price) * position.side <= 0.0
