"""Stamps of any public form, a column of texts at once: parts of dates and times by the shape of the text.

Rows of one shape (digits in the same places) are parsed together. Promises: a text that has no known form is marked bad and
never read in another way. The order of day, month and year is left open where the form does not tell it: dates are kept as
their raw parts, and `dates_of` decides over the whole file, or says that nothing decides.
"""

from __future__ import annotations

import re
from calendar import monthrange
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.core.data.timestamps import days_from_civil
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_HOUR

Letters = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Order = str
"""`ymd`, `dmy` or `mdy`."""
DATE_ORDERS: tuple[Order, ...] = ("dmy", "mdy", "ymd")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES_H = {
    "z": 0.0,
    "utc": 0.0,
    "gmt": 0.0,
    "est": -5.0,
    "edt": -4.0,
    "cet": 1.0,
    "cest": 2.0,
    "eet": 2.0,
    "eest": 3.0,
    "bst": 1.0,
    "msk": 3.0,
    "jst": 9.0,
    "hkt": 8.0,
    "sgt": 8.0,
    "aest": 10.0,
    "aedt": 11.0,
}
_DATE = (
    r"(?:[A-Za-z]{3,9},? +)?(?:"
    r"(?P<y>0000)(?P<m>00)(?P<d>00)"
    r"|(?P<y1>0000)(?P<s1>[-./])(?P<m1>00?)(?P=s1)(?P<d1>00?)"
    r"|(?P<a>00?)(?P<s2>[-./])(?P<b>00?)(?P=s2)(?P<c>0000|00)"
    r"|(?P<d3>00?)[- ./]?(?P<mon3>[A-Za-z]{3,9})[-., /]*(?P<y3>0000)"
    r"|(?P<mon4>[A-Za-z]{3,9})[ .]*(?P<d4>00?),? +(?P<y4>0000)"
    r")"
)
_FRACTION = r"(?:[.,:](?P<f>0{1,9}))?"
_TIME = (
    rf"(?:(?P<H>00?):(?P<M>00)(?::(?P<S>00){_FRACTION})?"
    r"|(?P<H1>00?)\.(?P<M1>00)\.(?P<S1>00)"
    rf"|(?P<H2>00)(?P<M2>00)(?:(?P<S2>00)(?:[.,]?(?P<f2>0{{1,9}}))?)?)"
    r"(?: *(?P<ap>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"(?: *(?P<zone>[A-Za-z]{1,4}))??(?: *(?P<sign>[+-])(?P<oh>00?):?(?P<om>00)?)?"
_STAMP = re.compile(rf" *{_DATE}(?:[T _,;-]? *{_TIME}{_ZONE})? *")
_EPOCH = re.compile(r"-?(?P<whole>0{9,19})(?:\.(?P<f>0{1,9}))?")
_DATE_BITS = np.int64(48)
_MOST_DATES = 1 << 15
_BIAS_NS = 16 * S_PER_HOUR * NS_PER_S
JOIN = 1
"""Byte between a date column and a time column."""
Span = tuple[int, ...]


class Form(NamedTuple):
    """Where the parts of a stamp of one shape stand."""

    order: Order
    """`ymd`, `?` where year comes last and nothing tells the rest, `??` where the year has two digits; `epoch`."""
    date: tuple[Span, Span, Span]
    hour: Span
    minute: Span
    second: Span
    fraction: Span
    half_day: int
    """Where A or P stands, or -1."""
    zone_h: float | None
    sign: int
    offset_hour: Span
    offset_minute: Span
    month: int
    """Month by its name, or 0."""


class Dates:
    """The dates that a file mentions, in order of their first appearance."""

    def __init__(self) -> None:
        """None yet."""
        self.parts: list[tuple[int, int, int, str]] = []
        self._index: dict[tuple[int, int, int, str], int] = {}

    def index(self, parts: tuple[int, int, int, str]) -> int:
        """The number of a date; files with more dates than a lifetime has are no files of prices."""
        found = self._index.get(parts)
        if found is None:
            found = self._index[parts] = len(self.parts)
            self.parts.append(parts)
        return found


class Parsed(NamedTuple):
    """A column of stamps: packed instants (`unpacked` makes wall times of them), and which of them are good."""

    packed: IntArray
    good: Flags
    zoned: bool
    """Every good stamp says its own offset."""
    any_offset: bool
    """Some offset is not zero."""
    epoch: bool
    """They count from 1970, and are instants or wall times as they stand."""


def parse_forms(letters: Letters, dates: Dates) -> Parsed:
    """Parse a column, one text a row, filled up with zero bytes."""
    rows = len(letters)
    packed, good = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    counted = np.zeros(rows, np.bool_)
    zoned = True
    any_offset = False
    for shape, chosen in _shapes(letters):
        form = _form(shape)
        if form is None:
            continue
        part = letters if chosen is None else letters[chosen]
        if form.order == "epoch":
            values, fine = _epochs(part, form)
            counted[slice(None) if chosen is None else chosen] = True
        else:
            values, fine, offset = _civil(part, form, dates)
            zoned &= offset is not None
            any_offset |= bool(offset)
        if chosen is None:
            packed, good = values, fine
        else:
            packed[chosen], good[chosen] = values, fine
    epoch = bool(counted.sum() * 2 > rows)
    good &= counted == epoch  # one column counts its stamps in one way
    return Parsed(packed, good, zoned and not epoch and bool(good.any()), any_offset, epoch)


def padded_time(letters: Letters, digits: int) -> Letters:
    """Times of the day written as one number, with the leading zeros that a number loses."""
    lengths = (letters != 0).sum(axis=1)
    places = lengths[:, None] - digits + np.arange(digits)
    rows = np.arange(len(letters))[:, None]
    return np.where(places >= 0, letters[rows, np.maximum(places, 0)], np.uint8(48))


def unpacked(packed: IntArray, days: IntArray) -> None:
    """Turn packed civil stamps into wall nanoseconds, in place; `days` are the days since 1970 of each date."""
    step = 1 << 20
    for start in range(0, len(packed), step):
        part = packed[start : start + step]
        which = part >> _DATE_BITS
        part -= which << _DATE_BITS
        part += days[which] * DAY_NS - _BIAS_NS


def dates_of(dates: Dates, declared: Order = "") -> tuple[IntArray, tuple[Order, ...]]:
    """Days since 1970 of every date, and the orders that fit equally well: more than one means that nothing decides.

    A date that does not exist in the order taken gets the day -2**31. No order fits where the tuple is empty.
    """
    open_kinds = {kind for *_, kind in dates.parts if kind.startswith("?")}
    if not open_kinds:
        return _days(dates, "ymd"), ("ymd",)
    orders: tuple[Order, ...] = ("dmy", "mdy", "ymd") if "??" in open_kinds else ("dmy", "mdy")
    if declared:
        orders = (declared,)
    scored = []
    for order in orders:
        days = _days(dates, order)
        if (days > _NO_DAY).all():
            scored.append((_jumps(days), order, days))
    if not scored:
        return np.zeros(0, np.int64), ()
    best = min(score for score, _, _ in scored)
    fitting = [(order, days) for score, order, days in scored if score == best]
    first, days = fitting[0]
    alike = [order for order, other in fitting if not np.array_equal(other, days)]
    dotted = all(kind == "?." for kind in open_kinds)
    if alike and dotted and first == "dmy":
        alike = []  # no public layout writes the month first with dots
    return days, (first, *alike)


_NO_DAY = -(2**31)
_JUMP_DAYS = 5


def _jumps(days: IntArray) -> int:
    """How often the dates, put in order, jump further than a long weekend."""
    return int(np.count_nonzero(np.diff(np.unique(days)) > _JUMP_DAYS))


def _days(dates: Dates, order: Order) -> IntArray:
    found = []
    for first, second, third, kind in dates.parts:
        named = order if kind.startswith("?") else kind
        parts = dict(zip(named, (first, second, third), strict=True))
        year = parts["y"]
        if year < 100:
            year += 2000 if year < 70 else 1900
        found.append((year, parts["m"], parts["d"]))
    columns = np.array(found, np.int64).reshape(-1, 3)
    days, good = days_from_civil(columns[:, 0], columns[:, 1], columns[:, 2])
    return np.where(good, days, _NO_DAY)


def _shapes(letters: Letters) -> list[tuple[bytes, IntArray | None]]:
    """The shapes of the rows with the rows of each; None for all rows."""
    digit = letters - np.uint8(48) <= 9
    shapes = np.where(digit, np.uint8(48), letters)
    if len(shapes) and (shapes == shapes[0]).all():
        return [(shapes[0].tobytes(), None)]
    weights = np.random.default_rng(1).integers(1, 2**62, shapes.shape[1], dtype=np.int64)
    keys = (shapes.astype(np.int64) * weights).sum(axis=1)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(back, kind="stable")
    edges = np.searchsorted(back[order], np.arange(len(first) + 1))
    return [
        (shapes[row].tobytes(), order[low:high])
        for row, (low, high) in zip(first.tolist(), pairwise(edges.tolist()), strict=True)
    ]


@lru_cache(maxsize=4096)
def _form(shape: bytes) -> Form | None:
    """What a shape means; None when it is no stamp."""
    at = [place for place, letter in enumerate(shape) if letter]
    text = "".join(chr(shape[place]) for place in at)
    epoch = _EPOCH.fullmatch(text)

    def span(found: re.Match[str], *names: str) -> Span:
        for name in names:
            if found.group(name) is not None:
                return tuple(at[place] for place in range(*found.span(name)))
        return ()

    nothing: Span = ()
    if epoch and not text.startswith("-"):
        digits = span(epoch, "whole")
        if len(digits) not in (12, 14, 17):
            return Form("epoch", (digits, nothing, nothing), (), (), (), span(epoch, "f"), -1, None, -1, nothing, nothing, 0)
    joined = text.replace(chr(JOIN), " ")
    found = _STAMP.fullmatch(joined)
    if found is None:
        return None
    name = (found["mon3"] or found["mon4"] or "").lower()
    month = next((number for number, known in enumerate(_MONTHS, start=1) if name[:3] == known), 0)
    zone = (found["zone"] or "").lower()
    if (name and not month) or (zone and zone not in _ZONES_H):
        return None
    zone_h = _ZONES_H[zone] if zone else 0.0 if found["sign"] else None
    year_last = found["a"] is not None
    order = ("??" if len(found["c"]) == 2 else "?." if found["s2"] == "." else "?") if year_last else "ymd"
    date = (
        (span(found, "a"), span(found, "b"), span(found, "c"))
        if year_last
        else (span(found, "y", "y1", "y3", "y4"), span(found, "m", "m1"), span(found, "d", "d1", "d3", "d4"))
    )
    half = span(found, "ap")
    sign = span(found, "sign")
    return Form(
        order,
        date,
        span(found, "H", "H1", "H2"),
        span(found, "M", "M1", "M2"),
        span(found, "S", "S1", "S2"),
        span(found, "f", "f2"),
        half[0] if half else -1,
        zone_h,
        sign[0] if sign else -1,
        span(found, "oh"),
        span(found, "om"),
        month,
    )


def _number(letters: Letters, span: Span) -> IntArray:
    total = np.zeros(len(letters), np.int64)
    for place in span:
        total *= 10
        total += letters[:, place] - np.uint8(48)
    return total


def _fraction_ns(letters: Letters, span: Span) -> IntArray:
    return _number(letters, span) * 10 ** (9 - len(span)) if span else np.zeros(len(letters), np.int64)


def _civil(letters: Letters, form: Form, dates: Dates) -> tuple[IntArray, Flags, bool | None]:
    """Packed stamps, which of them are good, and whether their offset is not zero (None where they tell none)."""
    first, second, third = (_number(letters, span) for span in form.date)
    if form.month:
        second = np.full(len(letters), form.month, np.int64)
    which = _numbered(first, second, third, form.order, dates)
    hour, minute, seconds = (_number(letters, span) for span in (form.hour, form.minute, form.second))
    good: Flags = np.ones(len(letters), np.bool_)
    if form.half_day >= 0:
        afternoon = (letters[:, form.half_day] | np.uint8(32)) == ord("p")
        good &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + np.where(afternoon, 12, 0)
    good &= (hour < 24) & (minute < 60) & (seconds < 60) & (which < _MOST_DATES) & (which >= 0)
    of_day = ((hour * 60 + minute) * 60 + seconds) * NS_PER_S + _fraction_ns(letters, form.fraction)
    offset: bool | None = None
    if form.zone_h is not None:
        ahead = np.full(len(letters), round(form.zone_h * S_PER_HOUR), np.int64)
        if form.sign >= 0:
            own = _number(letters, form.offset_hour) * S_PER_HOUR + _number(letters, form.offset_minute) * 60
            ahead += np.where(letters[:, form.sign] == ord("-"), -own, own)
        good &= np.abs(ahead) <= 15 * S_PER_HOUR
        of_day -= ahead * NS_PER_S
        offset = bool(ahead.any())
    return (which << _DATE_BITS) + np.where(good, of_day, 0) + _BIAS_NS, good, offset


def _numbered(first: IntArray, second: IntArray, third: IntArray, order: Order, dates: Dates) -> IntArray:
    """The number of each row's date, -1 for one that exists in no order."""
    keys = (first * 10_000 + second) * 10_000 + third
    heads = np.flatnonzero(np.diff(keys, prepend=-1))
    numbers = [
        dates.index((a, b, c, order)) if _exists((a, b, c), order) else -1
        for a, b, c in zip(first[heads].tolist(), second[heads].tolist(), third[heads].tolist(), strict=True)
    ]
    return np.repeat(np.array(numbers, np.int64), np.diff(np.append(heads, len(keys))))


def _exists(parts: tuple[int, int, int], order: Order) -> bool:
    named = [order] if not order.startswith("?") else ["dmy", "mdy", "ymd"] if order == "??" else ["dmy", "mdy"]
    for one in named:
        held = dict(zip(one, parts, strict=True))
        year = held["y"] + (2000 if held["y"] < 70 else 1900) if held["y"] < 100 else held["y"]
        if 1 <= held["m"] <= 12 and 1 <= held["d"] <= monthrange(max(year, 1), held["m"])[1]:
            return True
    return False


def _epochs(letters: Letters, form: Form) -> tuple[IntArray, Flags]:
    """Seconds, milli-, micro- or nanoseconds since 1970, distinguished by their size."""
    digits = form.date[0]
    whole = _number(letters, digits)
    unit = next((ns for most, ns in ((10, NS_PER_S), (13, 10**6), (16, 10**3), (19, 1)) if len(digits) <= most), 0)
    good: Flags = np.full(len(letters), unit > 0)
    fraction = _number(letters, form.fraction) * unit // 10 ** len(form.fraction) if form.fraction else 0
    return whole * max(unit, 1) + fraction, good
