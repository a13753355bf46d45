"""Bars and ticks as the module's packed arrays, on the server's clock.

Promises: dtypes of 60 bytes a row; oldest first; the forming bar is the last row and holds only what has been seen; nothing after
now. Columns are converted once and sliced, of a long recording the stretch that is asked for and what follows it. Timeframes
without columns of their own are put together on the server's grid.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from quarterdeck.core.brokers.simulator.market_source import MarketSource
from quarterdeck.core.brokers.simulator.module_constants import BASE_MINUTES, CONSTANTS
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S, S_PER_DAY, UtcNs

Array = npt.NDArray[Any]

RATES_DTYPE = np.dtype(
    [
        ("time", "<i8"), ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"),
        ("tick_volume", "<u8"), ("spread", "<i4"), ("real_volume", "<u8"),
    ]
)  # fmt: skip
TICKS_DTYPE = np.dtype(
    [
        ("time", "<i8"), ("bid", "<f8"), ("ask", "<f8"), ("last", "<f8"), ("volume", "<u8"),
        ("time_msc", "<i8"), ("flags", "<u4"), ("volume_real", "<f8"),
    ]
)  # fmt: skip

NATIVE: dict[int, str] = {1: "M1", 5: "M5", 15: "M15", CONSTANTS["TIMEFRAME_H1"]: "H1"}
_BASES = ("H1", "M15", "M5", "M1")
_BASE_S = {"H1": 3_600, "M15": 900, "M5": 300, "M1": 60}
_WEEK, _MONTH = CONSTANTS["TIMEFRAME_W1"], CONSTANTS["TIMEFRAME_MN1"]
TIMEFRAMES = (*BASE_MINUTES, _WEEK, _MONTH)
_ROWS_AHEAD = 4_096
"""Rows converted beyond those asked for: a replay asks for the next one again and again."""
TICK_FLAGS_BOTH = CONSTANTS["TICK_FLAG_BID"] | CONSTANTS["TICK_FLAG_ASK"]


class RateArrays:
    """Rates and ticks of a market for one terminal."""

    def __init__(self, market: MarketSource, clock: SimulatedServerClock) -> None:
        """`clock` gives the stamps."""
        self._market = market
        self._clock = clock
        self.priced_as: dict[str, str] = {}
        """The market's own symbol behind each name that it does not know itself."""
        self._made: dict[tuple[str, str], tuple[int, int, Array]] = {}
        """By symbol and timeframe: the columns' version, the first row, and the rows from it on."""

    def rates(self, symbol: str, timeframe: int, now_utc_ns: UtcNs, last: int | None = None) -> Array | None:
        """Bars of a timeframe seen until now, the forming one last; None where the market has none. Read only.

        `last` bounds how many of the newest rows are wanted; more may come.
        """
        name = NATIVE.get(timeframe)
        if name is not None:
            return self.native(symbol, name, now_utc_ns, last)
        for base in _BASES:
            if timeframe in (_WEEK, _MONTH) or BASE_MINUTES[timeframe] * 60 % _BASE_S[base] == 0:
                finer = self.native(symbol, base, now_utc_ns)
                if finer is not None:
                    return _coarser(finer, timeframe)
        return None

    def native(self, symbol: str, name: str, now_utc_ns: UtcNs, last: int | None = None) -> Array | None:
        """As `rates` for M1, M5, M15 and H1; `last` bounds how many of the newest rows are wanted."""
        symbol = self.priced_as.get(symbol, symbol)
        columns = self._market.columns(symbol, name)
        if columns is None:
            return None
        count = self._market.reached(symbol, name, now_utc_ns)
        first = 0 if last is None else max(0, count - last)
        made = self._converted(symbol, name, columns, first, count)
        forming = self._market.forming(symbol, name, now_utc_ns)
        if forming is None or count == 0:
            return made
        rows = made.copy()
        rows[-1] = (rows[-1]["time"], *forming[1:], 0)
        return rows

    def ticks(self, symbol: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs, now_utc_ns: UtcNs, count: int | None = None) -> Array:
        """Quotes of a span, at most `count` from its beginning."""
        found = self._market.ticks(self.priced_as.get(symbol, symbol), from_utc_ns, to_utc_ns, now_utc_ns)
        rows = slice(0, count)
        at = found.at_utc_ns[rows]
        made = np.zeros(len(at), dtype=TICKS_DTYPE)
        seconds = self._clock.server_s_column(at)
        made["time"] = seconds
        made["time_msc"] = seconds * 1_000 + at // NS_PER_MS % 1_000
        made["bid"], made["ask"] = found.bid[rows], found.ask[rows]
        if len(made):
            changed = 2 * (np.diff(made["bid"]) != 0) + 4 * (np.diff(made["ask"]) != 0)
            made["flags"] = np.concatenate(([TICK_FLAGS_BOTH], changed))
        return made

    def set_clock(self, clock: SimulatedServerClock) -> None:
        """Stamp anew by another clock."""
        self._clock = clock
        self._made.clear()

    def _converted(self, symbol: str, name: str, columns: Candles, first: int, end: int) -> Array:
        """Rows [first, end)."""
        version = self._market.version(symbol, name)
        known = self._made.get((symbol, name))
        if known is None or known[0] != version or first < known[1] or end > known[1] + len(known[2]):
            known = self._made[symbol, name] = (version, first, self._stamped(columns[first : end + _ROWS_AHEAD]))
        return known[2][first - known[1] : end - known[1]]

    def _stamped(self, columns: Candles) -> Array:
        made = np.zeros(len(columns), dtype=RATES_DTYPE)
        made["time"] = self._clock.server_s_column(columns.open_utc_ns)
        for field in ("open", "high", "low", "close", "tick_volume"):
            made[field] = getattr(columns, field)
        made["spread"] = columns.spread_points
        made.flags.writeable = False
        return made


