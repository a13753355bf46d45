"""What a scan of one pair needs to know, and the one function that turns a row of columns into a `Signal` or a `NoSignal`.

Why: the scanner (a bar at a time) and the backtest (whole columns) must answer alike to the last bit; both end here.
Promises: an exception or a nonsensical answer of a strategy becomes a `NoSignal` that says so, never more; a broken promise
of our own passes through.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.signals import Features, NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair
from quarterdeck.core.strategy.answers import decision_of, warmup_of
from quarterdeck.core.strategy.guarded_call import CallFailure, call_guarded
from quarterdeck.core.strategy.indicators import recursive_bars
from quarterdeck.core.strategy.interface import Columns, Decision, Strategy
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

ATR_BARS = 14
"""What ATR means wherever the desk speaks of ATR(M15) or ATR(H1)."""
AtrFigures: TypeAlias = tuple[float, float, float]
"""ATR(M15) and ATR(H1) in price, and the rank of ATR(M15)/price in percent, of one bar."""
STRATEGY_ERROR = "strategy error: "
"""How a `NoSignal` begins to say that the strategy raised something."""
_NOTHING_MEASURED: AtrFigures = (0.0, 0.0, 50.0)
_M15_A_WEEK = 480
_DAYS_A_WEEK = 7
_H1_ROWS_MIN = ATR_BARS + 2
_QUARTERS = 4


class ScanPlan(Struct, frozen=True, kw_only=True):
    """A strategy, and how much past one pair's scan takes."""

    loaded: LoadedStrategy
    m15_rows: int
    """M15 bars in the window of a scan; fewer, and nothing is judged."""
    h1_rows: int
    """Closed H1 bars in that window."""
    percentile_rows: int
    """M15 bars over which ATR(M15)/price is ranked."""

    @property
    def strategy(self) -> Strategy:
        """The strategy itself."""
        return self.loaded.strategy

    @property
    def name(self) -> str:
        """What the strategy calls itself."""
        return self.loaded.name

    @property
    def warmup_rows(self) -> int:
        """M15 bars from which the first judgement can be made."""
        return max(self.m15_rows, _QUARTERS * (self.h1_rows + 2))

    @property
    def history_rows(self) -> int:
        """M15 bars to begin with, so that nothing depends on when the scan began."""
        return max(self.m15_rows + self.percentile_rows, self.warmup_rows)


def scan_plan_for(loaded: LoadedStrategy, settings: Settings, symbol: str) -> ScanPlan:
    """How one pair is scanned under the settings that hold for it."""
    loaded = loaded.of(symbol)
    m15_bars, h1_bars = warmup_of(loaded.strategy)
    days = for_pair(settings, symbol).filters.atr_percentile_days
    return ScanPlan(
        loaded=loaded,
        m15_rows=max(m15_bars, recursive_bars(wilder=ATR_BARS)),
        h1_rows=max(h1_bars, _H1_ROWS_MIN),
        percentile_rows=max(days * _M15_A_WEEK // _DAYS_A_WEEK, 1),
    )


def scan_row(
    loaded: LoadedStrategy,
    instrument: Instrument,
    columns: Columns,
    row: int,
    *,
    bar_open_utc_ns: UtcNs,
    candidate: bool,
    figures: AtrFigures,
) -> Signal | NoSignal:
    """What the strategy says at one row, with the figures measured there."""
    opened = bar_open_utc_ns
    decision = call_guarded("", decided, loaded.strategy, columns, row, instrument)
    if isinstance(decision, CallFailure):
        return withheld_answer(loaded, instrument.symbol, opened, f"{STRATEGY_ERROR}{decision.error}", figures)
    features = Features(
        atr_m15_price=figures[0],
        atr_h1_price=figures[1],
        atr_percentile_pct=figures[2],
        regime=decision.regime,
        h1_trend=decision.h1_trend,
        m15_state=decision.m15_state,
    )
    if decision.side is None:
        return NoSignal(
            symbol=instrument.symbol,
            strategy=loaded.name,
            strategy_hash=loaded.hash,
            bar_open_utc_ns=opened,
            votes=decision.votes,
            features=features,
        )
    wrong = "decides where its candidates() finds nothing" if not candidate else _nonsense(decision)
    if wrong:
        return withheld_answer(loaded, instrument.symbol, opened, f"{STRATEGY_ERROR}{wrong}", figures)
    return Signal(
        symbol=instrument.symbol,
        strategy=loaded.name,
        strategy_hash=loaded.hash,
        bar_open_utc_ns=opened,
        side=decision.side,
        entry_price=decision.entry_price,
        stop_price=decision.stop_price,
        target_price=decision.target_price,
        confidence=decision.confidence,
        votes=decision.votes,
        features=features,
        exit_now=decision.exit_now,
    )


def decided(strategy: Strategy, columns: Columns, row: int, instrument: Instrument) -> Decision:
    """The strategy's decision in plain values. Raises what the strategy does, and WrongAnswer."""
    return decision_of(strategy.decide(columns, row, instrument))


def withheld_answer(
    loaded: LoadedStrategy, symbol: str, bar_open_utc_ns: UtcNs, why: str, figures: AtrFigures | None = None
) -> NoSignal:
    """Nothing was judged, and why."""
    atr_m15_price, atr_h1_price, percentile_pct = figures or _NOTHING_MEASURED
    return NoSignal(
        symbol=symbol,
        strategy=loaded.name,
        strategy_hash=loaded.hash,
        bar_open_utc_ns=bar_open_utc_ns,
        features=Features(atr_m15_price=atr_m15_price, atr_h1_price=atr_h1_price, atr_percentile_pct=percentile_pct),
        withheld=why,
    )


def _nonsense(decision: Decision) -> str:
    if not 0.0 <= decision.confidence <= 1.0:
        return f"gives a confidence of {decision.confidence:g}, outside 0..1"
    stop, entry, target = decision.stop_price, decision.entry_price, decision.target_price
    finite = all(map(math.isfinite, (stop, entry, target)))
    if decision.exit_now:
        return "" if finite else f"gives {stop:g}, {entry:g} and {target:g} for stop, entry and target, which are no prices"
    side = 1.0 if decision.side is Side.BUY else -1.0
    if not (finite and side * stop < side * entry < side * target and entry > 0.0):
        return f"gives a stop of {stop:g}, an entry of {entry:g} and a target of {target:g}, which do not lie in that order"
    return ""
