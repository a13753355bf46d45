"""Questions that the journal answers: ledger, trades, equity, log. Read-only connections of their own, in the asker's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.journal.codec import decode_effect
from core.journal.logs import newest_lines
from core.journal.schema import open_readonly
from core.link.messages import (
    AnswerBody,
    AskEquity,
    AskLedger,
    AskLog,
    AskTrades,
    Cannot,
    EquityPoints,
    Ledger,
    LedgerRow,
    LogNow,
    Question,
    Trades,
)
from core.model.effects import TradeClosed, Verdict
from core.model.units import UtcNs

_ROWS_MAX = 5_000


class JournalAnswers:
    """Answers for the run that `run` names when asked."""

    def __init__(self, journal: Path, logs: Path, run: Callable[[], int]) -> None:
        """Nothing is opened before a question comes."""
        self._journal = journal
        self._logs = logs
        self._run = run

    def answer(self, question: Question) -> AnswerBody:
        """The answer. Raises StorageError when the journal cannot be read."""
        if isinstance(question, AskLedger):
            return self._ledger(question)
        if isinstance(question, AskTrades):
            return Trades(trades=self._trades(min(question.count, _ROWS_MAX)))
        if isinstance(question, AskEquity):
            return self._equity(min(question.count, _ROWS_MAX))
        if isinstance(question, AskLog):
            return LogNow(lines=newest_lines(self._logs, min(question.count, _ROWS_MAX)))
        return Cannot(why="the journal does not know that")

    def setting_changes(self) -> tuple[tuple[UtcNs, str, str, str, str], ...]:
        """Changes of parameters, newest first, of all runs."""
        sql = "SELECT at_utc_ns, key, old, new, cause FROM setting_changes ORDER BY run DESC, seq DESC, n DESC LIMIT 200"
        return tuple((at, key, old, new, cause) for at, key, old, new, cause in self._rows(sql))

    def _ledger(self, question: AskLedger) -> Ledger:
        where = "run = ? AND at_utc_ns <= ?" + (" AND symbol = ?" if question.symbol else "")
        values: tuple[Any, ...] = (self._run(), question.until_utc_ns, *((question.symbol,) if question.symbol else ()))
        sql = (
            "SELECT v.at_utc_ns, e.body FROM (SELECT run, seq, n, at_utc_ns FROM verdicts"
            f" WHERE {where} ORDER BY seq DESC, n DESC LIMIT ?) AS v"
            " JOIN effects AS e ON e.run = v.run AND e.seq = v.seq AND e.n = v.n ORDER BY v.seq DESC, v.n DESC"
        )
        rows = []
        for at, body in self._rows(sql, *values, min(question.count, _ROWS_MAX)):
            effect = decode_effect(body)
            if isinstance(effect, Verdict):
                rows.append(LedgerRow(at_utc_ns=at, verdict=effect))
        counts = self._rows(
            "SELECT reason, count(*) FROM verdicts WHERE run = ? AND outcome = 'refused' GROUP BY reason", self._run()
        )
        return Ledger(rows=tuple(rows), counts={str(reason): int(count) for reason, count in counts})

    def _trades(self, count: int) -> tuple[TradeClosed, ...]:
        sql = (
            "SELECT e.body FROM trades AS t JOIN effects AS e ON e.run = t.run AND e.seq = t.seq AND e.n = t.n"
            " WHERE t.run = ? ORDER BY t.seq DESC, t.n DESC LIMIT ?"
        )
        found = (decode_effect(body) for (body,) in self._rows(sql, self._run(), count))
        return tuple(effect for effect in found if isinstance(effect, TradeClosed))

    def _equity(self, count: int) -> EquityPoints:
        ((rows,),) = self._rows("SELECT count(*) FROM equity WHERE run = ?", self._run())
        every = max(int(rows) // max(count, 1), 1)
        sql = (
            "SELECT at_utc_ns, equity_money FROM (SELECT at_utc_ns, equity_money, row_number() OVER (ORDER BY seq) AS place"
            " FROM equity WHERE run = ?) WHERE (place - 1) % ? = 0 OR place = ?"
        )
        points = self._rows(sql, self._run(), every, rows)
        return EquityPoints(at_utc_ns=tuple(at for at, _ in points), equity_money=tuple(money for _, money in points))

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = open_readonly(self._journal)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()
