"""The desk: one input in, decisions out. Dispatch only; each room says why it exists.

    market   quotes, bars            rounds -> entry -> caps -> gate    a candidate's way to an order
    orders   what became of each     positions, book, equity            what stands, and what it is worth
    care     peaks, trails, ages     closes, stops, flatten, shutdown   ways out
    breakers, states, account        what stands against entries        commands   the operator's word

Promises: same inputs in the same order, same answers, in any process; a checkpoint is the encoding of the whole state.
Does not: await, read a clock, a file or a socket, draw random numbers, or keep a log. Order of anything hangs on no set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, assert_never

from quarterdeck.core.desk import (
    account,
    book,
    breakers,
    care,
    closes,
    commands,
    flatten,
    held,
    market,
    orders,
    passed,
    rounds,
    shutdown,
    view,
)
from quarterdeck.core.desk.changes import settings_changed
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.held import Figures, HeldMark
from quarterdeck.core.desk.passed import PairPassed
from quarterdeck.core.desk.rehearsal import Rehearsal, rehearsed
from quarterdeck.core.desk.start import adopt_run, ready, started_context
from quarterdeck.core.desk.state import decoded, encoded
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import InvariantBroken, invariant
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarAbsent,
    BarClosed,
    Book,
    BrokerClock,
    Calendar,
    CommandGiven,
    DealSeen,
    EngineTrouble,
    FeedState,
    History,
    Input,
    Instruments,
    Report,
    Restored,
    SettingsChanged,
    Stamped,
    Started,
    TimerFired,
)
from quarterdeck.core.model.market import Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import NS_PER_MS, UtcNs

Interest: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Symbols whose every quote matters, and those that only convert what is at risk."""
_NOTHING: tuple[Effect, ...] = ()
_NEVER = 2**63 - 1


