"""What lies in folders of prices: one row per file, for `quarterdeck data list`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.data.price_files import price_files, read_series
from quarterdeck.core.data.series import TickSeries
from quarterdeck.core.model.errors import DataError


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """A file of prices; `trouble` says why it cannot be used, empty when it can."""

    symbol: str
    period: str
    path: Path
    size_bytes: int
    rows: int = 0
    first: str = ""
    last: str = ""
    spread: str = ""
    """`ticks`, `ask` (its own ask), `column`, or `none`."""
    trouble: str = ""


def catalogue(folders: Iterable[Path]) -> tuple[CatalogueEntry, ...]:
    """Every price file of the folders and of those right below them; a damaged one has its trouble in its row.

    Raises:
        DataError: when a folder is missing, or none of them holds a price file.
    """
    entries: list[CatalogueEntry] = []
    asked = tuple(folders)
    for folder in asked:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder", what_to_do="name a folder of candle files")
        for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
            entries.extend(_entries(place))
    if not entries:
        named = ", ".join(str(folder) for folder in asked)
        raise DataError(f"{named}: no candle files", what_to_do="bring some in with `quarterdeck data import` or `data download`")
    return tuple(entries)


def _entries(place: Path) -> list[CatalogueEntry]:
    try:
        files = price_files(place)
    except DataError:
        return []  # a folder of other things
    found = []
    for file in files:
        size = file.path.stat().st_size
        try:
            series = read_series(file)
        except DataError as error:
            found.append(
                CatalogueEntry(symbol=file.symbol, period=file.period, path=file.path, size_bytes=size, trouble=error.one_line())
            )
            continue
        if isinstance(series, TickSeries):
            stamps, spread = series.at_utc_ns, "ticks"
        else:
            stamps = series.bid.open_utc_ns
            spread = "ask" if series.ask is not None else "column" if series.spread_known else "none"
        found.append(
            CatalogueEntry(
                symbol=file.symbol,
                period=file.period,
                path=file.path,
                size_bytes=size,
                rows=len(series),
                first=iso(int(stamps[0])),
                last=iso(int(stamps[-1])),
                spread=spread,
            )
        )
    return found
