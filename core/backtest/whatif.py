"""What if a setting had been another: the same days twice, as is and changed, and what differs in decisions and money.

Promises: both runs see the same market and, from a tape, the same signals; beside the difference stands how far the run as is was
from what really happened, for that is what the comparison cannot see. Does not: change anything.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from core.backtest.compare import Difference, compare
from core.backtest.market import Market
from core.backtest.result import BacktestResult
from core.backtest.run import Backtest, Watcher
from core.backtest.settings import with_changes
from core.backtest.taped import Stretch
from core.model.effects import TradeClosed
from core.model.errors import UsageError
from core.settings.schema import Settings
from core.strategy.load import LoadedStrategy
from core.study.summary import digest_of, trade_line

_ASKED_ANEW = ("strategy.name", "strategy.file", "strategy.parameters", "desk.pairs")
"""Settings that a tape cannot answer for: its signals were made under others."""


class Reality(Struct, frozen=True, kw_only=True):
    """How the run as is compares with what was on the tape."""

    trades: int
    same: int
    """Trades that both made, to the ticket."""
    net_money: float
    replayed_net_money: float
    same_digest: bool


class WhatIf(Struct, frozen=True, kw_only=True):
    """Both runs and what differs."""

    as_is: BacktestResult
    changed: BacktestResult
    difference: Difference
    reality: Reality | None = None
    """None where candles were replayed that nothing was traded on."""


def over_candles(
    market: Market,
    settings: Settings,
    strategy: LoadedStrategy,
    other: LoadedStrategy,
    changes: list[tuple[str, Any]],
    watcher: Watcher | None,
) -> WhatIf:
    """Run recorded days twice. Raises SettingsError for changes that are not allowed."""
    changed = with_changes(settings, changes)
    first = Backtest(market, settings, strategy).go(watcher)
    second = Backtest(market, changed, other).go(watcher)
    return WhatIf(as_is=first, changed=second, difference=compare(first, second))


def over_tape(stretch: Stretch, strategy: LoadedStrategy, changes: list[tuple[str, Any]], watcher: Watcher | None) -> WhatIf:
    """Run a stretch of a tape twice.

    Raises:
        UsageError: the change is one that needs the strategy to be asked anew; SettingsError: it is not allowed.
    """
    for key, _ in changes:
        if key.startswith(_ASKED_ANEW):
            raise UsageError(
                f"{key}: the tape's signals were made under the old one", what_to_do="give --data to ask the strategy anew"
            )
    changed = with_changes(stretch.settings, changes)
    first = Backtest(stretch.market, stretch.settings, strategy, taped=stretch.taped).go(watcher)
    second = Backtest(stretch.market, changed, strategy, taped=stretch.taped).go(watcher)
    return WhatIf(as_is=first, changed=second, difference=compare(first, second), reality=reality(first, stretch.trades))


def reality(as_is: BacktestResult, trades: tuple[TradeClosed, ...]) -> Reality:
    """Compare a run with trades that were really made."""
    happened = {trade_line(trade) for trade in trades}
    return Reality(
        trades=len(trades),
        same=sum(trade_line(trade) in happened for trade in as_is.trades),
        net_money=round(sum(trade.net_money for trade in trades), 2),
        replayed_net_money=round(sum(trade.net_money for trade in as_is.trades), 2),
        same_digest=as_is.summary.digest == digest_of(list(trades)),
    )
