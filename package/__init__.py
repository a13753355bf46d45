"""Quarterdeck, a forex trading desk in a terminal. This is what a strategy of your own imports.

A strategy is a class with the attributes and methods of `Strategy`; `quarterdeck init --strategy mine.py` writes one to begin
with. It gets closed candles of one pair (`Candles`) and its `Instrument`, computes figures as `Columns`, and answers each M15
bar with a `Decision` whose votes are `Check`s. All prices are bid prices, all times UTC nanoseconds.

Names are only added here, never renamed or removed. `quarterdeck.core`, `quarterdeck.tui` and `quarterdeck.cli` are the
program itself and may change with any release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quarterdeck.core.model.candles import Candles, FloatArray
    from quarterdeck.core.model.market_data import Instrument, Side
    from quarterdeck.core.model.signals import Check
    from quarterdeck.core.settings.schema import number
    from quarterdeck.core.strategy.indicators import atr, ema, recursive_bars
    from quarterdeck.core.strategy.interface import BoolArray, Columns, Decision, Strategy
    from quarterdeck.core.strategy.rolling import lagged, onto_m15

__all__ = [
    "BoolArray",
    "Candles",
    "Check",
    "Columns",
    "Decision",
    "FloatArray",
    "Instrument",
    "Side",
    "Strategy",
    "atr",
    "ema",
    "lagged",
    "number",
    "onto_m15",
    "recursive_bars",
]

_HOMES = {
    "Candles": "core.model.candles",
    "Instrument": "core.model.market_data",
    "Side": "core.model.market_data",
    "Check": "core.model.signals",
    "number": "core.settings.schema",
    "BoolArray": "core.strategy.interface",
    "Columns": "core.strategy.interface",
    "Decision": "core.strategy.interface",
    "Strategy": "core.strategy.interface",
    "FloatArray": "core.model.candles",
    "atr": "core.strategy.indicators",
    "ema": "core.strategy.indicators",
    "recursive_bars": "core.strategy.indicators",
    "lagged": "core.strategy.rolling",
    "onto_m15": "core.strategy.rolling",
}


def __getattr__(name: str) -> Any:
    # every import of the program passes through this module, so it imports nothing before a name is asked for
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
