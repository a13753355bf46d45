"""How it went: trades in R and money, daily returns, drawdown, time in the market, and what confidence was worth.

A trade is a position from its first to its last deal, partials together, net of commission, fee and swap; R is against the money
at risk at entry. Daily figures follow the account's own day, without deposits and withdrawals.
Promises: a figure that rests on too little is None, never 0; days on which the market is closed throughout do not count.
Does not: read the journal, or mix modes, accounts or strategies: the caller hands the records that belong together.
Sources: Sharpe (1994), "The Sharpe Ratio", ex post, sample deviation; Sortino and Price (1994), downside deviation over all days.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK, day_and_second, day_started, next_local_time, week_second
from quarterdeck.core.filters.trading_hours import WEEK_CLOSE_S, WEEK_OPEN_S
from quarterdeck.core.model.effects import TradeClosed, Verdict
from quarterdeck.core.model.units import NS_PER_S, S_PER_HOUR, Money, UtcNs

DAYS_MIN = 20
"""Under so many daily returns Sharpe and Sortino stay blank."""
DAYS_A_YEAR = 252
R_STEP = 0.5
R_STEPS_MAX = 20
_SAME_PEAK = 1e-9
"""Peaks that differ by less are one: the mark's share of it is a rounded number."""


class TradeFigures(Struct, frozen=True, kw_only=True):
    """What a group of trades came to. Shares and averages are None without trades."""

    trades: int
    won: int
    win_fraction: float | None
    expectancy_r: float | None
    """Mean net result in R."""
    deviation_r: float | None
    """Sample deviation of the results in R; None under two trades."""
    mean_win_r: float | None
    mean_loss_r: float | None
    profit_factor: float | None
    """Money won by money lost; None while nothing was lost."""
    net_money: Money
    costs_money: Money
    """Commission and swap, negative when paid."""
    best_r: float | None
    worst_r: float | None
    losses_in_row_max: int
    mean_hours: float | None


def trade_figures(trades: Sequence[TradeClosed]) -> TradeFigures:
    """Figures of trades in the order in which they closed."""
    results = [trade.result_r for trade in trades]
    wins, losses = [r for r in results if r > 0.0], [r for r in results if r < 0.0]
    lost_money = -math.fsum(trade.net_money for trade in trades if trade.net_money < 0.0)
    won_money = math.fsum(trade.net_money for trade in trades if trade.net_money > 0.0)
    hours = [(trade.closed_utc_ns - trade.opened_utc_ns) / NS_PER_S / S_PER_HOUR for trade in trades]
    return TradeFigures(
        trades=len(trades),
        won=len(wins),
        win_fraction=len(wins) / len(trades) if trades else None,
        expectancy_r=mean(results),
        deviation_r=deviation(results),
        mean_win_r=mean(wins),
        mean_loss_r=mean(losses),
        profit_factor=won_money / lost_money if lost_money > 0.0 else None,
        net_money=math.fsum(trade.net_money for trade in trades),
        costs_money=math.fsum(trade.commission_money + trade.swap_money for trade in trades),
        best_r=max(results, default=None),
        worst_r=min(results, default=None),
        losses_in_row_max=_longest_run(results),
        mean_hours=mean(hours),
    )


def grouped(trades: Sequence[TradeClosed], key: Callable[[TradeClosed], str]) -> dict[str, TradeFigures]:
    """Figures per group, groups in alphabetical order."""
    groups: dict[str, list[TradeClosed]] = {}
    for trade in trades:
        groups.setdefault(key(trade), []).append(trade)
    return {name: trade_figures(groups[name]) for name in sorted(groups)}


def by_pair(trades: Sequence[TradeClosed]) -> dict[str, TradeFigures]:
    """Figures per symbol."""
    return grouped(trades, lambda trade: trade.symbol)


def by_exit(trades: Sequence[TradeClosed]) -> dict[str, TradeFigures]:
    """Figures per reason of the exit."""
    return grouped(trades, lambda trade: trade.reason)


def by_hour(trades: Sequence[TradeClosed], zone: str) -> dict[str, TradeFigures]:
    """Figures per hour of the entry on a zone's clock, `00` to `23`."""
    return grouped(trades, lambda trade: f"{day_and_second(trade.opened_utc_ns, zone)[1] // S_PER_HOUR:02d}")


def by_confidence(trades: Sequence[TradeClosed]) -> dict[str, TradeFigures]:
    """Figures per tenth of confidence, `0.7` for 0.7 to under 0.8; 1 counts with the highest tenth."""
    return grouped(trades, lambda trade: f"0.{min(max(int(trade.confidence * 10.0 + 1e-9), 0), 9)}")


