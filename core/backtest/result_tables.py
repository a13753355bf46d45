"""Tables of a result: by month, pair, hour, exit and reason of refusal; what the report, the terminal and the comparison show.

Promises: made by the metrics that live trading is judged by (`core.study.metrics`). Does not: format (`report_folder`, `cli`).
Units: money in account currency.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.model.units import NS_PER_S, Money, UtcNs
from quarterdeck.core.study import metrics
from quarterdeck.core.study.metrics import DrawdownPoint, EquityPoint, Performance, TradeFigures

LONDON = "Europe/London"
"""Hours are reported on London's clock: the trade's day turns around it."""


class MonthRow(Struct, frozen=True, kw_only=True):
    """One calendar month (UTC) of equity."""

    month: str
    trades: int
    result_money: Money
    result_fraction: float
    """Change of equity over the month."""
    drawdown_fraction: float
    """Deepest fall from the peak so far, within the month."""


def equity_points(result: BacktestResult) -> list[EquityPoint]:
    """The equity of a run from its start to its end, in order of time."""
    marks = [
        DrawdownPoint(mark.at_utc_ns, mark.equity_money, mark.drawdown_fraction)
        for mark in result.equity
        if mark.at_utc_ns >= result.from_utc_ns
    ]
    return metrics.marked_points(marks, EquityPoint(result.from_utc_ns, result.start_money))


def performance(result: BacktestResult) -> Performance:
    """All metrics of a run, days as its own settings begin them."""
    day_start_s, day_zone = _day(result)
    return metrics.performance(result.trades, equity_points(result), day_start_s=day_start_s, day_zone=day_zone)


def daily_returns(result: BacktestResult) -> tuple[float, ...]:
    """Return of each day of the range on which the market was open: the same days for every run over it."""
    points = equity_points(result)
    points.append(EquityPoint(max(result.to_utc_ns - 1, points[-1].at_utc_ns), points[-1].equity_money))
    day_start_s, day_zone = _day(result)
    return metrics.daily_returns(points, (), day_start_s=day_start_s, day_zone=day_zone, open_days_alone=True)


def _day(result: BacktestResult) -> tuple[int, str]:
    limits = result.settings["breakers"]
    hours, minutes = limits["day_start"].split(":")
    return int(hours) * 3600 + int(minutes) * 60, limits["day_zone"]


def months(result: BacktestResult) -> list[MonthRow]:
    """Every month of the range, quiet ones too."""
    points = equity_points(result)
    trades: dict[str, int] = {}
    for trade in result.trades:
        name = month_of(trade.closed_utc_ns)
        trades[name] = trades.get(name, 0) + 1
    rows, row, last, peak = [], 0, result.start_money, result.start_money
    for name in _names(result.from_utc_ns, result.to_utc_ns):
        first, deepest = last, 0.0
        while row < len(points) and month_of(points[row].at_utc_ns) <= name:
            last = points[row].equity_money
            peak = max(peak, last)
            deepest = max(deepest, 1.0 - last / peak if peak > 0.0 else 0.0)
            row += 1
        rows.append(
            MonthRow(
                month=name,
                trades=trades.get(name, 0),
                result_money=last - first,
                result_fraction=last / first - 1.0 if first > 0.0 else 0.0,
                drawdown_fraction=deepest,
            )
        )
    return rows


def by_pair(result: BacktestResult) -> dict[str, TradeFigures]:
    """Figures per pair, pairs without a trade left out."""
    return metrics.by_pair(result.trades)


def by_hour(result: BacktestResult) -> dict[str, TradeFigures]:
    """Figures per London hour of the entry."""
    return metrics.by_hour(result.trades, LONDON)


def by_exit(result: BacktestResult) -> dict[str, TradeFigures]:
    """Figures per reason of the exit."""
    return metrics.by_exit(result.trades)


def refusals_by_reason(result: BacktestResult) -> dict[str, dict[str, int]]:
    """Refused candidates by reason, the most frequent first, then by pair."""
    counts: dict[str, dict[str, int]] = {}
    for one in result.rejected:
        row = counts.setdefault(one.reason, {})
        row[one.symbol] = row.get(one.symbol, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0])))


def month_of(utc_ns: UtcNs) -> str:
    """`2024-07` of an instant."""
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_S, UTC):%Y-%m}"


def _names(from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> list[str]:
    year, month = (int(part) for part in month_of(from_utc_ns).split("-"))
    last, names = month_of(max(to_utc_ns - 1, from_utc_ns)), []
    while f"{year:04d}-{month:02d}" <= last:
        names.append(f"{year:04d}-{month:02d}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return names
