"""What became of an order whose answer never came: look everywhere it would have left a trace, and say only what is proven.

Why: an order sent twice is a doubled risk, an order forgotten an orphan. Source: mt5 reference 3.6.
Promises: a trace is magic and our id in the comment, or, where the comment was rewritten, the same symbol and side at the
right time, with no more volume, under our magic and no other id of ours; Absent only after [3] clean looks over [30 s], each
with a live line to the trade server and every list read; any list that is not known starts the count anew.
Does not: send anything. What is pure is `outcome_from_traces`; `OrderReconciler` reads and counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.deal_history import DealHistory
from quarterdeck.core.brokers.mt5.order_results import fill_of
from quarterdeck.core.brokers.mt5.parsing import order_of, position_of
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.model.broker_account import BrokerOrder, BrokerPosition, Deal
from quarterdeck.core.model.effects import QueryOrder
from quarterdeck.core.model.inputs import Accepted, NotExecuted, OrderOutcome, RequestDone, Unconfirmed
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, UtcNs

ABSENT_AFTER_S = 30.0
LOOKS_MIN = 3
MARGIN_NS = 120 * NS_PER_S
"""How far before the intent a trace may be stamped: the server's clock and ours differ."""
_ID_LIKE = re.compile(r"^[A-Za-z0-9]+-\d+$")
_SEARCHES_MAX = 1000
_DEAD_STATES = (mt5.STATE_CANCELED, mt5.STATE_REJECTED, mt5.STATE_EXPIRED)


class HistoryOrder(Struct, frozen=True, kw_only=True):
    """An order of the history, as far as a search needs it."""

    order: BrokerOrder
    state: int
    lots_initial: float


class OrderTraces(Struct, frozen=True, kw_only=True):
    """Everything that was looked at, all of it known."""

    positions: tuple[BrokerPosition, ...]
    orders: tuple[BrokerOrder, ...]
    past_orders: tuple[HistoryOrder, ...]
    deals: tuple[Deal, ...]


def outcome_from_traces(ask: QueryOrder, traces: OrderTraces, magic: int, claimed: Mapping[int, str]) -> OrderOutcome | None:
    """What the traces prove about the order; None without one. `claimed` are order tickets by the id they belong to."""
    wanted = "out" if ask.position_id else "in"
    deals = [deal for deal in traces.deals if _is_it(ask, deal.comment, deal.magic, magic, deal.symbol)]
    deals = [deal for deal in deals if deal.entry in (wanted, "inout")]
    if not deals:
        deals = _rewritten_deals(ask, traces, magic, claimed)
    working = next((o for o in traces.orders if _is_it(ask, o.comment, o.magic, magic, o.symbol)), None)
    if deals and working is None:
        return fill_of(sorted(deals, key=lambda deal: deal.deal_ticket))
    if working is not None:
        return Accepted(order_ticket=working.ticket)
    past = next((p for p in traces.past_orders if _is_it(ask, p.order.comment, p.order.magic, magic, p.order.symbol)), None)
    if past is not None:
        if past.state in _DEAD_STATES:
            return NotExecuted(why=f"order {past.order.ticket} ended in the broker's history without a deal")
        return Accepted(order_ticket=past.order.ticket)
    if not ask.position_id:
        standing = next((p for p in traces.positions if _is_it(ask, p.comment, p.magic, magic, p.symbol)), None)
        return None if standing is None else Accepted(order_ticket=standing.position_id)
    return _of_close(ask, traces)


def _of_close(ask: QueryOrder, traces: OrderTraces) -> OrderOutcome | None:
    """A close or a change leaves its mark on the position itself."""
    standing = any(position.position_id == ask.position_id for position in traces.positions)
    if ask.lots <= 0.0:
        return (
            RequestDone(note="the position was read again")
            if standing
            else NotExecuted(why=f"position {ask.position_id} is gone")
        )
    others = (deal for deal in traces.deals if deal.position_id == ask.position_id and deal.entry != "in")
    closer = None if standing else next(others, None)
    # a position that vanished without a deal may have been closed by this order after the deals were read: look again
    return (
        None
        if closer is None
        else NotExecuted(why=f"position {ask.position_id} was closed by deal {closer.deal_ticket} ({closer.reason})")
    )


