"""Passing the instants in which what is held is only watched: no level touched, nothing for the desk to do.

Rule: tick by tick the prices of what is held (and of what converts it) are shown to the desk without an answer, until a range or
a tick touches a stop or a target, the desk would act, or a given instant is reached. Equity is marked at each bar close.
Promises: what is left behind is what every instant lived through leaves (`core.desk.held`); the one that ended it is not lived.
Does not: run while an order waits, where margin could close anything, or over a nightly swap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from core.backtest.columns import ColumnScanner
from core.backtest.past import PairPast
from core.backtest.slots import Slots
from core.brokers.simulator.market_recorded import EventTuple, RecordedMarket
from core.brokers.simulator.records import Position
from core.brokers.simulator.terminal import SimulatedTerminal
from core.desk.desk import Desk
from core.desk.held import HeldMark
from core.model.candles import IntArray
from core.model.market import Quote, Side
from core.model.signals import NoSignal, Signal
from core.model.units import NS_PER_MS, Price, UtcNs

Marks = Callable[[UtcNs, HeldMark], None]
"""Hears equity at an instant that was passed."""
_SLOTS_FIRST = 4
_SLOTS_MOST = 64


class _Levels(NamedTuple):
    """At or beyond which bids and asks something of a symbol is closed."""

    bid_low: Price
    bid_high: Price
    ask_low: Price
    ask_high: Price


_NO_LEVELS = _Levels(-inf, inf, -inf, inf)
_Happening = tuple[UtcNs, int, str, EventTuple]
"""When, the place of the symbol in the market's order, its name, and what happens."""


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
        pasts: Mapping[str, PairPast],
        marks: Marks,
    ) -> None:
        """`rows`: by traded pair the row of its bar in each quarter hour, -1 where it has none."""
        self._terminal, self._market, self._desk, self._scanner = terminal, market, desk, scanner
        self._slots, self._rows, self._marks = slots, rows, marks
        self._steps = market.steps_utc_ns
        self._order = {symbol: place for place, symbol in enumerate(market.symbols)}
        self._any_bar = np.zeros(len(slots), dtype=np.bool_)
        self._unquoted = np.zeros(len(slots), dtype=np.bool_)
        for name, column in rows.items():
            self._any_bar |= column >= 0
            self._unquoted |= pasts[name].unquoted(column)
        self._told: Sequence[str] = ()
        self._happens: list[_Happening] = []
        """What is known to happen to them up to the end of the quarter hours seen ahead, the newest first."""
        self._end_slot = self._end_step = 0
        self._ahead = _SLOTS_FIRST
        self._measured: dict[str, int] = {}
        """Row of the newest bar by pair whose figures the desk was not told."""

    def teaches(self, slot: int) -> bool:
        """Whether one of the bars that close tells what is held more than its quotes did: it had none inside it."""
        return bool(self._unquoted[slot])

    def passed(self, slot: int, until_utc_ns: UtcNs, told: Sequence[str], watched: Sequence[str]) -> int:
        """Pass what can be before `until_utc_ns`; the first quarter hour that is not closed then.

        `slot` is that of now; `told` are the symbols of which the desk is told at a bar's close, in that order, `watched` those
        whose every tick it is told.
        """
        ledger, place = self._terminal.ledger, self._market.steps_done
        until = min(until_utc_ns, ledger.next_rollover_ns)
        if place >= len(self._steps) or self._steps.item(place) >= until or not self._terminal.safe_at_stops():
            return slot
        held = _levels(ledger.positions.values())
        newest = {name: _quote(name, *ledger.quotes[name]) for name in told if name in ledger.quotes}
        self._look_ahead(slot, place, told)
        stopped_at = 0
        while not stopped_at:
            if slot >= len(self._slots):
                stopped_at = until
                break
            if slot >= self._end_slot:
                self._look_further()
            closes_at = self._slots.closes.item(slot)
            stopped_at = self._until_close(closes_at, until, held, newest, watched)
            if stopped_at:
                break
            if closes_at >= until or not self._close(slot, closes_at, held, newest):
                stopped_at = min(closes_at, until)
                break
            slot += 1
        self._tell_measured()
        reached = int(self._steps.searchsorted(stopped_at))
        if reached > place:
            self._terminal.skip_to(reached)
        return slot

    def _look_ahead(self, slot: int, place: int, told: Sequence[str]) -> None:
        """Begin at a step; what was seen ahead of the same symbols before is not gathered again."""
        if told is self._told and slot < self._end_slot:
            happens, now = self._happens, self._steps.item(place)
            while happens and happens[-1][0] < now:
                happens.pop()
        else:
            self._told, self._happens = told, []
            self._end_slot, self._end_step, self._ahead = slot, place, _SLOTS_FIRST

    def _look_further(self) -> None:
        """Gather what happens up to the end of some quarter hours more, the newest first."""
        first, self._end_slot = self._end_step, min(self._end_slot + self._ahead, len(self._slots))
        last = self._end_slot - 1
        step = self._slots.closing_steps.item(last)
        at_close = step < len(self._steps) and self._steps.item(step) == self._slots.closes.item(last)
        self._end_step, self._ahead = step + at_close, min(2 * self._ahead, _SLOTS_MOST)
        market, order, found = self._market, self._order, list[_Happening]()
        for name in self._told:
            rows, place = market.rows_before(name), order[name]
            events = market.events(name, rows.item(first) + 1, rows.item(self._end_step) + 1)
            found += [(event[0], place, name, event) for event in events]
        if len(self._told) == 1:
            found.reverse()
        else:
            found.sort(key=_when, reverse=True)
        self._happens = found

    def _until_close(
        self,
        closes_at: UtcNs,
        until_utc_ns: UtcNs,
        held: Mapping[str, _Levels],
        newest: dict[str, Quote],
        watched: Sequence[str],
    ) -> UtcNs:
        """Pass the instants before a close; the first that cannot be, 0 where all are passed."""
        happens = self._happens
        while happens and (at := happens[-1][0]) < closes_at:
            if at >= until_utc_ns:
                return until_utc_ns
            ticked = _taken(happens, at, held)
            if ticked is None:
                return at
            seen = [quote for quote in ticked if quote.symbol in watched]
            if seen and not self._desk.pass_quotes(at, seen, self._figures):
                return at
            for quote in ticked:
                newest[quote.symbol] = quote
        return 0

    def _close(self, slot: int, at: UtcNs, held: Mapping[str, _Levels], newest: dict[str, Quote]) -> bool:
        """Pass the close of a quarter hour's bars, with what ticks at that instant; False where that cannot be."""
        ticked = _taken(self._happens, at, held)
        if ticked is None or self.teaches(slot):
            return False
        for quote in ticked:
            newest[quote.symbol] = quote
        if not self._desk.pass_quotes(at, [newest[name] for name in self._told if name in newest], self._figures):
            return False
        if self._any_bar[slot]:
            mark = self._desk.pass_mark(self._slots.opens.item(slot))
            if mark is not None:
                self._marks(at, mark)
        for name in held:
            row = self._rows[name].item(slot)
            if row >= 0:
                self._measured[name] = row
        return True

    def _figures(self, name: str) -> Signal | NoSignal | None:
        """What was measured of a pair, if the desk was not told: most of its answers do not hang on that."""
        row = self._measured.pop(name, None)
        return None if row is None else self._scanner.pairs[name].brief(row)

    def _tell_measured(self) -> None:
        for name, row in self._measured.items():
            self._desk.pass_measured(self._scanner.pairs[name].brief(row))
        self._measured.clear()


