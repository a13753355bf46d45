"""The shipped strategy: trade with the trend of the H1 bars when the M15 bars resume it after a pullback.

H1 trend: the least-squares line through the last H1 closes rises or falls by enough hourly ranges, along a path not too
crooked. M15 trigger: the RSI dipped against the trend within the last bars, and this bar is the first to close beyond the
bars before it. Volatility regime: the last four hours against the same hours of the days before, so that a quiet night is no
calm market. Stop and target are multiples of ATR(M15), by regime. Confidence is a base for having all conditions, and parts
for how well they are met. No claim of an edge is made: the figures are round, and nothing was fitted to the recorded data.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Struct

from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.settings.schema import number
from quarterdeck.core.strategy.indicators import atr, ema, highest, lowest, recursive_bars, rsi
from quarterdeck.core.strategy.interface import BoolArray, Columns, Decision, Regime, Trend
from quarterdeck.core.strategy.rolling import (
    efficiency,
    lagged,
    lagged_mean,
    mean_true_range,
    onto_m15,
    ramp,
    slope,
    true_range,
    window_mean,
)

_BARS_A_DAY_MAX = 96
_REGIMES: tuple[Regime, ...] = ("low", "normal", "high")
_PARTS = ("trend", "path", "alignment", "pullback", "trigger")
_PART_NOTE = "how well it is met, 0 to 1; the threshold is its weight"


class TrendParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `trend`."""

    h1_slope_bars: Annotated[int, number("H1 bars of the trend line", "H1 bars", 12, 240, "next start")] = 48
    h1_slope_min_x_atr: Annotated[float, number("Minimum move of that line", "x ATR(H1)", 0, 50, "next start", 0.5)] = 2.5
    h1_path_bars: Annotated[
        int, number("H1 bars over which it is measured how straight the price moved", "H1 bars", 6, 240, "next start")
    ] = 24
    h1_atr_bars: Annotated[int, number("H1 bars in ATR(H1)", "H1 bars", 5, 100, "next start")] = 14
    m15_fast_bars: Annotated[int, number("Fast EMA", "M15 bars", 3, 100, "next start")] = 13
    m15_slow_bars: Annotated[int, number("Slow EMA", "M15 bars", 5, 200, "next start")] = 34
    m15_atr_bars: Annotated[int, number("M15 bars in ATR(M15)", "M15 bars", 5, 50, "next start")] = 14
    m15_rsi_bars: Annotated[int, number("M15 bars in RSI", "M15 bars", 5, 50, "next start")] = 14
    pullback_rsi: Annotated[
        float, number("RSI that is a pullback in a rise; 100 minus it in a fall", "RSI", 5, 50, "next start", 1)
    ] = 45.0
    pullback_bars: Annotated[int, number("Maximum age of the pullback", "M15 bars", 2, 50, "next start")] = 8
    break_bars: Annotated[int, number("Bars that the close must break", "M15 bars", 1, 50, "next start")] = 3
    regime_days: Annotated[int, number("Days from which normal volatility is computed", "days", 3, 60, "next start")] = 10
    regime_bars: Annotated[int, number("M15 bars from which current volatility is computed", "M15 bars", 4, 96, "next start")] = (
        16
    )
    regime_low_x: Annotated[float, number("Low volatility is below", "x normal", 0.1, 1, "next start", 0.05)] = 0.8
    regime_high_x: Annotated[float, number("High volatility is above", "x normal", 1, 10, "next start", 0.05)] = 1.3
    stop_low_x_atr: Annotated[float, number("Stop, low volatility", "x ATR(M15)", 0.5, 20, "next start", 0.1)] = 2.0
    stop_normal_x_atr: Annotated[float, number("Stop, normal volatility", "x ATR(M15)", 0.5, 20, "next start", 0.1)] = 2.5
    stop_high_x_atr: Annotated[float, number("Stop, high volatility", "x ATR(M15)", 0.5, 20, "next start", 0.1)] = 3.0
    target_low_x_atr: Annotated[float, number("Target, low volatility", "x ATR(M15)", 0.5, 60, "next start", 0.1)] = 4.4
    target_normal_x_atr: Annotated[float, number("Target, normal volatility", "x ATR(M15)", 0.5, 60, "next start", 0.1)] = 5.0
    target_high_x_atr: Annotated[float, number("Target, high volatility", "x ATR(M15)", 0.5, 60, "next start", 0.1)] = 5.7
    confidence_base: Annotated[float, number("Confidence of a bare candidate", "0..1", 0, 1, "next start", 0.01)] = 0.4
    weight_trend: Annotated[float, number("Weight of the trend's strength", "", 0, 1, "next start", 0.05)] = 0.3
    weight_path: Annotated[float, number("Weight of how straight the price moved", "", 0, 1, "next start", 0.05)] = 0.15
    weight_alignment: Annotated[float, number("Weight of the M15 averages' agreement", "", 0, 1, "next start", 0.05)] = 0.2
    weight_pullback: Annotated[float, number("Weight of the pullback's depth", "", 0, 1, "next start", 0.05)] = 0.15
    weight_trigger: Annotated[float, number("Weight of the breaking bar", "", 0, 1, "next start", 0.05)] = 0.2


