"""Carrying out one order of the desk: look, check, send, and find out what it became.

Why: between "send" and "filled" lie the filling mode, a price that moved, a volume that was closed meanwhile, and a reply that
names no deal yet. Each is settled here or becomes an outcome that the desk can act on.
Promises: `order_send` of one request is called again only after an answer that proves it was not carried out; a close names its
position and never asks for more than was still open a moment ago; an entry on a netting account does not touch external volume.
Does not: wait for an outcome (`reconcile`), or decide whether to try later (the desk).
"""

from __future__ import annotations

from typing import Any

import msgspec

from quarterdeck.core.brokers.base import CallNotSent, CallReply, ReplyLost, TerminalNotOwned
from quarterdeck.core.brokers.mt5.deal_history import DealHistory
from quarterdeck.core.brokers.mt5.order_prerequisites import fresh_quote, instrument_at, named, position_at, positions_at
from quarterdeck.core.brokers.mt5.order_results import OrderTiming, SendResult, check_rejection, fill_from_deals, send_result
from quarterdeck.core.brokers.mt5.terminal_session import ReadFailed, TerminalSession
from quarterdeck.core.brokers.mt5.trade_requests import (
    RequestDict,
    cancel_request,
    close_requests,
    grid_price,
    modify_request,
    open_request,
    remove_request,
    stops_problem,
)
from quarterdeck.core.model.broker_account import BrokerPosition, Deal
from quarterdeck.core.model.effects import Cancel, Close, Modify, Submit
from quarterdeck.core.model.inputs import Accepted, Filled, OrderOutcome, OrderRejected, RequestDone, Unconfirmed
from quarterdeck.core.model.market_data import Instrument, Quote, Side

NOT_OWNER = 20_001
"""Code of a refusal by the gateway, beyond all of the terminal's own: another engine holds the account's lease."""
REQUOTES_MAX = 2
"""Fresh prices tried after the broker said that one moved on, within the deviation the desk allowed."""


