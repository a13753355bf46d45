"""The simulated broker's books as plain data, so that an account can outlive its process (paper trading on a live feed).

Promises: a ledger that was given the books of another continues as that one would have. Does not: touch files, or keep the
market.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.brokers.simulator.ledger_rows import LedgerDeal, LedgerOrder, LedgerPosition
from quarterdeck.core.model.units import Money, Price, UtcNs


class LedgerSnapshot(Struct, frozen=True, kw_only=True):
    """Everything a ledger holds beside its terms; rows are the ledger's own, so encode them before it continues."""

    login: int
    server: str
    currency: str
    hedging: bool
    now_utc_ns: UtcNs
    next_rollover_ns: UtcNs
    balance_money: Money
    credit_money: Money
    orders_made: int
    positions: list[LedgerPosition]
    orders: list[LedgerOrder]
    history: list[LedgerOrder]
    history_utc_ns: list[UtcNs]
    deals: list[LedgerDeal]
    quotes: dict[str, tuple[Price, Price, UtcNs]]
