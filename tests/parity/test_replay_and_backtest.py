"""The same days through the engine of `run --no-ui --replay` and through a backtest: the same trades, refusals and digest."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.backtest.backtester import Backtest
from quarterdeck.core.backtest.recorded_days import DataRequest, load_market
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.model.effects import Effect, TradeClosed, Verdict
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.settings_loader import load_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy
from quarterdeck.core.study.summary import Summary, SummaryCounter

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 7)
BUSY: tuple[tuple[str, Any], ...] = (
    ("strategy.confidence_min", 0.4),
    ("strategy.net_reward_risk_min", 0.8),
    ("filters.entry_hours", []),
    ("strategy.parameters", {"h1_slope_min_x_atr": 1.0, "pullback_rsi": 50.0}),
    ("simulation.balance_money", 1_000_000.0),
    ("correlation.over_limit_action", "shrink"),
    ("position.pyramid", True),
    ("position.profit_retrace_from_r", 0.3),
    ("kelly.enabled", True),
)


def replayed(folder: Path, data: tuple[Path, ...], values: tuple[tuple[str, Any], ...], days: tuple[date, date]) -> Summary:
    tally, seen = SummaryCounter(), list[Effect]()

    def hear(at_utc_ns: int, effect: Effect) -> None:
        tally.on_effect(at_utc_ns, effect)
        if isinstance(effect, TradeClosed | Verdict):
            seen.append(effect)

    async def live() -> None:
        wish = RunRequest(home=Home(folder), values=values, replay=data, from_day=days[0], to_day=days[1])
        ready = await start_run(wish, on_step=lambda _text: None)
        ready.engine.runner.listen(hear)
        await run_to_end(ready)

    asyncio.run(live())
    return tally.summary()


def backtested(
    folder: Path, data: tuple[Path, ...], values: tuple[tuple[str, Any], ...], days: tuple[date, date], *, every_bar: bool = False
) -> BacktestResult:
    home = Home(folder)
    settings = load_settings(folder, values).settings
    strategy = load_strategy(settings, folder)
    market = load_market(DataRequest(folders=data, from_day=days[0], to_day=days[1]), settings, strategy, home)
    return Backtest(market, settings, strategy, every_bar=every_bar).run_once()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("currency", "hedging", "pairs"),
    [
        ("USD", True, ["EURUSD", "USDJPY"]),
        ("EUR", False, ["GBPUSD", "USDCHF"]),
        ("JPY", True, ["EURUSD", "GBPUSD"]),
    ],
    ids=["dollars-hedging", "euros-netting", "yen-hedging"],
)
def test_a_week_trades_alike(tmp_path: Path, recorded_data: Path, currency: str, hedging: bool, pairs: list[str]) -> None:
    values = (*BUSY, ("desk.pairs", pairs), ("simulation.currency", currency), ("simulation.hedging", hedging))
    data = (recorded_data / "m15",)
    live = replayed(tmp_path, data, values, (FIRST, LAST))
    fast = backtested(tmp_path, data, values, (FIRST, LAST))
    assert live.trades >= 5
    assert fast.summary == live


@pytest.mark.slow
def test_minutes_inside_the_bars_trade_alike(tmp_path: Path, recorded_data: Path) -> None:
    days = (date(2025, 10, 14), date(2025, 10, 15))
    values = (*BUSY, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    data = (recorded_data / "m1", recorded_data / "m15")
    live = replayed(tmp_path, data, values, days)
    assert live.trades > 0
    assert backtested(tmp_path, data, values, days).summary == live
