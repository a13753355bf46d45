"""The module's functions about positions, orders, history and trading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.core.brokers.simulator import argument_parsing, mt5_api_base, record_builders
from quarterdeck.core.brokers.simulator.ledger_rows import LedgerDeal, LedgerOrder
from quarterdeck.core.brokers.simulator.module_constants import RETCODE_TEXTS
from quarterdeck.core.brokers.simulator.mt5_api_base import ApiConnection, TerminalRefuses
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest, MqlTradeResult, RequestCheck, check, execute
from quarterdeck.core.brokers.simulator.trade_server_rules import INVALID_PRICE, INVALID_STOPS, INVALID_VOLUME
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import NS_PER_S, UtcNs

NAMES = (
    "positions_total",
    "orders_total",
    "positions_get",
    "orders_get",
    "history_orders_total",
    "history_deals_total",
    "history_orders_get",
    "history_deals_get",
    "order_calc_margin",
    "order_calc_profit",
    "order_check",
    "order_send",
)
Span = tuple[UtcNs, UtcNs]
_NUMBER_MAX = 1e12


class TradingApi:
    """See the module; one method a function, named as the module names it."""

    def __init__(self, line: ApiConnection) -> None:
        """`line` is shared with the other faces."""
        self._line = line
        self._requests = 0

    def positions_total(self) -> int | None:
        """Number of open positions."""
        return len(self._line.ledger.positions) if self._line.begin_call("positions_total") else None

    def orders_total(self) -> int | None:
        """Number of pending orders."""
        return len(self._line.ledger.orders) if self._line.begin_call("orders_total") else None

    def positions_get(self, *args: Any, **kwargs: Any) -> Any:
        """`TradePosition` tuples by ticket, symbol or group, in that precedence; () when there are none."""
        ledger = self._line.ledger
        return self._listed("positions_get", args, kwargs, ledger.positions, lambda row: record_builders.position(ledger, row))

    def orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """`TradeOrder` tuples of pending orders, as `positions_get`."""
        ledger = self._line.ledger
        return self._listed("orders_get", args, kwargs, ledger.orders, lambda row: record_builders.order(ledger, row))

    def history_orders_total(self, *args: Any) -> int | None:
        """Number of orders done in a span."""
        return self._total("history_orders_total", args, lambda span: self._line.ledger.history_between(*span))

    def history_deals_total(self, *args: Any) -> int | None:
        """Number of deals of a span."""
        return self._total("history_deals_total", args, lambda span: self._line.faults.seen_deals(self._line.ledger, span))

    def history_orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """Orders that are done: two dates (then group), or ticket, or position."""
        ledger = self._line.ledger

        def rows(span: Span | None) -> list[LedgerOrder]:
            return ledger.history if span is None else ledger.history_between(*span)

        return self._history("history_orders_get", args, kwargs, rows, lambda row: record_builders.order(ledger, row))

    def history_deals_get(self, *args: Any, **kwargs: Any) -> Any:
        """Deals: two dates (then group), or ticket, or position."""
        ledger, faults = self._line.ledger, self._line.faults

        def rows(span: Span | None) -> list[LedgerDeal]:
            return faults.seen_deals(ledger, span)

        return self._history("history_deals_get", args, kwargs, rows, lambda row: record_builders.deal(ledger, row))

    def order_calc_margin(self, *args: Any) -> float | None:
        """Margin of a lone order in account currency."""
        return self._line.answer("order_calc_margin", lambda: _calculation(args, 4), lambda given: self._calc_margin(*given))

    def order_calc_profit(self, *args: Any) -> float | None:
        """Profit of a lone position in account currency."""
        return self._line.answer("order_calc_profit", lambda: _calculation(args, 5), lambda given: self._calc_profit(*given))

    def order_check(self, *args: Any, **kwargs: Any) -> Any:
        """Dry run: formal checks and margin. Return code 0 is fine."""
        return self._line.answer("order_check", lambda: argument_parsing.trade_request(args, kwargs), self._check)

    def order_send(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out a trade request; a result also for refusals, None when it is not known (or was never sent)."""
        return self._line.answer("order_send", lambda: argument_parsing.trade_request(args, kwargs), self._send)

    def _total(self, name: str, args: tuple[Any, ...], between: Callable[[Span], list[Any]]) -> int | None:
        def arguments() -> tuple[int, ...]:
            return argument_parsing.moments(*argument_parsing.counted(args, 2))

        return self._line.answer_dated(
            name, arguments, lambda moments: len(between(self._span(moments))), lambda moments: moments
        )

    def _span(self, moments: tuple[int, ...]) -> Span:
        first, last = mt5_api_base.given(moments)
        return (self._line.ledger.clock.utc_ns(first), self._line.ledger.clock.utc_ns(last) + NS_PER_S - 1)

    def _listed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], rows: dict[int, Any], show: Callable[[Any], Any]
    ) -> Any:
        def read(chosen: tuple[str, Any] | None) -> tuple[Any, ...]:
            if chosen is None:
                return tuple([show(row) for row in rows.values()])
            key, wanted = chosen
            if key == "ticket":
                row = rows.get(wanted)
                return () if row is None else (show(row),)
            fits = argument_parsing.group_filter(wanted) if key == "group" else wanted.__eq__
            return tuple(show(row) for row in rows.values() if fits(row.symbol))

        return self._line.answer(name, lambda: argument_parsing.selection(args, kwargs), read)

    def _history(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        rows: Callable[[Span | None], list[Any]],
        show: Callable[[Any], Any],
    ) -> Any:
        def read(wish: argument_parsing.HistoryWish) -> tuple[Any, ...]:
            if wish.field:
                found = [row for row in rows(None) if getattr(row, wish.field) == wish.ticket]
            else:
                fits = (lambda _: True) if wish.group is None else argument_parsing.group_filter(wish.group)
                found = [row for row in rows(self._span(wish.moments)) if fits(row.symbol)]
            return tuple(show(row) for row in found)

        return self._line.answer_dated(name, lambda: argument_parsing.history(args, kwargs), read, lambda wish: wish.moments)

    def _calc_margin(self, action: int, symbol: str, volume: float, price: float) -> float | None:
        side = self._side(action, symbol, volume, price)
        valuer = self._line.ledger.money.valuer(symbol)
        leverage = self._line.ledger.terms.leverage
        found = None if valuer is None else valuer.margin_money(side, volume, price, leverage, self._line.ledger.money)
        return self._line.fail(-1) if found is None else found

    def _calc_profit(self, action: int, symbol: str, volume: float, opened: float, closed: float) -> float | None:
        side = self._side(action, symbol, volume, opened, closed)
        valuer = self._line.ledger.money.valuer(symbol)
        found = None if valuer is None else valuer.profit_money(side, volume, opened, closed, self._line.ledger.money)
        return self._line.fail(-1) if found is None else found

    def _side(self, action: int, symbol: str, *numbers: float) -> Side:
        if action not in (0, 1) or not all(map(_measurable, numbers)):
            raise TerminalRefuses
        self._line.known(symbol)
        return Side.BUY if action == 0 else Side.SELL

    def _permission_code(self) -> int:
        if not self._line.state.algo_allowed:
            return 10027
        if not self._line.connected:
            return 10031
        if not self._line.ledger.terms.experts_allowed:
            return 10026
        return 0 if self._line.ledger.terms.trade_allowed else 10017

    def _check(self, request: MqlTradeRequest) -> Any:
        beyond = _beyond_measure(request)
        found = RequestCheck(beyond, self._line.ledger.margin_money()) if beyond else check(self._line.ledger, request)
        code = self._permission_code() or found.retcode
        return record_builders.checked(self._line.ledger, code, found.margin_money, RETCODE_TEXTS[code], request)

    def _send(self, request: MqlTradeRequest) -> Any:
        if self._line.state.api_disabled:
            return self._line.fail(-8)
        refused = self._permission_code() or _beyond_measure(request)
        self._requests += 1
        outcome: MqlTradeResult | None
        if refused:
            outcome = MqlTradeResult(refused)
        elif self._line.faults.active:
            outcome = self._line.faults.on_send(self._line.ledger, request)
        else:
            outcome = execute(self._line.ledger, request)
        if outcome is None:
            self._line.state.initialised = False
            return self._line.fail(-10002)
        return record_builders.sent(outcome, request, RETCODE_TEXTS[outcome.retcode], self._requests)


def _calculation(args: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    action, symbol, *numbers = argument_parsing.counted(args, count)
    action, numbers = argument_parsing.action(action), [argument_parsing.number(value) for value in numbers]
    return (action, argument_parsing.symbol_of(symbol), *numbers)


def _measurable(number: float) -> bool:
    """Neither infinite nor NaN, nor larger than any price or volume."""
    return abs(number) < _NUMBER_MAX


def _beyond_measure(request: MqlTradeRequest) -> int:
    """Return code for a number that no price and no volume can be; 0 where there is none."""
    if not _measurable(request.volume):
        return INVALID_VOLUME
    if not (_measurable(request.price) and _measurable(request.stoplimit)):
        return INVALID_PRICE
    return 0 if _measurable(request.sl) and _measurable(request.tp) else INVALID_STOPS