class Desk:
    """See the module. Fed by one consumer, which never calls `on` from within `on`."""

    __slots__ = ("_busy", "_ctx", "_interest", "_interest_of", "_wake", "_wake_asked")

    def __init__(self) -> None:
        """A desk that knows nothing; its first input is `Started`."""
        self._ctx: Context | None = None
        self._busy = False
        self._wake: UtcNs = _NEVER
        self._wake_asked = True
        """`_wake` is worked out from the state as it stands; else it is when the clock goes on, or somebody asks."""
        self._interest: Interest = ((), ())
        self._interest_of: dict[str, tuple[int, ...]] = {}
        """What was open when `_interest` was found, as `Context.watched` gave it."""

    def on(self, stamped: Stamped) -> tuple[Effect, ...]:
        """Book one input and answer with what is to be done, in order.

        Raises:
            InvariantBroken: a promise of ours does not hold; nothing more may be fed.
        """
        ctx, told, now = self._ctx, stamped.input, stamped.at_utc_ns
        if self._busy:
            raise InvariantBroken("the desk is fed by one consumer, and stops for good when a promise is broken")
        self._busy = True
        if ctx is not None:
            state = ctx.state
            if not self._wake_asked and now != ctx.now:
                self._settle_wake(ctx)
            if stamped.seq != state.seq + 1 or now < state.at_utc_ns:
                _out_of_order(stamped, state.seq, state.at_utc_ns)
            state.seq, state.at_utc_ns, ctx.now = stamped.seq, now, now
        if ctx is None or isinstance(told, (Started, Restored)):
            ctx = self._ctx = _begin(ctx, stamped)
        else:
            _book(ctx, told)
        if self._wake_asked and now >= self._wake:
            _due(ctx)
        if ctx.touched:
            _settle(ctx)
            self._wake_asked = False
        self._busy = False
        if not ctx.out:
            return _NOTHING
        out = tuple(ctx.out)
        ctx.out.clear()
        return out

    def wake_at(self) -> UtcNs | None:
        """The next instant of market time at which the desk wants to be told that it came; None when it waits for nothing."""
        if not self._wake_asked and self._ctx is not None:
            self._settle_wake(self._ctx)
        return None if self._wake == _NEVER else self._wake

    def valued_by(self, symbol: str) -> tuple[str, ...]:
        """Symbols whose quotes turn a symbol's results, margin and commission into account currency; empty while unknown."""
        ctx = self._begun()
        valuer, account = ctx.valuer(symbol), ctx.state.account
        if valuer is None or account is None:
            return ()
        dollars = (plain for plain in (f"USD{account.currency}", f"{account.currency}USD") if ctx.rates.exists(plain))
        return tuple(dict.fromkeys(map(ctx.rates.symbol_of, (*valuer.pairs, *dollars))))

    def quiet(self) -> bool:
        """No price can change a decision before the next wake-up or the next candidate."""
        return passed.quiet(self._begun())

    def pass_over(self, at_utc_ns: UtcNs, pairs: Iterable[PairPassed]) -> None:
        """Take what the bars leave behind that the shell did not feed one by one, because nothing could happen in them."""
        ctx = self._passing()
        ctx.now = max(ctx.now, at_utc_ns)
        for pair in pairs:
            passed.pair_passed(ctx, pair)

    def pass_slot(self, at_utc_ns: UtcNs, bar_open_utc_ns: UtcNs, silent: tuple[str, ...]) -> None:
        """A quarter hour is over; the pairs named have nothing to say in it. What follows comes with the next input."""
        ctx = self._passing()
        ctx.now = max(ctx.now, at_utc_ns)
        passed.slot_passed(ctx, bar_open_utc_ns, silent)

    def steady(self) -> bool:
        """Something is held, and until the clock, a candidate or a price calls, there is nothing to do but to watch it."""
        return held.steady(self._begun())

    def pass_quotes(self, at_utc_ns: UtcNs, quotes: Sequence[Quote], figures: Figures) -> bool:
        """Take the quotes of one instant of a steady desk; False, and nothing taken, where it would act on them.

        `figures` is asked where that hangs on what was measured of a pair.
        """
        return held.take(self._passing(), at_utc_ns, quotes, figures)

    def pass_mark(self, bar_open_utc_ns: UtcNs) -> HeldMark | None:
        """Equity at the end of a quarter hour; None where nothing is open or it is marked already."""
        return held.mark(self._begun(), bar_open_utc_ns)

    def pass_measured(self, found: Signal | NoSignal) -> None:
        """What was measured of a pair that had nothing to say."""
        held.measured(self._begun(), found)

    def checkpoint(self) -> bytes:
        """The whole state; what `Restored` takes."""
        return encoded(self._begun().state)

    def view(self, at_utc_ns: UtcNs | None = None) -> DeskView:
        """The desk as a screen shows it, at the last input or at a later instant."""
        return view.desk_view(self._begun(), at_utc_ns)

    def rehearse(self, told: SettingsChanged, at_utc_ns: UtcNs) -> Rehearsal:
        """What new settings would do to what is open, tried on a copy; nothing here is changed."""
        return rehearsed(self._begun(), told, at_utc_ns)

    def quote_interest(self) -> Interest:
        """Symbols whose every quote matters now (open, in flight, waiting), and those that only convert what is at risk."""
        ctx = self._begun()
        state, watched = ctx.state, ctx.watched()
        if state.orders or state.closes or state.waiting:
            hot = [held.symbol for held in state.positions.values()]
            hot += [order.symbol for order in state.orders.values()]
            hot += [task.symbol for task in state.closes.values()]
            hot += [waiting.signal.symbol for waiting in state.waiting]
            return _interest(ctx, hot, watched)
        if self._interest_of is not watched:
            self._interest = _interest(ctx, [held.symbol for held in state.positions.values()], watched)
            self._interest_of = watched
        return self._interest

    def _begun(self) -> Context:
        ctx = self._ctx
        if ctx is None:
            raise InvariantBroken("a desk is started before it is asked anything")
        return ctx

    def _passing(self) -> Context:
        """The context, for what moves the clock on without an input."""
        ctx = self._begun()
        if not self._wake_asked:
            self._settle_wake(ctx)
        return ctx

    def _settle_wake(self, ctx: Context) -> None:
        """Several inputs of one instant wake the desk once: never before the next millisecond, whatever they booked."""
        self._wake_asked, self._wake = True, _next_due(ctx)


def _interest(ctx: Context, hot: list[str], watched: Iterable[str]) -> Interest:
    others = list(watched)
    for symbol in hot:
        others += ctx.movers(symbol)
    return tuple(dict.fromkeys(hot)), tuple([symbol for symbol in dict.fromkeys(others) if symbol not in hot])


def _out_of_order(stamped: Stamped, last_seq: int, last_at_utc_ns: UtcNs) -> None:
    invariant(stamped.seq == last_seq + 1, "inputs come without a gap", seq=stamped.seq, last=last_seq)
    invariant(stamped.at_utc_ns >= last_at_utc_ns, "market time never goes back", seq=stamped.seq, at=stamped.at_utc_ns)


