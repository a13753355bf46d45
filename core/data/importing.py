"""Bring foreign files of prices into our store: on UTC, in order, without doubles, each line that was left out counted.

Promises: what was mended is said, by kind and count; a clock that the week's open contradicts is refused; nothing is filled
in. An import into a store that already holds the pair adds to it; where both have a bar, the newer import's stands. Bars that
tell their costs in different ways (own ask, spread, neither) are not laid together, for the poorer would take it from the richer.
Does not: judge gaps or outliers (`core.data.verify`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from quarterdeck.core.data import price_store
from quarterdeck.core.data.dukascopy import TickBatch, hour_of_path, read_bi5, read_json
from quarterdeck.core.data.file_timezone import TimezoneProof, detect, prove, to_utc
from quarterdeck.core.data.layouts import FileLayout, read_layout
from quarterdeck.core.data.price_files import merged, price_file
from quarterdeck.core.data.series import (
    PERIOD_NS,
    PERIODS,
    BarSeries,
    Period,
    Series,
    TickSeries,
    candles_of,
    point_price,
    price_decimals,
)
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.errors import DataError

_CURRENCIES = (
    *("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "SEK", "NOK", "DKK", "SGD", "HKD", "MXN"),
    *("ZAR", "TRY", "PLN", "CZK", "HUF", "CNH", "XAU", "XAG", "XPT", "XPD"),
)
_PAIR = re.compile(rf"(?=({'|'.join(_CURRENCIES)})[-_/]?({'|'.join(_CURRENCIES)}))")
_SCALED_ABOVE = 2_000.0
"""No currency pair costs so much: such prices are points."""
_BAR_PARTS = ("open", "high", "low", "close")


class ImportResult(Struct, frozen=True, kw_only=True):
    """A series as it was brought in, and what was done to it."""

    series: Series
    lines: int
    """Lines or records found."""
    left_out: tuple[tuple[str, int], ...]
    """(why, how many), in the order of the steps."""
    clock: TimezoneProof | None
    """None where the format itself is UTC."""
    notes: tuple[str, ...] = ()


class _Rows(NamedTuple):
    at_ns: IntArray
    columns: dict[str, FloatArray]


def import_file(path: Path, *, symbol: str = "", period: str = "", clock: str = "auto", force: bool = False) -> ImportResult:
    """One file as a checked series; `symbol` and `period` where the name and the stamps do not tell, `clock` as in `data.clocks`.

    `force` takes a declared clock although the week's open contradicts it.

    Raises:
        DataError: unknown layout, no pair, a clock that does not fit, or nothing left after mending.
    """
    if path.suffix in (".bi5", ".json"):
        return _quotes(path, symbol)
    layout = read_layout(path)
    pair = (symbol or pair_of(path)).upper()
    rows = _Rows(layout.wall_ns, layout.columns)
    left_out = [("not shaped like the rest", layout.misshapen)]
    rows, count = _sorted(rows)
    notes = [f"{count} lines were out of order"] if count else []
    ticks = layout.kind == "ticks"
    found = "ticks" if ticks else _period(rows.at_ns, path, period)
    proof = _clock(path, layout, rows.at_ns, 0 if ticks else PERIOD_NS[found], clock, force)
    rows = _Rows(to_utc(rows.at_ns, proof.clock), rows.columns)
    rows, scaled = _unscaled(rows, pair)
    notes += [f"prices were in points, {scaled:g} each"] if scaled else []
    series, more = _ticks(path, pair, rows) if ticks else _bars(path, pair, found, rows)
    return ImportResult(
        series=series,
        lines=layout.lines,
        left_out=tuple(item for item in (*left_out, *more) if item[1]),
        clock=proof,
        notes=(*notes, *series.notes),
    )


def import_files(paths: Iterable[Path], folder: Path, **how: Any) -> tuple[ImportResult, ...]:
    """Bring files into the store in `folder`; those of one pair and period are laid together, later named over earlier.

    Raises:
        DataError: as `import_file` and `merge_series` do; nothing is written then.
        StorageError: when the store cannot be written.
    """
    done = tuple(import_file(path, **how) for path in paths)
    keys = dict.fromkeys((item.series.symbol, item.series.timeframe) for item in done)
    laid = [_laid(folder, [item.series for item in done if (item.series.symbol, item.series.timeframe) == key]) for key in keys]
    for series in laid:
        price_store.write(folder, series)
    return done


def write_merged(folder: Path, parts: Sequence[Series]) -> Path:
    """Lay series of one pair and period over what the store holds, later over earlier, and write it. Raises as `merge_series`."""
    return price_store.write(folder, _laid(folder, parts))


def _laid(folder: Path, parts: Sequence[Series]) -> Series:
    path = price_store.store_path(folder, parts[0].symbol, parts[0].timeframe)
    if price_file(path) is None:
        what = f"{parts[0].symbol}: {path.name} would not be found again"
        raise DataError(what, what_to_do="give a pair of 6 to 12 letters, digits, dots and # with --pair")
    known = stored_series(folder, parts[0].symbol, parts[0].timeframe)
    return merge_series(parts if known is None else [known, *parts])


def stored_series(folder: Path, symbol: str, period: Period) -> Series | None:
    """What a store holds of a pair and period. Raises DataError when it is damaged."""
    path = price_store.store_path(folder, symbol, period)
    return price_store.read(path, symbol, period) if path.is_file() else None


def merge_series(parts: Sequence[Series]) -> Series:
    """Series of one pair and period, row by row: where two have the same bar, the later one's stands; of ticks, the later's span.

    Raises:
        DataError: bars and ticks, or bars whose costs are told in different ways.
    """
    if all(isinstance(part, TickSeries) for part in parts):
        return reduce(lambda under, over: merged((over, under)), parts)
    bars = [part for part in parts if isinstance(part, BarSeries)]
    if len(bars) != len(parts):
        raise DataError(f"{parts[0].symbol}: bars and ticks of one name", what_to_do="import them apart")
    for bar in bars[1:]:
        refuse_other_costs(bars[0], costs_of(bar), bar.files[0] if bar.files else "")
    stamps = np.concatenate([bar.bid.open_utc_ns for bar in bars])
    # the last of equal stamps stands: reverse, take the first of each, which np.unique sorts as well
    opens, first = np.unique(stamps[::-1], return_index=True)
    rows = len(stamps) - 1 - first

    def stacked(candles: list[Any]) -> list[Any]:
        return [np.concatenate([getattr(item, name) for item in candles])[rows] for name in _BAR_PARTS]

    bids = [bar.bid for bar in bars]
    volume, spread = (np.concatenate([getattr(bid, name) for bid in bids])[rows] for name in ("tick_volume", "spread_points"))
    asks = [bar.ask for bar in bars if bar.ask is not None]
    return BarSeries(
        symbol=bars[0].symbol,
        timeframe=bars[0].timeframe,
        bid=candles_of(opens, stacked(bids), volume, spread),
        ask=candles_of(opens, stacked(asks)) if asks else None,
        spread_known=bars[-1].spread_known,
        files=tuple(file for bar in bars for file in bar.files),
    )


def costs_of(bars: BarSeries) -> str:
    """How bars tell what a trade costs, in words."""
    return "own ask prices" if bars.ask is not None else "a spread" if bars.spread_known else "no spread"


def refuse_other_costs(known: BarSeries, costs: str, newer: Path | str) -> None:
    """Raises DataError where bars with such costs, of that file, cannot be laid over those that are known."""
    had = costs_of(known)
    if had == costs:
        return
    what = f"{known.symbol} {known.timeframe} of {known.files[0] if known.files else 'the store'} has {had}"
    raise DataError(
        f"{what}, {newer or 'what is new'} has {costs}: laid together the better one would be lost",
        what_to_do="keep it in a folder of its own with --into; --data and --replay take several",
    )


def pair_of(path: Path) -> str:
    """The pair that a file's name, or the nearest of its folders, speaks of. Raises DataError when none does."""
    for part in reversed(path.parts):
        match = _PAIR.search(part.upper())
        if match:
            return match.group(1) + match.group(2)
    raise DataError(f"{path}: the name tells no pair", what_to_do="give it with --pair EURUSD")


