"""What is measured of a pair besides the strategy's figures: ATR(M15), ATR(H1), and the rank of ATR in the pair's past.

Promises: the rank is taken by one function over one fixed window of past values, live and in a backtest.
"""

from __future__ import annotations

import math

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.scan.plan import ATR_BARS, AtrFigures
from quarterdeck.core.strategy.indicators import atr
from quarterdeck.core.strategy.rolling import mean_true_range

_RANKED_ROWS_MIN = 480
"""A week of quarter hours; under that a rank says nothing."""
_MIDDLE_PCT = 50.0


def atr_m15(m15: Candles) -> FloatArray:
    """Wilder's ATR of M15 bars, in price."""
    return atr(m15.high, m15.low, m15.close, ATR_BARS)


def atr_h1(h1: Candles) -> FloatArray:
    """Plain mean of the last true ranges of H1 bars, in price: it needs few bars and forgets the rest."""
    return mean_true_range(h1, ATR_BARS)


def rank_pct(past: FloatArray) -> float:
    """Share of `past` that is not above its last value, 0..100; 50 while there is less than a week of it."""
    if len(past) < _RANKED_ROWS_MIN:
        return _MIDDLE_PCT
    return 100.0 * int(np.count_nonzero(past <= past[-1])) / len(past)


def atr_figures(atr_m15_price: float, atr_h1_price: float, past: FloatArray) -> AtrFigures:
    """The figures of one bar; `past` is ATR(M15)/price of the window that ends with it."""
    return atr_m15_price, 0.0 if math.isnan(atr_h1_price) else atr_h1_price, rank_pct(past)
