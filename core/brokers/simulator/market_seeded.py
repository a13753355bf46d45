"""The simulated market: seeded, endless, several correlated pairs that agree with each other, with sessions, news and weekends.

Promises: one seed, one start and one history length give one market, whatever is traded in it and however it is stepped; memory
is bounded; it is a fair game around the middle of bid and ask, so that random entries lose their costs and nothing else.
Bars are those of its ticks. A day is made whole, lazily, when the steps reach it; days before the start are history without
steps.
Spreads: the pair's floor, livelier with the market, wide over the rollover and around releases.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from copy import copy
from typing import NamedTuple, Protocol

import numpy as np

from quarterdeck.core.brokers.simulator import market_factors as factors
from quarterdeck.core.brokers.simulator.instruments import plain_pair
from quarterdeck.core.brokers.simulator.market_factors import CURRENCIES, FactorDay, FactorState
from quarterdeck.core.brokers.simulator.market_news import ahead_and_behind, news_between
from quarterdeck.core.brokers.simulator.market_source import (
    FormingBar,
    MarketStep,
    TickColumns,
    TickTuple,
    bars_of,
    joined,
    reached_rows,
)
from quarterdeck.core.brokers.simulator.simulated_server_time import ROLLOVER_S
from quarterdeck.core.brokers.simulator.trade_server_rules import session_mask
from quarterdeck.core.clock import time_zones
from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import TIMEFRAME_NS, Instrument
from quarterdeck.core.model.units import DAY_NS, NS_PER_S, S_PER_DAY, Price, UtcNs
from quarterdeck.core.settings.schema import CostsSection

_FINE_DAYS_KEPT = 6
_TICK_DAYS_KEPT = 2
_COARSE_DAYS_SPARE = 60
_CHUNK_TICKS = 240
_SPREAD_STREAM = 7
_CROSS_WIDER = 1.7
_RELEASE_WIDER, _RELEASE_FADE_S = 6.0, 150.0
_BEFORE_RELEASE_S = 45.0
_ROLLOVER_HUMP, _ROLLOVER_FADE_S = 0.8, 900.0
_AFTER_ROLLOVER_SHARE, _AFTER_ROLLOVER_FADE_S = 0.25, 600.0
_SUNDAY_WIDER = 1.5
_SATURDAY, _SUNDAY, _MONDAY = 5, 6, 0


class MarketScript(Protocol):
    """What a scripted market does to a day: called for each currency and pair."""

    def shift_log(self, currency: str, at_utc_ns: IntArray) -> FloatArray | None:
        """Added to the logarithm of the worth; None leaves it alone."""
        ...

    def spread_price(self, spec: Instrument, at_utc_ns: IntArray, spread_price: FloatArray) -> FloatArray:
        """The spread instead of the usual one."""
        ...

    def silent(self, spec: Instrument, at_utc_ns: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
        """Instants at which nobody quotes; None where there are none."""
        ...


class _PairDay(NamedTuple):
    """One pair's day on the day's grid of instants; `shows` where its quote is there and differs from the one before."""

    bid: FloatArray
    ask: FloatArray
    shows: np.ndarray[tuple[int], np.dtype[np.bool_]]


class _PairMarket:
    """What the market keeps of one pair."""

    def __init__(self, spec: Instrument) -> None:
        self.spec = spec
        self.name = plain_pair(spec)
        self.legs = (_place(spec.base_currency, spec.symbol), _place(spec.profit_currency, spec.symbol))
        self.ticks: list[TickColumns] = []
        self.bars: dict[str, list[Candles]] = {"M1": [], "M5": [], "M15": [], "H1": []}
        self.last: tuple[Price, Price, UtcNs] | None = None
        self.joined: dict[str, tuple[int, Candles]] = {}

    def apart(self) -> _PairMarket:
        """The same past, to continue with by itself: columns are shared, what is still written to is not."""
        other = copy(self)
        other.ticks, other.bars, other.joined = list(self.ticks), dict(self.bars), {}
        return other


class SeededMarket:
    """See the module."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        costs: Mapping[str, CostsSection],
        *,
        seed: int,
        start_utc_ns: UtcNs,
        history_days: int,
        tick_s: int = 15,
        end_utc_ns: UtcNs | None = None,
        script: MarketScript | None = None,
        label: str = "",
        worths: Mapping[str, float] | None = None,
    ) -> None:
        """`tick_s` divides 900; `end_utc_ns` ends it, else it continues; `worths` are dollars at the beginning of history.

        Raises:
            DataError: a currency that it does not know, or a tick grid that does not fit.
        """
        if tick_s < 1 or 900 % tick_s:
            raise DataError(f"a tick each {tick_s} s does not fill a quarter hour", what_to_do="choose a divisor of 900")
        self.symbols = tuple(spec.symbol for spec in instruments)
        self.label = label or f"simulated market, seed {seed}"
        self.target_first: frozenset[str] = frozenset()
        self._seed = seed
        self._start = start_utc_ns
        self._end = 2**62 if end_utc_ns is None else end_utc_ns
        self._tick_s = tick_s
        self._costs = costs
        self._script = script
        self._pairs = {spec.symbol: _PairMarket(spec) for spec in instruments}
        self._coarse_days = history_days + _COARSE_DAYS_SPARE
        self._state: FactorState = factors.first_state(worths or {})
        self._made = 0
        self._at = np.zeros(0, dtype=np.int64)
        self._day: dict[str, _PairDay] = {}
        self._place = 0
        self._chunk: list[MarketStep] = []
        self._chunk_at = 0
        self._next_day = trading_day(start_utc_ns) - history_days
        self._enter()

    def entered(self, start_utc_ns: UtcNs) -> SeededMarket:
        """The same market entered later, its past as long as the days between; this one, not yet stepped through, stays as it is.

        Rolling in a past is most of what a market costs; two that differ in their beginning alone share it.
        """
        later = copy(self)
        later.enter_at(start_utc_ns)
        return later

    def enter_at(self, start_utc_ns: UtcNs) -> None:
        """Begin there instead; a market that this one was copied from keeps its own."""
        self._coarse_days += max(trading_day(start_utc_ns) - trading_day(self._start), 0)
        self._start = start_utc_ns
        self._pairs = {symbol: pair.apart() for symbol, pair in self._pairs.items()}
        self._day = dict(self._day)
        self._enter()

    def _enter(self) -> None:
        """Make days until the start lies in one, and are there."""
        while not len(self._at) or int(self._at[-1]) < self._start:
            self._make_day()
        self._place = int(np.searchsorted(self._at, self._start))
        self._initial = tuple(self._last_before(symbol) for symbol in self.symbols)

    @property
    def start_utc_ns(self) -> UtcNs:
        """The instant before the first step."""
        return self._start - 1

    def initial(self) -> tuple[tuple[str, Price, Price, UtcNs], ...]:
        """Last quotes of the history."""
        return tuple(quote for quote in self._initial if quote is not None)

    def next_ns(self) -> UtcNs | None:
        """Instant of the next step; None only after `end_utc_ns`."""
        at = self._ahead().at_utc_ns
        return at if at < self._end else None

    def step(self) -> MarketStep:
        """The next instant."""
        step = self._ahead()
        self._place += 1
        return step

    def version(self, symbol: str, timeframe: str) -> int:
        """Number of days made so far."""
        return self._made

    def columns(self, symbol: str, timeframe: str) -> Candles | None:
        """Bars of the days kept, the present day's future included."""
        pair = self._pairs[symbol]
        parts = pair.bars[timeframe]
        if not parts:
            return None
        known = pair.joined.get(timeframe)
        if known is None or known[0] != self._made:
            known = pair.joined[timeframe] = (self._made, joined(parts))
        return known[1]

    def reached(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> int:
        """Rows begun."""
        columns = self.columns(symbol, timeframe)
        return 0 if columns is None else reached_rows(columns, now_utc_ns)

    def forming(self, symbol: str, timeframe: str, now_utc_ns: UtcNs) -> FormingBar | None:
        """The newest bar out of its ticks until now."""
        columns = self.columns(symbol, timeframe)
        row = 0 if columns is None else reached_rows(columns, now_utc_ns) - 1
        if columns is None or row < 0:
            return None
        start = int(columns.open_utc_ns[row])
        for day in self._pairs[symbol].ticks:
            first, seen, end = np.searchsorted(day.at_utc_ns, (start, now_utc_ns + 1, start + TIMEFRAME_NS[timeframe])).tolist()
            if first < seen < end:
                part = TickColumns(*(column[first:seen] for column in day))  # type: ignore[arg-type]
                spread = round(float((part.ask - part.bid).min()) / self._pairs[symbol].spec.point)
                bids = part.bid
                return FormingBar(
                    start, float(bids[0]), float(bids.max()), float(bids.min()), float(bids[-1]), seen - first, spread
                )
        return None

    def ticks(self, symbol: str, from_utc_ns: UtcNs, to_utc_ns: UtcNs, now_utc_ns: UtcNs) -> TickColumns:
        """Quotes of the last days; older ones are not kept."""
        found = [_between(day, from_utc_ns, min(to_utc_ns, now_utc_ns)) for day in self._pairs[symbol].ticks]
        return TickColumns(
            np.concatenate([day.at_utc_ns for day in found]),
            np.concatenate([day.bid for day in found]),
            np.concatenate([day.ask for day in found]),
        )

    def news(self) -> tuple[NewsEvent, ...] | None:
        """Releases of the last day and the next week."""
        place = min(self._place, len(self._at) - 1)
        return ahead_and_behind(self._seed, int(self._at[place]))

    # ------------------------------------------------------------------------------------------------ steps

    def _ahead(self) -> MarketStep:
        while True:
            offset = self._place - self._chunk_at
            if 0 <= offset < len(self._chunk):
                step = self._chunk[offset]
                if step.ticks:
                    return step
                self._place += 1
                continue
            if self._place >= len(self._at):
                self._make_day()
                self._place = 0
            self._chunk_at = self._place
            self._chunk = self._steps(self._place, min(self._place + _CHUNK_TICKS, len(self._at)))

    def _steps(self, first: int, last: int) -> list[MarketStep]:
        rows = slice(first, last)
        columns: list[list[TickTuple | None]] = []
        for symbol, day in self._day.items():
            quotes = zip(day.bid[rows].tolist(), day.ask[rows].tolist(), day.shows[rows].tolist(), strict=True)
            columns.append([(symbol, bid, ask) if shows else None for bid, ask, shows in quotes])
        instants = self._at[rows].tolist()
        return [
            MarketStep(at, tuple(tick for tick in ticks if tick is not None))
            for at, ticks in zip(instants, zip(*columns, strict=True), strict=True)
        ]

    # ------------------------------------------------------------------------------------------------ days

    def _make_day(self) -> None:
        while (self._next_day + 3) % 7 in (_SATURDAY, _SUNDAY):
            self._next_day += 1
        day = self._next_day
        self._next_day += 1
        start = time_zones.utc_of_local((day - 1) * S_PER_DAY + ROLLOVER_S, time_zones.NEW_YORK)
        monday = (day + 3) % 7 == _MONDAY
        made = factors.factor_day(self._seed, day, start, self._state, self._tick_s, after_weekend=monday)
        self._state = made.state
        worth = self._scripted(made)
        releases = news_between(self._seed, start, start + DAY_NS)
        self._made += 1
        self._at = made.at_utc_ns
        for pair in self._pairs.values():
            self._day[pair.spec.symbol] = self._pair_day(pair, day, start, made, worth, releases, monday=monday)
        self._chunk = []

    def _scripted(self, made: FactorDay) -> FloatArray:
        if self._script is None:
            return made.worth
        worth = made.worth.copy()
        for row, currency in enumerate(CURRENCIES):
            shift = self._script.shift_log(currency, made.at_utc_ns)
            if shift is not None:
                worth[row] *= np.exp(shift)
        return worth

    def _pair_day(
        self,
        pair: _PairMarket,
        day: int,
        start: UtcNs,
        made: FactorDay,
        worth: FloatArray,
        releases: Sequence[NewsEvent],
        *,
        monday: bool,
    ) -> _PairDay:
        spec, at = pair.spec, made.at_utc_ns
        base, profit = (1.0 if leg is None else worth[leg] for leg in pair.legs)
        middle = np.broadcast_to(base / profit, at.shape)
        spread = self._spread(pair, day, start, made, releases, wider=_SUNDAY_WIDER if monday else 1.0)
        shows = session_mask(spec, at)
        if self._script is not None:
            spread = self._script.spread_price(spec, at, spread)
            silent = self._script.silent(spec, at)
            shows = shows if silent is None else shows & ~silent
        spread = np.maximum(np.round(spread / spec.point), 1.0) * spec.point
        bid = np.round(middle - spread / 2.0, spec.digits)
        ask = np.round(bid + spread, spec.digits)
        shows &= _changed(pair, bid, ask)
        self._keep(pair, at, bid, ask, shows, fine=day > trading_day(self._start) - 2 * _FINE_DAYS_KEPT)
        return _PairDay(bid, ask, shows)

    def _spread(
        self, pair: _PairMarket, day: int, start: UtcNs, made: FactorDay, releases: Sequence[NewsEvent], *, wider: float
    ) -> FloatArray:
        spec, costs = pair.spec, self._costs[pair.spec.symbol]
        seconds = factors.hour_offset_s(made.at_utc_ns, start).astype(np.float64)
        rows = [leg for leg in pair.legs if leg is not None]
        lively = np.repeat(made.liveliness[rows].max(axis=0), len(seconds) // factors.QUARTERS_A_DAY)
        draw = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence((self._seed, day, _SPREAD_STREAM, zlib.crc32(pair.name.encode()))))
        )
        usual = costs.spread_floor_pips * spec.pip * (1.0 if len(rows) == 1 else _CROSS_WIDER)
        noise = 1.0 + 0.35 * np.abs(draw.standard_normal(len(seconds)))
        spread: FloatArray = usual * noise * (0.7 + 0.3 * lively)
        release = np.zeros(len(seconds))
        for event in releases:
            if event.impact == "high" and event.currency in spec.currencies:
                since = seconds - (event.at_utc_ns - start) / NS_PER_S
                near = np.where(since >= -_BEFORE_RELEASE_S, np.exp(-np.maximum(since, 0.0) / _RELEASE_FADE_S), 0.0)
                # several at once are one occasion to be careful, not the product of all
                release = np.maximum(release, near)
        spread = spread * (1.0 + _RELEASE_WIDER * release)
        roll = costs.rollover_spread_pips_min * spec.pip
        inside = roll * wider * (1.0 + _ROLLOVER_HUMP * np.exp(-seconds / _ROLLOVER_FADE_S))
        after = roll * _AFTER_ROLLOVER_SHARE * np.exp(-(seconds - factors.ROLLOVER_HOUR_S) / _AFTER_ROLLOVER_FADE_S)
        return np.where(seconds < factors.ROLLOVER_HOUR_S, np.maximum(spread, inside), np.maximum(spread, after))

    def _keep(
        self,
        pair: _PairMarket,
        at: IntArray,
        bid: FloatArray,
        ask: FloatArray,
        shows: np.ndarray[tuple[int], np.dtype[np.bool_]],
        *,
        fine: bool,
    ) -> None:
        """Ticks and bars of a day; small bars only where the days that keep them reach the start."""
        quotes = TickColumns(at[shows], bid[shows], ask[shows])
        if not len(quotes.at_utc_ns):
            return
        pair.last = (float(quotes.bid[-1]), float(quotes.ask[-1]), int(quotes.at_utc_ns[-1]))
        pair.ticks = [*pair.ticks, quotes][-_TICK_DAYS_KEPT:]
        for timeframe, days in pair.bars.items():
            coarse = timeframe in ("M15", "H1")
            if TIMEFRAME_NS[timeframe] >= self._tick_s * NS_PER_S and (coarse or fine):
                kept = self._coarse_days if coarse else _FINE_DAYS_KEPT
                pair.bars[timeframe] = [*days, bars_of(quotes, timeframe, pair.spec.point)][-kept:]

    def _last_before(self, symbol: str) -> tuple[str, Price, Price, UtcNs] | None:
        seen = self.ticks(symbol, 0, self._start - 1, self._start - 1)
        if not len(seen.at_utc_ns):
            return None
        return (symbol, float(seen.bid[-1]), float(seen.ask[-1]), int(seen.at_utc_ns[-1]))


