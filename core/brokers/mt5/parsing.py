"""Records of the module as values of the model: plain names, UTC instants, numbers rounded to the symbol's digits.

Promises: pure; a record with a number that cannot be (NaN, a bar above its high) is refused by `InvalidRecord`, never passed on.
Units: server epochs go in, UTC nanoseconds come out; 0.0 as stop or target means none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from quarterdeck.core.brokers.mt5 import mt5_constants as mt5
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.broker_account import Account, BrokerOrder, BrokerPosition, Deal, DealEntry, DealReason, TradeMode
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.currencies import CURRENCIES
from quarterdeck.core.model.deal_kinds import MOVES_CREDIT
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.pips import pip_price

ModuleRecord = Mapping[str, Any]


class InvalidRecord(ValueError):
    """The terminal answered with something that cannot be true."""


_CALC: dict[int, Literal["forex", "forex_no_leverage", "cfd", "cfd_leverage", "other"]] = {
    0: "forex",
    2: "cfd",
    4: "cfd_leverage",
    5: "forex_no_leverage",
}
_TRADE_MODES: tuple[Literal["disabled", "long_only", "short_only", "close_only", "full"], ...] = (
    "disabled",
    "long_only",
    "short_only",
    "close_only",
    "full",
)
_EXECUTIONS: tuple[Literal["request", "instant", "market", "exchange"], ...] = ("request", "instant", "market", "exchange")
_ORDER_KINDS: dict[int, Literal["market", "limit", "stop", "stop_limit", "close_by"]] = {
    0: "market",
    1: "market",
    2: "limit",
    3: "limit",
    4: "stop",
    5: "stop",
    6: "stop_limit",
    7: "stop_limit",
    8: "close_by",
}
_ENTRIES: tuple[DealEntry, ...] = ("in", "out", "inout", "out_by")
_REASONS: dict[int, DealReason] = {
    0: "client",
    1: "client",
    2: "client",
    3: "expert",
    4: "stop",
    5: "target",
    6: "stop_out",
    7: "rollover",
}
_BUY_TYPES = (0, 2, 4, 6)


def misnamed(record: ModuleRecord, plain: str) -> str:
    """What a broker's record says of a symbol's currencies where its own name says others; "" where they agree.

    A currency of the record that nobody knows (one of a cent account, say) contradicts nothing.
    """
    told = (str(record["currency_base"]).upper(), str(record["currency_profit"]).upper())
    own = (plain[:3].upper(), plain[3:].upper())
    if own == told or not all(code in CURRENCIES for code in (*own, *told)):
        return ""
    return f"{plain}: the broker's record says {told[0]} and {told[1]}; the name's own currencies hold for news and exposure"


def instrument_of(record: ModuleRecord, plain: str, pips: Mapping[str, float]) -> Instrument:
    """A symbol's specification under its plain name. Raises Unreadable where sizes or steps are not positive."""
    point, contract, step = float(record["point"]), float(record["trade_contract_size"]), float(record["volume_step"])
    if not (point > 0.0 and contract > 0.0 and step > 0.0):
        raise InvalidRecord(f"{plain}: point {point}, contract size {contract}, volume step {step}")
    base, profit, digits = str(record["currency_base"]), str(record["currency_profit"]), int(record["digits"])
    if misnamed(record, plain):
        base, profit = plain[:3].upper(), plain[3:].upper()
    return Instrument(
        symbol=plain,
        base_currency=base,
        profit_currency=profit,
        margin_currency=str(record["currency_margin"]) or base,
        digits=digits,
        point=point,
        tick_size=float(record["trade_tick_size"]) or point,
        pip=pip_price(plain, base, profit, digits, pips.get(plain)),
        contract_size=contract,
        volume_min_lots=float(record["volume_min"]),
        volume_max_lots=float(record["volume_max"]),
        volume_step_lots=step,
        volume_limit_lots=float(record["volume_limit"]),
        stops_level_points=int(record["trade_stops_level"]),
        freeze_level_points=int(record["trade_freeze_level"]),
        tick_value_profit_money=float(record["trade_tick_value_profit"]),
        tick_value_loss_money=float(record["trade_tick_value_loss"]),
        calc_mode=_CALC.get(int(record["trade_calc_mode"]), "other"),
        trade_mode=_TRADE_MODES[int(record["trade_mode"])],
        execution=_EXECUTIONS[int(record["trade_exemode"])],
        filling_flags=int(record["filling_mode"]),
        swap_mode=int(record["swap_mode"]),
        swap_long=float(record["swap_long"]),
        swap_short=float(record["swap_short"]),
        swap_triple_weekday=int(record["swap_rollover3days"]),
        margin_initial=float(record["margin_initial"]),
        margin_hedged=float(record["margin_hedged"]),
        margin_hedged_use_leg=bool(record["margin_hedged_use_leg"]),
    )


def account_of(record: ModuleRecord, mode: TradeMode | None) -> Account:
    """The account; `mode` overrides its own word where the terminal is a simulated one."""
    own: TradeMode = "real" if int(record["trade_mode"]) == mt5.TRADE_MODE_REAL else "demo"
    percent = int(record["margin_so_mode"]) == mt5.STOP_OUT_PERCENT
    return Account(
        login=int(record["login"]),
        server=str(record["server"]),
        mode=mode or own,
        currency=str(record["currency"]),
        currency_digits=int(record["currency_digits"]),
        leverage=int(record["leverage"]),
        hedging=int(record["margin_mode"]) == mt5.MARGIN_HEDGING,
        balance_money=_money(record["balance"], "balance"),
        credit_money=_money(record["credit"], "credit"),
        equity_money=_money(record["equity"], "equity"),
        margin_money=_money(record["margin"], "margin"),
        trade_allowed=bool(record["trade_allowed"]),
        experts_allowed=bool(record["trade_expert"]),
        stop_out_level_pct=float(record["margin_so_so"]) if percent else 0.0,
        margin_call_level_pct=float(record["margin_so_call"]) if percent else 0.0,
        orders_max=int(record["limit_orders"]),
        fifo_close=bool(record["fifo_close"]),
        name=str(record["name"]),
        company=str(record["company"]),
    )


