"""Our own store of prices: one columnar file per pair and period, `EURUSD_M15.npz`, under the home folder's `data/`.

Promises: a file is replaced whole or not at all; it is read without pickle; times are complete numbers, prices exact doubles.
What was recorded comes back bit for bit; spreads come in the pair's points, whichever point they were written in.
Does not: check prices again; nothing unchecked is written.
"""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from quarterdeck.core.data.series import BarSeries, Period, Series, TickSeries, candles_of, point_price
from quarterdeck.core.model.errors import DataError, StorageError
from quarterdeck.core.settings.safe_files import replace_file

_BAR_PARTS = ("open", "high", "low", "close")
_SAME_POINT = 1e-9
_AGAIN = "import or download it again"


def store_path(folder: Path, symbol: str, period: Period) -> Path:
    """Where a pair's bars of one period are in a store."""
    return folder / f"{symbol}_{period}.npz"


def write(folder: Path, series: Series) -> Path:
    """Put a series into the store in place of what was there, and return the file.

    Raises:
        StorageError: when the folder cannot be written.
    """
    path = store_path(folder, series.symbol, series.timeframe)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.savez_compressed(file, **_columns(series))
        replace_file(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StorageError(
            f"{path}: cannot be written: {error.strerror or error}", what_to_do="check space and rights"
        ) from error
    return path


def read(path: Path, symbol: str, period: Period) -> Series:
    """A series from the store.

    Raises:
        DataError: when the file is missing, damaged, or not one of ours.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            columns = {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read: {error}", what_to_do=_AGAIN) from error
    try:
        return _series(path, symbol, period, columns)
    except (KeyError, IndexError) as error:
        raise DataError(f"{path}: lacks the column {error}", what_to_do=_AGAIN) from error


def _columns(series: Series) -> dict[str, Any]:
    if isinstance(series, TickSeries):
        return {"at_utc_ns": series.at_utc_ns, "bid": series.bid, "ask": series.ask}
    bid = series.bid
    columns = {
        "open_utc_ns": bid.open_utc_ns,
        **{name: getattr(bid, name) for name in _BAR_PARTS},
        "tick_volume": bid.tick_volume,
    }
    if series.spread_known:
        columns["spread_points"] = bid.spread_points
        columns["point_price"] = np.float64(point_price(series.symbol))
    if series.ask is not None:
        columns |= {f"ask_{name}": getattr(series.ask, name) for name in _BAR_PARTS}
    return columns


def _series(path: Path, symbol: str, period: Period, columns: dict[str, Any]) -> Series:
    if period == "ticks":
        return TickSeries(symbol=symbol, at_utc_ns=columns["at_utc_ns"], bid=columns["bid"], ask=columns["ask"], files=(path,))
    stamps = columns["open_utc_ns"]
    asks = [columns[f"ask_{name}"] for name in _BAR_PARTS if f"ask_{name}" in columns]
    spread = columns.get("spread_points")
    if spread is not None:
        written = float(columns.get("point_price", _unsaid_point_price(symbol)))
        scale = written / point_price(symbol)
        spread = spread if abs(scale - 1.0) < _SAME_POINT else np.rint(spread * scale).astype(np.int64)
    ask = candles_of(stamps, asks) if asks else None
    return BarSeries(
        symbol=symbol,
        timeframe=period,
        bid=candles_of(stamps, [columns[name] for name in _BAR_PARTS], columns["tick_volume"], spread),
        ask=ask,
        spread_known=spread is not None,
        files=(path,),
    )


def _unsaid_point_price(symbol: str) -> float:
    """The point of spreads in a file that does not say: all were written so before files said it."""
    if symbol.startswith("XAU"):
        return 0.01
    return 0.001 if symbol[3:6] == "JPY" else 0.00001
