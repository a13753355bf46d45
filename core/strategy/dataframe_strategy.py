"""Strategies written on pandas frames: the operator writes `on_frames`, this makes a strategy of it.

A rule is a class with `name`, `Parameters` (a msgspec struct), `warmup_bars`, `warmup_h1_bars`, an `__init__(parameters)` and
`on_frames(m15, h1, instrument) -> Decision | None`; the frames hold exactly that many closed bars, indexed by their open in
UTC.
Promises: pandas is imported when the first frame is made, never before; each bar is judged on its own window, live and in a
backtest, so a running sum cannot drift. It costs milliseconds a bar where columns cost microseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from msgspec import Struct

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.signals import Check
from quarterdeck.core.strategy.answers import bars_of
from quarterdeck.core.strategy.interface import BoolArray, Columns, Decision

_H1_BARS = 250
_M15_BARS = 1000


class DataFrameRule(Protocol):
    """What the operator writes."""

    name: ClassVar[str]
    Parameters: ClassVar[type[Struct]]

    def on_frames(self, m15: Any, h1: Any, instrument: Instrument) -> Decision | None:
        """The decision at the last bar of two frames of closed bars; None finds nothing."""
        ...


def is_dataframe_rule(kind: Any) -> bool:
    """Whether a class is written on frames."""
    return hasattr(kind, "on_frames") and not hasattr(kind, "prepare")


class DataFrameStrategy:
    """A rule as a strategy."""

    name: ClassVar[str] = "frames"
    timeframes: ClassVar[tuple[str, ...]] = ("M15", "H1")
    Parameters: ClassVar[type[Struct]] = Struct

    def __init__(self, kind: Any, parameters: Struct) -> None:
        """`kind` is the rule's class."""
        self._rule: DataFrameRule = kind(parameters)
        declared = (getattr(self._rule, "warmup_bars", _M15_BARS), getattr(self._rule, "warmup_h1_bars", _H1_BARS))
        self.warmup_bars, self.warmup_h1_bars = bars_of(*declared)

    def prepare(self, m15: Candles, h1: Candles, instrument: Instrument) -> Columns:
        """The bars alone; frames are made row by row."""
        del instrument
        return Columns(m15, h1)

    def candidates(self, columns: Columns) -> BoolArray:
        """Every bar with a full window must be asked."""
        enough = np.arange(len(columns)) + 1 >= self.warmup_bars
        found: BoolArray = enough & (columns.h1_rows + 1 >= self.warmup_h1_bars)
        return found

    def decide(self, columns: Columns, row: int, instrument: Instrument) -> Decision:
        """What the rule says of the windows that end at this row."""
        last_h1 = int(columns.h1_rows[row])
        if row + 1 < self.warmup_bars or last_h1 + 1 < self.warmup_h1_bars:
            return Decision(votes=(Check("window", float(row + 1), float(self.warmup_bars), False, "bars"),))
        m15 = to_dataframe(columns.m15[row + 1 - self.warmup_bars : row + 1])
        h1 = to_dataframe(columns.h1[last_h1 + 1 - self.warmup_h1_bars : last_h1 + 1])
        found = self._rule.on_frames(m15, h1, instrument)
        return Decision() if found is None else found


def to_dataframe(candles: Candles) -> Any:
    """Candles as a pandas frame: open, high, low, close, tick_volume, spread_points by open time in UTC."""
    import pandas as pd

    index = pd.DatetimeIndex(candles.open_utc_ns.view("datetime64[ns]"), tz="UTC", name="open")
    names = ("open", "high", "low", "close", "tick_volume", "spread_points")
    return pd.DataFrame({name: getattr(candles, name).copy() for name in names}, index=index)
