"""The module's functions about positions, orders, history and trading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.core.brokers.simulator import argument_parsing, record_builders
from quarterdeck.core.brokers.simulator.argument_parsing import BadArgument
from quarterdeck.core.brokers.simulator.ledger_rows import LedgerDeal, LedgerOrder
from quarterdeck.core.brokers.simulator.module_constants import CONSTANTS, ERROR_TEXTS, RETCODE_TEXTS
from quarterdeck.core.brokers.simulator.mt5_api_base import ApiConnection
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest, MqlTradeResult, check, execute
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
    "Buy",
    "Sell",
    "Close",
)


class TradingApi:
    """See the module; one method a function, named as the module names it."""

    def __init__(self, line: ApiConnection, tick: Callable[[str], Any]) -> None:
        """`line` is shared with the other faces, `tick` is `symbol_info_tick`."""
        self._line = line
        self._tick = tick
        self._requests = 0

    def positions_total(self) -> int | None:
        """Number of open positions."""
        return len(self._line.ledger.positions) if self._line.begin_call("positions_total") else None

    def orders_total(self) -> int | None:
        """Number of pending orders."""
        return len(self._line.ledger.orders) if self._line.begin_call("orders_total") else None

    def positions_get(self, *args: Any, **kwargs: Any) -> Any:
        """`TradePosition` tuples by ticket, symbol or group, in that precedence; () when there are none."""
        if not self._line.begin_call("positions_get"):
            return None
        rows = self._line.ledger.positions
        return self._listed("positions_get", args, kwargs, rows, lambda row: record_builders.position(self._line.ledger, row))

    def orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """`TradeOrder` tuples of pending orders, as `positions_get`."""
        if not self._line.begin_call("orders_get"):
            return None
        return self._listed(
            "orders_get", args, kwargs, self._line.ledger.orders, lambda row: record_builders.order(self._line.ledger, row)
        )

    def history_orders_total(self, *args: Any) -> int | None:
        """Number of orders done in a span."""
        return self._line.run_read("history_orders_total", lambda: len(self._line.ledger.history_between(*self._span(args))))

    def history_deals_total(self, *args: Any) -> int | None:
        """Number of deals of a span."""
        line = self._line
        return line.run_read("history_deals_total", lambda: len(line.faults.seen_deals(line.ledger, self._span(args))))

    def history_orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """Orders that are done: two dates (then group), or ticket, or position."""
        return self._line.run_read("history_orders_get", lambda: self._history_orders(args, kwargs))

    def history_deals_get(self, *args: Any, **kwargs: Any) -> Any:
        """Deals: two dates (then group), or ticket, or position."""
        return self._line.run_read("history_deals_get", lambda: self._history_deals(args, kwargs))

    def order_calc_margin(self, *args: Any) -> float | None:
        """Margin of a lone order in account currency."""
        return self._line.run_read("order_calc_margin", lambda: self._calc_margin(args))

    def order_calc_profit(self, *args: Any) -> float | None:
        """Profit of a lone position in account currency."""
        return self._line.run_read("order_calc_profit", lambda: self._calc_profit(args))

    def order_check(self, *args: Any, **kwargs: Any) -> Any:
        """Dry run: formal checks and margin. Return code 0 is fine."""
        if not self._line.state.initialised:
            return self._line.fail(-10004)
        return self._line.run_read(
            "order_check", lambda: self._check(argument_parsing.trade_request("order_check", args, kwargs))
        )

    def order_send(self, *args: Any, **kwargs: Any) -> Any:
        """Carry out a trade request; a result also for refusals, None when it is not known (or was never sent)."""
        return self._line.run_read("order_send", lambda: self._send(argument_parsing.trade_request("order_send", args, kwargs)))

    def Buy(  # noqa: N802 - the module's name
        self, symbol: str, volume: float, price: float | None = None, *, comment: str | None = None, ticket: int | None = None
    ) -> Any:
        """The module's helper: buy at the market, up to ten tries on requotes."""
        return self._helper(Side.BUY, symbol, volume, price, comment, ticket)

    def Sell(  # noqa: N802 - the module's name
        self, symbol: str, volume: float, price: float | None = None, *, comment: str | None = None, ticket: int | None = None
    ) -> Any:
        """The module's helper: sell at the market, up to ten tries on requotes."""
        return self._helper(Side.SELL, symbol, volume, price, comment, ticket)

    def Close(self, symbol: str, *, comment: str | None = None, ticket: int | None = None) -> Any:  # noqa: N802 - the module's name
        """The module's helper: close a symbol's positions; True, "Partially", False or None. Fails with TypeError on None."""
        held = self.positions_get(symbol=symbol) if ticket is None else self.positions_get(ticket=ticket)
        done = tried = 0
        for position in held:
            tried += 1
            side = Side.SELL if position.type == 0 else Side.BUY
            result = self._helper(side, symbol, position.volume, None, comment, position.ticket)
            done += result is not None and result.retcode == CONSTANTS["TRADE_RETCODE_DONE"]
        if not tried:
            return None
        return True if done == tried else "Partially" if done else False

    def _span(self, args: tuple[Any, ...]) -> tuple[UtcNs, UtcNs]:
        if len(args) != 2:
            raise BadArgument("Invalid number of arguments")
        first, last = (
            argument_parsing.moment(args[0], "Invalid 1st unnamed argument"),
            argument_parsing.moment(args[1], "Invalid 2nd unnamed argument"),
        )
        return (self._line.ledger.clock.utc_ns(first), self._line.ledger.clock.utc_ns(last) + NS_PER_S - 1)

    def _listed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], rows: dict[int, Any], show: Callable[[Any], Any]
    ) -> Any:
        try:
            if args:
                raise BadArgument("Unnamed arguments not allowed")
            if kwargs.get("ticket") is not None:
                row = rows.get(argument_parsing.ticket(name, "ticket", kwargs["ticket"]))
                return () if row is None else (show(row),)
            fits = _by_symbol_or_group(kwargs)
        except BadArgument as wrong:
            return self._line.fail(-2, str(wrong))
        return tuple(show(row) for row in rows.values() if fits(row.symbol))

    def _history_orders(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        ledger = self._line.ledger

        def rows() -> list[LedgerOrder]:
            return ledger.history

        found = self._chosen("history_orders_get", args, kwargs, rows, lambda span: ledger.history_between(*span))
        return tuple(record_builders.order(ledger, row) for row in found)

    def _history_deals(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        ledger, faults = self._line.ledger, self._line.faults

        def rows() -> list[LedgerDeal]:
            return faults.seen_deals(ledger, None)

        found = self._chosen("history_deals_get", args, kwargs, rows, lambda span: faults.seen_deals(ledger, span))
        return tuple(record_builders.deal(ledger, row) for row in found)

    def _chosen(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        rows: Callable[[], list[Any]],
        between: Callable[[tuple[UtcNs, UtcNs]], list[Any]],
    ) -> list[Any]:
        if args:
            fits = _by_symbol_or_group({"group": kwargs.get("group")})
            return [row for row in between(self._span(args)) if fits(row.symbol)]
        for key, field in (("ticket", "ticket"), ("position", "position_id")):
            if kwargs.get(key) is not None:
                wanted = argument_parsing.ticket(name, key, kwargs[key])
                return [row for row in rows() if getattr(row, field) == wanted]
        raise BadArgument("Invalid number of arguments")

    def _calc_margin(self, args: tuple[Any, ...]) -> float | None:
        name = "order_calc_margin"
        side, symbol, volume, price = self._calc(name, args, 4)
        valuer = self._line.ledger.money.valuer(symbol)
        leverage = self._line.ledger.terms.leverage
        found = None if valuer is None else valuer.margin_money(side, volume, price, leverage, self._line.ledger.money)
        return self._line.fail(-1) if found is None else found

    def _calc_profit(self, args: tuple[Any, ...]) -> float | None:
        side, symbol, volume, opened, closed = self._calc("order_calc_profit", args, 5)
        valuer = self._line.ledger.money.valuer(symbol)
        found = None if valuer is None else valuer.profit_money(side, volume, opened, closed, self._line.ledger.money)
        return self._line.fail(-1) if found is None else found

    def _calc(self, name: str, args: tuple[Any, ...], count: int) -> tuple[Any, ...]:
        if len(args) != count:
            raise BadArgument("Invalid number of arguments")
        action = argument_parsing.whole(name, args[0])
        if not argument_parsing.is_text(args[1]):
            raise BadArgument("Invalid 2nd unnamed argument")
        numbers = [argument_parsing.number(name, value) for value in args[2:]]
        if action not in (0, 1):
            raise BadArgument(ERROR_TEXTS[-2])
        return (Side.BUY if action == 0 else Side.SELL, self._line.known(args[1]), *numbers)

    def _permission_code(self) -> int:
        if not self._line.state.algo_allowed:
            return 10027
        if not self._line.connected:
            return 10031
        if not self._line.ledger.terms.experts_allowed:
            return 10026
        return 0 if self._line.ledger.terms.trade_allowed else 10017

    def _check(self, request: MqlTradeRequest) -> Any:
        found = check(self._line.ledger, request)
        code = self._permission_code() or found.retcode
        return record_builders.checked(self._line.ledger, code, found.margin_money, RETCODE_TEXTS[code], request)

    def _send(self, request: MqlTradeRequest) -> Any:
        if self._line.state.api_disabled:
            return self._line.fail(-8)
        refused = self._permission_code()
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

    def _helper(
        self, side: Side, symbol: str, volume: float, price: float | None, comment: str | None, ticket: int | None
    ) -> Any:
        result = None
        for _ in range(1 if price is not None else 10):
            at = price
            if at is None:
                tick = self._tick(symbol)
                at = tick.ask if side is Side.BUY else tick.bid
            result = self.order_send(record_builders.helper_request(side, symbol, volume, at, comment or "", ticket or 0))
            if result is None or result.retcode not in (10004, 10021):
                break
        return result


def _by_symbol_or_group(kwargs: dict[str, Any]) -> Callable[[str], bool]:
    symbol, group = kwargs.get("symbol"), kwargs.get("group")
    if symbol is not None:
        if not argument_parsing.is_text(symbol):
            raise BadArgument('Invalid "symbol" argument')
        return lambda name: name == symbol
    if group is not None:
        if not argument_parsing.is_text(group, argument_parsing.GROUP_UNITS_MAX):
            raise BadArgument('Invalid "group" argument')
        return argument_parsing.group_filter(group)
    return lambda name: True
