"""The seeded market, the strategy and the settings that the backtest is measured with: a desk on which everything is on.

Why: a figure of speed says little about a desk that refuses nothing. Here every filter, cap, breaker and piece of care comes
to bear, and the market has calm and wild days, wide spreads, gaps, holes and releases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.data.series import BarSeries, PairData, Recording
from quarterdeck.core.engine.scanner_setup import history_bars
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.units import DAY_NS, H1_NS, M15_NS, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

PAIRS = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD")
PRICES = {"EURUSD": 1.09, "GBPUSD": 1.28, "USDJPY": 147.0, "USDCHF": 0.87, "AUDUSD": 0.66}
FIRST_NS = 1_293_926_400 * 10**9
"""Sunday 2011-01-02 00:00 UTC."""
TREND = 0.125
"""Slow swings, as a share of a bar's size: the strategy about breaks even on them, so the account is there to the end."""
CROSS = """
from typing import Annotated, ClassVar
import numpy as np
from msgspec import Struct
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.schema import number
from quarterdeck.core.strategy.interface import Columns, Decision
from quarterdeck.core.strategy.indicators import atr, ema, recursive_bars, rsi
from quarterdeck.core.strategy.rolling import lagged


class CrossParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fast: Annotated[int, number("Fast mean", "bars", 2, 50, "next start")] = 17
    slow: Annotated[int, number("Slow mean", "bars", 2, 50, "next start")] = 42
    again: Annotated[int, number("Asks again along the trend in one bar of so many; 0 never", "bars", 0, 1000, "next start")] = 0


class Cross:
    name: ClassVar[str] = "cross"
    timeframes: ClassVar[tuple[str, ...]] = ("M15",)
    Parameters: ClassVar[type[Struct]] = CrossParameters
    warmup_bars: ClassVar[int] = recursive_bars(ema=50, wilder=14) + 2
    warmup_h1_bars: ClassVar[int] = 16

    def __init__(self, parameters):
        self._p = parameters

    def prepare(self, m15, h1, instrument):
        columns = Columns(m15, h1)
        columns["atr"] = atr(m15.high, m15.low, m15.close, 14)
        apart = ema(m15.close, self._p.fast) - ema(m15.close, self._p.slow)
        strength = rsi(m15.close, 14)
        before, weaker = lagged(apart, 1), lagged(strength, 1)
        up = (apart > 0) & (before <= 0) & (strength > 50)
        down = (apart < 0) & (before >= 0) & (strength < 50)
        if self._p.again:
            asked = m15.open_utc_ns // 900_000_000_000 % self._p.again == 0
            up |= asked & (apart > 0) & (strength > 55) & (weaker <= 55)
            down |= asked & (apart < 0) & (strength < 45) & (weaker >= 45)
        columns["side"] = up.astype(np.float64) - down
        columns["doubt"] = (m15.open_utc_ns // 900_000_000_000 % 257 == 0).astype(np.float64)
        return columns

    def candidates(self, columns):
        return columns["side"] != 0

    def decide(self, columns, row, instrument):
        side = columns["side"].item(row)
        if not side:
            return Decision()
        side = Side.BUY if side > 0 else Side.SELL
        close, reach = columns.m15.close.item(row), columns["atr"].item(row)
        return Decision(
            side=side,
            entry_price=close,
            stop_price=close - side * 2.0 * reach,
            target_price=close + side * 3.0 * reach,
            confidence=0.3 if columns["doubt"].item(row) else 0.9,
        )
"""


