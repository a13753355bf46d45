"""Which prices a command runs on when none are named: those imported into the home, else the built-in example."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from quarterdeck.core.backtest.backtest_settings import settings_for_backtest
from quarterdeck.core.backtest.example_prices import example_prices, own_prices
from quarterdeck.core.settings.home import Home


def default_prices(home: Home, settings_file: Path | None, values: Iterable[tuple[str, Any]]) -> Path:
    """The folder, after a line that says which it is. Raises SettingsError, DataError, StorageError."""
    own = own_prices(home)
    if own is not None:
        print(f"prices    imported ones in {own}", flush=True)
        return own
    return named_example(home, settings_file, values)


def named_example(home: Home, settings_file: Path | None, values: Iterable[tuple[str, Any]]) -> Path:
    """The example's folder, after a line that says what it is. Raises SettingsError, DataError, StorageError."""
    folder = example_prices(home, settings_for_backtest(home, settings_file, values))
    print("prices    the built-in example: SIMULATED history, no real market", flush=True)
    print("          bring in real prices with `quarterdeck data import FILE...` or `quarterdeck data download`", flush=True)
    return folder