def quote_of(record: ModuleRecord, plain: str, digits: int, clock: ServerClock) -> Quote | None:
    """The quote of a tick; None while the symbol has no price on both sides. Raises Unreadable for prices that cannot be."""
    bid, ask = record["bid"], record["ask"]
    if bid == 0.0 or ask == 0.0:
        return None
    if not (0.0 < bid <= ask < 1e12):
        if 0.0 < ask < bid:
            return None
        raise InvalidRecord(f"{plain}: bid {bid}, ask {ask}")
    return Quote(symbol=plain, at_utc_ns=clock.utc_ns_of_ms(record["time_msc"]), bid=round(bid, digits), ask=round(ask, digits))


def candles_of(rates: npt.NDArray[Any], plain: str, clock: ServerClock) -> Candles:
    """Columns of the module's rates array in UTC. Raises Unreadable for disorder or prices that cannot be."""
    opens = rates["time"].astype(np.int64)
    columns = [rates[name].astype(np.float64) for name in ("open", "high", "low", "close")]
    if len(opens):
        first, high, low, last = columns
        sound = bool(
            (opens[1:] > opens[:-1]).all()
            and (low > 0.0).all()
            and np.isfinite(high).all()
            and (low <= np.minimum(first, last)).all()
            and (high >= np.maximum(first, last)).all()
        )
        if not sound:
            raise InvalidRecord(f"{plain}: bars are out of order or hold prices that cannot be")
    return Candles(
        clock.utc_ns_column(opens),
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        rates["tick_volume"].astype(np.int64),
        rates["spread"].astype(np.int64),
    )


def position_of(record: ModuleRecord, plain: str, clock: ServerClock) -> BrokerPosition:
    """A position of the list."""
    return BrokerPosition(
        ticket=int(record["ticket"]),
        position_id=int(record["identifier"]) or int(record["ticket"]),
        symbol=plain,
        side=Side.BUY if record["type"] == mt5.ORDER_BUY else Side.SELL,
        lots=round(float(record["volume"]), 8),
        open_price=float(record["price_open"]),
        stop_price=float(record["sl"]) or None,
        target_price=float(record["tp"]) or None,
        opened_utc_ns=clock.utc_ns_of_ms(int(record["time_msc"]) or int(record["time"]) * 1000),
        magic=int(record["magic"]),
        comment=str(record["comment"]),
        swap_money=float(record["swap"]),
        profit_money=float(record["profit"]),
    )


def order_of(record: ModuleRecord, plain: str, clock: ServerClock) -> BrokerOrder:
    """A pending order of the list."""
    return BrokerOrder(
        ticket=int(record["ticket"]),
        symbol=plain,
        kind=_ORDER_KINDS.get(int(record["type"]), "market"),
        side=Side.BUY if int(record["type"]) in _BUY_TYPES else Side.SELL,
        lots=round(float(record["volume_current"]), 8),
        price=float(record["price_open"]),
        stop_price=float(record["sl"]) or None,
        target_price=float(record["tp"]) or None,
        placed_utc_ns=clock.utc_ns_of_ms(int(record["time_setup_msc"]) or int(record["time_setup"]) * 1000),
        magic=int(record["magic"]),
        position_id=int(record["position_id"]),
        comment=str(record["comment"]),
    )


def deal_of(record: ModuleRecord, plain: str, clock: ServerClock, *, rule: str = "") -> Deal:
    """A deal of the history; what is no trade moves balance (deposit, charge, its fee included) or credit, without a symbol.

    `rule` is how a simulated terminal found the price; a broker does not say.
    """
    kind = int(record["type"])
    trade = kind in (mt5.DEAL_BUY, mt5.DEAL_SELL)
    credit = kind in MOVES_CREDIT
    profit = _money(record["profit"], "profit")
    whole = profit + sum(_money(record[part], part) for part in ("commission", "swap", "fee"))
    entry = int(record["entry"])
    return Deal(
        deal_ticket=int(record["ticket"]),
        order_ticket=int(record["order"]),
        position_id=int(record["position_id"]),
        symbol=plain if trade else "",
        side=Side.SELL if kind == mt5.DEAL_SELL else Side.BUY,
        entry=_ENTRIES[entry] if 0 <= entry < len(_ENTRIES) else "out",
        reason=_REASONS.get(int(record["reason"]), "other"),
        lots=round(float(record["volume"]), 8),
        price=float(record["price"]),
        at_utc_ns=clock.utc_ns_of_ms(int(record["time_msc"]) or int(record["time"]) * 1000),
        profit_money=profit if trade else 0.0,
        commission_money=_money(record["commission"], "commission") if trade else 0.0,
        fee_money=_money(record["fee"], "fee") if trade else 0.0,
        swap_money=_money(record["swap"], "swap") if trade else 0.0,
        balance_money=0.0 if trade or credit else whole,
        deal_type=kind,
        credit_money=whole if credit else 0.0,
        magic=int(record["magic"]),
        comment=str(record["comment"]),
        rule=rule,
    )


def _money(value: Any, name: str) -> float:
    amount = float(value)
    if not -1e15 < amount < 1e15:
        raise InvalidRecord(f"{name} is {amount}")
    return amount
