"""The ledger's rows and the terminal's state as the module's records.

Promises: field order and types of `mt5_records`; all times on the server's clock; `external_id` is empty.
"""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.simulator import mt5_records
from quarterdeck.core.brokers.simulator.instruments import description, plain_pair
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_rows import PLACED, LedgerDeal, LedgerOrder, LedgerPosition
from quarterdeck.core.brokers.simulator.rate_arrays import TICK_FLAGS_BOTH, RateArrays, day_range
from quarterdeck.core.brokers.simulator.terminal_state import BUILD, TerminalState
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest, MqlTradeResult
from quarterdeck.core.model.market_data import Instrument, Side

_CALC_MODES = {"forex": 0, "forex_no_leverage": 5, "cfd": 2, "cfd_leverage": 4, "other": 2}
_TRADE_MODES = {"disabled": 0, "long_only": 1, "short_only": 2, "close_only": 3, "full": 4}
_EXECUTIONS = {"request": 0, "instant": 1, "market": 2, "exchange": 3}
_ACCOUNT_MODES = {"demo": 0, "contest": 1, "real": 2}
_MARGIN_NETTING, _MARGIN_HEDGING = 0, 2
_ORDER_MODE_ALL = 127
_EXPIRATION_ALL = 15
_PERCENT = 100.0


def account(ledger: Ledger) -> Any:
    """`AccountInfo`."""
    terms = ledger.terms
    equity, margin = ledger.equity_money(), ledger.margin_money()
    return mt5_records.AccountInfo(
        (
            terms.login, _ACCOUNT_MODES[terms.trade_mode], terms.leverage, terms.orders_max, 0, terms.trade_allowed,
            terms.experts_allowed, _MARGIN_HEDGING if terms.hedging else _MARGIN_NETTING, ledger.digits, terms.fifo_close,
            ledger.balance_money, ledger.credit_money, round(equity - ledger.balance_money - ledger.credit_money, ledger.digits),
            equity, margin, round(equity - margin, ledger.digits), equity / margin * _PERCENT if margin else 0.0,
            terms.margin_call_level_pct, terms.stop_out_level_pct, 0.0, 0.0, 0.0, 0.0, 0.0,
            terms.name, terms.server, terms.currency, terms.company,
        )
    )  # fmt: skip


def terminal(state: TerminalState, company: str, *, connected: bool) -> Any:
    """`TerminalInfo`."""
    return mt5_records.TerminalInfo(
        (
            False, False, connected, False, state.algo_allowed, state.api_disabled, False, False, False, False,
            BUILD, state.bars_max, 0, state.ping_us, 0.0, 0.0, company, "MetaTrader 5", "English",
            state.path, state.path, state.path,
        )
    )  # fmt: skip


