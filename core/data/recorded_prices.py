"""Load what a replay or a backtest runs on: traded pairs, warm-up before the range, and the pairs that convert to the account.

Promises: `from_day` and `to_day` are UTC days, both inclusive; of several folders and files the earlier named wins where two
hold the same period, and finer data are beside coarser for the market to choose from. What is missing is an error that
names it and says what there is: never a shorter run, never a rate of 1.
Does not: price anything, or decide which series is used when (`core.brokers.simulator`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from quarterdeck.core.data.price_files import PriceFile, merged, price_files, read_series
from quarterdeck.core.data.series import PERIODS, PairData, Recording, Series, quarter_opens
from quarterdeck.core.data.warmup import Missing, missing_quarters
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.money import resolve_conversion
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, UtcNs
from quarterdeck.core.scan.startup_history import learned_notes

_CURRENCY_LETTERS = 3
_SCAN_PERIODS = ("ticks", "M1", "M5", "M15")
_HOLE_NS = 4 * DAY_NS
"""Longer than a weekend with a holiday beside it."""
_HOLES_TOLD = 3
_DAYS_AHEAD = 60


def load_recording(
    folders: Sequence[Path],
    pairs: Sequence[str],
    *,
    from_day: date | None = None,
    to_day: date | None = None,
    warmup_bars: int = 0,
    history_bars: int | None = None,
    account_currency: str | None = None,
    fixed_rates: Iterable[str] = (),
    spread_given: Callable[[str], bool] | None = None,
) -> Recording:
    """Series of `pairs` over a range, with between `warmup_bars` and `history_bars` quarter hours of data before it.

    Without a day the range begins where every pair is warm, or ends where the first pair ends. `account_currency` asks for the
    conversion pairs; `fixed_rates` names those the operator gave a rate for; `spread_given` tells for which pairs data without
    a spread will do.

    Raises:
        DataError: missing folder, pair, period, conversion or spread, too little warm-up, or a damaged file (file, line, remedy).
    """
    listing = _listing(folders)
    whole = {symbol: _pair(listing, folders, symbol) for symbol in pairs}
    start = _day_ns(from_day) if from_day else _first_warm(whole, warmup_bars)
    end = _day_ns(to_day) + DAY_NS if to_day else _first_end(whole)
    if end <= start:
        raise _no_days(start, end, whole, last_given=to_day is not None)
    kept = warmup_bars if history_bars is None else max(history_bars, warmup_bars)
    traded = tuple(_in_range(whole[symbol], start, end, kept) for symbol in pairs)
    _all_warm(whole, start, warmup_bars)
    names = _conversion_names(listing, pairs, account_currency, fixed_rates)
    helpers = tuple(_in_range(_pair(listing, folders, name), start, end, kept) for name in names)
    for pair in (*traded, *helpers):
        if not pair.spread_known and spread_given is not None and not spread_given(pair.symbol):
            raise DataError(
                f"{pair.symbol}: the data in {_named(folders)} say nothing about the spread",
                what_to_do="set costs.default_spread_pips, or use data that hold it",
            )
    notes = tuple(note for pair in (*traded, *helpers) for note in _notes(pair, start, end))
    if history_bars:
        before = {symbol: int(np.searchsorted(_quarters(whole[symbol]), start)) for symbol in pairs}
        notes += learned_notes(before, kept, _day(start))
    for symbol in pairs if warmup_bars else ():
        lacking = _warm_lacks(whole[symbol], start, warmup_bars).quarters
        notes += (f"{symbol}: {lacking} quarter hours of the warm-up had no tick",) if lacking else ()
    return Recording(pairs=traded, conversions=helpers, from_utc_ns=start, to_utc_ns=end, notes=notes)


def load_candles(folder: Path, symbol: str, period: str = "M15") -> Series:
    """All that a folder holds of one pair and period.

    Raises:
        DataError: when it holds none, or a file is damaged.
    """
    listing = _listing((folder,))
    series = _pair(listing, (folder,), symbol).find(period)  # type: ignore[arg-type]
    if series is None:
        have = ", ".join(sorted({file.period for file in listing if file.symbol == symbol}))
        raise DataError(f"{folder}: {symbol} has no {period}, it has {have}", what_to_do="name another period")
    return series


def last_day(folders: Sequence[Path], pairs: Iterable[str]) -> date:
    """The last UTC day of which every pair has data.

    Raises:
        DataError: missing folder, pair or period, or a damaged file.
    """
    listing = _listing(folders)
    end = _first_end({symbol: _pair(listing, folders, symbol) for symbol in pairs})
    return datetime.fromtimestamp((end - DAY_NS) // NS_PER_S, UTC).date()


def conversion_pairs(pairs: Iterable[str], account_currency: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    """Pairs beyond `pairs` whose quotes turn results and margins of `pairs` into the account currency, in a fixed order.

    Raises:
        DataError: when no pair that exists leads from one of the currencies to the account's; the pair wanted is named.
    """
    traded = tuple(pairs)
    needed: list[str] = []
    for symbol in traded:
        for currency in (symbol[_CURRENCY_LETTERS : 2 * _CURRENCY_LETTERS], symbol[:_CURRENCY_LETTERS]):
            path = resolve_conversion(currency, account_currency, exists)
            if path is None and currency in ("XAU", "XAG", "XPT", "XPD"):
                continue  # margin of a metal is an amount of its profit currency
            if path is None:
                raise DataError(
                    f"nothing converts {currency} (of {symbol}) to {account_currency}: "
                    f"neither {currency}{account_currency} nor {account_currency}{currency} is among the data",
                    what_to_do=f"add its data, or give --rate {currency}{account_currency}=RATE",
                )
            needed.extend(name for name in path.pairs if name not in traded and name not in needed)
    return tuple(needed)


def _listing(folders: Sequence[Path]) -> tuple[PriceFile, ...]:
    if not folders:
        raise DataError("no folder of data is named", what_to_do="name one with --data or --replay")
    return tuple(file for folder in folders for file in price_files(folder))


def _pair(listing: Sequence[PriceFile], folders: Sequence[Path], symbol: str) -> PairData:
    mine = [file for file in listing if file.symbol == symbol]
    if not mine:
        have = ", ".join(dict.fromkeys(file.symbol for file in listing))
        raise DataError(f"{symbol}: no data in {_named(folders)}", what_to_do=f"there is {have}")
    series = []
    for period in PERIODS:
        files = [file for file in mine if file.period == period]
        if files:
            series.append(merged([read_series(file) for file in files]))
    return PairData(symbol=symbol, series=tuple(series))


def _quarters(pair: PairData) -> IntArray:
    """Opens of all quarter hours of a pair that can be scanned."""
    stamps = [quarter_opens(item) for item in pair.series if item.timeframe in _SCAN_PERIODS]
    if not stamps:
        have = ", ".join(item.timeframe for item in pair.series)
        raise DataError(f"{pair.symbol}: only {have} data; M15 bars or finer are needed", what_to_do="add such data")
    return stamps[0] if len(stamps) == 1 else np.unique(np.concatenate(stamps))


def _in_range(pair: PairData, start: UtcNs, end: UtcNs, kept_bars: int) -> PairData:
    opens = _quarters(pair)
    first, last = (int(row) for row in np.searchsorted(opens, (start, end)))
    if first == last:
        raise DataError(
            f"{pair.symbol}: no data from {_day(start)} to {_day(end - 1)}; "
            f"there is {_day(int(opens[0]))} to {_day(int(opens[-1]))}",
            what_to_do="choose days inside",
        )
    begin = int(opens[first - min(kept_bars, first)])
    cut = (item.between(begin, end) for item in pair.series)
    return PairData(symbol=pair.symbol, series=tuple(item for item in cut if len(item)))


def _all_warm(pairs: dict[str, PairData], start: UtcNs, warmup_bars: int) -> None:
    """Every pair has its past before the range; where one has not, the day is reported from which all of them have."""
    for pair in pairs.values():
        opens = _quarters(pair)
        before = int(np.searchsorted(opens, start))
        if before >= warmup_bars:
            continue
        long = all(len(_quarters(one)) > warmup_bars for one in pairs.values())
        ready = f"; from {_day(_first_warm(pairs, warmup_bars))} on there is enough" if long else ""
        raise DataError(
            f"{pair.symbol}: {warmup_bars} M15 bars of warm-up are needed before {_day(start)}, there are {before} "
            f"(data begin {_day(int(opens[0]))}){ready}",
            what_to_do="begin later, or add earlier data",
        )
    for pair in pairs.values() if warmup_bars else ():
        lacks = _warm_lacks(pair, start, warmup_bars)
        if lacks.too_much:
            raise DataError(
                f"{pair.symbol}: the {warmup_bars} M15 bars of warm-up before {_day(start)} are incomplete: {lacks.words}"
                f"{_whole_from(pairs, start, warmup_bars)}",
                what_to_do="begin later, or add the missing data",
            )


def _warm_lacks(pair: PairData, start: UtcNs, warmup_bars: int) -> Missing:
    opens = _quarters(pair)
    before = int(np.searchsorted(opens, start))
    return missing_quarters(pair.symbol, opens, opens.item(before - warmup_bars), start)


def _whole_from(pairs: dict[str, PairData], start: UtcNs, warmup_bars: int) -> str:
    """The first day from which every pair's warm-up is complete, in words; empty where none is near."""
    for day in range(start + DAY_NS, start + _DAYS_AHEAD * DAY_NS, DAY_NS):
        if day > _first_end(pairs):
            break
        if not any(_warm_lacks(pair, day, warmup_bars).too_much for pair in pairs.values()):
            return f"; from {_day(day)} on they are"
    return ""


