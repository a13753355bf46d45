"""Whether the bars before a range are complete enough to warm up on: a hole in them is no past.

Why: counted alone, bars of two years ago warm a strategy up as well as those of yesterday, and it trades on prices long gone.
Guarantees: judged are the quarter hours in which the pair trades at every broker (Sunday 17:00 to Friday 16:00 New York, as some
close an hour before the others; metals pause an hour a day), outside the holidays that close the market. Where a currency is none
of the majors, quarter hours of the week in which the pair had no bar in four weeks or more are not its hours. What is missing is
named by its first and last quarter hour.
Does not: know closures that no rule gives, such as a day of mourning.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, local_s
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs

HOLE_QUARTERS = 8
"""Two hours in a row."""
MISSING_MAX_FRACTION = 0.01
NEWEST_QUARTERS = 16
_HOUR_NS = S_PER_HOUR * NS_PER_S
_DAY_TURNS_S = 17 * S_PER_HOUR
_LAST_CLOSE_S = 16 * S_PER_HOUR
_EARLY_CLOSE_S = 12 * S_PER_HOUR
_LATE_OPEN_S = 19 * S_PER_HOUR
_METALS = ("XAU", "XAG", "XPT", "XPD")
_AROUND_THE_CLOCK = (*_METALS, "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD")
"""Currencies whose pairs trade day and night at every broker; of others some close at night."""
_WEEKS_MIN = 4
"""Weeks of bars from which the hours of a pair that may close at night are learned."""
_THURSDAY_S = 4 * S_PER_DAY
_WEEK_S = 7 * S_PER_DAY
_QUARTER_S = M15_NS // NS_PER_S


class Missing(Struct, frozen=True, kw_only=True):
    """What a stretch of warm-up lacks."""

    quarters: int
    expected: int
    hole: tuple[UtcNs, UtcNs] | None
    """First and last quarter hour of the longest hole of two hours or more."""
    newest: UtcNs | None
    """A missing quarter hour among the last ones before the range."""

    @property
    def too_much(self) -> bool:
        """Nothing may be judged on it."""
        return self.hole is not None or self.newest is not None or self.quarters > MISSING_MAX_FRACTION * self.expected

    @property
    def words(self) -> str:
        """The worst of it."""
        if self.hole is not None:
            return f"no data from {minute(self.hole[0])} to {minute(self.hole[1] + M15_NS)}"
        if self.newest is not None:
            return f"the quarter hour of {minute(self.newest)} is missing, one of the last {NEWEST_QUARTERS}"
        return f"{self.quarters:,} of {self.expected:,} quarter hours are missing"


def missing_quarters(symbol: str, opens: IntArray, begin_utc_ns: UtcNs, end_utc_ns: UtcNs) -> Missing:
    """What is missing of a pair's quarter hours from `begin_utc_ns` up to `end_utc_ns`; `opens` are those there are, in order."""
    grid = np.arange(-(-begin_utc_ns // M15_NS) * M15_NS, end_utc_ns, M15_NS, dtype=np.int64)
    wall = _new_york_s(grid)
    expected = _trades(symbol, wall) & _own_hours(symbol, opens[: int(np.searchsorted(opens, end_utc_ns))], wall)
    grid, wall = grid[expected], wall[expected]
    lacking = ~np.isin(grid, opens)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lacking, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    hole = None
    if len(starts) and int((ends - starts).max()) >= HOLE_QUARTERS:
        longest = int((ends - starts).argmax())
        hole = (grid.item(starts[longest]), grid.item(ends[longest] - 1))
    # in the hour after 17:00 New York a quarter without a tick is nothing unusual
    newest = np.flatnonzero(lacking[-NEWEST_QUARTERS:] & (wall[-NEWEST_QUARTERS:] % S_PER_DAY // S_PER_HOUR != 17))
    return Missing(
        quarters=int(np.count_nonzero(lacking)),
        expected=len(grid),
        hole=hole,
        newest=grid[-NEWEST_QUARTERS:].item(int(newest[-1])) if len(newest) else None,
    )


def _own_hours(symbol: str, opens: IntArray, wall_s: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each quarter hour is one of the week's in which the pair ever traded, as far as its bars can tell."""
    found = np.ones(len(wall_s), np.bool_)
    if not len(opens) or (symbol[:3] in _AROUND_THE_CLOCK and symbol[3:6] in _AROUND_THE_CLOCK):
        return found
    traded_s = _new_york_s(opens) + _THURSDAY_S
    if len(np.unique(traded_s // _WEEK_S)) < _WEEKS_MIN:
        return found
    week = np.zeros(_WEEK_S // _QUARTER_S, np.bool_)
    week[traded_s % _WEEK_S // _QUARTER_S] = True
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = week[(wall_s + _THURSDAY_S) % _WEEK_S // _QUARTER_S]
    return result


def _trades(symbol: str, wall_s: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    week = (wall_s + _THURSDAY_S) % _WEEK_S
    second = wall_s % S_PER_DAY
    found = (week >= _DAY_TURNS_S) & (week < 5 * S_PER_DAY + _LAST_CLOSE_S)
    metal = symbol[:3] in _METALS
    if metal:
        found &= second // S_PER_HOUR != 17
    days = wall_s // S_PER_DAY
    for number in np.unique(days).tolist():
        closed = holiday_closure(date.fromordinal(date(1970, 1, 1).toordinal() + number), metal=metal)
        if closed is not None:
            found &= ~((days == number) & (second >= closed[0]) & (second < closed[1]))
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = found
    return result


def holiday_closure(day: date, *, metal: bool) -> tuple[int, int] | None:
    """Seconds of a New York day in which a holiday closes the market; None on other days."""
    following = day + timedelta(days=1)
    if (day.month, day.day) in ((12, 25), (1, 1)):
        return (0, _LATE_OPEN_S)
    if (following.month, following.day) in ((12, 25), (1, 1)):
        return (_EARLY_CLOSE_S, S_PER_DAY)
    if not metal:
        return None
    if day == good_friday(day.year):
        return (0, S_PER_DAY)
    if following == good_friday(day.year):
        return (_DAY_TURNS_S, S_PER_DAY)
    return (_EARLY_CLOSE_S, 18 * S_PER_HOUR) if _bank_holiday(day) else None


def _bank_holiday(day: date) -> bool:
    """The United States' holidays on which metals close early, with the day after Thanksgiving."""
    third, monday = (day.day - 1) // 7 == 2, day.weekday() == 0
    if day.month in (1, 2) and monday and third:
        return True
    if day.month == 5 and monday and day.day > 24:
        return True
    if day.month == 9 and monday and day.day <= 7:
        return True
    if day.month == 11:
        thursday = day if day.weekday() == 3 else day - timedelta(days=1)
        return thursday.weekday() == 3 and (thursday.day - 1) // 7 == 3
    return (day.month, day.day) in ((6, 19), (7, 4), (7, 3), (7, 5), (6, 18), (6, 20)) and _observed(day)


def _observed(day: date) -> bool:
    """June 19 and July 4, or the workday beside them when they fall on a weekend."""
    for fixed in (date(day.year, 6, 19), date(day.year, 7, 4)):
        shift = {5: -1, 6: 1}.get(fixed.weekday(), 0)
        if day in (fixed, fixed + timedelta(days=shift)):
            return True
    return False


def good_friday(year: int) -> date:
    """Two days before Easter, by the Gregorian computus (Meeus 1991)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1) - timedelta(days=2)


def _new_york_s(stamps: IntArray) -> IntArray:
    hours, back = np.unique(stamps // _HOUR_NS, return_inverse=True)
    ahead = np.array([local_s(hour * _HOUR_NS, NEW_YORK) - hour * S_PER_HOUR for hour in hours.tolist()], np.int64)
    wall: IntArray = stamps // NS_PER_S + ahead[back]
    return wall


def minute(utc_ns: UtcNs) -> str:
    """`2024-08-01 23:15` of an instant."""
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M}"
