"""Carrying out a trade request on the ledger: the server's half of `order_check` and `order_send`.

Why: the module's face and the backtest send the same request through the same code, so they end with the same ledger rows.
Promises: a request that is refused changes nothing; `check` never changes anything. Fills happen at the ledger's current quotes.
Units: as in the module's request: prices absolute, volume in lots, expiration in seconds of the server's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from quarterdeck.core.brokers.simulator import trade_server_rules
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import (
    CANCELED,
    ORDER_BUY,
    ORDER_SELL,
    REASON_EXPERT,
    TIME_GTC,
    LedgerOrder,
    LedgerPosition,
)
from quarterdeck.core.brokers.simulator.valuation import BookRow
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import Lots, Money, Price

DEAL, PENDING, SLTP, MODIFY, REMOVE, CLOSE_BY = 1, 5, 6, 7, 8, 10


class MqlTradeRequest(NamedTuple):
    """A trade request, fields and order of the module's."""

    action: int = 0
    magic: int = 0
    order: int = 0
    symbol: str = ""
    volume: Lots = 0.0
    price: Price = 0.0
    stoplimit: Price = 0.0
    sl: Price = 0.0
    tp: Price = 0.0
    deviation: int = 0
    type: int = 0
    type_filling: int = 0
    type_time: int = 0
    expiration: int = 0
    comment: str = ""
    position: int = 0
    position_by: int = 0


def request_of(fields: Mapping[str, Any]) -> MqlTradeRequest:
    """A request out of the dictionary that the module takes; what is not named is 0 or empty."""
    named = fields.get
    return MqlTradeRequest(
        named("action", 0),
        named("magic", 0),
        named("order", 0),
        named("symbol", ""),
        named("volume", 0.0),
        named("price", 0.0),
        named("stoplimit", 0.0),
        named("sl", 0.0),
        named("tp", 0.0),
        named("deviation", 0),
        named("type", 0),
        named("type_filling", 0),
        named("type_time", 0),
        named("expiration", 0),
        named("comment", ""),
        named("position", 0),
        named("position_by", 0),
    )


class MqlTradeResult(NamedTuple):
    """What became of a request. `at_server` is false for what the terminal itself refuses (then all numbers are zero)."""

    retcode: int
    deal: int = 0
    order: int = 0
    volume: Lots = 0.0
    price: Price = 0.0
    bid: Price = 0.0
    ask: Price = 0.0
    at_server: bool = False


class RequestCheck(NamedTuple):
    """A dry run: the return code (0 is fine) and the account as it would be."""

    retcode: int
    margin_money: Money
    opening: tuple[Side, Lots, Price] | None = None


_AT_SERVER = (
    trade_server_rules.REQUOTE,
    trade_server_rules.REJECT,
    trade_server_rules.MARKET_CLOSED,
    trade_server_rules.NO_MONEY,
    trade_server_rules.PRICE_OFF,
    trade_server_rules.FROZEN,
    trade_server_rules.POSITION_CLOSED,
)


def check(ledger: Ledger, request: MqlTradeRequest) -> RequestCheck:
    """Every check that does not need the server's consent, and the margin afterwards."""
    code = _code(ledger, request)
    opening = _opening(ledger, request) if code == 0 else None
    if opening is None:
        return RequestCheck(code, ledger.margin_money())
    return RequestCheck(_money_code(ledger, request, opening), ledger.margin_money(request.symbol, opening), opening)


def refusal(ledger: Ledger, request: MqlTradeRequest) -> int:
    """The return code of `check` alone; 0 where nothing stands against it."""
    code = _code(ledger, request)
    opening = _opening(ledger, request) if code == 0 else None
    return code if opening is None else _money_code(ledger, request, opening)


def _money_code(ledger: Ledger, request: MqlTradeRequest, opening: BookRow) -> int:
    """Whether equity carries what an order would open."""
    if request.action != DEAL:
        return 0
    margin = ledger.margin_money(request.symbol, opening)
    poor = margin > ledger.equity_money() and margin > ledger.margin_money()
    return trade_server_rules.NO_MONEY if poor else 0


