"""One calendar file or answer of a feed, in any known format, to events in UTC.

Formats, distinguished by what they hold: the weekly JSON and XML of ForexFactory, its monthly XML variant, our own CSV
(`time_utc,currency,impact,event,...,all_day`), tables of other people (`Date,Time,Currency,Event,Impact`), and daily listings of
Investing.com.
Promises: all or nothing: an entry that cannot be understood is an error with file, line and remedy. Plain or gzipped.
Does not: fetch, merge, or cut; results and forecasts are not read.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from quarterdeck.core.calendar.clocks import AUTO
from quarterdeck.core.calendar.csv_formats import from_csv, from_listing
from quarterdeck.core.calendar.feeds import from_json, from_xml
from quarterdeck.core.calendar.impact_and_time import Unstated
from quarterdeck.core.data.text import encoding_of
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent

BYTES_MAX = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"


def read_calendar(path: Path, clock: str = AUTO, notes: list[str] | None = None) -> tuple[NewsEvent, ...]:
    """Events of a file, in order of time, without doubles; `clock` is that of tables whose times have no zone.

    What its rows leave open is added to `notes`, with how it was taken.

    Raises:
        DataError: when the file is missing, damaged or of no known format; names file and line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", what_to_do="check news.files in settings.toml") from error
    return parse_calendar(data, str(path), clock, notes)


def parse_calendar(data: bytes, name: str, clock: str = AUTO, notes: list[str] | None = None) -> tuple[NewsEvent, ...]:
    """Events of a file's bytes, in order of time, without doubles; `name` is what errors call it.

    What its rows leave open is added to `notes`, with how it was taken.

    Raises:
        DataError: when the bytes are damaged or of no known format.
    """
    plain = _unpacked(data, name)
    if encoding_of(plain[:4096]).startswith("utf-16"):
        plain = plain.decode(encoding_of(plain[:4096]), "replace").removeprefix("\ufeff").encode()
    head = plain[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise DataError(f"{name}: is empty", what_to_do="fetch it again")
    unstated = Unstated(name)
    if head[:1] in (b"[", b"{"):
        events = from_json(plain, name, unstated)
    elif head[:1] == b"<":
        events = from_xml(plain, name, unstated)
    elif head[:1] in (b"#", b"|"):
        events = from_listing(plain, name, unstated)
    else:
        events = from_csv(plain, name, unstated, clock)
    found = unstated.notes()
    if notes is not None:
        notes += found
    unique = dict.fromkeys(events)
    return tuple(sorted(unique, key=lambda event: (event.at_utc_ns, event.currency, event.title)))


def _unpacked(data: bytes, name: str) -> bytes:
    if data[:2] == _GZIP:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(BYTES_MAX + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: damaged gzip ({error})", what_to_do="fetch it again") from error
    if len(data) > BYTES_MAX:
        raise DataError(f"{name}: larger than {BYTES_MAX // 1024 // 1024} MiB", what_to_do="give a shorter stretch of time")
    return data
