"""What a table must be before it may be traded on: in order, without doubles, finite, on the grid, with highs above lows.

Promises: the first offence is named with file, line, what is wrong and what to do. Does not: repair, or judge gaps and outliers
(`core.data.verify`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.core.data.csv_table import PriceTable
from quarterdeck.core.data.series import PERIOD_NS
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import H1_NS

_MEND = "`quarterdeck data import` sorts, removes doubles and leaves bad lines out; or take the line out"


def check_order(table: PriceTable, *, ticks: bool) -> None:
    """Raises DataError at the first stamp that is not after its predecessor (ticks: before it)."""
    steps = np.diff(table.stamps_utc_ns)
    bad = steps < 0 if ticks else steps <= 0
    if bad.any():
        row = int(np.argmax(bad)) + 1
        what = "the same time as the line before" if steps[row - 1] == 0 else "earlier than the line before"
        raise _bad(table, row, f"{what} ({_stamp(table.stamps_utc_ns, row)})")


def check_finite(table: PriceTable) -> None:
    """Raises DataError at the first price that is NaN, infinite or not above zero, or a volume or spread that is negative."""
    for name, column in table.columns.items():
        price = name not in ("tick_volume", "volume", "spread_points", "flags")
        good = np.isfinite(column) & (column > 0.0 if price else column >= 0.0)
        if not good.all():
            row = int(np.argmin(good))
            raise _bad(table, row, f"{name} is {column[row]:g}")


def check_bars(table: PriceTable, period: str, prefix: str = "") -> None:
    """Raises DataError at the first bar off the grid, or whose high or low does not hold its open and close."""
    grid_ns = min(PERIOD_NS[period], H1_NS)  # longer bars follow the days of their broker
    off = table.stamps_utc_ns % grid_ns != 0
    if off.any():
        row = int(np.argmax(off))
        raise _bad(table, row, f"{_stamp(table.stamps_utc_ns, row)} is no start of an {period} bar")
    opened, high, low, close = (table.columns[prefix + name] for name in ("open", "high", "low", "close"))
    good: npt.NDArray[np.bool_] = (high >= opened) & (high >= close) & (low <= opened) & (low <= close)
    if not good.all():
        row = int(np.argmin(good))
        prices = f"open {opened[row]:g} high {high[row]:g} low {low[row]:g} close {close[row]:g}"
        raise _bad(table, row, f"high or low does not hold the bar: {prefix}{prices}")


def _bad(table: PriceTable, row: int, what: str) -> DataError:
    return DataError(f"{table.path}: line {table.line(row)}: {what}", what_to_do=_MEND)


def _stamp(stamps: IntArray, row: int) -> str:
    return str(np.datetime64(int(stamps[row]), "ns").astype("datetime64[ms]")) + "Z"
