"""On which clock a file was written: what the file says, what its weeks prove, or what the operator declares.

Why: nothing in a file of candles says so, and a clock that is wrong by hours trades sessions and news that never were.
Evidence: the currency week opens on Sunday and ends on Friday at 17:00 New York, and nothing moves between. Each pause as long
as a weekend speaks for the clocks on which it ends and begins at these hours; rows that move inside the closed hours speak
against a clock. Flat bars are no movement. Promises: a clock is taken when it fits clearly better than every clock that gives
other instants; where several are left, the operator is asked; a clock that the file contradicts is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, known_zone, transitions
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE

Flags = npt.NDArray[np.bool_]
_HOUR_NS = S_PER_HOUR * NS_PER_S
_MINUTE_NS = S_PER_MINUTE * NS_PER_S
_SLOT_NS = 5 * _MINUTE_NS
_WEEKEND_NS = 30 * _HOUR_NS
_WEEKEND_MOST_NS = 4 * DAY_NS
_CLOSES_S = 17 * S_PER_HOUR
_TIGHT_S = 16 * S_PER_MINUTE
_EARLY_S = 3 * S_PER_MINUTE
"""Ticks before the open and after the close that feeds still send."""
_OPEN_LATE_S = 90 * S_PER_MINUTE
_CLOSE_SOON_S = 65 * S_PER_MINUTE
_CLOSED_MOVES_S = 10 * S_PER_MINUTE
_CLOSED_WEEKS_SHARE = 0.05
_HOLDS_SHARE = 0.8
_BLOCK_ROWS = 1 << 20
"""Rows at a time, so that a year of ticks needs no second copy."""
_PROVED_PERIOD_MAX_NS = 4 * _HOUR_NS
NAMED = ("utc", "new_york_plus_7", "eet", "est", "new_york")
_ZONES = {
    "new_york_plus_7": (NEW_YORK, 7 * S_PER_HOUR),
    "new_york": (NEW_YORK, 0),
    "eet": ("Europe/Athens", 0),
}
_CITIES = (
    *("Europe/London", "Europe/Berlin", "Europe/Moscow", "Asia/Tehran", "Australia/Sydney"),
    *("Australia/Adelaide", "Pacific/Auckland", "America/Chicago", "America/Denver", "America/Los_Angeles"),
    *("America/St_Johns", "America/Sao_Paulo", "America/Santiago"),
)
_QUARTER_OFFSETS_H = (5.75, 8.75, 12.75)
_FIXED_H = (*(half / 2.0 for half in range(-24, 29) if half), *_QUARTER_OFFSETS_H)


class TimezoneProof(Struct, frozen=True, kw_only=True):
    """The clock taken, how many weekends there were, and how many of them fit it."""

    clock: str
    weekends: int
    fitting: int
    alike: tuple[str, ...] = ()
    """Other named clocks that give the same instants over the days of this file."""
    origin: str = "proved"
    """`proved` by the weeks, `said` by the file, or `declared` by the operator."""

    @property
    def proved(self) -> bool:
        """The weeks of the file prove this clock, or the file says it and they do not contradict it."""
        return self.origin != "declared" or (self.weekends > 0 and self.fitting >= _HOLDS_SHARE * self.weekends)

    @property
    def words(self) -> str:
        """The verdict in a line."""
        if self.origin == "said":
            source = "said by the file"
        elif self.origin == "declared":
            source = "declared"
        else:
            source = "proved by its weeks"
        weeks = f", {self.fitting} of {self.weekends} weekends open and close as they should" if self.weekends else ""
        doubt = f"; {', '.join(self.alike)} would be the same here" if self.alike else ""
        return f"{self.clock} ({source}){weeks}{doubt}"


class Evidence(NamedTuple):
    """What the stamps of a file tell about its clock, on its wall."""

    slots_ns: IntArray
    """Starts of the five-minute slots in which something moved, increasing."""
    lasts_ns: IntArray
    """Last moving row before each pause as long as a weekend."""
    firsts_ns: IntArray
    """First moving row after it."""
    period_ns: int

    @property
    def weekends(self) -> int:
        """Pauses as long as a weekend."""
        return len(self.firsts_ns)


class _Fit(NamedTuple):
    """How a clock fits: points of its weekends' edges, weekends that fit, and whether rows speak against it."""

    score: int
    fitting: int
    contradicted: bool


def to_utc(wall_ns: IntArray, clock: str) -> IntArray:
    """Instants of wall times on a clock: one of `utc`, `new_york_plus_7`, `eet`, `est`, `new_york`, `utc+N`, or a zone's name.

    Raises:
        DataError: when there is no such clock.
    """
    fixed_s = _fixed_s(clock)
    if fixed_s is not None:
        return wall_ns - fixed_s * NS_PER_S if fixed_s else wall_ns
    zone, ahead_s = _ZONES.get(clock, (clock, 0))
    if not known_zone(zone):
        raise DataError(
            f"{clock!r} is not a known clock", what_to_do=f"use one of {', '.join(NAMED)}, utc+2, or a zone such as Asia/Tokyo"
        )
    changes, offsets = _wall_changes(zone)
    instants = np.empty_like(wall_ns)
    for start in range(0, len(wall_ns), _BLOCK_ROWS):
        part = wall_ns[start : start + _BLOCK_ROWS] - ahead_s * NS_PER_S
        instants[start : start + _BLOCK_ROWS] = part - offsets[np.searchsorted(changes, part, side="right") - 1]
    return instants


