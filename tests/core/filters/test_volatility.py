"""Volatility bounds: unknown is no calm."""

from __future__ import annotations

from quarterdeck.core.filters.volatility import atr_percentile, atr_price


def test_volatility_bounds() -> None:
    assert atr_price(0.00217, 1.085, max_fraction=0.002).passed
    assert not atr_price(0.00218, 1.085, max_fraction=0.002).passed
    assert not atr_price(0.0, 1.085, max_fraction=0.002).passed, "unknown is no calm"
    assert [ruling.passed for ruling in atr_percentile(4.9, min_pct=5.0, max_pct=98.0)] == [False, True]
    assert [ruling.passed for ruling in atr_percentile(98.1, min_pct=5.0, max_pct=98.0)] == [True, False]
