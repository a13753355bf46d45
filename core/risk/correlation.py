"""The book as one correlated sum: is one more position a new risk, the same risk again, or an offset?

Book risk is sqrt(r' C r) over signed risks (a sell is negative) and the correlations of H1 returns at common closed bars.
Promises: too little history never looks like independence: pairs that share a currency then count as one, in the worse direction.
Offsets are believed only in part: they lower book risk by at most the given fraction of what it would be without any.
Does not: choose which bars; the caller hands closed ones. Units: risks in account currency, shares as fractions.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Money

OverLimitPolicy = Literal["skip", "shrink", "hedge"]
_HALVINGS = 40
_ROOM_X = 2
"""Arrays of hours are made so many times as long as they need to be, so that they can grow."""
_STILL = 1e-24
"""A variance of log returns under this is a price that did not move."""


class CloseSeries:
    """Closed H1 bars of one symbol, oldest first, and what their newest returns come to once someone asked."""

    __slots__ = ("_newest", "log_price", "open_utc_ns")

    def __init__(self, open_utc_ns: IntArray, log_price: FloatArray) -> None:
        """Opens, and logarithms of closes; both are taken as they are and must not change any more."""
        self.open_utc_ns = open_utc_ns
        self.log_price = log_price
        self._newest: tuple[int, LogReturns] | None = None

    def newest(self, bars: int) -> LogReturns:
        """The newest `bars` returns."""
        if self._newest is None or self._newest[0] != bars:
            self._newest = (bars, log_returns(self.log_price[-bars - 1 :]))
        return self._newest[1]


class CloseSeriesCache:
    """Hours that grow at their end and are forgotten at their beginning, as arrays: only what is new is taken over.

    Why: hundreds of numbers that lie apart in memory, and their logarithms, cost more than all that is worked out of them. What
    was kept is used only where, but for that, the lists still hold the same.
    """

    __slots__ = ("_begin", "_close_price", "_first", "_logs", "_open_utc_ns", "_opens")

    def __init__(self) -> None:
        """No hours yet."""
        self._open_utc_ns: list[int] = []
        self._close_price: list[float] = []
        self._opens: IntArray = np.empty(0, dtype=np.int64)
        self._logs: FloatArray = np.empty(0, dtype=np.float64)
        self._begin = 0
        """Where the hours begin in the arrays, which have room behind them."""
        self._first: CloseSeries | None = None

    def first(self, count: int, open_utc_ns: list[int], close_price: list[float]) -> CloseSeries:
        """The first `count` of these hours; the same object while they are the same, good until other hours are asked for."""
        if self._open_utc_ns != open_utc_ns or self._close_price != close_price:
            self._follow(open_utc_ns, close_price)
        found = self._first
        if found is None or len(found.open_utc_ns) != count:
            begin, end = self._begin, self._begin + count
            found = self._first = CloseSeries(self._opens[begin:end], self._logs[begin:end])
        return found

    def _follow(self, open_utc_ns: list[int], close_price: list[float]) -> None:
        opens, closes = self._open_utc_ns, self._close_price
        gone = bisect_left(opens, open_utc_ns[0]) if open_utc_ns else len(opens)
        del opens[:gone], closes[:gone]
        same = max(len(opens) - 1, 0)  # the newest hour may not have been over
        opens[same:], closes[same:] = open_utc_ns[same:], close_price[same:]
        if opens != open_utc_ns or closes != close_price:
            gone, same, opens[:], closes[:] = 0, 0, open_utc_ns, close_price
        self._make_room(self._begin + gone, same, len(opens))
        new = slice(self._begin + same, self._begin + len(opens))
        self._opens[new] = opens[same:]
        self._logs[new] = closes[same:]
        np.log(self._logs[new], out=self._logs[new])
        self._first = None

    def _make_room(self, begin: int, same: int, count: int) -> None:
        """Let `count` hours begin at `begin`, or, where they would not fit, at the front of new arrays with the `same` kept."""
        self._begin = begin
        if begin + count > len(self._opens):
            opens, logs = np.empty(_ROOM_X * count, dtype=np.int64), np.empty(_ROOM_X * count, dtype=np.float64)
            opens[:same], logs[:same] = self._opens[begin : begin + same], self._logs[begin : begin + same]
            self._opens, self._logs, self._begin = opens, logs, 0


class LogReturns(Struct, frozen=True):
    """Log returns around their mean, and the sum of their squares."""

    around_mean: FloatArray
    squares: float


class CorrelationPair(Struct, frozen=True, kw_only=True):
    """How two symbols move together. `value` is None where that is not known: then the worse direction counts."""

    value: float | None
    returns: int
    """Common returns it rests on."""


class CorrelationMatrix(Struct, frozen=True):
    """Correlations between the symbols named, row by row."""

    symbols: tuple[str, ...]
    rows: tuple[tuple[CorrelationPair, ...], ...]

    def link(self, first: str, second: str) -> CorrelationPair:
        """The entry for two symbols.

        Raises:
            ValueError: when a symbol is not in the matrix.
        """
        return self.rows[self.symbols.index(first)][self.symbols.index(second)]


def log_returns(log_price: FloatArray) -> LogReturns:
    """The returns from each close to the next."""
    returns = log_price[1:] - log_price[:-1]
    if len(returns):
        returns = returns - _sum(returns) / len(returns)
    return LogReturns(returns, _sum(returns * returns))


def _common_moves(first: CloseSeries, second: CloseSeries, bars: int) -> tuple[LogReturns, LogReturns]:
    """Of both between the closed bars they have in common, the newest `bars` of them."""
    most = bars + 1
    if first.open_utc_ns[-most:].tobytes() == second.open_utc_ns[-most:].tobytes():
        return first.newest(bars), second.newest(bars)
    # an hour is missing in one of them: what they have in common
    _, at_first, at_second = np.intersect1d(first.open_utc_ns, second.open_utc_ns, assume_unique=True, return_indices=True)
    return log_returns(first.log_price[at_first[-most:]]), log_returns(second.log_price[at_second[-most:]])


def _sum(column: FloatArray) -> float:
    return float(np.add.reduce(column))  # what `sum` and `mean` do, without their ways to get there


def correlate(first: CloseSeries, second: CloseSeries, *, bars: int, bars_min: int, share_currency: bool) -> CorrelationPair:
    """Correlation over at most `bars` common returns; under `bars_min`: unknown if they share a currency, else 0."""
    one, other = _common_moves(first, second, bars)
    count = len(one.around_mean)
    if count >= max(bars_min, 2):
        spread = one.squares * other.squares
        if spread > _STILL * count * count:
            together = _sum(one.around_mean * other.around_mean)
            return CorrelationPair(value=max(-1.0, min(1.0, together / math.sqrt(spread))), returns=count)
    return _too_few(count, share_currency=share_currency)


def _too_few(returns: int, *, share_currency: bool) -> CorrelationPair:
    return CorrelationPair(value=None if share_currency else 0.0, returns=returns)


def matrix(
    closes: Mapping[str, CloseSeries],
    currencies: Mapping[str, tuple[str, str]],
    symbols: Sequence[str],
    *,
    bars: int,
    bars_min: int,
) -> CorrelationMatrix:
    """Correlations between `symbols`; one without closes is treated as one with too few. `currencies` gives (base, profit)."""
    rows = [[CorrelationPair(value=1.0, returns=0)] * len(symbols) for _ in symbols]
    for i, first in enumerate(symbols):
        for j in range(i + 1, len(symbols)):
            second = symbols[j]
            base, profit = currencies[first]
            shared = base in currencies[second] or profit in currencies[second]
            one, other = closes.get(first), closes.get(second)
            if one is None or other is None:
                link = _too_few(0, share_currency=shared)
            else:
                link = correlate(one, other, bars=bars, bars_min=bars_min, share_currency=shared)
            rows[i][j] = rows[j][i] = link
    return CorrelationMatrix(tuple(symbols), tuple([tuple(row) for row in rows]))


def book_risk_money(risks: Sequence[tuple[str, Money]], links: CorrelationMatrix, *, offset_max_fraction: float) -> Money:
    """Correlated risk of signed risks (symbol, money; a sell negative); offsets lower it by at most `offset_max_fraction`."""
    total, without_offsets = 0.0, 0.0
    for i, (first, one) in enumerate(risks):
        total += one * one
        without_offsets += one * one
        for second, other in risks[i + 1 :]:
            value = links.link(first, second).value
            cross = abs(2.0 * one * other) if value is None else 2.0 * value * one * other
            total += cross
            without_offsets += max(cross, 0.0)
    floor = (1.0 - offset_max_fraction) * math.sqrt(without_offsets)
    return max(math.sqrt(max(total, 0.0)), floor)


class CorrelationVerdict(Struct, frozen=True, kw_only=True):
    """What the policy makes of a candidate: all of it (1.0), a part, or none (0.0), and the step that says why."""

    take_fraction: float
    before_money: Money
    after_money: Money
    check: Check


def check_correlation(
    risks: Sequence[tuple[str, Money]],
    candidate: tuple[str, Money],
    links: CorrelationMatrix,
    *,
    equity_money: Money,
    max_fraction: float,
    offset_max_fraction: float,
    policy: OverLimitPolicy,
) -> CorrelationVerdict:
    """Judge a candidate's signed risk against the book's. *hedge* lets pass what lowers book risk; *shrink* finds what fits."""
    limit = max(equity_money, 0.0) * max_fraction

    def with_part(part: float) -> Money:
        return book_risk_money((*risks, (candidate[0], candidate[1] * part)), links, offset_max_fraction=offset_max_fraction)

    before, after = book_risk_money(risks, links, offset_max_fraction=offset_max_fraction), with_part(1.0)
    take, how = 1.0, ""
    if after > limit:
        if policy == "hedge" and after < before:
            how = "; over the limit, but lower than before"
        elif policy == "shrink" and before <= limit:
            take = _largest_part(with_part, limit)
            how = f"; {after:.2f} with all of it, reduced to {take:.0%}"
        else:
            take = 0.0
    value = with_part(take) if 0.0 < take < 1.0 else after
    check = Check("correlation", value, limit, take > 0.0, f"{before:.2f} before this entry{how}")
    return CorrelationVerdict(take_fraction=take, before_money=before, after_money=after, check=check)


def _largest_part(with_part: Callable[[float], Money], limit: Money) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if with_part(middle) <= limit else (low, middle)
    return low
