"""The one import of TA-Lib, kept light: its package looks for pandas and polars and would pull both into a headless engine.

Promises: this import loads neither, and takes them from nobody who has them or imports TA-Lib later; EMA, ATR and RSI forget
their seed to the last bit within the windows that `recursive_bars` names; the others see nothing but their own window.
Does not: touch TA-Lib's global unstable period; offer its running sums (SMA, STDDEV, CORREL, LINEARREG), which never forget.
"""

from __future__ import annotations

import sys  # impure: TA-Lib's own import must not find pandas
from types import ModuleType
from typing import Any

from quarterdeck.core.model.candles import FloatArray

_HEAVY = ("pandas", "polars")
_EMA_BARS_X = 20
_WILDER_BARS_X = 70


def _without_tables() -> ModuleType:
    loaded = sys.modules.get("talib")
    if loaded is not None:
        return loaded
    hidden: dict[str, Any] = {name: sys.modules[name] for name in _HEAVY if name in sys.modules}
    for name in _HEAVY:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's way to say "not installed"
    try:
        import talib

        return talib
    finally:
        # who imports it after us, pandas-ta-classic above all, gets it with pandas; only the compiled part is shared
        for name in [name for name in sys.modules if name.split(".")[0] == "talib" and name != "talib._ta_lib"]:
            del sys.modules[name]
        for name in _HEAVY:
            del sys.modules[name]
        sys.modules.update(hidden)


_talib = _without_tables()


def _plain(name: str) -> Any:
    # where someone loaded TA-Lib with pandas before, its functions are wrapped; arrays need no wrapper
    function = getattr(_talib, name)
    return getattr(function, "__wrapped__", function)


_ema, _atr, _rsi = _plain("EMA"), _plain("ATR"), _plain("RSI")
_highest, _lowest = _plain("MAX"), _plain("MIN")


def recursive_bars(*, ema: int = 0, wilder: int = 0) -> int:
    """Bars after which EMAs and Wilder averages (ATR, RSI, ADX) of these periods agree with any longer past, bit for bit."""
    return max(_EMA_BARS_X * ema, _WILDER_BARS_X * wilder)


def ema(values: FloatArray, period: int) -> FloatArray:
    """Exponential moving average over `period` bars; NaN before the first."""
    result: FloatArray = _ema(values, period)
    return result


def atr(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> FloatArray:
    """Wilder's average true range over `period` bars, in price; NaN before the first."""
    result: FloatArray = _atr(high, low, close, period)
    return result


def rsi(values: FloatArray, period: int) -> FloatArray:
    """Wilder's relative strength index over `period` bars, 0..100; NaN before the first."""
    result: FloatArray = _rsi(values, period)
    return result


def highest(values: FloatArray, period: int) -> FloatArray:
    """Greatest of the last `period` values, this one included; NaN before the first."""
    result: FloatArray = values if period == 1 else _highest(values, period)
    return result


def lowest(values: FloatArray, period: int) -> FloatArray:
    """Least of the last `period` values, this one included; NaN before the first."""
    result: FloatArray = values if period == 1 else _lowest(values, period)
    return result
