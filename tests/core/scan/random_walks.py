"""Seeded random walks as candles, with holes, and the pieces that scans are tested with."""

from __future__ import annotations

import numpy as np

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import M15_NS

MONDAY_NS = 1_722_816_000 * 10**9


def instrument(symbol: str = "EURUSD") -> Instrument:
    yen = symbol.endswith("JPY")
    return Instrument(
        symbol=symbol,
        base_currency=symbol[:3],
        profit_currency=symbol[3:],
        margin_currency=symbol[:3],
        digits=3 if yen else 5,
        point=0.001 if yen else 0.00001,
        tick_size=0.001 if yen else 0.00001,
        pip=0.01 if yen else 0.0001,
        contract_size=100_000.0,
        volume_min_lots=0.01,
        volume_max_lots=100.0,
        volume_step_lots=0.01,
    )


def walk(seed: int, bars: int, *, holes: bool = True) -> Candles:
    """M15 candles of a walk with changing volatility; with holes, one bar in fifty and some hours are missing."""
    rng = np.random.default_rng(seed)
    volatility = 0.0004 * np.exp(0.8 * np.sin(np.arange(bars) / 37.0) + 0.3 * rng.standard_normal(bars))
    drift = 0.00006 * np.sign(np.sin(np.arange(bars) / 300.0))
    close = 1.1 + np.cumsum(drift + volatility * rng.standard_normal(bars))
    opened = np.concatenate(([1.1], close[:-1]))
    reach = volatility * rng.random((2, bars))
    stamps = MONDAY_NS + M15_NS * np.arange(bars, dtype=np.int64)
    kept = np.ones(bars, np.bool_)
    if holes:
        kept &= rng.random(bars) > 0.02
        for start in rng.integers(0, bars, 5):
            kept[start : start + rng.integers(4, 300)] = False
    columns = (stamps, opened, np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1], close)
    times, o, h, low, c = (column[kept] for column in columns)
    return Candles(times, o, h, low, c, rng.integers(1, 999, bars)[kept], rng.integers(0, 9, bars)[kept])
