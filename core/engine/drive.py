"""The two ways of driving a run behind one face: steps over a terminal that makes its own time, or loops beside a live one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from quarterdeck.core.engine.hour_check import hour_check
from quarterdeck.core.engine.live import LiveFeed
from quarterdeck.core.engine.lockstep import Lockstep
from quarterdeck.core.engine.pace import Pacer
from quarterdeck.core.engine.perform import Performer, requests_of
from quarterdeck.core.engine.supervise import Supervisor
from quarterdeck.core.engine.troubled import TroubledLockstep
from quarterdeck.core.link.messages import ReplayControl
from quarterdeck.core.model.effects import Effect, TradeClosed, Verdict
from quarterdeck.core.model.errors import InvariantBroken
from quarterdeck.core.model.inputs import BrokerClock, Input
from quarterdeck.core.model.market import Quote
from quarterdeck.core.model.units import UtcNs

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine


class Drive(Protocol):
    """What the engine needs of whoever feeds the desk."""

    pacer: Pacer | None

    @property
    def bars(self) -> int:
        """Symbol-bars fed so far."""
        ...

    @property
    def feed(self) -> tuple[bool, str]:
        """Whether quotes come, and why not."""
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

    def hurry(self) -> None:
        """The run is to end: hold nothing back any more."""
        ...

    def control(self, control: ReplayControl) -> None:
        """Steer the pace, where it is ours."""
        ...

    def heard(self, effect: Effect) -> None:
        """An effect of the desk, for stepping to the next trade or refusal."""
        ...

    async def stop(self) -> None:
        """Finish what is under way."""
        ...


class LockstepDrive:
    """Steps a simulated terminal at the pace asked for."""

    def __init__(self, engine: Engine, performer: Performer) -> None:
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
        """See `Drive`."""
        return self._steps.bars

    @property
    def feed(self) -> tuple[bool, str]:
        """See `Drive`."""
        steps = self._steps
        return (steps.feed_up, steps.feed_why) if isinstance(steps, TroubledLockstep) else (True, "")

    def newest_quotes(self) -> tuple[UtcNs, dict[str, Quote]]:
        """See `Drive`."""
        terminal = self._steps.terminal
        quotes = terminal.newest(self._engine.tuning.settings.desk.pairs)
        return terminal.now_utc_ns, {quote.symbol: quote for quote in quotes}

    @property
    def _steps(self) -> Lockstep:
        if self._lockstep is None:
            raise InvariantBroken("a drive begins before it runs")
        return self._lockstep

    async def begin(self, inputs: Sequence[Input]) -> None:
        """See `Drive`."""
        engine = self._engine
        terminal = engine.venue.terminal
        if terminal is None:
            raise InvariantBroken("lockstep needs a terminal that makes its own time")
        settings = engine.tuning.settings
        if engine.venue.faults is None:
            made: Callable[..., Lockstep] = Lockstep
        else:
            made = partial(TroubledLockstep, last_bars=engine.history_ends, late_s=settings.scan.signal_age_max_s)
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
            await self._lockstep.give(item, terminal.now_utc_ns)

    async def run(self) -> None:
        """See `Drive`."""
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
        """See `Drive`."""
        self._steps.post(item)
        if self.pacer is not None:
            self.pacer.nudge()

    def post_threadsafe(self, item: Input) -> None:
        """See `Drive`."""
        self._loop.call_soon_threadsafe(self.post, item)

    def hurry(self) -> None:
        """See `Drive`."""
        self._steps.ending = True
        if self.pacer is not None:
            self.pacer.set_speed(None)

    def control(self, control: ReplayControl) -> None:
        """See `Drive`."""
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

    def heard(self, effect: Effect) -> None:
        """See `Drive`."""
        reached = (self._step_until == "trade" and isinstance(effect, TradeClosed)) or (
            self._step_until == "refusal" and isinstance(effect, Verdict) and effect.outcome == "refused"
        )
        if reached:
            self._pause()

    async def stop(self) -> None:
        """See `Drive`."""

    def _pause(self) -> None:
        self._step_until = ""
        if self.pacer is not None:
            self.pacer.set_speed(0.0)
        self._engine.journal.catch_up()

    def _after(self, at_utc_ns: UtcNs) -> None:
        self._engine.upkeep.look(at_utc_ns)
        if self._step_until == "bar" and self.bars > self._bar_mark:
            self._pause()

    async def _market_over(self) -> bool:
        """The market is over: what is open is closed with reason `end`; True while the desk has something to finish."""
        await self._steps.finish()
        return not self._engine.ended.done()


class LiveDrive:
    """Runs the live loops, and the upkeep that goes with them."""

    pacer: Pacer | None = None

    def __init__(self, engine: Engine, performer: Performer, supervisor: Supervisor) -> None:
        """`engine` has its runner and venue already."""
        self._engine = engine
        self._performer = performer
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._live: LiveFeed | None = None

    @property
    def bars(self) -> int:
        """See `Drive`."""
        return self._feed.bars

    @property
    def feed(self) -> tuple[bool, str]:
        """See `Drive`."""
        return self._feed.feed_up, self._feed.feed_why

    def newest_quotes(self) -> tuple[UtcNs, dict[str, Quote]]:
        """See `Drive`."""
        return self._engine.clock.utc_ns(), self._feed.newest

    @property
    def _feed(self) -> LiveFeed:
        if self._live is None:
            raise InvariantBroken("a drive begins before it runs")
        return self._live

    async def begin(self, inputs: Sequence[Input]) -> None:
        """See `Drive`."""
        engine = self._engine
        hours = hour_check(engine, engine.scanner)
        self._live = LiveFeed(
            broker=engine.venue.broker,
            runner=engine.runner,
            performer=self._performer,
            scans=engine.scans,
            settings=lambda: engine.tuning.settings,
            interest=engine.desk,
            clock=engine.clock,
            supervisor=self._supervisor,
            on_hour=None if hours is None else hours.compare,
        )
        self._live.last_bar_utc_ns.update(engine.history_ends)
        for item in inputs:
            if isinstance(item, BrokerClock):
                self._live.server_clock = item
            effects = engine.runner.give(item, engine.clock.utc_ns())
            for request in requests_of(effects):
                for answer in await self._performer.perform(request):
                    self._live.post(answer)

    async def run(self) -> None:
        """See `Drive`."""
        self._feed.start()
        while True:
            # the pairs' own polls wake the loop as often; a longer sleep would be late after the machine was suspended
            await asyncio.sleep(1.0)
            self._engine.upkeep.look(self._engine.clock.utc_ns())
            self._engine.health.round_trip_ms = self._feed.round_trip_ms

    def post(self, item: Input) -> None:
        """See `Drive`."""
        self._feed.post(item)

    def post_threadsafe(self, item: Input) -> None:
        """See `Drive`."""
        self._loop.call_soon_threadsafe(self._feed.post, item)

    def hurry(self) -> None:
        """See `Drive`."""

    def control(self, control: ReplayControl) -> None:
        """A live market has no pace of ours."""

    def heard(self, effect: Effect) -> None:
        """Nothing waits for an effect here."""

    async def stop(self) -> None:
        """See `Drive`."""
        await self._feed.stop()
