"""Closing everything, verified: a state with a beginning and an end that is proven, not hoped for.

    asked -> REDUCE_ONLY, cancels, one close per position (largest open risk first) -> the book is read until it lists nothing in
    scope twice in a row and no request of ours is without an outcome -> flat (HALTED until resumed, when the operator asked for
    it)

Promises: entries stop first; no position waits for another's retry; after an unconfirmed order only what the book still shows
is sent again; "flat" is said only when it is so; what a closed market holds back is listed with reason and earliest time, and
continues.
Does not: touch what is not in scope.
"""

from __future__ import annotations

from typing import Final, Literal

from quarterdeck.core.desk import entry_evaluation, position_closing, requests
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import FlattenState, OrderInFlight
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.memory_limits import LEFT_MAX
from quarterdeck.core.desk.open_exposure import position_risk_money
from quarterdeck.core.desk.trading_state import add_reason, consequence, drop_reason
from quarterdeck.core.model.broker_account import BrokerOrder
from quarterdeck.core.model.effects import Alert, Cancel, CloseReason, CommandDone
from quarterdeck.core.model.inputs import BrokerBook
from quarterdeck.core.model.units import NS_PER_S

_CAUSES: Final = {
    "flatten": "you ordered it",
    "shutdown": "the engine stops",
    "breaker": "a loss limit was reached",
    "funded_rule": "a prop-firm limit is near",
}
"""Why a flatten starts, in words."""
_NAMED_MAX = 3
_BOOKS = 2
"""Successive readings that must show nothing in scope."""


def start(
    ctx: Context, why: CloseReason, *, scope: Literal["ours", "account"] = "ours", halt: bool, command_id: str = ""
) -> None:
    """Begin, or widen what is under way."""
    state = ctx.state
    now = state.flatten
    if now is None or now.done:
        now = state.flatten = FlattenState(scope=scope, why=why, since_utc_ns=ctx.now, halt=halt)
    now.halt = now.halt or halt
    now.answered = False
    if scope == "account":
        now.scope = "account"
    if command_id:
        now.command_ids.append(command_id)
    now.empty_books = 0
    entry_evaluation.reject_all_waiting(ctx, "flatten")
    add_reason(
        ctx,
        "flatten",
        f"Closing {'every position of the account' if now.scope == 'account' else 'every position of this desk'} "
        f"({_CAUSES.get(why, why)})",
        alert="",
    )
    ctx.emit(Alert(kind="flatten", level="critical", text=_begun(ctx, now, why)))
    for order in list(state.pending.values()):
        _cancel(ctx, now, order)
    _close_all(ctx, now)
    ctx.query_book("flatten")
    ctx.wake_changed = True


def _begun(ctx: Context, now: FlattenState, why: CloseReason) -> str:
    return (
        f"Flatten started ({_CAUSES.get(why, why)}): closing {_counts(ctx, now)} No new entries. An alert follows when the "
        "broker shows that they are closed."
    )


def _counts(ctx: Context, now: FlattenState) -> str:
    state = ctx.state
    ours = sum(1 for held in state.positions.values() if held.lots > LOTS_NOISE)
    others = len(state.external_positions)
    both = f" and {others} that it did not open" if others and now.scope == "account" else ""
    left = f" {_not_ours(ctx)} left alone." if others and now.scope != "account" else ""
    return f"{ours} position{'' if ours == 1 else 's'} of this desk{both} at market, the largest risk first.{left}"


def _not_ours(ctx: Context) -> str:
    """How many positions this desk did not open, and the first of them, as the subject of a sentence."""
    others = [held.at_broker for held in ctx.state.external_positions.values()]
    names = ", ".join(f"#{held.ticket} {held.symbol} {held.side.word} {held.lots:g} lots" for held in others[:_NAMED_MAX])
    more = ", ..." if len(others) > _NAMED_MAX else ""
    count, verb = ("1 position", "is") if len(others) == 1 else (f"{len(others)} positions", "are")
    return f"{count} not opened by this desk ({names}{more}) {verb}"


def _in_scope(ctx: Context, now: FlattenState, magic: int) -> bool:
    return now.scope == "account" or magic == ctx.magic


def _cancel(ctx: Context, now: FlattenState, order: BrokerOrder) -> None:
    if not _in_scope(ctx, now, order.magic) or order.kind == "market":
        return
    if any(held.kind == "cancel" and held.order_ticket == order.ticket for held in ctx.state.orders.values()):
        return
    client_id = ctx.next_id()
    ctx.state.orders[client_id] = OrderInFlight(
        client_id=client_id,
        kind="cancel",
        symbol=order.symbol,
        side=order.side,
        lots=order.lots,
        sent_utc_ns=ctx.now,
        order_ticket=order.ticket,
        query_utc_ns=ctx.now + ctx.account_policy.report_wait_ns,
    )
    requests.count(ctx, None)
    ctx.emit(Cancel(client_id=client_id, order_ticket=order.ticket, symbol=order.symbol))