def _first_warm(pairs: dict[str, PairData], warmup_bars: int) -> UtcNs:
    latest = 0
    for pair in pairs.values():
        opens = _quarters(pair)
        if len(opens) <= warmup_bars:
            raise DataError(
                f"{pair.symbol}: {warmup_bars} M15 bars of warm-up are needed, there are {len(opens)}",
                what_to_do="add earlier data",
            )
        latest = max(latest, int(opens[warmup_bars]))
    return -(-latest // DAY_NS) * DAY_NS


def _no_days(start: UtcNs, end: UtcNs, pairs: dict[str, PairData], *, last_given: bool) -> DataError:
    """The first day lies after the last one, the operator's or that of the data."""
    if last_given:
        return DataError(f"the range {_day(start)} to {_day(end - 1)} is empty", what_to_do="give --from a day before --to")
    ends = min(pairs, key=lambda symbol: int(_quarters(pairs[symbol])[-1]))
    return DataError(f"{ends}: data end {_day(end - 1)}, before {_day(start)}", what_to_do="begin earlier, or add later data")


def _first_end(pairs: dict[str, PairData]) -> UtcNs:
    return min(int(_quarters(pair)[-1]) for pair in pairs.values()) // DAY_NS * DAY_NS + DAY_NS


def _conversion_names(
    listing: Sequence[PriceFile], pairs: Sequence[str], account_currency: str | None, fixed_rates: Iterable[str]
) -> tuple[str, ...]:
    if account_currency is None:
        return ()
    given = tuple(fixed_rates)
    known = {file.symbol for file in listing} | set(given)
    return tuple(name for name in conversion_pairs(pairs, account_currency, known.__contains__) if name not in given)


def _notes(pair: PairData, start: UtcNs, end: UtcNs) -> list[str]:
    notes = [note for item in pair.series for note in item.notes]
    opens = _quarters(pair)
    last = int(opens[-1])
    inside = opens[max(int(np.searchsorted(opens, start)) - 1, 0) : int(np.searchsorted(opens, end))]
    holes = np.flatnonzero(np.diff(inside) > _HOLE_NS)
    told = ((_day(int(inside[row])), _day(int(inside[row + 1]))) for row in holes[:_HOLES_TOLD].tolist())
    notes.extend(f"{pair.symbol}: no data from {ends} to {begins}" for ends, begins in told)
    if len(holes) > _HOLES_TOLD:
        notes.append(f"{pair.symbol}: {len(holes) - _HOLES_TOLD} more such holes; see `quarterdeck data verify`")
    if end - last > 3 * DAY_NS:
        notes.append(f"{pair.symbol}: data end {_day(last)}, before the range does")
    return notes


def _day_ns(day: date) -> UtcNs:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S


def _day(utc_ns: UtcNs) -> str:
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_S, UTC):%Y-%m-%d}"


def _named(folders: Sequence[Path]) -> str:
    return ", ".join(str(folder) for folder in folders)
