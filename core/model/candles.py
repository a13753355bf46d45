"""Columns of closed candles, as strategies and backtests take them. Bars are bid prices, stamped with their open."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from quarterdeck.core.model.market_data import Bar

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Candles:
    """Columns of closed bars of one symbol and timeframe, oldest first; arrays are read-only and of equal length."""

    __slots__ = ("close", "high", "low", "open", "open_utc_ns", "spread_points", "tick_volume")

    def __init__(
        self,
        open_utc_ns: npt.ArrayLike,
        open: npt.ArrayLike,  # noqa: A002 - the trade's word for the column
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        tick_volume: npt.ArrayLike | None = None,
        spread_points: npt.ArrayLike | None = None,
    ) -> None:
        """Take columns as they are (no copy when they already have the right type) and lock them."""
        self.open_utc_ns: IntArray = _locked(open_utc_ns, np.int64)
        self.open: FloatArray = _locked(open, np.float64)
        self.high: FloatArray = _locked(high, np.float64)
        self.low: FloatArray = _locked(low, np.float64)
        self.close: FloatArray = _locked(close, np.float64)
        count = len(self.open_utc_ns)
        self.tick_volume: IntArray = _locked(np.zeros(count) if tick_volume is None else tick_volume, np.int64)
        self.spread_points: IntArray = _locked(np.zeros(count) if spread_points is None else spread_points, np.int64)

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.open_utc_ns)

    def __getitem__(self, rows: slice) -> Candles:
        """A window of the same columns, without copying."""
        return Candles(
            self.open_utc_ns[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.tick_volume[rows],
            self.spread_points[rows],
        )

    def bar(self, row: int) -> Bar:
        """One row as a `Bar` of plain Python numbers."""
        return Bar(
            open_utc_ns=int(self.open_utc_ns[row]),
            open=float(self.open[row]),
            high=float(self.high[row]),
            low=float(self.low[row]),
            close=float(self.close[row]),
            tick_volume=int(self.tick_volume[row]),
            spread_points=int(self.spread_points[row]),
        )


def floats(column: FloatArray) -> memoryview[float]:
    """A column to be read one number at a time, which is a third of the way through numpy; whole numbers have `.data`."""
    return cast("memoryview[float]", column.data)


def _locked(column: npt.ArrayLike, dtype: Any) -> Any:
    array = np.ascontiguousarray(column, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
