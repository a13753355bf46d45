"""What the figures of a file prove about themselves: which column is which, their scale, and the unit of a spread.

Promises: of several readings one is taken only when the figures exclude the others, and the note says so; where they exclude
none, a DataError asks the one question that decides.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quarterdeck.core.data import fields, stamp_forms
from quarterdeck.core.data.headers import PARTS
from quarterdeck.core.data.series import point_price
from quarterdeck.core.model.candles import FloatArray
from quarterdeck.core.model.currencies import pair_range
from quarterdeck.core.model.errors import DataError

SpreadUnit = str
"""`points` of the file's own digits, `pips`, or `price`."""
SPREAD_UNITS: tuple[SpreadUnit, ...] = ("points", "pips", "price")
_ALIKE = 0.1
"""Columns of prices of one instrument lie within this share of each other."""
_NEARLY_ALL = 0.95
_HARDLY_ANY = 0.05
_SPREAD_LEAST, _SPREAD_MOST = 3e-6, 2.5e-3
"""Usual spread as a share of the price: what lies outside is another unit."""
_ROUND_NOISE = 1e-6
_DIGITS_MOST = 8


class Priced(NamedTuple):
    """Price columns after a step, and what to say about it."""

    columns: dict[str, FloatArray]
    notes: tuple[str, ...] = ()


def columns_of_prices(sample: fields.FieldTable, width: int, *, decimal_comma: bool) -> tuple[str, ...]:
    """Roles of the columns of a table without a header; none where they are no bars or ticks of one instrument."""
    roles = [""] * width
    at = 0
    names = fields.texts(fields.column(sample, 0)) if len(sample.starts) else np.zeros(0, "S1")
    if not len(names):
        return ()
    if all(name.replace(b"/", b"").replace(b"_", b"").isalpha() for name in names.tolist()):
        roles[0], at = "pair", 1
    at = _stamp_roles(sample, roles, at)
    if not at:
        return ()
    figures = [fields.numbers(fields.column(sample, place), decimal_comma=decimal_comma) for place in range(at, width)]
    usual = [_median(figure) for figure in figures]
    alike = 0
    while alike < len(usual) and usual[0] > 0.0 and abs(usual[alike] / usual[0] - 1.0) < _ALIKE:
        alike += 1
    if alike >= 4:
        order = _bar_order(figures[:4])
        second = _bar_order(figures[4:8]) if alike == 8 else ()
        if order and second:
            first_is_bid = _median(figures[order.index("close")]) <= _median(figures[4 + second.index("close")])
            sides = ("bid", "ask") if first_is_bid else ("ask", "bid")
            roles[at : at + 8] = [*(f"{sides[0]}_{part}" for part in order), *(f"{sides[1]}_{part}" for part in second)]
            return tuple(roles)
        roles[at : at + 4] = order
        if order and width > at + 4:
            roles[at + 4] = "volume"
        return tuple(roles) if order else ()
    if alike == 2:
        roles[at : at + 2] = ["bid", "ask"]
        return tuple(roles)
    return ()


def _stamp_roles(sample: fields.FieldTable, roles: list[str], at: int) -> int:
    """Name the columns of time; the column after them, or 0 where there are none."""
    if at >= len(roles) - 2:
        return 0
    first = fields.column(sample, at)
    alone = stamp_forms.parse_forms(first, stamp_forms.Dates())
    pair = fields.beside(first, fields.column(sample, at + 1), stamp_forms.JOIN)
    together = stamp_forms.parse_forms(pair, stamp_forms.Dates())
    if together.good.mean() > _NEARLY_ALL and not alone.epoch:
        roles[at : at + 2] = ["date", "time"]
        return at + 2
    if alone.good.mean() > _NEARLY_ALL:
        roles[at] = "stamp"
        return at + 1
    return 0


def _bar_order(figures: list[FloatArray]) -> tuple[str, ...]:
    """Which of four columns is the high and the low, the first of the others being the open; none where they do not tell."""
    table = np.array(figures)
    high, low = np.fmax.reduce(table, axis=0), np.fmin.reduce(table, axis=0)
    for order in (PARTS, *permutations(PARTS)):
        is_high, is_low = table[order.index("high")] >= high, table[order.index("low")] <= low
        if min(is_high.mean(), is_low.mean()) >= _NEARLY_ALL and order.index("open") < order.index("close"):
            return tuple(order)
    return ()


def open_before_close(columns: dict[str, FloatArray], prefix: str = "") -> Priced:
    """Bars in order of time whose columns nobody named: a bar opens where the one before it closed, not the other way round."""
    opened, close = columns[f"{prefix}open"], columns[f"{prefix}close"]
    follows = float(np.nansum(np.abs(opened[1:] - close[:-1])))
    leads = float(np.nansum(np.abs(close[1:] - opened[:-1])))
    if follows <= 2.0 * leads:
        return Priced(columns)
    changed = {**columns, f"{prefix}open": close, f"{prefix}close": opened}
    return Priced(changed, ("each bar's first price follows the fourth of the next: open and close were taken so",))


