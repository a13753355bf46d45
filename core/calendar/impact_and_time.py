"""The words calendars use for impacts and times of day, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from quarterdeck.core.model.currencies import currency_of
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import NS_PER_S

Impact = Literal["high", "medium", "low", "holiday"]

_WORDS: Mapping[Impact, str] = {
    "high": "high|high impact|high impact expected|high volatility expected|red|h|strong|hoch|alta|élevé|***|★★★|!!!",
    "medium": (
        "medium|moderate|med|mid|medium impact|medium impact expected|moderate volatility expected|orange|m|mittel|media|moyen"
        "|**|★★|!!"
    ),
    "low": (
        "low|low impact|low impact expected|low volatility expected|yellow|l|niedrig|baja|faible|non-economic|non economic|none"
        "|grey|gray|*|★|!"
    ),
    "holiday": "holiday|bank holiday|feiertag",
}
PLAIN_IMPACTS: Mapping[str, Impact] = {word: impact for impact, words in _WORDS.items() for word in words.split("|")}
SCRAPED_IMPACTS: Mapping[str, Impact] = {"high": "high", "medium": "medium", "non-economic": "low", "low": "holiday"}
"""One scraper of ForexFactory read the colours wrongly: each of its "Low" is a bank holiday or a change of clocks."""
_ALWAYS_HIGH = re.compile(r"non-?\s?farm (?:employment change|payrolls)|^(?:core )?cpi (?:m/m|\(mom\))", re.IGNORECASE)
_NO_RELEASE = re.compile(r"holiday|daylight|clock", re.IGNORECASE)

_TWELVE_HOURS = re.compile(r"(\d{1,2}):(\d{2})(?::\d{2})?\s*([ap])\.?m\.?", re.IGNORECASE)
_TWENTY_FOUR_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")


def impact_of(word: str, meanings: Mapping[str, Impact] = PLAIN_IMPACTS) -> Impact:
    """Raises ValueError for a word without a meaning."""
    found = meanings.get(word.strip().lower())
    if found is None:
        raise ValueError(f"impact {word!r} is none of high, medium, low, holiday")
    return found


class Unstated:
    """What rows of one calendar leave open, and is taken in the way that closes more: counted, and said once."""

    def __init__(self, name: str) -> None:
        """`name` is what the calendar is called."""
        self._name = name
        self._rows = self._impacts = self._times = 0

    def impact_of(self, word: str, meanings: Mapping[str, Impact] = PLAIN_IMPACTS) -> Impact:
        """As `impact_of`; a blank counts as high. Raises ValueError for a word without a meaning."""
        self._rows += 1
        if not word.strip():
            self._impacts += 1
            return "high"
        return impact_of(word, meanings)

    def no_time(self) -> None:
        """A row says neither a time, nor that it lasts all day or is tentative."""
        self._times += 1

    def notes(self) -> list[str]:
        """A sentence for each kind.

        Raises:
            DataError: when no row at all says an impact.
        """
        if self._impacts and self._impacts == self._rows:
            what = f"{self._name}: no row says an impact"
            raise DataError(what, what_to_do="write high, medium, low or holiday into the impact column of each row")
        found = []
        if self._impacts:
            found.append(
                f"{self._name}: {self._impacts:,} of {self._rows:,} rows say no impact; they count as high and close entries. "
                "Write high, medium, low or holiday into these rows to decide"
            )
        if self._times:
            found.append(
                f"{self._name}: {self._times:,} of {self._rows:,} rows say no time; each closes entries in its currency for the "
                "whole day if its impact does. Write a time, All Day or Tentative into these rows to decide"
            )
        return found


def impact_words(impacts: Sequence[str], titles: Sequence[str]) -> Mapping[str, Impact]:
    """The meanings that a table's words have: the plain ones, unless it shows the words of the scraper that mixed them up.

    That one has "Non-Economic" and no holiday, and what it calls low are holidays and changes of clocks.
    """
    words = [word.strip().lower() for word in impacts]
    low = [title for word, title in zip(words, titles, strict=True) if word == "low"]
    if "non-economic" not in words or "holiday" in words or not low:
        return PLAIN_IMPACTS
    shown = sum(_NO_RELEASE.search(title) is not None for title in low)
    return SCRAPED_IMPACTS if shown >= 0.8 * len(low) else PLAIN_IMPACTS


def ranked_impacts(
    impacts: Sequence[str], titles: Sequence[str], currencies: Sequence[str], name: str
) -> Mapping[str, Impact] | None:
    """The meanings of impacts that are ranks from 1 to 3; None where they are words. American payrolls and prices are high.

    Raises:
        DataError: where nothing tells whether 1 or 3 is high.
    """
    words = {word.strip() for word in impacts} - {""}
    if not words or not words <= {"0", "1", "2", "3"}:
        return None
    rows = zip(impacts, titles, currencies, strict=True)
    known = {word.strip() for word, title, currency in rows if currency == "USD" and _ALWAYS_HIGH.search(title)}
    if known == {"3"}:
        return {"0": "holiday", "1": "low", "2": "medium", "3": "high"}
    if known == {"1"}:
        return {"0": "holiday", "1": "high", "2": "medium", "3": "low"}
    what = f"{name}: impacts are numbers, and no payrolls or consumer prices tell whether 1 or 3 is high"
    raise DataError(what, what_to_do="write high, medium and low")


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


def is_all_day(clock: str, unstated: Unstated) -> bool:
    """Whether a word in place of a clock time means the whole day; else its time is not known yet."""
    word = clock.strip().lower()
    if not word:
        unstated.no_time()
    return word not in ("tentative", "")


def release(day: date, clock: str, zone: ZoneInfo, currency: str, impact: Impact, title: str, unstated: Unstated) -> NewsEvent:
    """An event at a wall clock time of a zone; without a clock time it gets its date at 00:00 UTC and says so.

    Raises:
        ValueError: for a time that does not exist, or a currency that is no word.
    """
    time = time_of_day(clock)
    if time is None:
        all_day = is_all_day(clock, unstated)
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return event(moment, currency, impact, title, all_day=all_day, tentative=not all_day)
    return event(datetime(day.year, day.month, day.day, *time, tzinfo=zone), currency, impact, title)


def event(
    moment: datetime, currency: str, impact: Impact, title: str, *, all_day: bool = False, tentative: bool = False
) -> NewsEvent:
    """An event at an instant. Raises ValueError for a currency that nobody knows."""
    return NewsEvent(
        at_utc_ns=int(moment.timestamp()) * NS_PER_S,
        currency=currency_of(currency),
        impact=impact,
        title=title.strip(),
        all_day=all_day,
        tentative=tentative,
    )
