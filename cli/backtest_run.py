"""From the command line's wishes to finished backtests: settings, strategy, market, runs, findings. Imports the heavy rooms."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from quarterdeck.cli.progress import ProgressMeter
from quarterdeck.core.backtest.backtest_settings import settings_for_backtest, with_changes
from quarterdeck.core.backtest.diagnosis import DiagnosisFinding, diagnose
from quarterdeck.core.backtest.recorded_days import DataRequest, RecordedDays, load_market
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.backtest.stress_runs import StressRuns, run_stress
from quarterdeck.core.compiled.load import backtested, is_compiled
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

_RERUN_S = 8.0
"""A run that took no longer is run again for its diagnosis without being asked."""
_PATHS = ("optimistic", "neutral", "pessimistic")


class BacktestRequest(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    home: Home
    folders: tuple[Path, ...]
    days: tuple[date | None, date | None]
    rates: dict[str, float]
    settings_file: Path | None
    values: tuple[tuple[str, Any], ...]
    every_bar: bool = False
    paths: bool = False
    stress: bool | None = None
    """Run the days again for the diagnosis; None where that takes little."""


class BacktestDone(Struct, frozen=True, kw_only=True):
    """What came of it."""

    result: BacktestResult
    findings: list[DiagnosisFinding]
    others: list[BacktestResult]
    compiled: bool
    """Whether the desk ran as machine code."""


class PreparedBacktest(Struct, frozen=True, kw_only=True):
    """Everything that a run needs, loaded."""

    settings: Settings
    strategy: LoadedStrategy
    market: RecordedDays


def prepare_backtest(order: BacktestRequest) -> PreparedBacktest:
    """Settings, strategy and prices. Raises SettingsError, DataError."""
    settings = settings_for_backtest(order.home, order.settings_file, order.values)
    strategy = load_strategy(settings, order.home.root)
    wish = DataRequest(folders=order.folders, from_day=order.days[0], to_day=order.days[1], rates=order.rates)
    return PreparedBacktest(settings=settings, strategy=strategy, market=load_market(wish, settings, strategy, order.home))


def run_backtest(order: BacktestRequest, meter: ProgressMeter) -> BacktestDone:
    """Run it, and its side paths. Raises SettingsError, DataError."""
    ready = prepare_backtest(order)

    def run(settings: Settings) -> BacktestResult:
        return backtested(ready.market, settings, ready.strategy, meter, every_bar=order.every_bar)

    result = run(ready.settings)
    paths = [path for path in _PATHS if path != result.path] if order.paths and result.complete else []
    others = [run(with_changes(ready.settings, [("costs.intrabar_order", path)])) for path in paths if not meter.interrupted]
    again = _again(order, ready, result, meter) if result.complete and not meter.interrupted else None
    return BacktestDone(
        result=result,
        findings=diagnose(result, ready.market.candles(ready.settings), again),
        others=others,
        compiled=is_compiled(),
    )


def _again(order: BacktestRequest, ready: PreparedBacktest, result: BacktestResult, meter: ProgressMeter) -> StressRuns | None:
    wanted = result.elapsed_s <= _RERUN_S if order.stress is None else order.stress
    if not wanted or not result.trades:
        return None
    return run_stress(ready.market, ready.settings, ready.strategy, result, meter.named("again"))