def execute(ledger: Ledger, request: MqlTradeRequest, *, checked: bool = False) -> MqlTradeResult:
    """Do it, or refuse it with a return code; what was `checked` at this very state is not checked again."""
    code = 0 if checked else refusal(ledger, request)
    quote = ledger.quotes.get(request.symbol)
    bid, ask = (0.0, 0.0) if quote is None else quote[:2]
    if code:
        return MqlTradeResult(code, bid=bid, ask=ask, at_server=True) if code in _AT_SERVER else MqlTradeResult(code)
    return _PERFORM[request.action](ledger, request, bid, ask)


# ---------------------------------------------------------------------------------------------------------- checks


def _code(ledger: Ledger, request: MqlTradeRequest) -> int:
    judge = _CHECKS.get(request.action)
    if judge is None:
        return trade_server_rules.INVALID
    if request.action in (DEAL, PENDING, SLTP):
        spec = ledger.instruments.get(request.symbol)
        if spec is None and not (request.action == SLTP and request.position):
            return trade_server_rules.INVALID
        if spec is not None and spec.trade_mode == "disabled":
            return trade_server_rules.TRADE_DISABLED
    return judge(ledger, request)


def _market_code(ledger: Ledger, spec: Instrument) -> int:
    if not trade_server_rules.in_session(ledger, spec, ledger.now_utc_ns):
        return trade_server_rules.MARKET_CLOSED
    return 0 if ledger.money.convertible(spec.symbol) else trade_server_rules.PRICE_OFF


def _deal_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    if request.type not in (ORDER_BUY, ORDER_SELL):
        return trade_server_rules.INVALID_ORDER
    spec = ledger.instruments[request.symbol]
    side = _side(request)
    held = ledger.positions.get(request.position) if request.position else None
    if request.position and held is None:
        return trade_server_rules.POSITION_CLOSED
    if held is not None and held.symbol != request.symbol:
        return trade_server_rules.INVALID
    closing = held is not None and ledger.terms.hedging
    code = trade_server_rules.volume_code(spec, request.volume, closing=closing) or trade_server_rules.filling_code(
        spec, request.type_filling, kind=request.type
    )
    code = code or _market_code(ledger, spec) or _price_code(ledger, spec, request)
    if code:
        return code
    return _close_code(ledger, spec, request, held) if held is not None and closing else _open_code(ledger, spec, request, side)


def _close_code(ledger: Ledger, spec: Instrument, request: MqlTradeRequest, held: LedgerPosition) -> int:
    if held.side is _side(request):
        return trade_server_rules.INVALID
    if request.volume > held.lots + 1e-9:
        return trade_server_rules.INVALID_CLOSE_VOLUME
    bid, ask, _ = ledger.quotes[spec.symbol]
    if trade_server_rules.frozen(spec, bid, ask, held):
        return trade_server_rules.FROZEN
    return trade_server_rules.fifo_code(ledger, held)


def _open_code(ledger: Ledger, spec: Instrument, request: MqlTradeRequest, side: Side) -> int:
    bid, ask, _ = ledger.quotes[spec.symbol]
    held = None if ledger.terms.hedging else ledger.position_in(spec.symbol)
    if held is not None and held.side is not side and request.volume <= held.lots + 1e-9:
        return trade_server_rules.FROZEN if trade_server_rules.frozen(spec, bid, ask, held) else 0
    adds = request.volume if held is None or held.side is side else rounded(request.volume - held.lots, 8)
    return (
        trade_server_rules.side_allowed_code(spec, side)
        or trade_server_rules.stops_code(spec, side, request.sl, request.tp, bid, ask)
        or trade_server_rules.limits_code(ledger, spec, side, adds, pending=False)
    )


def _price_code(ledger: Ledger, spec: Instrument, request: MqlTradeRequest) -> int:
    if spec.execution not in ("request", "instant"):
        return 0
    bid, ask, _ = ledger.quotes[spec.symbol]
    if request.price <= 0.0 or not trade_server_rules.on_grid(request.price, spec.tick_size or spec.point):
        return trade_server_rules.INVALID_PRICE
    away = abs(request.price - (ask if _side(request) is Side.BUY else bid)) / spec.point
    return trade_server_rules.REQUOTE if away > request.deviation + 1e-4 else 0


