"""How a desk begins: from nothing, or with the state of a past one; and when it is ready to enter.

Promises: a state restored within the same run is taken over as it is (an audit continues from a checkpoint); one of an earlier
run is taken over with every request in unconfirmed flight, to be queried, and the book to be read (law 6).
"""

from __future__ import annotations

import msgspec

from quarterdeck.core.desk import breaker_watch, entry_evaluation, orders_in_flight
from quarterdeck.core.desk.balance_changes import account_key
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import DeskState
from quarterdeck.core.desk.trading_state import add_reason, drop_reason
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.inputs import SequencedInput, Started
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.risk.balance import first_read
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import settings_from_tape

_RUN_ID_MAX = 8


def settings_of(raw: msgspec.Raw) -> Settings:
    """The typed tree from its plain data, whichever version wrote it."""
    return settings_from_tape(bytes(raw))


def started_context(stamped: SequencedInput, told: Started) -> Context:
    """A fresh desk of a run. A second `Started` begins anew, with nothing of the first but the order of its inputs."""
    invariant(
        0 < len(told.run_id) <= _RUN_ID_MAX and told.run_id.isascii(), "a run id has 1 to 8 ASCII characters", run_id=told.run_id
    )
    settings = settings_of(told.settings)
    state = DeskState(seq=stamped.seq, at_utc_ns=stamped.at_utc_ns, run_id=told.run_id, mode=told.mode, started=True)
    state.started_utc_ns = stamped.at_utc_ns
    named = settings.strategy
    state.strategy = f"{named.name} in {named.file}" if named.file else named.name
    ctx = Context(state, settings)
    for symbol in ctx.pairs:
        ctx.pair(symbol)
    add_reason(ctx, "starting", "Reading account, instruments and positions from the broker", alert="")
    return ctx


def restore_run(ctx: Context, past: DeskState) -> Context:
    """Take over a past state under the settings of this run."""
    now = ctx.state
    same_run = past.run_id == now.run_id
    if not same_run and past.at_utc_ns > now.at_utc_ns:
        _not_ahead(past, now.at_utc_ns)
    past.seq, past.at_utc_ns = now.seq, max(now.at_utc_ns, past.at_utc_ns if same_run else 0)
    past.run_id, past.mode, past.started = now.run_id, now.mode, True
    if past.account is not None and not past.balance.account:
        explained = past.balance_money - past.balance_ahead_money
        past.balance = first_read(account_key(past.account), explained)
        past.balance_money, past.balance_ahead_money = explained, 0.0
    if past.strategy and past.strategy != now.strategy:
        past.results_r.clear()  # another strategy's results say nothing about this one's size
    past.strategy = now.strategy
    if not same_run:
        past.started_utc_ns = now.started_utc_ns
    fresh = Context(past, ctx.settings)
    fresh.now = now.at_utc_ns
    if same_run:
        return fresh
    fresh.pending_effects.extend(ctx.pending_effects)
    _recover(fresh)
    return fresh


def _not_ahead(past: DeskState, now_utc_ns: UtcNs) -> None:
    """The last run's clock was ahead of this one's: what it did counts as done now, or no reading of the book would be later."""
    for position in past.positions.values():
        position.changed_utc_ns = min(position.changed_utc_ns, now_utc_ns)
        position.modify_utc_ns = min(position.modify_utc_ns, now_utc_ns)
        position.quoted_utc_ns = min(position.quoted_utc_ns, now_utc_ns)
    for foreign in past.external_positions.values():
        foreign.read_utc_ns = min(foreign.read_utc_ns, now_utc_ns)
        foreign.changed_utc_ns = min(foreign.changed_utc_ns, now_utc_ns)
    for left in past.external_left.values():
        left.since_utc_ns = min(left.since_utc_ns, now_utc_ns)
    for task in past.closes.values():
        task.since_utc_ns = min(task.since_utc_ns, now_utc_ns)
        task.next_try_utc_ns = min(task.next_try_utc_ns, now_utc_ns)
        task.book_wanted_utc_ns = min(task.book_wanted_utc_ns, now_utc_ns)
    for order in past.orders.values():
        order.sent_utc_ns = min(order.sent_utc_ns, now_utc_ns)
    for position_id in list(past.recently_closed):
        past.recently_closed[position_id] = min(past.recently_closed[position_id], now_utc_ns)
    if past.flatten is not None:
        past.flatten.since_utc_ns = min(past.flatten.since_utc_ns, now_utc_ns)


def _recover(ctx: Context) -> None:
    """What a new run cannot take for granted: the line, the book, and every request that was in flight."""
    state = ctx.state
    state.book_known = None
    state.book_asked_utc_ns = state.book_retry_utc_ns = 0
    state.engine_faults.clear()
    state.silent.clear()
    state.suspects.clear()
    for code in ("feed", "quotes_silent", "journal", "degraded", "clock", "terminal", "backlog", "stopping", "book_unknown"):
        drop_reason(ctx, code, f"Cleared by a new run ({code})")
    state.stop = None
    for pair in state.pairs.values():
        pair.block_reasons.pop("feed", None)
        pair.block_reasons.pop("history", None)
        pair.block_reasons.pop("no_stop", None)
        pair.tick_value_expected_money = None
    for symbol in ctx.pairs:
        ctx.pair(symbol)
    state.round.judged = True
    entry_evaluation.reject_all_waiting(ctx, "restart")
    add_reason(ctx, "starting", "Reading account, instruments and positions from the broker", alert="")
    for order in list(state.orders.values()):
        order.order_status = "in_flight"
        orders_in_flight.mark_unconfirmed(ctx, order, "the run that sent it ended before the broker confirmed it")
    state.book_asked_utc_ns = 0
    state.book_retry_utc_ns = ctx.now


def ready(ctx: Context) -> None:
    """Entries may begin once account, instruments and book are known."""
    state = ctx.state
    if state.account is None or state.book_known is not True or not all(symbol in state.instruments for symbol in ctx.pairs):
        return
    drop_reason(ctx, "starting", "Account, instruments and positions have been read")
    breaker_watch.begun(ctx)