def tick(ledger: Ledger, symbol: str) -> Any:
    """`Tick` of a symbol that has a quote."""
    bid, ask, at = ledger.quotes[symbol]
    ms = ledger.clock.server_ms(at)
    return tuple.__new__(mt5_records.Tick, (ms // 1_000, bid, ask, 0.0, 0, ms, TICK_FLAGS_BOTH, 0.0))


def position(ledger: Ledger, held: LedgerPosition) -> Any:
    """`TradePosition`."""
    clock = ledger.clock
    opened, updated = clock.server_ms(held.opened_utc_ns), clock.server_ms(held.updated_utc_ns)
    return mt5_records.TradePosition(
        (
            held.ticket, opened // 1_000, opened, updated // 1_000, updated, 0 if held.side is Side.BUY else 1, held.magic,
            held.position_id, held.reason, held.lots, held.open_price, held.stop_price, held.target_price,
            ledger.money.close_price(held), held.swap_money, ledger.money.profit_money(held), held.symbol, held.comment, "",
        )
    )  # fmt: skip


def order(ledger: Ledger, row: LedgerOrder) -> Any:
    """`TradeOrder`, pending or history."""
    clock = ledger.clock
    placed = clock.server_ms(row.placed_utc_ns)
    done = clock.server_ms(row.done_utc_ns) if row.done_utc_ns else 0
    current = row.price_current
    if row.state == PLACED and row.symbol in ledger.quotes:
        current = ledger.quotes[row.symbol][1 if row.side is Side.BUY else 0]
    return mt5_records.TradeOrder(
        (
            row.ticket, placed // 1_000, placed, done // 1_000, done,
            clock.server_s(row.expires_utc_ns) if row.expires_utc_ns else 0, row.kind, row.time_kind, row.filling, row.state,
            row.magic, row.position_id, row.position_by_id, row.reason, row.lots, row.lots_left, row.price, row.stop_price,
            row.target_price, current, row.stop_limit_price, row.symbol, row.comment, "",
        )
    )  # fmt: skip


def deal(ledger: Ledger, row: LedgerDeal) -> Any:
    """`TradeDeal`."""
    ms = ledger.clock.server_ms(row.at_utc_ns)
    return mt5_records.TradeDeal(
        (
            row.ticket, row.order, ms // 1_000, ms, row.kind, row.entry, row.magic, row.position_id, row.reason, row.lots,
            row.price, row.commission_money, row.swap_money, row.profit_money, row.fee_money, row.symbol, row.comment, "",
        )
    )  # fmt: skip


def sent(outcome: MqlTradeResult, request: MqlTradeRequest, comment: str, request_id: int) -> Any:
    """`OrderSendResult`; what the terminal refused itself carries no numbers."""
    return mt5_records.OrderSendResult(
        (
            outcome.retcode, outcome.deal, outcome.order, outcome.volume, outcome.price, outcome.bid, outcome.ask,
            comment, request_id if outcome.at_server else 0, 0, mt5_records.TradeRequest(request),
        )
    )  # fmt: skip


def checked(ledger: Ledger, retcode: int, margin_money: float, comment: str, request: MqlTradeRequest) -> Any:
    """`OrderCheckResult`: the account as it would be."""
    equity = ledger.equity_money()
    return mt5_records.OrderCheckResult(
        (
            retcode, ledger.balance_money, equity, round(equity - ledger.balance_money - ledger.credit_money, ledger.digits),
            margin_money, round(equity - margin_money, ledger.digits), equity / margin_money * _PERCENT if margin_money else 0.0,
            comment, mt5_records.TradeRequest(request),
        )
    )  # fmt: skip


def symbol(ledger: Ledger, state: TerminalState, arrays: RateArrays, spec: Instrument, tick_value_factor: float = 1.0) -> Any:
    """`SymbolInfo`, 96 fields; prices are zero while the symbol is not in Market Watch. `tick_value_factor` is a fault."""
    selected = spec.symbol in state.watch
    bid, ask, at = ledger.quotes.get(spec.symbol, (0.0, 0.0, 0)) if selected else (0.0, 0.0, 0)
    high, low, opened = day_range(arrays, spec, ledger.now_utc_ns) if at else (0.0, 0.0, 0.0)
    valuer = ledger.money.valuer(spec.symbol)
    on_profit = (valuer.tick_value_money(ledger.money, result="profit") or 0.0) * tick_value_factor if valuer and at else 0.0
    on_loss = (valuer.tick_value_money(ledger.money, result="loss") or 0.0) * tick_value_factor if valuer and at else 0.0
    spread = round((ask - bid) / spec.point) if at else 0
    buys = [row for row in ledger.orders.values() if row.symbol == spec.symbol and row.side is Side.BUY]
    sells = [row for row in ledger.orders.values() if row.symbol == spec.symbol and row.side is Side.SELL]
    change_pct = (bid / opened - 1.0) * _PERCENT if opened else 0.0
    return mt5_records.SymbolInfo(
        (
            False, 0, selected, selected, 0, len(buys), len(sells), 0, 0, 0,
            ledger.clock.server_s(at) if at else 0, spec.digits, spread, True, 0, _CALC_MODES[spec.calc_mode],
            _TRADE_MODES[spec.trade_mode], 0, 0, spec.stops_level_points,
            spec.freeze_level_points, _EXECUTIONS[spec.execution], spec.swap_mode, spec.swap_triple_weekday,
            spec.margin_hedged_use_leg,
            _EXPIRATION_ALL, spec.filling_flags, _ORDER_MODE_ALL, 0, 0, 0,
            bid, high, low, ask, round(high + ask - bid, spec.digits), round(low + ask - bid, spec.digits),
            0.0, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.0, spec.point, on_profit, on_profit, on_loss, spec.tick_size, spec.contract_size, 0.0, 0.0, 0.0,
            spec.volume_min_lots,
            spec.volume_max_lots, spec.volume_step_lots, spec.volume_limit_lots, spec.swap_long, spec.swap_short,
            spec.margin_initial, 0.0, 0.0, 0.0, 0.0,
            sum((row.lots_left for row in buys), 0.0), sum((row.lots_left for row in sells), 0.0),
            opened, 0.0, 0.0, 0.0, 0.0, 0.0, spec.margin_hedged, change_pct, *(0.0,) * 9,
            "", "", spec.base_currency, spec.profit_currency, spec.margin_currency, "", description(spec), "", "", "",
            spec.symbol, "", f"{'Metals' if spec.calc_mode == 'cfd_leverage' else 'Forex'}\\{plain_pair(spec)}",
        )
    )  # fmt: skip
