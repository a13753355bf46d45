"""The two ways of driving a run behind one face: steps over a terminal that makes its own time, or loops beside a live one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from quarterdeck.core.engine.clock_watch import ClockWatch
from quarterdeck.core.engine.faulty_lockstep import FaultyLockstep
from quarterdeck.core.engine.h1_check import h1_check_for
from quarterdeck.core.engine.live_feed import LiveFeed
from quarterdeck.core.engine.lockstep import Lockstep
from quarterdeck.core.engine.order_sender import OrderSender, requests_by_urgency
from quarterdeck.core.engine.replay_speed import Pacer
from quarterdeck.core.engine.silence_detection import QuoteSilence
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.engine.vitals import Seen
from quarterdeck.core.filters.trading_hours import is_open
from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.effects import Effect, TradeClosed, Verdict
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import Input, Instruments, ServerClockRule
from quarterdeck.core.model.market_data import Quote
from quarterdeck.core.model.units import UtcNs

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine


class RunLoop(Protocol):
    """What the engine needs of whoever feeds the desk."""

    pacer: Pacer | None

    @property
    def bars(self) -> int:
        """Symbol-bars fed so far."""
        ...

    @property
    def feed_status(self) -> tuple[bool, str]:
        """Whether quotes come, and why not."""
        ...

    @property
    def seen(self) -> Seen | None:
        """What the feed saw recently; None where the terminal makes its own time."""
        ...

    def newest_quotes(self) -> tuple[UtcNs, dict[str, Quote]]:
        """Market time and the newest quotes of the traded pairs, for screens."""
        ...

    async def begin(self, inputs: Sequence[Input]) -> None:
        """Tell the desk what it must know before the first quote."""
        ...

    async def run(self) -> None:
        """Feed the desk until the run ends."""
        ...

    def post(self, item: Input) -> None:
        """Feed something from outside at the next chance."""
        ...

    def post_threadsafe(self, item: Input) -> None:
        """As `post`, from another thread."""
        ...

    def skip_pacing(self) -> None:
        """The run is to end: hold nothing back any more."""
        ...

    def control(self, control: ReplayControl) -> None:
        """Steer the pace, where it is ours."""
        ...

    def measure_clock(self) -> None:
        """Compare this machine's clock with the broker's now, where that is done at all."""
        ...

    def on_effect(self, effect: Effect) -> None:
        """An effect of the desk, for stepping to the next trade or refusal."""
        ...

    async def stop(self) -> None:
        """Finish what is under way."""
        ...


class LockstepRunLoop:
    """Steps a simulated terminal at the pace asked for."""

    def __init__(self, engine: Engine, performer: OrderSender) -> None:
        """`engine` has its runner and venue already."""
        self.pacer: Pacer | None = Pacer(engine.clock, engine.venue.speed)
        self._engine = engine
        self._performer = performer
        self._loop = asyncio.get_running_loop()
        self._lockstep: Lockstep | None = None
        self._step_until: str = ""
        self._bar_mark = 0

    @property
    def bars(self) -> int:
        """See `RunLoop`."""
        return self._steps.bars

    @property
    def feed_status(self) -> tuple[bool, str]:
        """See `RunLoop`."""
        steps = self._steps
        return (steps.feed_up, steps.feed_why) if isinstance(steps, FaultyLockstep) else (True, "")

    @property
    def seen(self) -> Seen | None:
        """See `RunLoop`."""
        return None

    def newest_quotes(self) -> tuple[UtcNs, dict[str, Quote]]:
        """See `RunLoop`."""
        terminal = self._steps.terminal
        quotes = terminal.quotes_for_display(self._engine.runtime_settings.settings.desk.pairs)
        return terminal.now_utc_ns, {quote.symbol: quote for quote in quotes}

    @property
    def _steps(self) -> Lockstep:
        if self._lockstep is None:
            raise InvariantError("a drive begins before it runs")
        return self._lockstep

    async def begin(self, inputs: Sequence[Input]) -> None:
        """See `RunLoop`."""
        engine = self._engine
        terminal = engine.venue.terminal
        if terminal is None:
            raise InvariantError("lockstep needs a terminal that makes its own time")
        settings = engine.runtime_settings.settings
        if engine.venue.faults is None:
            made: Callable[..., Lockstep] = Lockstep
        else:
            made = partial(FaultyLockstep, last_bars=engine.history_ends, late_s=settings.scan.signal_age_max_s)
        self._lockstep = made(
            terminal=terminal,
            broker=engine.venue.broker,
            runner=engine.runner,
            performer=self._performer,
            scans=engine.scans,
            settings=settings,
            interest=engine.desk,
            until_utc_ns=engine.venue.until_utc_ns,
        )
        for item in inputs:
            await self._lockstep.feed_input(item, terminal.now_utc_ns)

    async def run(self) -> None:
        """See `RunLoop`."""
        engine, steps, pacer = self._engine, self._steps, self.pacer
        assert pacer is not None
        while not engine.ended.done():
            at = steps.next_ns()
            if at is None:
                if steps.ending or not await self._market_over():
                    return
                continue
            if not await pacer.hold(at):
                await steps.feed_waiting()
                continue
            await steps.step()
            self._after(steps.runner.at_utc_ns)

    def post(self, item: Input) -> None:
        """See `RunLoop`."""
        self._steps.post(item)
        if self.pacer is not None:
            self.pacer.nudge()

    def post_threadsafe(self, item: Input) -> None:
        """See `RunLoop`."""
        self._loop.call_soon_threadsafe(self.post, item)

    def skip_pacing(self) -> None:
        """See `RunLoop`."""
        self._steps.ending = True
        if self.pacer is not None:
            self.pacer.set_speed(None)

    def control(self, control: ReplayControl) -> None:
        """See `RunLoop`."""
        pacer = self.pacer
        if pacer is None:
            return
        if control.action == "pause":
            self._pause()
        elif control.action == "play":
            pacer.set_speed(self._engine.venue.speed)
        elif control.action == "speed":
            pacer.set_speed(control.speed or None)
        else:
            self._step_until = {"step_bar": "bar", "next_trade": "trade", "next_refusal": "refusal"}[control.action]
            self._bar_mark = self.bars
            pacer.set_speed(None)

    def measure_clock(self) -> None:
        """See `RunLoop`."""

    def on_effect(self, effect: Effect) -> None:
        """See `RunLoop`."""
        reached = (self._step_until == "trade" and isinstance(effect, TradeClosed)) or (
            self._step_until == "refusal" and isinstance(effect, Verdict) and effect.outcome == "refused"
        )
        if reached:
            self._pause()

    async def stop(self) -> None:
        """See `RunLoop`."""

    def _pause(self) -> None:
        self._step_until = ""
        if self.pacer is not None:
            self.pacer.set_speed(0.0)
        self._engine.journal.catch_up()

    def _after(self, at_utc_ns: UtcNs) -> None:
        self._engine.maintenance.run_due(at_utc_ns)
        if self._step_until == "bar" and self.bars > self._bar_mark:
            self._pause()

    async def _market_over(self) -> bool:
        """The market is over: what is open is closed with reason `end`; True while the desk has something to finish."""
        await self._steps.finish()
        return not self._engine.ended.done()


class LiveRunLoop:
    """Runs the live loops, and the upkeep that goes with them."""

    pacer: Pacer | None = None

    def __init__(self, engine: Engine, performer: OrderSender, supervisor: TaskSupervisor) -> None:
        """`engine` has its runner and venue already."""
        self._engine = engine
        self._performer = performer
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._live: LiveFeed | None = None

    @property
    def bars(self) -> int:
        """See `RunLoop`."""
        return self._feed.closed.count

    @property
    def feed_status(self) -> tuple[bool, str]:
        """See `RunLoop`."""
        return self._feed.feed_up, self._feed.feed_why

    @property
    def seen(self) -> Seen | None:
        """See `RunLoop`."""
        return self._feed.seen

    def newest_quotes(self) -> tuple[UtcNs, dict[str, Quote]]:
        """See `RunLoop`."""
        return self._engine.clock.utc_ns(), self._feed.newest

    @property
    def _feed(self) -> LiveFeed:
        if self._live is None:
            raise InvariantError("a drive begins before it runs")
        return self._live

    async def begin(self, inputs: Sequence[Input]) -> None:
        """See `RunLoop`."""
        engine = self._engine
        hours = h1_check_for(engine, engine.scanner)
        specs = {spec.symbol: spec for told in inputs if isinstance(told, Instruments) for spec in told.instruments}

        def opened(symbol: str, at_utc_ns: UtcNs) -> bool:
            return symbol in specs and is_open(specs[symbol], at_utc_ns)

        self._live = LiveFeed(
            broker=engine.venue.broker,
            runner=engine.runner,
            performer=self._performer,
            scans=engine.scans,
            settings=lambda: engine.runtime_settings.settings,
            interest=engine.desk,
            clock=engine.clock,
            supervisor=self._supervisor,
            on_hour=None if hours is None else hours.compare,
            silence=QuoteSilence(opened, engine.usual_gaps_s),
            speed=engine.venue.market_speed,
        )
        self._live.closed.last_utc_ns.update(engine.history_ends)
        for item in inputs:
            if isinstance(item, ServerClockRule):
                self._live.server_clock = item
            effects = engine.runner.feed_input(item, engine.clock.utc_ns())
            for request in requests_by_urgency(effects):
                for answer in await self._performer.perform(request):
                    self._live.post(answer)

    async def run(self) -> None:
        """See `RunLoop`."""
        self._feed.start()
        watch = ClockWatch(self._engine, self._feed)
        while True:
            # the pairs' own polls wake the loop as often; a longer sleep would be late after the machine was suspended
            await asyncio.sleep(1.0)
            watch.look()
            self._engine.maintenance.run_due(self._engine.clock.utc_ns())
            self._engine.health.round_trip_ms = self._feed.round_trip_ms

    def post(self, item: Input) -> None:
        """See `RunLoop`."""
        self._feed.post(item)

    def post_threadsafe(self, item: Input) -> None:
        """See `RunLoop`."""
        self._loop.call_soon_threadsafe(self._feed.post, item)

    def skip_pacing(self) -> None:
        """See `RunLoop`."""

    def control(self, control: ReplayControl) -> None:
        """A live market has no pace of ours."""

    def measure_clock(self) -> None:
        """See `RunLoop`."""
        self._feed.nudge()

    def on_effect(self, effect: Effect) -> None:
        """Nothing waits for an effect here."""

    async def stop(self) -> None:
        """See `RunLoop`."""
        await self._feed.stop()
