"""A strategy that lives elsewhere, as this process knows it: what it declared, and nothing that could be called.

Why: a file of the operator's own never runs inside the engine; the engine only plans with its warm-up and names it on the tape.
Promises: asking it here is a broken promise of ours.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.settings.parameters import Parameter
from quarterdeck.core.strategy.answers import warmup_of
from quarterdeck.core.strategy.interface import Columns
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy


class StrategyDeclaration(Struct, frozen=True, kw_only=True, tag="declared"):
    """What a strategy says of itself once it is loaded."""

    name: str
    hash: str
    warmup_bars: int
    warmup_h1_bars: int
    parameters: tuple[Parameter, ...] = ()
    pairs: dict[str, tuple[int, int]] = {}
    """M15 and H1 bars that it needs for the pairs with parameters of their own."""


class StrategyProxy:
    """Satisfies `Strategy` as far as planning goes."""

    name: ClassVar[str] = "apart"
    timeframes: ClassVar[tuple[str, ...]] = ("M15", "H1")
    Parameters: ClassVar[type[Struct]] = Struct

    def __init__(self, parameters: StrategyDeclaration) -> None:
        """Plan with what it declared."""
        self.warmup_bars: int = parameters.warmup_bars
        self.warmup_h1_bars: int = parameters.warmup_h1_bars

    def prepare(self, m15: Candles, h1: Candles, instrument: Instrument) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantError(f"a strategy apart is asked in its own process (symbol={instrument.symbol!r})")

    def candidates(self, columns: Columns) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantError(f"a strategy apart is asked in its own process (bars={len(columns)})")

    def decide(self, columns: Columns, row: int, instrument: Instrument) -> NoReturn:
        """Never called. Raises InvariantBroken."""
        raise InvariantError(f"a strategy apart is asked in its own process (symbol={instrument.symbol!r}, row={row})")


def strategy_declaration(loaded: LoadedStrategy) -> StrategyDeclaration:
    """What a loaded strategy says of itself."""
    m15_bars, h1_bars = _bars(loaded)
    return StrategyDeclaration(
        name=loaded.name,
        hash=loaded.hash,
        warmup_bars=m15_bars,
        warmup_h1_bars=h1_bars,
        parameters=loaded.parameters,
        pairs={symbol: _bars(mine) for symbol, mine in loaded.pairs.items()},
    )


def _bars(loaded: LoadedStrategy) -> tuple[int, int]:
    return warmup_of(loaded.strategy)


def strategy_proxy(told: StrategyDeclaration) -> LoadedStrategy:
    """A strategy of the operator's own that was loaded elsewhere."""
    plain = LoadedStrategy(strategy=StrategyProxy(told), name=told.name, hash=told.hash, own=True, parameters=told.parameters)
    pairs = {
        symbol: replace(plain, strategy=StrategyProxy(replace(told, warmup_bars=m15_bars, warmup_h1_bars=h1_bars)))
        for symbol, (m15_bars, h1_bars) in told.pairs.items()
    }
    return replace(plain, pairs=pairs) if pairs else plain
