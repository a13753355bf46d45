"""Questions that the journal answers: ledger, trades and their stories, the record, equity, past news, log.

Promises: what belongs together is reported together: all runs of the account in this mode, or the one run of a made-up market.
Read-only connections of their own, in the asker's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.journal.log_file import newest_lines
from quarterdeck.core.journal.tape_format import decode_effect, decode_input
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.link.limits import rows_within
from quarterdeck.core.link.messages import (
    BarsQuery,
    BarsReply,
    EquityQuery,
    EquityReply,
    LogQuery,
    LogReply,
    QueryBody,
    QueryFailed,
    ReplyBody,
    TradesQuery,
    TradesReply,
    VerdictRow,
    VerdictsQuery,
    VerdictsReply,
)
from quarterdeck.core.link.trade_queries import AccountReport, AccountReportQuery, TimelineQuery, TradeGroup, TradeTimeline
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.effects import Verdict
from quarterdeck.core.model.inputs import BarClosed, Calendar, NewsEvent
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.h1_bars import build_h1
from quarterdeck.core.study.account_report import (
    HOURS_ZONE,
    AccountPerformance,
    account_performance,
    equity_of,
    runs_of_same_account,
    trades_of,
)
from quarterdeck.core.study.metrics import TradeFigures, downsampled
from quarterdeck.core.study.trade_timeline import timeline_of_trade

_CURVE_POINTS = 400


class JournalQueries:
    """Answers for the run that `run` names when asked, the journal's last where it names none."""

    def __init__(self, journal: Path, logs: Path, run: Callable[[], int | None]) -> None:
        """Nothing is opened before a question comes."""
        self._journal = journal
        self._logs = logs
        self._run = run

    def answer(self, question: QueryBody) -> ReplyBody:
        """The answer. Raises StorageError when the journal cannot be read."""
        if isinstance(question, LogQuery):
            return LogReply(lines=newest_lines(self._logs, rows_within(question.count)))
        with TapeReader(self._journal) as reader:
            runs = runs_of_same_account(reader, reader.run(self._run()))
            if isinstance(question, VerdictsQuery):
                return _ledger(reader, runs, question)
            if isinstance(question, TradesQuery):
                found = trades_of(reader, runs, question.only)[-rows_within(question.count) :]
                return TradesReply(trades=tuple(reversed(found)))
            if isinstance(question, TimelineQuery):
                return TradeTimeline(
                    position_id=question.position_id, steps=timeline_of_trade(reader, runs, question.position_id)
                )
            if isinstance(question, AccountReportQuery):
                return account_report_answer(account_performance(reader, only=question.only))
            if isinstance(question, EquityQuery):
                points = downsampled(equity_of(reader, runs), rows_within(question.count))
                return EquityReply(
                    at_utc_ns=tuple(point.at_utc_ns for point in points),
                    equity_money=tuple(point.equity_money for point in points),
                )
            if isinstance(question, BarsQuery):
                return _bars(reader, reader.run(self._run()), question)
        return QueryFailed(why="the journal has no answer to that")

    def setting_changes(self) -> tuple[tuple[UtcNs, str, str, str, str], ...]:
        """Changes of parameters, newest first, of all runs."""
        sql = "SELECT at_utc_ns, key, old, new, cause FROM setting_changes ORDER BY run DESC, seq DESC, n DESC LIMIT 200"
        with TapeReader(self._journal) as reader:
            return tuple((at, key, old, new, cause) for at, key, old, new, cause in reader.rows(sql))

    def past_news(self, since_utc_ns: UtcNs) -> tuple[NewsEvent, ...]:
        """Releases since an instant that a calendar on the tape informed of, in no order."""
        with TapeReader(self._journal) as reader:
            found: dict[NewsEvent, None] = {}
            for run in runs_of_same_account(reader, reader.run(self._run())):
                # a run may hold a year: the last checkpoint before the instant says where to begin
                sql = """SELECT body FROM tape WHERE run = ?1 AND tag = 'calendar' AND seq >=
                    (SELECT coalesce(max(seq), 0) FROM checkpoints WHERE run = ?1 AND at_utc_ns <= ?2)"""
                for (body,) in reader.rows(sql, run.run, since_utc_ns):
                    told = decode_input(body)
                    if isinstance(told, Calendar):
                        found.update(dict.fromkeys(event for event in told.events if event.at_utc_ns >= since_utc_ns))
        return tuple(found)


