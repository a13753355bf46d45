"""The weekly feeds of ForexFactory and its kin: JSON with New York offsets, XML in GMT, and a monthly XML in New York time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from xml.parsers import expat
from zoneinfo import ZoneInfo

from msgspec import Struct

from quarterdeck.core.calendar.impact_and_time import Unstated, event, release
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import DAY_NS

_AGAIN = "fetch it again; if it stays so, the feed has changed its format"
_WEEK_MOST_NS = 16 * DAY_NS
_LEAF_TAGS = ("title", "country", "currency", "date", "time", "impact")


def from_json(data: bytes, name: str, unstated: Unstated) -> list[NewsEvent]:
    """Events of `[{"title", "country", "date", "impact"}, ...]`, dates ISO 8601 with an offset.

    Raises:
        DataError: naming file and line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: is not UTF-8 at byte {error.start}", what_to_do=_AGAIN) from error
    events = []
    for line, entry in _entries(text, name):
        try:
            moment = datetime.fromisoformat(str(entry["date"]))
            if moment.tzinfo is None:
                raise ValueError(f"date {entry['date']!r} has no offset")
            impact = unstated.impact_of("" if entry["impact"] is None else str(entry["impact"]))
            events.append(event(moment, str(entry["country"]), impact, str(entry.get("title") or "")))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{name}: line {line}, entry {len(events) + 1}: {what}", what_to_do=_AGAIN) from error
    return events


def _entries(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Entries of the outer list one by one, with the line each begins on."""
    decoder, at = json.JSONDecoder(), _skip(text, 0)
    if text[at : at + 1] != "[":
        raise DataError(f"{name}: line 1: a list of events was expected", what_to_do=_AGAIN)
    line, counted, at = 1, 0, _skip(text, at + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            entry, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise DataError(f"{name}: line {error.lineno}: {error.msg}", what_to_do=_AGAIN) from error
        except RecursionError as error:
            raise DataError(f"{name}: line {line}: lists within lists without an end", what_to_do=_AGAIN) from error
        yield line, entry
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise DataError(f"{name}: line {line}: the list breaks off", what_to_do=_AGAIN)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


class _Kind(Struct, frozen=True, kw_only=True):
    currency_tag: str
    month_first: bool
    zone: str


_KINDS = {
    "weeklyevents": _Kind(currency_tag="country", month_first=True, zone="Etc/UTC"),
    "monthlyevents": _Kind(currency_tag="currency", month_first=False, zone="America/New_York"),
}


class _Collector:
    """Takes expat's calls apart into one dict an event, with the line it begins on."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.root = ""
        self.events: list[tuple[int, dict[str, str]]] = []
        self._parser = parser
        self._open: dict[str, str] | None = None
        self._tag = ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        if not self.root:
            self.root = tag.lower()
        elif tag == "event":
            self._open = {}
            self.events.append((self._parser.CurrentLineNumber, self._open))
        elif tag in _LEAF_TAGS and self._open is not None:
            self._tag = tag
            self._open.setdefault(tag, "")

    def _end(self, tag: str) -> None:
        self._tag = ""
        if tag == "event":
            self._open = None

    def _text(self, text: str) -> None:
        if self._tag and self._open is not None:
            self._open[self._tag] += text


def from_xml(data: bytes, name: str, unstated: Unstated) -> list[NewsEvent]:
    """Events of `<weeklyevents>` (mm-dd-yyyy, GMT) or `<monthlyevents>` (dd-mm-yyyy, New York), 12-hour times.

    Raises:
        DataError: naming file and line; also for a web page that came instead of a feed.
    """
    parser = expat.ParserCreate()
    found = _Collector(parser)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        if found.root == "html" or b"<html" in data[:1000].lower():
            raise _web_page(name) from error
        raise DataError(f"{name}: line {error.lineno}: {expat.ErrorString(error.code)}", what_to_do=_AGAIN) from error
    if found.root == "html":
        raise _web_page(name)
    kind = _KINDS.get(found.root)
    if kind is None:
        raise DataError(
            f"{name}: line 1: <{found.root}> is not a known calendar format", what_to_do=f"known are {', '.join(_KINDS)}"
        )
    events = [_xml_event(fields, kind, f"{name}: line {line}", unstated) for line, fields in found.events if not _filler(fields)]
    if kind.month_first and events:
        times = [one.at_utc_ns for one in events]
        if max(times) - min(times) > _WEEK_MOST_NS:
            raise DataError(f"{name}: a week of events spans {(max(times) - min(times)) // DAY_NS} days", what_to_do=_AGAIN)
    return events


def _filler(fields: dict[str, str]) -> bool:
    """A day without events is in the monthly variant as an event without anything."""
    return not any(fields.get(tag, "").strip() for tag in ("title", "country", "currency", "impact"))


def _web_page(name: str) -> DataError:
    return DataError(f"{name}: a web page came instead of a calendar", what_to_do="the feed refuses so many requests; wait")


def _xml_event(fields: dict[str, str], kind: _Kind, where: str, unstated: Unstated) -> NewsEvent:
    try:
        first, second, year = (int(part) for part in fields["date"].strip().split("-"))
        day = date(year, first, second) if kind.month_first else date(year, second, first)
        impact = unstated.impact_of(fields.get("impact", ""))
        clock, currency, title = fields.get("time", ""), fields[kind.currency_tag], fields.get("title", "")
        return release(day, clock, ZoneInfo(kind.zone), currency, impact, title, unstated)
    except (KeyError, ValueError) as error:
        what = f"<{error.args[0]}> is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{where}: {what}", what_to_do=_AGAIN) from error