def _begin(ctx: Context | None, stamped: Stamped) -> Context:
    """A run begins, or takes over the state of a past one."""
    told = stamped.input
    if isinstance(told, Started):
        return started_context(stamped, told)
    invariant(ctx is not None and isinstance(told, Restored), "the first input is `Started`", seq=stamped.seq)
    return adopt_run(ctx, decoded(bytes(told.state)))  # type: ignore[arg-type, union-attr] # the line above


def _book(ctx: Context, told: Input) -> None:
    """Each kind of input to its room; the frequent ones first."""
    if isinstance(told, Quote):
        market.quote(ctx, told)
    elif isinstance(told, Report):
        again = orders.report(ctx, told)
        if again is not None and again.entry is not None:
            rounds.try_again(ctx, again.entry.signal_id)
    elif isinstance(told, DealSeen):
        book.deal_seen(ctx, told.deal)
    elif isinstance(told, AccountRead):
        account.account_read(ctx, told)
    elif isinstance(told, Book):
        book.book_read(ctx, told)
    elif isinstance(told, NoSignal):
        rounds.no_signal(ctx, told)
    elif isinstance(told, BarClosed):
        market.bar_closed(ctx, told)
        if told.timeframe == "M15":
            rounds.bar_seen(ctx, told.bar.open_utc_ns)
    elif isinstance(told, BarAbsent):
        if told.timeframe == "M15":
            rounds.absent(ctx, told.symbol, told.bar_open_utc_ns)
    elif isinstance(told, Signal):
        rounds.signal(ctx, told)
    elif isinstance(told, TimerFired):
        ctx.touched = True
    else:
        _book_rarer(ctx, told)


_Rarer: TypeAlias = (
    FeedState
    | Calendar
    | CommandGiven
    | SettingsChanged
    | EngineTrouble
    | Instruments
    | History
    | BrokerClock
    | Started
    | Restored
)


def _book_rarer(ctx: Context, told: _Rarer) -> None:
    match told:
        case FeedState():
            account.feed_state(ctx, told)
        case Calendar():
            account.calendar(ctx, told)
        case CommandGiven():
            commands.given(ctx, told)
        case SettingsChanged():
            settings_changed(ctx, told)
        case EngineTrouble():
            account.trouble(ctx, told)
        case Instruments():
            market.instruments(ctx, told)
        case History():
            market.history(ctx, told)
        case BrokerClock():
            account.broker_clock(ctx, told)
        case Started() | Restored():
            invariant(False, "a run begins before anything is booked")
        case other:
            assert_never(other)


def _due(ctx: Context) -> None:
    """What the clock brings, in the order of what it may take: days, fates, ways out, and last what could come in."""
    state = ctx.state
    ctx.touched = True
    breakers.roll_day(ctx)
    orders.due(ctx)
    if state.book_again_utc_ns and ctx.now >= state.book_again_utc_ns:
        state.book_again_utc_ns = 0
        ctx.ask_book("asked before, without an answer that settles it")
    closes.due(ctx)
    care.due(ctx)
    rounds.due(ctx)


def _settle(ctx: Context) -> None:
    """Something was booked: carry out what follows from it."""
    while ctx.closed:
        rounds.rejudge(ctx, only_after=ctx.closed.pop())
    if ctx.flatten_wish is not None:
        why, ctx.flatten_wish = ctx.flatten_wish, None
        flatten.start(ctx, why, halt=False)
    if "starting" in ctx.state.reasons:
        ready(ctx)
    if ctx.state.flatten is not None:
        flatten.watch(ctx)
    if ctx.state.stop is not None:
        shutdown.watch(ctx)
    ctx.touched = False


def _next_due(ctx: Context) -> UtcNs:
    """When the clock next matters; far away when it does not."""
    state = ctx.state
    soonest = breakers.next_due(ctx) or _NEVER
    if state.book_again_utc_ns:
        soonest = min(soonest, state.book_again_utc_ns)
    if state.stop is not None and not state.stop.ended:
        soonest = min(soonest, shutdown.deadline(ctx, state.stop))
    if not state.round.judged:
        soonest = min(soonest, state.round.deadline_utc_ns)
    if state.rejudge_utc_ns:
        soonest = min(soonest, state.rejudge_utc_ns)
    if state.orders:
        soonest = min(soonest, orders.next_due(ctx) or _NEVER)
    if state.closes:
        soonest = min(soonest, closes.next_due(ctx) or _NEVER)
    if state.positions:
        soonest = min(soonest, care.next_due(ctx) or _NEVER)
    return max(soonest, ctx.now + NS_PER_MS)