def gather(stamps_ns: IntArray, period_ns: int, moves: Flags | None = None) -> Evidence:
    """The evidence of sorted wall times of bars (or ticks, with a period of 0); `moves` marks the rows that are no flat bar."""
    moving = stamps_ns if moves is None else stamps_ns[moves]
    slots, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(moving), _BLOCK_ROWS):
        part = moving[max(start - 1, 0) : start + _BLOCK_ROWS]
        slots.append(np.unique(part // _SLOT_NS))
        pauses = np.diff(part)
        rows.append(np.flatnonzero((pauses >= _WEEKEND_NS) & (pauses <= _WEEKEND_MOST_NS)) + max(start - 1, 0))
    lasts = np.concatenate(rows)
    return Evidence(np.unique(np.concatenate(slots)) * _SLOT_NS, moving[lasts], moving[lasts + 1], period_ns)


def prove(evidence: Evidence, clock: str, *, origin: str) -> TimezoneProof:
    """How well a clock that was said or declared fits."""
    fit = _fit(evidence, clock)
    return TimezoneProof(clock=clock, weekends=evidence.weekends, fitting=fit.fitting, origin=origin)


def contradiction(evidence: Evidence, clock: str) -> str:
    """Why the weeks of a file speak against a clock, or "" where they do not."""
    if evidence.period_ns > _PROVED_PERIOD_MAX_NS:
        return ""
    fit = _fit(evidence, clock)
    if not fit.contradicted and fit.score >= 2 * evidence.weekends - 1:
        return ""  # nothing can fit better by two points
    better = [(name, other) for name, other in _fits(evidence) if other.score >= fit.score + 2 and not other.contradicted]
    others = [(name, other) for name, other in better if not _same(evidence, name, clock)]
    if not (fit.contradicted or others or (evidence.weekends > 1 and not fit.fitting)):
        return ""
    best = max(others, key=lambda item: item[1].score, default=None)
    hint = f"{best[0]} fits {best[1].fitting} of them" if best and best[1].fitting else "no clock fits better"
    moved = "prices move while the market is closed, and " if fit.contradicted else ""
    return f"{moved}{clock} fits the week's open and close on {fit.fitting} of {evidence.weekends} weekends; {hint}"


def detect(path: Path, evidence: Evidence, usual: Sequence[str] = ()) -> TimezoneProof:
    """The clock that the weeks of a file prove; `usual` clocks name it where several give the same instants.

    Raises:
        DataError: where the weeks prove none: the operator is asked.
    """
    if evidence.period_ns > _PROVED_PERIOD_MAX_NS:
        raise _asked(path, "bars as long as these prove no clock")
    fits = {name: fit for name, fit in _fits(evidence) if not fit.contradicted}
    order = list(dict.fromkeys([*usual, *NAMED, *fits]))
    best = max((fit.score for fit in fits.values()), default=0)
    holding = [name for name in order if name in fits and fits[name].score >= best - max(1, best // 20)]
    whole_week = not evidence.weekends and len(evidence.slots_ns) and _spans_week(evidence)
    if not holding or (best <= 0 and not whole_week):
        raise _asked(path, _no_proof(evidence, fits))
    first = next(name for name in order if name in fits and fits[name].score == best)
    others = [name for name in holding if not _same(evidence, name, first)]
    if others:
        raise _asked(path, f"{first} and {others[0]} fit its weeks alike")
    named = tuple(name for name in holding if name in NAMED and name != first)
    return TimezoneProof(clock=first, weekends=evidence.weekends, fitting=fits[first].fitting, alike=named)


def _no_proof(evidence: Evidence, fits: dict[str, _Fit]) -> str:
    if not evidence.weekends:
        return "nothing in the file proves its clock: it holds no weekend"
    most = max((fit.fitting for fit in fits.values()), default=0)
    return f"no clock fits its weekends (the best one {most} of {evidence.weekends})"


def _asked(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: {why}",
        what_to_do="say on which clock it was written: --clock utc, new_york_plus_7 (most MetaTrader servers), eet, est, utc+2",
    )


def _spans_week(evidence: Evidence) -> bool:
    """The file runs from one open to the next close without a pause that would show them."""
    return int(evidence.slots_ns[-1] - evidence.slots_ns[0]) >= 4 * DAY_NS


def candidates() -> tuple[str, ...]:
    """The clocks that a file may be written on, the likeliest first."""
    return (*NAMED, *_CITIES, *(f"utc{hours:+g}" for hours in _FIXED_H))


def _fits(evidence: Evidence) -> list[tuple[str, _Fit]]:
    return [(name, _fit(evidence, name)) for name in candidates()]


def _fit(evidence: Evidence, clock: str) -> _Fit:
    period_s = evidence.period_ns // NS_PER_S
    inside_s = max(period_s, _EARLY_S)
    ends = _new_york_s(to_utc(evidence.lasts_ns, clock))
    starts = _new_york_s(to_utc(evidence.firsts_ns, clock))
    opened = starts % S_PER_DAY - _CLOSES_S  # how long after 17:00 the first bar begins
    closed = _CLOSES_S - (ends % S_PER_DAY + period_s)  # how long before 17:00 the last bar ends
    opens = _among(_weekday(starts), 6, 0, 1) & (opened > -inside_s) & (opened <= _OPEN_LATE_S)
    closes = _among(_weekday(ends), 2, 3, 4) & (closed > -inside_s) & (closed <= _CLOSE_SOON_S)
    points = np.count_nonzero(opens & (opened <= _TIGHT_S)) - np.count_nonzero(~opens)
    points += np.count_nonzero(closes & (closed <= _TIGHT_S)) - np.count_nonzero(~closes)
    slots = to_utc(evidence.slots_ns, clock)
    weeks, broken, touched = _closed_weeks(slots, evidence.period_ns)
    contradicted = broken > _CLOSED_WEEKS_SHARE * weeks or not _on_grid(slots, evidence.period_ns)
    contradicted |= bool((np.diff(slots) <= 0).any())
    return _Fit(int(points) - 2 * touched, int(np.count_nonzero(opens & closes)), contradicted)


def _on_grid(slots_ns: IntArray, period_ns: int) -> bool:
    """Bars start on whole periods of UTC, up to an hour."""
    grid = min(period_ns, _HOUR_NS)
    return grid <= _SLOT_NS or not len(slots_ns) or bool((slots_ns % grid >= _SLOT_NS).mean() < 0.5)


def _closed_weeks(slots_ns: IntArray, period_ns: int) -> tuple[int, int, int]:
    """Weeks of the file, those in which much moves while the market is closed, and those in which anything does."""
    if not len(slots_ns):
        return 0, 0, 0
    wall = _new_york_s(slots_ns) + 4 * S_PER_DAY
    period_s = max(period_ns, _SLOT_NS) // NS_PER_S
    early_s = 0 if period_s >= S_PER_MINUTE * 15 else _EARLY_S
    # weeks are counted from Wednesday, so that a weekend is never torn in two
    week, second = (wall - 3 * S_PER_DAY) // (7 * S_PER_DAY), wall % (7 * S_PER_DAY)
    closed = (second >= 5 * S_PER_DAY + _CLOSES_S + early_s) | (second + period_s <= _CLOSES_S - early_s)
    _, counts = np.unique(week[closed], return_counts=True)
    return int(week[-1] - week[0]) + 1, int(np.count_nonzero(counts * period_s >= _CLOSED_MOVES_S)), len(counts)


def _same(evidence: Evidence, one: str, other: str) -> bool:
    """Two clocks give the same instants over the whole file."""
    edges = np.concatenate([evidence.slots_ns, evidence.lasts_ns, evidence.firsts_ns])
    return bool(np.array_equal(to_utc(edges, one), to_utc(edges, other)))


def _new_york_s(utc_ns: IntArray) -> IntArray:
    starts, offsets = _utc_changes(NEW_YORK)
    seconds = utc_ns // NS_PER_S
    wall: IntArray = seconds + offsets[np.searchsorted(starts, seconds, side="right") - 1]
    return wall


def _among(days: IntArray, one: int, other: int, third: int) -> Flags:
    found: Flags = (days == one) | (days == other) | (days == third)
    return found


def _weekday(wall_s: IntArray) -> IntArray:
    """0 Monday .. 6 Sunday."""
    days: IntArray = (wall_s // S_PER_DAY + 3) % 7
    return days


@lru_cache(maxsize=64)
def _utc_changes(zone: str) -> tuple[IntArray, IntArray]:
    starts, offsets = transitions(zone)
    return np.array(starts, np.int64), np.array(offsets, np.int64)


@lru_cache(maxsize=64)
def _wall_changes(zone: str) -> tuple[IntArray, IntArray]:
    """Wall nanoseconds from which an offset holds (a wall time shown twice is the earlier one), and the offsets."""
    starts, offsets = transitions(zone)
    steps = zip(starts[1:], offsets, offsets[1:], strict=False)
    walls = [-(2**62), *((start + max(before, after)) * NS_PER_S for start, before, after in steps)]
    return np.array(walls, np.int64), np.array(offsets, np.int64) * NS_PER_S


def _fixed_s(clock: str) -> int | None:
    if clock in ("utc", "est"):
        return 0 if clock == "utc" else -5 * S_PER_HOUR
    if not clock.startswith(("utc+", "utc-")):
        return None
    try:
        hours = float(clock[3:])
    except ValueError:
        return None
    return round(hours * S_PER_HOUR) if abs(hours) <= 15 else None