class TrendStrategy:
    """See the module."""

    name: ClassVar[str] = "trend"
    timeframes: ClassVar[tuple[str, ...]] = ("M15", "H1")
    Parameters: ClassVar[type[Struct]] = TrendParameters

    def __init__(self, parameters: TrendParameters) -> None:
        """Keeps its parameters and nothing else."""
        self._p = parameters
        weights = np.array([getattr(parameters, f"weight_{part}") for part in _PARTS])
        total = float(weights.sum())
        shares = (weights / total if total > 0.0 else weights) * (1.0 - parameters.confidence_base)
        self._parts = tuple(
            (f"confidence.{part}", f"part_{part}", share) for part, share in zip(_PARTS, shares.tolist(), strict=True)
        )

    @property
    def warmup_bars(self) -> int:
        """M15 bars that the last row needs, itself included."""
        p = self._p
        recursive = recursive_bars(ema=max(p.m15_fast_bars, p.m15_slow_bars), wilder=max(p.m15_atr_bars, p.m15_rsi_bars))
        usual = p.regime_days * _BARS_A_DAY_MAX + p.regime_bars + 1
        return max(recursive + max(p.pullback_bars, p.break_bars + 2), usual)

    @property
    def warmup_h1_bars(self) -> int:
        """Closed H1 bars that the last row needs."""
        p = self._p
        return max(p.h1_slope_bars, p.h1_path_bars, p.h1_atr_bars) + 2

    def prepare(self, m15: Candles, h1: Candles, instrument: Instrument) -> Columns:
        """All figures as columns; of the instrument only its day is needed, since everything is in ranges."""
        columns = Columns(m15, h1)
        self._trend(columns)
        self._trigger(columns)
        self._regime(columns, instrument.m15_bars_a_day)
        self._confidence(columns)
        return columns

    def candidates(self, columns: Columns) -> BoolArray:
        """Rows where trend, pullback and fresh break stand together."""
        p = self._p
        found: BoolArray = (
            (np.abs(columns["h1_way"]) >= p.h1_slope_min_x_atr)
            & (columns["pullback_rsi"] <= p.pullback_rsi)
            & (columns["break"] > 0.0)
            & (columns["break_before"] <= 0.0)
            & (columns["stop_x_atr"] > 0.0)
        )
        return found

    def decide(self, columns: Columns, row: int, instrument: Instrument) -> Decision:
        """The decision at one row, with the number behind each condition."""
        del instrument
        p, at = self._p, columns.values
        way, depth = at["h1_way"].item(row), at["pullback_rsi"].item(row)
        beyond, before = at["break"].item(row), at["break_before"].item(row)
        stop_x, ratio = at["stop_x_atr"].item(row), at["volatility"].item(row)
        strong, pulled = abs(way) >= p.h1_slope_min_x_atr, depth <= p.pullback_rsi
        broke, fresh = beyond > 0.0, before <= 0.0
        regime = self._regime_word(stop_x, ratio)
        votes = (
            Check("h1_trend", way, p.h1_slope_min_x_atr, strong, "ATR(H1) along the trend line"),
            Check("m15_pullback", depth, p.pullback_rsi, pulled, "deepest RSI, seen along the trend"),
            Check("m15_break", beyond, 0.0, broke, "ATR(M15) beyond the bars before"),
            Check("m15_first", before, 0.0, fresh, "the bar before had not broken out"),
            Check("volatility", ratio, None, stop_x > 0.0, regime),
        )
        trend: Trend = "unknown" if math.isnan(way) else "flat" if not strong else "up" if way > 0.0 else "down"
        if not (strong and pulled and broke and fresh and stop_x > 0.0):
            return Decision(votes=votes, regime=regime, h1_trend=trend, m15_state=_state(pulled, broke, fresh))
        side = Side.BUY if way > 0.0 else Side.SELL
        atr_price, close = at["atr"].item(row), columns.m15.close.item(row)
        return Decision(
            side=side,
            entry_price=close,
            stop_price=close - side * stop_x * atr_price,
            target_price=close + side * at["target_x_atr"].item(row) * atr_price,
            confidence=at["confidence"].item(row),
            votes=votes + tuple(Check(vote, at[part].item(row), share, True, _PART_NOTE) for vote, part, share in self._parts),
            regime=regime,
            h1_trend=trend,
            m15_state="resumed",
        )

    def _trend(self, columns: Columns) -> None:
        p, h1 = self._p, columns.h1
        if len(h1) > max(p.h1_slope_bars, p.h1_path_bars, p.h1_atr_bars):
            with np.errstate(divide="ignore", invalid="ignore"):
                way = slope(h1.close, p.h1_slope_bars) * p.h1_slope_bars / mean_true_range(h1, p.h1_atr_bars)
            path = efficiency(h1.close, p.h1_path_bars)
        else:
            way = path = np.full(len(h1), np.nan)
        columns["h1_way"] = onto_m15(way, columns.h1_rows)
        columns["h1_path"] = onto_m15(path, columns.h1_rows)

    def _trigger(self, columns: Columns) -> None:
        p, m15 = self._p, columns.m15
        sign = np.sign(columns["h1_way"])
        rising = sign > 0.0
        columns["atr"] = atr_price = atr(m15.high, m15.low, m15.close, p.m15_atr_bars)
        strength = rsi(m15.close, p.m15_rsi_bars)
        columns["pullback_rsi"] = np.where(rising, lowest(strength, p.pullback_bars), 100.0 - highest(strength, p.pullback_bars))
        above = lagged(highest(m15.high, p.break_bars), 1)
        below = lagged(lowest(m15.low, p.break_bars), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            up, down = (m15.close - above) / atr_price, (below - m15.close) / atr_price
            columns["break"] = np.where(rising, up, down)
            columns["break_before"] = np.where(rising, lagged(up, 1), lagged(down, 1))
            apart = ema(m15.close, p.m15_fast_bars) - ema(m15.close, p.m15_slow_bars)
            columns["alignment"] = sign * apart / atr_price
            span = m15.high - m15.low
            place = np.where(rising, m15.close - m15.low, m15.high - m15.close) / span
        columns["place"] = np.where(span > 0.0, place, 0.5)

    def _regime(self, columns: Columns, bars_a_day: int) -> None:
        p = self._p
        now = window_mean(true_range(columns.m15), p.regime_bars)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["volatility"] = ratio = now / lagged_mean(now, bars_a_day, p.regime_days)
        low, high, known = ratio < p.regime_low_x, ratio > p.regime_high_x, np.isfinite(ratio)
        for name in ("stop", "target"):
            calm, normal, wild = (getattr(p, f"{name}_{regime}_x_atr") for regime in _REGIMES)
            columns[f"{name}_x_atr"] = np.where(known, np.where(low, calm, np.where(high, wild, normal)), np.nan)

    def _confidence(self, columns: Columns) -> None:
        p = self._p
        columns["part_trend"] = ramp(np.abs(columns["h1_way"]), p.h1_slope_min_x_atr, 3.0 * p.h1_slope_min_x_atr)
        columns["part_path"] = ramp(columns["h1_path"], 0.05, 0.35)
        columns["part_alignment"] = ramp(columns["alignment"], -1.0, 0.5)
        columns["part_pullback"] = ramp(columns["pullback_rsi"], p.pullback_rsi, p.pullback_rsi - 12.0)
        columns["part_trigger"] = ramp(columns["place"], 0.5, 0.9)
        total: FloatArray = np.full(len(columns), p.confidence_base)
        for _, part, share in self._parts:
            total = total + share * columns[part]
        columns["confidence"] = total

    def _regime_word(self, stop_x: float, ratio: float) -> Regime:
        if not stop_x > 0.0:
            return "unknown"
        return "low" if ratio < self._p.regime_low_x else "high" if ratio > self._p.regime_high_x else "normal"


def _state(pulled: bool, broke: bool, fresh: bool) -> str:
    if broke:
        return "broke out before" if not fresh else "no pullback"
    return "pulled back" if pulled else "quiet"
