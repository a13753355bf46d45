"""Names for the numbers of the trade, so that a signature says what it takes.

Aliases, not new types: arithmetic stays plain floats. The unit is in the name as well (`_price`, `_points`, `_pips`,
`_lots`, `_money`, `_pct`, `_fraction`, `_r`, `_utc_ns`); docs/architecture.md lists the suffixes.
"""

from __future__ import annotations

from typing import TypeAlias

Price: TypeAlias = float
"""Absolute price in quote currency."""
PriceDistance: TypeAlias = float
"""A distance in price, quote currency."""
Points: TypeAlias = float
"""Broker's points: `Instrument.point` each."""
Pips: TypeAlias = float
"""Trader's pips: `Instrument.pip` each."""
Lots: TypeAlias = float
"""Volume in lots."""
Money: TypeAlias = float
"""An amount in the account currency unless the name says another."""
UtcNs: TypeAlias = int
"""An instant: nanoseconds since 1970-01-01 UTC."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
S_PER_MINUTE = 60
S_PER_HOUR = 3_600
S_PER_DAY = 86_400
M15_NS = 15 * S_PER_MINUTE * NS_PER_S
H1_NS = S_PER_HOUR * NS_PER_S
DAY_NS = S_PER_DAY * NS_PER_S
