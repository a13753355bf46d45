"""A market that replays recorded candles and ticks, instant by instant, priced as the mission says.

Promises: the finest data of each moment; bars are bid; the spread model of `market_spread`; same data, same steps. Steps are
made in blocks, so a long recording costs memory for its columns only.
Paths of a bar without finer data. Pessimistic and optimistic: a tick at the open instant, then at the last millisecond of the bar
one range over the whole bar and the closing tick; they differ in what a range does that holds both stop and target. Neutral:
open, nearer extreme, farther extreme (a tie goes low first), close, each with the range that it traversed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from core.brokers.simulator.market import (
    FormingBar,
    RangeTuple,
    Step,
    TickColumns,
    TickTuple,
    forming_of,
    reached_rows,
)
from core.brokers.simulator.market_sources import Piece, Sources
from core.data.series import PairData
from core.model.candles import Candles, FloatArray, IntArray
from core.model.inputs import News
from core.model.market import TIMEFRAME_NS, Instrument
from core.model.units import NS_PER_MS, Price, UtcNs
from core.settings.schema import Costs

_BLOCK_STEPS = 4_096


EventTuple: TypeAlias = tuple[UtcNs, Price, Price, Price, Price, Price, Price]


class _Events(NamedTuple):
    """Columns of what happens to one symbol; a range that is not there has a NaN low."""

    at_utc_ns: IntArray
    bid: FloatArray
    ask: FloatArray
    bid_low: FloatArray
    bid_high: FloatArray
    ask_low: FloatArray
    ask_high: FloatArray


class RecordedMarket:
    """See the module. Symbols step in the order of `pairs`; bars before `from_utc_ns` are history."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        pairs: Sequence[PairData],
        costs: Mapping[str, Costs],
        *,
        from_utc_ns: UtcNs,
        to_utc_ns: UtcNs,
        label: str = "recorded",
    ) -> None:
        """`instruments` beside `pairs`, `costs` by symbol; steps in [from, to). Raises DataError when a pair has no data."""
        self.symbols = tuple(spec.symbol for spec in instruments)
        self.label = label
        self.target_first = frozenset(symbol for symbol in self.symbols if costs[symbol].path == "optimistic")
        self._neutral = frozenset(symbol for symbol in self.symbols if costs[symbol].path == "neutral")
        self._from = from_utc_ns
        self._sources = {
            spec.symbol: Sources(spec, pair, costs[spec.symbol]) for spec, pair in zip(instruments, pairs, strict=True)
        }
        self._starts, self._step_at = self._merged(to_utc_ns)
        self._rows_before: dict[str, IntArray] = {}
        self._place = 0
        self._block: list[Step] = []
        self._skipping = False
        self._block_at = 0

    @property
    def start_utc_ns(self) -> UtcNs:
        """The millisecond before the range: nothing of its first bar is known yet."""
        return self._from - NS_PER_MS

    @property
    def steps_total(self) -> int:
        """Number of instants of the whole replay, for a progress bar."""
        return len(self._starts) - 1

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
        if self._place >= len(self._starts) - 1:
            return None
        return self._step_at.item(self._place)

    def step(self) -> Step:
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
        events = self._owner[symbol]
        return TickColumns(events.at_utc_ns, events.bid, events.ask)

    def rows_before(self, symbol: str) -> IntArray:
        """For each step the row of a symbol's newest quote before it, -1 where there is none; one more for the end."""
        known = self._rows_before.get(symbol)
        if known is None:
            steps = np.append(self.steps_utc_ns, np.int64(2**62))
            known = self._rows_before[symbol] = (self._owner[symbol].at_utc_ns.searchsorted(steps) - 1).astype(np.int32)
        return known

    def events(self, symbol: str, first: int, last: int) -> Iterator[EventTuple]:
        """Rows [first, last) of what happens to a symbol: instant, bid, ask, and the range before it (NaN low: none)."""
        return zip(*(column[first:last].tolist() for column in self._owner[symbol]), strict=True)

    def skip_to(self, place: int) -> Sequence[tuple[str, Price, Price, UtcNs]]:
        """Go on at that step without the steps before it; what each symbol's last quote before it was."""
        self._place, self._skipping = max(place, self._place), True
        found = []
        for symbol, events in self._owner.items():
            row = self.rows_before(symbol).item(place)
            if row >= 0:
                found.append((symbol, events.bid.item(row), events.ask.item(row), events.at_utc_ns.item(row)))
        return found

    def version(self, symbol: str, timeframe: str) -> int:
        """Never changes: a recording is complete."""
        return 1

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        """All recorded bars; None where the recording is coarser."""
        return self._sources[symbol].candles.get(timeframe)

    def reached(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> int:
        """Rows begun."""
        columns = self._sources[symbol].candles.get(timeframe)
        return 0 if columns is None else reached_rows(columns, now_utc_ns)

    def forming(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> FormingBar | None:
        """The newest bar as seen until now, put together from the source bars inside it."""
        sources = self._sources[symbol]
        columns = sources.candles[timeframe]
        row = reached_rows(columns, now_utc_ns) - 1
        if row < 0:
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
        return TickColumns(events.at_utc_ns[lo:hi], events.bid[lo:hi], events.ask[lo:hi])

    def news(self) -> tuple[News, ...] | None:
        """None: a recording's calendar comes from a file."""
        return None

    def _begun(self, sources: Sources, row: int, now_utc_ns: UtcNs) -> FormingBar:
        bars, spec = sources.bars, sources.spec
        start = int(bars.open_utc_ns[row])
        seen = self.ticks(spec.symbol, start, now_utc_ns, now_utc_ns)
        bids = seen.bid.tolist() or [float(bars.open[row])]
        return FormingBar(start, bids[0], max(bids), min(bids), bids[-1], len(bids), int(bars.spread_points[row]))

    def _merged(self, to_utc_ns: UtcNs) -> tuple[IntArray, IntArray]:
        """Sort out what happens, by symbol and in all: where each step begins, and its instant.

        Columns are kept once, in the order of their symbol.
        """
        self._owner: dict[str, _Events] = {}
        for symbol, sources in self._sources.items():
            whole = _joined([self._piece_events(sources.spec, piece) for piece in sources.pieces])
            for piece in sources.pieces:
                piece.forget_spreads(self._from)
            first, last = whole.at_utc_ns.searchsorted((self._from, to_utc_ns)).tolist()
            columns: list[Any] = [column[first:last] for column in whole]
            self._owner[symbol] = _Events(*columns)
        every = list(self._owner.values())
        at = np.concatenate([events.at_utc_ns for events in every])
        order = np.argsort(at, kind="stable")
        self._symbol_of = np.repeat(np.arange(len(every), dtype=np.int16), [len(events.at_utc_ns) for events in every])[order]
        self._row_of = np.concatenate([np.arange(len(events.at_utc_ns), dtype=np.int32) for events in every])[order]
        at = at[order]
        if not len(at):
            return np.zeros(1, dtype=np.int64), at
        starts: IntArray = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1], [True]))).astype(np.int64)
        return starts, at[starts[:-1]]

    def _piece_events(self, spec: Instrument, piece: Piece) -> _Events:
        if piece.ticks is not None:
            nothing = np.full(len(piece.ticks.bid), np.nan)
            return _Events(_distinct(piece.ticks.at_utc_ns), piece.ticks.bid, piece.ticks.ask, nothing, nothing, nothing, nothing)
        return _neutral_events(spec, piece) if spec.symbol in self._neutral else _plain_events(spec, piece)

    def _one(self, place: int) -> Step:
        """A step made alone: those who skip live through few of a block."""
        first, end = self._starts[place : place + 2].tolist()
        ticks, spans = list[TickTuple](), list[RangeTuple]()
        for number, row in zip(self._symbol_of[first:end].tolist(), self._row_of[first:end].tolist(), strict=True):
            name = self.symbols[number]
            events = self._owner[name]
            ticks.append((name, events.bid.item(row), events.ask.item(row)))
            low = events.bid_low.item(row)
            if low == low:  # noqa: PLR0124 - NaN is unequal to itself
                spans.append((name, low, events.bid_high.item(row), events.ask_low.item(row), events.ask_high.item(row)))
        return Step(self._step_at.item(place), tuple(ticks), tuple(spans))

    def _ahead(self) -> Step:
        if self._skipping:
            return self._one(self._place)
        offset = self._place - self._block_at
        if not 0 <= offset < len(self._block):
            self._block_at = self._place
            self._block = self._made(self._place, min(self._place + _BLOCK_STEPS, len(self._starts) - 1))
            offset = 0
        return self._block[offset]

    def _gathered(self, owners: npt.NDArray[np.int16], rows: npt.NDArray[np.int32]) -> list[Any]:
        """Columns of happenings of several symbols, in the order given."""
        parts = [(owners == place, events) for place, events in enumerate(self._owner.values())]
        columns: list[Any] = [np.empty(len(rows), dtype=np.int64), *(np.empty(len(rows)) for _ in range(6))]
        for mine, events in parts:
            for column, source in zip(columns, events, strict=True):
                column[mine] = source[rows[mine]]
        return columns

    def _made(self, first: int, last: int) -> list[Step]:
        bounds = self._starts[first : last + 1].tolist()
        rows = slice(bounds[0], bounds[-1])
        owners, within = self._symbol_of[rows], self._row_of[rows]
        names = [self.symbols[place] for place in owners.tolist()]
        at, *prices = (column.tolist() for column in self._gathered(owners, within))
        ticks: list[TickTuple] = list(zip(names, prices[0], prices[1], strict=True))
        spans: list[RangeTuple | None] = [
            (name, low, high, ask_low, ask_high) if low == low else None  # noqa: PLR0124 - NaN is unequal to itself
            for name, low, high, ask_low, ask_high in zip(names, *prices[2:], strict=True)
        ]
        base = bounds[0]
        steps = []
        for start, end in pairwise(bounds):
            here = slice(start - base, end - base)
            steps.append(Step(at[start - base], tuple(ticks[here]), tuple(span for span in spans[here] if span is not None)))
        return steps


