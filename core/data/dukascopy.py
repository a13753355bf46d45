"""Dukascopy's own formats: hours of ticks as `bi5` (LZMA, 20-byte records) and the delta-coded JSON of its newer feed. All UTC.

Rules: the path of an hour is `SYMBOL/YYYY/MM/DD/HHh_ticks.bi5` with the month counted from zero; a record is milliseconds
since the hour, ask, bid (whole points), two volumes, big-endian. An empty file is an hour without ticks.
"""

from __future__ import annotations

import json
import lzma
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quarterdeck.core.data.csv_table import read_text
from quarterdeck.core.data.json_tables import json_value
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.currencies import METALS, pair_range, quote_decimals
from quarterdeck.core.model.errors import UNREADABLE, DataError
from quarterdeck.core.model.units import NS_PER_MS, NS_PER_S

_HOUR_PATH = re.compile(r"([A-Za-z]{6})/(\d{4})/(\d{2})/(\d{2})/(\d{2})h_ticks\.bi5$")
_RECORD = np.dtype([("ms", ">u4"), ("ask", ">u4"), ("bid", ">u4"), ("ask_volume", ">f4"), ("bid_volume", ">f4")])
_HOUR_MS = 3_600_000
_AGAIN = "fetch the file again"


class TickBatch(NamedTuple):
    """Columns of ticks, UTC."""

    at_utc_ns: IntArray
    bid: FloatArray
    ask: FloatArray


def hour_path(symbol: str, hour_utc: datetime) -> str:
    """Where an hour of ticks stands, below the feed's root and below a folder of fetched files alike."""
    return f"{symbol}/{hour_utc:%Y}/{hour_utc.month - 1:02d}/{hour_utc:%d}/{hour_utc:%H}h_ticks.bi5"


def hour_of_path(path: Path) -> tuple[str, datetime]:
    """Symbol and hour that a bi5 file's path names. Raises DataError when it names none."""
    match = _HOUR_PATH.search(path.as_posix())
    try:
        if match is not None:
            symbol, year, month, day, hour = match.groups()
            return symbol.upper(), datetime(int(year), int(month) + 1, int(day), int(hour), tzinfo=UTC)
    except ValueError:
        pass
    raise DataError(
        f"{path}: a bi5 file's hour is in its path, SYMBOL/YYYY/MM/DD/HHh_ticks.bi5, months from 00",
        what_to_do="keep the folders that the feed gives it",
    )


def read_bi5(path: Path) -> TickBatch:
    """The ticks of one hour.

    Raises:
        DataError: when the file is damaged, or its path names no hour.
    """
    symbol, hour = hour_of_path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", what_to_do="check its name and rights") from error
    return decode_bi5(raw, symbol, hour, str(path))


def decode_bi5(raw: bytes, symbol: str, hour_utc: datetime, origin: str) -> TickBatch:
    """The ticks in the bytes of an hour; `origin` names them in errors. Raises DataError when they are damaged."""
    if not raw:
        return TickBatch(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    try:
        plain = lzma.decompress(raw)
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{origin}: damaged ({error})", what_to_do=_AGAIN) from error
    if len(plain) % _RECORD.itemsize:
        raise DataError(f"{origin}: cut off inside a tick", what_to_do=_AGAIN)
    ticks = np.frombuffer(plain, _RECORD)
    if (ticks["ms"] >= _HOUR_MS).any():
        raise DataError(f"{origin}: holds a tick outside its hour", what_to_do=_AGAIN)
    start_ns = int(hour_utc.timestamp()) * NS_PER_S
    per_price = _per_price(symbol, float(np.median(ticks["bid"])))
    return TickBatch(
        start_ns + ticks["ms"].astype(np.int64) * NS_PER_MS,
        ticks["bid"].astype(np.float64) / per_price,
        ticks["ask"].astype(np.float64) / per_price,
    )


def read_json(path: Path) -> TickBatch:
    """The ticks of one answer of the newer feed.

    Raises:
        DataError: when it is no such answer.
    """
    try:
        answer = json.loads(read_text(path))
        times, bids, asks = (np.array(answer[name], np.int64) for name in ("times", "bids", "asks"))
        start, multiplier, bid, ask = (answer[name] for name in ("timestamp", "multiplier", "bid", "ask"))
        per_price = round(1.0 / float(multiplier))
        points = [np.cumsum(steps) + round(float(first) * per_price) for steps, first in ((bids, bid), (asks, ask))]
        if not len(times) == len(bids) == len(asks):
            raise ValueError("columns of different length")
    except (*UNREADABLE, KeyError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise DataError(f"{path}: no answer of Dukascopy's feed ({type(error).__name__}: {error})", what_to_do=_AGAIN) from error
    at = int(start) * NS_PER_MS + np.cumsum(times) * NS_PER_MS
    return TickBatch(at, points[0] / per_price, points[1] / per_price)


def is_feed_answer(path: Path) -> bool:
    """Whether a JSON file is an answer of the newer feed."""
    value = json_value(path)
    return isinstance(value, dict) and "times" in value


def _per_price(symbol: str, usual_points: float) -> int:
    """Points that make a price: of the two counts that the feed uses, the one with which the pair costs what it can."""
    usual = 1_000 if symbol.startswith(METALS) or quote_decimals(symbol[:3], symbol[3:6]) <= 3 else 100_000
    cost = pair_range(symbol)
    if cost is None:
        return usual
    return next((count for count in (usual, 1_000, 100_000) if cost[0] <= usual_points / count <= cost[1]), usual)
