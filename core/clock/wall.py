"""The system's clocks. Nothing else in Quarterdeck reads one (law 3).

`WallClock` is what the shells hold; tests and virtual time put their own in its place. Market time is not here: it is an input.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for deadlines, the link, heartbeats and the watchdog."""

    def utc_ns(self) -> int:
        """Now, UTC nanoseconds."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...


class WallClock:
    """The machine's own clocks."""

    def utc_ns(self) -> int:
        """Now, UTC nanoseconds."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        return time.monotonic()


def iso(utc_ns: int) -> str:
    """An instant as ISO 8601 UTC with milliseconds, for files and logs; a pure function of the instant."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
