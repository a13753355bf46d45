"""Text files of other people as columns: exports of terminals, archives, spreadsheets, JSON, our own, and what resembles them.

Promises: separator, decimal sign, header and the columns' meaning are recognised by names or by what the columns hold, or the
file is refused with its line; a line that does not have the file's shape is left out and counted. Stamps stay on the file's own
clock (`core.data.file_timezone` knows about those). A file of any size is read in pieces.
Does not: judge prices (`core.data.evidence`).
"""

from __future__ import annotations

import csv
import re
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from quarterdeck.core.data import fields, stamp_forms
from quarterdeck.core.data.evidence import columns_of_prices
from quarterdeck.core.data.headers import PARTS, SIDES, ColumnRoles, kind_of, read_header
from quarterdeck.core.data.json_tables import json_pieces
from quarterdeck.core.data.text import header_texts, pieces
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.errors import DataError

_SEPARATORS = "\t;|, "
_SEPARATOR_LINE = re.compile(rb'^"?sep=(.)"?$', re.IGNORECASE)
_HEAD_LINES = 12
_SAMPLE_LINES = 400
_BAD_STAMPS_MOST = 0.05
_VOLUMES = ("tick_volume", "volume", "real_volume")
SPREADS = ("spread_any", "spread_points", "spread_pips", "spread_price")
_KNOWN_FORMS = (
    "known are 2024-08-05 13:30:00, 2024.08.05 13:30, 05.08.2024 13:30, 08/05/2024 1:30 PM, 5-Aug-2024 13:30, 20240805 133000 "
    "and seconds to nanoseconds since 1970, each also with an offset"
)
_KNOWN_LAYOUTS = "exports of terminals and archives are, and tables with a header such as time,open,high,low,close"


class FileLayout(NamedTuple):
    """A file as columns."""

    kind: Literal["bars", "bidask", "ticks"]
    wall_ns: IntArray
    columns: dict[str, FloatArray]
    said_clock: str
    """The clock that the file itself names, "" where it names none."""
    zoned: bool
    """Every stamp carries its own offset: `wall_ns` are instants."""
    offset: bool
    """Some of these offsets are not zero."""
    epoch: bool
    """Stamps count from 1970."""
    metatrader: bool
    """The columns are MetaTrader's own."""
    named: bool
    """A header names the columns."""
    symbol: str
    """What the file itself calls its instrument, or ""."""
    decimals: int
    """Decimals that prices are written with."""
    lines: int
    misshapen: int


class _Table(NamedTuple):
    """How the text of a file is cut, and what its columns are."""

    separator: str
    width: int
    header: ColumnRoles
    named: bool
    decimal_comma: bool
    skipped: int
    """Lines before the first one of prices."""


def read_layout(path: Path, *, symbol: str = "", date_order: str = "") -> FileLayout:
    """The columns of a foreign text file.

    `symbol` chooses among the instruments of a file that holds several; `date_order` is `dmy`, `mdy` or `ymd`, "" to find out.

    Raises:
        DataError: when it cannot be read, its layout is not recognised, or nothing tells days from months.
    """
    source = json_pieces(path) if path.suffix.lower() == ".json" else pieces(path)
    first = next(source)
    table = _table(path, first)
    reader = _Reader(path, table, symbol)
    after = first.split(b"\n", table.skipped)[table.skipped] if table.skipped else first
    for piece in chain((after,), source):
        reader.take(piece)
    return reader.layout(date_order)