def sides_in_order(path: Path, columns: dict[str, FloatArray], bid: str, ask: str) -> Priced:
    """Bid and ask as they must be: hardly any ask under its bid. Columns that are the other way round are changed.

    Raises:
        DataError: when neither way round holds.
    """
    lower = int(np.count_nonzero(columns[ask] < columns[bid]))
    higher = int(np.count_nonzero(columns[ask] > columns[bid]))
    unequal = lower + higher
    if not lower or lower <= _HARDLY_ANY * unequal:
        return Priced(columns)
    if lower < _NEARLY_ALL * unequal:
        what = f"{path}: the ask lies under the bid in {100.0 * lower / unequal:.0f} % of the rows that differ"
        raise DataError(what, what_to_do="which column is the ask? name the columns bid and ask in the first line")
    changed = {_other_side(name) if name.startswith(("bid", "ask")) else name: column for name, column in columns.items()}
    return Priced(changed, ("the ask stood where the bid belongs: bid and ask were taken the other way round",))


def _other_side(name: str) -> str:
    return ("ask" if name.startswith("bid") else "bid") + name[3:]


def check_bar_columns(path: Path, columns: dict[str, FloatArray], prefix: str = "") -> None:
    """Raises DataError where the columns called high and low are not: it is no matter of single bad lines then."""
    opened, high, low, close = (columns[prefix + part] for part in PARTS)
    bad = int(np.count_nonzero((high < np.maximum(opened, close)) | (low > np.minimum(opened, close))))
    if len(high) >= 20 and bad > 0.2 * len(high):
        what = f"{path}: in {100.0 * bad / len(high):.0f} % of the lines high or low does not hold open and close"
        raise DataError(what, what_to_do="are the columns what the first line says? name them open, high, low, close")


def price_scale(symbol: str, usual: float) -> float:
    """What a price of a file is to be divided by: 1, or the points of a price where only points make it cost what it can."""
    cost = pair_range(symbol)
    if cost is None or cost[0] <= usual <= cost[1]:
        return 1.0
    scales = dict.fromkeys((round(1.0 / point_price(symbol)), 100_000, 10_000, 1_000, 100))
    return float(next((scale for scale in scales if cost[0] <= usual / scale <= cost[1]), 1))


def cost_note(symbol: str, usual: float) -> tuple[str, ...]:
    """A word about a price that the pair never had."""
    cost = pair_range(symbol)
    if cost is None or cost[0] <= usual <= cost[1]:
        return ()
    return (f"a price of {usual:g} is none that {symbol} ever had ({cost[0]:.4g} to {cost[1]:.4g}): is it that pair?",)


def digits_of(prices: FloatArray, written: int) -> int:
    """Decimals of a broker's prices: as they are written, or where a conversion left noise, those that mean something."""
    if written <= _DIGITS_MOST:
        return written
    sample = prices[:: max(len(prices) // 10_000, 1)]
    sample = sample[np.isfinite(sample)]
    for digits in range(_DIGITS_MOST):
        scaled = sample * 10.0**digits
        if np.mean(np.abs(scaled - np.rint(scaled)) < _ROUND_NOISE * 10.0**digits) > _NEARLY_ALL:
            return digits
    return _DIGITS_MOST


def spread_unit(path: Path, values: FloatArray, price: float, digits: int, pip: float, *, metatrader: bool) -> SpreadUnit:
    """The unit of a column that is called a spread and no more.

    Raises:
        DataError: when several units make the spread what it can be.
    """
    known = values[np.isfinite(values)]
    positive = known[known > 0.0]
    if not len(positive):
        return "points"
    whole = bool((known == np.rint(known)).all())
    if whole and metatrader:
        return "points"
    point = 10.0**-digits
    sizes = {"points": point, "pips": pip, "price": 1.0}
    usual = float(np.median(positive))
    fits = [unit for unit, size in sizes.items() if _SPREAD_LEAST <= usual * size / price <= _SPREAD_MOST]
    steps = {unit: positive * sizes[unit] / point for unit in fits}
    on_grid = [unit for unit in fits if np.all(np.abs(steps[unit] - np.rint(steps[unit])) < 1e-3)]
    if not whole:
        on_grid = [unit for unit in on_grid if unit != "points"]
        fits = [unit for unit in fits if unit != "points"]
    left = on_grid or fits
    if len(left) == 1:
        return left[0]
    what = f"{path}: a spread of {usual:g} can be " + (" or ".join(left) if left else "neither points, pips nor price")
    raise DataError(what, what_to_do="say it with --spread-unit points, pips or price")


def _median(figure: FloatArray) -> float:
    good = figure[np.isfinite(figure)]
    return float(np.median(good)) if len(good) > len(figure) // 2 else -1.0