def _joined(parts: Sequence[_Events]) -> _Events:
    if len(parts) == 1:
        return parts[0]
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return _Events(*columns)


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


def _plain_events(spec: Instrument, piece: Piece) -> _Events:
    bars, ask = piece.bid, piece.ask
    count, digits = len(bars), spec.digits
    nothing = np.full(count, np.nan)
    close_at = bars.open_utc_ns + piece.period_ns - NS_PER_MS
    if ask is None:
        inside = piece.spread_inside
        ask_open, ask_close = bars.open + piece.spread_open, bars.close + inside
        ask_low, ask_high = bars.low + inside, bars.high + inside
    else:
        ask_open, ask_close, ask_low, ask_high = ask.open, ask.close, ask.low, ask.high
    return _Events(
        _woven(bars.open_utc_ns, close_at),
        np.round(_woven(bars.open, bars.close), digits),
        np.round(_woven(ask_open, ask_close), digits),
        np.round(_woven(nothing, bars.low), digits),
        np.round(_woven(nothing, bars.high), digits),
        np.round(_woven(nothing, ask_low), digits),
        np.round(_woven(nothing, ask_high), digits),
    )


def _neutral_events(spec: Instrument, piece: Piece) -> _Events:
    bars, ask, digits = piece.bid, piece.ask, spec.digits
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
    nothing = np.full(len(bars), np.nan)
    return _Events(
        _woven(at, at + third, at + 2 * third, at + piece.period_ns - NS_PER_MS),
        np.round(_woven(*path), digits),
        np.round(_woven(*asks), digits),
        np.round(_woven(nothing, *(np.minimum(path[leg], path[leg + 1]) for leg in range(3))), digits),
        np.round(_woven(nothing, *(np.maximum(path[leg], path[leg + 1]) for leg in range(3))), digits),
        np.round(_woven(nothing, *(np.minimum(begins[leg], asks[leg + 1]) for leg in range(3))), digits),
        np.round(_woven(nothing, *(np.maximum(begins[leg], asks[leg + 1]) for leg in range(3))), digits),
    )


def _woven(*columns: IntArray | FloatArray) -> Any:
    return np.column_stack(columns).ravel()
