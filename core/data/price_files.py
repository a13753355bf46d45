"""Which file holds which pair and period, and its series; parsed files are kept while they do not change.

Names: `EURUSD_M15.csv.gz`, `EURUSD_M1_2025.csv.gz`, `GBPUSD_ticks_2025-09.csv`, `EURUSD_M15.npz` (our own store). The pair
stands first, the period is a part of its own between underscores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from quarterdeck.core.data import price_store
from quarterdeck.core.data.csv_table import BAR_COLUMNS, PriceTable, read_table
from quarterdeck.core.data.series import PERIODS, BarSeries, Period, Series, TickSeries, candles_of, point_price
from quarterdeck.core.data.table_checks import check_bars, check_finite, check_order
from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.model.errors import DataError

_PAIR = re.compile(r"^[A-Z0-9.#]{6,12}$")
_KEPT_FILES = 16


class PriceFile(NamedTuple):
    """A file by what its name says."""

    path: Path
    symbol: str
    period: Period


def price_files(folder: Path) -> tuple[PriceFile, ...]:
    """The price files that lie in a folder, by name.

    Raises:
        DataError: when the folder is missing, or holds no price file; then it says where some are.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", what_to_do="name a folder of candle files")
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}", what_to_do="check its rights") from error
    found = tuple(item for item in map(price_file, paths) if item is not None)
    if not found:
        below = [path.name for path in paths if path.is_dir() and any(price_file(inner) for inner in path.iterdir())]
        hint = f"name one of its folders: {', '.join(below)}" if below else "files are named like EURUSD_M15.csv.gz"
        raise DataError(f"{folder}: holds no candle files", what_to_do=hint)
    return found


def price_file(path: Path) -> PriceFile | None:
    """What a file's name says, or None when it is no name of ours."""
    name = path.name
    stem = next((name.removesuffix(end) for end in (".csv.gz", ".csv", ".npz") if name.endswith(end)), None)
    if stem is None:
        return None
    symbol, *parts = stem.split("_")
    period = next((period for period in PERIODS for part in parts if part.lower() == period.lower()), None)
    if period is None or not _PAIR.match(symbol.upper()):
        return None
    return PriceFile(path, symbol.upper(), period)


def read_series(file: PriceFile) -> Series:
    """The checked series of one file; the last few are kept as long as the file on disk stays the same.

    Raises:
        DataError: naming file, line and remedy.
    """
    try:
        state = file.path.stat()
    except OSError as error:
        raise DataError(
            f"{file.path}: cannot be read: {error.strerror or error}", what_to_do="check its name and rights"
        ) from error
    return _parsed(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=_KEPT_FILES)
def _parsed(file: PriceFile, mtime_ns: int, size: int) -> Series:
    del mtime_ns, size  # they only say whether what is kept still stands for the file
    if file.path.suffix == ".npz":
        return price_store.read(file.path, file.symbol, file.period)
    return series_of(read_table(file.path), file)


def series_of(table: PriceTable, file: PriceFile) -> Series:
    """A table as a checked series. Raises DataError naming file, line and remedy."""
    ticks = "bid" in table.columns
    if ticks != (file.period == "ticks"):
        kind = "ticks" if ticks else "bars"
        raise DataError(f"{file.path}: holds {kind}, its name says {file.period}", what_to_do="rename it")
    check_finite(table)
    check_order(table, ticks=ticks)
    if ticks:
        ask, note = _raised(table.columns["bid"], table.columns["ask"])
        return TickSeries(
            symbol=file.symbol,
            at_utc_ns=_frozen(table.stamps_utc_ns),
            bid=_frozen(table.columns["bid"]),
            ask=_frozen(ask),
            files=(file.path,),
            notes=_notes(file, note, "ticks"),
        )
    return _two_sided(table, file) if "bid_open" in table.columns else _one_sided(table, file)