def _bars(reader: TapeReader, run: Run, question: BarsQuery) -> BarsReply:
    """The newest bars of a pair that the desk got, hours made of its quarters."""
    quarters = 4 if question.timeframe == "H1" else 1
    wanted = rows_within(question.count) * quarters
    found: list[Bar] = []
    # one after the other from the end: a run may hold years of other pairs
    sql = "SELECT body FROM tape WHERE run = ? AND tag = 'bar_closed' ORDER BY seq DESC"
    for (body,) in reader.connection.execute(sql, (run.run,)):
        told = decode_input(body)
        if isinstance(told, BarClosed) and told.symbol == question.symbol and told.timeframe == "M15":
            found.append(told.bar)
            if len(found) >= wanted:
                break
    bars = sorted({bar.open_utc_ns: bar for bar in found}.values(), key=lambda bar: bar.open_utc_ns)
    if quarters > 1 and bars:
        hours = build_h1(Candles(*([getattr(bar, name) for bar in bars] for name in Bar.__struct_fields__)))
        bars = [hours.bar(row) for row in range(len(hours))]
    return BarsReply(symbol=question.symbol, timeframe=question.timeframe, bars=tuple(bars))


def _ledger(reader: TapeReader, runs: list[Run], question: VerdictsQuery) -> VerdictsReply:
    numbers = ", ".join(str(run.run) for run in runs)
    narrowed = " AND symbol = ?" if question.symbol else ""
    values = (question.until_utc_ns, *((question.symbol,) if question.symbol else ()))
    sql = f"""SELECT v.at_utc_ns, e.body FROM (SELECT run, seq, n, at_utc_ns FROM verdicts
        WHERE run IN ({numbers}) AND at_utc_ns <= ?{narrowed} ORDER BY run DESC, seq DESC, n DESC LIMIT ?) AS v
        JOIN effects AS e ON e.run = v.run AND e.seq = v.seq AND e.n = v.n ORDER BY v.run DESC, v.seq DESC, v.n DESC"""
    rows = []
    for at, body in reader.rows(sql, *values, rows_within(question.count)):
        effect = decode_effect(body)
        if isinstance(effect, Verdict):
            rows.append(VerdictRow(at_utc_ns=at, verdict=effect))
    counts = reader.rows(
        f"SELECT reason, count(*) FROM verdicts WHERE run IN ({numbers}) AND outcome = 'refused' GROUP BY reason"
    )
    return VerdictsReply(rows=tuple(rows), counts={str(reason): int(count) for reason, count in counts})


def account_report_answer(record: AccountPerformance) -> AccountReport:
    """A record as it travels."""
    went, every = record.performance, record.performance.trades
    fall, span = went.drawdown, went.time_in_market
    curve = downsampled(record.equity, _CURVE_POINTS)
    figures: dict[str, Any] = msgspec.structs.asdict(every)
    return AccountReport(
        mode=record.mode,
        account=record.account,
        server=record.server,
        currency=record.currency,
        runs=len(record.runs),
        **figures,
        days=went.days,
        sharpe=went.sharpe,
        sortino=went.sortino,
        drawdown_fraction=fall.fraction if fall is not None else None,
        drawdown_money=fall.money if fall is not None else None,
        drawdown_inside_fraction=went.drawdown_inside_fraction,
        in_market_fraction=span.any_fraction if span is not None else None,
        positions_max=span.positions_max if span is not None else None,
        by_pair=_groups(record.by_pair),
        by_hour=_groups(record.by_hour),
        hours_zone=HOURS_ZONE,
        by_confidence=_groups(record.by_confidence),
        by_exit=_groups(record.by_exit),
        results=record.results,
        refusals=tuple(record.refusals.items()),
        errors=tuple(record.errors.items()),
        at_utc_ns=tuple(point.at_utc_ns for point in curve),
        equity_money=tuple(point.equity_money for point in curve),
    )


def _groups(figures: dict[str, TradeFigures]) -> tuple[TradeGroup, ...]:
    return tuple(
        TradeGroup(
            name=name,
            trades=group.trades,
            win_fraction=group.win_fraction,
            mean_r=group.expectancy_r,
            net_money=group.net_money,
        )
        for name, group in figures.items()
    )
