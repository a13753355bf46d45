"""Calendars as tables: our own CSV in UTC, a ForexFactory scrape on a UTC+8 clock, daily listings of Investing.com."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from quarterdeck.core.calendar.impact_and_time import SCRAPED_IMPACTS, event, impact_of, release
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent

_OWN = ("time_utc", "currency", "impact")
_SCRAPE = ("date", "time", "currency", "event", "impact")
_KNOWN = f"a header with {','.join(_OWN)} (and event, all_day, tentative), or {','.join(_SCRAPE)}"
_SCRAPE_ZONE = ZoneInfo("Asia/Singapore")
"""UTC+8 all year, as 174 payroll releases of that scrape showed."""
_LISTING_ZONES = {"GMT+8": ZoneInfo("Asia/Singapore"), "GMT": ZoneInfo("Europe/London")}
"""What the heading says, and what its releases show: the one headed GMT follows London's clock."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HEADING = re.compile(r"#+\s*(\d{1,2})\s+([A-Za-z]+)\s+(\d{4})\b.*")
_COLUMNS = re.compile(r"Time \((GMT(?:\+8)?)\)")
_COUNTDOWN = re.compile(r"\d+\s*(min|h|hour|hours|minutes)\b.*", re.IGNORECASE)
_MEND = "mend or remove that line"


def from_csv(data: bytes, name: str) -> list[NewsEvent]:
    """Events of a comma or semicolon separated table with a known header.

    Raises:
        DataError: naming file and line.
    """
    text = _decoded(data, name)
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    header = [column.strip().lower() for column in next(rows, [])]
    if all(column in header for column in _OWN):
        return _own(_records(rows, header, name), name)
    if all(column in header for column in _SCRAPE):
        return _scraped(_records(rows, header, name), name)
    raise DataError(f"{name}: line 1: no calendar known", what_to_do=f"a calendar file has {_KNOWN}")


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}: is not UTF-8", what_to_do="save it as UTF-8") from error


def _records(rows: Iterator[list[str]], header: list[str], name: str) -> Iterator[tuple[int, dict[str, str]]]:
    line = 1
    try:
        for row in rows:
            line = getattr(rows, "line_num", line + 1)
            if not any(row):
                continue
            if len(row) < len(header):
                raise DataError(f"{name}: line {line}: {len(row)} fields instead of {len(header)}", what_to_do=_MEND)
            yield line, dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise DataError(f"{name}: line {line + 1}: {error}", what_to_do=_MEND) from error


def _own(records: Iterable[tuple[int, dict[str, str]]], name: str) -> list[NewsEvent]:
    events = []
    for line, row in records:
        try:
            moment = datetime.fromisoformat(row["time_utc"].strip())
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            title = row.get("event") or row.get("title") or ""
            all_day, tentative = _flag(row.get("all_day", "")), _flag(row.get("tentative", ""))
            events.append(event(moment, row["currency"], impact_of(row["impact"]), title, all_day=all_day, tentative=tentative))
        except ValueError as error:
            raise DataError(f"{name}: line {line}: {error}", what_to_do=_MEND) from error
    return events


def _flag(word: str) -> bool:
    return word.strip().lower() in ("1", "true", "yes")


def _scraped(records: Iterable[tuple[int, dict[str, str]]], name: str) -> list[NewsEvent]:
    events = []
    for line, row in records:
        try:
            impact = impact_of(row["impact"], SCRAPED_IMPACTS)
            day = date.fromisoformat(row["date"].strip())
            events.append(release(day, row["time"], _SCRAPE_ZONE, row["currency"], impact, row["event"]))
        except ValueError as error:
            raise DataError(f"{name}: line {line}: {error}", what_to_do=_MEND) from error
    return events


def from_listing(data: bytes, name: str) -> list[NewsEvent]:
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
                row = _listed(text, day, zone)
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
        raise ValueError(f"{word!r} is no month")
    return _MONTHS.index(name) + 1


def _listed(text: str, day: date | None, zone: ZoneInfo | None) -> NewsEvent | None:
    cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
    if day is None or zone is None:
        raise ValueError("a row before its date and its heading")
    if len(cells) < 4:
        raise ValueError(f"{len(cells)} cells instead of at least 4")
    if _COUNTDOWN.fullmatch(cells[0]):
        return None
    return release(day, cells[0], zone, cells[1], impact_of(cells[2]), cells[3])