def distribution(results_r: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """How many results lie nearest to each half of an R, from the lowest to the highest without gaps.

    -0.98 and -1.05 count with -1.0, a full stop; what lies beyond 10 R either way counts with the last.
    """
    steps = [min(max(math.floor(result / R_STEP + 0.5), -R_STEPS_MAX), R_STEPS_MAX) for result in results_r]
    if not steps:
        return ()
    return tuple((step * R_STEP, steps.count(step)) for step in range(min(steps), max(steps) + 1))


def downsampled(points: Sequence[EquityPoint], count: int) -> tuple[EquityPoint, ...]:
    """About `count` of the points: the lowest and highest of each stretch, so that a drawdown keeps its depth, and the last."""
    if len(points) <= max(count, 2):
        return tuple(points)
    stretches = max(count // 2, 1)
    kept: list[EquityPoint] = []
    for number in range(stretches):
        stretch = points[number * len(points) // stretches : (number + 1) * len(points) // stretches]
        extremes = (min(stretch, key=lambda one: one.equity_money), max(stretch, key=lambda one: one.equity_money))
        kept += sorted(dict.fromkeys(extremes), key=lambda one: one.at_utc_ns)
    return (*kept, points[-1]) if kept[-1] != points[-1] else tuple(kept)


def refusals(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Refused candidates by the reason that decided, the most frequent first."""
    return count_words([verdict.reason for verdict in verdicts if verdict.outcome == "refused"])


def count_words(words: Sequence[str]) -> dict[str, int]:
    """How often each word is there, the most frequent first, then by name: error classes, reasons, exits."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class EquityPoint(Struct, frozen=True):
    """Equity at an instant."""

    at_utc_ns: UtcNs
    equity_money: Money


class BalanceOperation(Struct, frozen=True):
    """A deposit (positive), withdrawal or credit; no result."""

    at_utc_ns: UtcNs
    """When the desk booked it: equity points from then on hold it."""
    money: Money
    before_money: Money | None = None
    """Equity just before it; None where only the point before it tells."""


class DrawdownPoint(Struct, frozen=True):
    """Equity as it was kept, and how far below its peak it stood; the peak may lie between two marks, or before the first."""

    at_utc_ns: UtcNs
    equity_money: Money
    drawdown_fraction: float


def marked_points(marks: Sequence[DrawdownPoint], start: EquityPoint | None = None) -> list[EquityPoint]:
    """Marks as a curve that holds every peak they tell of, so that its deepest drawdown is the deepest one marked.

    `start` is where the account began, where that is known.
    """
    points = [] if start is None else [start]
    highest = -math.inf if start is None else start.equity_money
    for mark in marks:
        peak = mark.equity_money / (1.0 - mark.drawdown_fraction) if mark.drawdown_fraction < 1.0 else highest
        if mark.drawdown_fraction > 0.0 and peak > highest * (1.0 + _SAME_PEAK):
            points.append(EquityPoint(mark.at_utc_ns, peak))
        points.append(EquityPoint(mark.at_utc_ns, mark.equity_money))
        highest = max(highest, peak, mark.equity_money)
    return points


class Drawdown(Struct, frozen=True, kw_only=True):
    """The deepest fall of equity from a peak, deposits aside; instants of the peak, the bottom, and the recovery (0: not yet)."""

    fraction: float
    money: Money
    peak_utc_ns: UtcNs
    bottom_utc_ns: UtcNs
    recovered_utc_ns: UtcNs


def daily_returns(
    points: Sequence[EquityPoint],
    transfers: Sequence[BalanceOperation],
    *,
    day_start_s: int,
    day_zone: str,
    open_days_alone: bool = False,
) -> tuple[float, ...]:
    """Return of each account day from the first point's to the last one's; a day without a point keeps its equity.

    Time-weighted: a transfer ends one stretch of the day and begins the next, and the day's return chains over them.
    The first day begins with the first point. With `open_days_alone` what changes while the market is closed counts to the next
    open day, so that two runs over the same days have as many returns.
    """
    if len(points) < 2:
        return ()
    flows = [transfer for transfer in transfers if transfer.at_utc_ns > points[0].at_utc_ns]
    returns, row, moved, equity, growth = [], 0, 0, points[0].equity_money, 1.0
    start = day_started(points[0].at_utc_ns, day_zone, day_start_s)
    while start <= points[-1].at_utc_ns:
        end = next_local_time(start, day_zone, day_start_s)
        begun = equity
        while (row < len(points) and points[row].at_utc_ns < end) or (moved < len(flows) and flows[moved].at_utc_ns < end):
            if moved < len(flows) and (row >= len(points) or flows[moved].at_utc_ns <= points[row].at_utc_ns):
                before = _before(flows[moved], equity)
                growth *= before / begun if begun > 0.0 else 1.0
                begun = equity = before + flows[moved].money
                moved += 1
            else:
                equity = points[row].equity_money
                row += 1
        growth *= equity / begun if begun > 0.0 else 1.0
        closed = _closed_throughout(start, end)
        if not (closed and open_days_alone):
            if growth != 1.0 or not closed:
                returns.append(growth - 1.0)
            growth = 1.0
        start = end
    return tuple(returns)


def _before(transfer: BalanceOperation, equity_money: Money) -> Money:
    return equity_money if transfer.before_money is None else transfer.before_money


def sharpe(returns: Sequence[float]) -> float | None:
    """Mean by sample deviation of daily returns, times the root of 252; None under 20 days or without any deviation."""
    spread = deviation(returns)
    if len(returns) < DAYS_MIN or not spread:
        return None
    return math.fsum(returns) / len(returns) / spread * math.sqrt(DAYS_A_YEAR)


def sortino(returns: Sequence[float]) -> float | None:
    """Mean by downside deviation (target 0, over all days), times the root of 252; None under 20 days or without a loss."""
    if len(returns) < DAYS_MIN:
        return None
    downside = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in returns) / len(returns))
    return math.fsum(returns) / len(returns) / downside * math.sqrt(DAYS_A_YEAR) if downside > 0.0 else None


def drawdown(points: Sequence[EquityPoint], transfers: Sequence[BalanceOperation] = ()) -> Drawdown | None:
    """The deepest drawdown; a transfer scales the peak, as the breaker does, so it changes no share. None without points."""
    if not points:
        return None
    fall = _Fall(points, transfers)
    fall.until(points[-1].at_utc_ns)
    return fall.worst


class _Fall:
    """The deepest fall so far along a curve, and the peak it is measured from."""

    def __init__(self, points: Sequence[EquityPoint], transfers: Sequence[BalanceOperation]) -> None:
        """Begin at the first point; both are in order of time."""
        first = points[0]
        self._points = points
        self._flows = [transfer for transfer in transfers if transfer.at_utc_ns > first.at_utc_ns]
        self._row = self._moved = 0
        self.peak, self._peak_at, self._equity = first.equity_money, first.at_utc_ns, first.equity_money
        at = first.at_utc_ns
        self.worst = Drawdown(fraction=0.0, money=0.0, peak_utc_ns=at, bottom_utc_ns=at, recovered_utc_ns=at)

    def until(self, at_utc_ns: UtcNs) -> None:
        """Go on to an instant; a transfer comes before a point at its own instant."""
        while self._row < len(self._points) and self._points[self._row].at_utc_ns <= at_utc_ns:
            point = self._points[self._row]
            self._transfers(point.at_utc_ns)
            self._point(point)
            self._row += 1
        self._transfers(at_utc_ns)

    def _transfers(self, at_utc_ns: UtcNs) -> None:
        """Equity before each counts as a point; the peak is scaled with equity."""
        while self._moved < len(self._flows) and self._flows[self._moved].at_utc_ns <= at_utc_ns:
            transfer = self._flows[self._moved]
            before = _before(transfer, self._equity)
            self._point(EquityPoint(transfer.at_utc_ns, before))
            after = before + transfer.money
            self.peak = self.peak * after / before if before > 0.0 and after > 0.0 else max(after, 0.0)
            self._equity = after
            self._moved += 1

    def _point(self, point: EquityPoint) -> None:
        self._equity = equity = point.equity_money
        if equity >= self.peak:
            if self.worst.recovered_utc_ns == 0:
                self.worst = _recovered(self.worst, point.at_utc_ns)
            self.peak, self._peak_at = equity, point.at_utc_ns
        elif self.peak > 0.0 and 1.0 - equity / self.peak > self.worst.fraction:
            self.worst = Drawdown(
                fraction=1.0 - equity / self.peak,
                money=self.peak - equity,
                peak_utc_ns=self._peak_at,
                bottom_utc_ns=point.at_utc_ns,
                recovered_utc_ns=0,
            )


def drawdown_inside(
    points: Sequence[EquityPoint], trades: Sequence[TradeClosed], transfers: Sequence[BalanceOperation] = ()
) -> float | None:
    """The deepest drawdown with the worst points between two marks, as a share of the peak; None without points.

    Trades keep their worst money, not its instant: what was open together is taken at its worst together, so it is a bound. The
    balance begins with the first point.
    """
    marked = drawdown(points, transfers)
    if marked is None:
        return None
    start, fall = points[0], _Fall(points, transfers)
    steps = [(trade.closed_utc_ns, trade.net_money) for trade in trades]
    steps += [(one.at_utc_ns, one.money) for one in transfers if one.at_utc_ns > start.at_utc_ns]
    steps.sort()
    balance, done, worst = start.equity_money, 0, marked.fraction
    open_now: list[TradeClosed] = []
    for trade in sorted(trades, key=lambda one: (one.opened_utc_ns, one.position_id)):
        opened = trade.opened_utc_ns
        while done < len(steps) and steps[done][0] <= opened:
            balance += steps[done][1]
            done += 1
        fall.until(opened)
        open_now = [one for one in open_now if one.closed_utc_ns > opened] + [trade]
        lowest = balance + math.fsum(min(one.worst_money, 0.0) for one in open_now)
        worst = max(worst, 1.0 - lowest / fall.peak if fall.peak > 0.0 else 0.0)
    return worst


def _recovered(worst: Drawdown, at_utc_ns: UtcNs) -> Drawdown:
    return Drawdown(
        fraction=worst.fraction,
        money=worst.money,
        peak_utc_ns=worst.peak_utc_ns,
        bottom_utc_ns=worst.bottom_utc_ns,
        recovered_utc_ns=at_utc_ns,
    )


class TimeInMarket(Struct, frozen=True, kw_only=True):
    """How much of a stretch of time had positions open: the share with any, the mean number, and the most at once."""

    any_fraction: float
    positions_mean: float
    positions_max: int


def time_in_market(trades: Sequence[TradeClosed], *, from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> TimeInMarket | None:
    """Exposure between two instants; None when there is no time between them."""
    span = to_utc_ns - from_utc_ns
    if span <= 0:
        return None
    steps: dict[UtcNs, int] = {from_utc_ns: 0, to_utc_ns: 0}
    for trade in trades:
        opened, closed = max(trade.opened_utc_ns, from_utc_ns), min(trade.closed_utc_ns, to_utc_ns)
        if opened < closed:
            steps[opened] = steps.get(opened, 0) + 1
            steps[closed] = steps.get(closed, 0) - 1
    held, most, busy, area = 0, 0, 0, 0
    for at, following in pairwise(sorted(steps)):
        held += steps[at]
        most = max(most, held)
        busy += following - at if held > 0 else 0
        area += held * (following - at)
    return TimeInMarket(any_fraction=busy / span, positions_mean=area / span, positions_max=most)


class Performance(Struct, frozen=True, kw_only=True):
    """Everything of one account, mode and strategy together."""

    trades: TradeFigures
    days: int
    sharpe: float | None
    sortino: float | None
    drawdown: Drawdown | None
    time_in_market: TimeInMarket | None
    drawdown_inside_fraction: float | None = None
    """With the worst points inside bars; see `drawdown_inside`."""


def performance(
    trades: Sequence[TradeClosed],
    points: Sequence[EquityPoint],
    transfers: Sequence[BalanceOperation] = (),
    *,
    day_start_s: int,
    day_zone: str,
) -> Performance:
    """All figures of trades in order of closing, equity and transfers in order of time."""
    returns = daily_returns(points, transfers, day_start_s=day_start_s, day_zone=day_zone)
    span = (points[0].at_utc_ns, points[-1].at_utc_ns) if points else (0, 0)
    return Performance(
        trades=trade_figures(trades),
        days=len(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        drawdown=drawdown(points, transfers),
        time_in_market=time_in_market(trades, from_utc_ns=span[0], to_utc_ns=span[1]),
        drawdown_inside_fraction=drawdown_inside(points, trades, transfers),
    )


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None under two values."""
    if len(values) < 2:
        return None
    middle = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))
    return spread if spread > abs(middle) * 1e-12 else 0.0


def _longest_run(results: Sequence[float]) -> int:
    longest = run = 0
    for result in results:
        run = run + 1 if result < 0.0 else 0
        longest = max(longest, run)
    return longest


def _closed_throughout(start_utc_ns: UtcNs, end_utc_ns: UtcNs) -> bool:
    """Whether the market is closed from Friday 17:00 to Sunday 17:00 New York during the whole of a day."""

    def closed(at_utc_ns: UtcNs) -> bool:
        second = week_second(at_utc_ns, NEW_YORK)
        return second >= WEEK_CLOSE_S or second < WEEK_OPEN_S

    return closed(start_utc_ns) and closed(end_utc_ns - 1)