def trading_day(utc_ns: UtcNs) -> int:
    """Calendar day on which the trading day of an instant ends; it begins at 17:00 New York on the day before."""
    return (time_zones.local_s(utc_ns, time_zones.NEW_YORK) + S_PER_DAY - ROLLOVER_S) // S_PER_DAY


def _place(currency: str, symbol: str) -> int | None:
    if currency == "USD":
        return None
    if currency not in CURRENCIES:
        known = ", ".join(("USD", *CURRENCIES))
        raise DataError(f"the simulated market has no {currency} (of {symbol})", what_to_do=f"choose pairs of {known}")
    return CURRENCIES.index(currency)


def _changed(pair: _PairMarket, bid: FloatArray, ask: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    before = (bid[0] + 1.0, ask[0]) if pair.last is None else pair.last[:2]
    changed: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.concatenate(
        ([bid[0] != before[0] or ask[0] != before[1]], (np.diff(bid) != 0.0) | (np.diff(ask) != 0.0))
    )
    return changed


def _between(day: TickColumns, from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> TickColumns:
    low = int(np.searchsorted(day.at_utc_ns, from_utc_ns))
    high = int(np.searchsorted(day.at_utc_ns, to_utc_ns, side="right"))
    return TickColumns(day.at_utc_ns[low:high], day.bid[low:high], day.ask[low:high])
