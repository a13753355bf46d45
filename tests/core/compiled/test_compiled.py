"""The compiled desk gives, byte for byte, the result of the plain one: trades, refusals, marks of equity, words and digest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks._busy import ASIDES, market_of, settings_of
from quarterdeck.core.backtest.backtester import Backtest, BacktestProgress
from quarterdeck.core.backtest.recorded_days import DataRequest, RecordedDays, load_market
from quarterdeck.core.compiled import load
from quarterdeck.core.compiled.build import STAMP_NAME, build, source_digest
from quarterdeck.core.settings.home import resolve_home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy
from tests.core.backtest import sample_runs

pytestmark = pytest.mark.xdist_group("compiled")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, tool: Any, request: pytest.FixtureRequest) -> Path:
    """A compiled desk of this source, made once; optimised in soak alone: the floats are the same, the compiler takes longer."""
    if os.name != "nt":
        tool("cc")
    return build(tmp_path_factory.mktemp("compiled") / "desk", optimised=bool(request.config.getoption("--soak")))


@pytest.fixture
def compiled(built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Backtests find it."""
    monkeypatch.setattr(load, "destination", lambda: built)
    load.fits.cache_clear()
    yield built
    load.fits.cache_clear()


def both(market: RecordedDays, settings: Settings, strategy: LoadedStrategy, **how: Any) -> tuple[Any, Any]:
    """The run on the compiled and on the plain desk; how long it took is left out."""
    assert load.is_compiled()
    found = load.backtested(market, settings, strategy, **how), Backtest(market, settings, strategy, **how).run_once()
    one, other = (msgspec.structs.replace(result, elapsed_s=0.0) for result in found)
    return one, other


def same(market: RecordedDays, settings: Settings, strategy: LoadedStrategy, **how: Any) -> Any:
    """The result, after both ways gave it."""
    one, other = both(market, settings, strategy, **how)
    assert one == other
    assert msgspec.json.encode(one) == msgspec.json.encode(other)
    return one


@pytest.mark.parametrize("seed", range(30, 42))
def test_random_strategies_and_settings(compiled: Path, tmp_path: Path, seed: int) -> None:
    settings = sample_runs.drawn(tmp_path, seed)
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, seed=seed, bars=2_300)
    found = same(market, settings, strategy)
    assert found.summary.signals > 0
    assert compiled.is_dir()


def test_every_bar_lived(compiled: Path, tmp_path: Path) -> None:
    settings = sample_runs.drawn(tmp_path, 7)
    strategy = load_strategy(settings)
    assert compiled.is_dir()
    assert same(sample_runs.coin_market(settings, strategy, seed=7, bars=1_600), settings, strategy, every_bar=True).trades


def test_everything_on_and_every_reason(compiled: Path, tmp_path: Path) -> None:
    seen: set[str] = set()
    settings = settings_of(tmp_path)
    market, strategy = market_of(settings, 6_000)
    seen |= set(same(market, settings, strategy, columns=True).summary.refusals)
    for aside in ASIDES:
        settings = settings_of(tmp_path, *aside.changes)
        market, strategy = market_of(settings, 3_000, news=aside.news, minutes=aside.minutes)
        seen |= set(same(market, settings, strategy).summary.refusals)
    assert len(seen) > 40
    assert compiled.is_dir()


def test_a_strategy_that_fails_fails_alike(compiled: Path, tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]))
    bad = "        instrument.symbol == 'GBPUSD' and columns.m15.open_utc_ns[row] // 900_000_000_000 % 3 == 0 and 1 / 0\n        coin = int("
    (tmp_path / "coin.py").write_text(sample_runs.COIN.replace("        coin = int(", bad, 1), encoding="utf-8")
    strategy = load_strategy(settings)
    found = same(sample_runs.coin_market(settings, strategy, bars=1_900), settings, strategy)
    assert any("ZeroDivisionError" in note for note in found.notes)
    assert compiled.is_dir()


def test_compiled_run_reports_progress_and_stops_on_request(compiled: Path, tmp_path: Path) -> None:
    settings = sample_runs.drawn(tmp_path, 3)
    strategy = load_strategy(settings)
    seen: list[float] = []

    def enough(progress: BacktestProgress) -> bool:
        seen.append(progress.done_fraction)
        assert progress.bars >= 0
        assert progress.left_s is None or progress.left_s >= 0.0
        return False

    found = load.backtested(sample_runs.coin_market(settings, strategy, seed=3), settings, strategy, enough)
    assert not found.complete
    assert found.ended == "stopped manually"
    assert len(seen) == 1
    assert compiled.is_dir()


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_a_month_of_recorded_days(compiled: Path, recorded_data: Path, tmp_path: Path, currency: str) -> None:
    settings = shipped_settings(
        ("desk.pairs", ["EURUSD", "GBPUSD", "USDJPY", "USDCHF"]),
        ("simulation.currency", currency),
        ("simulation.balance_money", 1_000_000.0),
        ("simulation.hedging", currency != "EUR"),
        ("breakers.drawdown_max_pct", 100.0),
    )
    wish = DataRequest(folders=(recorded_data / "m15",), from_day=date(2024, 3, 1), to_day=date(2024, 3, 31))
    strategy = load_strategy(settings)
    found = same(load_market(wish, settings, strategy, resolve_home(tmp_path)), settings, strategy)
    assert found.trades
    assert compiled.is_dir()


def test_changed_source_or_operator_switch_uses_the_plain_desk(
    compiled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load.is_compiled()
    monkeypatch.setenv(load.SWITCH, "0")
    assert not load.is_compiled()
    monkeypatch.delenv(load.SWITCH)
    assert (compiled / STAMP_NAME).read_text(encoding="ascii") == source_digest()
    other = tmp_path / "other"
    other.mkdir()
    (other / STAMP_NAME).write_text("of yesterday", encoding="ascii")
    monkeypatch.setattr(load, "destination", lambda: other)
    load.fits.cache_clear()
    assert not load.is_compiled()