def _pending_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    if request.type not in range(2, 8):
        return trade_server_rules.INVALID_ORDER
    spec = ledger.instruments[request.symbol]
    side = _pending_side(request.type)
    if trade_server_rules.expiry_utc_ns(ledger, request.type_time, request.expiration) is None:
        return trade_server_rules.INVALID_EXPIRATION
    code = (
        trade_server_rules.volume_code(spec, request.volume, closing=False)
        or trade_server_rules.filling_code(spec, request.type_filling, kind=request.type)
        or _market_code(ledger, spec)
        or trade_server_rules.side_allowed_code(spec, side)
        or trade_server_rules.limits_code(ledger, spec, side, request.volume, pending=True)
    )
    return code or _pending_levels_code(ledger, spec, request.type, request)


def _pending_levels_code(ledger: Ledger, spec: Instrument, kind: int, request: MqlTradeRequest) -> int:
    bid, ask, _ = ledger.quotes[spec.symbol]
    entry = request.stoplimit if kind in (6, 7) else request.price
    return trade_server_rules.pending_price_code(
        spec, kind, request.price, request.stoplimit, bid, ask
    ) or trade_server_rules.stops_code(spec, _pending_side(kind), request.sl, request.tp, entry, entry)


def _sltp_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    held = _addressed(ledger, request)
    if held is None:
        return trade_server_rules.POSITION_CLOSED
    spec = ledger.instruments[held.symbol]
    code = _market_code(ledger, spec)
    if code:
        return code
    if abs(request.sl - held.stop_price) < spec.point / 2 and abs(request.tp - held.target_price) < spec.point / 2:
        return trade_server_rules.NO_CHANGES
    bid, ask, _ = ledger.quotes[held.symbol]
    code = trade_server_rules.stops_code(spec, held.side, request.sl, request.tp, bid, ask)
    return code or (trade_server_rules.FROZEN if trade_server_rules.frozen(spec, bid, ask, held) else 0)


def _modify_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    order = ledger.orders.get(request.order)
    if order is None:
        return trade_server_rules.INVALID_ORDER
    spec = ledger.instruments[order.symbol]
    code = _market_code(ledger, spec)
    if code:
        return code
    expires = trade_server_rules.expiry_utc_ns(ledger, request.type_time, request.expiration)
    if expires is None:
        return trade_server_rules.INVALID_EXPIRATION
    asked = (request.price, request.stoplimit, request.sl, request.tp, expires)
    if asked == (order.price, order.stop_limit_price, order.stop_price, order.target_price, order.expires_utc_ns):
        return trade_server_rules.NO_CHANGES
    bid, ask, _ = ledger.quotes[order.symbol]
    if trade_server_rules.frozen(spec, bid, ask, order):
        return trade_server_rules.FROZEN
    return _pending_levels_code(ledger, spec, order.kind, request)


def _remove_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    order = ledger.orders.get(request.order)
    if order is None:
        return trade_server_rules.INVALID_ORDER
    quote = ledger.quotes.get(order.symbol)
    if quote is not None and trade_server_rules.frozen(ledger.instruments[order.symbol], quote[0], quote[1], order):
        return trade_server_rules.FROZEN
    return 0


def _close_by_code(ledger: Ledger, request: MqlTradeRequest) -> int:
    if not ledger.terms.hedging:
        return trade_server_rules.INVALID_ORDER
    one, other = ledger.positions.get(request.position), ledger.positions.get(request.position_by)
    if one is None or other is None:
        return trade_server_rules.POSITION_CLOSED
    if one.symbol != other.symbol or one.side is other.side:
        return trade_server_rules.INVALID
    return _market_code(ledger, ledger.instruments[one.symbol])


# ------------------------------------------------------------------------------------------------------- performing


