"""Faults of line, terminal and server, each with its own switch, drawn from one seed.

Why: an order whose reply is lost, a `None` where positions are, a requote burst or a tick value of nonsense are ordinary bad
hours at a broker; the engine must end in the right book after each.
Promises: one seed and one sequence of calls is one reproducible day; with no rates set nothing is drawn and nothing changes. A
slow call costs no real time: it is added up and the transport takes it with `take_delay_s`.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct, structs

from quarterdeck.core.brokers.simulator import trade_server_rules
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import REASON_EXPERT, REJECTED, LedgerDeal, LedgerOrder
from quarterdeck.core.brokers.simulator.market_source import MarketStep
from quarterdeck.core.brokers.simulator.rate_arrays import Array
from quarterdeck.core.brokers.simulator.trade_server import DEAL, MqlTradeRequest, MqlTradeResult, check, execute
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import NS_PER_S, UtcNs


class FaultRates(Struct, frozen=True, kw_only=True):
    """Probability of each fault per chance to happen, 0 is off; spans in seconds of market time."""

    lost_reply_executed: float = 0.0
    """`order_send` gives None with -10002 after executing."""
    lost_reply_not_executed: float = 0.0
    ambiguous_code_executed: float = 0.0
    """10011, 10012 or 10031 although it was executed."""
    ambiguous_code_not_executed: float = 0.0
    placed_then_filled: float = 0.0
    """10008, and the deal comes later."""
    placed_then_refused: float = 0.0
    late_deal: float = 0.0
    """10009 without a deal ticket; the deal shows in history later."""
    partial_fill: float = 0.0
    """10010: half the volume, on the grid."""
    refusal_burst: float = 0.0
    """A run of one of 10004, 10020, 10021, 10024, 10029, 10039."""
    refusal_burst_length: int = 3
    slow_call: float = 0.0
    slow_call_s: float = 3.0
    pipe_broken: float = 0.0
    """-10002 once, then -10004 until initialised again."""
    server_lost: float = 0.0
    """Per call: the terminal loses its trade server for `server_lost_s`; what is sent meanwhile gets 10031."""
    server_lost_s: float = 20.0
    quote_gap: float = 0.0
    """Per tick of a symbol: nothing is quoted in it for `quote_gap_s`, and what comes then may lie beyond a stop."""
    quote_gap_s: float = 30.0
    positions_unknown: float = 0.0
    """`positions_get` gives None while positions exist."""
    comment_truncated: float = 0.0
    comment_replaced: float = 0.0
    ticket_changed: float = 0.0
    """A position's ticket differs from its order; the identifier stays."""
    duplicate_ticks: float = 0.0
    delay_s: float = 2.0
    """How long late fills and late deals take."""
    tick_value_factor: float = 1.0
    """What `symbol_info` says the tick value is, as a multiple of the truth."""
    tick_size_zero: bool = False
    hidden_stops_level_points: int = 0
    """The stops level is shown as 0, yet requests nearer than this get 10016."""


class CallFault(NamedTuple):
    """What a call ends with instead of its answer."""

    code: int
    breaks_pipe: bool


class _Delayed(NamedTuple):
    due_utc_ns: UtcNs
    request: MqlTradeRequest
    order: LedgerOrder
    fills: bool


class PendingFaults(Struct, frozen=True, kw_only=True):
    """What is under way, as plain data: late orders by ticket, and deals that are not shown before an instant."""

    late: tuple[tuple[UtcNs, MqlTradeRequest, int, bool], ...] = ()
    hidden: tuple[tuple[int, UtcNs], ...] = ()


_BURST_CODES = (10004, 10020, 10021, 10024, 10029, 10039)
_AMBIGUOUS_CODES = (10011, 10012, 10031)
_TRUNCATED_UNITS = 12
_MOVED_TICKET = 9_000_000


