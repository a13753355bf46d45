"""How an account goes, from the journal: the metrics of all its runs together, per pair, hour, confidence, exit and refusal.

Promises: runs of one account, server and mode alone; days as its last run's settings begin them; a made-up market is looked at
one run at a time, because two replays of the same days are not two months. Candidates count once, by their last verdict.
Does not: compute metrics (`core.study.metrics`), or write. Units: money in account currency.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.journal.tape_format import decode_effect, decode_input
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.link.trade_queries import TradeFilter
from quarterdeck.core.model.effects import MoneyMoved, TradeClosed
from quarterdeck.core.model.inputs import Started
from quarterdeck.core.model.units import S_PER_HOUR, S_PER_MINUTE
from quarterdeck.core.settings.settings_loader import Tree, shipped_tree
from quarterdeck.core.study import metrics
from quarterdeck.core.study.metrics import BalanceOperation, DrawdownPoint, EquityPoint, Performance, TradeFigures
from quarterdeck.core.study.queries import effects_of
from quarterdeck.core.study.why_not import refusals_per_reason

SIMULATED_MODES = ("replay", "simulated")
HOURS_ZONE = "Europe/London"
"""The trade's day turns around London's clock."""


class AccountPerformance(Struct, frozen=True, kw_only=True):
    """What the runs of one account in one mode came to."""

    mode: str
    account: int
    server: str
    currency: str
    runs: tuple[int, ...]
    """Numbers in the journal."""
    performance: Performance
    by_pair: dict[str, TradeFigures]
    by_hour: dict[str, TradeFigures]
    """By the hour of the entry in London."""
    by_confidence: dict[str, TradeFigures]
    by_exit: dict[str, TradeFigures]
    results: tuple[tuple[float, int], ...]
    """How many trades came to about how much, by halves of an R."""
    equity: tuple[EquityPoint, ...]
    refusals: dict[str, int]
    errors: dict[str, int]
    """Errors by class, the most frequent first."""


def account_performance(reader: TapeReader, number: int | None = None, only: TradeFilter | None = None) -> AccountPerformance:
    """The record that the run belongs to, the last run unless numbered. A numbered run is looked at alone.

    `only` narrows the trades, and by its period equity and transfers; refusals and errors are always all.

    Raises:
        StorageError: the journal cannot be read, or holds no such run.
    """
    last = reader.run(number)
    runs = [last] if number is not None else runs_of_same_account(reader, last)
    wanted = only if only is not None else TradeFilter()
    refused: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for run in runs:
        refused.update(refusals_per_reason(reader, run))
        sql = "SELECT kind, count(*) FROM errors WHERE run = ? AND level != 'info' GROUP BY kind ORDER BY kind"
        errors.update({str(kind): int(count) for kind, count in reader.rows(sql, run.run)})
    closed = trades_of(reader, runs, wanted)
    points = [one for one in equity_of(reader, runs) if wanted.from_utc_ns <= one.at_utc_ns < wanted.until_utc_ns]
    day_start_s, day_zone = _day(reader, last)
    return AccountPerformance(
        mode=last.mode,
        account=last.account,
        server=last.server,
        currency=last.currency,
        runs=tuple(run.run for run in runs),
        performance=metrics.performance(
            closed, points, _transfers(reader, runs), day_start_s=day_start_s, day_zone=day_zone
        ),
        results=metrics.distribution([trade.result_r for trade in closed]),
        equity=tuple(points),
        by_pair=metrics.by_pair(closed),
        by_hour=metrics.by_hour(closed, HOURS_ZONE),
        by_confidence=metrics.by_confidence(closed),
        by_exit=metrics.by_exit(closed),
        refusals=_ranked(refused),
        errors=_ranked(errors),
    )  # fmt: skip


def account_report_json(record: AccountPerformance) -> dict[str, Any]:
    """For scripts: one object, without the points of the equity curve."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    del plain["equity"]
    return plain


def runs_of_same_account(reader: TapeReader, last: Run) -> list[Run]:
    """Runs of the same account, server and mode, oldest first; of a made-up market the run alone. Raises StorageError."""
    if last.mode in SIMULATED_MODES:
        return [last]
    key = (last.mode, last.account, last.server)
    return [run for run in reader.runs() if (run.mode, run.account, run.server) == key]


