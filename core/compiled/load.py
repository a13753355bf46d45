"""A backtest on the compiled desk where there is one of this very source, else on the plain one: the same result to the last bit.

`QUARTERDECK_COMPILED=0` has the plain one run. Raises whatever a backtest raises.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from types import ModuleType
from typing import Any

import msgspec

from quarterdeck.core.backtest.backtester import Backtest, ProgressListener
from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.compiled import rooms
from quarterdeck.core.compiled.build import STAMP_NAME, destination, source_digest
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

SWITCH = "QUARTERDECK_COMPILED"


def backtested(
    market: RecordedDays,
    settings: Settings,
    strategy: LoadedStrategy,
    watcher: ProgressListener | None = None,
    *,
    every_bar: bool = False,
    columns: bool | None = None,
) -> BacktestResult:
    """Run it; see `core.backtest.backtester.Backtest`."""
    if not is_compiled():
        return Backtest(market, settings, strategy, every_bar=every_bar, columns=columns).run_once(watcher)
    news = None if market.news is None else tuple(_made("model.inputs", "NewsEvent", one) for one in market.news)
    other = _module("backtest.recorded_days").RecordedDays(market.recording, label=market.label, rates=market.rates, news=news)
    run = _module("backtest.backtester").Backtest(other, settings, strategy, every_bar=every_bar, columns=columns)
    result: BacktestResult = run.run_once(watcher)
    return msgspec.structs.replace(result, trades=tuple(_trade(one) for one in result.trades))


def is_compiled() -> bool:
    """Whether backtests run on a compiled desk."""
    return os.environ.get(SWITCH, "1") != "0" and fits()


@cache
def fits() -> bool:
    """Whether there is a compiled desk, made of the source that runs here; looked at once."""
    try:
        stamp = (destination() / STAMP_NAME).read_text(encoding="ascii")
    except OSError:
        return False
    return stamp == source_digest()


@cache
def _module(name: str) -> ModuleType:
    place = str(destination())
    if place not in sys.path:
        sys.path.append(place)
    return importlib.import_module(f"{rooms.PACKAGE}.{name}")


def _made(module: str, name: str, plain: msgspec.Struct) -> Any:
    """The compiled side's own of a struct."""
    kind = getattr(_module(module), name)
    return kind(**{field: getattr(plain, field) for field in plain.__struct_fields__})


_TRADE_FIELDS = TradeClosed.__struct_fields__


def _trade(one: Any) -> TradeClosed:
    return TradeClosed(**{field: getattr(one, field) for field in _TRADE_FIELDS})
