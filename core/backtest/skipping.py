"""The fast path: only the instants at which a decision could change are lived through.

Rule: while the desk is quiet (nothing open, in flight or waiting) time jumps to the next candidate's bar close, or to the desk's
next wake-up. While it only watches what is held, instants are passed (`holding`) up to the first that touches a level or stirs
the desk. Else each step of the market is lived, but only pairs with something waiting or found are asked about their bars. What
bars leave behind is reported together, once it can matter (`core.desk.passed`).
Promises: trades, verdicts and marks are those of every instant lived through, to the last bit; tests demand it with random
strategies and settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from quarterdeck.core.backtest.direct import DirectBroker, shown_quote
from quarterdeck.core.backtest.holding import Holding, Marks
from quarterdeck.core.backtest.past import PairPast
from quarterdeck.core.backtest.scanners import VectorizedScanner
from quarterdeck.core.backtest.slots import Slots
from quarterdeck.core.brokers.simulator.market_recorded import RecordedMarket
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.desk.desk import Desk, QuoteInterest
from quarterdeck.core.engine.lockstep import END_OF_DATA
from quarterdeck.core.engine.order_sender import requests_by_urgency
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.signal_queue import SignalQueue
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import BarClosed, BarMissing, CommandReceived, Input, Instruments, TimerFired
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings

_NEVER = 2**62


class SkippingDriver:
    """One driver over one recorded terminal."""

    def __init__(
        self,
        *,
        terminal: SimulatedTerminal,
        broker: DirectBroker,
        runner: DeskRunner,
        desk: Desk,
        scanner: VectorizedScanner,
        settings: Settings,
        usual_price: Mapping[str, tuple[float, ...]],
        until_utc_ns: UtcNs,
        marks: Marks,
    ) -> None:
        """`usual_price`: the usual spreads by pair that the desk is given at the start; `marks` hears equity that was passed."""
        market = terminal.market
        if not isinstance(market, RecordedMarket):
            raise InvariantError("only a recording can be skipped through")
        self.runner = runner
        self.ending = False
        self.bars_fed = 0
        self._terminal, self._broker, self._desk, self._scanner = terminal, broker, desk, scanner
        self._until_utc_ns = until_utc_ns
        self._symbols = settings.desk.pairs
        self._queue = SignalQueue(settings.scan.queue_max)
        self._rates: tuple[str, ...] = ()
        self._valued_by: dict[str, tuple[str, ...]] = {}
        self._interest: QuoteInterest = ((), ())
        self._at_close: tuple[str, ...] = ()
        self._watched: tuple[str, ...] = ()
        """Symbols that a steady desk is shown at a bar's close, and at each tick, while `_interest` is what it wants."""
        self._unseen = dict.fromkeys(self._symbols, True)
        """Pairs of which the desk saw no bar yet; the first teaches it what the broker's tick value should be."""
        self._trades_seen = terminal.trades_changed_counter
        self._slots = Slots(terminal.now_utc_ns, market.steps_utc_ns, int(settings.scan.bar_close_wait_s * NS_PER_S))
        slots = self._slots
        self._opens, self._closes, self._closing_steps = slots.opens.data, slots.closes.data, slots.closing_steps.data
        self._last_step_utc_ns = int(market.steps_utc_ns[-1]) if len(market.steps_utc_ns) else 0
        self._slot = 0
        """The first quarter hour whose bars are not closed yet."""
        self._pasts = {
            symbol: PairPast(symbol, columns.m15, self._slots, market.quotes_column(symbol), usual_price[symbol])
            for symbol, columns in scanner.pairs.items()
        }
        rows = {symbol: _rows_by_slot(columns.m15.open_utc_ns, self._slots) for symbol, columns in scanner.pairs.items()}
        self._rows = {symbol: column.data for symbol, column in rows.items()}
        self._wanted = _wanted_slots(scanner, rows, len(self._slots))
        self._next_wanted = 0
        self._marks = marks
        self._holding = Holding(
            terminal=terminal,
            market=market,
            desk=desk,
            scanner=scanner,
            slots=self._slots,
            rows=rows,
            pasts=self._pasts,
            marks=marks,
        )
        counts = sum((column >= 0).astype(np.int64) for column in rows.values())
        self._bars_by_slot = np.concatenate(([0], np.cumsum(counts))).data

    @property
    def bars(self) -> int:
        """Symbol-bars that are over."""
        return self._bars_by_slot[self._slot]

    def step(self) -> bool:
        """Live the next instant that matters; False when the data are over."""
        steady = False
        if not self.ending:
            if self._desk.quiet():
                if self._jumped():
                    return True
            elif not self._unseen and self._desk.steady():
                steady = True
                self._passed()
        terminal = self._terminal
        market, closing, now = terminal.next_ns(), self._closing(), terminal.now_utc_ns
        if market is None or market > self._until_utc_ns:
            market, due = None, min(closing, self._timer()) if self.ending else closing
        else:
            due = min(market, closing, self._timer())
        if due >= _NEVER:
            return False
        at = max(due, now)
        ticked: tuple[str, ...] = ()
        if market is not None and market <= at:
            ticked = terminal.advance().symbols
        else:
            terminal.advance_to(at)
        closes = at >= closing
        self._broker_news(at)
        if closes:
            self._closed_slot(at, steady=steady)
        else:
            hot, conversion = self._desk.quote_interest()
            self._quotes(at, [name for name in ticked if name in hot or name in conversion])
            if self._timer() <= at:
                self.feed_input(TimerFired(), at)
        return True

    def finish(self) -> None:
        """The market is over: what is open is closed at the last bid or ask, and the desk is asked to end."""
        self.ending = True
        self._terminal.close_everything()
        at = self._terminal.now_utc_ns
        self._broker_news(at)
        command = StopEngine(policy="keep", why=END_OF_DATA)
        self.feed_input(CommandReceived(command_id="end", origin="end of data", command=command), at)

    def _broker_news(self, at: UtcNs) -> None:
        """Deals, account and book, where the broker did something on its own."""
        if self._terminal.trades_changed_counter != self._trades_seen:
            self._trades_seen = self._terminal.trades_changed_counter
            for item in self._broker.news():
                self.feed_input(item, at)

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> None:
        """Feed one input and perform all that follows from it, before anything else happens."""
        if isinstance(item, Instruments):
            self._rates = tuple(spec.symbol for spec in item.instruments if spec.symbol not in self._symbols)
        pending = [item]
        for told in pending:  # it grows meanwhile, but little: an answer leads to few requests
            effects = self.runner.feed_input(told, at_utc_ns)
            if effects:
                for request in requests_by_urgency(effects):
                    pending.extend(self._broker.perform(request))
                    self._trades_seen = self._terminal.trades_changed_counter

    # ------------------------------------------------------------------------------------------------------ skipping
    def _jumped(self) -> bool:
        """Go to the step before the next close that matters; True when the desk's own clock came first and was reported."""
        slot = self._next_found()
        if slot is None:
            return False
        timer = self._timer()
        if timer < self._closes[slot] and timer <= self._last_step_utc_ns:
            self._slot = max(self._slot, self._slots.place_closing_after(timer))
            self.feed_input(TimerFired(), timer)
            return True
        self._slot = slot
        self._terminal.skip_to(self._closing_steps[slot])
        return False

    def _passed(self) -> None:
        """Pass the instants in which what is held is only watched."""
        slot = self._next_found()
        if slot is not None:
            until = min(self._timer(), self._closes[slot], self._until_utc_ns)
            ahead = self._terminal.next_ns()
            if ahead is None or ahead >= until:
                return
            interest = self._desk.quote_interest()
            if interest is not self._interest:
                self._interest, hot, conversion = interest, *interest
                needed = self._needed((), hot, conversion)
                self._at_close = tuple([name for name in (*self._symbols, *self._rates) if name in needed])
                self._watched = (*hot, *conversion)
            self._slot = self._holding.passed(self._slot, until, self._at_close, self._watched)

    def _next_found(self) -> int | None:
        """The first quarter hour not closed yet in which someone found something; None at the end."""
        wanted = self._wanted
        while self._next_wanted < len(wanted) and wanted[self._next_wanted] < self._slot:
            self._next_wanted += 1
        return wanted[self._next_wanted] if self._next_wanted < len(wanted) else None

    def _closed_slot(self, at: UtcNs, *, steady: bool) -> None:
        """The bars of a quarter hour are over: quotes, the clock, equity, bars and answers of those that matter, in that order.

        What is held and nothing else (`steady`) has no answer that matters, but for what was measured.
        """
        slot, hot, conversion = self._slot, *self._desk.quote_interest()
        self._slot += 1
        only_held = steady and not self._holding.teaches(slot)
        told, held = dict[str, int](), dict[str, int]()
        for symbol in self._symbols:
            row = self._rows[symbol][slot]
            if symbol in self._unseen or (row >= 0 and self._scanner.pairs[symbol].has_candidate(row)):
                told[symbol] = row
            elif symbol in hot:
                (held if only_held else told)[symbol] = row
        watched: tuple[str, ...] = (*self._symbols, *self._rates)
        if self._timer() > at:  # what is due is carried out at the first input of its instant, whichever that is
            needed = self._needed(told, hot, conversion)
            watched = tuple([name for name in watched if name in needed])
        self._quotes(at, watched)
        if self._timer() <= at:
            self.feed_input(TimerFired(), at)
        self._mark(slot, at)
        for symbol, row in held.items():
            if row >= 0:
                self._desk.pass_measured(self._scanner.pairs[symbol].answer_without_rank(row))
        if told:
            whole = () if only_held else hot
            self._pass_bars(at, {**told, **held}, whole)
            self._tell(slot, at, told, whole)

    def _mark(self, slot: int, at: UtcNs) -> None:
        """Keep equity at the end of a quarter hour that has a bar."""
        if self._bars_by_slot[slot + 1] > self._bars_by_slot[slot]:
            mark = self._desk.pass_mark(self._opens[slot])
            if mark is not None:
                self._marks(at, mark)

    def _pass_bars(self, at: UtcNs, rows: Mapping[str, int], whole: Sequence[str]) -> None:
        """What bars up to now leave behind; the last one not of pairs that get it `whole`."""
        passed = [self._pasts[symbol].until(row - 1 if symbol in whole else row) for symbol, row in rows.items() if row >= 0]
        self._desk.pass_over(at, [one for one in passed if one is not None])

    def _needed(self, told: Iterable[str], hot: tuple[str, ...], conversion: tuple[str, ...]) -> dict[str, bool]:
        """Symbols whose quotes can matter to what is open or found."""
        needed = dict[str, bool]()
        for symbol in (*told, *hot):
            needed[symbol] = True
            found = self._valued_by.get(symbol)
            if not found:
                found = self._valued_by[symbol] = self._desk.valued_by(symbol)
            for name in found:
                needed[name] = True
        for name in conversion:
            needed[name] = True
        return needed

    def _tell(self, slot: int, at: UtcNs, told: Mapping[str, int], whole: Sequence[str]) -> None:
        """Bars and answers by pair, at their rows; a bar itself only of pairs reported `whole`."""
        opened = self._opens[slot]
        silent = tuple(symbol for symbol in self._symbols if symbol not in told)
        answers = {symbol: self._scanner.pairs[symbol].answer_without_rank(row) for symbol, row in told.items() if row >= 0}
        last = self._last_word(silent, answers)
        self._desk.pass_slot(at, opened, tuple(symbol for symbol in silent if symbol != last))
        for symbol, row in told.items():
            if row < 0:
                self.feed_input(BarMissing(symbol=symbol, timeframe="M15", bar_open_utc_ns=opened, why="no tick in it"), at)
                continue
            if symbol in whole:
                self._pasts[symbol].fed(row)
                self.feed_input(BarClosed(symbol=symbol, timeframe="M15", bar=self._scanner.pairs[symbol].m15.bar(row)), at)
            self._unseen.pop(symbol, None)
            self.bars_fed += 1
            self._queue.offer(answers[symbol])
        for scanned in self._queue.take_all():
            self.feed_input(scanned, at)
        if last:
            self.feed_input(BarMissing(symbol=last, timeframe="M15", bar_open_utc_ns=opened, why="nothing found"), at)

    def _last_word(self, silent: tuple[str, ...], answers: Mapping[str, Signal | NoSignal]) -> str:
        """The silent pair whose answer would have closed the round, where someone wants to leave first; else none.

        A position left at the strategy's word is closed before the round is judged, if a later pair's answer was still to come.
        """
        leaves = any(isinstance(answer, Signal) and answer.exit_now for answer in answers.values())
        return silent[-1] if leaves and silent and silent[-1] == self._symbols[-1] else ""

    def _quotes(self, at: UtcNs, names: Sequence[str]) -> None:
        """Quotes of one instant, together where the desk would only watch them."""
        held, desk, quotes = self._terminal.ledger.quotes, self._desk, list[Quote]()
        for name in names:
            quote = held.get(name)
            if quote is not None:
                quotes.append(shown_quote(name, quote))
        watches = at != self._holding.stirred_at_utc_ns and self._timer() > at and (desk.quiet() or desk.steady())
        if watches and desk.pass_quotes(at, quotes, _all_told):
            return
        for new in quotes:
            self.feed_input(new, at)

    def _closing(self) -> UtcNs:
        return self._closes[self._slot] if self._slot < len(self._closes) else _NEVER

    def _timer(self) -> UtcNs:
        wake = self._desk.wake_at()
        return _NEVER if wake is None else wake


def _all_told(_symbol: str) -> None:
    """Whatever was measured, the desk got."""


def _wanted_slots(scanner: VectorizedScanner, rows_by_pair: Mapping[str, IntArray], count: int) -> list[int]:
    """Quarter hours in which someone finds something; the desk sees how the range begins and ends as well."""
    found = np.zeros(count, dtype=np.bool_)
    for symbol, rows in rows_by_pair.items():
        found |= (rows >= 0) & scanner.pairs[symbol].candidate[np.maximum(rows, 0)]
    if count:
        found[0] = found[-1] = True
    wanted: list[int] = np.flatnonzero(found).tolist()
    return wanted


def _rows_by_slot(opens: IntArray, slots: Slots) -> IntArray:
    """The row of a pair's bar in each quarter hour, -1 where it has none."""
    rows = opens.searchsorted(slots.opens)
    inside = np.minimum(rows, max(len(opens) - 1, 0))
    return np.where((rows < len(opens)) & (opens[inside] == slots.opens), rows, -1).astype(np.int32)
