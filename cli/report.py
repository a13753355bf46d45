"""`quarterdeck report`: how the account goes, from the journal: the metrics, per pair, hour, confidence, exit and refusal."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.journal.tape_reader import TapeReader
from quarterdeck.core.settings.home import resolve_home
from quarterdeck.core.study.account_report import HOURS_ZONE, AccountPerformance, account_performance, account_report_json
from quarterdeck.core.study.metrics import DAYS_MIN, TradeFigures

_COUNTS_SHOWN = 12


def command(
    number: Annotated[int | None, typer.Option("--run", metavar="N", min=1, help="One run of the journal alone.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report the account's performance: P&L, expectancy in R, profit factor, Sharpe, drawdown, and where it comes from.

    All runs of the last run's account, server and mode count together; a replay or the simulated market is looked at one run at
    a time. A figure computed from too few trades or days is shown as a dash.
    """
    with TapeReader(resolve_home(home).journal) as reader:
        record = account_performance(reader, number)
    print("\n".join(lines(record)))
    if as_json:
        print_json(account_report_json(record))


def lines(record: AccountPerformance) -> list[str]:
    """The record as a human reads it."""
    every, went = record.performance.trades, record.performance
    runs = f"run {record.runs[0]}" if len(record.runs) == 1 else f"{len(record.runs)} runs"
    means = f"mean win {_r(every.mean_win_r)}, mean loss {_r(every.mean_loss_r)}"
    row = f"max consecutive losses {every.losses_in_row_max}"
    ratios = f"profit factor {_number(every.profit_factor)}, Sharpe {_number(went.sharpe)}, Sortino {_number(went.sortino)}"
    text = [
        f"{record.mode} {record.account} on {record.server}, {runs}",
        f"trades      {every.trades}, won {every.won} ({_share(every.win_fraction)}), {row}",
        f"P&L         {every.net_money:+,.2f} {record.currency}, including costs of {every.costs_money:+,.2f}",
        f"in R        mean {_r(every.expectancy_r)}, std dev {_number(every.deviation_r)}, {means}",
        f"            best {_r(every.best_r)}, worst {_r(every.worst_r)}",
        f"ratios      {ratios} over {went.days} days (a dash under {DAYS_MIN})",
        *_exposure(record),
    ]
    text += _table("pair", record.by_pair)
    text += _table(f"hour ({HOURS_ZONE.rpartition('/')[2]})", record.by_hour)
    text += _table("confidence", record.by_confidence)
    text += _table("exit", record.by_exit)
    return [*text, f"refused     {_counts(record.refusals)}", f"errors      {_counts(record.errors)}"]


def _exposure(record: AccountPerformance) -> list[str]:
    fall, span = record.performance.drawdown, record.performance.time_in_market
    found = []
    if fall is not None:
        back = f"recovered {iso(fall.recovered_utc_ns)[:10]}" if fall.recovered_utc_ns else "not recovered"
        dates = f"{iso(fall.peak_utc_ns)[:10]} to {iso(fall.bottom_utc_ns)[:10]}, {back}"
        found.append(f"drawdown    {fall.fraction:.2%}, {fall.money:,.2f} ({dates})")
    inside = record.performance.drawdown_inside_fraction
    if inside is not None:
        found.append(f"            {inside:.2%} at most inside bars, if all open positions had their worst price at once")
    if span is not None:
        found.append(f"exposure    {span.any_fraction:.1%} of the time, at most {span.positions_max} positions")
    return found


def _table(title: str, rows: dict[str, TradeFigures]) -> list[str]:
    if not rows:
        return []
    head = f"{title:<16}{'trades':>7}{'won':>7}{'mean R':>9}{'money':>13}"
    return ["", head, *(_row(name, row) for name, row in rows.items())]


def _row(name: str, row: TradeFigures) -> str:
    return f"{name:<16}{row.trades:>7}{_share(row.win_fraction):>7}{_r(row.expectancy_r):>9}{row.net_money:>+13,.2f}"


def _counts(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{word} {count}" for word, count in list(counts.items())[:_COUNTS_SHOWN])
    left = len(counts) - _COUNTS_SHOWN
    return (shown + (f" and {left} more" if left > 0 else "")) or "none"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _r(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
