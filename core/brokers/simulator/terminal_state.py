"""The state of the simulated terminal that is neither market nor money: running, logged in, allowed to trade, and how it is slow.

Everything here can be switched while the terminal runs; the module's face reads it at each call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck.core.model.units import UtcNs

BUILD = 5_430
BUILD_DATE = "14 Nov 2025"


@dataclass(slots=True)
class SyncRules:
    """How a terminal makes a newcomer wait: ticks after selecting, bars on the first calls."""

    tick_delay_ns: UtcNs = 0
    none_calls: int = 0
    """First calls for a symbol and timeframe that give None ..."""
    short_calls: int = 0
    """... and then calls that give a part of what is there."""


@dataclass(slots=True)
class TerminalState:
    """Switches of the terminal."""

    running: bool = True
    """The program is there; else `initialize` fails."""
    connected: bool = True
    """It has its trade server."""
    algo_allowed: bool = True
    """The algo-trading button."""
    api_disabled: bool = False
    """The option that bars external Python from trading."""
    password: str = ""
    """Expected by `initialize` and `login` when not empty."""
    bars_max: int = 100_000
    ping_us: int = 40_000
    path: str = "C:\\Program Files\\MetaTrader 5"
    initialised: bool = False
    sync: SyncRules = field(default_factory=SyncRules)
    watch: dict[str, UtcNs] = field(default_factory=dict)
    """Selected symbols and since when."""
    asked: dict[tuple[str, int], int] = field(default_factory=dict)
    """Calls for bars by symbol and timeframe."""
