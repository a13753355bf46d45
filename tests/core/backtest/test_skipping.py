"""Skipping is an optimisation with a twin: every bar lived through gives the same run, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.backtest.result import BacktestResult
from tests.core.backtest import kit


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
    settings = kit.drawn(tmp_path, seed)
    fast = kit.run(settings, seed=seed, bars=2_300)
    slow = kit.run(settings, seed=seed, bars=2_300, every_bar=True, columns=True)
    assert fast.summary.signals > 0
    same(fast, slow)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8, 200))
def test_many_more_of_them(tmp_path: Path, seed: int) -> None:
    settings = kit.drawn(tmp_path, seed)
    same(kit.run(settings, seed=seed, bars=3_000), kit.run(settings, seed=seed, bars=3_000, every_bar=True, columns=True))


def test_columns_answer_like_the_live_scanner(tmp_path: Path) -> None:
    settings = kit.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    same(kit.run(settings, bars=1_700), kit.run(settings, bars=1_700, every_bar=True))


def test_quiet_stretches_are_skipped(tmp_path: Path) -> None:
    rare = kit.coin_settings(tmp_path, ("strategy.parameters", {"every": 400}), ("desk.pairs", ["EURUSD", "GBPUSD"]))
    done = kit.run(rare, bars=3_000)
    assert done.bars_fed < done.bars / 5
    assert done.summary.trades > 0