class _Reader:
    """Takes pieces of a table and keeps the columns that matter."""

    def __init__(self, path: Path, table: _Table, symbol: str) -> None:
        self._path, self._table, self._symbol = path, table, _plain(symbol)
        roles = table.header.roles
        kind = kind_of(table.header)
        self._wanted = [f"{side}_{part}" for side in SIDES for part in PARTS] if kind == "bidask" else []
        if kind == "bars":
            volume = next((name for name in _VOLUMES if name in roles), "")
            self._wanted = [*PARTS, *((volume,) if volume else ()), *(name for name in SPREADS if name in roles)]
        elif kind == "ticks":
            self._wanted = ["bid", "ask"]
        self._kind: Any = kind
        self._dates = stamp_forms.Dates()
        self._time_digits = 0
        self._stamps: list[IntArray] = []
        self._columns: dict[str, list[FloatArray]] = {name: [] for name in self._wanted}
        self._symbols: dict[str, None] = {}
        self._kinds: set[tuple[bool, bool]] = set()
        self._offset = False
        self._decimals = self._lines = self._misshapen = self._bad = 0
        self._first_bad = ""

    def take(self, piece: bytes) -> None:
        """The next piece of whole lines."""
        table = self._table
        cut = fields.cut(piece, table.separator, table.width)
        self._lines += len(cut.starts) + cut.misshapen
        self._misshapen += cut.misshapen
        if not len(cut.starts):
            return
        cut = self._of_symbol(cut)
        letters = self._stamp_letters(cut)
        parsed = stamp_forms.parse_forms(letters, self._dates)
        good = parsed.good
        if not good.all():
            row = int(np.argmin(good))
            self._bad += int(np.count_nonzero(~good))
            shown = bytes(letters[row]).replace(bytes([stamp_forms.JOIN]), b" ").replace(b"\0", b"").decode("utf-8", "replace")
            self._first_bad = self._first_bad or f"line {self._line_of(cut, row)}: {shown!r}"
        if good.any():
            self._kinds.add((parsed.epoch, parsed.zoned))
        self._offset |= parsed.any_offset
        self._stamps.append(parsed.packed[good])
        roles = table.header.roles
        for name in self._wanted:
            column = fields.column(cut, roles.index(name))
            self._columns[name].append(fields.numbers(column, decimal_comma=table.decimal_comma)[good])
            if name in ("close", "bid", "bid_close"):
                self._decimals = max(self._decimals, fields.decimals(column, decimal_comma=table.decimal_comma))

    def layout(self, date_order: str) -> FileLayout:
        """All that was taken."""
        found = self._lines - self._misshapen
        if self._bad > max(_BAD_STAMPS_MOST * found, 2) or self._bad == found > 0:
            raise DataError(f"{self._path}: {self._first_bad} is not a known time format", what_to_do=_KNOWN_FORMS)
        if not found:
            raise DataError(f"{self._path}: no line has the {self._table.width} fields of the first", what_to_do=_comma_advice())
        if len(self._kinds) > 1:
            what = f"{self._path}: some stamps count from 1970 or carry an offset and others do not"
            raise DataError(what, what_to_do="split the file")
        if len(self._symbols) > 1:
            names = ", ".join(sorted(self._symbols)[:6])
            raise DataError(f"{self._path}: holds {names}: which one is meant?", what_to_do="name it with --pair")
        ((epoch, zoned),) = self._kinds
        wall = _joined(self._stamps)
        columns = {name: _joined(self._columns[name]) for name in self._wanted}
        if not epoch:
            self._set_days(wall, date_order)
        return FileLayout(
            kind=self._kind,
            wall_ns=wall,
            columns=columns,
            said_clock=self._table.header.said_clock,
            zoned=zoned,
            offset=self._offset,
            epoch=epoch,
            metatrader=self._table.header.metatrader,
            named=self._table.named,
            symbol=next(iter(self._symbols), ""),
            decimals=self._decimals,
            lines=self._lines,
            misshapen=self._misshapen + self._bad,
        )

    def _set_days(self, wall: IntArray, date_order: str) -> None:
        days, orders = stamp_forms.dates_of(self._dates, date_order)
        if not orders:
            raise DataError(f"{self._path}: its dates fit no order of day, month and year", what_to_do=_KNOWN_FORMS)
        if len(orders) > 1:
            first, second, third, _ = self._dates.parts[0]
            raise DataError(
                f"{self._path}: {first:02d}, {second:02d}, {third:02d}: nothing in the file tells days from months",
                what_to_do=f"say it with --dates {' or --dates '.join(orders)}",
            )
        stamp_forms.unpacked(wall, days)

    def _stamp_letters(self, cut: fields.FieldTable) -> fields.Letters:
        roles = self._table.header.roles
        if "stamp" in roles:
            return fields.column(cut, roles.index("stamp"))
        date, time = (fields.column(cut, roles.index(name)) for name in ("date", "time"))
        if ((time == 0) | (time - np.uint8(48) <= 9)).all():
            self._time_digits = self._time_digits or (6 if time.shape[1] > 4 else 4)
            time = stamp_forms.padded_time(time, self._time_digits) if time.shape[1] <= self._time_digits else time
        return fields.beside(date, time, stamp_forms.JOIN)

    def _of_symbol(self, cut: fields.FieldTable) -> fields.FieldTable:
        roles = self._table.header.roles
        if "pair" not in roles:
            return cut
        names = fields.texts(fields.column(cut, roles.index("pair")))
        found = {name: _plain(name.decode("utf-8", "replace")) for name in set(names.tolist())}
        if self._symbol and self._symbol in found.values() and len(found) > 1:
            rows = np.isin(names, [name for name, plain in found.items() if plain == self._symbol])
            cut = cut._replace(starts=cut.starts[rows], ends=cut.ends[rows])
            found = {name: plain for name, plain in found.items() if plain == self._symbol}
        self._symbols |= dict.fromkeys(found.values())
        return cut

    def _line_of(self, cut: fields.FieldTable, row: int) -> int:
        before = int(np.count_nonzero(cut.text[: int(cut.starts[row, 0])] == ord("\n")))
        return before + 1 + (self._table.skipped if len(self._stamps) == 0 else self._lines - len(cut.starts))


