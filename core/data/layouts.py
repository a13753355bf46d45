"""Text files of other people as columns: MT5 exports and dumps, HistData, Dukascopy, our own, and what resembles them.

Promises: separator, quotes, header and the columns' meaning are recognised, or the file is refused with its first line; a
line that does not have the file's shape is left out and counted. Stamps stay on the file's own clock (`core.data.file_timezone`
knows about those).
Does not: judge prices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.core.data.csv_table import read_text
from quarterdeck.core.data.timestamps import days_from_civil
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import NS_PER_S

Column = npt.NDArray[np.bytes_]
_NAMES = {
    "date": "date",
    "time": "time",
    "time_utc": "stamp",
    "datetime": "stamp",
    "timestamp": "stamp",
    "gmt time": "stamp",
    "local time": "stamp",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "tickvol": "tick_volume",
    "tick_volume": "tick_volume",
    "volume": "volume",
    "vol": "real_volume",
    "real_volume": "real_volume",
    "spread": "spread_points",
    "spread_points": "spread_points",
    "bid": "bid",
    "ask": "ask",
    "last": "last",
    "flags": "flags",
    "": "row",
} | {f"{side}_{part}": f"{side}_{part}" for side in ("bid", "ask") for part in ("open", "high", "low", "close")}
_HEADERLESS: dict[tuple[str, int], tuple[tuple[str, ...], str]] = {
    # separator and number of fields, what they are, and the clock the maker uses
    (",", 7): (("date", "time", "open", "high", "low", "close", "volume"), "est"),
    (";", 6): (("stamp", "open", "high", "low", "close", "volume"), "est"),
    (",", 5): (("stamp", "bid", "ask", "bid_volume", "ask_volume"), "utc"),
    (",", 4): (("stamp", "bid", "ask", "volume"), "est"),
}
_PRICES = ("open", "high", "low", "close", "bid", "ask")
_DIGITS = 17
_MT5_CLOCK = "new_york_plus_7"


class FileLayout(NamedTuple):
    """A file as columns; `usual_clock` is the one its maker uses when nothing else is known."""

    kind: Literal["bars", "bidask", "ticks"]
    wall_ns: IntArray
    columns: dict[str, FloatArray]
    usual_clock: str
    clock_certain: bool
    """The file itself says that its stamps are UTC."""
    lines: int
    misshapen: int


def read_layout(path: Path) -> FileLayout:
    """The columns of a foreign text file.

    Raises:
        DataError: when it cannot be read, or its layout is not recognised.
    """
    text = read_text(path)
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16").encode()
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"").replace(b'"', b"")
    lines = [line for line in text.split(b"\n") if line.strip()]
    first = lines[0].decode("utf-8", "replace")
    separator = next((sign for sign in "\t;," if sign in first), "")
    if not separator:
        raise _unknown(path, first)
    names, usual, has_header = _columns(path, first, separator)
    body = lines[1:] if has_header else lines
    wanted = len(names) - 1
    shaped = [line for line in body if line.count(separator.encode()) == wanted]
    if not shaped:
        raise _unknown(path, first)
    fields = np.loadtxt(shaped, delimiter=separator, dtype="S40", ndmin=2, comments=None, encoding="utf-8")
    texts = {name: np.char.strip(fields[:, at]) for at, name in enumerate(names)}
    wall_ns, good = _stamps(path, texts, first)
    columns = {name: _numbers(texts[name]) for name in names if name not in ("date", "time", "stamp", "row")}
    if not good.all():
        wall_ns, columns = wall_ns[good], {name: column[good] for name, column in columns.items()}
    zoned = "stamp" in texts and bytes(texts["stamp"][0]).endswith((b"Z", b"+00:00"))
    return FileLayout(
        kind="bidask" if "bid_open" in columns else "ticks" if "bid" in columns else "bars",
        wall_ns=wall_ns,
        columns=columns,
        usual_clock="utc" if zoned else usual,
        clock_certain=zoned,
        lines=len(body),
        misshapen=len(body) - int(good.sum()),
    )


def _columns(path: Path, first: str, separator: str) -> tuple[list[str], str, bool]:
    cells = [cell.strip().strip("<>").lower() for cell in first.split(separator)]
    if any(cell in ("open", "bid", "bid_open") for cell in cells):
        names = [_NAMES.get(cell, f"?{cell}") for cell in cells]
        if "time" in names and "date" not in names:
            names[names.index("time")] = "stamp"
        elif "date" in names and "time" not in names and _is_stamp(first):
            names[names.index("date")] = "stamp"
        return names, _MT5_CLOCK, True
    known = _HEADERLESS.get((separator, len(cells)))
    if known is None or not cells[0][:4].isdigit():
        raise _unknown(path, first)
    return list(known[0]), known[1], False


def _is_stamp(first: str) -> bool:
    # a lone `Date` may hold the time as well; the digits tell later, row by row
    return "<" not in first


def _stamps(path: Path, texts: dict[str, Column], first: str) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    if "stamp" in texts:
        whole = texts["stamp"]
    elif "time" in texts:
        whole = np.char.add(texts["date"], texts["time"])
    elif "date" in texts:
        whole = texts["date"]
    else:
        raise _unknown(path, first)
    if len(whole[0]) in (10, 13) and bytes(whole[0]).isdigit():
        good = np.char.isdigit(whole)
        unit = NS_PER_S if len(whole[0]) == 10 else NS_PER_S // 1000
        return np.where(good, whole, b"0").astype(np.int64) * unit, good
    for sign in (b"+00:00", b"Z", b"T", b"-", b".", b":", b" "):
        whole = np.char.replace(whole, sign, b"")
    good = np.char.isdigit(whole) & (np.char.str_len(whole) >= 8)
    digits = np.char.ljust(np.where(good, whole, b"19700101"), _DIGITS, b"0").astype(f"S{_DIGITS}").astype(np.int64)
    days, exists = days_from_civil(digits // 10**13, digits // 10**11 % 100, digits // 10**9 % 100)
    hour, minute, second = digits // 10**7 % 100, digits // 10**5 % 100, digits // 10**3 % 100
    good &= exists & (hour < 24) & (minute < 60) & (second < 60)
    wall: IntArray = (((days * 24 + hour) * 60 + minute) * 60 + second) * NS_PER_S + digits % 1000 * (NS_PER_S // 1000)
    return wall, good


def _numbers(texts: Column) -> FloatArray:
    try:
        return np.where(texts == b"", b"nan", texts).astype(np.float64)
    except ValueError:
        return np.array([_number(text) for text in texts.tolist()])


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _unknown(path: Path, first: str) -> DataError:
    return DataError(
        f"{path}: line 1: layout not recognised: {first[:80]!r}",
        what_to_do="MT5 exports, HistData, Dukascopy and CSV with a header time,open,high,low,close are",
    )
