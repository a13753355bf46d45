"""The operator's decision: each command is carried out or refused with the reason, and answered once it is so.

Promises: nothing here adds risk; loosening a stop is the operator's right and is noted; what cannot be done says why.
Does not: check settings (the shell validated them before `SettingsChanged`).
"""

from __future__ import annotations

from typing import assert_never

from quarterdeck.core.desk import (
    balance_changes,
    breaker_watch,
    broker_book,
    flatten,
    orders_in_flight,
    position_closing,
    shutdown,
    stops,
)
from quarterdeck.core.desk.account_and_connection import trust_machine_clock
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import ManagedPosition
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.risk_reservation import release
from quarterdeck.core.desk.trading_state import OPERATORS, add_reason, drop_reason
from quarterdeck.core.model.commands import (
    MACHINE_CLOCK,
    UNEXPLAINED_MONEY,
    Acknowledge,
    CloseGroup,
    ClosePosition,
    Flatten,
    MoveStop,
    Pause,
    ResetDrawdown,
    Resolve,
    Resume,
    SetSettings,
    StopEngine,
)
from quarterdeck.core.model.effects import CommandDone
from quarterdeck.core.model.inputs import CommandReceived


def execute_command(ctx: Context, told: CommandReceived) -> None:
    """Carry out one command."""
    command = told.command
    answer: tuple[bool, str] | None
    match command:
        case Pause():
            add_reason(ctx, "paused", f"Paused by {told.origin}", alert="info")
            answer = True, "Paused: no new entries; existing positions are still managed"
        case Resume():
            answer = _resume(ctx)
        case Flatten():
            flatten.start(ctx, "flatten", scope=command.scope, halt=True, command_id=told.command_id)
            answer = None
        case ClosePosition():
            answer = _close(ctx, command)
        case CloseGroup():
            answer = _close_group(ctx, command)
        case MoveStop():
            answer = _move_stop(ctx, command)
        case SetSettings():
            answer = True, "The settings are being applied"
        case ResetDrawdown():
            answer = breaker_watch.reset_drawdown(ctx)
        case Acknowledge():
            answer = _acknowledge(ctx, command.what)
        case Resolve():
            answer = _resolve(ctx, command)
        case StopEngine():
            shutdown.begin(ctx, command, told.command_id)
            answer = None
        case other:
            assert_never(other)
    ctx.wake_changed = True
    if answer is not None:
        ctx.emit(CommandDone(command_id=told.command_id, ok=answer[0], text=answer[1]))


def _resume(ctx: Context) -> tuple[bool, str]:
    gone = [code for code in OPERATORS if code in ctx.state.reasons and code not in ctx.state.engine_faults]
    for code in gone:
        drop_reason(ctx, code, f"Resumed by you ({code})")
    position_closing.due(ctx)
    left = list(ctx.state.reasons)
    if left:
        ways = "; ".join(f"{ctx.state.reasons[code].clears_when} ({code})" for code in left)
        return bool(gone), f"{'Resumed, but entries' if gone else 'Nothing to resume; entries'} stay stopped until {ways}"
    return True, "Active: entries are allowed"


def _close(ctx: Context, command: ClosePosition) -> tuple[bool, str]:
    position = ctx.state.positions.get(command.position_id)
    if position is None:
        foreign = ctx.state.external_positions.get(command.position_id)
        text = "was not opened by this desk; close it in the terminal" if foreign is not None else "is not open"
        return False, f"Position {command.position_id} {text}"
    position_closing.start_close(ctx, position.position_id, "command", lots=command.lots, urgent=True)
    position_closing.release_close(ctx, position.position_id)
    return True, f"Closing {command.lots or position.lots:g} lots of #{position.ticket} {position.symbol}"