def _table(path: Path, piece: bytes) -> _Table:
    """How a text is cut and what its columns are, by its first lines."""
    lines = piece.split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]
    start, forced = 0, ""
    directive = _SEPARATOR_LINE.match(lines[0].strip())
    if directive:
        start, forced = 1, directive[1].decode("ascii", "replace")
    while start < len(lines) - 1 and (not lines[start].strip() or lines[start].lstrip()[:1] == b"#" or lines[start][:2] == b"//"):
        start += 1
    for at in range(start, min(start + _HEAD_LINES, len(lines))):
        found = _named(path, lines, at, forced or _SEPARATORS)
        if found is not None:
            return found
    found = _unnamed(path, lines[start:], forced or _SEPARATORS, start)
    if found is None:
        first = lines[start].decode("utf-8", "replace")
        raise DataError(f"{path}: line {start + 1}: layout not recognised: {first[:80]!r}", what_to_do=_KNOWN_LAYOUTS)
    return found


def _named(path: Path, lines: list[bytes], at: int, separators: str) -> _Table | None:
    for text in header_texts(lines[at]):
        for separator in separators:
            cells = _cells(text, separator)
            header = read_header(cells) if len(cells) > 2 else None
            if header is None:
                continue
            _one_meaning(path, header, at + 1)
            body = [line for line in lines[at + 1 :] if line.strip()]
            if not body:
                raise DataError(f"{path}: has a header and no rows", what_to_do="remove the file or fetch it again")
            width = len(cells)
            counts = [len(_cells(line.decode("utf-8", "replace"), separator)) for line in body]
            if not cells[-1].strip() and header.roles[-1] == "" and counts.count(width - 1) > counts.count(width):
                width -= 1
                header = header._replace(roles=header.roles[:-1])
            if counts.count(width) + counts.count(width + 1) == 0:
                what = f"{path}: line {at + 2}: {counts[0]} fields where the header has {width}"
                raise DataError(what, what_to_do=_comma_advice())
            comma = _decimal_comma(path, body, separator, header, width)
            return _Table(separator, width, header, True, comma, at + 1)
    return None


def _one_meaning(path: Path, header: ColumnRoles, line: int) -> None:
    """Raises DataError where a header leaves open which column or which instant is meant."""
    if header.twice:
        what = f"{path}: line {line}: two columns are called {header.twice}"
        raise DataError(what, what_to_do="which one is the price? rename the other one")
    if header.has("stamp_end"):
        what = f"{path}: line {line}: its times are the ends of the bars, and nothing says how long a bar is"
        raise DataError(what, what_to_do="write the time at which each bar begins, and call the column time")


def _unnamed(path: Path, lines: list[bytes], separators: str, skipped: int) -> _Table | None:
    body = [line for line in lines if line.strip()]
    for separator in separators:
        counts = [len(_cells(line.decode("utf-8", "replace"), separator)) for line in body]
        width = max(set(counts), key=counts.count, default=0)
        if width < 3 or counts.count(width) < 0.8 * len(counts):
            continue
        sample = fields.cut(b"\n".join(body) + b"\n", separator, width)
        for comma in (False, True) if separator != "," or b'"' in body[0] else (False,):
            roles = columns_of_prices(sample, width, decimal_comma=comma)
            if roles:
                return _Table(separator, width, ColumnRoles(roles, "", metatrader=False), False, comma, skipped)
    return None


def _decimal_comma(path: Path, body: list[bytes], separator: str, header: ColumnRoles, width: int) -> bool:
    """Whether prices are written with a comma before the decimals."""
    sample = fields.cut(b"\n".join(body) + b"\n", separator, width)
    if not len(sample.starts):
        return False
    prices = [at for at, role in enumerate(header.roles) if role.endswith(PARTS) or role in SIDES]
    commas = points = late = 0
    for at in prices:
        letters = fields.column(sample, at)
        has_comma, has_point = (letters == ord(",")).any(axis=1), (letters == ord(".")).any(axis=1)
        commas, points = commas + int(has_comma.sum()), points + int(has_point.sum())
        both = has_comma & has_point
        if both.any():
            late += int(np.count_nonzero(_last(letters[both], ",") > _last(letters[both], ".")))
    if commas and points and late not in (0, commas):
        raise DataError(f"{path}: prices with a decimal comma and with a decimal point", what_to_do="save it with one of them")
    return commas > 0 and (not points or late == commas)


def _last(letters: fields.Letters, sign: str) -> IntArray:
    places: IntArray = letters.shape[1] - 1 - (letters[:, ::-1] == ord(sign)).argmax(axis=1)
    return places


def _cells(line: str, separator: str) -> list[str]:
    whole = line.strip("\r\n")
    if whole[:1] == '"' == whole[-1:] and whole.count('"') == 2:
        whole = whole[1:-1]
    return next(csv.reader([whole], delimiter=separator), [])


def _joined(parts: list[Any]) -> Any:
    """One array of many, letting go of them."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    parts.clear()
    return whole


def _plain(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())


def _comma_advice() -> str:
    return "where a comma is before the decimals, fields are parted by semicolons or tabs, or quoted"
