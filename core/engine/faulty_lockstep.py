"""Lockstep over a simulated terminal that misbehaves: what a read did not tell is asked for again.

Why: with a healthy terminal each change is reported once and never missed; with faults a read fails, a deal shows late, a call
takes a minute, and the desk must still end with the right book and windows without holes, as it does beside a live broker.
Promises: as `Lockstep`; a slow call takes market time, and what closed meanwhile comes late and in order. The same seed and the
same commands are the same run: nothing here asks a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from quarterdeck.core.engine.lockstep import Lockstep, broker_inputs
from quarterdeck.core.engine.order_sender import requests_by_urgency
from quarterdeck.core.model.inputs import BarClosed, BarMissing, ConnectionState, Input, Instruments
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.model.units import M15_NS, NS_PER_S, UtcNs

_REREAD_NS = 60 * NS_PER_S
"""So often at least the broker is asked, whatever it reported."""
_POLL_NS = NS_PER_S // 4
_GAP_BARS_MAX = 1_000
_SPARE_BARS = 96
"""A call that takes up to a day loses none of the bars that close while it is under way."""


class FaultyLockstep(Lockstep):
    """See the module."""

    def __init__(self, *, last_bars: Mapping[str, UtcNs], late_s: float, **parts: Any) -> None:
        """`last_bars` are the opens of the newest bars that the scanner knows; who comes later than `late_s` is late."""
        super().__init__(**parts)
        self.feed_up, self.feed_why = True, ""
        self._last_bars = dict(last_bars)
        self._late_ns = int(late_s * NS_PER_S)
        self._reread_utc_ns = 0

    async def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """See `Lockstep`; an answer is as late as its call was slow."""
        if isinstance(item, Instruments):
            self._rates = tuple(spec.symbol for spec in item.instruments if spec.symbol not in self._symbols)
        pending: deque[Input] = deque((item,))  # bounded: emptied here; an answer leads to few requests
        while pending:
            effects = self.runner.feed_input(pending.popleft(), max(at_utc_ns, self.terminal.now_utc_ns))
            for request in requests_by_urgency(effects) if effects else ():
                pending.extend(await self._performer.perform(request))

    async def _broker_news(self) -> Iterable[Input]:
        """As beside a broker without a count of changes: at each step while something is open, else now and then."""
        now, changes = self.terminal.now_utc_ns, self.terminal.trades_changed_counter
        hot, _ = self._interest.quote_interest()
        if not hot and changes == self._trades_seen and now < self._reread_utc_ns:
            return self._broker.take_events()
        self._trades_seen, self._reread_utc_ns = changes, now + _REREAD_NS
        news = await broker_inputs(self._broker)
        return (*news, *self._broker.take_events())

    async def _quotes(self, at: UtcNs, ticked: tuple[str, ...], *, everything: bool) -> None:
        hot, conversion = self._interest.quote_interest()
        named = (*self._symbols, *self._rates) if everything else ticked
        wanted = tuple(name for name in named if everything or name in hot or name in conversion)
        if not wanted:
            return
        read = await self._broker.quotes(wanted)
        down = isinstance(read, Unknown)
        if down == self.feed_up:
            self.feed_up, self.feed_why = not down, read.why if isinstance(read, Unknown) else ""
            await self.feed_input(ConnectionState(is_connected=self.feed_up, why=self.feed_why), at)
        if not isinstance(read, Unknown):
            for quote in read.value:
                await self.feed_input(quote, at)

    async def _close_bars(self, open_utc_ns: UtcNs, at: UtcNs) -> None:
        for symbol in self._symbols:
            await self._close_bar(symbol, open_utc_ns, at)
        for scanned in self._queue.take_all():
            await self.feed_input(scanned, at)

    async def _close_bar(self, symbol: str, open_utc_ns: UtcNs, at: UtcNs) -> None:
        last = self._last_bars.get(symbol, open_utc_ns - M15_NS)
        gap = max((self.terminal.now_utc_ns - last) // M15_NS, 1)
        read = await self._read(symbol, min(gap + _SPARE_BARS, _GAP_BARS_MAX))
        newest = last
        if not isinstance(read, Unknown):
            for row in range(len(read.value)):
                bar = read.value.bar(row)
                if bar.open_utc_ns <= last:
                    continue
                newest = bar.open_utc_ns
                late = newest < open_utc_ns or self.terminal.now_utc_ns - newest - M15_NS > self._late_ns
                self.bars += 1
                await self.feed_input(BarClosed(symbol=symbol, timeframe="M15", bar=bar, late=late), at)
                if newest < open_utc_ns:
                    self._scans.take(symbol, bar)
                else:
                    self._queue.offer(await self._scans.scan(symbol, bar))
        self._last_bars[symbol] = newest
        if newest < open_utc_ns:
            why = read.why if isinstance(read, Unknown) else "no tick in it"
            await self.feed_input(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=open_utc_ns, why=why), at)

    async def _read(self, symbol: str, count: int) -> Any:
        """Bars, asked for as long as a bar may take to be shown."""
        until = self.terminal.now_utc_ns + self._bar_wait_ns
        while True:
            read = await self._broker.bars(symbol, "M15", count)
            if not isinstance(read, Unknown) or self.terminal.now_utc_ns >= until:
                return read
            self.terminal.advance_to(self.terminal.now_utc_ns + _POLL_NS)
