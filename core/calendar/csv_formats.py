"""Calendars as tables: our own CSV in UTC, tables of other people on whatever clock, daily listings of Investing.com.

A table names its columns: a time (with its zone, or in UTC by its name, or on a clock that has to be proved) or a date and a
time, a currency or country, an impact, and what it is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from quarterdeck.core.calendar.clocks import AUTO, Timed, clock_of, wall_ns
from quarterdeck.core.calendar.impact_and_time import (
    Unstated,
    event,
    impact_words,
    is_all_day,
    ranked_impacts,
    release,
    time_of_day,
)
from quarterdeck.core.data import stamp_forms
from quarterdeck.core.data.file_timezone import to_utc
from quarterdeck.core.data.text import encoding_of
from quarterdeck.core.model.currencies import currency_of
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import NS_PER_S

Result = TypeVar("Result")
_NAMES = {
    "utc": "time_utc datetime_utc date_utc utc timestamp_utc gmt",
    "stamp": "datetime timestamp date_time start when date/time",
    "date": "date day datum fecha data",
    "time": "time hour zeit hora",
    "currency": "currency country cur ccy cur. curr symbol region zone",
    "impact": "impact importance imp imp. volatility priority severity",
    "event": "event title name description event_name",
    "all_day": "all_day",
    "tentative": "tentative",
}
_ROLES = {word: role for role, words in _NAMES.items() for word in words.split()}
_KNOWN = "a calendar file has a header with time_utc,currency,impact (event, all_day), or date,time,currency,event,impact"
_LISTING_ZONES = {"GMT+8": ZoneInfo("Asia/Singapore"), "GMT": ZoneInfo("Europe/London")}
"""What the heading says, and what its releases show: the one headed GMT follows London's clock."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HEADING = re.compile(r"#+\s*(\d{1,2})\s+([A-Za-z]+)\s+(\d{4})\b.*")
_COLUMNS = re.compile(r"Time \((GMT(?:\+8)?)\)")
_COUNTDOWN = re.compile(r"\d+\s*(min|h|hour|hours|minutes)\b.*", re.IGNORECASE)
_MEND = "repair or remove that line"
_NO_TIME = "00:00:00"
_FLAGS = ("all_day", "tentative")
_YES = ("1", "true", "yes", "y", "t", "x", "on")
_NO = ("", "0", "false", "no", "n", "f", "off", "-")
_STAMPS = ("utc", "stamp", "date")
"""Roles that tell when, the surest first."""
_A_DATE = re.compile(r"\d{1,4}([-./ ])\d{1,2}\1\d{1,4}|\d{8}|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4}")
"""A date without a time of the day."""


class _Record(NamedTuple):
    """A row of a table, by roles."""

    line: int
    cells: dict[str, str]

    def text(self, role: str) -> str:
        return self.cells.get(role, "").strip()


def from_csv(data: bytes, name: str, unstated: Unstated, clock: str = AUTO) -> list[NewsEvent]:
    """Events of a comma, semicolon or tab separated table with a known header; `clock` is that of times without a zone.

    Raises:
        DataError: naming file and line, or asking for the clock.
    """
    text = _decoded(data, name)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    roles = [_ROLES.get(column.strip().lower(), "") for column in next(rows, [])]
    timed = "utc" in roles or "stamp" in roles or "date" in roles
    if not (timed and "currency" in roles and "impact" in roles):
        raise DataError(f"{name}: line 1: not a known calendar format", what_to_do=_KNOWN)
    return _events(list(_records(rows, roles, name)), roles, name, unstated, clock)


