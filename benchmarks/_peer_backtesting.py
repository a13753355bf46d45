"""The peer's side of `benchmarks.peer`, run by the peer's own Python: the same cross as one strategy of backtesting.py, timed.

Run: `python _peer_backtesting.py BARS.npz`. Prints one line: bars, trades, CPU seconds of the run, indicators included.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

_RISK, _STOP_ATR, _TARGET_ATR = 0.01, 2.0, 3.0


def ema(values: Any, span: int) -> Any:
    """Exponential mean, seeded by the first value."""
    frame = import_module("pandas").Series(values)
    return frame.ewm(span=span, adjust=False).mean().to_numpy()


def wilder(values: Any, period: int) -> Any:
    """Wilder's mean."""
    return import_module("pandas").Series(values).ewm(alpha=1.0 / period, adjust=False).mean().to_numpy()


def rsi(close: Any, period: int) -> Any:
    """Wilder's relative strength."""
    change = np.diff(close, prepend=close[0])
    up, down = wilder(np.maximum(change, 0.0), period), wilder(np.maximum(-change, 0.0), period)
    return 100.0 * up / np.maximum(up + down, 1e-12)


def atr(high: Any, low: Any, close: Any, period: int) -> Any:
    """Average true range."""
    before = np.concatenate(([close[0]], close[:-1]))
    return wilder(np.maximum(high, before) - np.minimum(low, before), period)


def strategy(base: Any) -> Any:
    """EMA 20/50 cross, RSI 14 on its side, stop and target by ATR 14, one percent of equity at risk."""

    class Cross(base):  # type: ignore[misc] # the peer's class is not known here
        def init(self) -> None:
            data = self.data
            self.apart = self.I(lambda: ema(data.Close, 20) - ema(data.Close, 50))
            self.strength = self.I(rsi, data.Close, 14)
            self.reach = self.I(atr, data.High, data.Low, data.Close, 14)

        def next(self) -> None:
            if len(self.apart) < 1_000 or self.position:
                return
            now, before = self.apart[-1], self.apart[-2]
            side = (
                1
                if now > 0.0 >= before and self.strength[-1] > 50
                else -1
                if now < 0.0 <= before and self.strength[-1] < 50
                else 0
            )
            if not side:
                return
            close, reach = self.data.Close[-1], self.reach[-1]
            size = int(self.equity * _RISK / (_STOP_ATR * reach))
            order = self.buy if side > 0 else self.sell
            order(size=size, sl=close - side * _STOP_ATR * reach, tp=close + side * _TARGET_ATR * reach)

    return Cross


def main() -> int:
    """Time one run."""
    peer: Any = import_module("backtesting")
    pandas: Any = import_module("pandas")
    held = np.load(sys.argv[1])
    names = {"Open": "open", "High": "high", "Low": "low", "Close": "close"}
    frame = pandas.DataFrame({name: held[column] for name, column in names.items()}, index=pandas.to_datetime(held["at"]))
    bench = peer.Backtest(frame, strategy(peer.Strategy), cash=1_000_000, margin=1 / 30, commission=0.000035, spread=0.00006)
    began = time.process_time()
    stats = bench.run()
    spent = time.process_time() - began
    print(f"{len(frame)} {int(stats['# Trades'])} {spent:.4f} {peer.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
