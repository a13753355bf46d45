"""Passing the instants in which what is held is only watched: no level touched, nothing for the desk to do.

Rule: tick by tick the prices of what is held (and of what converts it) are shown to the desk without an answer; it goes on until a
range or a tick touches a stop or a target, the desk would act, or a given instant is reached. Equity is marked at each bar close.
Promises: what is left behind is what every instant lived through leaves (`core.desk.held`). The instant that ended it is not lived.
Does not: run while an order waits, where margin could close anything, or over a nightly swap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from core.backtest.columns import ColumnScanner
from core.backtest.slots import Slots
from core.brokers.simulator.market_recorded import EventTuple, RecordedMarket
from core.brokers.simulator.records import Position
from core.brokers.simulator.terminal import SimulatedTerminal
from core.brokers.simulator.triggers import touched
from core.desk.desk import Desk
from core.desk.held import HeldMark
from core.model.market import IntArray, Quote, Side
from core.model.units import NS_PER_MS, UtcNs

Marks = Callable[[UtcNs, HeldMark], None]
"""Hears equity at an instant that was passed."""
_SLOTS_FIRST = 8
_SLOTS_MOST = 64
_Held = dict[str, list[Position]]
_Newest = dict[str, Quote]


class Holding:
    """One recorded terminal and one desk."""

    def __init__(
        self,
        *,
        terminal: SimulatedTerminal,
        market: RecordedMarket,
        desk: Desk,
        scanner: ColumnScanner,
        slots: Slots,
        rows: Mapping[str, IntArray],
        marks: Marks,
    ) -> None:
        """`rows`: by traded pair the row of its bar in each quarter hour, -1 where it has none."""
        self._terminal, self._market, self._desk, self._scanner = terminal, market, desk, scanner
        self._slots, self._rows, self._marks = slots, rows, marks
        self._steps = market.steps_utc_ns
        self._order = {symbol: place for place, symbol in enumerate(market.symbols)}

    def passed(self, slot: int, until_utc_ns: UtcNs, names: Sequence[str]) -> int:
        """Pass what can be before `until_utc_ns`; the first quarter hour that is not closed then.

        `slot` is that of now; `names` are the symbols of which the desk is told at a bar's close, in that order.
        """
        terminal, market = self._terminal, self._market
        until = min(until_utc_ns, terminal.ledger.next_rollover_ns)
        place = market.steps_done
        if terminal.ledger.orders or place >= len(self._steps) or not terminal.safe_at_stops():
            return slot
        view = _View(self, slot, place, until, names)
        stopped_at = view.go()
        reached = int(self._steps.searchsorted(stopped_at))
        if reached > place:
            terminal.skip_to(reached)
        return view.slot


class _View:
    """One stretch: who is held, who is told, and how far it has come."""

    def __init__(self, over: Holding, slot: int, place: int, until_utc_ns: UtcNs, names: Sequence[str]) -> None:
        self.slot = slot
        self._over, self._until, self._names, self._place = over, until_utc_ns, names, place
        hot, conversion = over._desk.quote_interest()
        self._told = tuple(name for name in names if name in over._rows and name in hot)
        self._watched = frozenset((*hot, *conversion))
        self._ordered = sorted(names, key=over._order.__getitem__)
        ledger = over._terminal.ledger
        self._held: _Held = {}
        for position in ledger.positions.values():
            self._held.setdefault(position.symbol, []).append(position)
        self._newest: _Newest = {
            name: _quote(name, *ledger.quotes[name][:2], ledger.quotes[name][2]) for name in names if name in ledger.quotes
        }
        self._measured: dict[str, int] = {}
        """Row of the newest bar by pair that the desk was not told the figures of."""

    def go(self) -> UtcNs:
        """Pass instants; the first that was not."""
        over, count = self._over, _SLOTS_FIRST
        while True:
            end = min(self.slot + count, len(over._slots))
            stopped_at = self._stretch(end)
            if stopped_at is not None:
                break
            count = min(2 * count, _SLOTS_MOST)
        self._tell_measured()
        return stopped_at

    def _stretch(self, end: int) -> UtcNs | None:
        """Pass the quarter hours before `end`; where it stopped, or None when all are passed."""
        over, slots = self._over, self._over._slots
        if self.slot >= end:
            return self._until
        closes = slots.closes[self.slot : end].tolist()
        steps = over._steps
        last = int(steps.searchsorted(closes[-1], side="right"))
        happens = self._happens(last)
        self._place = last
        at = happens[-1][0] if happens else 0
        for closes_at in closes:
            while happens and (at := happens[-1][0]) < closes_at:
                if at >= self._until:
                    return self._until
                if not self._instant(at, self._popped(happens, at)):
                    return at
            if closes_at >= self._until:
                return self._until
            if not self._closed(closes_at, self._popped(happens, closes_at)):
                return closes_at
            self.slot += 1
        return None

    def _happens(self, last: int) -> list[tuple[UtcNs, int, str, EventTuple]]:
        """What happens to the symbols told before step `last`, the newest first."""
        market, found = self._over._market, []
        for place, name in enumerate(self._ordered):
            rows = market.rows_before(name)
            first, end = rows.item(self._place) + 1, rows.item(last) + 1
            found.extend([(event[0], place, name, event) for event in market.events(name, first, end)])
        found.sort(key=_when, reverse=True)
        return found

    def _popped(self, happens: list[tuple[UtcNs, int, str, EventTuple]], at: UtcNs) -> list[tuple[str, EventTuple]]:
        found = []
        while happens and happens[-1][0] == at:
            one = happens.pop()
            found.append((one[2], one[3]))
        return found

    def _instant(self, at: UtcNs, ticked: list[tuple[str, EventTuple]]) -> bool:
        if any(name in self._held and _touches(self._held[name], event) for name, event in ticked):
            return False
        new = [_quote(name, event[1], event[2], at) for name, event in ticked]
        watched = [quote for quote in new if quote.symbol in self._watched]
        if self._measured:
            self._tell_measured()
        if watched and not self._over._desk.pass_quotes(at, watched):
            return False
        for quote in new:
            self._newest[quote.symbol] = quote
        return True

    def _closed(self, at: UtcNs, ticked: list[tuple[str, EventTuple]]) -> bool:
        """The close of the bars of a quarter hour, with what ticks at that instant."""
        if any(name in self._held and _touches(self._held[name], event) for name, event in ticked):
            return False
        if self._measured:
            self._tell_measured()
        newest = dict(self._newest)
        for name, event in ticked:
            newest[name] = _quote(name, event[1], event[2], at)
        if not self._over._desk.pass_quotes(at, [newest[name] for name in self._names if name in newest]):
            return False
        self._newest = newest
        over, slot = self._over, self.slot
        if any(rows.item(slot) >= 0 for rows in over._rows.values()):
            mark = over._desk.pass_mark(over._slots.opens.item(slot))
            if mark is not None:
                over._marks(at, mark)
        for name in self._told:
            row = over._rows[name].item(slot)
            if row >= 0:
                self._measured[name] = row
        return True

    def _tell_measured(self) -> None:
        for name, row in self._measured.items():
            self._over._desk.pass_measured(self._over._scanner.pairs[name].brief(row))
        self._measured.clear()


def _when(happening: tuple[UtcNs, int, str, EventTuple]) -> tuple[UtcNs, int]:
    return happening[0], happening[1]


def _quote(name: str, bid: float, ask: float, at_utc_ns: UtcNs) -> Quote:
    return Quote(symbol=name, at_utc_ns=at_utc_ns // NS_PER_MS * NS_PER_MS, bid=bid, ask=ask)


def _touches(positions: list[Position], event: EventTuple) -> bool:
    """Whether a tick, or the range before it, reaches a stop or a target."""
    _, bid, ask, bid_low, bid_high, ask_low, ask_high = event
    for position in positions:
        if position.side is Side.BUY:
            if touched(position, bid, bid) or (bid_low == bid_low and touched(position, bid_low, bid_high)):  # noqa: PLR0124 - NaN
                return True
        elif touched(position, ask, ask) or (ask_low == ask_low and touched(position, ask_low, ask_high)):  # noqa: PLR0124 - NaN
            return True
    return False
