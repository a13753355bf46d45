"""A strategy that lives elsewhere, as this process knows it: what it declared, and nothing that could be called.

Why: a file of the operator's own never runs inside the engine; the engine only plans with its warm-up and names it on the tape.
Promises: asking it here is a broken promise of ours.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from msgspec import Struct

from core.model.errors import InvariantBroken
from core.model.market import Candles, Instrument
from core.settings.parameters import Parameter
from core.strategy.interface import Columns
from core.strategy.load import LoadedStrategy


class Declared(Struct, frozen=True, kw_only=True, tag="declared"):
    """What a strategy says of itself once it is loaded."""

    name: str
    hash: str
    warmup_bars: int
    warmup_h1_bars: int
    parameters: tuple[Parameter, ...] = ()


class ApartStrategy:
    """Satisfies `Strategy` as far as planning goes."""

    name: ClassVar[str] = "apart"
    timeframes: ClassVar[tuple[str, ...]] = ("M15", "H1")
    Parameters: ClassVar[type[Struct]] = Struct

    def __init__(self, parameters: Declared) -> None:
        """Plan with what it declared."""
        self.warmup_bars: int = parameters.warmup_bars
        self.warmup_h1_bars: int = parameters.warmup_h1_bars

    def prepare(self, m15: Candles, h1: Candles, instrument: Instrument) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantBroken(f"a strategy apart is asked in its own process (symbol={instrument.symbol!r})")

    def candidates(self, columns: Columns) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantBroken(f"a strategy apart is asked in its own process (bars={len(columns)})")

    def decide(self, columns: Columns, row: int, instrument: Instrument) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantBroken(f"a strategy apart is asked in its own process (symbol={instrument.symbol!r}, row={row})")


def declared(loaded: LoadedStrategy) -> Declared:
    """What a loaded strategy says of itself."""
    own = loaded.strategy
    return Declared(
        name=loaded.name,
        hash=loaded.hash,
        warmup_bars=int(own.warmup_bars),
        warmup_h1_bars=int(own.warmup_h1_bars),
        parameters=loaded.parameters,
    )


def apart(told: Declared) -> LoadedStrategy:
    """A strategy of the operator's own that was loaded elsewhere."""
    strategy = ApartStrategy(told)
    return LoadedStrategy(strategy=strategy, name=told.name, hash=told.hash, own=True, parameters=told.parameters)
