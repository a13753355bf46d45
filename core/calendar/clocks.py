"""The clock of a calendar that does not say it: proved by releases whose hour everybody knows, given by a setting, or asked for.

Payrolls and American prices come at 08:30 New York, summer and winter; a few others are as fixed. A clock is taken when it puts
these releases where they belong and every other clock that does so gives the same instants for the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from quarterdeck.core.clock.time_zones import local_s
from quarterdeck.core.data.file_timezone import candidates, to_utc
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE

AUTO = "auto"
_FITS_SHARE = 0.8
_NEW_YORK, _SYDNEY, _LONDON, _BERLIN = "America/New_York", "Australia/Sydney", "Europe/London", "Europe/Berlin"


class _Known(NamedTuple):
    """Releases of a currency whose title fits come at this time of the day in this zone."""

    currency: str
    title: re.Pattern[str]
    zone: str
    second: int


def _known(currency: str, title: str, zone: str, clock: str) -> _Known:
    hour, minute = (int(part) for part in clock.split(":"))
    return _Known(currency, re.compile(title, re.IGNORECASE), zone, hour * S_PER_HOUR + minute * S_PER_MINUTE)


_NO_OTHER = r"^(?!.*(?:cleveland|expect|median|redbook|johnson|atlanta|gdpnow|nowcast|adp|challenger|speaks|revision|benchmark))"
KNOWN_RELEASES = (
    _known("USD", _NO_OTHER + r".*non-?\s?farm (?:employment change|payrolls)", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"(?:core )?(?:cpi|consumer price index)\b", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"(?:core )?(?:ppi|retail sales)\b", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"(?:unemployment rate|average hourly earnings)", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"(?:unemployment claims|initial jobless claims)", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"(?:advance |prelim |final )?gdp (?:q/q|\(qoq\))", _NEW_YORK, "08:30"),
    _known("USD", _NO_OTHER + r"ism (?:non-)?manufacturing pmi|ism services pmi", _NEW_YORK, "10:00"),
    _known("CAD", _NO_OTHER + r"(?:employment change|(?:core )?cpi)\b", _NEW_YORK, "08:30"),
    _known("AUD", _NO_OTHER + r"(?:employment change|unemployment rate)", _SYDNEY, "11:30"),
    _known("GBP", r"^(?:official bank rate|boe interest rate decision)", _LONDON, "12:00"),
    _known("EUR", r"^(?:german )?zew economic sentiment", _BERLIN, "11:00"),
)


class Timed(NamedTuple):
    """A release as a calendar lists it, at a wall time."""

    wall: datetime
    currency: str
    title: str


def known_release(row: Timed) -> _Known | None:
    """The rule of a release whose hour is known, if it is one."""
    return next((rule for rule in KNOWN_RELEASES if rule.currency == row.currency and rule.title.search(row.title)), None)


def wall_ns(wall: datetime) -> int:
    """Nanoseconds of a wall time."""
    return int(np.datetime64(wall, "ns").astype(np.int64))


def clock_of(rows: Sequence[Timed], declared: str, name: str) -> str:
    """The clock of a calendar: `declared`, or the one that its known releases prove.

    Raises:
        DataError: where they prove none, or contradict the declared one.
    """
    walls = np.array([wall_ns(row.wall) for row in rows], np.int64)
    known = [(wall, rule) for wall, row in zip(walls.tolist(), rows, strict=True) if (rule := known_release(row)) is not None]
    if declared != AUTO:
        fitting = _fitting(known, declared)
        if known and fitting < (1.0 - _FITS_SHARE) * len(known):
            raise DataError(
                f"{name}: on the clock {declared} only {fitting} of {len(known)} known releases are at their hour",
                what_to_do="set news.files_clock to the clock of the file, or auto",
            )
        return declared
    if not known:
        raise _asked(name, "it contains no release whose hour is known, so its clock cannot be proved")
    fits = {clock: _fitting(known, clock) for clock in candidates()}
    best = max(fits.values())
    if best < _FITS_SHARE * len(known):
        raise _asked(name, f"no clock puts more than {best} of {len(known)} known releases at their hour")
    slack = 0 if best == len(known) else len(known) // 20
    holding = [clock for clock, count in fits.items() if count >= best - slack]
    instants = {to_utc(walls, clock).tobytes() for clock in holding}
    if len(instants) > 1:
        raise _asked(name, f"{' and '.join(holding[:3])} fit its {len(known)} known releases alike")
    return holding[0]


def _fitting(known: Sequence[tuple[int, _Known]], clock: str) -> int:
    """How many known releases are at their hour."""
    if not known:
        return 0
    instants = to_utc(np.array([wall for wall, _ in known], np.int64), clock).tolist()
    return sum(
        local_s(instant, rule.zone) % S_PER_DAY == rule.second and instant % NS_PER_S == 0
        for instant, (_, rule) in zip(instants, known, strict=True)
    )


def _asked(name: str, why: str) -> DataError:
    return DataError(f"{name}: {why}", what_to_do="set news.files_clock: utc, new_york, eet, Asia/Singapore, utc+2")
