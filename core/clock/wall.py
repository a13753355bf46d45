"""The system's clocks. Nothing else in Quarterdeck reads one (law 3).

`WallClock` is what the shells hold; tests and virtual time put their own in its place. Market time is not here: it is an input.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux alone has it; the monotonic clock of Windows counts a suspended machine's time by itself."""


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

    def elapsed_s(self) -> float:
        """As `monotonic_s`, and the time counts in which the machine was suspended, where the system counts it."""
        return time.clock_gettime(_BOOT_CLOCK) if _BOOT_CLOCK is not None else time.monotonic()


def iso(utc_ns: int) -> str:
    """An instant as ISO 8601 UTC with milliseconds, for files and logs; a pure function of the instant."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