def merged(series: Sequence[Series]) -> Series:
    """Series of one pair and period as one: the earlier named wins, a later one serves before its first row, after its last."""
    result = series[0]
    for item in series[1:]:
        before = item.between(-(2**62), result.first_utc_ns)
        after = item.between(result.end_utc_ns, 2**62)
        for part in (before, after):
            if len(part):
                result = _joined(*((part, result) if part.first_utc_ns < result.first_utc_ns else (result, part)))
    return result


def _joined(left: Series, right: Series) -> Series:
    files, notes = (*left.files, *right.files), (*left.notes, *right.notes)
    if isinstance(left, TickSeries) and isinstance(right, TickSeries):
        at, bid, ask = (
            np.concatenate(pair) for pair in ((left.at_utc_ns, right.at_utc_ns), (left.bid, right.bid), (left.ask, right.ask))
        )
        return TickSeries(symbol=left.symbol, at_utc_ns=_frozen(at), bid=_frozen(bid), ask=_frozen(ask), files=files, notes=notes)
    if not (isinstance(left, BarSeries) and isinstance(right, BarSeries)):
        raise DataError(f"{right.files[0]}: bars and ticks of one name", what_to_do="rename it")
    both_asks = left.ask is not None and right.ask is not None
    return BarSeries(
        symbol=left.symbol,
        timeframe=left.timeframe,
        bid=_stacked(left.bid, right.bid),
        ask=_stacked(cast(Candles, left.ask), cast(Candles, right.ask)) if both_asks else None,
        spread_known=left.spread_known and right.spread_known,
        files=files,
        notes=notes,
    )


def _stacked(left: Candles, right: Candles) -> Candles:
    return Candles(*(np.concatenate((getattr(left, name), getattr(right, name))) for name in _CANDLE_COLUMNS))


_CANDLE_COLUMNS = ("open_utc_ns", *BAR_COLUMNS, "tick_volume", "spread_points")


def _one_sided(table: PriceTable, file: PriceFile) -> BarSeries:
    check_bars(table, file.period)
    columns = table.columns
    spread = columns.get("spread_points")
    volume = columns.get("tick_volume")
    return BarSeries(
        symbol=file.symbol,
        timeframe=file.period,
        bid=candles_of(table.stamps_utc_ns, [columns[name] for name in BAR_COLUMNS], volume, spread),
        spread_known=spread is not None,
        files=(file.path,),
    )


def _two_sided(table: PriceTable, file: PriceFile) -> BarSeries:
    columns = table.columns
    raised = 0
    asks: list[FloatArray] = []
    for name in BAR_COLUMNS:
        ask, count = _raised(columns[f"bid_{name}"], columns[f"ask_{name}"])
        asks.append(ask)
        raised = max(raised, count)
    check_bars(table, file.period, "bid_")
    opened, high, low, close = asks
    high, low = np.maximum.reduce((opened, high, close)), np.minimum.reduce((opened, low, close))
    points = np.minimum(opened - columns["bid_open"], close - columns["bid_close"]) / point_price(file.symbol)
    spread = np.maximum(np.rint(points), 0.0)
    return BarSeries(
        symbol=file.symbol,
        timeframe=file.period,
        bid=candles_of(table.stamps_utc_ns, [columns[f"bid_{name}"] for name in BAR_COLUMNS], None, spread),
        ask=Candles(table.stamps_utc_ns, opened, high, low, close),
        spread_known=True,
        files=(file.path,),
        notes=_notes(file, raised, "bars"),
    )


def _raised(bid: FloatArray, ask: FloatArray) -> tuple[FloatArray, int]:
    """An ask that never lies under its bid, and in how many rows it did: some feeds sample the two sides apart."""
    count = int(np.count_nonzero(ask < bid))
    return (np.maximum(bid, ask), count) if count else (ask, 0)


def _notes(file: PriceFile, count: int, what: str) -> tuple[str, ...]:
    return (f"{file.path.name}: {count} {what} with the ask under the bid, taken as no spread",) if count else ()


def _frozen(column: Any) -> Any:
    view = column.view()
    view.flags.writeable = False
    return view
