"""From the command line's wishes to finished backtests: settings, strategy, market, runs, findings. Imports the heavy rooms."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from quarterdeck.cli.progress import Meter
from quarterdeck.core.backtest.again import Again, run_again
from quarterdeck.core.backtest.diagnosis import Finding, diagnose
from quarterdeck.core.backtest.market import Market, MarketWish, load_market
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.backtest.settings import wished_settings, with_changes
from quarterdeck.core.compiled.load import backtested, is_compiled
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.load import LoadedStrategy, load_strategy

_RERUN_S = 8.0
"""A run that took no longer is run again for its diagnosis without being asked."""
_PATHS = ("optimistic", "neutral", "pessimistic")


class Order(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    home: Home
    folders: tuple[Path, ...]
    days: tuple[date | None, date | None]
    rates: dict[str, float]
    settings_file: Path | None
    values: tuple[tuple[str, Any], ...]
    every_bar: bool = False
    paths: bool = False
    reruns: bool | None = None
    """Run the days again for the diagnosis; None where that takes little."""


class Done(Struct, frozen=True, kw_only=True):
    """What came of it."""

    result: BacktestResult
    findings: list[Finding]
    others: list[BacktestResult]
    compiled: bool
    """Whether the desk ran as machine code."""


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything that a run needs, loaded."""

    settings: Settings
    strategy: LoadedStrategy
    market: Market


def prepared(order: Order) -> Prepared:
    """Settings, strategy and prices. Raises SettingsError, DataError."""
    settings = wished_settings(order.home, order.settings_file, order.values)
    strategy = load_strategy(settings, order.home.root)
    wish = MarketWish(folders=order.folders, from_day=order.days[0], to_day=order.days[1], rates=order.rates)
    return Prepared(settings=settings, strategy=strategy, market=load_market(wish, settings, strategy, order.home))


def run_order(order: Order, meter: Meter) -> Done:
    """Run it, and its side paths. Raises SettingsError, DataError."""
    ready = prepared(order)

    def run(settings: Settings) -> BacktestResult:
        return backtested(ready.market, settings, ready.strategy, meter, every_bar=order.every_bar)

    result = run(ready.settings)
    paths = [path for path in _PATHS if path != result.path] if order.paths and result.complete else []
    others = [run(with_changes(ready.settings, [("costs.path", path)])) for path in paths if not meter.interrupted]
    again = _again(order, ready, result, meter) if result.complete and not meter.interrupted else None
    return Done(
        result=result,
        findings=diagnose(result, ready.market.candles(ready.settings), again),
        others=others,
        compiled=is_compiled(),
    )


def _again(order: Order, ready: Prepared, result: BacktestResult, meter: Meter) -> Again | None:
    wanted = result.elapsed_s <= _RERUN_S if order.reruns is None else order.reruns
    if not wanted or not result.trades:
        return None
    return run_again(ready.market, ready.settings, ready.strategy, result, meter.named("again"))