def day_range(arrays: RateArrays, spec: Instrument, now_utc_ns: UtcNs) -> tuple[float, float, float]:
    """(high, low, open) of the bid on the server's day; zeros without bars."""
    bars = arrays.native(spec.symbol, "M15", now_utc_ns, last=S_PER_DAY // 900)
    if bars is None or not len(bars):
        return (0.0, 0.0, 0.0)
    today = bars[bars["time"] // S_PER_DAY == bars["time"][-1] // S_PER_DAY]
    return (float(today["high"].max()), float(today["low"].min()), float(today["open"][0]))


def _coarser(bars: Array, timeframe: int) -> Array:
    if not len(bars):
        return bars
    keys = _grid(bars["time"], timeframe)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    ends = np.concatenate((starts[1:], [len(bars)])) - 1
    made = np.zeros(len(starts), dtype=RATES_DTYPE)
    made["time"] = keys[starts]
    made["open"], made["close"] = bars["open"][starts], bars["close"][ends]
    made["high"] = np.maximum.reduceat(bars["high"], starts)
    made["low"] = np.minimum.reduceat(bars["low"], starts)
    made["tick_volume"] = np.add.reduceat(bars["tick_volume"], starts)
    made["spread"] = np.minimum.reduceat(bars["spread"], starts)
    return made


def _grid(seconds: Array, timeframe: int) -> Array:
    if timeframe == _WEEK:
        # weeks open on Sunday; the epoch was a Thursday
        days = seconds // S_PER_DAY
        sundays: Array = (days - (days + 4) % 7) * S_PER_DAY
        return sundays
    if timeframe == _MONTH:
        months = (seconds * NS_PER_S).astype("datetime64[ns]").astype("datetime64[M]")
        first: Array = months.astype("datetime64[s]").astype(np.int64)
        return first
    period = BASE_MINUTES[timeframe] * 60
    slots: Array = seconds // period * period
    return slots


def server_date(server_s: int) -> str:
    """The server's date as `2024.07.01`."""
    return datetime.fromtimestamp(server_s, UTC).strftime("%Y.%m.%d")
