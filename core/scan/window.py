"""The last bars of one pair in arrays that are made once: appending costs the same however long the engine runs."""

from __future__ import annotations

import numpy as np

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Bar

_SLACK_ROWS = 512
_PRICES = ("open", "high", "low", "close")


class BarWindow:
    """Keeps at least the last `rows` bars, oldest first."""

    def __init__(self, rows: int, past: Candles) -> None:
        """Begins with the end of `past`."""
        self.rows = rows
        capacity = rows + _SLACK_ROWS
        self._whole = np.zeros((3, capacity), np.int64)
        self._prices = np.zeros((len(_PRICES), capacity), np.float64)
        self._end = min(rows, len(past))
        if self._end:
            last = slice(len(past) - self._end, len(past))
            for line, column in enumerate((past.open_utc_ns, past.tick_volume, past.spread_points)):
                self._whole[line, : self._end] = column[last]
            for line, name in enumerate(_PRICES):
                self._prices[line, : self._end] = getattr(past, name)[last]

    def __len__(self) -> int:
        """Bars kept, at most `rows`."""
        return min(self._end, self.rows)

    @property
    def last_open_utc_ns(self) -> int:
        """Open of the newest bar; far in the past while there is none."""
        return int(self._whole[0, self._end - 1]) if self._end else -(2**62)

    def append(self, bar: Bar) -> None:
        """Add a bar that is later than all others."""
        if self._end == self._whole.shape[1]:
            kept = slice(self._end - self.rows, self._end)
            self._whole[:, : self.rows] = self._whole[:, kept].copy()
            self._prices[:, : self.rows] = self._prices[:, kept].copy()
            self._end = self.rows
        self._whole[:, self._end] = (bar.open_utc_ns, bar.tick_volume, bar.spread_points)
        self._prices[:, self._end] = (bar.open, bar.high, bar.low, bar.close)
        self._end += 1

    def candles(self) -> Candles:
        """The last `rows` bars; valid until the next `append`."""
        rows = slice(max(0, self._end - self.rows), self._end)
        times, volume, spread = (line[rows] for line in self._whole)
        opened, high, low, close = (line[rows] for line in self._prices)
        return Candles(times, opened, high, low, close, volume, spread)
