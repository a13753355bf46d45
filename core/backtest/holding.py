"""Passing the instants in which what is held is only watched: no level touched, nothing for the desk to do.

Rule: tick by tick the prices of what is held (and of what converts it) are shown to the desk without an answer, until a range or
a tick touches a stop or a target, the desk would act, or a given instant is reached. Equity is marked at each bar close.
Promises: what is left behind is what every instant lived through leaves (`core.desk.held`); the one that ended it is not lived.
Does not: run while an order waits, where margin could close anything, or over a nightly swap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np

from quarterdeck.core.backtest.direct import shown_quote
from quarterdeck.core.backtest.past import PairPast
from quarterdeck.core.backtest.scanners import VectorizedScanner
from quarterdeck.core.backtest.slots import Slots
from quarterdeck.core.brokers.simulator.ledger_rows import LedgerPosition
from quarterdeck.core.brokers.simulator.market_recorded import MarketEvents, RecordedMarket
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.desk.held import HeldMark
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.market_data import Quote, Side
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs

Marks = Callable[[UtcNs, HeldMark], None]
"""Hears equity at an instant that was passed."""
_NEVER = 2**62


class _Followed:
    """One symbol whose prices the desk is shown: what happens to it next, and where something of it is closed."""

    __slots__ = (
        "_ask_high",
        "_ask_low",
        "_bid_high",
        "_bid_low",
        "at_utc_ns",
        "held",
        "name",
        "newest",
        "place",
        "row",
        "watched",
        "what",
    )

    def __init__(self, name: str, place: int, what: MarketEvents) -> None:
        """`place` in the market's order."""
        self.name, self.place, self.what = name, place, what
        self.watched = self.held = False
        """Whether each of its quotes counts, and whether a position is in it."""
        self.newest: Quote | None = None
        self.row, self.at_utc_ns = 0, 0
        """What happens next, and when."""
        self._bid_low = self._ask_low = -inf
        self._bid_high = self._ask_high = inf

    def begin(self, row: int, newest: Quote | None, *, watched: bool) -> None:
        """Nothing is in it yet, and `row` is what happens next."""
        self.newest, self.watched, self.held = newest, watched, False
        self._bid_low = self._ask_low = -inf
        self._bid_high = self._ask_high = inf
        self._go(row)

    def hold(self, position: LedgerPosition) -> None:
        """A position is in it. Long ones watch the bid, short ones the ask; 0 is no level."""
        self.held = True
        stop, target = position.stop_price, position.target_price
        if position.side is Side.BUY:
            self._bid_low, self._bid_high = max(self._bid_low, stop or -inf), min(self._bid_high, target or inf)
        else:
            self._ask_low, self._ask_high = max(self._ask_low, target or -inf), min(self._ask_high, stop or inf)

    def take(self) -> Quote | None:
        """The quote that comes next; None where it, or the range before it, reaches a stop or a target."""
        what, row = self.what, self.row
        if self.held:
            bid, ask, bid_low, bid_high, ask_low, ask_high = what.event(row)
            if (  # a range that is not there is NaN and under nothing
                bid <= self._bid_low
                or bid >= self._bid_high
                or ask <= self._ask_low
                or ask >= self._ask_high
                or bid_low <= self._bid_low
                or bid_high >= self._bid_high
                or ask_low <= self._ask_low
                or ask_high >= self._ask_high
            ):
                return None
        else:
            bid, ask = what.quote(row)
        self.newest = quote = shown_quote(self.name, (bid, ask, self.at_utc_ns))
        self._go(row + 1)
        return quote

    def _go(self, row: int) -> None:
        self.row, self.at_utc_ns = row, self.what.at(row) if row < len(self.what) else _NEVER


