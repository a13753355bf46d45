"""What if a setting had been another: the same days twice, as is and changed, and what differs in decisions and money.

Promises: both runs see the same market and, from a tape, the same signals, operator and book; beside the difference stands how
far the run as is was from what really happened, for that is what the comparison cannot see. Does not: change anything.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.backtest.backtest_settings import plain_tree, with_changes
from quarterdeck.core.backtest.backtester import Backtest, ProgressListener
from quarterdeck.core.backtest.compare import RunDifference, compare_runs
from quarterdeck.core.backtest.decision_diff import (
    DecisionDiff,
    ExitDiff,
    PositionEffect,
    RunOutcome,
    diff_decisions,
    diff_exits,
    diff_positions,
)
from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.backtest.tape_market import TapeMarket
from quarterdeck.core.backtest.tape_replay import TapeInputs, TimedInput
from quarterdeck.core.desk.desk_state import DeskState, decoded
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.inputs import SettingsChanged
from quarterdeck.core.model.units import Money, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import look_up, settings_from_tape, toml_text
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy
from quarterdeck.core.study.summary import digest_of, trade_line

_ASKED_ANEW = ("strategy.name", "strategy.file", "strategy.parameters", "desk.pairs")
"""Settings that a tape cannot answer for: its signals were made under others."""


class SettingChange(Struct, frozen=True, kw_only=True):
    """One setting, as TOML writes its values; `old` is what holds at the end of the days."""

    key: str
    old: str
    new: str


class TapeStart(Struct, frozen=True, kw_only=True):
    """What both runs of a tape begin with."""

    at_utc_ns: UtcNs
    balance_money: Money
    equity_money: Money | None
    positions: int
    foreign: int
    reasons: tuple[str, ...]
    """Why the desk did less than it could at that time."""


class BaselineDeviation(Struct, frozen=True, kw_only=True):
    """How the run as is compares with what was on the tape, over the same stretch."""

    trades: int
    """That closed in it."""
    same: int
    """Trades that both made, exactly: side, times, lots, prices, reason, costs."""
    same_signals: int
    """Trades of the same signal, however they ended."""
    net_money: float
    replayed_net_money: float
    """Of the trades that closed before the stretch ended."""
    same_digest: bool
    equity_end_money: Money | None
    """What the account really was worth at the end; None where that is not known."""
    replayed_equity_end_money: Money | None


class WhatIf(Struct, frozen=True, kw_only=True):
    """Both runs and what differs."""

    as_is: BacktestResult
    changed: BacktestResult
    changes: tuple[SettingChange, ...]
    difference: RunDifference
    decisions: DecisionDiff
    exits: ExitDiff
    positions: tuple[PositionEffect, ...]
    equity_end_money: tuple[Money | None, Money | None]
    """Of the run as is and of the changed one, with what is open valued at the last price."""
    begin: TapeStart | None = None
    """None where candles were replayed: both runs begin flat."""
    reality: BaselineDeviation | None = None
    """None where candles were replayed that nothing was traded on."""
    notes: tuple[str, ...] = ()


class _Ran(Struct, frozen=True):
    """One run: its result and what a result does not hold."""

    result: BacktestResult
    backtest: Backtest

    def ended(self) -> DeskState | None:
        """The desk before the end of the data closed what was open."""
        return decoded(self.backtest.last_state) if self.backtest.last_state else None

    def course(self) -> RunOutcome:
        return RunOutcome(trades=self.result.trades, ended=self.ended())


def whatif_on_candles(
    market: RecordedDays,
    settings: Settings,
    strategy: LoadedStrategy,
    other: LoadedStrategy,
    changes: list[tuple[str, Any]],
    watcher: ProgressListener | None,
) -> WhatIf:
    """Run recorded days twice. Raises SettingsError for changes that are not allowed."""
    changed = with_changes(settings, changes)
    first = _ran(Backtest(market, settings, strategy, keeps_state=True), watcher)
    second = _ran(Backtest(market, changed, other, keeps_state=True), watcher)
    found = _compared(first, second, _told(changes, settings, changed))
    return msgspec.structs.replace(found, notes=_notes(first.result, second.result))


def whatif_on_tape(
    stretch: TapeMarket, strategy: LoadedStrategy, changes: list[tuple[str, Any]], watcher: ProgressListener | None
) -> WhatIf:
    """Run a stretch of a tape twice.

    Raises:
        UsageError: the change is one that needs the strategy to be asked again, or none; SettingsError: it is not allowed.
    """
    for key, _ in changes:
        plain = ".".join(key.split(".")[2:]) if key.startswith("pair.") else key
        if plain.startswith(_ASKED_ANEW):
            raise UsageError(
                f"{key}: the tape's signals were made under the old one", what_to_do="give --data to run the strategy again"
            )
    told = _told(changes, stretch.settings_now, with_changes(stretch.settings_now, changes))
    changed, overlaid = with_changes(stretch.settings, changes), _overlaid(stretch.taped, changes)
    if _settings_told(overlaid) == _settings_told(stretch.taped):
        refuse_no_change(stretch.settings, changed, changes)
    first = _ran(Backtest(stretch.market, stretch.settings, strategy, taped=stretch.taped, keeps_state=True), watcher)
    second = _ran(Backtest(stretch.market, changed, strategy, taped=overlaid, keeps_state=True), watcher)
    begun = stretch.begun
    found = _compared(first, second, told, stretch)
    begin = TapeStart(
        at_utc_ns=first.result.from_utc_ns,
        balance_money=begun.balance_money,
        equity_money=begun.equity_money,
        positions=len(begun.positions),
        foreign=len(begun.external_positions),
        reasons=tuple(begun.reasons),
    )
    real = baseline_deviation(first.result, stretch, first.ended())
    return msgspec.structs.replace(found, begin=begin, reality=real, notes=stretch.notes)


def _notes(first: BacktestResult, second: BacktestResult) -> tuple[str, ...]:
    """What both runs note; where one of them alone does (its strategy failed, say), which."""
    both = [note for note in first.notes if note in second.notes]
    apart = ((word, run, other) for word, run, other in (("as is", first, second), ("changed", second, first)))
    return (*both, *(f"{word}: {note}" for word, run, other in apart for note in run.notes if note not in other.notes))


def refuse_no_change(settings: Settings, changed: Settings, changes: list[tuple[str, Any]]) -> None:
    """Nothing is run to find out that nothing differs. Raises UsageError where the changes change nothing."""
    if settings == changed:
        held = ", ".join(f"{key} is {toml_text(look_up(plain_tree(settings), key))} already" for key, _ in changes)
        raise UsageError(f"{held}: both runs would be the same", what_to_do="name another value")


def whatif_json(found: WhatIf) -> dict[str, Any]:
    """For scripts and screens: one object, as docs/backtest.md tells it."""
    first, second = found.as_is, found.changed
    plain: dict[str, Any] = msgspec.to_builtins(found)
    one, other = found.equity_end_money
    return {
        "label": first.label,
        "from_utc_ns": first.from_utc_ns,
        "to_utc_ns": first.to_utc_ns,
        "complete": first.complete and second.complete,
        "bars": first.bars,
        "elapsed_s": round(first.elapsed_s + second.elapsed_s, 3),
        "currency": first.currency,
        "changes": plain["changes"],
        "begin": plain["begin"],
        "as_is": msgspec.to_builtins(first.summary),
        "changed": msgspec.to_builtins(second.summary),
        "same_trades": found.difference.same_trades,
        "equity_end_money": {"as_is": one, "changed": other},
        "difference_money": None if one is None or other is None else round(other - one, 2),
        "figures": {name: list(pair) for name, pair in found.difference.figures.items()},
        "decisions": plain["decisions"],
        "exits": plain["exits"],
        "positions": plain["positions"],
        "only_as_is": len(found.difference.only_first),
        "only_changed": len(found.difference.only_second),
        "reality": plain["reality"],
        "notes": plain["notes"],
    }


def baseline_deviation(as_is: BacktestResult, stretch: TapeMarket, ended: DeskState | None) -> BaselineDeviation:
    """Compare the run as is with what was really traded; where that was closed at the end of its data, so is this."""
    trades = stretch.trades
    happened, signals = {trade_line(trade) for trade in trades}, {trade.signal_id for trade in trades}
    flat = any(trade.reason == "end" for trade in trades)
    open_at_end = set() if ended is None or flat else {held.position_id for held in ended.positions.values()}
    closed = [trade for trade in as_is.trades if trade.position_id not in open_at_end]
    return BaselineDeviation(
        trades=len(trades),
        same=sum(trade_line(trade) in happened for trade in closed),
        same_signals=sum(trade.signal_id in signals for trade in closed),
        net_money=_sum(trades),
        replayed_net_money=_sum(closed),
        same_digest=digest_of(closed) == digest_of(list(trades)),
        equity_end_money=_cents(stretch.ended),
        replayed_equity_end_money=round(as_is.equity[-1].equity_money, 2) if flat and as_is.equity else _cents(ended),
    )


def _ran(backtest: Backtest, watcher: ProgressListener | None) -> _Ran:
    return _Ran(backtest.run_once(watcher), backtest)


def _compared(first: _Ran, second: _Ran, changes: tuple[SettingChange, ...], stretch: TapeMarket | None = None) -> WhatIf:
    real = None if stretch is None else RunOutcome(trades=stretch.trades, ended=stretch.ended)
    return WhatIf(
        as_is=first.result,
        changed=second.result,
        changes=changes,
        difference=compare_runs(first.result, second.result),
        decisions=diff_decisions(first.backtest.collector.decided, second.backtest.collector.decided),
        exits=diff_exits(first.result.trades, second.result.trades),
        positions=diff_positions(None if stretch is None else stretch.begun, first.course(), second.course(), real),
        equity_end_money=(_cents(first.ended()), _cents(second.ended())),
    )


def _told(changes: list[tuple[str, Any]], settings: Settings, changed: Settings) -> tuple[SettingChange, ...]:
    old, new = plain_tree(settings), plain_tree(changed)
    return tuple(SettingChange(key=key, old=toml_text(look_up(old, key)), new=toml_text(look_up(new, key))) for key, _ in changes)


def _overlaid(taped: TapeInputs, changes: list[tuple[str, Any]]) -> TapeInputs:
    """The same stretch; where the operator changed settings on the way, ours hold on top of his."""

    def on_top(told: TimedInput) -> TimedInput:
        at, item = told
        if not isinstance(item, SettingsChanged):
            return told
        tree = with_changes(settings_from_tape(bytes(item.settings)), changes)
        kept = tuple(change for change in item.changes if change[0] not in dict(changes))
        settings = msgspec.Raw(msgspec.msgpack.encode(tree))
        return at, msgspec.structs.replace(item, settings=settings, changes=kept)

    return msgspec.structs.replace(taped, told=tuple(on_top(told) for told in taped.told))


def _settings_told(taped: TapeInputs) -> list[Settings]:
    """The settings that came in on the way, in their order."""
    return [settings_from_tape(bytes(item.settings)) for _, item in taped.told if isinstance(item, SettingsChanged)]


def _cents(state: DeskState | None) -> Money | None:
    return None if state is None or state.equity_money is None else round(state.equity_money, 2)


def _sum(trades: tuple[TradeClosed, ...] | list[TradeClosed]) -> Money:
    return round(sum(trade.net_money for trade in trades), 2)
