"""Checked series out of columns: bad lines and doubles left out by kind and count, scale and spread in the product's own units.

Promises: nothing is filled in. Where lines contradict each other so often that the file must have been misread, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.core.data.evidence import (
    SpreadUnit,
    check_bar_columns,
    cost_note,
    digits_of,
    open_before_close,
    price_scale,
    sides_in_order,
    spread_unit,
)
from quarterdeck.core.data.headers import PARTS, SIDES
from quarterdeck.core.data.layouts import SPREADS, FileLayout
from quarterdeck.core.data.series import (
    PERIOD_NS,
    PERIODS,
    BarSeries,
    Period,
    TickSeries,
    candles_of,
    point_price,
    price_decimals,
)
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.currencies import pair_range, quote_decimals
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.pips import pip_price
from quarterdeck.core.model.units import NS_PER_S

LeftOut = list[tuple[str, int]]
_NOISE_DECIMALS = 8
_POINT_NOISE = 1e-3
_POINTS_SHARE = 0.99
_CONFLICTS_SHARE = 0.02
_CONFLICTS_LEAST = 3


class Rows(NamedTuple):
    """Columns by stamp."""

    at_ns: IntArray
    columns: dict[str, FloatArray]


def in_order(rows: Rows) -> tuple[Rows, int]:
    """The rows by time, and how many were out of order; a file that runs backwards is reversed."""
    backwards = int(np.count_nonzero(rows.at_ns[1:] < rows.at_ns[:-1]))
    if not backwards:
        return rows, 0
    if backwards > int(np.count_nonzero(rows.at_ns[1:] > rows.at_ns[:-1])):
        rows = Rows(rows.at_ns[::-1], {name: column[::-1] for name, column in rows.columns.items()})
    order = np.argsort(rows.at_ns, kind="stable")
    return Rows(rows.at_ns[order], {name: column[order] for name, column in rows.columns.items()}), backwards


def moving(rows: Rows, long_ns: int) -> npt.NDArray[np.bool_] | None:
    """The rows of bars that are not part of a flat stretch that lasts so long; None where there is no such stretch."""
    if "close" not in rows.columns and "bid_close" not in rows.columns:
        return None
    prefix = "" if "close" in rows.columns else "bid_"
    high, low, close = (rows.columns[prefix + part] for part in ("high", "low", "close"))
    same = close[1:] == close[:-1]
    flat = (high == low) & (np.append(False, same) | np.append(same, False))
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False]))))
    moves = np.ones(len(flat), np.bool_)
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if rows.at_ns[end - 1] - rows.at_ns[start] >= long_ns:
            moves[start:end] = False
    return None if moves.all() else moves


def unscaled(rows: Rows, symbol: str, decimals: int) -> tuple[Rows, float, tuple[str, ...]]:
    """Prices as the pair costs, what they were multiplied by, and what to say; noise of a conversion is taken off."""
    names = [name for name in rows.columns if name.endswith(PARTS) or name in SIDES]
    usual = _usual(rows.columns[names[-1]])
    scale = price_scale(symbol, usual) if _whole(rows.columns[names[-1]]) else 1.0
    notes = (f"prices were in points, {1.0 / scale:g} each",) if scale != 1.0 else cost_note(symbol, usual)
    if scale != 1.0 or decimals > _NOISE_DECIMALS:
        kept = price_decimals(symbol)
        prices = {name: np.round(rows.columns[name] / scale, kept) for name in names}
        rows = Rows(rows.at_ns, {**rows.columns, **prices})
    rows, wrong = _possible(rows, symbol, names, usual / scale)
    return rows, scale, (*notes, *wrong)


def _whole(column: FloatArray) -> bool:
    """Whether nearly all prices have no decimals, as points have none."""
    known = column[np.isfinite(column)]
    return bool(len(known)) and float(np.mean(np.abs(known - np.rint(known)) < _POINT_NOISE)) >= _POINTS_SHARE


def _possible(rows: Rows, symbol: str, names: Sequence[str], usual: float) -> tuple[Rows, tuple[str, ...]]:
    """The rows without those whose price the pair never had, where the file's usual price is one that it had; and what to say."""
    cost = pair_range(symbol)
    if cost is None or not cost[0] <= usual <= cost[1]:
        return rows, ()
    wrong = np.zeros(len(rows.at_ns), np.bool_)
    for name in names:
        column = rows.columns[name]
        wrong |= (column > 0.0) & ((column < cost[0]) | (column > cost[1]))
    count = int(np.count_nonzero(wrong))
    if not count:
        return rows, ()
    note = f"{count:,} lines with a price that {symbol} never had ({cost[0]:.4g} to {cost[1]:.4g}) were left out"
    return Rows(rows.at_ns[~wrong], {name: column[~wrong] for name, column in rows.columns.items()}), (note,)


