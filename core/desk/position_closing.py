"""Positions on their way out: each close is an order like any other, with its own retries, waiting for no other.

Promises: after an unconfirmed order nothing leaves before the book was read again, and then only the volume still open;
`position` is always named; a refusal is retried with growing waits and never given up while the position stands; what a closed
market, a freeze level or disabled trading holds back is listed with its reason and its earliest time.
Does not: decide who has to go (care, flatten, commands do).
"""

from __future__ import annotations

from typing import Final

from quarterdeck.core.desk import requests, stops
from quarterdeck.core.desk.context import Context, ns
from quarterdeck.core.desk.desk_state import ExternalPosition, ManagedPosition, OrderInFlight, PendingClose
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.memory_limits import CLOSE_TRIES_ALERT
from quarterdeck.core.desk.open_exposure import gap_words
from quarterdeck.core.desk.positions import closed_by_report
from quarterdeck.core.desk.trading_state import is_halted
from quarterdeck.core.model.effects import Alert, Close, CloseReason
from quarterdeck.core.model.inputs import Filled, OrderRejected
from quarterdeck.core.model.units import NS_PER_S, Lots, UtcNs

BY_OPERATOR: Final = ("flatten", "command", "shutdown")
"""What may leave while the desk is halted."""


def start_close(ctx: Context, position_id: int, why: CloseReason, *, lots: Lots | None = None, urgent: bool = False) -> bool:
    """Put a position (or `lots` of it) on its way out and try at once; False when there is no such position."""
    state = ctx.state
    held = state.positions.get(position_id) or state.external_positions.get(position_id)
    if held is None:
        return False
    task = state.closes.get(position_id)
    if task is not None:
        _strengthen(ctx, task, why, lots, urgent=urgent)
        return True
    open_lots = _open_lots(held)
    if open_lots <= LOTS_NOISE:
        return False
    whole = lots is None or lots >= open_lots - LOTS_NOISE
    at_broker = held.at_broker if isinstance(held, ExternalPosition) else held
    task = PendingClose(
        position_id=position_id,
        ticket=at_broker.ticket,
        symbol=at_broker.symbol,
        side=at_broker.side,
        lots=open_lots if lots is None else min(lots, open_lots),
        why=why,
        urgent=urgent,
        whole=whole,
        since_utc_ns=ctx.now,
    )
    state.closes[position_id] = task
    ctx.wake_changed = ctx.valuation_changed = True
    try_close(ctx, task)
    return True


def _strengthen(ctx: Context, task: PendingClose, why: CloseReason, lots: Lots | None, *, urgent: bool) -> None:
    """A second wish to close can only ask for more, and sooner."""
    if urgent and not task.urgent:
        task.urgent, task.why = True, why
        task.next_try_utc_ns = 0
        task.tries = 0
    if lots is None and not task.whole:
        task.whole = True
        if not task.urgent:
            task.why = why
    try_close(ctx, task)


def _open_lots(held: ManagedPosition | ExternalPosition) -> Lots:
    return held.lots if isinstance(held, ManagedPosition) else held.at_broker.lots


def _contradicted(held: ManagedPosition | ExternalPosition) -> bool:
    """The newest reading shows another volume; the next one, which is asked for already, decides what is open."""
    return isinstance(held, ManagedPosition) and held.volume_mismatches > 0


