"""Fetch hours of ticks from Dukascopy's public feed, and make bars of them; continues where an earlier run stopped.

Promises: each hour is kept as the feed gave it, put in place only when whole and readable, and never fetched twice; an hour
that the feed does not have is kept as an empty file; a failure says which hour and leaves all before it. Hours of the weekend
and hours that are not over are not asked for.
Does not: run in the engine; it blocks, and is called by `quarterdeck data download`.
"""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, week_second
from quarterdeck.core.data.dukascopy import TickBatch, decode_bi5, hour_path
from quarterdeck.core.data.importing import refuse_other_costs, stored_series, write_merged
from quarterdeck.core.data.resample import bars_of_ticks, resample_bars
from quarterdeck.core.data.series import BarSeries, TickSeries
from quarterdeck.core.model.errors import DataError, StorageError
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from quarterdeck.core.settings.safe_files import replace_file

FEED = "https://datafeed.dukascopy.com/datafeed"
_TRIES = 4
_FIRST_WAIT_S = 1.0
_TIMEOUT_S = 30.0
_OPENS_S, _CLOSES_S = 16 * S_PER_HOUR, 5 * S_PER_DAY + 18 * S_PER_HOUR
_RESUME = "run the command again; it continues from there"


class DownloadProgress(Struct, frozen=True, kw_only=True):
    """How far a download is."""

    symbol: str
    hour: str
    done: int
    total: int
    fetched_bytes: int


class DownloadResult(Struct, frozen=True, kw_only=True):
    """What a download left behind."""

    symbol: str
    hours: int
    fetched: int
    """Hours that were not there before."""
    empty: int
    ticks: int
    files: tuple[Path, ...]


def download(
    symbol: str,
    from_day: date,
    to_day: date,
    *,
    hours_folder: Path,
    store_folder: Path,
    now_utc_ns: int,
    feed: str = FEED,
    keep_ticks: bool = False,
    progress: Callable[[DownloadProgress], None] = lambda _: None,
    wait: Callable[[float], object] | None = None,
) -> DownloadResult:
    """Ticks of a pair over UTC days, both inclusive, fetched into `hours_folder`, stored as M1 and M15 bars with their own ask.

    `wait` waits so many seconds between tries; `keep_ticks` stores the ticks as well.

    Raises:
        DataError: when the feed fails on an hour again and again, or gives damaged hours, or has nothing; when the store holds
            bars of the pair that lack an ask.
        StorageError: when a folder cannot be written.
    """
    for held in (stored_series(store_folder, symbol, "M1"), stored_series(store_folder, symbol, "M15")):
        if isinstance(held, BarSeries):
            refuse_other_costs(held, "own ask prices", "the feed")
    pausing = wait or threading.Event().wait
    hours = list(trading_hours(from_day, to_day, now_utc_ns))
    got: list[TickBatch] = []
    fetched = fetched_bytes = empty = 0
    for done, hour in enumerate(hours, start=1):
        path = hours_folder / hour_path(symbol, hour)
        raw = _held(path, symbol, hour)
        if raw is None:
            raw = _fetch(f"{feed}/{hour_path(symbol, hour)}", pausing)
            quotes = decode_bi5(raw, symbol, hour, f"{feed}/{hour_path(symbol, hour)}")  # damaged bytes are never put in place
            _put(path, raw)
            fetched, fetched_bytes = fetched + 1, fetched_bytes + len(raw)
        else:
            quotes = decode_bi5(raw, symbol, hour, str(path))
        empty += not len(quotes.at_utc_ns)
        got.append(quotes)
        named = f"{hour:%Y-%m-%d %H}h"
        progress(DownloadProgress(symbol=symbol, hour=named, done=done, total=len(hours), fetched_bytes=fetched_bytes))
    ticks = _joined(symbol, got)
    if not len(ticks):
        raise DataError(f"{symbol}: the feed has no tick from {from_day} to {to_day}", what_to_do="check the pair and the days")
    minutes = bars_of_ticks(ticks, "M1")
    files = [write_merged(store_folder, [minutes]), write_merged(store_folder, [resample_bars(minutes, "M15")])]
    if keep_ticks:
        files.append(write_merged(store_folder, [ticks]))
    return DownloadResult(symbol=symbol, hours=len(hours), fetched=fetched, empty=empty, ticks=len(ticks), files=tuple(files))


def trading_hours(from_day: date, to_day: date, now_utc_ns: int) -> Iterator[datetime]:
    """Hours of UTC days, both inclusive, that are over and lie in the trading week, an hour to each side allowed for."""
    hour = datetime(from_day.year, from_day.month, from_day.day, tzinfo=UTC)
    end = datetime(to_day.year, to_day.month, to_day.day, tzinfo=UTC) + timedelta(days=1)
    while hour < end:
        at_ns = int(hour.timestamp()) * NS_PER_S
        if _OPENS_S <= week_second(at_ns, NEW_YORK) < _CLOSES_S and at_ns + S_PER_HOUR * NS_PER_S <= now_utc_ns:
            yield hour
        hour += timedelta(hours=1)


def _held(path: Path, symbol: str, hour: datetime) -> bytes | None:
    """An hour fetched before; a damaged one is fetched again."""
    try:
        raw = path.read_bytes()
        decode_bi5(raw, symbol, hour, str(path))
    except (OSError, DataError):
        return None
    return raw


def _fetch(url: str, wait: Callable[[float], object]) -> bytes:
    pause = _FIRST_WAIT_S
    why = ""
    for attempt in range(_TRIES):
        if attempt:
            wait(pause)
            pause *= 3.0
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "quarterdeck"})
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return b""
            why = f"HTTP {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            why = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
    raise DataError(f"{url}: {why}, {_TRIES} times", what_to_do=_RESUME)


def _put(path: Path, raw: bytes) -> None:
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(raw)
        replace_file(draft, path)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror or error}", what_to_do="check space and rights"
        ) from error


def _joined(symbol: str, quotes: list[TickBatch]) -> TickSeries:
    nothing = TickBatch(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    at, bid, ask = (np.concatenate(parts) for parts in zip(nothing, *quotes, strict=True))
    return TickSeries(symbol=symbol, at_utc_ns=at.astype(np.int64), bid=bid, ask=np.maximum(bid, ask))