def ticks_of(path: Path, symbol: str, rows: Rows) -> tuple[TickSeries, LeftOut]:
    """Ticks; a side that an export leaves empty because it did not change is carried on."""
    priced = sides_in_order(path, {name: _carried(column) for name, column in rows.columns.items()}, "bid", "ask")
    bid, ask = priced.columns["bid"], priced.columns["ask"]
    good = np.isfinite(bid) & np.isfinite(ask) & (bid > 0.0) & (ask > 0.0)
    left_out = [("without a price", int(np.count_nonzero(~good)))]
    at = rows.at_ns
    if not good.all():
        at, bid, ask = at[good], bid[good], ask[good]
    again = _again(at, bid, ask)
    if again is not None:
        left_out.append(("the same tick again", int(np.count_nonzero(again))))
        at, bid, ask = at[~again], bid[~again], ask[~again]
    something(path, at, left_out)
    crossed = int(np.count_nonzero(ask < bid))
    notes = [f"{crossed} ticks with the ask under the bid, taken as no spread"] if crossed else []
    if len(at) > 1 and not (ask > bid).any():
        notes.append("no tick has a spread")
    series = TickSeries(
        symbol=symbol,
        at_utc_ns=at,
        bid=bid,
        ask=np.maximum(bid, ask) if crossed else ask,
        files=(path,),
        notes=(*priced.notes, *notes),
    )
    return series, left_out


def _again(at: IntArray, bid: FloatArray, ask: FloatArray) -> npt.NDArray[np.bool_] | None:
    """Ticks that repeat one of the same instant; None where there is none.

    Of stamps in whole seconds equal ticks are kept: two quotes of one second may be alike.
    """
    together = np.flatnonzero(at[1:] == at[:-1])
    if not len(together) or not (at[together] % NS_PER_S).any():
        return None
    rows = np.unique(np.concatenate((together, together + 1)))
    known: set[tuple[int, float, float]] = set()
    again = np.zeros(len(at), np.bool_)
    for row, key in zip(rows.tolist(), zip(at[rows].tolist(), bid[rows].tolist(), ask[rows].tolist(), strict=True), strict=True):
        again[row] = key in known
        known.add(key)
    return again if again.any() else None


def bars_of(
    path: Path, symbol: str, period: str, rows: Rows, layout: FileLayout, scale: float, unit: SpreadUnit
) -> tuple[BarSeries, LeftOut, tuple[str, ...]]:
    """Bars, what was left out, and what to say; `unit` is the operator's decision for a spread column, "" to find out."""
    two_sided = "bid_open" in rows.columns
    notes: tuple[str, ...] = ()
    if two_sided:
        priced = sides_in_order(path, rows.columns, "bid_close", "ask_close")
        rows, notes = Rows(rows.at_ns, priced.columns), priced.notes
    sides = ("bid_", "ask_") if two_sided else ("",)
    if not layout.named:
        for side in sides:
            priced = open_before_close(rows.columns, side)
            rows, notes = Rows(rows.at_ns, priced.columns), (*notes, *priced.notes)
    left_out: LeftOut = []
    prices = [rows.columns[side + part] for side in sides for part in PARTS]
    rows = _without(
        rows, ~np.all([np.isfinite(column) & (column > 0.0) for column in prices], axis=0), "without a price", left_out
    )
    check_bar_columns(path, rows.columns, sides[0])
    opened, high, low, close = (rows.columns[sides[0] + part] for part in PARTS)
    bad = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    rows = _without(rows, bad, "high or low does not hold the bar", left_out)
    off = rows.at_ns % min(PERIOD_NS[period], PERIOD_NS["H1"]) != 0
    rows = _without(rows, off, f"no start of an {period} bar", left_out)
    again = np.append(False, np.diff(rows.at_ns) == 0)
    _refuse_conflicts(path, rows, again, sides[0])
    rows = _without(rows, again, "a second time", left_out)
    something(path, rows.at_ns, left_out)
    spread: Any = None
    name = next((name for name in SPREADS if name in rows.columns), "")
    if name and not two_sided:
        points, said = _spread_points(path, symbol, rows, layout, scale, name, unit)
        rows = _without(Rows(rows.at_ns, {**rows.columns, "points": points}), points < 0.0, "with a spread below zero", left_out)
        rows = _without(rows, ~(rows.columns["points"] >= 0.0), "without a spread", left_out)
        something(path, rows.at_ns, left_out)
        spread, notes = rows.columns["points"], (*notes, *said)
    columns = rows.columns
    bid = [columns[sides[0] + part] for part in PARTS]
    ask = [np.maximum(columns[f"ask_{part}"], columns[f"bid_{part}"]) for part in PARTS] if two_sided else []
    if two_sided:
        spread = np.rint(np.minimum(ask[0] - bid[0], ask[3] - bid[3]) / point_price(symbol))
    volume = next((columns[name] for name in ("tick_volume", "volume", "real_volume") if name in columns), None)
    asks = [ask[0], np.max(ask, axis=0), np.min([ask[0], ask[2], ask[3]], axis=0), ask[3]] if ask else []
    return (
        BarSeries(
            symbol=symbol,
            timeframe=known_period(path, period),
            bid=candles_of(rows.at_ns, bid, None if volume is None else np.nan_to_num(volume), spread),
            ask=candles_of(rows.at_ns, asks) if asks else None,
            spread_known=spread is not None,
            files=(path,),
        ),
        left_out,
        notes,
    )


