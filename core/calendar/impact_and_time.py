"""The words calendars use for impacts and times of day, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import NS_PER_S

Impact = Literal["high", "medium", "low", "holiday"]

PLAIN_IMPACTS: Mapping[str, Impact] = {
    "high": "high",
    "medium": "medium",
    "moderate": "medium",
    "low": "low",
    "holiday": "holiday",
    "non-economic": "low",
    "": "low",
}
SCRAPED_IMPACTS: Mapping[str, Impact] = {"high": "high", "medium": "medium", "non-economic": "low", "low": "holiday"}
"""One scraper of ForexFactory read the colours wrongly: each of its "Low" is a bank holiday or a change of clocks."""

_TWELVE_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*([ap])m", re.IGNORECASE)
_TWENTY_FOUR_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def impact_of(word: str, meanings: Mapping[str, Impact] = PLAIN_IMPACTS) -> Impact:
    """Raises ValueError for a word without a meaning."""
    found = meanings.get(word.strip().lower())
    if found is None:
        raise ValueError(f"impact {word!r} is none of {', '.join(sorted(word for word in meanings if word))}")
    return found


def time_of_day(text: str) -> tuple[int, int] | None:
    """Hour and minute of `8:30am`, `12:00am` or `13:30`; None for a word that is no clock time (`All Day`, `Tentative`, `Day 2`).

    Raises:
        ValueError: for a clock time that does not exist.
    """
    found = _TWELVE_HOURS.fullmatch(text.strip())
    if found:
        hour, minute = int(found[1]), int(found[2])
        if not 1 <= hour <= 12 or minute > 59:
            raise ValueError(f"{text!r} is no time of the day")
        return hour % 12 + (12 if found[3].lower() == "p" else 0), minute
    found = _TWENTY_FOUR_HOURS.fullmatch(text.strip())
    if found:
        return int(found[1]), int(found[2])
    if text.strip()[:1].isdigit():
        raise ValueError(f"{text!r} is no time of the day")
    return None


def release(day: date, clock: str, zone: ZoneInfo, currency: str, impact: Impact, title: str) -> NewsEvent:
    """An event at a wall clock time of a zone; without a clock time it gets its date at 00:00 UTC and says so.

    Raises:
        ValueError: for a time that does not exist, or a currency that is no word.
    """
    time = time_of_day(clock)
    if time is None:
        tentative = clock.strip().lower() in ("tentative", "")
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return event(moment, currency, impact, title, all_day=not tentative, tentative=tentative)
    return event(datetime(day.year, day.month, day.day, *time, tzinfo=zone), currency, impact, title)


def event(
    moment: datetime, currency: str, impact: Impact, title: str, *, all_day: bool = False, tentative: bool = False
) -> NewsEvent:
    """An event at an instant. Raises ValueError for a currency that is no word."""
    code = currency.strip()
    if not code.isalpha() or not 2 <= len(code) <= 4:
        raise ValueError(f"{currency!r} is no currency")
    return NewsEvent(
        at_utc_ns=int(moment.timestamp()) * NS_PER_S,
        currency="All" if code.lower() == "all" else code.upper(),
        impact=impact,
        title=title.strip(),
        all_day=all_day,
        tentative=tentative,
    )