def trades_of(reader: TapeReader, runs: list[Run], only: TradeFilter) -> list[TradeClosed]:
    """Trades of the runs that pass, each once, in order of closing. Raises StorageError."""
    trades: dict[tuple[int, int], TradeClosed] = {}
    for run in runs:
        sql = """SELECT e.body FROM trades AS t JOIN effects AS e ON e.run = t.run AND e.seq = t.seq AND e.n = t.n
            WHERE t.run = ? AND t.closed_utc_ns >= ? AND t.closed_utc_ns < ? ORDER BY t.seq, t.n"""
        for (body,) in reader.rows(sql, run.run, only.from_utc_ns, only.until_utc_ns):
            trade = decode_effect(body)
            if isinstance(trade, TradeClosed) and only.passes(trade):
                trades[trade.position_id, trade.closed_utc_ns] = trade
    return sorted(trades.values(), key=lambda trade: (trade.closed_utc_ns, trade.position_id))


def equity_of(reader: TapeReader, runs: list[Run]) -> list[EquityPoint]:
    """Equity from the start of the first run on, as the runs marked it, with every peak that the marks tell of.

    Raises StorageError.
    """
    found = []
    for run in runs:
        rows = reader.rows("SELECT at_utc_ns, equity_money, drawdown_fraction FROM equity WHERE run = ? ORDER BY seq", run.run)
        found += [DrawdownPoint(int(at), float(equity), float(fall)) for at, equity, fall in rows]
    marks = sorted(found, key=lambda mark: mark.at_utc_ns)
    first = metrics.marked_points(marks[:1])
    if not first:
        return []
    # a run's own start is on the machine's clock; the tape's first input is on the market's
    began = reader.rows("SELECT at_utc_ns FROM tape WHERE run = ? ORDER BY seq LIMIT 1", runs[0].run)
    at = min([int(row[0]) for row in began] + [first[0].at_utc_ns])
    # the first peak known already holds the money that came or went before it
    moved = [one.at_utc_ns for one in _transfers(reader, runs) if at < one.at_utc_ns <= first[0].at_utc_ns]
    start = EquityPoint(max([at, *moved]), first[0].equity_money)
    return metrics.marked_points(marks, start if start.at_utc_ns < first[0].at_utc_ns else None)


def _transfers(reader: TapeReader, runs: list[Run]) -> list[BalanceOperation]:
    """As the desk booked them; deals of a run that did not tell count as transfers from the moment at which the desk saw them."""
    found: list[BalanceOperation] = []
    seen: set[int] = set()
    for run in runs:
        moved = [effect for effect in effects_of(reader, run, MoneyMoved) if isinstance(effect, MoneyMoved)]
        found += [
            BalanceOperation(one.at_utc_ns, one.money, one.equity_before_money)
            for one in moved
            if one.kind in ("transfer", "credit")
        ]
        seen.update(one.deal_ticket for one in moved)
        sql = """SELECT d.deal_ticket, coalesce(t.at_utc_ns, d.at_utc_ns), d.balance_money FROM deals AS d
            LEFT JOIN tape AS t ON t.run = d.run AND t.seq = d.seq WHERE d.run = ? AND d.balance_money != 0 ORDER BY d.seq"""
        for ticket, at, money in reader.rows(sql, run.run):
            if int(ticket) not in seen:
                seen.add(int(ticket))
                found.append(BalanceOperation(int(at), float(money)))
    return sorted(found, key=lambda transfer: transfer.at_utc_ns)


def _day(reader: TapeReader, run: Run) -> tuple[int, str]:
    """Second and zone in which the account's day begins, by the run's settings; the shipped ones where the tape lacks them."""
    tree: Tree = shipped_tree()
    for (body,) in reader.rows("SELECT body FROM tape WHERE run = ? AND tag = 'started' ORDER BY seq LIMIT 1", run.run):
        told = decode_input(body)
        if isinstance(told, Started):
            tree = msgspec.msgpack.decode(told.settings)
    hours, minutes = str(tree["breakers"]["day_start"]).split(":")
    return int(hours) * S_PER_HOUR + int(minutes) * S_PER_MINUTE, str(tree["breakers"]["day_zone"])


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
