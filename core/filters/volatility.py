"""Volatility bounds: not too wild in absolute terms, and neither dead nor mad by the pair's own recent past."""

from __future__ import annotations

from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Price, PriceDistance


def atr_price(atr: PriceDistance, price: Price, *, max_fraction: float) -> FilterResult:
    """ATR(M15) as a share of price."""
    share = atr / price if price > 0.0 and atr > 0.0 else None
    passed = share is not None and share <= max_fraction
    return FilterResult(check=Check("atr_price", share, max_fraction, passed, "ATR(M15) as a share of price"))


def atr_percentile(rank_pct: float, *, min_pct: float, max_pct: float) -> tuple[FilterResult, FilterResult]:
    """Rank of ATR/price among the pair's own past, 0..100, against both bounds."""
    calm = Check("atr_calm", rank_pct, min_pct, rank_pct >= min_pct, "percentile of the pair's own past")
    wild = Check("atr_wild", rank_pct, max_pct, rank_pct <= max_pct, "percentile of the pair's own past")
    return FilterResult(check=calm), FilterResult(check=wild)