def try_close(ctx: Context, task: PendingClose) -> None:
    """Send the next request of a close, if nothing is in its way now."""
    state = ctx.state
    held = state.positions.get(task.position_id) or state.external_positions.get(task.position_id)
    if held is None or _open_lots(held) <= LOTS_NOISE:
        state.closes.pop(task.position_id, None)
        ctx.wake_changed = ctx.valuation_changed = True
        return
    if task.client_id or task.needs_book_read or ctx.now < task.next_try_utc_ns or not _market_lets(ctx, task):
        return
    if task.lots <= LOTS_NOISE and not task.whole:
        state.closes.pop(task.position_id, None)  # done; it was kept because its outcome had been unknown until this reading
        return
    if not _may_leave(ctx, task, held):
        return
    task.ticket = held.ticket if isinstance(held, ManagedPosition) else held.at_broker.ticket
    spec, price = ctx.spec(task.symbol), ctx.exit_price(task.symbol, task.side)
    lots = task.lots if spec is None else min(task.lots, spec.volume_max_lots)
    deviation = 0.0
    if spec is not None:
        deviation = ctx.policy(task.symbol).settings.execution.deviation_pips * spec.pip / spec.point
    client_id = ctx.next_id()
    task.client_id, task.blocked = client_id, ""
    task.tries += 1
    if isinstance(held, ManagedPosition):
        held.exit_why = task.why
        if task.whole:
            stops.cancel_stop_move(ctx, held)
    state.orders[client_id] = OrderInFlight(
        client_id=client_id,
        kind="close",
        symbol=task.symbol,
        side=task.side,
        lots=lots,
        sent_utc_ns=ctx.now,
        position_id=task.position_id,
        query_utc_ns=ctx.now + ctx.account_policy.report_wait_ns,
        why=task.why,
    )
    ctx.wake_changed = True
    requests.count(ctx, held if isinstance(held, ManagedPosition) else None)
    ctx.emit(
        Close(
            client_id=client_id,
            position_id=task.position_id,
            ticket=task.ticket,
            symbol=task.symbol,
            side=task.side,
            lots=lots,
            quoted_price=price or 0.0,
            deviation_points=round(deviation),
            why=task.why,
            urgent=task.urgent,
        )
    )


def _may_leave(ctx: Context, task: PendingClose, held: ManagedPosition | ExternalPosition) -> bool:
    """Whether a request may go out now; its volume is then what is open and no earlier one may still close."""
    if _contradicted(held):
        task.blocked = "broker and desk disagree on the volume; reading it again"
        return False
    if task.why not in BY_OPERATOR and is_halted(ctx):
        task.blocked = "trading is halted: only your own orders are sent"
        return False
    open_lots = _open_lots(held)
    if task.whole:
        task.lots = max(open_lots - _in_doubt_lots(ctx, task, open_lots), 0.0)
        if task.lots <= LOTS_NOISE:
            task.blocked = "the broker has not confirmed an earlier close; the desk asks it"
            return False
    task.lots = min(task.lots, open_lots)
    return True


def _market_lets(ctx: Context, task: PendingClose) -> bool:
    """Whether a close that a closed market refused may continue: at the open, by the operator's choice of how."""
    if not task.market_closed:
        return True
    spec = ctx.spec(task.symbol)
    if spec is not None and not ctx.is_open(spec, ctx.now):
        task.next_try_utc_ns = ctx.next_open(spec)
        task.blocked = f"market closed until {clock_words(task.next_try_utc_ns)}"
        return False
    own = ctx.policy(task.symbol).settings.flatten
    if own.reopen_action == "ask":
        task.blocked = "the market was closed; close it again yourself (flatten.reopen_action = ask)"
        return False
    task.open_seen_utc_ns = task.open_seen_utc_ns or ctx.now
    if own.reopen_action == "when_spread_normal" and ctx.now - task.open_seen_utc_ns < ns(own.reopen_wait_max_minutes * 60.0):
        quote, usual = ctx.state.quotes.get(task.symbol), ctx.typical_spread(task.symbol)
        if (
            quote is None
            or not ctx.quote_is_fresh(task.symbol)
            or usual is None
            or quote.spread_price > own.reopen_spread_max_x * usual
        ):
            task.blocked = "waiting for a normal spread after the open"
            task.next_try_utc_ns = ctx.now + NS_PER_S
            ctx.wake_changed = True
            return False
    task.market_closed, task.blocked = False, ""
    return True


