"""What is wrong with a file of prices, all of it, as a table with a verdict.

Promises: every check runs whatever the others find; each row has a count, the first example and how grave it is. Checks: order,
doubles, prices, OHLC, grid, weekend bars, gaps, lone wicks, spread. Does not: repair (`core.data.importing`).
Gaps: bars missing between Sunday 17:00 and Friday 17:00 New York (gold pauses an hour a day); a trading day with more than 30 %
missing counts as a holiday and not as gaps, and three or more such days in a row without any bar as days that are missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, local_s
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.data.csv_table import PriceTable, read_table
from quarterdeck.core.data.price_files import PriceFile, price_file, read_series
from quarterdeck.core.data.series import PERIOD_NS, Series, TickSeries
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR

Grade = Literal["fine", "note", "flaw", "fatal"]
Mask = npt.NDArray[np.bool_]
_HOLIDAY_SHARE = 0.3
_WICK_X_RANGE = 15.0
_RANGE_ROWS = 48
_HOUR_NS = S_PER_HOUR * NS_PER_S
_GAPS_FLAW_SHARE = 0.02
_LONG_GAP_NS = 600 * NS_PER_S
_DAYS_GAP_NS = 4 * S_PER_DAY * NS_PER_S
"""Longer than a weekend with a holiday beside it."""
_DAYS_GONE = 3
_PERCENTILES = (5, 50, 95, 99, 100)


class FileFinding(Struct, frozen=True, kw_only=True):
    """One check: how often it struck, the first place, how grave it is."""

    check: str
    count: int
    example: str
    grade: Grade


class FileReport(Struct, frozen=True, kw_only=True):
    """A file's checks and the verdict on it."""

    path: Path
    symbol: str
    period: str
    rows: int
    first: str
    last: str
    findings: tuple[FileFinding, ...]

    @property
    def verdict(self) -> Literal["good", "usable", "bad"]:
        """`bad` cannot be traded on, `usable` has flaws to know of."""
        grades = [finding.grade for finding in self.findings if finding.count]
        return "bad" if "fatal" in grades else "usable" if "flaw" in grades else "good"


def verify(path: Path) -> FileReport:
    """All checks on one file.

    Raises:
        DataError: when it cannot be read as a table at all, or its name tells no pair and period.
    """
    file = price_file(path)
    if file is None:
        raise DataError(f"{path}: the file name contains no pair and period", what_to_do="name it like EURUSD_M15.csv.gz")
    if path.suffix == ".npz":
        stamps, columns = _columns_of(read_series(file))
    else:
        table: PriceTable = read_table(path)
        stamps, columns = table.stamps_utc_ns, table.columns
    findings = _tick_findings(stamps, columns) if file.period == "ticks" else _bar_findings(file, stamps, columns)
    return FileReport(
        path=path,
        symbol=file.symbol,
        period=file.period,
        rows=len(stamps),
        first=iso(int(stamps.min())),
        last=iso(int(stamps.max())),
        findings=tuple(findings),
    )


def _columns_of(series: Series) -> tuple[IntArray, dict[str, FloatArray]]:
    if isinstance(series, TickSeries):
        return series.at_utc_ns, {"bid": series.bid, "ask": series.ask}
    parts = ("open", "high", "low", "close")
    columns = {part: getattr(series.bid, part) for part in parts}
    if series.ask is not None:
        columns = {f"bid_{part}": columns[part] for part in parts}
        columns |= {f"ask_{part}": getattr(series.ask, part) for part in parts}
    elif series.spread_known:
        columns["spread_points"] = series.bid.spread_points.astype(np.float64)
    return series.bid.open_utc_ns, columns


def _bar_findings(file: PriceFile, stamps: IntArray, columns: dict[str, FloatArray]) -> list[FileFinding]:
    period_ns = PERIOD_NS[file.period]
    prefix = "bid_" if "bid_open" in columns else ""
    opened, high, low, close = (columns[prefix + part] for part in ("open", "high", "low", "close"))
    steps = np.diff(stamps)
    wall = _new_york_s(stamps)
    findings = [
        _finding("out of order", np.append(False, steps < 0), stamps, "fatal"),
        _finding("a second time", np.append(False, steps == 0), stamps, "fatal"),
        _finding("no price", ~_all_prices(columns), stamps, "fatal"),
        _finding("high or low does not hold the bar", _misheld(opened, high, low, close), stamps, "fatal"),
        _finding("off the grid", stamps % min(period_ns, _HOUR_NS) != 0, stamps, "fatal"),
        _finding("in the weekend", _in_weekend(wall), stamps, "flaw"),
        _finding("no movement", high == low, stamps, "note"),
        _finding("lone wick", _lone_wicks(opened, high, low, close), stamps, "flaw" if period_ns >= M15_NS else "note"),
    ]
    if prefix:
        crossed = (columns["ask_close"] < close) | (columns["ask_open"] < opened)
        findings.append(_finding("ask under bid", crossed, stamps, "note"))
        spread = columns["ask_close"] - close
        findings.append(_spread(spread / 10.0 ** -_decimals(close), "spread"))
    elif "spread_points" in columns:
        findings.append(_finding("negative spread", columns["spread_points"] < 0, stamps, "fatal"))
        findings.append(_spread(columns["spread_points"], "spread"))
    else:
        findings.append(FileFinding(check="spread", count=len(stamps), example="the file has none", grade="note"))
    if period_ns <= _HOUR_NS:
        findings.extend(_gaps(file.symbol, np.unique(stamps), period_ns))
    return findings