def _events(records: Sequence[_Record], roles: Sequence[str], name: str, unstated: Unstated, clock: str) -> list[NewsEvent]:
    impacts, titles = [row.text("impact") for row in records], [row.text("event") for row in records]
    currencies = [_said(name, row, lambda row=row: currency_of(row.text("currency"))) for row in records]  # type: ignore[misc]
    meanings = ranked_impacts(impacts, titles, currencies, name) or impact_words(impacts, titles)
    times = [_time_text(name, row) for row in records]
    walls, zoned = _walls(name, records, roles, times)
    timed = [
        Timed(wall, currency, title)
        for wall, currency, title, time in zip(walls, currencies, titles, times, strict=True)
        if time is not None
    ]
    taken = "utc" if zoned or not timed else clock_of(timed, "utc" if "utc" in roles else clock, name)
    instants = to_utc(np.array([wall_ns(wall) for wall in walls], np.int64), taken).tolist()
    events = []
    for row, currency, time, wall, instant in zip(records, currencies, times, walls, instants, strict=True):
        impact = _said(name, row, lambda row=row: unstated.impact_of(row.text("impact"), meanings))  # type: ignore[misc]
        all_day, tentative = (_said(name, row, lambda row=row, flag=flag: _flag(row.text(flag))) for flag in _FLAGS)  # type: ignore[misc]
        if time is None:
            all_day = not tentative and (all_day or is_all_day(row.text("time"), unstated))
            tentative = not all_day
            instant = wall_ns(datetime.combine(wall.date(), datetime.min.time()))  # noqa: PLW2901 - a date has no clock
        moment = datetime.fromtimestamp(instant // NS_PER_S, UTC)
        events.append(event(moment, currency, impact, row.text("event"), all_day=all_day, tentative=tentative))
    return events


def _time_text(name: str, row: _Record) -> str | None:
    """The time of the day of a row with a column of its own; None where it has none."""
    if "time" not in row.cells:
        stamp = next(row.text(role) for role in _STAMPS if role in row.cells)
        return None if _A_DATE.fullmatch(stamp) else _NO_TIME
    found = _said(name, row, lambda: time_of_day(row.text("time")))
    return None if found is None else f"{found[0]:02d}:{found[1]:02d}:00"


def _walls(
    name: str, records: Sequence[_Record], roles: Sequence[str], times: Sequence[str | None]
) -> tuple[list[datetime], bool]:
    """Wall times of the rows, and whether they are instants."""
    role = next(role for role in _STAMPS if role in roles)
    own_time = role == "date" and "time" in roles
    texts = [
        f"{row.text(role)} {time or _NO_TIME}" if own_time else row.text(role) for row, time in zip(records, times, strict=True)
    ]
    encoded = [text.replace(",", "").encode() for text in texts]
    width = max((len(text) for text in encoded), default=1)
    letters = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in encoded), np.uint8).reshape(-1, width)
    dates = stamp_forms.Dates()
    parsed = stamp_forms.parse_forms(letters, dates)
    if not parsed.good.all():
        row = int(np.argmin(parsed.good))
        what = f"{name}: line {records[row].line}: {texts[row]!r} is not a known time format"
        raise DataError(what, what_to_do="write times like 2024-03-08 08:30")
    stamps = parsed.packed.copy()
    if not parsed.epoch:
        days, orders = stamp_forms.dates_of(dates)
        if len(orders) != 1:
            what = f"{name}: line {records[0].line}: {texts[0]!r}: nothing in the file tells days from months"
            raise DataError(what, what_to_do="write dates like 2024-03-08")
        stamp_forms.unpacked(stamps, days)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall time has no zone
    return [epoch + timedelta(microseconds=stamp // 1000) for stamp in stamps.tolist()], parsed.zoned or parsed.epoch


def _said(name: str, row: _Record, read: Callable[[], Result]) -> Result:
    """What `read` makes of a row; what it complains about is reported with the line."""
    try:
        return read()
    except ValueError as error:
        raise DataError(f"{name}: line {row.line}: {error}", what_to_do=_MEND) from error


def _decoded(data: bytes, name: str) -> str:
    encoding = encoding_of(data[:4096])
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}: is not UTF-8", what_to_do="save it as UTF-8") from error


def _records(rows: Iterator[list[str]], roles: Sequence[str], name: str) -> Iterator[_Record]:
    line = 1
    try:
        for row in rows:
            line = getattr(rows, "line_num", line + 1)
            if not any(row):
                continue
            if len(row) < len(roles):
                raise DataError(f"{name}: line {line}: {len(row)} fields instead of {len(roles)}", what_to_do=_MEND)
            # of two columns of one role the first counts
            cells = zip(reversed(roles), reversed(row[: len(roles)]), strict=True)
            yield _Record(line, {role: cell for role, cell in cells if role})
    except csv.Error as error:
        raise DataError(f"{name}: line {line + 1}: {error}", what_to_do=_MEND) from error


def _flag(word: str) -> bool:
    plain = word.strip().lower()
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    raise ValueError(f"{word!r} is neither yes nor no")


def from_listing(data: bytes, name: str, unstated: Unstated) -> list[NewsEvent]:
    """Events of a page with `## 13 February 2024` headings and `| Time (GMT) | Currency | Importance | Event |` tables.

    Countdowns ("42 min") are no times and left out.

    Raises:
        DataError: naming file and line.
    """
    day: date | None = None
    zone: ZoneInfo | None = None
    events = []
    for line, text in enumerate(_decoded(data, name).splitlines(), start=1):
        heading = _HEADING.fullmatch(text.strip())
        columns = _COLUMNS.search(text)
        try:
            if heading:
                day = date(int(heading[3]), _month(heading[2]), int(heading[1]))
            elif columns:
                zone = _LISTING_ZONES[columns[1]]
            elif text.startswith("|") and not set(text) <= set("|-: "):
                row = _listed(text, day, zone, unstated)
                if row is not None:
                    events.append(row)
        except ValueError as error:
            raise DataError(f"{name}: line {line}: {error}", what_to_do=_MEND) from error
    if day is None or zone is None:
        raise DataError(f"{name}: no date heading or no table", what_to_do=f"a calendar file has {_KNOWN}")
    return events


def _month(word: str) -> int:
    name = word[:3].lower()
    if name not in _MONTHS:
        raise ValueError(f"{word!r} is not a month")
    return _MONTHS.index(name) + 1


def _listed(text: str, day: date | None, zone: ZoneInfo | None, unstated: Unstated) -> NewsEvent | None:
    cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
    if day is None or zone is None:
        raise ValueError("a row before its date and its heading")
    if len(cells) < 4:
        raise ValueError(f"{len(cells)} cells instead of at least 4")
    if _COUNTDOWN.fullmatch(cells[0]):
        return None
    return release(day, cells[0], zone, cells[1], unstated.impact_of(cells[2]), cells[3], unstated)
