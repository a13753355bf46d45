"""One file of clean prices to columns: plain or gzipped CSV with a header and ISO stamps in UTC.

Why: a replay starts with this; 70,000 bars take a tenth of a second, without a table library.
Promises: a damaged file is refused with its name, the line, what was found there and what to do; nothing is repaired silently.
Does not: guess time zones or foreign layouts (`core.data.importing`).
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quarterdeck.core.data.timestamps import parse_stamps
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.errors import DataError

BAR_COLUMNS = ("open", "high", "low", "close")
BIDASK_COLUMNS = tuple(f"{side}_{name}" for side in ("bid", "ask") for name in BAR_COLUMNS)
TICK_COLUMNS = ("bid", "ask")
_OPTIONAL = ("tick_volume", "volume", "spread_points", "flags")
_MEND = "`quarterdeck data verify` shows all that is wrong with it, `quarterdeck data import` repairs what can be repaired"


class PriceTable(NamedTuple):
    """Columns of one file as they are there; `header` names the numeric ones."""

    path: Path
    stamps_utc_ns: IntArray
    header: tuple[str, ...]
    columns: dict[str, FloatArray]

    def line(self, row: int) -> int:
        """Number of the line that holds a row, counted from 1 as editors do."""
        return row + 2


def read_table(path: Path) -> PriceTable:
    """The columns of one CSV file.

    Raises:
        DataError: when the file cannot be read, is empty or cut off, or a line is not what the header promises.
    """
    text = read_text(path)
    head, _, body = text.partition(b"\n")
    names = tuple(name.strip().strip('"').lower() for name in head.decode("utf-8", "replace").lstrip("\ufeff").strip().split(","))
    _check_header(path, names)
    if not body.strip():
        raise DataError(f"{path}: has a header and no rows", what_to_do="remove the file or fetch it again")
    if b"\n\n" in body or b"\r\n\r\n" in body:
        row = body.replace(b"\r", b"").split(b"\n").index(b"")
        if body.replace(b"\r", b"").rstrip(b"\n").count(b"\n") >= row:
            raise DataError(f"{path}: line {row + 2}: empty", what_to_do=_MEND)
    kinds = [("stamp", "S32"), *((name, "f8") for name in names[1:])]
    try:
        rows = np.loadtxt(io.BytesIO(body), delimiter=",", dtype=kinds, ndmin=1, comments=None, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise _first_bad_line(path, names, body) from error
    stamps, bad = parse_stamps(rows["stamp"])
    if bad is not None:
        found = rows["stamp"][bad].decode("utf-8", "replace")
        raise DataError(
            f"{path}: line {bad + 2}: {found!r} is no time such as 2024-08-05T13:30:00Z", what_to_do="use UTC, or import the file"
        )
    return PriceTable(path, stamps, names[1:], {name: np.ascontiguousarray(rows[name]) for name in names[1:]})


def read_text(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped, or a zip that holds one text file.

    Raises:
        DataError: when it cannot be read, is cut off, or is empty.
    """
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else _unzipped(path, raw) if raw[:2] == b"PK" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cut off or damaged ({error})", what_to_do="fetch or copy the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", what_to_do="check its name and rights") from error
    if not text.strip():
        raise DataError(f"{path}: is empty", what_to_do="remove the file or fetch it again")
    return text


def _unzipped(path: Path, raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as held:
        names = [name for name in held.namelist() if name.lower().endswith((".csv", ".txt"))]
        data = [name for name in names if name.lower().endswith(".csv")] or names
        if len(data) != 1:
            raise DataError(
                f"{path}: holds {len(data)} files of prices, one is wanted", what_to_do="unpack it and name the files"
            )
        return held.read(data[0])


def _check_header(path: Path, names: tuple[str, ...]) -> None:
    known = names[:1] == ("time_utc",) and any(
        names[1 : 1 + len(wanted)] == wanted and all(name in _OPTIONAL for name in names[1 + len(wanted) :])
        for wanted in (BAR_COLUMNS, BIDASK_COLUMNS, TICK_COLUMNS)
    )
    if not known:
        found = ",".join(names)
        raise DataError(
            f"{path}: line 1: the header {found[:80]!r} is not one of ours "
            "(time_utc,open,high,low,close,tick_volume,spread_points)",
            what_to_do="bring other layouts in with `quarterdeck data import`",
        )


def _first_bad_line(path: Path, names: tuple[str, ...], body: bytes) -> DataError:
    for number, line in enumerate(body.decode("utf-8", "replace").splitlines(), start=2):
        fields = line.split(",")
        if len(fields) != len(names):
            end = " (the file may be cut off)" if body.rstrip().endswith(line.encode()) else ""
            return DataError(
                f"{path}: line {number}: {len(fields)} fields where the header has {len(names)}{end}", what_to_do=_MEND
            )
        for name, field in zip(names[1:], fields[1:], strict=True):
            try:
                float(field)
            except ValueError:
                return DataError(f"{path}: line {number}: {name} is {field[:40]!r}, no number", what_to_do=_MEND)
    return DataError(f"{path}: cannot be read as a table", what_to_do=_MEND)