def _deal(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    spec = ledger.instruments[request.symbol]
    side = _side(request)
    price = ask if side is Side.BUY else bid
    if ledger.terms.slippage_pips:
        price = rounded(price + side * ledger.terms.slippage_pips * spec.pip, spec.digits)
    closing = ledger.positions.get(request.position) if request.position else None
    order = ledger.new_order(_order(ledger, request, price))
    fill = ledger.fill(order, order.lots, price, "market", closing=closing)
    return MqlTradeResult(trade_server_rules.DONE, fill.deal.ticket, order.ticket, order.lots, price, bid, ask, at_server=True)


def _pending(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    order = ledger.new_order(_order(ledger, request, request.price))
    order.stop_limit_price = request.stoplimit if request.type in (6, 7) else 0.0
    order.time_kind = request.type_time
    order.expires_utc_ns = trade_server_rules.expiry_utc_ns(ledger, request.type_time, request.expiration) or 0
    ledger.place(order)
    return MqlTradeResult(trade_server_rules.DONE, 0, order.ticket, order.lots, 0.0, bid, ask, at_server=True)


def _sltp(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    held = _addressed(ledger, request)
    if held is not None:
        ledger.set_stops(held, _snapped(ledger, held.symbol, request.sl), _snapped(ledger, held.symbol, request.tp))
    return MqlTradeResult(trade_server_rules.DONE, bid=bid, ask=ask, at_server=True)


def _modify(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    order = ledger.orders[request.order]
    order.price, order.stop_limit_price = request.price, request.stoplimit
    order.stop_price, order.target_price = request.sl, request.tp
    order.time_kind = request.type_time
    order.expires_utc_ns = trade_server_rules.expiry_utc_ns(ledger, request.type_time, request.expiration) or 0
    ledger.changes += 1
    return MqlTradeResult(trade_server_rules.DONE, order=order.ticket, bid=bid, ask=ask, at_server=True)


def _remove(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    ledger.retire(ledger.orders[request.order], CANCELED)
    return MqlTradeResult(trade_server_rules.DONE, order=request.order, bid=bid, ask=ask, at_server=True)


def _close_by(ledger: Ledger, request: MqlTradeRequest, bid: Price, ask: Price) -> MqlTradeResult:
    one, other = ledger.positions[request.position], ledger.positions[request.position_by]
    first, _ = ledger.close_by(one, other, request.magic, request.comment)
    return MqlTradeResult(trade_server_rules.DONE, first.ticket, first.order, first.lots, first.price, bid, ask, at_server=True)


def _order(ledger: Ledger, request: MqlTradeRequest, price: Price) -> LedgerOrder:
    return LedgerOrder(
        0,
        request.symbol,
        request.type,
        rounded(request.volume, 8),
        price,
        _snapped(ledger, request.symbol, request.sl),
        _snapped(ledger, request.symbol, request.tp),
        ledger.now_utc_ns,
        request.magic,
        request.comment,
        REASON_EXPERT,
        filling=request.type_filling,
        time_kind=TIME_GTC,
    )


def _snapped(ledger: Ledger, symbol: str, price: Price) -> Price:
    return rounded(price, ledger.instruments[symbol].digits)


def _addressed(ledger: Ledger, request: MqlTradeRequest) -> LedgerPosition | None:
    if request.position:
        return ledger.positions.get(request.position)
    return None if ledger.terms.hedging else ledger.position_in(request.symbol)


def _opening(ledger: Ledger, request: MqlTradeRequest) -> tuple[Side, Lots, Price] | None:
    """What a request would add to the book, at which price; None when it adds nothing."""
    if request.action not in (DEAL, PENDING) or (request.action == DEAL and request.position and ledger.terms.hedging):
        return None
    side = _side(request) if request.action == DEAL else _pending_side(request.type)
    quote = ledger.quotes[request.symbol]
    price = request.price if request.action == PENDING else quote[1] if side is Side.BUY else quote[0]
    return (side, request.volume, price)


def _side(request: MqlTradeRequest) -> Side:
    return Side.BUY if request.type == ORDER_BUY else Side.SELL


def _pending_side(kind: int) -> Side:
    return Side.BUY if kind in (2, 4, 6) else Side.SELL


_CHECKS: dict[int, Callable[[Ledger, MqlTradeRequest], int]] = {
    DEAL: _deal_code,
    PENDING: _pending_code,
    SLTP: _sltp_code,
    MODIFY: _modify_code,
    REMOVE: _remove_code,
    CLOSE_BY: _close_by_code,
}
_PERFORM: dict[int, Callable[[Ledger, MqlTradeRequest, Price, Price], MqlTradeResult]] = {
    DEAL: _deal,
    PENDING: _pending,
    SLTP: _sltp,
    MODIFY: _modify,
    REMOVE: _remove,
    CLOSE_BY: _close_by,
}
