"""Small made-up recordings, strategies that trade often, and settings drawn by a seed: what backtests are tested with."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from quarterdeck.core.backtest.backtester import Backtest
from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.data.recorded_prices import conversion_pairs
from quarterdeck.core.data.series import BarSeries, PairData, Recording
from quarterdeck.core.engine.scanner_setup import history_bars
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import DAY_NS, M15_NS
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

FIRST_NS = 1_722_729_600 * 10**9
"""Sunday 2024-08-04 00:00 UTC."""
PRICES = {"EURUSD": 1.09, "GBPUSD": 1.28, "USDJPY": 147.0, "EURGBP": 0.85, "USDCHF": 0.87, "AUDUSD": 0.66}
COIN = '''
from typing import Annotated, ClassVar
import numpy as np
from msgspec import Struct
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.schema import number
from quarterdeck.core.strategy.interface import Columns, Decision
from quarterdeck.core.strategy.indicators import atr


class CoinParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    every: Annotated[int, number("One bar in so many", "bars", 1, 10_000, "next start")] = 20
    salt: Annotated[int, number("Another coin", "", 0, 10_000, "next start")] = 1
    stop_x: Annotated[float, number("Stop", "x ATR(M15)", 0.5, 20, "next start", 0.1)] = 2.0
    target_x: Annotated[float, number("Target", "x ATR(M15)", 0.5, 60, "next start", 0.1)] = 4.0
    only_buys: bool = False


class Coin:
    """Trades by the digits of the bar's time: no skill, often, and on either side."""

    name: ClassVar[str] = "coin"
    timeframes: ClassVar[tuple[str, ...]] = ("M15",)
    Parameters: ClassVar[type[Struct]] = CoinParameters
    warmup_bars: ClassVar[int] = 400
    warmup_h1_bars: ClassVar[int] = 20

    def __init__(self, parameters):
        self._p = parameters

    def prepare(self, m15, h1, instrument):
        columns = Columns(m15, h1)
        columns["atr"] = atr(m15.high, m15.low, m15.close, 14)
        mixed = (m15.open_utc_ns // 900_000_000_000 * 2654435761 + self._p.salt * 97 + sum(map(ord, instrument.symbol))) % 1_000_003
        columns["coin"] = mixed.astype(np.float64)
        return columns

    def candidates(self, columns):
        return (columns["coin"] % self._p.every == 0) & (columns["atr"] > 0)

    def decide(self, columns, row, instrument):
        coin = int(columns["coin"].item(row))
        if coin % self._p.every:
            return Decision()
        side = Side.BUY if coin // self._p.every % 2 else Side.SELL
        if self._p.only_buys:
            side = Side.BUY
        elif coin // self._p.every % 11 == 0:
            return Decision(side=side, confidence=1.0, exit_now=True)
        close, reach = columns.m15.close.item(row), columns["atr"].item(row)
        return Decision(
            side=side,
            entry_price=close,
            stop_price=close - side * self._p.stop_x * reach,
            target_price=close + side * self._p.target_x * reach,
            confidence=0.6 + 0.4 * (coin // self._p.every % 10) / 10,
            regime="high" if coin % 3 else "normal",
        )
'''
BASE: tuple[tuple[str, Any], ...] = (
    ("filters.atr_percentile_days", 5),
    ("filters.entry_hours", []),
    ("strategy.name", "Coin"),
    ("breakers.drawdown_max_pct", 100.0),
    ("correlation.lookback_bars", 120),
    ("correlation.lookback_bars_min", 60),
)


def coin_file(folder: Path) -> Path:
    """The strategy file in a folder."""
    path = folder / "coin.py"
    path.write_text(COIN, encoding="utf-8")
    return path


def candles(symbol: str, seed: int, bars: int, *, holes: bool = True) -> Candles:
    """M15 bars of a walk from that Sunday on, weekends without bars, a hole here and there."""
    rng = np.random.default_rng(seed)
    spec = instrument(symbol)
    stamps = FIRST_NS + M15_NS * np.arange(bars * 2, dtype=np.int64)
    second = (stamps // 10**9 + 4 * 86_400 - 4 * 3600) % (7 * 86_400)
    stamps = stamps[(second >= 17 * 3600) & (second < 5 * 86_400 + 17 * 3600)][:bars]
    size = PRICES[symbol] * 0.0005 * np.exp(0.5 * np.sin(np.arange(len(stamps)) / 40.0))
    close = PRICES[symbol] + np.cumsum(size * rng.standard_normal(len(stamps)))
    opened = np.concatenate(([PRICES[symbol]], close[:-1])) + 0.1 * size * rng.standard_normal(len(stamps))
    high = np.maximum(opened, close) + size * rng.random(len(stamps))
    low = np.minimum(opened, close) - size * rng.random(len(stamps))
    kept = np.ones(len(stamps), np.bool_)
    if holes:
        kept &= rng.random(len(stamps)) > 0.01
        for start in rng.integers(0, len(stamps), 2):
            kept[start : start + int(rng.integers(2, 40))] = False
    opened, high, low, close = (np.round(column[kept], spec.digits) for column in (opened, high, low, close))
    count = int(kept.sum())
    return Candles(stamps[kept], opened, high, low, close, rng.integers(1, 999, count), rng.integers(0, 12, count))


def recording(
    pairs: tuple[str, ...], conversions: tuple[str, ...], *, seed: int, bars: int, past: int, holes: bool = True
) -> Recording:
    """Pairs with `past` bars of warm-up and the rest to trade, made up."""

    def pair(symbol: str, place: int) -> PairData:
        bid = candles(symbol, seed * 31 + place, bars, holes=holes)
        return PairData(symbol=symbol, series=(BarSeries(symbol=symbol, timeframe="M15", bid=bid, spread_known=True),))

    made = [pair(symbol, place) for place, symbol in enumerate((*pairs, *conversions))]
    firsts = [one.series[0].bid.open_utc_ns[past] for one in made if isinstance(one.series[0], BarSeries)]
    begin = -(-int(max(firsts)) // DAY_NS) * DAY_NS
    end = max(one.series[0].end_utc_ns for one in made)
    return Recording(pairs=tuple(made[: len(pairs)]), conversions=tuple(made[len(pairs) :]), from_utc_ns=begin, to_utc_ns=end)


def coin_settings(folder: Path, *changes: tuple[str, Any]) -> Settings:
    """Shipped settings with the coin for a strategy, and quick to warm up."""
    return shipped_settings(*BASE, ("strategy.file", str(coin_file(folder))), *changes)


def coin_market(
    settings: Settings, strategy: LoadedStrategy, *, seed: int = 1, bars: int = 3_000, holes: bool = True
) -> RecordedDays:
    """A market for the settings' pairs and account currency."""
    pairs, currency = settings.desk.pairs, settings.simulation.currency
    others = conversion_pairs(pairs, currency, PRICES.__contains__)
    past = history_bars(strategy, settings)
    return RecordedDays(
        recording(pairs, others, seed=seed, bars=bars, past=past, holes=holes), label="made up", rates={}, news=None
    )


def run(settings: Settings, *, seed: int = 1, bars: int = 3_000, **how: Any) -> Any:
    """One backtest on a made-up market."""
    strategy = load_strategy(settings)
    return Backtest(coin_market(settings, strategy, seed=seed, bars=bars), settings, strategy, **how).run_once()


def drawn(folder: Path, seed: int) -> Settings:
    """Settings drawn by a seed: account, path, care, caps and breakers."""
    rng = random.Random(seed)
    pick = rng.choice
    pairs = rng.sample(["EURUSD", "GBPUSD", "USDJPY", "EURGBP", "USDCHF"], rng.randint(2, 4))
    return coin_settings(
        folder,
        ("desk.pairs", pairs),
        (
            "strategy.parameters",
            {"every": pick([7, 15, 40, 90]), "salt": seed, "stop_x": pick([1.5, 2.5]), "target_x": pick([3.0, 6.0])},
        ),
        ("simulation.currency", pick(["USD", "EUR", "JPY"])),
        ("simulation.balance_money", 1_000_000.0),
        ("simulation.hedging", pick([True, False])),
        ("costs.intrabar_order", pick(["pessimistic", "neutral", "optimistic"])),
        ("costs.slippage_pips", pick([0.0, 0.3])),
        ("filters.opposite_signal_action", pick(["ignore", "close", "reverse"])),
        ("filters.entry_hours", pick([[], ["Europe/London 07:00-20:00"]])),
        ("position.pyramid", pick([True, False])),
        ("position.pyramid_from_r", 0.3),
        ("position.time_exit_hours", pick([0.0, 2.0, 4.0, 30.0])),
        ("position.trail_from_r", pick([0.3, 0.5])),
        ("position.profit_retrace_from_r", pick([0.2, 0.5])),
        ("position.weekend_close_from", pick(["Fri 15:30", "Sat 00:00"])),
        ("kelly.enabled", pick([True, False])),
        ("correlation.over_limit_action", pick(["skip", "shrink", "hedge"])),
        ("correlation.risk_max_pct", pick([1.2, 3.0])),
        ("breakers.positions_per_pair_max", pick([1, 2])),
        ("breakers.consecutive_losses_max", pick([3, 100])),
        ("breakers.day_loss_max_pct", pick([1.5, 5.0])),
        ("breakers.entries_per_day_max", pick([4, 50])),
        ("breakers.trip_action", pick(["stop", "flatten"])),
        ("prop_firm.enabled", pick([True, False, False])),
        ("strategy.net_reward_risk_min", pick([0.5, 1.5])),
        ("position.trail_x_atr", pick([0.0, 0.8, 2.0])),
        ("position.trail_step_x_atr", pick([0.0, 0.25])),
        ("position.profit_retrace_pct", pick([10.0, 25.0, 100.0])),
        ("position.profit_retrace_close_pct", pick([50.0, 100.0])),
        ("breakers.drawdown_max_pct", pick([100.0, 100.0, 4.0])),
    )
