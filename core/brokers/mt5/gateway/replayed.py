"""A recording of `quarterdeck doctor --record` as a gateway's module: an operator's broker, looked at elsewhere.

Argument of `make`: the file. Ticks are as old as they were when they were recorded; bars and history keep their instants.
"""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.brokers.mt5.call_recording import ReplayedModule, read_recording
from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from quarterdeck.core.clock.wall import WallClock

NAME = "recording"


def make(arguments: list[str]) -> HostedModule:
    """The host that the child loads. Raises DataError for a file that is no recording."""
    path = Path(arguments[0])
    return HostedModule(module=ReplayedModule(read_recording(path), WallClock().utc_ns), name=NAME, version=path.name)
