"""Bars of a broker that keeps its own time: each reported once it is closed, in order and without holes.

Guarantees: a bar counts as closed when its time is over and the broker shows it so, or is absent `scan.bar_close_wait_s` after;
what closed while the line was down is read afterwards, so that no window has a hole that the broker has not. A pair whose
strategy is still looking keeps no other waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.lockstep import AsyncBarScanner
from quarterdeck.core.engine.signal_queue import SignalQueue
from quarterdeck.core.model.inputs import BarClosed, BarMissing, Input
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import H1_NS, M15_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings

_BAR_POLL_S = 0.25
_GAP_BARS_MAX = 1_000
"""Bars read at once after the line was down; ten days of them."""


class ClosedBars:
    """One loop a pair; see the module."""

    def __init__(
        self,
        *,
        broker: Broker,
        scans: AsyncBarScanner,
        settings: Callable[[], Settings],
        clock: Clock,
        post: Callable[[Input], None],
        before: Callable[[], None],
        on_hour: Callable[[str, Bar], None] | None,
        speed: float = 1.0,
    ) -> None:
        """`post` tells the desk, `before` is called ahead of each bar on time; `on_hour` hears the broker's closed H1 bars.

        `speed` is market seconds per second of life.
        """
        self.count = 0
        """Bars reported so far."""
        self.last_utc_ns: dict[str, UtcNs] = {}
        """Open of the newest bar that the scanner knows of each pair."""
        self._broker = broker
        self._scans = scans
        self._settings = settings
        self._clock = clock
        self._post = post
        self._before = before
        self._on_hour = on_hour
        self._speed = speed
        self._queue = SignalQueue(settings().scan.queue_max)
        self._woken = asyncio.Event()
        """Set, and replaced, when the clock jumped: whoever waits for an instant looks at it again."""

    def nudge(self) -> None:
        """The clock jumped: nobody sleeps on towards an instant that is over."""
        self._woken.set()
        self._woken = asyncio.Event()

    def watching(self, symbol: str) -> Callable[[], Awaitable[None]]:
        """The loop of one pair: each bar to the desk as soon as it is closed, for ever."""

        async def loop() -> None:
            while True:
                slot = self._clock.utc_ns() // M15_NS
                end_utc_ns = (slot + 1) * M15_NS
                while (left_ns := end_utc_ns - self._clock.utc_ns()) > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), left_ns / NS_PER_S / self._speed)
                await self._await_bar(symbol, slot * M15_NS)

        return loop

    async def _await_bar(self, symbol: str, open_utc_ns: UtcNs) -> None:
        """Ask until the broker shows the bar closed, or say that it is absent; a line that is down is waited for."""
        scan = self._settings().scan
        end_utc_ns = open_utc_ns + M15_NS
        while True:
            read = await self._broker.bars(symbol, "M15", 1)
            now = self._clock.utc_ns()
            over = now - end_utc_ns > (scan.bar_close_wait_s + _BAR_POLL_S) * NS_PER_S
            bar = None if isinstance(read, Unknown) or not len(read.value) else read.value.bar(len(read.value) - 1)
            if bar is not None and bar.open_utc_ns >= open_utc_ns:
                await self._bar(symbol, bar, late=now - end_utc_ns > scan.signal_age_max_s * NS_PER_S)
                return
            if over and not isinstance(read, Unknown):
                self._post(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why="no tick in it"))
                return
            if now - end_utc_ns >= M15_NS:
                why = read.why if isinstance(read, Unknown) else "not seen in time"
                self._post(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why=why))
                return
            await asyncio.sleep(_BAR_POLL_S)

    async def _bar(self, symbol: str, bar: Bar, *, late: bool) -> None:
        await self._fill_gap(symbol, bar.open_utc_ns)
        self.count += 1
        self._before()
        self._post(BarClosed(symbol=symbol, timeframe="M15", bar=bar, late=late))
        self._queue.offer(await self._scans.scan(symbol, bar))
        for scanned in self._queue.take_all():
            self._post(scanned)
        if self._on_hour is not None and (bar.open_utc_ns + M15_NS) % H1_NS == 0:
            limit_s = self._settings().scan.bar_close_wait_s + _BAR_POLL_S
            hour = await _closed_hour(self._broker, self._clock, symbol, bar.open_utc_ns + M15_NS - H1_NS, limit_s)
            if hour is not None:
                self._on_hour(symbol, hour)

    async def _fill_gap(self, symbol: str, open_utc_ns: UtcNs) -> None:
        """Bars that closed while nobody could read them come late, in order, and only then the one that is on time."""
        last = self.last_utc_ns.get(symbol, 0)
        self.last_utc_ns[symbol] = max(last, open_utc_ns)
        if not last or open_utc_ns <= last + M15_NS:
            return
        count = min((open_utc_ns - last) // M15_NS, _GAP_BARS_MAX)
        read = await self._broker.bars(symbol, "M15", count)
        until_utc_ns = self._clock.utc_ns() + int(self._settings().scan.bar_close_wait_s * NS_PER_S)
        while isinstance(read, Unknown):
            if self._clock.utc_ns() >= until_utc_ns:
                return
            await asyncio.sleep(_BAR_POLL_S)
            read = await self._broker.bars(symbol, "M15", count)
        for row in range(len(read.value)):
            bar = read.value.bar(row)
            if last < bar.open_utc_ns < open_utc_ns:
                self.count += 1
                self._post(BarClosed(symbol=symbol, timeframe="M15", bar=bar, late=True))
                self._scans.take(symbol, bar)


async def _closed_hour(broker: Broker, clock: Clock, symbol: str, open_utc_ns: UtcNs, limit_s: float) -> Bar | None:
    """The broker's own bar of an hour that is over; None where it does not come in time."""
    until_utc_ns = clock.utc_ns() + int(limit_s * NS_PER_S)
    while clock.utc_ns() <= until_utc_ns:
        read = await broker.bars(symbol, "H1", 1)
        bar = None if isinstance(read, Unknown) or not len(read.value) else read.value.bar(len(read.value) - 1)
        if bar is not None and bar.open_utc_ns >= open_utc_ns:
            return bar
        await asyncio.sleep(_BAR_POLL_S)
    return None