class Holding:
    """One recorded terminal and one desk."""

    def __init__(
        self,
        *,
        terminal: SimulatedTerminal,
        market: RecordedMarket,
        desk: Desk,
        scanner: VectorizedScanner,
        slots: Slots,
        rows: Mapping[str, IntArray],
        pasts: Mapping[str, PairPast],
        marks: Marks,
    ) -> None:
        """`rows`: by traded pair the row of its bar in each quarter hour, -1 where it has none."""
        self._terminal, self._market, self._desk, self._scanner = terminal, market, desk, scanner
        self._marks = marks
        self._rows = {name: column.data for name, column in rows.items()}
        self._steps, self._closing_steps = market.steps_utc_ns.data, slots.closing_steps.data
        self._closes, self._opens = slots.closes.data, slots.opens.data
        self._order = {symbol: place for place, symbol in enumerate(market.symbols)}
        any_bar, unquoted = np.zeros(len(slots), dtype=np.bool_), np.zeros(len(slots), dtype=np.bool_)
        for name, column in rows.items():
            any_bar |= column >= 0
            unquoted |= pasts[name].unquoted(column)
        self._any_bar, self._unquoted = any_bar.data, unquoted.data
        self._told: Sequence[str] = ()
        self._followed: list[_Followed] = []
        """Those symbols, in that order."""
        self._ticking: list[_Followed] = []
        """The same in the market's order, in which the quotes of one instant come."""
        self.stirred_at_utc_ns: UtcNs = 0
        """The last instant at which the desk was shown something that it would act on."""
        self._measured: dict[str, int] = {}
        """Row of the newest bar by pair whose figures the desk did not get."""

    def teaches(self, slot: int) -> bool:
        """Whether one of the bars that close tells what is held more than its quotes did: it had none inside it."""
        return bool(self._unquoted[slot])

    def passed(self, slot: int, until_utc_ns: UtcNs, told: Sequence[str], watched: Sequence[str]) -> int:
        """Pass what can be before `until_utc_ns`; the first quarter hour that is not closed then.

        `slot` is that of now; `told` are the symbols that the desk gets at a bar's close, in that order, `watched` those
        whose every tick it gets.
        """
        ledger, place = self._terminal.ledger, self._market.steps_done
        until = min(until_utc_ns, ledger.next_rollover_ns)
        if place >= len(self._steps) or self._steps[place] >= until or not self._terminal.safe_at_stops():
            return slot
        self._follow(place, told, watched)
        stopped_at = 0
        while not stopped_at:
            if slot >= len(self._closes):
                stopped_at = until
                break
            closes_at = self._closes[slot]
            stopped_at = self._until_close(min(closes_at, until))
            if stopped_at:
                break
            if closes_at >= until or not self._close(slot, closes_at):
                stopped_at = min(closes_at, until)
                break
            slot += 1
        self._tell_measured()
        last = self._closing_steps[slot] if slot < len(self._closes) else len(self._steps)
        reached = bisect_left(self._steps, stopped_at, place, last)
        if reached > place:
            self._terminal.skip_to(reached)
        return slot

    def _follow(self, place: int, told: Sequence[str], watched: Sequence[str]) -> None:
        """Begin at a step, with the positions that stand now."""
        market, ledger = self._market, self._terminal.ledger
        if told is not self._told:
            self._told = told
            self._followed = [_Followed(name, self._order[name], market.happenings(name)) for name in told]
            self._ticking = sorted(self._followed, key=lambda one: one.place)
        for one in self._followed:
            quote = ledger.quotes.get(one.name)
            newest = None if quote is None else shown_quote(one.name, quote)
            one.begin(market.row_before(place, one.place) + 1, newest, watched=one.name in watched)
            if one.name in ledger.exposed:
                for position in ledger.positions.values():
                    if position.symbol == one.name:
                        one.hold(position)

    def _until_close(self, end_utc_ns: UtcNs) -> UtcNs:
        """Pass the instants before a close; the first that cannot be, 0 where all are passed."""
        while True:
            at = _NEVER
            for one in self._ticking:
                at = min(at, one.at_utc_ns)
            if at >= end_utc_ns:
                return 0
            seen = list[Quote]()
            for one in self._ticking:
                if one.at_utc_ns == at:
                    quote = one.take()
                    if quote is None:
                        return at
                    if one.watched:
                        seen.append(quote)
            if seen and not self._shown(at, seen):
                return at

    def _close(self, slot: int, at: UtcNs) -> bool:
        """Pass the close of a quarter hour's bars, with what ticks at that instant; False where that cannot be."""
        if self.teaches(slot):
            return False
        shown = list[Quote]()
        for one in self._followed:
            if one.at_utc_ns == at and one.take() is None:
                return False
            if one.newest is not None:
                shown.append(one.newest)
        if not self._shown(at, shown):
            return False
        if self._any_bar[slot]:
            mark = self._desk.pass_mark(self._opens[slot])
            if mark is not None:
                self._marks(at, mark)
        for one in self._followed:
            if one.held:
                row = self._rows[one.name][slot]
                if row >= 0:
                    self._measured[one.name] = row
        return True

    def _shown(self, at: UtcNs, quotes: Sequence[Quote]) -> bool:
        """Show the desk quotes that it only watches; False where it would act on one."""
        if self._desk.pass_quotes(at, quotes, self._figures):
            return True
        self.stirred_at_utc_ns = at
        return False

    def _figures(self, name: str) -> Signal | NoSignal | None:
        """What was measured of a pair, if the desk did not get: most of its answers do not depend on that."""
        row = self._measured.pop(name, None)
        return None if row is None else self._scanner.pairs[name].answer_without_rank(row)

    def _tell_measured(self) -> None:
        for name, row in self._measured.items():
            self._desk.pass_measured(self._scanner.pairs[name].answer_without_rank(row))
        self._measured.clear()
