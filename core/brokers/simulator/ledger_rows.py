"""Rows of the simulated account: positions, orders, deals, and the terms under which they are kept.

Positions and orders are the ledger's own mutable rows; nobody else changes them. Deals never change.
Prices 0.0 mean "none", as at the broker; the adapter turns them into None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.money import ConversionRule
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

ORDER_BUY, ORDER_SELL, BUY_LIMIT, SELL_LIMIT, BUY_STOP, SELL_STOP, BUY_STOP_LIMIT, SELL_STOP_LIMIT, CLOSE_BY = range(9)
STARTED, PLACED, CANCELED, PARTIAL, FILLED, REJECTED, EXPIRED = range(7)
ENTRY_IN, ENTRY_OUT, ENTRY_INOUT, ENTRY_OUT_BY = range(4)
DEAL_BUY, DEAL_SELL, DEAL_BALANCE, DEAL_CREDIT = range(4)
DEAL_BUY_CANCELED, DEAL_SELL_CANCELED = 13, 14
CREDIT_DEALS = (DEAL_CREDIT, 20)
"""Types of deals that move the credit and not the balance."""
REASON_CLIENT, REASON_MOBILE, REASON_WEB, REASON_EXPERT, REASON_STOP, REASON_TARGET, REASON_STOP_OUT = range(7)
TIME_GTC, TIME_DAY, TIME_SPECIFIED, TIME_SPECIFIED_DAY = range(4)
FILL_FOK, FILL_IOC, FILL_RETURN, FILL_BOC = range(4)
BUY_TYPES = (ORDER_BUY, BUY_LIMIT, BUY_STOP, BUY_STOP_LIMIT)


class AccountTerms(Struct, frozen=True, kw_only=True):
    """The account and the broker's rules for it."""

    login: int
    server: str
    currency: str
    leverage: int
    hedging: bool
    balance_money: Money
    commission_per_lot_money: Money
    """For each lot and side, in `commission_currency`."""
    commission_currency: str
    commission_on: Literal["both", "open", "close"] = "both"
    """Which deals of a position pay it."""
    commission_minimum_money: float = 0.0
    """Least of one deal that pays, in `commission_currency`."""
    stop_out_level_pct: float
    margin_call_level_pct: float
    conversion_rule: ConversionRule = "by_deal"
    slippage_pips: float = 0.0
    """Against us on each market fill and stop."""
    trade_mode: Literal["demo", "contest", "real"] = "demo"
    trade_allowed: bool = True
    experts_allowed: bool = True
    orders_max: int = 200
    positions_max: int = 0
    """0: no limit."""
    fifo_close: bool = False
    hedge_prohibited: bool = False
    name: str = "Simulated account"
    company: str = "Quarterdeck simulated market"
    fixed_rates: dict[str, Price] = {}
    """Rates of plain pairs that have no quotes here, for converting money."""
    holidays: tuple[tuple[UtcNs, UtcNs], ...] = ()
    """Spans in which the market is closed beside its weekly hours."""


@dataclass(slots=True)
class LedgerPosition:
    """An open position."""

    ticket: int
    position_id: int
    symbol: str
    side: Side
    lots: Lots
    open_price: Price
    stop_price: Price
    target_price: Price
    opened_utc_ns: UtcNs
    updated_utc_ns: UtcNs
    magic: int
    comment: str
    reason: int
    swap_money: Money = 0.0


@dataclass(slots=True)
class LedgerOrder:
    """A pending order, or one that is history."""

    ticket: int
    symbol: str
    kind: int
    lots: Lots
    price: Price
    stop_price: Price
    target_price: Price
    placed_utc_ns: UtcNs
    magic: int
    comment: str
    reason: int
    filling: int = 0
    time_kind: int = TIME_GTC
    expires_utc_ns: UtcNs = 0
    stop_limit_price: Price = 0.0
    lots_left: Lots = 0.0
    state: int = PLACED
    done_utc_ns: UtcNs = 0
    position_id: int = 0
    position_by_id: int = 0
    price_current: Price = 0.0

    @property
    def side(self) -> Side:
        """Direction of the deal it leads to."""
        return Side.BUY if self.kind in BUY_TYPES else Side.SELL


@dataclass(slots=True, frozen=True)
class LedgerDeal:
    """A deal. `rule` says how its price was found: `market`, `tick`, `gap`, `range_stop`, `both_touched_stop_first`, ..."""

    ticket: int
    order: int
    at_utc_ns: UtcNs
    kind: int
    entry: int
    magic: int
    position_id: int
    reason: int
    lots: Lots
    price: Price
    commission_money: Money
    swap_money: Money
    profit_money: Money
    fee_money: Money
    symbol: str
    comment: str
    rule: str
