"""Bring foreign files of prices into our store: on UTC, in order, without doubles, each line that was left out counted.

Promises: what a file means is proved by what it says and holds, or the file is refused with the question that decides; what was
repaired is said, by kind and count; nothing is filled in. An import into a store that already holds the pair adds to it; where
both have a bar, the newer import's stands. Bars that tell their costs in different ways (own ask, spread, neither) are not laid
together, for the poorer would take it from the richer.
Does not: judge gaps or outliers (`core.data.verify`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from quarterdeck.core.data import price_store
from quarterdeck.core.data.assembly import Rows, bars_of, in_order, moving, ticks_of, unscaled
from quarterdeck.core.data.dukascopy import TickBatch, hour_of_path, is_feed_answer, read_bi5, read_json
from quarterdeck.core.data.evidence import cost_note
from quarterdeck.core.data.file_timezone import Evidence, TimezoneProof, contradiction, detect, gather, prove, to_utc
from quarterdeck.core.data.layouts import FileLayout, read_layout
from quarterdeck.core.data.pair_names import pair_of, symbol_of
from quarterdeck.core.data.price_files import merged, price_file
from quarterdeck.core.data.series import PERIOD_NS, PERIODS, BarSeries, Period, Series, TickSeries, candles_of
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.currencies import pair_range
from quarterdeck.core.model.errors import DataError

_BAR_PARTS = ("open", "high", "low", "close")
_LONG_FLAT_NS = 6 * PERIOD_NS["H1"]
_MAKERS = (
    # file names that archives give, and the clock that they document
    (re.compile(r"DAT_(?:MT|ASCII|NT|MS)_|HISTDATA_COM", re.IGNORECASE), "est"),
    (re.compile(r"^[A-Z]{6}-\d{4}_\d\d_\d\d-\d{4}_\d\d_\d\d\.csv|\d\dh_ticks\."), "utc"),
)


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


def import_file(
    path: Path,
    *,
    symbol: str = "",
    period: str = "",
    clock: str = "auto",
    force: bool = False,
    date_order: str = "",
    spread_unit: str = "",
) -> ImportResult:
    """One file as a checked series; the arguments are the operator's answers where the file itself decides nothing.

    `clock` is one of `data.clocks`; `force` takes it although the week's open contradicts it. `date_order` is `dmy`, `mdy` or
    `ymd`, `spread_unit` one of `points`, `pips` and `price`.

    Raises:
        DataError: unknown layout, no pair, a clock that does not fit, a question that nothing decides, or nothing left.
    """
    if path.suffix == ".bi5" or (path.suffix == ".json" and is_feed_answer(path)):
        return _quotes(path, symbol)
    layout = read_layout(path, symbol=symbol, date_order=date_order)
    pair = symbol_of(path, symbol, layout.symbol)
    lines, left_out = layout.lines, [("not shaped like the rest", layout.misshapen)]
    rows, count = in_order(Rows(layout.wall_ns, layout.columns))
    notes = [f"{count} lines were out of order"] if count else []
    ticks = layout.kind == "ticks"
    found = "ticks" if ticks else _period(rows.at_ns, path, period)
    evidence = gather(rows.at_ns, 0 if ticks else PERIOD_NS[found], moving(rows, _LONG_FLAT_NS))
    proof = _clock(path, layout, evidence, pair, clock, force)
    layout = layout._replace(wall_ns=rows.at_ns[:0], columns={})
    rows = Rows(to_utc(rows.at_ns, proof.clock), rows.columns)
    rows, scale, said = unscaled(rows, pair, layout.decimals)
    notes += said
    series: Series
    if ticks:
        series, more = ticks_of(path, pair, rows)
    else:
        series, more, said = bars_of(path, pair, found, rows, layout, scale, spread_unit)
        notes += said
    return ImportResult(
        series=series,
        lines=lines,
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
        DataError: bars and ticks, or bars whose costs are reported in different ways.
    """
    if all(isinstance(part, TickSeries) for part in parts):
        return reduce(lambda under, over: merged((over, under)), parts)
    bars = [part for part in parts if isinstance(part, BarSeries)]
    if len(bars) != len(parts):
        raise DataError(f"{parts[0].symbol}: bars and ticks of one name", what_to_do="import them separately")
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
        f"{what}, {newer or 'what is new'} has {costs}: merging them would lose the better one",
        what_to_do="keep it in a folder of its own with --into; --data and --replay take several",
    )


def _quotes(path: Path, symbol: str) -> ImportResult:
    quotes: TickBatch
    if path.suffix == ".bi5":
        pair, quotes = symbol or hour_of_path(path)[0], read_bi5(path)
    else:
        pair, quotes = symbol or pair_of(path), read_json(path)
    if not len(quotes.at_utc_ns):
        raise DataError(f"{path}: an hour without ticks", what_to_do="leave it out")
    series, left_out = ticks_of(path, pair.upper(), Rows(quotes.at_utc_ns, {"bid": quotes.bid, "ask": quotes.ask}))
    kept = tuple(item for item in left_out if item[1])
    notes = (*cost_note(pair.upper(), float(np.median(quotes.bid))), *series.notes)
    return ImportResult(series=series, lines=len(quotes.at_utc_ns), left_out=kept, clock=None, notes=notes)


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


def _clock(path: Path, layout: FileLayout, evidence: Evidence, pair: str, clock: str, force: bool) -> TimezoneProof:
    """The clock of a file: declared, said by the file, or proved; refused where its weeks contradict it."""
    if clock != "auto":
        if layout.zoned and layout.offset and clock != "utc":
            raise DataError(f"{path}: its stamps carry their own offsets", what_to_do="leave --clock out")
        to_utc(evidence.slots_ns[:0], clock)
        why = contradiction(evidence, clock)
        if why and not force:
            raise DataError(f"{path}: {why}", what_to_do="leave --clock out to have it detected, or add --force")
        return prove(evidence, clock, origin="declared")
    said = "utc" if layout.zoned or (layout.epoch and not layout.metatrader) else layout.said_clock
    if not said and not layout.named:
        said = next((name for pattern, name in _MAKERS if pattern.search(path.name)), "")
    if not said:
        return detect(path, evidence, ("new_york_plus_7",) if layout.metatrader else ())
    why = contradiction(evidence, said) if pair_range(pair) is not None else ""
    if why:
        what = f"{path}: it says that its clock is {said}, but {why}"
        raise DataError(what, what_to_do="say which clock is right with --clock, and add --force where its weeks contradict that")
    return prove(evidence, said, origin="said")