def _is_it(ask: QueryOrder, comment: str, magic: int, our_magic: int, symbol: str) -> bool:
    return magic == our_magic and symbol == ask.symbol and ask.client_id in comment.split()


def _rewritten_deals(ask: QueryOrder, traces: OrderTraces, our_magic: int, claimed: Mapping[int, str]) -> list[Deal]:
    """Deals whose comment the server replaced: same symbol, side and time, our magic, no id of another order of ours.

    The volume may be less than asked: an order can fill in part and lose its comment in one go.
    """
    side = ask.side.opposite if ask.position_id else ask.side
    found = [
        deal
        for deal in traces.deals
        if deal.magic == our_magic
        and deal.symbol == ask.symbol
        and deal.side is side
        and deal.lots <= ask.lots + 1e-7
        and deal.at_utc_ns >= ask.sent_utc_ns - MARGIN_NS
        and (not _ID_LIKE.match(deal.comment) or ask.client_id.startswith(deal.comment))
        and claimed.get(deal.order_ticket, ask.client_id) == ask.client_id
        and deal.reason in ("expert", "client", "other")
        and (deal.position_id == ask.position_id if ask.position_id else deal.entry == "in")
    ]
    return [deal for deal in found if deal.order_ticket == found[0].order_ticket]


class OrderReconciler:
    """Looks, and counts clean looks for each order queried."""

    def __init__(self, session: TerminalSession, deals: DealHistory) -> None:
        """Shares the adapter's session and deals."""
        self._session = session
        self._deals = deals
        self._clean: dict[str, tuple[float, int]] = {}

    async def ask(self, ask: QueryOrder) -> OrderOutcome:
        """One look. Found: its outcome. Not found: unknown, until enough clean looks over enough time prove it absent."""
        try:
            traces = await self._look(ask.sent_utc_ns - MARGIN_NS)
        except ReadFailed as error:
            self._clean.pop(ask.client_id, None)
            return Unconfirmed(why=f"could not look: {error}")
        fate = outcome_from_traces(ask, traces, self._session.policy.magic, self._session.claimed)
        if fate is not None:
            self._clean.pop(ask.client_id, None)
            return fate
        return self._counted(ask.client_id)

    def _counted(self, client_id: str) -> OrderOutcome:
        now_s = self._session.clock.monotonic_s()
        since_s, looks = self._clean.get(client_id, (now_s, 0))
        looks += 1
        if looks >= LOOKS_MIN and now_s - since_s >= ABSENT_AFTER_S:
            self._clean.pop(client_id, None)
            return NotExecuted(why=f"no trace in {looks} looks over {now_s - since_s:.0f} s")
        if len(self._clean) >= _SEARCHES_MAX and client_id not in self._clean:
            self._clean.pop(next(iter(self._clean)))
        self._clean[client_id] = (since_s, looks)
        return Unconfirmed(why=f"no trace yet: {looks} clean looks over {now_s - since_s:.0f} s")

    async def _look(self, from_utc_ns: UtcNs) -> OrderTraces:
        session = self._session
        info = await session.read("terminal_info")
        if not info["connected"]:
            raise ReadFailed("the terminal has no connection to the trade server")
        await session.read_account()
        session.refuse_foreign_account()
        to_s = session.server_now_s() + S_PER_DAY
        # in the order in which things move (working, done, dealt, held): what moves between two reads is seen twice, never missed
        working = await session.read("orders_get")
        past = await self._deals.orders_between(from_utc_ns, to_s)
        deals = await self._deals.between(from_utc_ns, to_s)
        positions = await session.read("positions_get")
        return OrderTraces(
            positions=tuple(position_of(record, self._plain(record), session.server) for record in positions),
            orders=tuple(order_of(record, self._plain(record), session.server) for record in working),
            past_orders=tuple(self._past(record) for record in past),
            deals=deals,
        )

    def _past(self, record: dict[str, Any]) -> HistoryOrder:
        order = order_of(record, self._plain(record), self._session.server)
        return HistoryOrder(order=order, state=int(record["state"]), lots_initial=float(record["volume_initial"]))

    def _plain(self, record: dict[str, Any]) -> str:
        return self._session.plain(str(record["symbol"]))