def workload_candles(symbol: str, bars: int, seed: int) -> Candles:
    """A seeded walk with a day's rhythm, calm and wild days, gaps and wide spreads; weekends have no bars."""
    rng = np.random.default_rng(seed)
    stamps = FIRST_NS + M15_NS * np.arange(bars * 3 // 2, dtype=np.int64)
    week_s = (stamps // 10**9 + 4 * 86_400 - 5 * 3600) % (7 * 86_400)
    stamps = stamps[(week_s >= 17 * 3600) & (week_s < 5 * 86_400 + 17 * 3600)]
    stamps = stamps[rng.random(len(stamps)) > 0.0005][:bars]  # a bar is missing now and then
    hours = stamps // (3600 * 10**9) % 24
    size = 0.0007 * (1.0 + 0.6 * np.sin((hours - 7) / 24 * 2 * np.pi)) * np.exp(0.3 * np.sin(np.arange(bars) / 9_000))
    days = (stamps - FIRST_NS) // DAY_NS
    size *= np.exp(0.2 * rng.standard_normal(int(days[-1]) + 1))[days]
    size *= np.where(rng.random(int(days[-1]) + 1) < 0.02, 3.0, 1.0)[days]
    leap = np.where(rng.random(bars) < 0.02, 2.0, 0.05) * size * rng.standard_normal(bars)
    leap *= np.where(rng.random(bars) < 0.0005, 8.0, 1.0)
    swing = TREND * size * np.sin(np.arange(bars) / 24)
    walk = np.cumsum(size * rng.standard_normal(bars) + leap + swing)
    close = PRICES[symbol] * np.exp(walk - np.linspace(0.0, walk[-1], bars))
    opened = np.concatenate(([PRICES[symbol]], close[:-1])) * np.exp(leap)
    high = np.maximum(opened, close) * (1 + size * 0.5 * rng.random(bars))
    low = np.minimum(opened, close) * (1 - size * 0.5 * rng.random(bars))
    digits = instrument(symbol).digits
    prices = [np.round(one, digits) for one in (opened, high, low, close)]
    spread = np.where(rng.random(bars) < 0.005, rng.integers(20, 60, bars), rng.integers(0, 4, bars))
    return Candles(stamps, prices[0], prices[1], prices[2], prices[3], rng.integers(1, 999, bars), spread)


def workload_calendar(from_utc_ns: UtcNs, to_utc_ns: UtcNs) -> tuple[NewsEvent, ...]:
    """A red release a day, in turn of one currency and another."""
    days = range(from_utc_ns // DAY_NS, to_utc_ns // DAY_NS)
    currencies = ("USD", "EUR", "GBP", "JPY", "CHF", "AUD")
    return tuple(
        NewsEvent(at_utc_ns=day * DAY_NS + 13 * H1_NS + H1_NS // 2, currency=currencies[day % 6], impact="high", title="release")
        for day in days
    )


EVERYTHING: tuple[tuple[str, Any], ...] = (
    ("strategy.net_reward_risk_min", 1.15),
    ("strategy.parameters", {"again": 6}),
    ("simulation.balance_money", 1_000_000.0),
    ("simulation.leverage", 3),
    ("filters.entry_hours", ["America/New_York 17:30-17:00"]),
    ("filters.spread_pips_max", 5.0),
    ("filters.atr_price_max_pct", 0.25),
    ("filters.atr_percentile_min", 2.0),
    ("filters.atr_percentile_max", 99.5),
    ("risk.risk_per_trade_pct", 0.25),
    ("risk.open_risk_max_pct", 0.7),
    ("kelly.enabled", True),
    ("kelly.lookback_trades", 30),
    ("kelly.risk_min_pct", 0.2),
    ("correlation.over_limit_action", "shrink"),
    ("correlation.risk_max_pct", 0.4),
    ("exposure.position_max_x_equity", 4.0),
    ("exposure.currency_max_x_equity", 2.0),
    ("exposure.total_max_x_equity", 3.4),
    ("exposure.gap_risk_max_pct", 2.0),
    ("breakers.drawdown_max_pct", 100.0),
    ("breakers.day_loss_max_pct", 1.1),
    ("breakers.margin_level_min_pct", 105.0),
    ("breakers.entries_per_day_max", 14),
    ("breakers.consecutive_losses_max", 6),
    ("breakers.positions_max", 3),
    ("prop_firm.enabled", True),
    ("prop_firm.day_start", "00:00"),
    ("prop_firm.day_zone", "Asia/Tokyo"),
    ("prop_firm.day_base", "balance"),
    ("prop_firm.day_loss_pct", 2.0),
    ("prop_firm.reduce_only_buffer_pct", 50.0),
    ("prop_firm.close_buffer_pct", 40.0),
    ("prop_firm.overall_loss_pct", 100.0),
    ("prop_firm.starting_balance_money", 500_000.0),
    ("prop_firm.best_day_max_pct", 1.5),
    ("prop_firm.lots_max", 30.0),
    ("position.pyramid", True),
    ("position.pyramid_from_r", 0.2),
    ("position.pyramid_pullback_x_atr", 0.1),
    ("position.pyramid_adds_max", 1),
    ("position.early_closes", ["2011-11-25 13:00", "2012-07-03 13:00", "2013-12-24"]),
    ("pair.EURUSD.position.pyramid", False),
    ("pair.GBPUSD.filters.opposite_signal_action", "close"),
    ("pair.USDJPY.filters.opposite_signal_action", "reverse"),
    ("pair.AUDUSD.exposure.total_max_x_equity", 1.5),
    ("pair.USDCHF.correlation.over_limit_action", "skip"),
)
"""All filters, caps, breakers and care on, each binding now and then; only what ends a run for good is out of the way."""


class ShortRun(NamedTuple):
    """A short run beside the long one, for refusals that the long one cannot have."""

    why: str
    changes: tuple[tuple[str, Any], ...]
    wanted: tuple[str, ...]
    news: bool = True
    minutes: bool = False
    """The last pair has minutes too, and only some of each quarter of an hour."""


_OWN: tuple[tuple[str, Any], ...] = (("prop_firm.enabled", False),)
_ADDS: tuple[tuple[str, Any], ...] = (
    *_OWN,
    ("strategy.parameters", {"again": 1}),
    ("position.pyramid_from_r", 0.1),
    ("position.pyramid_pullback_x_atr", 0.0),
    ("position.time_exit_hours", 30.0),
    ("position.profit_retrace_pct", 100.0),
    ("position.trail_from_r", 0.1),
    ("position.trail_x_atr", 0.6),
    ("breakers.entries_per_day_max", 100),
)
ASIDES = (
    ShortRun("only the operator takes a drawdown back", (("breakers.drawdown_max_pct", 2.0),), ("drawdown",)),
    ShortRun(
        "Kelly asked to stop entries: no trade closes any more that could turn it",
        (("kelly.negative_action", "reduce_only"), ("kelly.lookback_trades_min", 10)),
        ("kelly",),
    ),
    ShortRun("a run has a calendar or has none", (("news.no_calendar_action", "hold"),), ("calendar",), news=False),
    ShortRun(
        "the overall loss of a funded account ends it",
        (
            ("prop_firm.starting_balance_money", 0.0),
            ("prop_firm.overall_loss_pct", 2.5),
            ("prop_firm.reduce_only_buffer_pct", 5.0),
            ("prop_firm.close_buffer_pct", 2.0),
        ),
        ("funded_overall",),
    ),
    ShortRun(
        "an account too small for its sizes",
        (
            *_OWN,
            ("simulation.balance_money", 2_500.0),
            ("exposure.position_max_x_equity", 0.4),
            ("pair.GBPUSD.exposure.position_max_x_equity", 7.0),
            ("pair.USDCHF.risk.risk_per_trade_pct", 0.05),
            ("correlation.risk_max_pct", 0.2),
        ),
        ("minimum_lots", "leverage_position", "correlation_lots"),
    ),
    ShortRun("adds wherever they are allowed", _ADDS, ("pyramid_adds",)),
    ShortRun(
        "adds on one net position, whose stop is nearer than theirs may be",
        (*_ADDS, ("simulation.hedging", False), ("risk.stop_atr_min_x", 2.5), ("strategy.net_reward_risk_min", 0.0)),
        ("pyramid_stops",),
    ),
    ShortRun("quotes grow old where ticks or minutes are missing", (), ("quote_age",), minutes=True),
)
"""What ends entries for good, or needs another account or calendar."""


def cross(folder: Path) -> tuple[tuple[str, Any], ...]:
    """The strategy as a file in `folder`, and the settings that name it."""
    path = folder / "cross.py"
    path.write_text(CROSS, encoding="utf-8")
    return (("strategy.file", str(path)), ("strategy.name", "Cross"))


def settings_of(folder: Path, *changes: tuple[str, Any]) -> Settings:
    """The shipped settings with everything on, and the strategy as a file in `folder`."""
    return shipped_settings(("desk.pairs", list(PAIRS)), *cross(folder), *EVERYTHING, *changes)


def minutes_of(bid: Candles) -> Candles:
    """Four minutes of each quarter of an hour, from its sixth on: the prices of its bar, each a minute long."""
    prices = np.column_stack((bid.open, bid.low, bid.high, bid.close)).ravel()
    stamps = (bid.open_utc_ns[:, None] + M15_NS // 15 * np.arange(5, 9)).ravel()
    return Candles(stamps, prices, prices, prices, prices, np.repeat(bid.tick_volume, 4), np.repeat(bid.spread_points, 4))


def market_of(settings: Settings, bars: int, *, news: bool = True, minutes: bool = False) -> tuple[RecordedDays, LoadedStrategy]:
    """The recording in memory, and the strategy."""
    strategy = load_strategy(settings)
    past = history_bars(strategy, settings)
    made = []
    for place, symbol in enumerate(settings.desk.pairs):
        bid = workload_candles(symbol, bars + past, 11 + place)
        series = [BarSeries(symbol=symbol, timeframe="M15", bid=bid, spread_known=True)]
        if minutes and symbol == settings.desk.pairs[-1]:
            series.insert(0, BarSeries(symbol=symbol, timeframe="M1", bid=minutes_of(bid[past:]), spread_known=True))
        made.append(PairData(symbol=symbol, series=tuple(series)))
    first = made[0].series[0]
    assert isinstance(first, BarSeries)
    begin = -(-int(first.bid.open_utc_ns[past]) // DAY_NS) * DAY_NS
    recording = Recording(pairs=tuple(made), conversions=(), from_utc_ns=begin, to_utc_ns=first.end_utc_ns)
    releases = workload_calendar(begin, first.end_utc_ns) if news else None
    return RecordedDays(recording, label="synthetic", rates={}, news=releases), strategy
