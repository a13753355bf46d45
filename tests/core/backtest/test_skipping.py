"""Skipping is an optimisation with a twin: every bar lived through gives the same run, to the last bit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.backtest.backtester import Backtest
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.backtest import sample_runs


def same(fast: BacktestResult, slow: BacktestResult) -> None:
    for name in ("trades", "entered", "rejected", "equity"):
        one, other = getattr(fast, name), getattr(slow, name)
        first = next((pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]), None)
        assert first is None, f"{name}: {first}"
        assert len(one) == len(other), name
    assert fast.summary == slow.summary
    assert fast.bars == slow.bars


@pytest.mark.parametrize("seed", range(8))
def test_random_strategies_and_settings_trade_alike(tmp_path: Path, seed: int) -> None:
    settings = sample_runs.drawn(tmp_path, seed)
    fast = sample_runs.run(settings, seed=seed, bars=2_300)
    slow = sample_runs.run(settings, seed=seed, bars=2_300, every_bar=True, columns=True)
    assert fast.summary.signals > 0
    same(fast, slow)


@pytest.mark.parametrize(
    ("where", "bad"),
    [
        ("        columns = Columns(m15, h1)\n", "bool(np.any(m15.open_utc_ns // 900_000_000_000 % 1500 == 700)) and 1 / 0"),
        ("        coin = int(", "columns.m15.open_utc_ns[row] // 900_000_000_000 % 3 == 0 and 1 / 0"),
        ("        columns = Columns(m15, h1)\n", "1 / 0"),
    ],
    ids=["prepare, at some windows", "decide, at some bars", "prepare, always"],
)
def test_failing_strategy_loses_the_same_bars_as_live(tmp_path: Path, where: str, bad: str) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    source = sample_runs.COIN.replace(where, f"        if instrument.symbol == 'GBPUSD':\n            {bad}\n{where}", 1)
    (tmp_path / "coin.py").write_text(source, encoding="utf-8")
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, bars=1_900)
    fast = Backtest(market, settings, strategy).run_once()
    live = Backtest(market, settings, strategy, every_bar=True).run_once()
    same(fast, live)
    told, told_live = (next(note for note in one.notes if "ZeroDivisionError" in note) for one in (fast, live))
    assert told.startswith("GBPUSD: no signal at ")
    assert told_live.startswith("GBPUSD: no signal at ")
    assert any(trade.symbol == "EURUSD" for trade in fast.trades)
    assert any(trade.symbol == "GBPUSD" for trade in fast.trades) == (bad != "1 / 0")
    if where.startswith("        columns"):
        assert told == told_live
    assert Backtest(market, settings, strategy).run_once().notes == fast.notes


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8, 200))
def test_many_more_of_them(tmp_path: Path, seed: int) -> None:
    settings = sample_runs.drawn(tmp_path, seed)
    same(
        sample_runs.run(settings, seed=seed, bars=3_000),
        sample_runs.run(settings, seed=seed, bars=3_000, every_bar=True, columns=True),
    )


def test_columns_answer_like_the_live_scanner(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    same(sample_runs.run(settings, bars=1_700), sample_runs.run(settings, bars=1_700, every_bar=True))


def test_quiet_stretches_are_skipped(tmp_path: Path) -> None:
    rare = sample_runs.coin_settings(tmp_path, ("strategy.parameters", {"every": 400}), ("desk.pairs", ["EURUSD", "GBPUSD"]))
    done = sample_runs.run(rare, bars=3_000)
    assert done.bars_fed < done.bars / 5
    assert done.summary.trades > 0


HELD_LONG: tuple[tuple[str, Any], ...] = (
    ("strategy.parameters", {"every": 120, "stop_x": 8.0, "target_x": 16.0}),
    ("position.time_exit_hours", 0.0),
    ("position.weekend_close_from", "Sat 00:00"),
    ("simulation.balance_money", 1_000_000.0),
)


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
@pytest.mark.parametrize("path", ["pessimistic", "neutral", "optimistic"])
def test_long_held_positions_are_skipped_from_level_to_level(tmp_path: Path, currency: str, path: str) -> None:
    asked = (
        *HELD_LONG,
        ("simulation.currency", currency),
        ("costs.intrabar_order", path),
        ("desk.pairs", ["EURUSD", "EURGBP", "USDJPY"]),
    )
    settings = sample_runs.coin_settings(tmp_path, *asked)
    fast = sample_runs.run(settings, bars=2_300)
    slow = sample_runs.run(settings, bars=2_300, every_bar=True, columns=True)
    same(fast, slow)
    assert open_share(fast) > 0.3
    assert fast.bars_fed < fast.bars / 10


def open_share(result: BacktestResult) -> float:
    """Share of the run's time with something open."""
    edges = [(trade.opened_utc_ns, 1) for trade in result.trades] + [(trade.closed_utc_ns, -1) for trade in result.trades]
    held, total = 0, 0
    for (at, step), (later, _) in pairwise(sorted(edges)):
        held += step
        total += (later - at) if held else 0
    return total / (result.to_utc_ns - result.from_utc_ns)


def test_breaker_trips_at_the_same_quote_while_skipping(tmp_path: Path) -> None:
    tight: tuple[tuple[str, Any], ...] = (
        ("strategy.parameters", {"every": 30, "stop_x": 6.0, "target_x": 12.0}),
        ("risk.risk_per_trade_pct", 0.3),
        ("breakers.drawdown_max_pct", 0.5),
        ("breakers.trip_action", "flatten"),
        ("breakers.positions_max", 6),
        ("correlation.risk_max_pct", 50.0),
        ("desk.pairs", ["EURUSD", "GBPUSD", "USDJPY"]),
    )
    settings = sample_runs.coin_settings(tmp_path, *HELD_LONG, *tight)
    fast = sample_runs.run(settings, bars=2_300)
    same(fast, sample_runs.run(settings, bars=2_300, every_bar=True, columns=True))
    assert "breaker" in fast.summary.exits or "flatten" in fast.summary.exits
