"""What files of prices become: bars with bid (and ask, where the file has its own), ticks, and a recording of several pairs.

Promises: columns are read-only, strictly increasing (ticks: never decreasing) and finite; stamps are UTC nanoseconds, bars are
stamped with their open and lie on the grid of their timeframe.
Does not: mix feeds. Which series is used at which moment is decided where the market is made (`core.brokers.simulator`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.currencies import quote_decimals
from quarterdeck.core.model.market_data import TIMEFRAME_NS
from quarterdeck.core.model.units import DAY_NS, H1_NS, M15_NS, UtcNs

Period = Literal["ticks", "M1", "M5", "M15", "M30", "H1", "H4", "D1"]
PERIODS: tuple[Period, ...] = ("ticks", "M1", "M5", "M15", "M30", "H1", "H4", "D1")
"""Finest first. What is coarser than H1 is kept and listed, never traded on."""
PERIOD_NS: dict[str, int] = {**TIMEFRAME_NS, "M30": 2 * M15_NS, "H4": 4 * H1_NS, "D1": DAY_NS}


class BarSeries(Struct, frozen=True, kw_only=True):
    """Bars of one pair and timeframe from one feed."""

    symbol: str
    timeframe: Period
    bid: Candles
    ask: Candles | None = None
    """Ask prices of the same rows, where the files have their own."""
    spread_known: bool = False
    """The files say what the spread was: as a column, or as an ask of their own."""
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first_utc_ns(self) -> UtcNs:
        """Open of the first bar."""
        return int(self.bid.open_utc_ns[0])

    @property
    def end_utc_ns(self) -> UtcNs:
        """End of the last bar."""
        return int(self.bid.open_utc_ns[-1]) + PERIOD_NS[self.timeframe]

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.bid)

    def between(self, start_utc_ns: UtcNs, end_utc_ns: UtcNs) -> BarSeries:
        """The bars that open in [start, end), without copying."""
        low, high = np.searchsorted(self.bid.open_utc_ns, (start_utc_ns, end_utc_ns))
        rows = slice(int(low), int(high))
        return BarSeries(
            symbol=self.symbol,
            timeframe=self.timeframe,
            bid=self.bid[rows],
            ask=None if self.ask is None else self.ask[rows],
            spread_known=self.spread_known,
            files=self.files,
            notes=self.notes,
        )


class TickSeries(Struct, frozen=True, kw_only=True):
    """Quotes of one pair from one feed."""

    symbol: str
    at_utc_ns: IntArray
    bid: FloatArray
    ask: FloatArray
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    timeframe: Literal["ticks"] = "ticks"

    @property
    def first_utc_ns(self) -> UtcNs:
        """Instant of the first quote."""
        return int(self.at_utc_ns[0])

    @property
    def end_utc_ns(self) -> UtcNs:
        """The nanosecond after the last quote."""
        return int(self.at_utc_ns[-1]) + 1

    def __len__(self) -> int:
        """Number of quotes."""
        return len(self.at_utc_ns)

    def between(self, start_utc_ns: UtcNs, end_utc_ns: UtcNs) -> TickSeries:
        """The quotes in [start, end), without copying."""
        low, high = np.searchsorted(self.at_utc_ns, (start_utc_ns, end_utc_ns))
        rows = slice(int(low), int(high))
        return TickSeries(
            symbol=self.symbol,
            at_utc_ns=self.at_utc_ns[rows],
            bid=self.bid[rows],
            ask=self.ask[rows],
            files=self.files,
            notes=self.notes,
        )


Series = BarSeries | TickSeries


class PairData(Struct, frozen=True, kw_only=True):
    """All that was recorded of one pair, finest first, from the first bar of warm-up to the end of the range."""

    symbol: str
    series: tuple[Series, ...]

    @property
    def spread_known(self) -> bool:
        """Every series says what the spread was."""
        return all(isinstance(item, TickSeries) or item.spread_known for item in self.series)

    def find(self, period: Period) -> Series | None:
        """The series of one period, if there is one."""
        return next((item for item in self.series if item.timeframe == period), None)


class Recording(Struct, frozen=True, kw_only=True):
    """What a replay or a backtest runs on: the traded pairs in the order asked for, and the pairs that convert to the account."""

    pairs: tuple[PairData, ...]
    conversions: tuple[PairData, ...]
    from_utc_ns: UtcNs
    to_utc_ns: UtcNs
    """First instant after the range."""
    notes: tuple[str, ...] = ()


def candles_of(
    stamps_utc_ns: npt.ArrayLike,
    prices: Sequence[npt.ArrayLike],
    tick_volume: npt.ArrayLike | None = None,
    spread_points: npt.ArrayLike | None = None,
) -> Candles:
    """Candles from stamps and the four columns open, high, low, close."""
    opened, high, low, close = prices
    return Candles(stamps_utc_ns, opened, high, low, close, tick_volume, spread_points)


def quarter_opens(series: Series) -> IntArray:
    """Opens of the quarter hours in which a series has data, increasing."""
    stamps = series.at_utc_ns if isinstance(series, TickSeries) else series.bid.open_utc_ns
    opens: IntArray = np.unique(stamps // M15_NS * M15_NS) if len(stamps) else stamps
    return opens


def price_decimals(symbol: str) -> int:
    """Decimals that prices of a pair can mean: a tenth of a point; what lies behind is noise of a conversion."""
    return max(quote_decimals(symbol[:3], symbol[3:6]) + 1, 3)


def point_price(symbol: str) -> float:
    """The size of a point in the recorded spreads of a pair: 0.001 for yen quotes, 0.01 for gold, mostly 0.00001."""
    return round(10.0 ** -quote_decimals(symbol[:3], symbol[3:6]), 5)
