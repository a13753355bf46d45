"""Reserve risk before an order leaves, and give it back only for a proven outcome.

Why: two signals in the same second must not both take the last of the budget.
Promises: at the moment of a reservation, open and reserved risk are within the cap; `Submit` is made here and nowhere else, and
only with a reservation; Filled, Refused or Absent settles, or the operator's decision (law 6). Unknown keeps it.
Does not: size orders, or know brokers. Units: money in account currency.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.desk import requests
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import EntryTerms, OrderInFlight, Reservation
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.desk.open_exposure import open_risk, reserved_risk
from quarterdeck.core.desk.trading_state import entries_allowed
from quarterdeck.core.model.effects import ReservationReleased, Submit
from quarterdeck.core.model.errors import invariant
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Lots, Money, Price

_CAP_NOISE = 1e-6


class EntryOrder(Struct, frozen=True, kw_only=True):
    """An entry that passed every check: what is to be sent, and what it takes of the budget."""

    symbol: str
    side: Side
    lots: Lots
    entry_price: Price
    stop_price: Price
    target_price: Price | None
    budget_money: Money
    """Risk with slippage and costs, as open risk counts it."""
    risk_money: Money
    """Loss at the stop with commission: the R that was asked."""
    margin_money: Money
    entry: EntryTerms


def submit(ctx: Context, ticket: EntryOrder) -> str:
    """Reserve what `ticket` takes and send it; returns the client id.

    Raises:
        InvariantBroken: when something stands against entries, or the cap would be passed.
    """
    state = ctx.state
    equity = state.equity_money
    held = open_risk(ctx)
    invariant(entries_allowed(ctx), "nothing that adds risk leaves while a reason stands against it", reasons=list(state.reasons))
    invariant(equity is not None and held is not None, "risk is reserved against a known book and a known equity")
    if equity is None or held is None:
        return ""
    total = held + reserved_risk(ctx) + ticket.budget_money
    cap = ctx.account_policy.open_risk_max_fraction * equity
    invariant(total <= cap + _CAP_NOISE, "open and reserved risk stay within the cap", total=total, cap=cap)
    invariant(
        ticket.entry.signal_id not in state.traded_signals, "a signal is traded at most once", signal=ticket.entry.signal_id
    )
    client_id = ctx.next_id()
    reservation_id = f"R{client_id}"
    state.reservations[reservation_id] = Reservation(
        reservation_id=reservation_id,
        client_id=client_id,
        symbol=ticket.symbol,
        side=ticket.side,
        lots=ticket.lots,
        entry_price=ticket.entry_price,
        stop_price=ticket.stop_price,
        risk_money=ticket.budget_money,
        margin_money=ticket.margin_money,
        made_utc_ns=ctx.now,
        adds=ticket.entry.adds_to_position_id != 0,
    )
    state.orders[client_id] = OrderInFlight(
        client_id=client_id,
        kind="open",
        symbol=ticket.symbol,
        side=ticket.side,
        lots=ticket.lots,
        sent_utc_ns=ctx.now,
        query_utc_ns=ctx.now + ctx.account_policy.report_wait_ns,
        entry=ticket.entry,
        stop_price=ticket.stop_price,
        target_price=ticket.target_price,
    )
    ctx.wake_changed = True
    requests.count(ctx, None)
    ctx.emit(_submit_effect(ctx, client_id, reservation_id, ticket))
    return client_id


def _submit_effect(ctx: Context, client_id: str, reservation_id: str, ticket: EntryOrder) -> Submit:
    spec = ctx.state.instruments[ticket.symbol]
    deviation = ctx.policy(ticket.symbol).settings.execution.deviation_pips * spec.pip / spec.point
    return Submit(
        client_id=client_id,
        reservation_id=reservation_id,
        signal_id=ticket.entry.signal_id,
        symbol=ticket.symbol,
        side=ticket.side,
        lots=ticket.lots,
        quoted_price=ticket.entry_price,
        stop_price=ticket.stop_price,
        target_price=ticket.target_price,
        deviation_points=round(deviation),
        risk_money=ticket.risk_money,
        adds_to_position_id=ticket.entry.adds_to_position_id,
    )


def filled(ctx: Context, client_id: str, lots: Lots, *, by: str) -> None:
    """`lots` of an order are proven to be a position: their share of the reservation becomes open risk."""
    held = _of(ctx, client_id)
    if held is None:
        return
    left = held.lots - lots
    if left <= LOTS_NOISE:
        release(ctx, client_id, by=by)
        return
    share = left / held.lots
    held.lots, held.risk_money, held.margin_money = left, held.risk_money * share, held.margin_money * share


def release(ctx: Context, client_id: str, *, by: str) -> None:
    """The outcome of the order (or of what was left of it) is proven: its reservation ends. Twice is once."""
    held = _of(ctx, client_id)
    if held is None:
        return
    del ctx.state.reservations[held.reservation_id]
    ctx.wake_changed = True
    ctx.emit(ReservationReleased(reservation_id=held.reservation_id, client_id=client_id, release_cause=by))


def _of(ctx: Context, client_id: str) -> Reservation | None:
    return ctx.state.reservations.get(f"R{client_id}")