def _levels(positions: Iterable[Position]) -> dict[str, _Levels]:
    """By symbol the levels that come first. Long positions watch the bid, short ones the ask; 0 is no level."""
    found: dict[str, _Levels] = {}
    for position in positions:
        bid_low, bid_high, ask_low, ask_high = found.get(position.symbol, _NO_LEVELS)
        stop, target = position.stop_price, position.target_price
        if position.side is Side.BUY:
            bid_low, bid_high = max(bid_low, stop or -inf), min(bid_high, target or inf)
        else:
            ask_low, ask_high = max(ask_low, target or -inf), min(ask_high, stop or inf)
        found[position.symbol] = _Levels(bid_low, bid_high, ask_low, ask_high)
    return found


def _when(happening: _Happening) -> tuple[UtcNs, int]:
    return happening[0], happening[1]


def _quote(name: str, bid: Price, ask: Price, at_utc_ns: UtcNs) -> Quote:
    return Quote(symbol=name, at_utc_ns=at_utc_ns // NS_PER_MS * NS_PER_MS, bid=bid, ask=ask)


def _taken(happens: list[_Happening], at: UtcNs, held: Mapping[str, _Levels]) -> list[Quote] | None:
    """The quotes of an instant, taken off the list; None where one of them, or the range before it, touches a level."""
    found = []
    while happens and happens[-1][0] == at:
        _, _, name, event = happens.pop()
        if name in held and _touches(held[name], event):
            return None
        found.append(_quote(name, event[1], event[2], at))
    return found


def _touches(levels: _Levels, event: EventTuple) -> bool:
    """Whether a tick, or the range before it, reaches a stop or a target; a range that is not there is NaN and under nothing."""
    _, bid, ask, bid_low, bid_high, ask_low, ask_high = event
    stop, target, target_short, stop_short = levels
    return (
        bid <= stop
        or bid >= target
        or ask <= target_short
        or ask >= stop_short
        or bid_low <= stop
        or bid_high >= target
        or ask_low <= target_short
        or ask_high >= stop_short
    )
