"""Recorded series of one symbol, sorted out: the finest data of each moment, as source bars with bid and ask, and its candles.

Why: M15, M1 and ticks of one pair come from different feeds and must not be mixed inside a stretch.
Rule: a finer series covers the stretches in which it has data (a hole of more than four days ends one), cut to full quarter
hours; coarser bars of a covered stretch are built from it, recorded ones serve only outside.
Does not: read files (`core.data`) or make steps (`market_recorded`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quarterdeck.core.brokers.simulator.market_source import TickColumns, aggregate, bars_of, joined
from quarterdeck.core.brokers.simulator.market_spread import spreads
from quarterdeck.core.data.series import BarSeries, PairData, Series, TickSeries
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import TIMEFRAME_NS, Instrument
from quarterdeck.core.model.units import DAY_NS, M15_NS, PriceDistance
from quarterdeck.core.settings.schema import CostsSection

_HOLE_NS = 4 * DAY_NS
_MINUTE_NS = TIMEFRAME_NS["M1"]


class SeriesPiece:
    """A stretch from one feed: bars of one period with their spreads, or ticks (then the bars are their minutes)."""

    __slots__ = ("ask", "bid", "period_ns", "spread_inside", "spread_open", "ticks")

    def __init__(
        self,
        period_ns: int,
        bid: Candles,
        ask: Candles | None,
        spread_open: FloatArray,
        spread_inside: FloatArray,
        ticks: TickColumns | None = None,
    ) -> None:
        """`spread_*` are used where there is neither `ask` nor ticks."""
        self.period_ns = period_ns
        self.bid = bid
        self.ask = ask
        self.spread_open = spread_open
        self.spread_inside = spread_inside
        self.ticks = ticks

    def forget_spreads(self, from_utc_ns: int) -> None:
        """Quotes were made of them: what is asked for after that is the spread of a bar before the range."""
        self.spread_open = np.zeros(0)
        self.spread_inside = self.spread_inside[: int(self.bid.open_utc_ns.searchsorted(from_utc_ns))].copy()


class RecordedSeries:
    """All of one symbol: `pieces` in time order and `candles` of each timeframe."""

    def __init__(self, spec: Instrument, pair: PairData, costs: CostsSection) -> None:
        """Raises DataError when nothing is there, or spreads are missing and none is assumed."""
        self.spec = spec
        self.pieces = _pieces(spec, pair.series, costs)
        if not self.pieces:
            raise DataError(f"no recorded data for {spec.symbol}", what_to_do="name a folder that has the pair, or leave it out")
        self._candles: dict[str, Candles | None] = {}
        self.bars = joined([piece.bid for piece in self.pieces])
        self._first_rows = np.cumsum([0, *(len(piece.bid) for piece in self.pieces)])

    def candles(self, timeframe: str) -> Candles | None:
        """Bars of a timeframe, made when they are first asked for; None where the data are coarser."""
        if timeframe not in self._candles:
            self._candles[timeframe] = self._hours() if timeframe == "H1" else self._aggregated(timeframe)
        return self._candles[timeframe]

    def _aggregated(self, timeframe: str) -> Candles | None:
        fitting = [piece.bid for piece in self.pieces if piece.period_ns <= TIMEFRAME_NS[timeframe]]
        return joined([aggregate(bars, timeframe) for bars in fitting]) if fitting else None

    def _hours(self) -> Candles:
        finest = [piece.bid for piece in self.pieces if piece.period_ns == TIMEFRAME_NS["H1"]]
        quarters = self.candles("M15")
        if quarters is not None:
            finest.append(aggregate(quarters, "H1"))
        return joined(sorted(finest, key=lambda bars: int(bars.open_utc_ns[0])))

    def period_ns(self, row: int) -> int:
        """How long the source bar at a row is."""
        return self._piece(row)[0].period_ns

    def spread_inside(self, row: int) -> PriceDistance:
        """The spread inside the source bar at a row."""
        piece, first = self._piece(row)
        return float(piece.spread_inside[row - first])

    def _piece(self, row: int) -> tuple[SeriesPiece, int]:
        place = int(self._first_rows.searchsorted(row, side="right")) - 1
        return self.pieces[place], int(self._first_rows[place])


def _fineness(series: Series) -> int:
    return 0 if isinstance(series, TickSeries) else TIMEFRAME_NS[series.timeframe]


def _pieces(spec: Instrument, series: Sequence[Series], costs: CostsSection) -> list[SeriesPiece]:
    covered: list[tuple[int, int]] = []
    pieces: list[SeriesPiece] = []
    ordered = sorted(series, key=_fineness)
    for place, one in enumerate(ordered):
        if isinstance(one, TickSeries):
            whole = _tick_piece(spec, one)
            times, period = one.at_utc_ns, 1
        else:
            whole = _bar_piece(spec, one, costs)
            times, period = one.bid.open_utc_ns, whole.period_ns
        if not len(times):
            continue
        free = _outside(times, covered)
        if place + 1 < len(ordered):
            # a quarter hour that is not complete in the finer data is left to the coarser
            mine = _stretches(times, period)
            free &= ~_outside(times, mine)
            covered.extend(mine)
        pieces.extend(_cut(spec, whole, rows) for rows in _runs(free))
    return sorted((piece for piece in pieces if len(piece.bid)), key=lambda piece: int(piece.bid.open_utc_ns[0]))


def _tick_piece(spec: Instrument, ticks: TickSeries) -> SeriesPiece:
    ask: FloatArray = np.maximum(ticks.ask, ticks.bid).round(spec.digits)
    clean = TickColumns(ticks.at_utc_ns, np.round(ticks.bid, spec.digits), ask)
    none = np.zeros(0)
    return SeriesPiece(_MINUTE_NS, Candles([], [], [], [], []), None, none, none, clean)


def _bar_piece(spec: Instrument, series: BarSeries, costs: CostsSection) -> SeriesPiece:
    bars = series.bid
    period = TIMEFRAME_NS[series.timeframe]
    if series.ask is not None:
        ask = _above(series.ask, bars)
        at_open, gap = np.round(ask.open - bars.open, spec.digits), np.round(ask.close - bars.close, spec.digits)
        least = np.rint(np.minimum(at_open, gap) / spec.point).astype(np.int64)
        return SeriesPiece(period, _with_spread(bars, least), ask, at_open, gap)
    points = bars.spread_points
    if not series.spread_known:
        if not costs.default_spread_pips:
            raise DataError(
                f"{series.symbol} {series.timeframe}: the data say nothing about the spread",
                what_to_do="set costs.default_spread_pips, or use data that hold it",
            )
        points = np.full(len(bars), round(costs.default_spread_pips * spec.pip / spec.point), dtype=np.int64)
    model = spreads(bars.open_utc_ns, points, spec, costs)
    return SeriesPiece(period, _with_spread(bars, points), None, model.at_open, model.inside)


def _with_spread(bars: Candles, points: IntArray) -> Candles:
    """The bars as the terminal gives them: with the least spread of each, given or found, for the typical spread."""
    return Candles(bars.open_utc_ns, bars.open, bars.high, bars.low, bars.close, bars.tick_volume, points)


def _above(ask: Candles, bid: Candles) -> Candles:
    # bid and ask of some feeds were sampled apart: an ask under the bid is lifted to it
    return Candles(
        bid.open_utc_ns,
        np.maximum(ask.open, bid.open),
        np.maximum(ask.high, bid.high),
        np.maximum(ask.low, bid.low),
        np.maximum(ask.close, bid.close),
        bid.tick_volume,
        bid.spread_points,
    )


def _stretches(times: IntArray, period_ns: int) -> list[tuple[int, int]]:
    holes = np.flatnonzero(np.diff(times) > _HOLE_NS)
    firsts = times[np.concatenate(([0], holes + 1))]
    lasts = times[np.concatenate((holes, [len(times) - 1]))]
    found = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        start = -(-first // M15_NS) * M15_NS
        end = (last + period_ns) // M15_NS * M15_NS
        if end > start:
            found.append((start, end))
    return found


def _outside(times: IntArray, covered: list[tuple[int, int]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    free = np.ones(len(times), dtype=np.bool_)
    for start, end in covered:
        free &= (times < start) | (times >= end)
    return free


def _runs(free: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], free, [False])).astype(np.int8)))
    return [slice(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _cut(spec: Instrument, whole: SeriesPiece, rows: slice) -> SeriesPiece:
    if whole.ticks is not None:
        ticks = TickColumns(whole.ticks.at_utc_ns[rows], whole.ticks.bid[rows], whole.ticks.ask[rows])
        bars = bars_of(ticks, "M1", spec.point)
        ends = np.searchsorted(ticks.at_utc_ns, bars.open_utc_ns + _MINUTE_NS) - 1
        gap = np.round(ticks.ask[ends] - ticks.bid[ends], spec.digits)
        return SeriesPiece(whole.period_ns, bars, None, gap, gap, ticks)
    return SeriesPiece(
        whole.period_ns,
        whole.bid[rows],
        None if whole.ask is None else whole.ask[rows],
        whole.spread_open[rows],
        whole.spread_inside[rows],
    )
