"""How large the desk's memories may become (law 12), and the one way to keep them so: the oldest go first."""

from __future__ import annotations

from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SETTLED_MAX: Final = 512
DEALS_MAX: Final = 4096
FILLS_MAX: Final = 1024
TRADED_MAX: Final = 2048
SIGNALS_MAX: Final = 64
RESULTS_MAX: Final = 5000
LEFT_MAX: Final = 64
GONE_MAX: Final = 64
DEAL_MONEY_MAX: Final = 512
ROUND_TRIPS_MAX: Final = 20
CLOSE_TRIES_ALERT: Final = 3
MODIFY_TRIES_ALERT: Final = 3
EVENTS_MAX: Final = 4096
H1_SPARE: Final = 8
"""Hours kept beyond those that correlation looks at."""


def trim(memory: dict[K, V], most: int) -> None:
    """Let the oldest entries go until `most` are left."""
    while len(memory) > most:
        del memory[next(iter(memory))]


def trim_list(memory: list[V], most: int) -> None:
    """Let the oldest entries go until `most` are left."""
    if len(memory) > most:
        del memory[: len(memory) - most]