def _spread_points(
    path: Path, symbol: str, rows: Rows, layout: FileLayout, scale: float, name: str, declared: SpreadUnit
) -> tuple[FloatArray, tuple[str, ...]]:
    """A spread column in the product's own points, and what it was."""
    values, close = rows.columns[name], rows.columns["close"]
    if name == "spread_points" and layout.said_clock == "utc" and not declared:
        return np.rint(values), ()
    digits = digits_of(close, layout.decimals) if scale == 1.0 else round(np.log10(scale))
    base, quote = symbol[:3], symbol[3:6]
    pip = pip_price(symbol, base, quote, quote_decimals(base, quote))
    known = {"spread_points": "points", "spread_pips": "pips", "spread_price": "price"}.get(name, "")
    native = layout.metatrader or "tick_volume" in rows.columns
    unit = declared or known or spread_unit(path, values, _usual(close), digits, pip, metatrader=native)
    size = {"points": 10.0**-digits, "pips": pip, "price": 1.0}[unit]
    exact = values * size / point_price(symbol)
    points = np.where((values > 0.0) & (exact < 1.0), 1.0, np.rint(exact))
    own = unit == "points" and abs(size / point_price(symbol) - 1.0) < 1e-9
    usual = float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
    said = f"the spread is in {unit}{f' of {size:g}' if unit == 'points' else ''}: {usual:g} is a price of {usual * size:g}"
    return points, () if own else (said,)


def _refuse_conflicts(path: Path, rows: Rows, again: npt.NDArray[np.bool_], prefix: str) -> None:
    repeats = np.flatnonzero(again)
    close = rows.columns[f"{prefix}close"]
    conflicts = int(np.count_nonzero(close[repeats] != close[repeats - 1]))
    if conflicts > max(_CONFLICTS_SHARE * len(again), _CONFLICTS_LEAST):
        raise DataError(
            f"{path}: {conflicts} bars are there a second time with other prices",
            what_to_do="are these several feeds or instruments in one file? split it",
        )


def _without(rows: Rows, bad: npt.NDArray[np.bool_], why: str, left_out: LeftOut) -> Rows:
    count = int(np.count_nonzero(bad))
    left_out.append((why, count))
    return rows if not count else Rows(rows.at_ns[~bad], {name: column[~bad] for name, column in rows.columns.items()})


def _carried(column: FloatArray) -> FloatArray:
    missing = np.isnan(column)
    if not missing.any():
        return column
    rows = np.where(missing, -1, np.arange(len(column)))
    last = np.maximum.accumulate(rows)
    return np.where(last >= 0, column[np.maximum(last, 0)], np.nan)


def known_period(path: Path, period: str) -> Period:
    """A period by its name. Raises DataError."""
    for known in PERIODS:
        if known == period:
            return known
    raise DataError(f"{path}: {period} is not a known period", what_to_do=f"use one of {', '.join(PERIODS)}")


def something(path: Path, at_ns: IntArray, left_out: LeftOut) -> None:
    """Raises DataError where nothing is left, with what was left out."""
    if not len(at_ns):
        why = ", ".join(f"{count:,} {why}" for why, count in left_out if count)
        raise DataError(f"{path}: no line of it is usable{why and ': '}{why}", what_to_do="look at the file")


def _usual(column: FloatArray) -> float:
    sample = column[:: max(len(column) // 100_000, 1)]
    sample = sample[np.isfinite(sample)]
    return float(np.median(sample)) if len(sample) else 0.0
