"""From the tape to tables that can be asked: each input and effect that deserves a row of its own becomes one.

Why: people and programs ask for trades, refusals, equity and outcomes without decoding a tape; the tape stays the truth.
Promises: rows are made from the input or effect alone, in the column order of `core.journal.journal_schema.TABLES`.
Does not: write (`core.journal.writer`), or judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quarterdeck.core.journal.tape_format import encode, tag_of
from quarterdeck.core.model import effects as fx
from quarterdeck.core.model import inputs as ins
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs

Row = tuple[Any, ...]
_NO_FATE = ("", None, None)
SETTLED = "settled"
"""Outcome of an order that no report settled; a report's own word takes its place."""


class TapePlace(Struct, frozen=True):
    """Where on the tape something stands: run, sequence number, and the effect's number within the input's effects."""

    run: int
    seq: int
    n: int
    at_utc_ns: UtcNs


class RowBatch:
    """Rows on their way into one transaction, by table, and the outcomes that settle intents after them."""

    __slots__ = ("accounts", "fates", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {}
        self.fates: list[Row] = []
        """(outcome, at, body, client id)."""
        self.accounts: list[Row] = []
        """(login, server, currency, digits, run): what the broker said about the account of a run begun without it."""

    def add(self, table: str, row: Row) -> None:
        """Put a row into its table."""
        rows = self.tables.get(table)
        if rows is None:
            rows = self.tables[table] = []
        rows.append(row)


def add_input(batch: RowBatch, place: TapePlace, item: ins.Input) -> None:
    """The row of an input, if its kind has one."""
    maker = _INPUT_ROWS.get(type(item))
    if maker is not None:
        maker(batch, place, item)


def add_effect(batch: RowBatch, place: TapePlace, item: fx.Effect) -> None:
    """The row of an effect, if its kind has one."""
    maker = _EFFECT_ROWS.get(type(item))
    if maker is not None:
        maker(batch, place, item)


def _signal(batch: RowBatch, at: TapePlace, it: Signal) -> None:
    row = (at.run, at.seq, at.at_utc_ns, it.id, it.symbol, it.strategy, it.bar_open_utc_ns, int(it.side), it.confidence)
    batch.add("signals", (*row, it.entry_price, it.stop_price, it.target_price))


def _no_signal(batch: RowBatch, at: TapePlace, it: NoSignal) -> None:
    batch.add("no_signals", (at.run, at.seq, at.at_utc_ns, it.symbol, it.strategy, it.bar_open_utc_ns, it.withheld))


def _report(batch: RowBatch, at: TapePlace, it: ins.ExecutionReport) -> None:
    batch.fates.append((tag_of(type(it.order_outcome)), at.at_utc_ns, encode(it.order_outcome), it.client_id))


def _deal(batch: RowBatch, at: TapePlace, it: ins.NewDeal) -> None:
    deal = it.deal
    row = (at.run, at.seq, deal.at_utc_ns, deal.deal_ticket, deal.order_ticket, deal.position_id, deal.symbol, int(deal.side))
    money = (deal.profit_money, deal.commission_money, deal.fee_money, deal.swap_money, deal.balance_money)
    batch.add("deals", (*row, deal.entry, deal.reason, deal.lots, deal.price, *money, deal.magic, deal.rule))


def _account(batch: RowBatch, at: TapePlace, it: ins.AccountRead) -> None:
    account = it.account
    batch.accounts.append((account.login, account.server, account.currency, account.currency_digits, at.run))


def _trouble(batch: RowBatch, at: TapePlace, it: ins.EngineFault) -> None:
    level = "error" if it.active else "info"
    batch.add("errors", (at.run, at.seq, at.at_utc_ns, None, it.kind, level, it.why if it.active else f"over: {it.why}", "", 0))


def _feed(batch: RowBatch, at: TapePlace, it: ins.ConnectionState) -> None:
    if not it.is_connected:
        batch.add("errors", (at.run, at.seq, at.at_utc_ns, None, "feed", "warning", it.why, it.symbol, 0))


def _submit(batch: RowBatch, at: TapePlace, it: fx.Submit) -> None:
    row = (at.run, at.seq, at.n, at.at_utc_ns, it.client_id, "submit", it.symbol, int(it.side), it.lots, it.quoted_price)
    batch.add("intents", (*row, it.stop_price, it.target_price, it.risk_money, it.adds_to_position_id, it.signal_id, *_NO_FATE))


def _modify(batch: RowBatch, at: TapePlace, it: fx.Modify) -> None:
    row = (at.run, at.seq, at.n, at.at_utc_ns, it.client_id, "modify", it.symbol, None, 0.0, None)
    batch.add("intents", (*row, it.stop_price, it.target_price, 0.0, it.position_id, it.why, *_NO_FATE))


def _close(batch: RowBatch, at: TapePlace, it: fx.Close) -> None:
    row = (at.run, at.seq, at.n, at.at_utc_ns, it.client_id, "close", it.symbol, int(it.side), it.lots, it.quoted_price)
    batch.add("intents", (*row, None, None, 0.0, it.position_id, it.why, *_NO_FATE))


def _cancel(batch: RowBatch, at: TapePlace, it: fx.Cancel) -> None:
    row = (at.run, at.seq, at.n, at.at_utc_ns, it.client_id, "cancel", it.symbol, None, 0.0, None)
    batch.add("intents", (*row, None, None, 0.0, 0, f"order {it.order_ticket}", *_NO_FATE))


def _settled(batch: RowBatch, at: TapePlace, it: fx.OrderSettled) -> None:
    batch.fates.append((SETTLED, at.at_utc_ns, None, it.client_id))


def _verdict(batch: RowBatch, at: TapePlace, it: fx.Verdict) -> None:
    side = None if it.side is None else int(it.side)
    row = (at.run, at.seq, at.n, at.at_utc_ns, it.symbol, it.strategy, it.bar_open_utc_ns, it.outcome, it.reason, side)
    batch.add("verdicts", row)


def _opened(batch: RowBatch, at: TapePlace, it: fx.PositionOpened) -> None:
    row = (at.run, at.seq, at.at_utc_ns, it.position_id, it.client_id, it.signal_id, it.symbol, int(it.side), it.lots)
    prices = (it.open_price, it.quoted_price, it.stop_price, it.target_price)
    batch.add("positions", (*row, *prices, it.risk_money, it.asked_risk_money, it.spread_price, it.confidence, it.latency_ms))


def _trade(batch: RowBatch, at: TapePlace, it: fx.TradeClosed) -> None:
    row = (at.run, at.seq, at.n, it.position_id, it.symbol, int(it.side), it.lots, it.opened_utc_ns, it.closed_utc_ns)
    prices = (it.open_price, it.close_price, it.stop_price, it.reason, it.rule)
    money = (it.gross_money, it.commission_money, it.swap_money, it.net_money, it.risk_money, it.result_r, it.peak_money)
    batch.add("trades", (*row, *prices, *money, it.worst_money, it.signal_id, it.confidence, int(it.ambiguous)))


def _equity(batch: RowBatch, at: TapePlace, it: fx.EquityMarked) -> None:
    money = (it.equity_money, it.balance_money, it.open_risk_money, it.day_result_money)
    batch.add("equity", (at.run, at.seq, at.at_utc_ns, *money, it.drawdown_fraction))


def _setting(batch: RowBatch, at: TapePlace, it: fx.SettingApplied) -> None:
    batch.add("setting_changes", (at.run, at.seq, at.n, at.at_utc_ns, it.key, it.old, it.new, it.cause))


def _state(batch: RowBatch, at: TapePlace, it: fx.StateChanged) -> None:
    batch.add("states", (at.run, at.seq, at.n, at.at_utc_ns, it.state, " ".join(it.reasons), it.text))


def _alert(batch: RowBatch, at: TapePlace, it: fx.Alert) -> None:
    batch.add("alerts", (at.run, at.seq, at.n, at.at_utc_ns, it.kind, it.level, it.text, it.symbol, it.ticket))


def _noted(batch: RowBatch, at: TapePlace, it: fx.LogEvent) -> None:
    if it.level in ("warning", "error"):
        batch.add("errors", (at.run, at.seq, at.at_utc_ns, None, it.kind, it.level, it.text, it.symbol, it.ticket))


_INPUT_ROWS: dict[type, Callable[[RowBatch, TapePlace, Any], None]] = {
    Signal: _signal,
    NoSignal: _no_signal,
    ins.ExecutionReport: _report,
    ins.NewDeal: _deal,
    ins.AccountRead: _account,
    ins.EngineFault: _trouble,
    ins.ConnectionState: _feed,
}
_EFFECT_ROWS: dict[type, Callable[[RowBatch, TapePlace, Any], None]] = {
    fx.Submit: _submit,
    fx.Modify: _modify,
    fx.Close: _close,
    fx.Cancel: _cancel,
    fx.OrderSettled: _settled,
    fx.Verdict: _verdict,
    fx.PositionOpened: _opened,
    fx.TradeClosed: _trade,
    fx.EquityMarked: _equity,
    fx.SettingApplied: _setting,
    fx.StateChanged: _state,
    fx.Alert: _alert,
    fx.LogEvent: _noted,
}
REQUESTS: frozenset[type] = frozenset({fx.Submit, fx.Modify, fx.Close, fx.Cancel})
"""Effects that reach the broker and change something there."""
