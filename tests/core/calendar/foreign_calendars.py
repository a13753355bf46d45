"""Calendars as the world writes them: known releases in any combination of layout, clock, words, dates and text.

Written apart from the product: hours of releases come from `zoneinfo`, and what can be decided is decided here.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
CLOCKS = (
    "UTC",
    "America/New_York",
    "Europe/Athens",
    "Etc/GMT+5",
    "Asia/Singapore",
    "Asia/Kolkata",
    "Europe/London",
    "Asia/Tokyo",
)
PLACES = {
    "USD": ("USD", "US", "usd", "United States", "USA"),
    "EUR": ("EUR", "EU", "EMU", "Euro Zone", "Germany"),
    "GBP": ("GBP", "GB", "UK", "United Kingdom"),
    "JPY": ("JPY", "JP", "Japan"),
    "CAD": ("CAD", "CA", "Canada"),
    "CNY": ("CNY", "CN", "China"),
}
KNOWN = (("Non-Farm Employment Change", "high"), ("CPI m/m", "high"), ("Retail Sales m/m", "medium"))
IMPACTS = {
    "plain": {"high": "High", "medium": "Medium", "low": "Low"},
    "long": {"high": "High Impact Expected", "medium": "Medium Impact Expected", "low": "Low Impact Expected"},
    "moderate": {"high": "high", "medium": "moderate", "low": "low"},
    "colours": {"high": "red", "medium": "orange", "low": "yellow"},
    "stars": {"high": "***", "medium": "**", "low": "*"},
    "ranks": {"high": "3", "medium": "2", "low": "1"},
    "ranks_down": {"high": "1", "medium": "2", "low": "3"},
}
DATES = {
    "iso": "%Y-%m-%d",
    "dots": "%Y.%m.%d",
    "mdy": "%m-%d-%Y",
    "dmy": "%d/%m/%Y",
    "german": "%d.%m.%Y",
    "names": "%d %b %Y",
}


@dataclass
class Foreign:
    """A calendar, its releases (instant, currency, impact, title), and what a refusal must ask for."""

    name: str
    data: bytes
    events: set[tuple[int, str, str, str]]
    asks: set[str] = field(default_factory=set)
    drawn: dict[str, object] = field(default_factory=dict)


def releases(draw: random.Random, known: bool) -> list[tuple[datetime, str, str, str]]:
    """Releases of some weeks; the known ones are at 08:30 New York."""
    start = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=draw.randrange(3600))
    days = draw.choice((5, 12, 40, 150))
    found = []
    for number in range(days):
        day = (start + timedelta(days=number)).date()
        if day.weekday() > 4:
            continue
        if known and (number < 3 or draw.random() < 0.4):
            title, impact = draw.choice(KNOWN)
            local = datetime(day.year, day.month, day.day, 8, 30, tzinfo=NEW_YORK)
            found.append((local.astimezone(UTC), "USD", impact, title))
        for _ in range(draw.randrange(3)):
            at = datetime(day.year, day.month, day.day, draw.randrange(24), draw.choice((0, 15, 30, 45)), tzinfo=UTC)
            currency, impact = draw.choice(tuple(PLACES)), draw.choice(("high", "medium", "low"))
            found.append((at, currency, impact, f"Survey {draw.randrange(100)}"))
    if known and not any(title == KNOWN[1][0] for *_, title in found):
        at = datetime(start.year, start.month, start.day, 8, 30, tzinfo=NEW_YORK).astimezone(UTC)
        found.append((at, "USD", "high", KNOWN[1][0]))
    return found or releases(draw, known)


def same_instants(walls: list[datetime], clock: str, known: list[datetime]) -> bool:
    """Whether every clock that puts the known releases at 08:30 New York gives the same instants for all rows."""
    readings = set()
    candidates = [ZoneInfo(name) for name in (*CLOCKS, "America/Chicago", "Australia/Sydney", "Europe/Berlin")]
    for zone in candidates:
        if all(wall.replace(tzinfo=zone).astimezone(NEW_YORK).strftime("%H:%M") == "08:30" for wall in known):
            readings.add(tuple(wall.replace(tzinfo=zone).timestamp() for wall in walls))
    for half in range(-24, 29):
        shift = timedelta(hours=half / 2)
        if all((wall.replace(tzinfo=UTC) - shift).astimezone(NEW_YORK).strftime("%H:%M") == "08:30" for wall in known):
            readings.add(tuple((wall.replace(tzinfo=UTC) - shift).timestamp() for wall in walls))
    return len(readings) == 1


def dates_decide(days: list[date], order: str) -> bool:
    other = []
    for day in sorted(set(days)):
        try:
            other.append(date(day.year, day.day, day.month))
        except ValueError:
            return True
    own = sorted(set(days))
    if other == own:
        return True

    def jumps(run: list[date]) -> int:
        return sum((later - earlier).days > 5 for earlier, later in pairwise(run))

    return jumps(own) < jumps(sorted(other)) or (order == "german" and jumps(own) == jumps(sorted(other)))


def draw_calendar(seed: int) -> Foreign:
    """One calendar by its seed."""
    draw = random.Random(seed)
    layout = draw.choice(("own", "split", "split", "split", "stamp", "zoned", "json", "weekly_csv"))
    known = draw.random() < 0.75
    rows = releases(draw, known)
    words = draw.choice(tuple(IMPACTS)) if layout != "json" else draw.choice(("plain", "long", "moderate"))
    places = {code: draw.choice(names) for code, names in PLACES.items()}
    drawn: dict[str, object] = {"seed": seed, "layout": layout, "words": words, "known": known}
    asks: set[str] = set()
    if words.startswith("ranks") and not any(title in (KNOWN[0][0], KNOWN[1][0]) for *_, title in rows):
        asks.add("1 or 3")
    truth = {(round(at.timestamp()) * 10**9, code, impact, title) for at, code, impact, title in rows}
    if draw.random() < 0.3:
        rows += draw.sample(rows, max(len(rows) // 10, 1))
    if draw.random() < 0.4:
        draw.shuffle(rows)
    shown = [(at, places[code], IMPACTS[words][impact], title) for at, code, impact, title in rows]
    if layout == "json":
        value = [
            {"title": title, "country": place, "date": at.astimezone(NEW_YORK).isoformat(), "impact": impact}
            for at, place, impact, title in shown
        ]
        return Foreign("calendar.json", json.dumps(value).encode(), truth, asks, drawn)
    clock = draw.choice(CLOCKS)
    zone = ZoneInfo(clock)
    walls = [at.astimezone(zone).replace(tzinfo=None) for at, *_ in shown]
    form = draw.choice(tuple(DATES))
    if layout in ("own", "zoned"):
        form = "iso"
    drawn |= {"clock": clock, "form": form}
    header = ["time_utc", "currency", "impact", "event"]
    if layout == "own":
        lines = [[f"{at:%Y-%m-%dT%H:%M:%SZ}", place, impact, title] for at, place, impact, title in shown]
    elif layout == "zoned":
        header = ["datetime", "country", "importance", "event"]
        lines = [[at.astimezone(zone).isoformat(sep=" "), place, impact, title] for at, place, impact, title in shown]
    else:
        if form in ("mdy", "dmy", "german") and not dates_decide([wall.date() for wall in walls], form):
            asks.add("days from months")
        hours = [wall for wall, (*_, title) in zip(walls, shown, strict=True) if title in dict(KNOWN)]
        if not hours or not same_instants(walls, clock, hours):
            asks.add("files_clock")
        days = [wall.strftime(DATES[form]) for wall in walls]
        half_day = draw.random() < 0.5
        times = [
            f"{wall.hour % 12 or 12}:{wall:%M}{'am' if wall.hour < 12 else 'pm'}" if half_day else f"{wall:%H:%M}"
            for wall in walls
        ]
        if layout == "stamp":
            header = ["DateTime", "Currency", "Impact", "Event"]
            lines = [[f"{day} {time}", *row[1:]] for day, time, row in zip(days, times, shown, strict=True)]
        elif layout == "weekly_csv":
            header = ["Title", "Country", "Date", "Time", "Impact", "Forecast", "Previous"]
            lines = [[row[3], row[1], day, time, row[2], "", ""] for day, time, row in zip(days, times, shown, strict=True)]
        else:
            header = ["Date", "Time", "Currency", "Event", "Impact", "Actual"]
            lines = [[day, time, row[1], row[3], row[2], "1.2%"] for day, time, row in zip(days, times, shown, strict=True)]
    separator = draw.choice(",;\t")
    end = draw.choice(("\n", "\r\n"))
    text = end.join(separator.join(row) for row in [header, *lines]) + end
    data = text.encode(draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")))
    return Foreign("calendar.csv", gzip.compress(data, mtime=0) if draw.random() < 0.2 else data, truth, asks, drawn)