def _close_all(ctx: Context, now: FlattenState) -> None:
    """One close per position in scope, the largest open risk first; one whose risk is not known comes before all."""
    state = ctx.state
    found: list[tuple[float, int]] = []
    for position in state.positions.values():
        if position.lots > LOTS_NOISE:
            risk = position_risk_money(ctx, position)
            found.append((float("inf") if risk is None else risk, position.position_id))
    if now.scope == "account":
        for foreign in state.external_positions.values():
            risk = position_risk_money(ctx, foreign)
            found.append((float("inf") if risk is None else risk, foreign.at_broker.position_id))
    for _, position_id in sorted(found, key=lambda item: -item[0]):
        position_closing.start_close(ctx, position_id, now.why, urgent=True)


def book_unknown(ctx: Context) -> None:
    """A reading failed: two successive ones are needed, counted from now."""
    now = ctx.state.flatten
    if now is not None and not now.done:
        now.empty_books = 0


def book_known(ctx: Context, book: BrokerBook) -> None:
    """The book was read while a flatten runs: send what is missing, or come one step nearer to flat."""
    now = ctx.state.flatten
    if now is None or now.done:
        return
    left = [held for held in book.positions if _in_scope(ctx, now, held.magic) or held.position_id in ctx.state.positions]
    pending = [order for order in book.orders if _in_scope(ctx, now, order.magic)]
    if left or pending or ctx.state.orders:
        now.empty_books = 0
        for order in pending:
            _cancel(ctx, now, order)
        _close_all(ctx, now)
        _list_left(ctx, now)
        if ctx.state.orders or not all(task.blocked for task in ctx.state.closes.values()):
            ctx.query_book_later()
        else:
            _answer_leftovers(ctx, now)
        return
    now.empty_books += 1
    if now.empty_books < _BOOKS or book.at_utc_ns < now.since_utc_ns:
        ctx.query_book("verifying that all is closed")
        return
    _flat(ctx, now)


def _list_left(ctx: Context, now: FlattenState) -> None:
    now.left_open = [
        f"#{task.ticket} {task.symbol} {task.side.word} {task.lots:g} lots: {task.blocked}"
        for task in ctx.state.closes.values()
        if task.blocked
    ][:LEFT_MAX]
    now.text = f"{len(ctx.state.closes)} still open" if ctx.state.closes else "reading the broker's positions"


def _answer_leftovers(ctx: Context, now: FlattenState) -> None:
    """All that is left is held back by something outside: say so once, and continue."""
    if now.answered or not now.left_open:
        return
    now.answered = True
    text = f"Not flat, still open: {'; '.join(now.left_open)}"
    for command_id in now.command_ids:
        ctx.emit(CommandDone(command_id=command_id, ok=False, text=text))
    now.command_ids.clear()
    add_reason(ctx, "flatten", text)
    shut = [task for task in ctx.state.closes.values() if task.market_closed]
    if len(shut) < len(ctx.state.closes):
        then = "The desk keeps trying. If you cannot wait, close them in the terminal."
    elif len(shut) == 1:
        then = position_closing.at_open(ctx, shut[0])
    else:
        then = "Nobody can close them before the open; " + (
            "then order it again with `quarterdeck flatten` (flatten.reopen_action = ask)."
            if any(ctx.policy(task.symbol).settings.flatten.reopen_action == "ask" for task in shut)
            else "the desk closes them then. Nothing to do."
        )
    safe = "its stop at the broker protects it" if len(now.left_open) == 1 else "their stops at the broker protect them"
    told = f"{text}. Until then only {safe}. {then}"
    ctx.emit(Alert(kind="flatten", level="critical", text=told))


def _flat(ctx: Context, now: FlattenState) -> None:
    state = ctx.state
    others = len(state.external_positions)
    took_s = (ctx.now - now.since_utc_ns) / NS_PER_S
    text = f"flat, verified, {took_s:.1f} s" + (f"; {_not_ours(ctx)} left alone" if others else "")
    unpaid = sum(1 for held in state.positions.values() if held.lots <= LOTS_NOISE)
    if unpaid:
        text += f"; the result of {unpaid} closed position{'' if unpaid == 1 else 's'} is still to be read"
    now.done, now.done_utc_ns, now.text, now.left_open = True, ctx.now, text, []
    if now.halt:
        add_reason(ctx, "flat", text, alert="")
    drop_reason(ctx, "flatten", text)
    whose = "the account" if now.scope == "account" else "this desk"
    done = f"Flatten finished: {text}. The broker's list, read twice, shows no open position of {whose}. {consequence(ctx)}"
    ctx.emit(Alert(kind="flatten", level="critical" if now.halt else "warning", text=done, resolved=True))
    for command_id in now.command_ids:
        ctx.emit(CommandDone(command_id=command_id, ok=True, text=text))
    now.command_ids.clear()
    ctx.wake_changed = True


def watch(ctx: Context) -> None:
    """Once nothing is on its way any more, the book is what proves it."""
    state = ctx.state
    if running(ctx) and not state.closes and not state.orders and not state.book_asked_utc_ns and not state.book_retry_utc_ns:
        ctx.query_book("verifying that all is closed")


def running(ctx: Context) -> bool:
    """Whether a flatten is under way or has leftovers."""
    now = ctx.state.flatten
    return now is not None and not now.done
