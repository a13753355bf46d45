"""What a strategy is: a class that turns columns of closed candles into at most one decision per pair and bar.

A strategy gets closed bars and the instrument, and nothing else: no clock, no account, no memory. It declares its name, how
many bars it needs, and its parameters (a msgspec struct whose fields carry meaning, unit and range: their only home). It
answers in three steps, so that live and backtest run the same code:

    prepare(m15, h1, instrument)      all figures as columns aligned to the M15 bars; a row sees only bars closed by its end
    candidates(columns)               the rows at which it would trade
    decide(columns, row, instrument)  the decision at one row with its votes, also where nothing is found

Asked of every strategy: the last row computed from `warmup_bars` M15 bars and `warmup_h1_bars` H1 bars equals, bit for bit,
the same row computed from any longer past. `quarterdeck check lookahead` and `check warmup` test it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from quarterdeck.core.model.candles import Candles, FloatArray, IntArray
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import Price
from quarterdeck.core.strategy.rolling import closed_h1_rows

BoolArray = npt.NDArray[np.bool_]
Regime = Literal["low", "normal", "high", "unknown"]
Trend = Literal["up", "down", "flat", "unknown"]


class Columns:
    """Figures by name, one value per M15 bar, beside the bars they were made from."""

    __slots__ = ("h1", "h1_rows", "m15", "values")

    def __init__(self, m15: Candles, h1: Candles) -> None:
        """`h1` may hold bars that close later than some M15 bar; `h1_rows` says what each of them may see."""
        self.m15 = m15
        self.h1 = h1
        self.h1_rows: IntArray = closed_h1_rows(m15, h1)
        self.values: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """The column of that name."""
        return self.values[name]

    def __setitem__(self, name: str, column: FloatArray) -> None:
        """Put a column in; it must have one value per M15 bar."""
        if len(column) != len(self.m15):
            raise ValueError(f"column {name!r} has {len(column)} values for {len(self.m15)} bars")
        self.values[name] = column

    def __len__(self) -> int:
        """Number of M15 bars."""
        return len(self.m15)


class Decision(Struct, frozen=True, kw_only=True):
    """What a strategy thinks at one closed bar; bid prices. Without a side it found nothing, and the votes say why."""

    side: Side | None = None
    entry_price: Price = 0.0
    """Reference: where it expects to get in, usually the bar's close."""
    stop_price: Price = 0.0
    target_price: Price = 0.0
    confidence: float = 0.0
    """0..1."""
    votes: tuple[Check, ...] = ()
    """Each condition and each part of the confidence, with number, threshold and verdict."""
    exit_now: bool = False
    """Close an open position of `side`'s opposite instead of entering."""
    regime: Regime = "unknown"
    h1_trend: Trend = "unknown"
    m15_state: str = ""


class Strategy(Protocol):
    """The interface. `name`, `timeframes` and `Parameters` belong to the class, the rest to an instance with its parameters."""

    name: ClassVar[str]
    timeframes: ClassVar[tuple[str, ...]]
    Parameters: ClassVar[type[Struct]]

    def __init__(self, parameters: Any) -> None:
        """`parameters` is an instance of `Parameters`."""
        ...

    @property
    def warmup_bars(self) -> int:
        """M15 bars that the last row needs, itself included."""
        ...

    @property
    def warmup_h1_bars(self) -> int:
        """Closed H1 bars that the last row needs."""
        ...

    def prepare(self, m15: Candles, h1: Candles, instrument: Instrument) -> Columns:
        """All columns of figures."""
        ...

    def candidates(self, columns: Columns) -> BoolArray:
        """Rows at which `decide` finds something."""
        ...

    def decide(self, columns: Columns, row: int, instrument: Instrument) -> Decision:
        """The decision at one row."""
        ...