class OrderExecutor:
    """Turns one effect into requests and their answers into one outcome; made anew for each effect."""

    def __init__(self, session: TerminalSession, deals: DealHistory) -> None:
        """Shares the adapter's session and deals; the effect's time runs from here."""
        self._session = session
        self._deals = deals
        self.fresh: tuple[Deal, ...] = ()
        """Deals that came up while performing, to be reported after the report."""
        self.deals_read = False
        """Whether performing ended with a read of deals."""
        self._began_s = session.clock.monotonic_s()
        self._check_s = self._send_s = 0.0

    # ------------------------------------------------------------------------------------------------------ entries
    async def submit(self, effect: Submit, *, hedging: bool) -> OrderOutcome:
        """Open, or add to, a position with its stop in the request."""
        try:
            instrument, broker_symbol = named(self._session, effect.symbol)
            quote = await fresh_quote(self._session, instrument)
            held = () if hedging else tuple(row for _, row in await positions_at(self._session, symbol=broker_symbol))
        except ReadFailed as error:
            return OrderRejected(kind="retry", code=0, reason=str(error))
        problem = self._netting_problem(effect, held) or stops_problem(
            instrument, effect.side, quote, effect.stop_price, effect.target_price
        )
        if problem:
            return OrderRejected(kind="refused", code=0, reason=problem)
        target = effect.target_price
        if target is None and held:
            target = held[0].target_price

        def build(fresh: Quote, filling: int) -> RequestDict:
            return open_request(
                effect,
                instrument,
                fresh,
                broker_symbol=broker_symbol,
                filling=filling,
                magic=self._session.policy.magic,
                target_price=target,
            )

        judged = await self._sent(instrument, effect.side, quote, build, effect.deviation_points, effect.quoted_price)
        return await self._fate([judged], broker_symbol, position_id=effect.adds_to_position_id)

    def _netting_problem(self, effect: Submit, held: tuple[BrokerPosition, ...]) -> str:
        for position in held:
            if position.magic != self._session.policy.magic:
                return f"{effect.symbol} holds {position.lots} external lots; on a netting account an entry would mix with them"
            if position.side is not effect.side:
                return f"{effect.symbol} holds a position the other way; on a netting account an entry would reduce it"
        return ""

    # ------------------------------------------------------------------------------------------------------ closes
    async def close(self, effect: Close) -> OrderOutcome:
        """Close a position or a part of it; only what is still open is asked for."""
        try:
            held = await position_at(self._session, effect.ticket, effect.position_id, self._session.broker_name(effect.symbol))
        except ReadFailed as error:
            # a close that names its position opens nothing: it does not wait for a read
            broker_symbol, open_lots, unread = self._session.broker_name(effect.symbol), effect.lots, str(error)
        else:
            if held is None:
                return OrderRejected(kind="not_found", code=0, reason=f"position {effect.ticket} is no longer there")
            if held[1].side is not effect.side:
                return OrderRejected(kind="not_found", code=0, reason=f"position {effect.ticket} has reversed")
            broker_symbol, open_lots, unread = held[0], held[1].lots, ""
            effect = msgspec.structs.replace(effect, ticket=held[1].ticket)
        try:
            instrument = await instrument_at(self._session, broker_symbol)
            quote = await fresh_quote(self._session, instrument)
        except ReadFailed as error:
            return OrderRejected(kind="retry", code=0, reason=str(error))
        requests = close_requests(
            effect,
            instrument,
            quote,
            broker_symbol=broker_symbol,
            filling=self._session.filling.modes(instrument)[0],
            magic=self._session.policy.magic,
            open_lots=open_lots,
        )
        if not requests:
            return OrderRejected(kind="refused", code=0, reason=f"{effect.lots} lots are less than one volume step")
        return await self._close_pieces(effect, instrument, quote, broker_symbol, requests, unread)

    async def _close_pieces(
        self,
        effect: Close,
        instrument: Instrument,
        quote: Quote,
        broker_symbol: str,
        requests: tuple[RequestDict, ...],
        unread: str,
    ) -> OrderOutcome:
        done: list[SendResult] = []
        for request in requests:

            def build(fresh: Quote, filling: int, piece: RequestDict = request) -> RequestDict:
                price = grid_price(instrument, fresh.bid if effect.side is Side.BUY else fresh.ask)
                return piece | {"price": price, "type_filling": filling}

            judged = await self._sent(
                instrument, effect.side.opposite, quote, build, effect.deviation_points, effect.quoted_price, urgent=effect.urgent
            )
            if judged.outcome == "unknown" or (judged.outcome == "refused" and not done):
                if unread and isinstance(judged.proven_outcome, OrderRejected):
                    return OrderRejected(
                        kind=judged.proven_outcome.kind,
                        code=judged.proven_outcome.code,
                        reason=f"{judged.proven_outcome.reason}; {unread}",
                    )
                return judged.proven_outcome or Unconfirmed(why="no answer")
            if judged.outcome == "refused":
                break
            done.append(judged)
        return await self._fate(done, broker_symbol, position_id=effect.position_id)

    # ------------------------------------------------------------------------------------------------------ the rest
    async def modify(self, effect: Modify) -> OrderOutcome:
        """Set stop and target; what stands already is a success."""
        try:
            found = await position_at(self._session, effect.ticket, effect.position_id, self._session.broker_name(effect.symbol))
            if found is None:
                return OrderRejected(kind="not_found", code=0, reason=f"position {effect.ticket} is no longer there")
            broker_symbol, held = found
            instrument = await instrument_at(self._session, broker_symbol)
        except ReadFailed as error:
            return OrderRejected(kind="retry", code=0, reason=str(error))
        effect = msgspec.structs.replace(effect, ticket=held.ticket)
        request = modify_request(effect, instrument, broker_symbol=broker_symbol, magic=self._session.policy.magic)
        stands = (held.stop_price or 0.0, held.target_price or 0.0)
        if stands == (request["sl"], request["tp"]):
            return RequestDone(note="it is so already")
        return _changed(await self._send(request))

    async def cancel(self, effect: Cancel) -> OrderOutcome:
        """Remove a pending order; one that is gone already is said to be gone."""
        try:
            orders = await self._session.read("orders_get", ticket=int(effect.order_ticket))
        except ReadFailed as error:
            return OrderRejected(kind="retry", code=0, reason=str(error))
        if not orders:
            return OrderRejected(kind="not_found", code=0, reason=f"order {effect.order_ticket} is no longer there")
        symbol = str(orders[0]["symbol"])
        return _changed(await self._send(cancel_request(effect, broker_symbol=symbol, magic=self._session.policy.magic)))

    # ------------------------------------------------------------------------------------------------------ sending
    def _spent(self) -> OrderTiming:
        all_s = self._session.clock.monotonic_s() - self._began_s
        return OrderTiming(all_s * 1000.0, self._check_s * 1000.0, self._send_s * 1000.0)

    async def _sent(
        self,
        instrument: Instrument,
        side: Side,
        quote: Quote,
        build: Any,
        deviation_points: int,
        quoted: float,
        *,
        urgent: bool = False,
    ) -> SendResult:
        """Send with the symbol's filling mode; other modes and fresh prices only after proof that nothing was carried out."""
        session = self._session
        requotes = 0
        modes = list(session.filling.modes(instrument))
        while True:
            judged = await self._checked_and_sent(build(quote, modes[0]))
            if judged.filling_rejected:
                session.filling.refused(instrument.symbol, modes.pop(0))
                if modes:
                    continue
            elif judged.requote and requotes < REQUOTES_MAX:
                requotes += 1
                try:
                    quote = await fresh_quote(self._session, instrument)
                except ReadFailed:
                    break
                if urgent or within_deviation(instrument, side, quote, quoted, deviation_points):
                    continue
            elif judged.outcome in ("filled", "accepted", "partial"):
                session.filling.took(instrument.symbol, modes[0])
            break
        return judged

    async def _checked_and_sent(self, request: RequestDict) -> SendResult:
        session = self._session
        before_s = session.clock.monotonic_s()
        try:
            check = await session.terminal.call("order_check", request)
        except (ReplyLost, CallNotSent) as error:
            session.mark_down(f"order_check: {error}")
            return SendResult(
                outcome="refused", proven_outcome=OrderRejected(kind="retry", code=0, reason=f"order_check: {error}")
            )
        finally:
            self._check_s += session.clock.monotonic_s() - before_s
        self._note_line(check)
        refusal = check_rejection(check, session.clock.utc_ns())
        if refusal is not None:
            return SendResult(
                outcome="refused",
                proven_outcome=refusal,
                filling_rejected=refusal.code == 10030,
                requote=refusal.code in (10004, 10015, 10020),
            )
        return await self._send(request)

    async def _send(self, request: RequestDict) -> SendResult:
        session = self._session
        before_s = session.clock.monotonic_s()
        try:
            reply = await session.terminal.call("order_send", request)
        except TerminalNotOwned as error:
            return SendResult(
                outcome="refused", proven_outcome=OrderRejected(kind="operator", code=NOT_OWNER, reason=error.one_line())
            )
        except CallNotSent as error:
            session.mark_down(f"order_send: {error}")
            return SendResult(outcome="refused", proven_outcome=OrderRejected(kind="retry", code=0, reason=f"not sent: {error}"))
        except ReplyLost as error:
            session.mark_down(f"order_send: {error}")
            return SendResult(outcome="unknown", proven_outcome=Unconfirmed(why=f"no answer: {error}"))
        finally:
            self._send_s += session.clock.monotonic_s() - before_s
        self._note_line(reply)
        return send_result(reply, session.clock.utc_ns())

    def _note_line(self, reply: CallReply) -> None:
        if reply.value is None and reply.error_code in (-10000, -10001, -10002, -10004):
            self._session.mark_down(f"{reply.error_code} {reply.error_text}")

    # ------------------------------------------------------------------------------------------------------ outcomes
    async def _fate(self, judged: list[SendResult], broker_symbol: str, *, position_id: int) -> OrderOutcome:
        """The outcome of orders that were all taken, from their deals; accepted while none is known."""
        first = judged[0]
        if len(judged) == 1 and first.outcome in ("refused", "unknown") and first.proven_outcome is not None:
            return first.proven_outcome
        try:
            deals = await self._deals.new()
        except ReadFailed as error:
            return _without_deals(judged, f"deals not read: {error}")
        self.fresh += deals
        self.deals_read = True
        if any(item.outcome == "partial" for item in judged):
            await self._remove_rests(judged, broker_symbol)
        filled = fill_from_deals(self._deals.recent, judged, position_id=position_id, spent=self._spent())
        if filled is None or _short(judged, filled):
            return _without_deals(judged, "no deal yet")
        return filled

    async def _remove_rests(self, judged: list[SendResult], broker_symbol: str) -> None:
        """An order that filled in part must not continue working: its rest is removed, and `Filled` says what was done."""
        for item in judged:
            if item.outcome != "partial" or not item.order_ticket:
                continue
            try:
                rests = await self._session.read("orders_get", ticket=item.order_ticket)
            except ReadFailed:
                continue
            if rests:
                await self._send(remove_request(item.order_ticket, broker_symbol=broker_symbol, magic=self._session.policy.magic))


def within_deviation(instrument: Instrument, side: Side, quote: Quote, quoted: float, deviation_points: int) -> bool:
    """Whether a fresh price is no worse than the desk's quote by more than it allowed."""
    worse = quote.ask - quoted if side is Side.BUY else quoted - quote.bid
    return worse <= (deviation_points + 0.5) * instrument.point


def _changed(judged: SendResult) -> OrderOutcome:
    if judged.outcome in ("filled", "accepted", "unchanged", "partial"):
        return RequestDone(note="it is so already" if judged.outcome == "unchanged" else "")
    return judged.proven_outcome or Unconfirmed(why="no answer")


def _short(judged: list[SendResult], filled: Filled) -> bool:
    """Whether deals of what the broker called done are still missing."""
    done = sum(item.lots for item in judged if item.outcome in ("filled", "partial"))
    return filled.lots < done - 1e-7


def _without_deals(judged: list[SendResult], why: str) -> OrderOutcome:
    orders = [item.order_ticket for item in judged if item.order_ticket]
    return Accepted(order_ticket=orders[0]) if orders else Unconfirmed(why=why)