def _tick_findings(stamps: IntArray, columns: dict[str, FloatArray]) -> list[FileFinding]:
    bid, ask = columns["bid"], columns["ask"]
    steps = np.diff(stamps)
    order = np.lexsort((ask, bid, stamps))
    same = np.zeros(len(stamps), np.bool_)
    same[order[1:]] = (np.diff(stamps[order]) == 0) & (np.diff(bid[order]) == 0) & (np.diff(ask[order]) == 0)
    return [
        _finding("out of order", np.append(False, steps < 0), stamps, "fatal"),
        _finding("the same tick again", same, stamps, "note"),
        _finding("no price", ~_all_prices({"bid": bid, "ask": ask}), stamps, "fatal"),
        _finding("ask under bid", ask < bid, stamps, "note"),
        _finding("in the weekend", _in_weekend(_new_york_s(stamps)), stamps, "flaw"),
        _finding("no tick for ten minutes", np.append(False, steps > _LONG_GAP_NS), stamps, "note"),
        _finding("no tick for days before it", np.append(False, steps > _DAYS_GAP_NS), stamps, "flaw"),
        _spread((ask - bid) / 10.0 ** -_decimals(bid), "spread"),
    ]


def _finding(check: str, struck: Mask, stamps: IntArray, grade: Grade) -> FileFinding:
    count = int(np.count_nonzero(struck))
    return FileFinding(check=check, count=count, example=iso(int(stamps[int(np.argmax(struck))])) if count else "", grade=grade)


def _all_prices(columns: dict[str, FloatArray]) -> Mask:
    prices = [column for name, column in columns.items() if name not in ("tick_volume", "volume", "spread_points", "flags")]
    good: Mask = np.all([np.isfinite(column) & (column > 0.0) for column in prices], axis=0)
    return good


def _misheld(opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> Mask:
    bad: Mask = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    return bad


def _lone_wicks(opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> Mask:
    """Wicks many times the usual range of the day that neither the body nor a neighbour shares."""
    spans = high - low
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(spans, (_RANGE_ROWS, 0), mode="edge")[:-1], _RANGE_ROWS)
    reach = _WICK_X_RANGE * np.median(windows, axis=1)
    around_high = np.maximum(np.append(high[0], high[:-1]), np.append(high[1:], high[-1]))
    around_low = np.minimum(np.append(low[0], low[:-1]), np.append(low[1:], low[-1]))
    up = high - np.maximum(np.maximum(opened, close), around_high)
    down = np.minimum(np.minimum(opened, close), around_low) - low
    lone: Mask = (reach > 0.0) & (np.maximum(up, down) > reach)
    return lone


def _spread(points: FloatArray, check: str) -> FileFinding:
    figures = np.percentile(points, _PERCENTILES) if len(points) else np.zeros(len(_PERCENTILES))
    words = ", ".join(
        f"{name} {figure:.0f}" for name, figure in zip(("5 %", "50 %", "95 %", "99 %", "most"), figures, strict=True)
    )
    return FileFinding(check=check, count=0, example=f"points: {words}", grade="fine")


def _decimals(prices: FloatArray) -> int:
    return 5 if np.nanmedian(prices) < 20.0 else 3 if np.nanmedian(prices) < 500.0 else 2


def _new_york_s(stamps: IntArray) -> IntArray:
    hours, back = np.unique(stamps // _HOUR_NS, return_inverse=True)
    ahead = np.array([local_s(int(hour) * _HOUR_NS, NEW_YORK) - int(hour) * S_PER_HOUR for hour in hours], np.int64)
    wall: IntArray = stamps // NS_PER_S + ahead[back]
    return wall


def _week_s(wall_s: IntArray) -> IntArray:
    return (wall_s + 4 * S_PER_DAY) % (7 * S_PER_DAY)


def _in_weekend(wall_s: IntArray) -> Mask:
    week = _week_s(wall_s)
    closed: Mask = (week < 17 * S_PER_HOUR) | (week >= 5 * S_PER_DAY + 17 * S_PER_HOUR)
    return closed


def _gaps(symbol: str, opens: IntArray, period_ns: int) -> list[FileFinding]:
    """Bars that should be there and are not, holidays apart."""
    wanted = np.arange(opens[0], opens[-1] + 1, period_ns, dtype=np.int64)
    wall = _new_york_s(wanted)
    inside = ~_in_weekend(wall)
    if symbol.startswith("XAU"):
        inside &= wall % S_PER_DAY // S_PER_HOUR != 17
    wanted, days = wanted[inside], (wall[inside] + 7 * S_PER_HOUR) // S_PER_DAY  # the trading day begins at 17:00
    missing = ~np.isin(wanted, opens, assume_unique=True)
    names, back, totals = np.unique(days, return_inverse=True, return_counts=True)
    lost = np.bincount(back, missing, minlength=len(names))
    gone = _in_a_row(lost == totals)
    holiday = (lost > _HOLIDAY_SHARE * totals) & ~gone
    gaps = missing & ~(holiday | gone)[back]
    share = np.count_nonzero(gaps) / max(len(wanted), 1)
    return [
        _finding("missing", gaps, wanted, "flaw" if share > _GAPS_FLAW_SHARE else "note"),
        _of_days("holidays", holiday, names, "note"),
        _of_days("whole days missing", gone, names, "flaw"),
    ]


def _in_a_row(empty: Mask) -> Mask:
    """Those of the days without a bar that are beside enough of their kind: no holiday is so long."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty, [False]))))
    row = np.zeros(len(empty), np.bool_)
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        row[start:end] = end - start >= _DAYS_GONE
    return row


def _of_days(check: str, struck: Mask, names: IntArray, grade: Grade) -> FileFinding:
    example = str(np.datetime64(int(names[int(np.argmax(struck))]), "D")) if struck.any() else ""
    return FileFinding(check=check, count=int(np.count_nonzero(struck)), example=example, grade=grade)