def _quotes(path: Path, symbol: str) -> ImportResult:
    quotes: TickBatch
    if path.suffix == ".bi5":
        pair, quotes = symbol or hour_of_path(path)[0], read_bi5(path)
    else:
        pair, quotes = symbol or pair_of(path), read_json(path)
    if not len(quotes.at_utc_ns):
        raise DataError(f"{path}: an hour without ticks", what_to_do="leave it out")
    rows = _Rows(quotes.at_utc_ns, {"bid": quotes.bid, "ask": quotes.ask})
    series, left_out = _ticks(path, pair.upper(), rows)
    kept = tuple(item for item in left_out if item[1])
    return ImportResult(series=series, lines=len(quotes.at_utc_ns), left_out=kept, clock=None, notes=series.notes)


def _sorted(rows: _Rows) -> tuple[_Rows, int]:
    backwards = int(np.count_nonzero(np.diff(rows.at_ns) < 0))
    if not backwards:
        return rows, 0
    order = np.argsort(rows.at_ns, kind="stable")
    return _Rows(rows.at_ns[order], {name: column[order] for name, column in rows.columns.items()}), backwards


def _kept(rows: _Rows, keep: Any) -> _Rows:
    return _Rows(rows.at_ns[keep], {name: column[keep] for name, column in rows.columns.items()})


