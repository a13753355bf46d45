"""What the scanner says about a pair and a closed bar: a candidate with its reasons, or none with the votes that decided it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import M15_NS, Price, UtcNs


class Check(Struct, frozen=True, gc=False):
    """One vote, filter, sizing step or cap: a number against a threshold, with a verdict an operator can read.

    There are dozens to a judgement, and they hold nothing that could hold them: the collector of cycles need not look.
    """

    name: str
    value: float | None
    threshold: float | None
    passed: bool
    note: str = ""


class Features(Struct, frozen=True, kw_only=True):
    """What the scanner measured at one closed M15 bar, besides the strategy's own votes; prices in quote currency."""

    atr_m15_price: Price = 0.0
    atr_h1_price: Price = 0.0
    atr_percentile_pct: float = 50.0
    """Rank of ATR(M15)/price among the pair's own last 60 days, 0..100."""
    regime: Literal["low", "normal", "high", "unknown"] = "unknown"
    h1_trend: Literal["up", "down", "flat", "unknown"] = "unknown"
    m15_state: str = ""


class Signal(Struct, frozen=True, kw_only=True, tag="signal"):
    """A candidate. Prices are bid; `stop_price` and `target_price` are where the strategy wants them, in bid."""

    symbol: str
    strategy: str
    strategy_hash: str
    bar_open_utc_ns: UtcNs
    side: Side
    entry_price: Price
    stop_price: Price
    target_price: Price
    confidence: float
    """0..1."""
    votes: tuple[Check, ...] = ()
    features: Features = Features()
    exit_now: bool = False
    """The strategy wants its open positions against `side` closed instead of an entry."""

    @property
    def id(self) -> str:
        """Strategy, pair, timeframe and bar time: traded at most once, across restarts and machines."""
        return f"{self.strategy}:{self.symbol}:M15:{self.bar_open_utc_ns // 1_000_000_000}"

    @property
    def bar_end_utc_ns(self) -> UtcNs:
        """The instant from which the signal's age counts."""
        return self.bar_open_utc_ns + M15_NS


INCOMPLETE_HISTORY = "incomplete history: "
"""How `NoSignal.withheld` begins where bars of the warm-up are missing; the desk takes no entries in that pair."""


class NoSignal(Struct, frozen=True, kw_only=True, tag="no_signal"):
    """The strategy looked at a closed bar and found nothing; the votes say why."""

    symbol: str
    strategy: str
    strategy_hash: str
    bar_open_utc_ns: UtcNs
    votes: tuple[Check, ...] = ()
    features: Features = Features()
    withheld: str = ""
    """Why nothing could be judged at all (warm-up, a strategy error, out of time); empty when it was judged."""