def close_filled(ctx: Context, order: OrderInFlight, fate: Filled) -> None:
    """A close was executed, wholly or in part."""
    state = ctx.state
    task = state.closes.get(order.position_id)
    position = state.positions.get(order.position_id)
    if position is not None and position.side is order.side:
        closed_by_report(ctx, position, fate)
    elif position is not None or order.position_id in state.external_positions:
        ctx.query_book("reading what is left of a position not opened here, or reversed")
    if task is None or task.client_id not in ("", order.client_id):
        return
    _request_over(ctx, task)
    task.lots = max(task.lots - fate.lots, 0.0)
    task.blocked, task.tries = "", 0
    if task.lots <= LOTS_NOISE and not task.whole and not task.needs_book_read:
        state.closes.pop(task.position_id, None)
    elif position is not None and not task.needs_book_read:
        try_close(ctx, task)
    else:
        require_book_read(ctx, task)
        ctx.query_book("reading what a close left open")


def close_rejected(ctx: Context, order: OrderInFlight, fate: OrderRejected) -> None:
    """A close was surely not executed: when to try again, and what to tell."""
    task = ctx.state.closes.get(order.position_id)
    if task is None or task.client_id != order.client_id:
        return
    _request_over(ctx, task)
    again = ctx.now + requests.wait_ns(ctx, fate, task.tries)
    if fate.kind == "not_found":
        require_book_read(ctx, task)
        ctx.query_book("a position to close is gone")
        return
    spec = ctx.spec(task.symbol)
    if fate.kind == "market_closed" and not fate.retry_utc_ns and spec is not None and ctx.is_open(spec, ctx.now):
        # A trading halt, or a holiday that the broker's hours do not show: its end is unknown.
        task.blocked = f"the broker says the market is closed, within its hours; next attempt {clock_words(again)}"
    elif fate.kind == "market_closed":
        opens = ctx.next_open(spec) if spec is not None else again
        again = max(fate.retry_utc_ns or opens, again)
        task.market_closed, task.open_seen_utc_ns = True, 0
        task.blocked = f"market closed until {clock_words(again)}"
    elif fate.kind in ("frozen", "operator", "internal_error", "refused", "no_money"):
        again = max(fate.retry_utc_ns, again)
        task.blocked = f"{requests.refusal(fate)}, next attempt {clock_words(again)}"
    else:
        again = max(fate.retry_utc_ns, again)
        task.blocked = fate.reason if task.tries > 1 else ""
    task.next_try_utc_ns = again
    if task.tries == CLOSE_TRIES_ALERT or (task.market_closed and task.tries == 1):
        held = ctx.state.positions.get(task.position_id)
        at_stake = f" Its stop at {held.stop_price} stays at the broker. {gap_words(ctx, held)}" if held is not None else ""
        trying = "The desk tries again by itself; if you cannot wait, close it in the terminal."
        then = at_open(ctx, task) if task.market_closed else trying
        text = (
            f"Cannot close #{task.ticket} {task.symbol} {task.side.word} {task.lots:g} lots: {task.blocked or fate.reason}."
            f"{at_stake} {then}"
        )
        ctx.emit(Alert(kind="error", level="warning", text=text, symbol=task.symbol, ticket=task.ticket))
    try_close(ctx, task)


def at_open(ctx: Context, task: PendingClose) -> str:
    """What becomes of a close that a closed market refused, and what the operator should do."""
    how = ctx.policy(task.symbol).settings.flatten.reopen_action
    if how == "ask":
        return (
            f"Nobody can close it before the open; then run `quarterdeck close {task.position_id}` (flatten.reopen_action = ask)."
        )
    spread = ", once the spread is normal" if how == "when_spread_normal" else ""
    return f"Nobody can close it before the open; the desk closes it then{spread}. Nothing to do."


def close_unconfirmed(ctx: Context, order: OrderInFlight) -> None:
    """A close may or may not have been executed: the position is read before anything else leaves for it."""
    task = ctx.state.closes.get(order.position_id)
    if task is not None and task.client_id == order.client_id:
        require_book_read(ctx, task)
    ctx.query_book(f"outcome of close {order.client_id} is unknown")


def close_not_executed(ctx: Context, order: OrderInFlight) -> None:
    """A close surely never executed."""
    task = ctx.state.closes.get(order.position_id)
    if task is not None and task.client_id in ("", order.client_id):
        _request_over(ctx, task)
        require_book_read(ctx, task)
        ctx.query_book(f"close {order.client_id} was never executed")


