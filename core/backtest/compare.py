"""Two runs side by side: settings that differ, figures, and the trades that only one of them made.

Promises: trades are the same when pair, side, opening and closing instants, lots, prices and reason are. Does not: judge.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.backtest import result_tables
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.study.summary import trade_line


class RunDifference(Struct, frozen=True, kw_only=True):
    """What differs between a first and a second run."""

    same_trades: bool
    """The digests agree."""
    days: tuple[str, str]
    """First and last day of each."""
    settings: dict[str, tuple[str, str]]
    figures: dict[str, tuple[float | None, float | None]]
    refusals: dict[str, tuple[int, int]]
    only_first: tuple[TradeClosed, ...]
    only_second: tuple[TradeClosed, ...]


def compare_runs(first: BacktestResult, second: BacktestResult) -> RunDifference:
    """All differences; money in each run's own currency."""
    lines = ({trade_line(trade): trade for trade in run.trades} for run in (first, second))
    mine, theirs = lines
    reasons = list(dict.fromkeys((*first.summary.refusals, *second.summary.refusals)))
    counts = {reason: (first.summary.refusals.get(reason, 0), second.summary.refusals.get(reason, 0)) for reason in reasons}
    one, other = headline_figures(first), headline_figures(second)
    return RunDifference(
        same_trades=first.summary.digest == second.summary.digest,
        days=(_days(first), _days(second)),
        settings=_settings(first, second),
        figures={name: (one[name], other[name]) for name in one},
        refusals={reason: pair for reason, pair in counts.items() if pair[0] != pair[1]},
        only_first=tuple(trade for line, trade in mine.items() if line not in theirs),
        only_second=tuple(trade for line, trade in theirs.items() if line not in mine),
    )


def headline_figures(result: BacktestResult) -> dict[str, float | None]:
    """The figures by which runs are compared, in the order in which they are shown; shares in percent."""
    shown, total = result_tables.performance(result), result.summary
    trades, fall = shown.trades, shown.drawdown
    return {
        "trades": float(trades.trades),
        "result_money": total.result_money,
        "result_r": total.result_r,
        "expectancy_r": trades.expectancy_r,
        "won_pct": None if trades.win_fraction is None else 100.0 * trades.win_fraction,
        "profit_factor": trades.profit_factor,
        "drawdown_pct": None if fall is None else 100.0 * fall.fraction,
        "sharpe": shown.sharpe,
        "costs_r": total.costs_r,
        "refused": float(sum(total.refusals.values())),
        "ambiguous": float(total.ambiguous),
    }


def _days(result: BacktestResult) -> str:
    return f"{iso(result.from_utc_ns)[:10]} to {iso(result.to_utc_ns - 1)[:10]}"


def _settings(first: BacktestResult, second: BacktestResult) -> dict[str, tuple[str, str]]:
    keys = dict.fromkeys((*first.changed, *second.changed))
    shipped = "as shipped"
    pairs = {key: (first.changed.get(key, shipped), second.changed.get(key, shipped)) for key in keys}
    return {key: values for key, values in pairs.items() if values[0] != values[1]}
