"""The synchronous shell: one desk over one recording, from the opening to the last closed position, without an event loop.

Promises: the same opening, the same lockstep driver and the same broker's side as `run --replay`, so the same trades; no journal
and no tape unless given; an interruption closes what is open at the last price and says so. Does not: pace, alert or log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from core.backtest.market import Market
from core.backtest.result import BacktestResult, Collector
from core.backtest.settings import changed_settings, plain_tree
from core.clock.wall import Clock, WallClock
from core.desk.desk import Desk
from core.engine.lockstep import BarScanner, Lockstep, run_now
from core.engine.opening import Opening, first_inputs, open_broker, started_input
from core.engine.perform import Performer
from core.engine.runner import Runner, Tape
from core.engine.scanning import history_bars, make_scanner, seed
from core.engine.venue import Venue
from core.model.commands import StopEngine
from core.model.effects import Effect, EndRun
from core.model.inputs import Calendar, CommandGiven
from core.model.units import UtcNs
from core.settings.schema import Settings
from core.settings.version import code_version
from core.strategy.load import LoadedStrategy

_LOOK_STEPS = 512
"""How often progress is told and a wish to stop is obeyed, in instants of the market."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a run is."""

    at_utc_ns: UtcNs
    done_fraction: float
    bars: int
    elapsed_s: float

    @property
    def left_s(self) -> float | None:
        """Seconds still to go at this pace; None at the very beginning."""
        return self.elapsed_s * (1.0 / self.done_fraction - 1.0) if self.done_fraction > 0.001 else None


class Watcher(Protocol):
    """Who is told how far it is; answers whether to go on."""

    def __call__(self, progress: Progress) -> bool:
        """False ends the run early."""
        ...


class Backtest:
    """One run. `go` may be called once."""

    def __init__(
        self,
        market: Market,
        settings: Settings,
        strategy: LoadedStrategy,
        *,
        tape: Tape | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Opens the market as a venue. Raises DataError for what cannot be priced."""
        self.settings = settings
        self.strategy = strategy
        self.venue: Venue = market.venue(settings)
        self.desk = Desk()
        self.collector = Collector()
        self._market = market
        self._clock = clock or WallClock()
        self._tape = tape
        self._ended = ""
        self._complete = True

    def go(self, watcher: Watcher | None = None) -> BacktestResult:
        """Run to the end of the data, or until `watcher` has had enough. Raises BrokerError, InvariantBroken."""
        began = self._clock.monotonic_s()
        steps = run_now(self._begin())
        self._live(steps, watcher, began)
        return self._result(steps, self._clock.monotonic_s() - began)

    # ------------------------------------------------------------------------------------------------------ start
    async def _begin(self) -> Lockstep:
        venue, settings = self.venue, self.settings
        assert venue.terminal is not None
        opening = await open_broker(
            venue.broker,
            settings.desk.pairs,
            history_bars=history_bars(self.strategy, settings),
            h1_bars=0,
            on_step=_silent,
        )
        self.account = opening.connected.account
        runner = Runner(self.desk, self._tape, venue.from_utc_ns)
        runner.listen(self.collector.hear)
        runner.listen(self._hear)
        live = make_scanner(self.strategy, opening.instruments, settings)
        histories = seed(live, opening, settings)
        steps = self._driver(runner, self._scanner(live, opening))
        started = started_input(
            settings,
            run_id=venue.run_id,
            code_version=code_version(),
            strategy_hash=self.strategy.hash,
            seed=venue.seed,
            mode=venue.mode,
        )
        inputs = await first_inputs(
            venue.broker, opening, started=started, restored=None, histories=histories, calendar=self._calendar()
        )
        for item in inputs:
            await steps.give(item, venue.terminal.now_utc_ns)
        return steps

    def _scanner(self, live: BarScanner, opening: Opening) -> BarScanner:
        """What answers at a closed bar: here the live scanner, a bar at a time."""
        del opening
        return live

    def _driver(self, runner: Runner, scanner: BarScanner) -> Lockstep:
        venue = self.venue
        assert venue.terminal is not None
        return Lockstep(
            terminal=venue.terminal,
            broker=venue.broker,
            runner=runner,
            performer=Performer(venue.broker, None),
            scanner=scanner,
            settings=self.settings,
            interest=self.desk,
            until_utc_ns=venue.until_utc_ns,
        )

    def _calendar(self) -> Calendar:
        news = self.venue.news() if self.venue.news is not None else None
        if news is None:
            return Calendar(available=False, why="no calendar is set (news.files)")
        return Calendar(available=True, events=news, fetched_utc_ns=self.venue.from_utc_ns)

    # -------------------------------------------------------------------------------------------------------- run
    def _live(self, steps: Lockstep, watcher: Watcher | None, began: float) -> None:
        taken = 0
        while not self._ended:
            if steps.next_ns() is None:
                if steps.ending:
                    break
                self._stop(steps, "end", "end of data")
                continue
            run_now(steps.step())
            taken += 1
            if watcher is not None and taken % _LOOK_STEPS == 0 and not steps.ending:
                self._look(steps, watcher, began)

    def _look(self, steps: Lockstep, watcher: Watcher, began: float) -> None:
        at, span = steps.runner.at_utc_ns, self.venue.until_utc_ns - self.venue.from_utc_ns
        done = min(max((at - self.venue.from_utc_ns) / span, 0.0), 1.0)
        told = Progress(at_utc_ns=at, done_fraction=done, bars=steps.bars, elapsed_s=self._clock.monotonic_s() - began)
        if not watcher(told):
            self._complete = False
            self._stop(steps, "interrupted", "operator")

    def _stop(self, steps: Lockstep, why: str, origin: str) -> None:
        """No more entries; what is open is closed at the last price."""
        steps.ending = True
        command = StopEngine(policy="flatten", why=why)
        steps.post(CommandGiven(command_id=why, origin=origin, command=command))
        run_now(steps.feed_waiting())

    def _hear(self, _at_utc_ns: UtcNs, effect: Effect) -> None:
        if isinstance(effect, EndRun):
            self._ended = effect.why

    # -------------------------------------------------------------------------------------------------------- end
    def _result(self, steps: Lockstep, elapsed_s: float) -> BacktestResult:
        venue, heard, settings = self.venue, self.collector, self.settings
        reached = venue.until_utc_ns if self._complete else steps.runner.at_utc_ns
        return BacktestResult(
            label=venue.label,
            pairs=settings.desk.pairs,
            from_utc_ns=venue.from_utc_ns,
            to_utc_ns=reached,
            currency=self.account.currency,
            start_money=self.account.balance_money,
            summary=heard.tally.summary(),
            trades=tuple(heard.trades),
            equity=tuple(heard.equity),
            rejected=tuple(heard.rejected),
            settings=plain_tree(settings),
            changed=changed_settings(settings),
            strategy=self.strategy.name,
            strategy_hash=self.strategy.hash,
            code_version=code_version(),
            path=settings.costs.path,
            bars=steps.bars,
            bars_fed=steps.bars,
            elapsed_s=elapsed_s,
            complete=self._complete,
            ended=self._ended or "the data are over",
            notes=venue.notes,
        )


def _silent(_text: str) -> None:
    """A backtest's opening has nothing to wait for, so nothing to tell."""


Make = Callable[[Market, Settings, LoadedStrategy], Backtest]