class Faults:
    """See the module. `rates` may be exchanged while running, `drawn` counts what struck."""

    def __init__(self, rates: FaultRates | None = None, seed: int = 0) -> None:
        """Without rates: a terminal in good health."""
        self.drawn: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._delayed: list[_Delayed] = []
        self._hidden: dict[int, UtcNs] = {}
        self._burst: list[int] = []
        self._delay_s = 0.0
        self._server_back_utc_ns: UtcNs = 0
        self._quoted_again: dict[str, UtcNs] = {}
        self.frozen: dict[str, UtcNs] = {}
        """Symbols whose quotes an operator has frozen, and until when."""
        self.set(rates or FaultRates())

    def set(self, rates: FaultRates) -> None:
        """Exchange the rates from here on; what is already under way stays so."""
        self.rates = rates
        self.active = rates != FaultRates()
        self.tick_value_factor = rates.tick_value_factor

    def kept(self) -> PendingFaults:
        """What is under way, to be written down."""
        late = tuple((item.due_utc_ns, item.request, item.order.ticket, item.fills) for item in self._delayed)
        return PendingFaults(late=late, hidden=tuple(self._hidden.items()))

    def restore(self, kept: PendingFaults, ledger: Ledger) -> None:
        """Go on with what was under way; `ledger` holds the orders."""
        rows = [(due, request, ledger.orders.get(ticket), fills) for due, request, ticket, fills in kept.late]
        self._delayed = [_Delayed(due, request, order, fills) for due, request, order, fills in rows if order is not None]
        self._hidden = dict(kept.hidden)

    def take_delay_s(self) -> float:
        """Virtual seconds that calls took since the last question."""
        taken, self._delay_s = self._delay_s, 0.0
        return taken

    @property
    def due_utc_ns(self) -> UtcNs | None:
        """When the next late fill or refusal comes."""
        return min(late.due_utc_ns for late in self._delayed) if self._delayed else None

    def before(self, name: str, now_utc_ns: UtcNs) -> CallFault | None:
        """A chance for each call to be slow, to break the pipe, or to know no positions."""
        if not self.active:
            return None
        if self._strikes("slow_call", self.rates.slow_call):
            self._delay_s += self.rates.slow_call_s
        if self._strikes("server_lost", self.rates.server_lost):
            self._server_back_utc_ns = now_utc_ns + int(self.rates.server_lost_s * NS_PER_S)
        if name != "order_send" and self._strikes("pipe_broken", self.rates.pipe_broken):
            return CallFault(-10002, breaks_pipe=True)
        if name == "positions_get" and self._strikes("positions_unknown", self.rates.positions_unknown):
            return CallFault(-1, breaks_pipe=False)
        return None

    def server_lost(self, now_utc_ns: UtcNs) -> bool:
        """Whether the terminal is without its trade server."""
        return now_utc_ns < self._server_back_utc_ns

    def lose_server(self, until_utc_ns: UtcNs) -> None:
        """Be without the trade server until an instant."""
        self._server_back_utc_ns = until_utc_ns

    def refuse_next(self, code: int, times: int) -> None:
        """Refuse so many trade requests from here on."""
        self._burst = [code] * times
        self.active = self.rates != FaultRates() or bool(times)

    @property
    def silences(self) -> bool:
        """Whether any symbol may fall silent."""
        return bool(self.frozen) or self.rates.quote_gap > 0.0

    def quoted(self, step: MarketStep) -> MarketStep:
        """A step of the market without the symbols that have fallen silent."""
        if self.frozen:
            self.frozen = {symbol: until for symbol, until in self.frozen.items() if until > step.at_utc_ns}
        silent = {tick[0] for tick in step.ticks if self._silent(tick[0], step.at_utc_ns)}
        silent |= {span[0] for span in step.ranges if step.at_utc_ns < self._quoted_again.get(span[0], 0)}
        silent |= self.frozen.keys()
        if not silent:
            return step
        ticks = tuple(tick for tick in step.ticks if tick[0] not in silent)
        return MarketStep(step.at_utc_ns, ticks, tuple(span for span in step.ranges if span[0] not in silent))

    def on_send(self, ledger: Ledger, request: MqlTradeRequest) -> MqlTradeResult | None:
        """Send a request over a bad line; None is a lost reply."""
        rates = self.rates
        refusal = self._refusal(ledger, request)
        if refusal is not None:
            return refusal
        if self._strikes("lost_reply_not_executed", rates.lost_reply_not_executed):
            return None
        if self._strikes("ambiguous_code_not_executed", rates.ambiguous_code_not_executed):
            return MqlTradeResult(self._random.choice(_AMBIGUOUS_CODES))
        late = self._late(ledger, request)
        if late is not None:
            return late
        outcome = execute(ledger, self._altered(ledger, request))
        if outcome.retcode != trade_server_rules.DONE:
            return outcome
        self._after(ledger, outcome)
        if self._strikes("lost_reply_executed", rates.lost_reply_executed):
            return None
        if self._strikes("ambiguous_code_executed", rates.ambiguous_code_executed):
            return MqlTradeResult(self._random.choice(_AMBIGUOUS_CODES))
        if outcome.deal and self._strikes("late_deal", rates.late_deal):
            self._hidden[outcome.deal] = ledger.now_utc_ns + int(rates.delay_s * NS_PER_S)
            return outcome._replace(deal=0, price=0.0)
        partial = outcome.volume and outcome.volume < request.volume - 1e-9
        return outcome._replace(retcode=10010) if partial else outcome

    def on_ticks(self, ticks: Array) -> Array:
        """Quotes as the terminal hands them out; some come twice."""
        if not self.active or not len(ticks) or not self._strikes("duplicate_ticks", self.rates.duplicate_ticks):
            return ticks
        return np.concatenate((ticks, ticks[-1:]))

    def settle(self, ledger: Ledger) -> None:
        """Carry out late fills and refusals that are due."""
        for late in [late for late in self._delayed if late.due_utc_ns <= ledger.now_utc_ns]:
            self._delayed.remove(late)
            order = late.order
            if order.ticket not in ledger.orders:
                continue
            quote = ledger.quotes.get(order.symbol)
            if not late.fills or quote is None or check(ledger, late.request).retcode:
                ledger.retire(order, REJECTED)
                continue
            closing = ledger.positions.get(late.request.position) if late.request.position else None
            ledger.fill(order, order.lots, quote[1] if order.side > 0 else quote[0], "market", closing=closing)

    def seen_deals(self, ledger: Ledger, span: tuple[UtcNs, UtcNs] | None) -> list[LedgerDeal]:
        """Deals without those that the terminal does not know yet."""
        rows = ledger.deals if span is None else ledger.deals_between(*span)
        if not self._hidden:
            return rows
        now = ledger.now_utc_ns
        self._hidden = {ticket: until for ticket, until in self._hidden.items() if until > now}
        return [row for row in rows if row.ticket not in self._hidden]

    def shown(self, spec: Instrument) -> Instrument:
        """A specification as the broker reports it."""
        if not self.active:
            return spec
        changes: dict[str, Any] = {}
        if self.rates.tick_size_zero:
            changes["tick_size"] = 0.0
        return structs.replace(spec, **changes) if changes else spec

    # ------------------------------------------------------------------------------------------------ inside

    def _silent(self, symbol: str, at_utc_ns: UtcNs) -> bool:
        if at_utc_ns < self._quoted_again.get(symbol, 0):
            return True
        if not self._strikes("quote_gap", self.rates.quote_gap):
            return False
        self._quoted_again[symbol] = at_utc_ns + int(self.rates.quote_gap_s * NS_PER_S)
        return True

    def _strikes(self, name: str, probability: float) -> bool:
        if probability <= 0.0 or self._random.random() >= probability:
            return False
        self.drawn[name] += 1
        return True

    def _refusal(self, ledger: Ledger, request: MqlTradeRequest) -> MqlTradeResult | None:
        if not self._burst and self._strikes("refusal_burst", self.rates.refusal_burst):
            self._burst = [self._random.choice(_BURST_CODES)] * self.rates.refusal_burst_length
        quote = ledger.quotes.get(request.symbol, (0.0, 0.0, 0))
        if self._burst:
            return MqlTradeResult(self._burst.pop(), bid=quote[0], ask=quote[1], at_server=True)
        hidden = self.rates.hidden_stops_level_points
        spec = ledger.instruments.get(request.symbol)
        if not hidden or spec is None or not request.sl:
            return None
        if min(abs(quote[0] - request.sl), abs(quote[1] - request.sl)) >= hidden * spec.point:
            return None
        self.drawn["hidden_stops_level"] += 1
        return MqlTradeResult(trade_server_rules.INVALID_STOPS)

    def _late(self, ledger: Ledger, request: MqlTradeRequest) -> MqlTradeResult | None:
        if request.action != DEAL or check(ledger, request).retcode:
            return None
        fills = self._strikes("placed_then_filled", self.rates.placed_then_filled)
        if not fills and not self._strikes("placed_then_refused", self.rates.placed_then_refused):
            return None
        order = LedgerOrder(
            0, request.symbol, request.type, request.volume, request.price, request.sl, request.tp, ledger.now_utc_ns,
            request.magic, request.comment, REASON_EXPERT, filling=request.type_filling, position_id=request.position,
        )  # fmt: skip
        ledger.place(ledger.new_order(order))
        self._delayed.append(_Delayed(ledger.now_utc_ns + int(self.rates.delay_s * NS_PER_S), request, order, fills))
        bid, ask, _ = ledger.quotes[request.symbol]
        return MqlTradeResult(10008, order=order.ticket, volume=request.volume, bid=bid, ask=ask, at_server=True)

    def _altered(self, ledger: Ledger, request: MqlTradeRequest) -> MqlTradeRequest:
        if request.comment and self._strikes("comment_truncated", self.rates.comment_truncated):
            request = request._replace(comment=request.comment[:_TRUNCATED_UNITS])
        if request.comment and self._strikes("comment_replaced", self.rates.comment_replaced):
            request = request._replace(comment="server")
        spec = ledger.instruments.get(request.symbol)
        divisible = request.action == DEAL and spec is not None and request.volume >= 2 * spec.volume_step_lots
        if divisible and spec is not None and self._strikes("partial_fill", self.rates.partial_fill):
            steps = max(1, int(request.volume / spec.volume_step_lots / 2 + 1e-9))
            request = request._replace(volume=round(steps * spec.volume_step_lots, 8))
        return request

    def _after(self, ledger: Ledger, outcome: MqlTradeResult) -> None:
        held = ledger.positions.get(outcome.order)
        if held is not None and self._strikes("ticket_changed", self.rates.ticket_changed):
            del ledger.positions[held.ticket]
            held.ticket += _MOVED_TICKET
            ledger.positions[held.ticket] = held
