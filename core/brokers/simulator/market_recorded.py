"""A market that replays recorded candles and ticks, instant by instant, priced as the mission says.

Promises: the finest data of each moment; bars are bid; the spread model of `market_spread`; same data, same steps. Steps are
made in blocks, so a long recording costs memory for its columns only. Those hold prices as whole points, which is half of what
the prices would take; a price is its points over a power of ten, the very number that rounding to the symbol's digits gives.
Paths of a bar without finer data. Pessimistic and optimistic: a tick at the open instant, then at the last millisecond of the bar
one range over the whole bar and the closing tick; they differ in what a range does that holds both stop and target. Neutral:
open, nearer extreme, farther extreme (a tie goes low first), close, each with the range that it traversed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
import numpy.typing as npt

from quarterdeck.core.brokers.simulator.market_source import (
    FormingBar,
    MarketStep,
    RangeTuple,
    TickColumns,
    TickTuple,
    forming_of,
    reached_rows,
)
from quarterdeck.core.brokers.simulator.recorded_series import RecordedSeries, SeriesPiece
from quarterdeck.core.data.series import PairData
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import TIMEFRAME_NS, Instrument
from quarterdeck.core.model.units import NS_PER_MS, Price, UtcNs
from quarterdeck.core.settings.schema import CostsSection

_BLOCK_STEPS = 4_096
_FIRST_BLOCK_STEPS = 32
_WIDTH = 6
_NO_RANGE = -(2**31)
_POINTS_MOST = 2**31 - 1


class MarketEvents:
    """What happens to one symbol, in order of time; rows are read one at a time or as columns."""

    __slots__ = ("_at", "_event", "_points", "_quote", "_row_bytes", "at_utc_ns", "points", "power")

    def __init__(self, at_utc_ns: IntArray, points: npt.NDArray[np.int32 | np.int64], power: float) -> None:
        """`points` has a row each: bid, ask, and of the range before them the bid's low and high, the ask's; else `_NO_RANGE`.

        `power`: points in a price of one.
        """
        self.at_utc_ns, self.points, self.power = at_utc_ns, points, power
        self._at: memoryview[int] = at_utc_ns.data
        self._points = points.data
        number = "i" if points.dtype == np.int32 else "q"
        self._quote, self._event = struct.Struct(f"=2{number}").unpack_from, struct.Struct(f"={_WIDTH}{number}").unpack_from
        self._row_bytes = _WIDTH * points.itemsize

    def __len__(self) -> int:
        """How many there are."""
        return len(self._at)

    def at(self, row: int) -> UtcNs:
        """When it happens."""
        return self._at[row]

    def quote(self, row: int) -> tuple[Price, Price]:
        """Bid and ask since then."""
        power = self.power
        points: tuple[int, int] = self._quote(self._points, self._row_bytes * row)
        return points[0] / power, points[1] / power

    def event(self, row: int) -> tuple[Price, Price, Price, Price, Price, Price]:
        """Bid and ask, and of the range traversed before them the bid's low and high and the ask's (NaN: there was none)."""
        power = self.power
        points: tuple[int, int, int, int, int, int] = self._event(self._points, self._row_bytes * row)
        bid, ask, low, high, ask_low, ask_high = points
        if low == _NO_RANGE:
            return bid / power, ask / power, nan, nan, nan, nan
        return bid / power, ask / power, low / power, high / power, ask_low / power, ask_high / power

    def prices(self, first: int, last: int) -> FloatArray:
        """Rows [first, last) as prices; a range that is not there is NaN."""
        points = self.points[first:last]
        prices: FloatArray = points / self.power
        prices[points[:, 2] == _NO_RANGE, 2:] = nan
        return prices

    def quotes(self, first: int = 0, last: int | None = None) -> TickColumns:
        """Rows [first, last) without their ranges."""
        points = self.points[first:last]
        return TickColumns(self.at_utc_ns[first:last], points[:, 0] / self.power, points[:, 1] / self.power)


class RecordedMarket:
    """See the module. Symbols step in the order of `pairs`; bars before `from_utc_ns` are history."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        pairs: Sequence[PairData],
        costs: Mapping[str, CostsSection],
        *,
        from_utc_ns: UtcNs,
        to_utc_ns: UtcNs,
        label: str = "recorded",
    ) -> None:
        """`instruments` beside `pairs`, `costs` by symbol; steps in [from, to). Raises DataError when a pair has no data."""
        self.symbols = tuple(spec.symbol for spec in instruments)
        self.label = label
        self.target_first = frozenset(symbol for symbol in self.symbols if costs[symbol].intrabar_order == "optimistic")
        self._neutral = frozenset(symbol for symbol in self.symbols if costs[symbol].intrabar_order == "neutral")
        self._from = from_utc_ns
        self._sources = {
            spec.symbol: RecordedSeries(spec, pair, costs[spec.symbol]) for spec, pair in zip(instruments, pairs, strict=True)
        }
        self._events = [self._made_events(sources, to_utc_ns) for sources in self._sources.values()]
        self._owner = dict(zip(self.symbols, self._events, strict=True))
        self._step_at: IntArray = np.unique(np.concatenate([events.at_utc_ns for events in self._events]))
        self._steps: memoryview[int] = self._step_at.data
        self._rows_known: memoryview[int] | None = None
        self._shown = [-1] * len(self.symbols)
        """Rows of the quotes that were shown when steps were skipped last."""
        self._place = 0
        self._block: list[MarketStep] = []
        self._skipping = False
        self._block_at = 0

    @property
    def start_utc_ns(self) -> UtcNs:
        """The millisecond before the range: nothing of its first bar is known yet."""
        return self._from - NS_PER_MS

    @property
    def steps_total(self) -> int:
        """Number of instants of the whole replay, for a progress bar."""
        return len(self._step_at)

    @property
    def steps_done(self) -> int:
        """Number of instants already taken."""
        return self._place

    @property
    def end_utc_ns(self) -> UtcNs | None:
        """Instant of the last step; None when the range holds no data."""
        return int(self._step_at[-1]) if len(self._step_at) else None

    def initial(self) -> tuple[tuple[str, Price, Price, UtcNs], ...]:
        """Close of the last bar before the range, with the spread inside it."""
        found = []
        for symbol, sources in self._sources.items():
            row = int(np.searchsorted(sources.bars.open_utc_ns, self._from)) - 1
            if row < 0:
                continue
            bid = float(sources.bars.close[row])
            ask = round(bid + sources.spread_inside(row), sources.spec.digits)
            at = int(sources.bars.open_utc_ns[row] + sources.period_ns(row)) - NS_PER_MS
            found.append((symbol, bid, ask, min(at, self.start_utc_ns)))
        return tuple(found)

    def next_ns(self) -> UtcNs | None:
        """Instant of the next step; None at the end of the range."""
        return self._steps[self._place] if self._place < len(self._steps) else None

    def step(self) -> MarketStep:
        """The next instant."""
        step = self._ahead()
        self._place += 1
        return step

    @property
    def steps_utc_ns(self) -> IntArray:
        """Instants of all steps, for those who choose which of them to live through."""
        return self._step_at

    def quotes_column(self, symbol: str) -> TickColumns:
        """All quotes of a symbol that the replay shows."""
        return self._owner[symbol].quotes()

    def happenings(self, symbol: str) -> MarketEvents:
        """What happens to a symbol."""
        return self._owner[symbol]

    def row_before(self, place: int, column: int) -> int:
        """Row of the newest quote before a step (or the end) of the symbol at that place of `symbols`, -1 where there is none."""
        return self._rows_before[place * len(self.symbols) + column]

    def skip_to(self, place: int) -> dict[str, tuple[Price, Price, UtcNs]]:
        """Go on at that step without the steps before it; by symbol the last quote before it, if it came since the last skip."""
        self._place, self._skipping = max(place, self._place), True
        found = {}
        width, shown = len(self.symbols), self._shown
        for column, row in enumerate(self._rows_before[place * width : (place + 1) * width].tolist()):
            if row != shown[column]:
                shown[column], events = row, self._events[column]
                bid, ask = events.quote(row)
                found[self.symbols[column]] = (bid, ask, events.at(row))
        return found

    def version(self, symbol: str, timeframe: str) -> int:
        """Never changes: a recording is complete."""
        return 1

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        """All recorded bars; None where the recording is coarser."""
        return self._sources[symbol].candles(timeframe)

    def reached(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> int:
        """Rows begun."""
        columns = self.columns(symbol, timeframe)
        return 0 if columns is None else reached_rows(columns, now_utc_ns)

    def forming(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> FormingBar | None:
        """The newest bar as seen until now, put together from the source bars inside it."""
        sources = self._sources[symbol]
        columns = sources.candles(timeframe)
        row = -1 if columns is None else reached_rows(columns, now_utc_ns) - 1
        if columns is None or row < 0:
            return None
        start = int(columns.open_utc_ns[row])
        first, end = np.searchsorted(sources.bars.open_utc_ns, (start, start + TIMEFRAME_NS[timeframe])).tolist()
        last = reached_rows(sources.bars, now_utc_ns) - 1
        whole = now_utc_ns >= int(sources.bars.open_utc_ns[last] + sources.period_ns(last)) - NS_PER_MS
        if whole and last + 1 >= end:
            return None
        parts = [_row(sources.bars, row) for row in range(first, last + whole)]
        if not whole:
            parts.append(self._begun(sources, last, now_utc_ns))
        return forming_of(parts, start)

    def ticks(self, symbol: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs, now_utc_ns: UtcNs) -> TickColumns:
        """Quotes that the replay showed or will have shown by now; before the range none were kept."""
        events = self._owner[symbol]
        lo = int(np.searchsorted(events.at_utc_ns, from_utc_ns))
        hi = int(np.searchsorted(events.at_utc_ns, min(to_utc_ns, now_utc_ns), side="right"))
        return events.quotes(lo, hi)

    def news(self) -> tuple[NewsEvent, ...] | None:
        """None: a recording's calendar comes from a file."""
        return None

    def _begun(self, sources: RecordedSeries, row: int, now_utc_ns: UtcNs) -> FormingBar:
        bars, spec = sources.bars, sources.spec
        start = int(bars.open_utc_ns[row])
        seen = self.ticks(spec.symbol, start, now_utc_ns, now_utc_ns)
        bids = seen.bid.tolist() or [float(bars.open[row])]
        return FormingBar(start, bids[0], max(bids), min(bids), bids[-1], len(bids), int(bars.spread_points[row]))

    def _made_events(self, sources: RecordedSeries, to_utc_ns: UtcNs) -> MarketEvents:
        """What happens to a symbol from the begin of the range to its end."""
        parts = [self._piece_events(sources.spec, piece) for piece in sources.pieces]
        for piece in sources.pieces:
            piece.forget_spreads(self._from)
        at, points, power = parts[0].at_utc_ns, parts[0].points, parts[0].power
        if len(parts) > 1:
            at, points = np.concatenate([part.at_utc_ns for part in parts]), np.concatenate([part.points for part in parts])
        first, last = at.searchsorted((self._from, to_utc_ns)).tolist()
        return MarketEvents(at[first:last], points[first:last], power)

    @property
    def _rows_before(self) -> memoryview[int]:
        """`row_before` of all symbols, step by step, made when someone first skips."""
        known = self._rows_known
        if known is None:
            steps = np.append(self._step_at, np.int64(2**62))
            made = np.empty((len(steps), len(self.symbols)), dtype=np.int32)
            for column, events in enumerate(self._events):
                made[:, column] = events.at_utc_ns.searchsorted(steps) - 1
            known = self._rows_known = made.reshape(-1).data
        return known

    def _piece_events(self, spec: Instrument, piece: SeriesPiece) -> MarketEvents:
        if piece.ticks is not None:
            return _events(spec, _distinct(piece.ticks.at_utc_ns), [(piece.ticks.bid, piece.ticks.ask)])
        return _neutral_events(spec, piece) if spec.symbol in self._neutral else _plain_events(spec, piece)

    def _one(self, place: int) -> MarketStep:
        """A step made alone: those who skip live through few of a block."""
        width = len(self.symbols)
        rows = self._rows_before[place * width : (place + 2) * width].tolist()
        ticks, spans = list[TickTuple](), list[RangeTuple]()
        for column, events in enumerate(self._events):
            row = rows[width + column]
            if row == rows[column]:
                continue
            name = self.symbols[column]
            bid, ask, low, high, ask_low, ask_high = events.event(row)
            ticks.append((name, bid, ask))
            if low == low:  # noqa: PLR0124 - NaN is unequal to itself
                spans.append((name, low, high, ask_low, ask_high))
        return MarketStep(self._steps[place], tuple(ticks), tuple(spans))

    def _ahead(self) -> MarketStep:
        if self._skipping:
            return self._one(self._place)
        offset = self._place - self._block_at
        if not 0 <= offset < len(self._block):
            self._block_at = self._place
            # small at first: those who skip take a step or two before they do
            size = min(_BLOCK_STEPS, _FIRST_BLOCK_STEPS + self._place)
            self._block = self._made(self._place, min(self._place + size, len(self._step_at)))
            offset = 0
        return self._block[offset]

    def _made(self, first: int, last: int) -> list[MarketStep]:
        """Steps [first, last)."""
        span = self._step_at[first], self._step_at[last - 1] + 1
        bounds = [events.at_utc_ns.searchsorted(span).tolist() for events in self._events]
        parts = [(events, *rows) for events, rows in zip(self._events, bounds, strict=True)]
        at = np.concatenate([events.at_utc_ns[begin:end] for events, begin, end in parts])
        order = np.argsort(at, kind="stable")  # symbols of one instant stay in their order
        names = np.repeat(np.arange(len(parts)), [end - begin for _, begin, end in parts])[order].tolist()
        prices = np.concatenate([events.prices(begin, end) for events, begin, end in parts])[order].tolist()
        steps, newest = list[MarketStep](), 0
        ticks, spans = list[TickTuple](), list[RangeTuple]()
        for happens, place, (bid, ask, low, *rest) in zip(at[order].tolist(), names, prices, strict=True):
            if happens != newest:
                if ticks:
                    steps.append(MarketStep(newest, tuple(ticks), tuple(spans)))
                newest, ticks, spans = happens, [], []
            name = self.symbols[place]
            ticks.append((name, bid, ask))
            if low == low:  # noqa: PLR0124 - NaN is unequal to itself
                spans.append((name, low, *rest))
        steps.append(MarketStep(newest, tuple(ticks), tuple(spans)))
        return steps


def _events(spec: Instrument, at_utc_ns: IntArray, legs: Sequence[Sequence[FloatArray]]) -> MarketEvents:
    """What happens in so many legs a bar, woven into one column; a leg has bid and ask, and where a range leads to it that."""
    power = 10.0**spec.digits
    points = np.full((len(at_utc_ns), 6), _NO_RANGE, dtype=np.int64)
    for leg, columns in enumerate(legs):
        for place, column in enumerate(columns):
            points[leg :: len(legs), place] = np.rint(column * power)
    if len(points) and points.max() <= _POINTS_MOST:
        return MarketEvents(at_utc_ns, points.astype(np.int32), power)
    return MarketEvents(at_utc_ns, points, power)


def _row(bars: Candles, row: int) -> FormingBar:
    return FormingBar(
        int(bars.open_utc_ns[row]),
        float(bars.open[row]),
        float(bars.high[row]),
        float(bars.low[row]),
        float(bars.close[row]),
        int(bars.tick_volume[row]),
        int(bars.spread_points[row]),
    )


def _distinct(at_utc_ns: IntArray) -> IntArray:
    """Several quotes of one instant become instants of their own, one nanosecond apart."""
    index = np.arange(len(at_utc_ns), dtype=np.int64)
    spread: IntArray = np.maximum.accumulate(at_utc_ns - index) + index
    return spread


def _plain_events(spec: Instrument, piece: SeriesPiece) -> MarketEvents:
    bars, ask = piece.bid, piece.ask
    close_at = bars.open_utc_ns + piece.period_ns - NS_PER_MS
    if ask is None:
        inside = piece.spread_inside
        ask_open, ask_close = bars.open + piece.spread_open, bars.close + inside
        ask_low, ask_high = bars.low + inside, bars.high + inside
    else:
        ask_open, ask_close, ask_low, ask_high = ask.open, ask.close, ask.low, ask.high
    ends = (bars.close, ask_close, bars.low, bars.high, ask_low, ask_high)
    return _events(spec, _woven(bars.open_utc_ns, close_at), [(bars.open, ask_open), ends])


def _neutral_events(spec: Instrument, piece: SeriesPiece) -> MarketEvents:
    bars, ask = piece.bid, piece.ask
    # in whole points, so that a tie is one
    high_first = np.rint((bars.high - bars.open) / spec.point) < np.rint((bars.open - bars.low) / spec.point)
    near = np.where(high_first, bars.high, bars.low)
    far = np.where(high_first, bars.low, bars.high)
    third = piece.period_ns // 3
    at = bars.open_utc_ns
    path = [bars.open, near, far, bars.close]
    if ask is None:
        asks = [bars.open + piece.spread_open, *(price + piece.spread_inside for price in path[1:])]
        asks_begin = bars.open + piece.spread_inside
    else:
        asks = [ask.open, np.where(high_first, ask.high, ask.low), np.where(high_first, ask.low, ask.high), ask.close]
        asks_begin = ask.open
    begins = [asks_begin, asks[1], asks[2]]
    legs: list[tuple[FloatArray, ...]] = [(path[0], asks[0])]
    for price, reached, dear, dear_reached in zip(path[:-1], path[1:], begins, asks[1:], strict=True):
        traversed = (np.minimum(price, reached), np.maximum(price, reached))
        legs.append((reached, dear_reached, *traversed, np.minimum(dear, dear_reached), np.maximum(dear, dear_reached)))
    return _events(spec, _woven(at, at + third, at + 2 * third, at + piece.period_ns - NS_PER_MS), legs)


def _woven(*columns: IntArray) -> IntArray:
    woven: IntArray = np.column_stack(columns).ravel()
    return woven
