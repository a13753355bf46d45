"""What the broker holds for the account: positions, pending orders, deals and the account itself, in UTC and plain numbers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

TradeMode = Literal["real", "demo", "paper", "replay", "simulated"]
"""Where the money is: a real account, a broker's demo, paper fills on a live feed, recorded days, the simulated market."""


class Account(Struct, frozen=True, kw_only=True):
    """The account as the broker reports it; money in `currency`."""

    login: int
    server: str
    mode: TradeMode
    currency: str
    currency_digits: int
    leverage: int
    hedging: bool
    balance_money: Money
    credit_money: Money = 0.0
    equity_money: Money = 0.0
    """The broker's own figure when it was read; the desk computes its own from quotes and compares."""
    margin_money: Money = 0.0
    trade_allowed: bool = True
    experts_allowed: bool = True
    stop_out_level_pct: float = 50.0
    margin_call_level_pct: float = 100.0
    orders_max: int = 0
    fifo_close: bool = False
    name: str = ""
    company: str = ""


class BrokerPosition(Struct, frozen=True, kw_only=True):
    """A position in the broker's list. `stop_price` and `target_price` are None where none is set."""

    ticket: int
    position_id: int
    """Stable key for life (`identifier`); the ticket may change on netting reversals and swap re-opening."""
    symbol: str
    side: Side
    lots: Lots
    open_price: Price
    stop_price: Price | None
    target_price: Price | None
    opened_utc_ns: UtcNs
    magic: int
    comment: str = ""
    swap_money: Money = 0.0
    profit_money: Money = 0.0


class BrokerOrder(Struct, frozen=True, kw_only=True):
    """A pending order in the broker's list."""

    ticket: int
    symbol: str
    kind: Literal["market", "limit", "stop", "stop_limit", "close_by"]
    side: Side
    lots: Lots
    price: Price
    stop_price: Price | None
    target_price: Price | None
    placed_utc_ns: UtcNs
    magic: int
    position_id: int = 0
    comment: str = ""


DealReason = Literal["client", "expert", "stop", "target", "stop_out", "rollover", "other"]
DealEntry = Literal["in", "out", "inout", "out_by"]


class Deal(Struct, frozen=True, kw_only=True):
    """One deal of the account's history: the only source of realised money.

    Deals that are no trades (deposit, charge, credit) have an empty symbol and `balance_money` or `credit_money`.
    """

    deal_ticket: int
    order_ticket: int
    position_id: int
    symbol: str
    side: Side
    entry: DealEntry
    reason: DealReason
    lots: Lots
    price: Price
    at_utc_ns: UtcNs
    profit_money: Money = 0.0
    commission_money: Money = 0.0
    fee_money: Money = 0.0
    swap_money: Money = 0.0
    balance_money: Money = 0.0
    magic: int = 0
    comment: str = ""
    deal_type: int = -1
    """The broker's number of its kind (0 buy, 1 sell, 2 balance, 3 credit, ...); -1 on a tape that did not tell it."""
    credit_money: Money = 0.0
    """What it moves the credit by; the balance stays."""
    rule: str = ""
    """How a simulated fill inside a bar was decided (`tick`, `gap`, `both_touched_stop_first`, ...); empty from a real broker."""
