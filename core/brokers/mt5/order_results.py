"""From the answer of `order_send` to the outcome of an order, as far as the answer and the deals prove it.

Promises: pure; only proven things become Filled, Changed, Refused or Absent; everything else stays Accepted or UnknownFate.
Does not: ask anything; `order_execution` fetches the deals, `reconcile` queries what is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.brokers.mt5.return_codes import LastErrorCode, ReturnCode, SendOutcome, last_error, retcode
from quarterdeck.core.model.broker_account import Deal
from quarterdeck.core.model.inputs import Accepted, Filled, OrderOutcome, OrderRejected, Unconfirmed
from quarterdeck.core.model.units import NS_PER_S, Lots, Price, UtcNs


class SendResult(Struct, frozen=True, kw_only=True):
    """One answer, classed. `fate` is set where the answer alone proves it."""

    outcome: SendOutcome
    proven_outcome: OrderOutcome | None
    order_ticket: int = 0
    deal_ticket: int = 0
    lots: Lots = 0.0
    price: Price = 0.0
    bid: Price = 0.0
    ask: Price = 0.0
    filling_rejected: bool = False
    """Refused for its filling mode alone."""
    requote: bool = False
    """Refused because the price moved on: a fresh one may be tried."""


_REQUOTES = (10004, 10015, 10020)
_CHECK_FINE = (0, 10009)


class OrderTiming(Struct, frozen=True):
    """Milliseconds that an order took in all, in checking and in sending."""

    latency_ms: float = 0.0
    check_ms: float = 0.0
    send_ms: float = 0.0


_NOTHING_SPENT = OrderTiming()


def send_result(reply: CallReply, now_utc_ns: UtcNs) -> SendResult:
    """What an answer to `order_send` proves; `now_utc_ns` dates the earliest new try."""
    if not isinstance(reply.value, dict):
        return _judged_trouble(reply, now_utc_ns)
    result = reply.value
    code = retcode(int(result["retcode"]))
    unsure = code.on_send == "unknown"
    fate: OrderOutcome | None = None
    if unsure:
        fate = Unconfirmed(why=_words(code, result))
    elif code.on_send == "refused":
        fate = refused(code, str(result.get("comment", "")), now_utc_ns)
    elif code.on_send == "accepted" and int(result["order"]):
        fate = Accepted(order_ticket=int(result["order"]))
    elif code.on_send == "accepted":
        fate = Unconfirmed(why="taken without an order number")
    return SendResult(
        outcome="unknown" if isinstance(fate, Unconfirmed) else code.on_send,
        proven_outcome=fate,
        order_ticket=int(result["order"]),
        deal_ticket=int(result["deal"]),
        lots=float(result["volume"]),
        price=float(result["price"]),
        bid=float(result["bid"]),
        ask=float(result["ask"]),
        filling_rejected=code.retry_filling,
        requote=code.number in _REQUOTES,
    )


def check_rejection(reply: CallReply, now_utc_ns: UtcNs) -> OrderRejected | None:
    """Why `order_check` says no; None when it says yes. A check carries nothing out, so even its silence is a refusal."""
    if isinstance(reply.value, dict):
        number = int(reply.value["retcode"])
        if number in _CHECK_FINE:
            return None
        code = retcode(number)
        if code.on_send == "unchanged":
            return None
        if code.on_send != "refused":
            return OrderRejected(kind="retry", code=number, reason=f"check: {_words(code, reply.value)}")
        return refused(code, str(reply.value.get("comment", "")), now_utc_ns)
    trouble = last_error(reply.error_code)
    kind = trouble.kind if trouble.on_send == "not_sent" else "retry"
    return OrderRejected(kind=kind, code=trouble.number, reason=_trouble_words(trouble, reply))


def refused(code: ReturnCode, comment: str, now_utc_ns: UtcNs) -> OrderRejected:
    """A refusal with its reason, its remedy and the earliest sensible new try."""
    reason = f"{code.number} {code.meaning}"
    if comment and comment.lower() not in reason.lower():
        reason += f" ({comment})"
    if code.what_to_do:
        reason += f"; {code.what_to_do}"
    wait = now_utc_ns + round(code.wait_s * NS_PER_S) if code.wait_s else 0
    return OrderRejected(kind=code.kind, code=code.number, reason=reason, retry_utc_ns=wait)


def fill_from_deals(
    deals: Iterable[Deal], judged: Sequence[SendResult], *, position_id: int, spent: OrderTiming
) -> Filled | None:
    """The fill that the deals of these orders prove, together; None while no deal of theirs is known."""
    orders = {item.order_ticket for item in judged if item.order_ticket}
    tickets = {item.deal_ticket for item in judged if item.deal_ticket}
    mine = [deal for deal in deals if deal.order_ticket in orders or deal.deal_ticket in tickets]
    if not mine:
        return None
    last = judged[-1]
    return fill_of(mine, position_id=position_id, bid=last.bid, ask=last.ask, spent=spent)


def fill_of(
    deals: Sequence[Deal], *, position_id: int = 0, bid: Price = 0.0, ask: Price = 0.0, spent: OrderTiming = _NOTHING_SPENT
) -> Filled:
    """One fill out of the deals of one intent: lots together, price by volume."""
    lots = round(sum(deal.lots for deal in deals), 8)
    worth = sum(deal.lots * deal.price for deal in deals)
    return Filled(
        order_ticket=deals[0].order_ticket,
        position_id=deals[-1].position_id or position_id,
        deal_ticket=deals[0].deal_ticket,
        lots=lots,
        price=deals[0].price if len(deals) == 1 or lots <= 0.0 else worth / lots,
        bid=bid,
        ask=ask,
        latency_ms=spent.latency_ms,
        check_ms=spent.check_ms,
        send_ms=spent.send_ms,
    )


def _judged_trouble(reply: CallReply, now_utc_ns: UtcNs) -> SendResult:
    trouble = last_error(reply.error_code)
    words = _trouble_words(trouble, reply)
    if trouble.on_send == "not_sent":
        wait = now_utc_ns + NS_PER_S if trouble.kind == "retry" else 0
        return SendResult(
            outcome="refused",
            proven_outcome=OrderRejected(kind=trouble.kind, code=trouble.number, reason=words, retry_utc_ns=wait),
        )
    return SendResult(outcome="unknown", proven_outcome=Unconfirmed(why=words))


def _trouble_words(trouble: LastErrorCode, reply: CallReply) -> str:
    words = f"{trouble.number} {trouble.meaning}"
    if reply.error_text and reply.error_text.lower() not in words.lower():
        words += f" ({reply.error_text})"
    return f"{words}; {trouble.what_to_do}" if trouble.what_to_do else words


def _words(code: ReturnCode, result: dict[str, Any]) -> str:
    comment = str(result.get("comment", ""))
    return f"{code.number} {code.meaning}" + (f" ({comment})" if comment else "")