def _period(at_ns: IntArray, path: Path, declared: str) -> str:
    """What the stamps tell, or what was declared where they do not contradict it."""
    steps = np.diff(at_ns)
    usual = int(np.median(steps[steps > 0])) if (steps > 0).any() else 0
    found = next((period for period in PERIODS if PERIOD_NS.get(period) == usual), "")
    if not declared and not found:
        raise DataError(
            f"{path}: bars {usual / 6e10:g} minutes apart are of no known period", what_to_do="give it with --period M15"
        )
    wanted = PERIOD_NS.get(declared, usual)
    sparse = bool((at_ns % max(usual, 1) != 0).any())
    if found and wanted != usual and not (wanted < usual and sparse):
        raise DataError(f"{path}: its bars are {found}, not {declared}", what_to_do="leave --period out")
    return declared or found


def _clock(path: Path, layout: FileLayout, wall_ns: IntArray, period_ns: int, clock: str, force: bool) -> TimezoneProof:
    if clock == "auto" and not layout.clock_certain:
        return detect(wall_ns, period_ns, layout.usual_clock)
    proof = prove(wall_ns, period_ns, layout.usual_clock if clock == "auto" else clock)
    if clock != "auto" and proof.weekends and not proof.proved and not force and period_ns <= PERIOD_NS["H1"]:
        better = detect(wall_ns, period_ns, layout.usual_clock)
        hint = f"{better.clock} fits {better.fitting} of them" if better.fitting else "no clock fits"
        raise DataError(
            f"{path}: {clock} fits the week's open and close on {proof.fitting} of {proof.weekends} weekends; {hint}",
            what_to_do="leave --clock out to have it detected, or add --force",
        )
    return proof


def _unscaled(rows: _Rows, symbol: str) -> tuple[_Rows, float]:
    price = rows.columns.get("close", rows.columns.get("bid"))
    decimals = price_decimals(symbol)
    point = point_price(symbol)
    metal = symbol.startswith(("XAU", "XPT", "XPD")) or symbol[:3] not in _CURRENCIES
    scaled = price is not None and not metal and float(np.nanmedian(price)) > _SCALED_ABOVE
    scale = round(1.0 / point) if scaled else 1
    names = [name for name in rows.columns if name.endswith(_BAR_PARTS) or name in ("bid", "ask")]
    prices = {name: np.round(rows.columns[name] / scale, decimals) for name in names}
    return _Rows(rows.at_ns, {**rows.columns, **prices}), point if scaled else 0.0


