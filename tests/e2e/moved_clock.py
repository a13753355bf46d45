"""A machine's clock that a test moves: processes under libfaketime, all of which read one file with the seconds added."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
LIBRARY = next((path for path in _LIBRARIES if Path(path).exists()), "")
needs_library = pytest.mark.skipif(not LIBRARY, reason="libfaketime is not installed")


class MovedClock:
    """See the module."""

    def __init__(self, file: Path, now: datetime) -> None:
        """Processes that are given `environ` see `now` from here on."""
        self._file = file
        self._added_s = 0.0
        self.move((now - datetime.now(UTC)).total_seconds())

    def move(self, by_s: float) -> None:
        """Set the clock forward, or back."""
        self._added_s += by_s
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{self._added_s:+.3f}\n")
        beside.replace(self._file)

    def now(self) -> datetime:
        """What the processes see."""
        return datetime.now(UTC) + timedelta(seconds=self._added_s)

    def environ(self, *, monotonic: bool = False) -> dict[str, str]:
        """For a process; with `monotonic` its other clocks move as well, as if the process had been stopped for that long."""
        return {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "0" if monotonic else "1",
        }


def weekday_at(hour: int, minute: int, second: int = 0) -> datetime:
    """That time of the next Tuesday to Thursday."""
    day = datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1)
    while day.weekday() not in (1, 2, 3):
        day += timedelta(days=1)
    return day.replace(hour=hour, minute=minute, second=second, microsecond=0)
