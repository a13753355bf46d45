"""The desk: one input in, decisions out. Dispatch only; each room says why it exists.

    market   quotes, bars            rounds -> entry -> caps -> gate    a candidate's way to an order
    orders   what became of each     positions, book, equity            what stands, and what it is worth
    care     peaks, trails, ages     closes, stops, flatten, shutdown   ways out
    breakers, states, account        what stands against entries        commands   the operator's decision

Promises: same inputs in the same order, same answers, in any process; a checkpoint is the encoding of the whole state.
Does not: await, read a clock, a file or a socket, draw random numbers, or keep a log. Order of anything depends on no set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, assert_never

from quarterdeck.core.desk import (
    account_and_connection,
    balance_changes,
    breaker_watch,
    broker_book,
    command_handler,
    desk_view,
    flatten,
    held,
    market_updates,
    orders_in_flight,
    passed,
    position_closing,
    position_management,
    shutdown,
    signal_rounds,
    silent_pairs,
    spikes,
)
from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.desk_state import decoded, encoded
from quarterdeck.core.desk.held import Figures, HeldMark
from quarterdeck.core.desk.passed import PairPassed
from quarterdeck.core.desk.settings_preview import SettingsPreview, preview_update
from quarterdeck.core.desk.settings_update import settings_changed
from quarterdeck.core.desk.startup import ready, restore_run, started_context
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import InvariantError, invariant
from quarterdeck.core.model.inputs import (
    AccountRead,
    BarClosed,
    BarMissing,
    BrokerBook,
    Calendar,
    CommandReceived,
    ConnectionState,
    EngineFault,
    ExecutionReport,
    History,
    Input,
    Instruments,
    NewDeal,
    Restored,
    SequencedInput,
    ServerClockRule,
    SettingsChanged,
    Started,
    TimerFired,
)
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.model.units import NS_PER_MS, UtcNs

QuoteInterest: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
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
        """`_wake` is worked out from the state as it stands; else it is when the clock continues, or someone asks."""
        self._interest: QuoteInterest = ((), ())
        self._interest_of: dict[str, tuple[int, ...]] = {}
        """What was open when `_interest` was found, as `Context.watched` gave it."""

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        """Book one input and answer with what is to be done, in order.

        Raises:
            InvariantBroken: a promise of ours does not hold; nothing more may be fed.
        """
        ctx, told, now = self._ctx, stamped.input, stamped.at_utc_ns
        if self._busy:
            raise InvariantError("the desk is fed by one consumer, and stops for good when a promise is broken")
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
        if ctx.wake_changed:
            _settle(ctx)
            self._wake_asked = False
        self._busy = False
        if not ctx.pending_effects:
            return _NOTHING
        out = tuple(ctx.pending_effects)
        ctx.pending_effects.clear()
        return out

    def wake_at(self) -> UtcNs | None:
        """The next instant of market time at which the desk wants to know that it came; None when it waits for nothing."""
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

        `figures` is asked where that depends on what was measured of a pair.
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
        return desk_view.desk_view(self._begun(), at_utc_ns)

    def preview_changes(self, told: SettingsChanged, at_utc_ns: UtcNs) -> SettingsPreview:
        """What new settings would do to what is open, tried on a copy; nothing here is changed."""
        return preview_update(self._begun(), told, at_utc_ns)

    def quote_interest(self) -> QuoteInterest:
        """Symbols whose every quote matters now (open, in flight, waiting), and those that only convert what is at risk."""
        ctx = self._begun()
        state, watched = ctx.state, ctx.positions_by_quote()
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
            raise InvariantError("a desk is started before it is asked anything")
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


def _interest(ctx: Context, hot: list[str], watched: Iterable[str]) -> QuoteInterest:
    others = list(watched)
    for symbol in hot:
        others += ctx.valuation_symbols(symbol)
    return tuple(dict.fromkeys(hot)), tuple([symbol for symbol in dict.fromkeys(others) if symbol not in hot])


def _out_of_order(stamped: SequencedInput, last_seq: int, last_at_utc_ns: UtcNs) -> None:
    invariant(stamped.seq == last_seq + 1, "inputs come without a gap", seq=stamped.seq, last=last_seq)
    invariant(stamped.at_utc_ns >= last_at_utc_ns, "market time never goes back", seq=stamped.seq, at=stamped.at_utc_ns)


def _begin(ctx: Context | None, stamped: SequencedInput) -> Context:
    """A run begins, or takes over the state of a past one."""
    told = stamped.input
    if isinstance(told, Started):
        return started_context(stamped, told)
    invariant(ctx is not None and isinstance(told, Restored), "the first input is `Started`", seq=stamped.seq)
    return restore_run(ctx, decoded(bytes(told.state)))  # type: ignore[arg-type, union-attr] # the line above


def _book(ctx: Context, told: Input) -> None:
    """Each kind of input to its room; the frequent ones first."""
    if isinstance(told, Quote):
        market_updates.quote(ctx, told)
    elif isinstance(told, ExecutionReport):
        again = orders_in_flight.on_execution_report(ctx, told)
        if again is not None and again.entry is not None:
            signal_rounds.retry_signal(ctx, again.entry.signal_id)
    elif isinstance(told, NewDeal):
        broker_book.on_deal(ctx, told.deal)
    elif isinstance(told, AccountRead):
        account_and_connection.on_account(ctx, told)
    elif isinstance(told, BrokerBook):
        broker_book.reconcile_book(ctx, told)
    elif isinstance(told, NoSignal):
        signal_rounds.no_signal(ctx, told)
    elif isinstance(told, BarClosed):
        market_updates.bar_closed(ctx, told)
        if told.timeframe == "M15":
            signal_rounds.bar_seen(ctx, told.bar.open_utc_ns)
    elif isinstance(told, BarMissing):
        if told.timeframe == "M15":
            signal_rounds.pair_without_bar(ctx, told.symbol, told.bar_open_utc_ns)
    elif isinstance(told, Signal):
        signal_rounds.signal(ctx, told)
    elif isinstance(told, TimerFired):
        ctx.wake_changed = True
    else:
        _book_rarer(ctx, told)


_Rarer: TypeAlias = (
    ConnectionState
    | Calendar
    | CommandReceived
    | SettingsChanged
    | EngineFault
    | Instruments
    | History
    | ServerClockRule
    | Started
    | Restored
)


def _book_rarer(ctx: Context, told: _Rarer) -> None:
    match told:
        case ConnectionState():
            account_and_connection.on_connection(ctx, told)
        case Calendar():
            account_and_connection.on_calendar(ctx, told)
        case CommandReceived():
            command_handler.execute_command(ctx, told)
        case SettingsChanged():
            settings_changed(ctx, told)
        case EngineFault():
            account_and_connection.on_engine_fault(ctx, told)
        case Instruments():
            market_updates.instruments(ctx, told)
        case History():
            market_updates.history(ctx, told)
        case ServerClockRule():
            account_and_connection.on_server_clock(ctx, told)
        case Started() | Restored():
            invariant(False, "a run begins before anything is booked")
        case other:
            assert_never(other)


def _due(ctx: Context) -> None:
    """What the clock brings, in the order of what it may take: days, outcomes, ways out, and last what could come in."""
    state = ctx.state
    ctx.wake_changed = True
    if "starting" not in state.reasons:
        breaker_watch.roll_days(ctx, ctx.now)
    orders_in_flight.due(ctx)
    if state.book_retry_utc_ns and ctx.now >= state.book_retry_utc_ns:
        state.book_retry_utc_ns = 0
        ctx.query_book("asked before, without an answer that settles it")
    balance_changes.due(ctx)
    silent_pairs.due(ctx)
    market_updates.spikes_due(ctx)
    position_closing.due(ctx)
    position_management.due(ctx)
    signal_rounds.due(ctx)


def _settle(ctx: Context) -> None:
    """Something was booked: carry out what follows from it."""
    while ctx.closed:
        signal_rounds.reevaluate(ctx, only_after=ctx.closed.pop())
    if ctx.flatten_requested is not None:
        why, ctx.flatten_requested = ctx.flatten_requested, None
        flatten.start(ctx, why, halt=False)
    if "starting" in ctx.state.reasons:
        ready(ctx)
    if ctx.state.flatten is not None:
        flatten.watch(ctx)
    if ctx.state.stop is not None:
        shutdown.watch(ctx)
    ctx.wake_changed = False


def _next_due(ctx: Context) -> UtcNs:
    """When the clock next matters; far away when it does not."""
    state = ctx.state
    soonest = breaker_watch.next_due(ctx) or _NEVER
    if state.book_retry_utc_ns:
        soonest = min(soonest, state.book_retry_utc_ns)
    if state.stop is not None and not state.stop.ended:
        soonest = min(soonest, shutdown.deadline(ctx, state.stop))
    if state.balance.unexplained_money:
        soonest = min(soonest, balance_changes.next_due(ctx) or _NEVER)
    if state.suspects:
        soonest = min(soonest, spikes.next_due(ctx))
    if state.silent:
        soonest = min(soonest, silent_pairs.next_due(ctx) or _NEVER)
    if not state.round.judged:
        soonest = min(soonest, state.round.deadline_utc_ns)
    if state.reevaluate_utc_ns:
        soonest = min(soonest, state.reevaluate_utc_ns)
    if state.orders:
        soonest = min(soonest, orders_in_flight.next_due(ctx) or _NEVER)
    if state.closes:
        soonest = min(soonest, position_closing.next_due(ctx) or _NEVER)
    if state.positions:
        soonest = min(soonest, position_management.next_due(ctx) or _NEVER)
    return max(soonest, ctx.now + NS_PER_MS)
