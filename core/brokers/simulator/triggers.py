"""What prices do by themselves: stops and targets, pending orders, expiry, stop-out, the nightly swap.

Rules: long positions leave at the bid, short ones at the ask; buy-side pendings watch the ask, sell-side ones the bid. A tick at
or beyond a level fills at the tick's price (`gap` when beyond). A range fills at the level itself, or at the range's nearer end
where the whole range lies beyond it. A range that holds both stop and target fills the stop, unless the market says target first.
Positions come before pending orders, older tickets before newer. A position that a range's own pending order opened can only be
stopped in that range; its target waits for the next price, unless the market says target first.
"""

from __future__ import annotations

from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import (
    BUY_LIMIT,
    BUY_STOP,
    BUY_STOP_LIMIT,
    EXPIRED,
    ORDER_BUY,
    ORDER_SELL,
    REASON_STOP,
    REASON_STOP_OUT,
    REASON_TARGET,
    REJECTED,
    SELL_LIMIT,
    SELL_STOP,
    SELL_STOP_LIMIT,
    LedgerOrder,
    LedgerPosition,
)
from quarterdeck.core.brokers.simulator.market_source import MarketStep, RangeTuple
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Lots, Price

_PERCENT = 100.0
_RATE_ROOM = 2.0


class Triggers:
    """Moves a ledger from instant to instant."""

    def __init__(self, ledger: Ledger, *, target_first: frozenset[str]) -> None:
        """`target_first`: symbols where a range with both stop and target fills the target."""
        self._ledger = ledger
        self._target_first = target_first
        self._margin_of = -1
        self._safe = 0.0
        self._at_stops_of = -1
        """At which `changes` of the ledger `_at_stops` was found."""
        self._at_stops = False

    def on_step(self, step: MarketStep) -> None:
        """Take one instant of the market: rollovers and expiries up to it, its ranges, then its ticks."""
        ledger = self._ledger
        at = step.at_utc_ns
        while at >= ledger.next_rollover_ns:
            ledger.now_utc_ns = max(ledger.now_utc_ns, ledger.next_rollover_ns)
            ledger.roll(ledger.next_rollover_ns)
        ledger.now_utc_ns = at
        if ledger.orders:
            self._expire()
        exposed = ledger.exposed
        if exposed:
            for span in step.ranges:
                if span[0] in exposed:
                    self._on_range(span)
        quotes = ledger.quotes
        for symbol, bid, ask in step.ticks:
            quotes[symbol] = (bid, ask, at)
        if exposed:
            touched = False
            for symbol, bid, ask in step.ticks:
                if symbol in exposed:
                    self._on_tick(symbol, bid, ask)
                    touched = True
            if touched and ledger.positions:
                self._margin()

    def on_time(self, at_utc_ns: int) -> None:
        """Let time pass without a price: swaps are charged and orders expire."""
        self.on_step(MarketStep(at_utc_ns, ()))

    # ------------------------------------------------------------------------------------------------ ticks

    def _on_tick(self, symbol: str, bid: Price, ask: Price) -> None:
        for position in self._held(symbol):
            price = bid if position.side is Side.BUY else ask
            reason = exit_trigger(position, price, price)
            if reason:
                level = position.stop_price if reason == REASON_STOP else position.target_price
                self._exit(position, price, reason, "tick" if price == level else "gap")
        if self._ledger.orders:
            for order in self._working(symbol):
                price = ask if order.side is Side.BUY else bid
                if _reached(order, price, price):
                    self._activate(order, price, "tick" if price == order.price else "gap")

    # ------------------------------------------------------------------------------------------------ ranges

    def _on_range(self, span: RangeTuple) -> None:
        for position in self._held(span[0]):
            self._range_exit(position, span, fresh=False)
        if self._ledger.orders:
            self._range_orders(span)
        self._range_margin(span)

    def _range_orders(self, span: RangeTuple) -> None:
        symbol = span[0]
        before = set(self._ledger.positions)
        for order in self._working(symbol):
            low, high = (span[3], span[4]) if order.side is Side.BUY else (span[1], span[2])
            if _reached(order, low, high):
                self._activate(order, min(max(order.price, low), high), "range_order")
        for ticket, position in list(self._ledger.positions.items()):
            if ticket not in before and position.symbol == symbol:
                self._range_exit(position, span, fresh=True)

    def _range_exit(self, position: LedgerPosition, span: RangeTuple, *, fresh: bool) -> None:
        low, high = (span[1], span[2]) if position.side is Side.BUY else (span[3], span[4])
        stop, target = position.stop_price, position.target_price
        if position.side is Side.BUY:
            stopped, aimed = stop > 0.0 and low <= stop, 0.0 < target <= high
        else:
            stopped, aimed = 0.0 < stop <= high, target > 0.0 and low <= target
        target_first = position.symbol in self._target_first
        if fresh and not target_first:
            aimed = False
        if not stopped and not aimed:
            return
        both = stopped and aimed
        take_target = aimed and (not stopped or target_first)
        level = target if take_target else stop
        rule = f"both_touched_{'target' if take_target else 'stop'}_first" if both else "range_target" if aimed else "range_stop"
        self._exit(position, min(max(level, low), high), REASON_TARGET if take_target else REASON_STOP, rule)

    def _range_margin(self, span: RangeTuple) -> None:
        ledger = self._ledger
        symbol, low, high, ask_low, ask_high = span
        quote, held = ledger.quotes.get(symbol), self._held(symbol)
        if quote is None or not held:
            return
        sides = [position.side for position in held]
        ends = ((Side.BUY, low, ask_low), (Side.SELL, high, ask_high))
        for bid, ask in ((bid, ask) for side, bid, ask in ends if side in sides):
            ledger.quotes[symbol] = (bid, ask, quote[2])
            self._margin(rule="range_stop_out")
        ledger.quotes[symbol] = quote

    # ------------------------------------------------------------------------------------------------ doing

    def _held(self, symbol: str) -> list[LedgerPosition]:
        return [position for position in self._ledger.positions.values() if position.symbol == symbol]

    def _working(self, symbol: str) -> list[LedgerOrder]:
        # an order at the market that the server has not answered yet waits for no price
        return [
            order
            for order in self._ledger.orders.values()
            if order.symbol == symbol and order.kind not in (ORDER_BUY, ORDER_SELL)
        ]

    def _exit(self, position: LedgerPosition, price: Price, reason: int, rule: str, *, comment: str | None = None) -> None:
        ledger = self._ledger
        spec = ledger.instruments[position.symbol]
        if reason != REASON_TARGET and ledger.terms.slippage_pips:
            price = rounded(price - position.side * ledger.terms.slippage_pips * spec.pip, spec.digits)
        if comment is None:
            word, level = ("tp", position.target_price) if reason == REASON_TARGET else ("sl", position.stop_price)
            comment = f"[{word} {level:.{spec.digits}f}]"
        kind = ORDER_SELL if position.side is Side.BUY else ORDER_BUY
        left: Lots = position.lots
        while left > 0.0:
            # the largest volume of one deal holds for the server's own closes as well
            lots = min(left, spec.volume_max_lots)
            left = rounded(left - lots, 8)
            order = LedgerOrder(
                0, position.symbol, kind, lots, price, 0.0, 0.0, ledger.now_utc_ns, position.magic, comment, reason
            )
            ledger.fill(ledger.new_order(order), lots, price, rule, closing=position)

    def _activate(self, order: LedgerOrder, price: Price, rule: str) -> None:
        ledger = self._ledger
        if order.kind in (BUY_STOP_LIMIT, SELL_STOP_LIMIT):
            order.kind = BUY_LIMIT if order.kind == BUY_STOP_LIMIT else SELL_LIMIT
            order.price, order.stop_limit_price = order.stop_limit_price, 0.0
            ledger.changes += 1
            return
        spec = ledger.instruments[order.symbol]
        if order.kind in (BUY_STOP, SELL_STOP) and ledger.terms.slippage_pips:
            price = rounded(price + order.side * ledger.terms.slippage_pips * spec.pip, spec.digits)
        margin = ledger.margin_money(order.symbol, (order.side, order.lots, price))
        if not ledger.money.convertible(order.symbol) or (margin > ledger.margin_money() and margin > ledger.equity_money()):
            ledger.retire(order, REJECTED)
            return
        ledger.fill(order, order.lots, price, rule)

    def _expire(self) -> None:
        ledger = self._ledger
        for order in list(ledger.orders.values()):
            if 0 < order.expires_utc_ns <= ledger.now_utc_ns:
                ledger.retire(order, EXPIRED)

    def _margin(self, rule: str = "tick") -> None:
        """Close the worst position, again and again, while the margin level is at or under the stop-out level."""
        ledger, terms = self._ledger, self._ledger.terms
        while ledger.positions and not self._inside_stops():
            equity = ledger.equity_money()
            if equity > self._safe_money():
                break
            margin = ledger.margin_money()
            if margin <= 0.0:
                break
            level_pct = equity / margin * _PERCENT
            if level_pct > terms.stop_out_level_pct:
                break
            worst = min(ledger.positions.values(), key=lambda position: (ledger.money.profit_money(position), position.ticket))
            comment = f"[so {level_pct:.2f}%/{equity:.2f}/{margin:.2f}]"
            self._exit(worst, ledger.money.close_price(worst), REASON_STOP_OUT, rule, comment=comment[:31])

    def _inside_stops(self) -> bool:
        """Whether all positions are where nothing can be stopped out."""
        if not self.safe_at_stops():
            return False
        price_of = self._ledger.money.close_price
        return all((price_of(held) - held.stop_price) * held.side >= 0.0 for held in self._ledger.positions.values())

    def safe_at_stops(self) -> bool:
        """Whether equity stays over the stop-out level while all positions stay on the better side of their stops.

        A result that other rates convert is given room for them. False where a position has no stop.
        """
        ledger = self._ledger
        if self._at_stops_of == ledger.changes:
            return self._at_stops
        alone = True
        worst = ledger.balance_money + ledger.credit_money
        for position in ledger.positions.values():
            valuer = ledger.money.valuer(position.symbol)
            if valuer is None or position.stop_price <= 0.0:
                return False
            at_stop = valuer.profit_money(position.side, position.lots, position.open_price, position.stop_price, ledger.money)
            if at_stop is None:
                return False
            worst += position.swap_money + (at_stop if valuer.own_price_only else min(at_stop, 0.0) * _RATE_ROOM)
            alone = alone and valuer.own_price_only
        safe = worst > self._safe_money()
        if alone:
            self._at_stops_of, self._at_stops = ledger.changes, safe
        return safe

    def _safe_money(self) -> float:
        """Equity above which no stop-out is near: margin as of the last change of the book, with room for rates that moved."""
        ledger = self._ledger
        if self._margin_of != ledger.changes:
            self._margin_of = ledger.changes
            self._safe = ledger.margin_money() * ledger.terms.stop_out_level_pct / _PERCENT * _RATE_ROOM
        return self._safe


def exit_trigger(position: LedgerPosition, low: Price, high: Price) -> int:
    """Why a position would close where its price went from `low` to `high`; 0 where it would not."""
    stop, target = position.stop_price, position.target_price
    if position.side is Side.BUY:
        if stop > 0.0 and low <= stop:
            return REASON_STOP
        return REASON_TARGET if 0.0 < target <= high else 0
    if 0.0 < stop <= high:
        return REASON_STOP
    return REASON_TARGET if target > 0.0 and low <= target else 0


def _reached(order: LedgerOrder, low: Price, high: Price) -> bool:
    """Whether the watched price came to the order: from above for buy limits and sell stops, from below for the others."""
    if order.kind in (BUY_LIMIT, SELL_STOP, SELL_STOP_LIMIT):
        return low <= order.price
    return high >= order.price