def _ticks(path: Path, symbol: str, rows: _Rows) -> tuple[TickSeries, list[tuple[str, int]]]:
    # an MT5 export leaves the side that did not change empty
    bid, ask = (_carried(rows.columns[name]) for name in ("bid", "ask"))
    rows = _Rows(rows.at_ns, {"bid": bid, "ask": ask})
    good = np.isfinite(bid) & np.isfinite(ask) & (bid > 0.0) & (ask > 0.0)
    rows = _kept(rows, good)
    crossed = int(np.count_nonzero(rows.columns["ask"] < rows.columns["bid"]))
    _something(path, rows)
    return TickSeries(
        symbol=symbol,
        at_utc_ns=rows.at_ns,
        bid=rows.columns["bid"],
        ask=np.maximum(rows.columns["bid"], rows.columns["ask"]),
        files=(path,),
        notes=(f"{crossed} ticks with the ask under the bid, taken as no spread",) if crossed else (),
    ), [("without a price", int(np.count_nonzero(~good)))]


def _carried(column: FloatArray) -> FloatArray:
    rows = np.where(np.isnan(column), -1, np.arange(len(column)))
    last = np.maximum.accumulate(rows) if len(rows) else rows
    return np.where(last >= 0, column[np.maximum(last, 0)], np.nan)


def _bars(path: Path, symbol: str, period: str, rows: _Rows) -> tuple[BarSeries, list[tuple[str, int]]]:
    two_sided = "bid_open" in rows.columns
    sides = ("bid_", "ask_") if two_sided else ("",)
    left_out: list[tuple[str, int]] = []
    prices = [rows.columns[side + part] for side in sides for part in _BAR_PARTS]
    good = np.all([np.isfinite(column) & (column > 0.0) for column in prices], axis=0)
    left_out.append(("without a price", int(np.count_nonzero(~good))))
    rows = _kept(rows, good)
    opened, high, low, close = (rows.columns[sides[0] + part] for part in _BAR_PARTS)
    good = (high >= np.maximum(opened, close)) & (low <= np.minimum(opened, close))
    left_out.append(("high or low does not hold the bar", int(np.count_nonzero(~good))))
    rows = _kept(rows, good)
    off = rows.at_ns % min(PERIOD_NS[period], PERIOD_NS["H1"]) != 0
    left_out.append((f"no start of an {period} bar", int(np.count_nonzero(off))))
    rows = _kept(rows, ~off)
    again = np.append(False, np.diff(rows.at_ns) == 0)
    left_out.append(("a second time", int(np.count_nonzero(again))))
    rows = _kept(rows, ~again)
    _something(path, rows)
    columns = rows.columns
    bid = [columns[sides[0] + part] for part in _BAR_PARTS]
    ask = [np.maximum(columns[f"ask_{part}"], columns[f"bid_{part}"]) for part in _BAR_PARTS] if two_sided else []
    spread = columns.get("spread_points")
    if two_sided:
        spread = np.rint(np.minimum(ask[0] - bid[0], ask[3] - bid[3]) / point_price(symbol))
    volume = columns.get("tick_volume", columns.get("volume"))
    return BarSeries(
        symbol=symbol,
        timeframe=_known(path, period),
        bid=candles_of(rows.at_ns, bid, None if volume is None else np.nan_to_num(volume), spread),
        ask=candles_of(rows.at_ns, [ask[0], np.max(ask, axis=0), np.min([ask[0], ask[2], ask[3]], axis=0), ask[3]])
        if ask
        else None,
        spread_known=spread is not None,
        files=(path,),
    ), left_out


def _known(path: Path, period: str) -> Period:
    for known in PERIODS:
        if known == period:
            return known
    raise DataError(f"{path}: {period} is no period", what_to_do=f"use one of {', '.join(PERIODS)}")


def _something(path: Path, rows: _Rows) -> None:
    if not len(rows.at_ns):
        raise DataError(f"{path}: no line of it is usable", what_to_do="look at the file")
