"""The same days run again: at twice the costs, and begun on later days; what a diagnosis asks beyond the run itself.

Why: a more expensive market is not only the same trades at a worse price (some are refused, stops are reached sooner), and a
later first day is not only the first trades left out (equity, breakers and what is open differ from there on).
Promises: spread (recorded, floor, rollover), commission and slippage twice, nothing else; bounded: one run and `LATER_DAYS`.
Does not: judge (`diagnosis`). Swap is booked at its recorded rates; what was paid of it is for the reader to take twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.backtest.backtest_settings import plain_tree
from quarterdeck.core.backtest.backtester import ProgressListener
from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.compiled.load import backtested
from quarterdeck.core.data.series import PairData, Recording, Series, TickSeries
from quarterdeck.core.model.candles import Candles, FloatArray
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.settings.parameters import parameters
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import validated
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

LATER_DAYS = (1, 3, 7, 12, 19)
"""Days by which the begin is moved."""
_RANGE_MIN_DAYS = 40
"""A shorter range is not begun later: too little of it would be left to compare."""
_TIMES = 2
_COSTS = ("commission_usd_per_lot_side", "default_spread_pips", "spread_floor_pips", "rollover_spread_pips_min", "slippage_pips")


class StressRuns(Struct, frozen=True, kw_only=True):
    """What came of it."""

    at_double_costs: BacktestResult
    later_starts: tuple[tuple[int, BacktestResult], ...]
    """(days later, the run), the earliest first; empty where the range is short."""


def run_stress(
    market: RecordedDays, settings: Settings, strategy: LoadedStrategy, result: BacktestResult, watcher: ProgressListener | None
) -> StressRuns | None:
    """Run it all; None when `watcher` had enough. Raises DataError, SettingsError as the first run would."""
    dear = backtested(market.with_recording(double_spreads(market.recording)), double_costs(settings), strategy, watcher)
    if not dear.complete:
        return None
    later = []
    if result.to_utc_ns - result.from_utc_ns >= _RANGE_MIN_DAYS * DAY_NS:
        for days in LATER_DAYS:
            begun = replace(market.recording, from_utc_ns=market.recording.from_utc_ns + days * DAY_NS)
            run = backtested(market.with_recording(begun), settings, strategy, watcher)
            if not run.complete:
                return None
            later.append((days, run))
    return StressRuns(at_double_costs=dear, later_starts=tuple(later))


def double_costs(settings: Settings) -> Settings:
    """The settings with every cost that they name twice, at most what they may be; those of single pairs too."""
    tree = plain_tree(settings)
    for costs in (tree["costs"], *(own["costs"] for own in tree.get("pair", {}).values() if "costs" in own)):
        _double(costs)
    return validated(tree, "twice the costs")


def double_spreads(recording: Recording) -> Recording:
    """The recording with every spread in it twice; bid prices stay."""
    pairs, conversions = ((*map(_dearer_pair, group),) for group in (recording.pairs, recording.conversions))
    return replace(recording, pairs=pairs, conversions=conversions)


def _double(costs: dict[str, Any]) -> None:
    for name in _COSTS:
        if name in costs:
            most = parameters()[f"costs.{name}"].high
            wanted = costs[name] * _TIMES
            costs[name] = wanted if most is None else min(wanted, most)


def _dearer_pair(pair: PairData) -> PairData:
    return replace(pair, series=tuple(_dearer_series(one) for one in pair.series))


def _dearer_series(series: Series) -> Series:
    if isinstance(series, TickSeries):
        return replace(series, ask=series.bid + _TIMES * (series.ask - series.bid))
    bid, ask = series.bid, series.ask
    spread = np.asarray(bid.spread_points) * _TIMES
    doubled = Candles(bid.open_utc_ns, bid.open, bid.high, bid.low, bid.close, bid.tick_volume, spread)
    if ask is None:
        return replace(series, bid=doubled)
    opened, high, low, close = (
        bid_part + _TIMES * (ask_part - bid_part) for bid_part, ask_part in zip(_prices(bid), _prices(ask), strict=True)
    )
    return replace(
        series, bid=doubled, ask=Candles(ask.open_utc_ns, opened, high, low, close, ask.tick_volume, ask.spread_points)
    )


def _prices(candles: Candles) -> tuple[FloatArray, ...]:
    return candles.open, candles.high, candles.low, candles.close
