"""The simulated market's own calendar: releases at the usual local hours, the same for a seed whatever else is asked.

Promises: a week's events depend on seed and week alone; they are known beforehand, as a calendar's are, and what they do to
prices is drawn elsewhere. Titles say that they are simulated.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from quarterdeck.core.clock import time_zones
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs

_STREAM = 11
_MINUTE_S = 60
_EPOCH_SUNDAY = 3
"""1970-01-04 was a Sunday."""
# currency: (zone, usual local times as seconds of the day, high and medium events a week)
_HABITS: dict[str, tuple[str, tuple[int, ...], float, float]] = {
    "USD": ("America/New_York", (30_600, 36_000, 50_400), 2.6, 4.0),
    "EUR": ("Europe/Berlin", (29_700, 36_000, 51_300), 1.2, 3.0),
    "GBP": ("Europe/London", (25_200, 34_200, 43_200), 1.2, 2.0),
    "JPY": ("Asia/Tokyo", (31_800, 43_200), 0.6, 1.6),
    "CHF": ("Europe/Zurich", (30_600, 34_200), 0.4, 1.0),
    "AUD": ("Australia/Sydney", (41_400, 52_200), 0.9, 1.4),
    "NZD": ("Pacific/Auckland", (38_700, 50_400), 0.6, 1.0),
    "CAD": ("America/Toronto", (30_600, 35_100), 0.9, 1.4),
}
_TITLES = ("Consumer Prices", "Employment", "Rate Decision", "Retail Sales", "Growth", "Business Survey")


def week_of(utc_ns: UtcNs) -> int:
    """Number of the New York week an instant lies in; weeks begin on Sunday."""
    return (time_zones.local_s(utc_ns, time_zones.NEW_YORK) // S_PER_DAY - _EPOCH_SUNDAY) // 7


@lru_cache(maxsize=64)
def week_news(seed: int, week: int) -> tuple[NewsEvent, ...]:
    """All events of a week, in order of time."""
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, week, _STREAM))))
    monday_s = (week * 7 + _EPOCH_SUNDAY + 1) * S_PER_DAY
    events: list[NewsEvent] = []
    for currency, (zone, hours, high, medium) in _HABITS.items():
        wanted: tuple[tuple[Literal["high", "medium"], float], ...] = (("high", high), ("medium", medium))
        for impact, rate in wanted:
            for _ in range(int(draw.poisson(rate))):
                day, place, title = (int(draw.integers(bound)) for bound in (5, len(hours), len(_TITLES)))
                at = time_zones.utc_of_local(monday_s + day * S_PER_DAY + hours[place], zone)
                events.append(NewsEvent(at_utc_ns=at, currency=currency, impact=impact, title=f"Simulated {_TITLES[title]}"))
    return tuple(sorted(events, key=lambda event: (event.at_utc_ns, event.currency, event.impact, event.title)))


def news_between(seed: int, from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[NewsEvent, ...]:
    """Events of a span, both ends included."""
    weeks = range(week_of(from_utc_ns) - 1, week_of(to_utc_ns) + 2)
    return tuple(event for week in weeks for event in week_news(seed, week) if from_utc_ns <= event.at_utc_ns <= to_utc_ns)


def ahead_and_behind(seed: int, now_utc_ns: UtcNs, *, days_ahead: int = 7, days_behind: int = 1) -> tuple[NewsEvent, ...]:
    """What a calendar shows now."""
    day_ns = 24 * S_PER_HOUR * NS_PER_S
    return news_between(seed, now_utc_ns - days_behind * day_ns, now_utc_ns + days_ahead * day_ns)
