"""How fast a replay runs: market seconds per second of life, paused, stepped, or as fast as the machine goes.

Promises: pacing changes when a step happens, never what it holds. At full speed the event loop still gets its turn.
"""

from __future__ import annotations

import asyncio
import contextlib

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.model.units import NS_PER_S, UtcNs

_TURN_S = 0.02
_LAG_MAX_S = 0.25
_GAP_NS = 3600 * NS_PER_S
"""Nobody watches a weekend pass: a longer stretch without a step is jumped over."""


class Pacer:
    """Holds steps back. `speed` None is as fast as it goes, 0 is paused."""

    def __init__(self, clock: Clock, speed: float | None) -> None:
        """Start at `speed`; the first step sets the origin."""
        self._clock = clock
        self._speed = speed
        self._wake = asyncio.Event()
        self._origin: tuple[float, UtcNs] | None = None
        self._turn_s = 0.0
        self._steps_left = 0
        self._last_utc_ns: UtcNs = 0

    @property
    def speed(self) -> float | None:
        """Times life; 0 paused; None as fast as it goes."""
        return self._speed

    def set_speed(self, speed: float | None) -> None:
        """Change the speed from here on; 0 pauses."""
        self._speed = speed
        self._origin = None
        self._wake.set()

    def nudge(self) -> None:
        """Let the stepper look around now: a command is waiting."""
        self._wake.set()

    def allow(self, steps: int) -> None:
        """While paused, let so many steps pass."""
        self._steps_left += steps
        self._wake.set()

    async def hold(self, at_utc_ns: UtcNs) -> bool:
        """Wait until the step at that instant may happen. False when woken before: look around and ask again."""
        if self._speed is None:
            now = self._clock.monotonic_s()
            if now - self._turn_s > _TURN_S:
                await asyncio.sleep(0)
                self._turn_s = self._clock.monotonic_s()
            return True
        if self._speed == 0.0:
            return await self._paused()
        return await self._paced(at_utc_ns, self._speed)

    async def _paused(self) -> bool:
        if self._steps_left > 0:
            self._steps_left -= 1
            await asyncio.sleep(0)
            return True
        await self._wake.wait()
        self._wake.clear()
        return False

    async def _paced(self, at_utc_ns: UtcNs, speed: float) -> bool:
        now_s = self._clock.monotonic_s()
        if self._origin is None or at_utc_ns - self._last_utc_ns > _GAP_NS:
            self._origin = (now_s, at_utc_ns)
        self._last_utc_ns = at_utc_ns
        started_s, started_utc_ns = self._origin
        due_s = started_s + (at_utc_ns - started_utc_ns) / NS_PER_S / speed
        wait_s = due_s - now_s
        if wait_s <= 0:
            if wait_s < -_LAG_MAX_S:
                self._origin = (now_s, at_utc_ns)
            if now_s - self._turn_s > _TURN_S:
                await asyncio.sleep(0)
                self._turn_s = self._clock.monotonic_s()
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        if self._wake.is_set():
            self._wake.clear()
            return False
        return True
