"""ISO stamps to UTC nanoseconds, a whole column at once.

Promises: `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]][Z]`, all in one layout; the first one that is none is pointed at. UTC only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import NS_PER_S

_ZERO = ord("0")


def parse_stamps(column: npt.NDArray[np.bytes_]) -> tuple[IntArray, int | None]:
    """Instants of a column of texts, and the first row that is none (the instants are then worthless)."""
    width = column.dtype.itemsize
    letters = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), width)
    text = bytes(column[0])
    has_seconds = len(text) > 16 and text[16:17] == b":"
    digits_at = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, *((17, 18) if has_seconds else ())]
    if len(text) < max(digits_at) + 1:
        return np.zeros(0, np.int64), 0
    good = (letters[:, digits_at] - _ZERO <= 9).all(axis=1)
    good &= (letters[:, 4] == ord("-")) & (letters[:, 7] == ord("-")) & (letters[:, 13] == ord(":"))
    good &= (letters[:, 10] == ord("T")) | (letters[:, 10] == ord(" "))
    after = 19 if has_seconds else 16
    fraction_ns, tail_good = _fraction(letters, after)
    good &= tail_good
    values = letters.astype(np.int64) - _ZERO
    year = values[:, 0] * 1000 + values[:, 1] * 100 + values[:, 2] * 10 + values[:, 3]
    month, day, hour, minute = (values[:, at] * 10 + values[:, at + 1] for at in (5, 8, 11, 14))
    second = values[:, 17] * 10 + values[:, 18] if has_seconds else np.zeros(len(column), np.int64)
    days, calendar_good = days_from_civil(year, month, day)
    good &= calendar_good & (hour < 24) & (minute < 60) & (second < 60)
    if not good.all():
        return np.zeros(0, np.int64), int(np.argmin(good))
    instants: IntArray = ((days * 24 + hour) * 60 + minute) * 60 + second
    return instants * NS_PER_S + fraction_ns, None


def days_from_civil(year: IntArray, month: IntArray, day: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Days since 1970-01-01 of calendar days, and which of them exist."""
    good = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1900) & (year <= 2200)
    months = (np.where(good, year, 1970) - 1970) * 12 + np.where(good, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    days: IntArray = first + day - 1
    return days, good & (day <= length)


def _fraction(letters: npt.NDArray[np.uint8], after: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Nanoseconds behind the seconds, and whether each tail is an optional fraction and an optional Z."""
    rows, width = letters.shape
    total = np.zeros(rows, np.int64)
    good = np.ones(rows, np.bool_)
    running = np.zeros(rows, np.bool_)  # inside the digits of a fraction
    open_end = np.ones(rows, np.bool_)  # a fraction or a Z may still begin
    scale = NS_PER_S
    for at in range(after, width):
        letter = letters[:, at]
        begins = (letter == ord(".")) if at == after else np.zeros(rows, np.bool_)
        digit = running & (letter - _ZERO <= 9)
        scale = scale if at == after else scale // 10
        total += np.where(digit, (letter.astype(np.int64) - _ZERO) * scale, 0)
        zulu = open_end & (letter == ord("Z"))
        good &= begins | digit | zulu | (letter == 0)
        running = begins | digit
        open_end &= ~zulu & (letter != 0)
    return total, good
