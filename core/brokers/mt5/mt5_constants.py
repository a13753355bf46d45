"""The module's numbers, and the masks it does not export, under names of the trade.

Why: the module may live on another machine, and its Python build lacks the symbol masks; numbers are part of its protocol.
Source: the constants of build 5.0.6231; masks from the MQL5 reference (SYMBOL_FILLING_MODE, SYMBOL_ORDER_MODE).
"""

from __future__ import annotations

from typing import Final

ACTION_DEAL: Final = 1
ACTION_PENDING: Final = 5
ACTION_SLTP: Final = 6
ACTION_MODIFY: Final = 7
ACTION_REMOVE: Final = 8
ACTION_CLOSE_BY: Final = 10

ORDER_BUY: Final = 0
ORDER_SELL: Final = 1

FILLING_FOK: Final = 0
FILLING_IOC: Final = 1
FILLING_RETURN: Final = 2

MASK_FOK: Final = 1
MASK_IOC: Final = 2
MASK_BOC: Final = 4
"""Book-or-cancel, never RETURN."""

TIME_GTC: Final = 0

STATE_STARTED: Final = 0
STATE_PLACED: Final = 1
STATE_CANCELED: Final = 2
STATE_PARTIAL: Final = 3
STATE_FILLED: Final = 4
STATE_REJECTED: Final = 5
STATE_EXPIRED: Final = 6

DEAL_BUY: Final = 0
DEAL_SELL: Final = 1
DEAL_ENTRY_IN: Final = 0
DEAL_ENTRY_OUT: Final = 1

TRADE_MODE_DEMO: Final = 0
TRADE_MODE_CONTEST: Final = 1
TRADE_MODE_REAL: Final = 2

MARGIN_HEDGING: Final = 2
STOP_OUT_PERCENT: Final = 0

TIMEFRAMES: Final[dict[str, int]] = {"M1": 1, "M5": 5, "M15": 15, "H1": 16385}
"""The module's number of each timeframe the desk knows."""

TEXT_UNITS_MAX: Final = 29
"""UTF-16 units of a comment or symbol before the module refuses it without a retcode."""
COMMENT_MAX: Final = 25
"""What we allow ourselves: some servers cut earlier than the module."""
EPOCH_MAX_S: Final = 2_145_916_800
"""2038-01-01: the module keeps dates in 32 bits."""