def _close_group(ctx: Context, command: CloseGroup) -> tuple[bool, str]:
    name = command.name.upper()

    def fits(position: ManagedPosition) -> bool:
        spec = ctx.spec(position.symbol)
        if command.which == "losers":
            return (position.net_money or 0.0) < 0.0
        if command.which == "winners":
            return (position.net_money or 0.0) > 0.0
        if command.which == "currency":
            return spec is not None and name in spec.currencies
        return position.symbol.upper() == name

    found = [one for one in ctx.state.positions.values() if one.lots > LOTS_NOISE and fits(one)]
    for position in found:
        position_closing.start_close(ctx, position.position_id, "command", urgent=True)
    what = f"{command.which} {command.name}".strip()
    return bool(found), f"Closing {len(found)} positions ({what})" if found else f"No position of this desk matches: {what}"


def _move_stop(ctx: Context, command: MoveStop) -> tuple[bool, str]:
    position = ctx.state.positions.get(command.position_id)
    if position is None:
        return False, f"Position {command.position_id} is not open, or was not opened by this desk"
    trouble = stops.move_by_operator(ctx, position, command.stop_price)
    if trouble:
        return False, trouble
    looser = stops.tighter(position.side, position.stop_price, command.stop_price)
    text = f"Stop of #{position.ticket}: {position.stop_price} -> {command.stop_price}" + (", looser" if looser else "")
    ctx.note("stop_by_operator", text, symbol=position.symbol, ticket=position.ticket, level="warning" if looser else "info")
    return True, text


def _acknowledge(ctx: Context, what: str) -> tuple[bool, str]:
    if what == "foreign_no_stop":
        count = broker_book.acknowledge_external(ctx)
        return count > 0, f"{count} acknowledged" if count else "No position without a stop waits to be acknowledged"
    for pair in ctx.state.pairs.values():
        if what == f"{pair.symbol}:no_stop" and pair.block_reasons.pop("no_stop", None) is not None:
            return True, f"Entries in {pair.symbol} are allowed again"
    return False, f"{what!r} cannot be acknowledged: `quarterdeck status` lists the reasons that can"


def _resolve(ctx: Context, command: Resolve) -> tuple[bool, str]:
    """The operator settles an unconfirmed order, money that no deal explains, the meaning of a deal, or a doubtful clock."""
    if command.outcome == "pc_right" or command.client_id == MACHINE_CLOCK:
        if command.outcome == "pc_right" and command.client_id == MACHINE_CLOCK:
            return trust_machine_clock(ctx)
        return False, f"Only `resolve {MACHINE_CLOCK} --pc-right` settles this machine's clock"
    if command.outcome in ("result", "transfer", "payout"):
        if command.client_id == UNEXPLAINED_MONEY:
            return balance_changes.resolve_money(ctx, command.outcome)
        if command.client_id.isdigit() and command.outcome != "result":
            return balance_changes.resolve_deal(ctx, int(command.client_id), command.outcome)
        what = "is not the ticket of a deal that may be a transfer"
        return False, f"{command.client_id} {what}; for money that no deal explains say `quarterdeck resolve {UNEXPLAINED_MONEY}`"
    order = ctx.state.orders.get(command.client_id)
    if order is None or order.order_status != "unknown":
        return False, f"{command.client_id} is not an unconfirmed order: `quarterdeck status` lists them"
    if command.outcome == "filled" and command.position_id not in ctx.state.positions:
        order.position_id = command.position_id
        ctx.query_book(f"{command.client_id} is said to be position {command.position_id}")
        return True, f"Reading the broker's positions; position {command.position_id} is managed once it shows up there"
    done = f"was executed as position #{command.position_id}" if command.outcome == "filled" else "was not executed"
    orders_in_flight.close_request(ctx, order, command.position_id, f"{done}, as you decided")
    release(ctx, order.client_id, by="operator")
    ctx.note("resolved", f"{command.client_id}: {command.outcome}, as you decided", symbol=order.symbol, level="warning")
    ctx.query_book(f"{command.client_id} was resolved")
    return True, f"Order {command.client_id} {done}, as you decided"