def require_book_read(ctx: Context, task: PendingClose) -> None:
    """Nothing leaves for the position before a reading of it that begins from now on."""
    task.needs_book_read, task.book_wanted_utc_ns = True, ctx.now


def on_book_read(ctx: Context, read_utc_ns: UtcNs) -> list[str]:
    """The positions were read: what waited for that continues with the volume still open; returns requests this settles.

    An earlier part that could turn a netting position round is not settled by a reading: what it may still close is left to it.
    """
    over: list[str] = []
    for task in list(ctx.state.closes.values()):
        if task.needs_book_read:
            if read_utc_ns < task.book_wanted_utc_ns:
                ctx.query_book("a reading was begun before what it is wanted for")
                continue
            if task.client_id and _may_come_yet(ctx, task):
                continue
            held = ctx.state.positions.get(task.position_id) or ctx.state.external_positions.get(task.position_id)
            if held is not None and _contradicted(held):
                continue
            open_lots = 0.0 if held is None else _open_lots(held)
            if task.client_id and not _turns_round(ctx, ctx.state.orders.get(task.client_id), open_lots):
                over.append(task.client_id)
            _request_over(ctx, task)
            task.needs_book_read = False
        try_close(ctx, task)
    return over


def _may_come_yet(ctx: Context, task: PendingClose) -> bool:
    """Whether an unconfirmed close is waited for until it is proven, although the position was read and is open still.

    An order that lost its process may be carried out after the read. Twice the whole of a position is refused where each has its
    own ticket; twice a part closes too much, and on a netting account too much turns the position round. So a part always waits,
    be it urgent or not; the whole continues where it is urgent.
    """
    account = ctx.state.account
    netting = account is not None and not account.hedging
    order = ctx.state.orders.get(task.client_id)
    held = ctx.state.positions.get(task.position_id) or ctx.state.external_positions.get(task.position_id)
    return order is not None and held is not None and (not task.whole or (netting and not task.urgent))


def _turns_round(ctx: Context, order: OrderInFlight | None, open_lots: Lots) -> bool:
    """Whether an unconfirmed close is for a part of a netting position: carried out before the whole, both are too much.

    Twice the whole is not: the second finds its position gone and is refused.
    """
    account = ctx.state.account
    return order is not None and account is not None and not account.hedging and order.lots < open_lots - LOTS_NOISE


def _in_doubt_lots(ctx: Context, task: PendingClose, open_lots: Lots) -> Lots:
    """What earlier unconfirmed parts may still close of a netting position."""
    earlier = (order for order in ctx.state.orders.values() if order.kind == "close" and order.position_id == task.position_id)
    return sum((order.lots for order in earlier if _turns_round(ctx, order, open_lots)), 0.0)


def due(ctx: Context) -> None:
    """Try again what is due."""
    for task in list(ctx.state.closes.values()):
        if not task.client_id and not task.needs_book_read and task.next_try_utc_ns <= ctx.now:
            try_close(ctx, task)


def next_due(ctx: Context) -> UtcNs | None:
    """When the next close wants to be tried again."""
    times = [
        task.next_try_utc_ns
        for task in ctx.state.closes.values()
        if not task.client_id and not task.needs_book_read and task.next_try_utc_ns > ctx.now
    ]
    return min(times, default=None)


def release_close(ctx: Context, position_id: int) -> None:
    """The operator's decision: a close that asked what to do at the open continues."""
    task = ctx.state.closes.get(position_id)
    if task is not None:
        task.market_closed, task.blocked, task.next_try_utc_ns = False, "", 0
        try_close(ctx, task)


def _request_over(ctx: Context, task: PendingClose) -> None:
    task.client_id = ""
    ctx.wake_changed = True


def clock_words(at_utc_ns: UtcNs) -> str:
    """An instant as a weekday and a time."""
    seconds = at_utc_ns // NS_PER_S
    days, second = divmod(seconds, 86_400)
    word = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")[days % 7]
    return f"{word} {second // 3600:02d}:{second // 60 % 60:02d} UTC"
