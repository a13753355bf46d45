"""A scanner that finds something in almost every bar: simulated days want orders, not good ones.

Same seed, same pair, same bar: the same answer, however often and in whichever run it is asked.
"""

from __future__ import annotations

import random

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Bar, Side
from quarterdeck.core.model.signals import Features, NoSignal, Signal

NAME = "eager"


class EagerScanner:
    """Takes the place of the strategy; stops lie `stop_pips` away, targets twice as far."""

    def __init__(
        self,
        seed: int,
        pips: dict[str, float],
        *,
        share: float = 0.7,
        sides: dict[str, Side] | None = None,
        stop_pips: tuple[float, float] = (10.0, 20.0),
    ) -> None:
        """`pips` is the size of a pip a symbol; a share of all bars has a signal, to the sides given or to either."""
        self._seed = seed
        self._pips = pips
        self.share = share
        self._sides = sides or {}
        self._stop_pips = stop_pips

    def seed(self, symbol: str, candles_m15: Candles, candles_h1: Candles | None = None) -> None:
        """Needs no past."""

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """What it says of a closed bar."""
        drawn = random.Random(f"{self._seed}:{symbol}:{bar.open_utc_ns}")
        pip = self._pips[symbol]
        atr = 5.0 * pip
        features = Features(atr_m15_price=atr, atr_h1_price=2.0 * atr, regime="normal")
        if drawn.random() >= self.share:
            return NoSignal(symbol=symbol, strategy=NAME, strategy_hash=NAME, bar_open_utc_ns=bar.open_utc_ns, features=features)
        side = self._sides.get(symbol) or drawn.choice((Side.BUY, Side.SELL))
        stop = drawn.uniform(*self._stop_pips) * pip
        return Signal(
            symbol=symbol,
            strategy=NAME,
            strategy_hash=NAME,
            bar_open_utc_ns=bar.open_utc_ns,
            side=side,
            entry_price=bar.close,
            stop_price=bar.close - side * stop,
            target_price=bar.close + side * 2.5 * stop,
            confidence=drawn.uniform(0.8, 1.0),
            features=features,
        )
