"""Symbol-bars a second of a backtest: five pairs of seeded synthetic M15 bars, from arrays in memory to trades and counts.

Run: `python -m benchmarks.backtest [bars a pair] [--twin BARS] [--calm] [--profile]`. The work: EMA 17/42 cross filtered by
RSI 14, stop 2 ATR, target 3 ATR, risk by the desk, all filters, caps and care on, a release of news a day, breakers that rearm
each day, pessimistic path. Figures of the strategy are included, the report is not. Beside it a shorter run lives every bar.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from core.backtest.market import Market
from core.backtest.result import BacktestResult
from core.backtest.run import Backtest
from core.brokers.simulator.instruments import instrument
from core.data.series import Bars, PairData, Recording
from core.engine.scanning import history_bars
from core.model.candles import Candles
from core.model.effects import TradeClosed
from core.model.inputs import News
from core.model.units import DAY_NS, H1_NS, M15_NS, UtcNs
from core.settings.load import shipped_settings
from core.settings.schema import Settings
from core.strategy.load import load_strategy

PAIRS = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD")
PRICES = {"EURUSD": 1.09, "GBPUSD": 1.28, "USDJPY": 147.0, "USDCHF": 0.87, "AUDUSD": 0.66}
FIRST_NS = 1_293_926_400 * 10**9
"""Sunday 2011-01-02 00:00 UTC."""
CROSS = """
from typing import ClassVar
import numpy as np
from msgspec import Struct
from core.model.market import Side
from core.strategy.interface import Columns, Decision
from core.strategy.talib_light import atr, ema, recursive_bars, rsi
from core.strategy.windows import lagged


class CrossParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Cross:
    name: ClassVar[str] = "cross"
    timeframes: ClassVar[tuple[str, ...]] = ("M15",)
    Parameters: ClassVar[type[Struct]] = CrossParameters
    warmup_bars: ClassVar[int] = recursive_bars(ema=50, wilder=14) + 2
    warmup_h1_bars: ClassVar[int] = 16

    def __init__(self, parameters):
        pass

    def prepare(self, m15, h1, instrument):
        columns = Columns(m15, h1)
        columns["atr"] = atr(m15.high, m15.low, m15.close, 14)
        columns["rsi"] = rsi(m15.close, 14)
        columns["apart"] = apart = ema(m15.close, 17) - ema(m15.close, 42)
        columns["apart_before"] = lagged(apart, 1)
        columns["doubt"] = (m15.open_utc_ns // 900_000_000_000 % 257 == 0).astype(np.float64)
        return columns

    def candidates(self, columns):
        up = (columns["apart"] > 0) & (columns["apart_before"] <= 0) & (columns["rsi"] > 50)
        down = (columns["apart"] < 0) & (columns["apart_before"] >= 0) & (columns["rsi"] < 50)
        return up | down

    def decide(self, columns, row, instrument):
        apart, before, strength = (columns[name].item(row) for name in ("apart", "apart_before", "rsi"))
        if apart > 0 and before <= 0 and strength > 50:
            side = Side.BUY
        elif apart < 0 and before >= 0 and strength < 50:
            side = Side.SELL
        else:
            return Decision()
        close, reach = columns.m15.close.item(row), columns["atr"].item(row)
        return Decision(
            side=side,
            entry_price=close,
            stop_price=close - side * 2.0 * reach,
            target_price=close + side * 3.0 * reach,
            confidence=0.3 if columns.m15.open_utc_ns.item(row) // 900_000_000_000 % 257 == 0 else 0.9,
        )
"""


def candles(symbol: str, bars: int, seed: int) -> Candles:
    """A seeded walk with a day's rhythm; weekends have no bars."""
    rng = np.random.default_rng(seed)
    stamps = FIRST_NS + M15_NS * np.arange(bars * 3 // 2, dtype=np.int64)
    week_s = (stamps // 10**9 + 4 * 86_400 - 5 * 3600) % (7 * 86_400)
    stamps = stamps[(week_s >= 17 * 3600) & (week_s < 5 * 86_400 + 17 * 3600)]
    stamps = stamps[rng.random(len(stamps)) > 0.0005][:bars]  # a bar is missing now and then
    hours = stamps // (3600 * 10**9) % 24
    size = 0.0007 * (1.0 + 0.6 * np.sin((hours - 7) / 24 * 2 * np.pi)) * np.exp(0.3 * np.sin(np.arange(bars) / 9_000))
    leap = np.where(rng.random(bars) < 0.02, 2.0, 0.05) * size * rng.standard_normal(bars)
    walk = np.cumsum(size * rng.standard_normal(bars) + leap)
    close = PRICES[symbol] * np.exp(walk - np.linspace(0.0, walk[-1], bars))
    opened = np.concatenate(([PRICES[symbol]], close[:-1])) * np.exp(leap)
    high = np.maximum(opened, close) * (1 + size * 0.5 * rng.random(bars))
    low = np.minimum(opened, close) * (1 - size * 0.5 * rng.random(bars))
    digits = instrument(symbol).digits
    prices = [np.round(one, digits) for one in (opened, high, low, close)]
    spread = np.where(rng.random(bars) < 0.005, 40, rng.integers(0, 4, bars))
    return Candles(stamps, prices[0], prices[1], prices[2], prices[3], rng.integers(1, 999, bars), spread)


def calendar(from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[News, ...]:
    """A red release a day, in turn of one currency and another."""
    days = range(from_utc_ns // DAY_NS, to_utc_ns // DAY_NS)
    currencies = ("USD", "EUR", "GBP", "JPY", "CHF", "AUD")
    return tuple(
        News(at_utc_ns=day * DAY_NS + 13 * H1_NS + H1_NS // 2, currency=currencies[day % 6], impact="high", title="release")
        for day in days
    )


def settings_of(folder: Path) -> Settings:
    """Everything on; the drawdown breaker out of the way, so that the run is not over in its first year."""
    path = folder / "cross.py"
    path.write_text(CROSS, encoding="utf-8")
    return shipped_settings(
        ("desk.pairs", list(PAIRS)),
        ("strategy.file", str(path)),
        ("strategy.name", "Cross"),
        ("strategy.net_reward_risk_min", 1.15),
        ("breakers.drawdown_max_pct", 100.0),
        ("simulation.balance_money", 1_000_000_000.0),
        ("risk.risk_per_trade_pct", 0.25),
        ("kelly.risk_min_pct", 0.1),
        ("filters.entry_hours", ["America/New_York 17:30-17:00"]),
        ("filters.atr_price_max_pct", 0.3),
        ("filters.atr_percentile_min", 2.0),
        ("filters.atr_percentile_max", 99.0),
        ("breakers.entries_per_day_max", 14),
        ("breakers.losses_in_row_max", 6),
        ("breakers.positions_max", 3),
        ("correlation.policy", "shrink"),
    )


def market_of(settings: Settings, bars: int) -> tuple[Market, Any]:
    """The recording in memory, and the strategy."""
    strategy = load_strategy(settings)
    past = history_bars(strategy, settings)
    made = []
    for place, symbol in enumerate(settings.desk.pairs):
        bid = candles(symbol, bars + past, 11 + place)
        made.append(PairData(symbol=symbol, series=(Bars(symbol=symbol, timeframe="M15", bid=bid, spread_known=True),)))
    first = made[0].series[0]
    assert isinstance(first, Bars)
    begin = -(-int(first.bid.open_utc_ns[past]) // DAY_NS) * DAY_NS
    recording = Recording(pairs=tuple(made), conversions=(), from_utc_ns=begin, to_utc_ns=first.end_utc_ns)
    return Market(recording, label="synthetic", rates={}, news=calendar(begin, first.end_utc_ns)), strategy


def told(name: str, result: BacktestResult, wall_s: float, cpu_s: float) -> None:
    """Two lines of figures, then the counts."""
    total = result.summary
    rate = f"{result.bars:,} symbol-bars, {result.bars / cpu_s:,.0f} a CPU second"
    print(f"{name}: {rate}, {cpu_s:.2f} s of CPU, {wall_s:.2f} s, peak {peak_mib():.0f} MiB, digest {total.digest}")
    held = sum(held_bars(trade) for trade in result.trades) / result.bars
    print(f"  {total.trades:,} trades, a position open in {held:.1%} of the symbol-bars, exits {total.exits}")
    print(f"  {total.signals:,} candidates, refused {total.refusals}; told bar by bar {result.bars_fed:,}")


def held_bars(trade: TradeClosed) -> int:
    """In how many M15 bars a trade was open, weekends left out."""
    day = 5 * DAY_NS
    weeks = (trade.closed_utc_ns + day) // (7 * DAY_NS) - (trade.opened_utc_ns + day) // (7 * DAY_NS)
    return max((trade.closed_utc_ns - trade.opened_utc_ns) // M15_NS - weeks * 192, 0)


def peak_mib() -> float:
    """The most memory this process had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(settings: Settings, bars: int, *, every_bar: bool, profiled: bool = False) -> BacktestResult:
    """One run, its figures printed."""
    market, strategy = market_of(settings, bars)
    profile = cProfile.Profile()
    wall, cpu = time.perf_counter(), time.process_time()
    if profiled:
        profile.enable()
    result = Backtest(market, settings, strategy, every_bar=every_bar, columns=True).go()
    if profiled:
        profile.disable()
    told("every bar" if every_bar else "skipping", result, time.perf_counter() - wall, time.process_time() - cpu)
    if profiled:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(60)
    return result


def main() -> None:
    """Measure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("bars", nargs="?", type=int, default=250_000)
    asked.add_argument("--twin", type=int, default=8_000, help="bars a pair of the run beside it, every bar lived")
    asked.add_argument("--calm", action="store_true", help="the shipped strategy, which trades seldom")
    asked.add_argument("--profile", action="store_true")
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        settings = settings_of(Path(folder))
        if given.calm:
            settings = shipped_settings(("desk.pairs", list(PAIRS)), ("breakers.drawdown_max_pct", 100.0))
        measured(settings, given.bars, every_bar=False, profiled=given.profile)
        if given.twin:
            print(f"both ways, {given.twin:,} bars a pair:")
            one, other = (measured(settings, given.twin, every_bar=every_bar) for every_bar in (False, True))
            same = one.summary == other.summary and one.rejected == other.rejected and one.equity == other.equity
            print(f"  {'the same' if same else 'DIFFERENT'} to the last refusal and mark of equity")


if __name__ == "__main__":
    main()
