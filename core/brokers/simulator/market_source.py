"""What feeds the simulated terminal: a market that steps from instant to instant and remembers its candles.

Promises: instants strictly increase; within one `MarketStep` the ranges happened before the ticks. Columns may reach beyond
the present
(a recording knows its future), so whoever shows them asks `reached` first and replaces the last row by `forming`.
Units: prices in quote currency, instants UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import TIMEFRAME_NS
from quarterdeck.core.model.units import Price, UtcNs

TickTuple = tuple[str, Price, Price]
"""(symbol, bid, ask)"""
RangeTuple = tuple[str, Price, Price, Price, Price]
"""(symbol, bid low, bid high, ask low, ask high): all prices between were there, in an order nobody recorded."""


class MarketStep(NamedTuple):
    """One instant of the market: first what was traversed since the last one, then the new quotes."""

    at_utc_ns: UtcNs
    ticks: tuple[TickTuple, ...]
    ranges: tuple[RangeTuple, ...] = ()


class FormingBar(NamedTuple):
    """The newest bar as far as it has been seen."""

    open_utc_ns: UtcNs
    open: Price
    high: Price
    low: Price
    close: Price
    tick_volume: int
    spread_points: int


class TickColumns(NamedTuple):
    """Quotes as columns, oldest first."""

    at_utc_ns: IntArray
    bid: FloatArray
    ask: FloatArray


class MarketSource(Protocol):
    """A source of prices. `symbols` in the order in which one instant's ticks come."""

    symbols: tuple[str, ...]
    label: str
    """What it is, for people: the recording's folder, or that it is simulated, with its seed."""
    target_first: frozenset[str]
    """Symbols in which a range that holds both stop and target of a position fills the target (elsewhere the stop)."""

    @property
    def start_utc_ns(self) -> UtcNs:
        """The instant before the first step: history up to here is known."""
        ...

    def initial(self) -> tuple[tuple[str, Price, Price, UtcNs], ...]:
        """Last quotes before the start: (symbol, bid, ask, when)."""
        ...

    def next_ns(self) -> UtcNs | None:
        """Instant of the next step; None at the end."""
        ...

    def step(self) -> MarketStep:
        """Go on to the next instant. Only while `next_ns` is not None."""
        ...

    def version(self, symbol: str, timeframe: str) -> int:
        """Rises whenever `columns` changed."""
        ...

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        """All bars known to the market, its future included; None where the timeframe is finer than the data."""
        ...

    def reached(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> int:
        """How many rows of `columns` have begun."""
        ...

    def forming(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> FormingBar | None:
        """The last begun bar as seen until now; None when it is complete (the column's row is right)."""
        ...

    def ticks(self, symbol: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs, now_utc_ns: UtcNs) -> TickColumns:
        """Quotes of a span, both ends included, none after now."""
        ...

    def news(self) -> tuple[NewsEvent, ...] | None:
        """The market's own calendar of what is known now; None where it has none."""
        ...


def aggregate(candles: Candles, timeframe: str) -> Candles:
    """Coarser bars of finer ones: grid of UTC, spread is the smallest inside, bars without data do not exist."""
    period = TIMEFRAME_NS[timeframe]
    if not len(candles):
        return candles
    bucket = candles.open_utc_ns // period
    starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    if len(starts) == len(candles) and bool((bucket * period == candles.open_utc_ns).all()):
        return candles  # they are on that grid already
    ends = np.concatenate((starts[1:], [len(candles)])) - 1
    return Candles(
        bucket[starts] * period,
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[ends],
        np.add.reduceat(candles.tick_volume, starts),
        np.minimum.reduceat(candles.spread_points, starts),
    )


def reached_rows(candles: Candles, now_utc_ns: UtcNs) -> int:
    """Rows that have begun at `now_utc_ns`."""
    return int(np.searchsorted(candles.open_utc_ns, now_utc_ns, side="right"))


def forming_of(parts: list[FormingBar], open_utc_ns: UtcNs) -> FormingBar | None:
    """One bar out of its parts in order; None of none."""
    if not parts:
        return None
    return FormingBar(
        open_utc_ns,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum(part.tick_volume for part in parts),
        min(part.spread_points for part in parts),
    )


def joined(parts: Sequence[Candles]) -> Candles:
    """Columns one after the other; the parts are in time order and do not overlap."""
    if len(parts) == 1:
        return parts[0]
    return Candles(
        np.concatenate([part.open_utc_ns for part in parts]),
        np.concatenate([part.open for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.close for part in parts]),
        np.concatenate([part.tick_volume for part in parts]),
        np.concatenate([part.spread_points for part in parts]),
    )


def bars_of(ticks: TickColumns, timeframe: str, point: Price) -> Candles:
    """Bid bars of quotes; the spread of a bar is its smallest, in points."""
    period = TIMEFRAME_NS[timeframe]
    bucket = ticks.at_utc_ns // period
    starts = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    ends = np.concatenate((starts[1:], [len(bucket)]))
    spread = np.minimum.reduceat(ticks.ask - ticks.bid, starts)
    return Candles(
        bucket[starts] * period,
        ticks.bid[starts],
        np.maximum.reduceat(ticks.bid, starts),
        np.minimum.reduceat(ticks.bid, starts),
        ticks.bid[ends - 1],
        ends - starts,
        np.maximum(np.rint(spread / point), 0).astype(np.int64),
    )
