"""An event loop whose sleeps cost nothing: time jumps to the next timer when nothing else can run.

Promises: the engine runs on it unmodified; with the same seed of everything else the order of events is the same. Real sockets
still work, but waiting for them lets virtual time pass only when no timer is due before they answer.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from quarterdeck.core.model.units import NS_PER_S, UtcNs

_REAL_WAIT_S = 0.0


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: reports what is ready and lets the loop's clock jump by the time it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Any = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(_REAL_WAIT_S)
        if ready or timeout is None:
            return ready or super().select(timeout)
        self.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop on virtual time, which starts at a given instant of UTC."""

    def __init__(self, start_utc_ns: UtcNs) -> None:
        """Begin at `start_utc_ns`."""
        selector = _JumpingSelector()
        super().__init__(selector)
        self._virtual_s = 0.0
        self._start_utc_ns = start_utc_ns
        selector.jump = self._jump

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_s

    def utc_ns(self) -> UtcNs:
        """Virtual now."""
        return self._start_utc_ns + round(self._virtual_s * NS_PER_S)

    def _jump(self, seconds: float) -> None:
        self._virtual_s += max(seconds, 0.0)


class VirtualClock:
    """The wall clock of whoever lives on a `VirtualTimeLoop`."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        """Read `loop`."""
        self._loop = loop

    def utc_ns(self) -> UtcNs:
        """Virtual now."""
        return self._loop.utc_ns()

    def monotonic_s(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._loop.time()
