"""The synchronous shell: one desk over one recording, from the opening to the last closed position, without an event loop.

Promises: the same opening, the same lockstep driver and the same broker's side as `run --replay`, so the same trades; no journal
and no tape unless given; an interruption closes what is open at the last price and says so. Does not: pace, alert or log.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Protocol

from msgspec import Struct

from quarterdeck.core.backtest.backtest_settings import changed_settings, plain_tree
from quarterdeck.core.backtest.direct import DirectBroker
from quarterdeck.core.backtest.driver import Driver, EveryBarDriver
from quarterdeck.core.backtest.failures import FailureCounter, failure_notes
from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.backtest.result import BacktestResult, ResultCollector
from quarterdeck.core.backtest.scanners import VectorizedScanner
from quarterdeck.core.backtest.skipping import SkippingDriver
from quarterdeck.core.backtest.tape_replay import TapeDriver, TapeInputs
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.lockstep import BarScanner, Lockstep, run_without_loop
from quarterdeck.core.engine.order_sender import OrderSender
from quarterdeck.core.engine.runner import DeskRunner, TapeWriter
from quarterdeck.core.engine.scanner_setup import LocalScanner, history_bars, make_scanner, seed_history
from quarterdeck.core.engine.start_sequence import StartupData, first_inputs, open_broker, started_input
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.effects import Effect, EndRun
from quarterdeck.core.model.errors import InvariantError
from quarterdeck.core.model.inputs import Calendar, History
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.version import code_version
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_LOOK_STEPS = 128
"""How often progress is reported and a wish to stop is obeyed, in instants of the market, from the first on."""


class BacktestProgress(Struct, frozen=True, kw_only=True):
    """How far a run is."""

    at_utc_ns: UtcNs
    done_fraction: float
    bars: int
    elapsed_s: float

    @property
    def left_s(self) -> float | None:
        """Seconds still to go at this pace; None at the very beginning."""
        return self.elapsed_s * (1.0 / self.done_fraction - 1.0) if self.done_fraction > 0.001 else None


class ProgressListener(Protocol):
    """Called with the progress; answers whether to continue."""

    def __call__(self, progress: BacktestProgress) -> bool:
        """False ends the run early."""
        ...


class Backtest:
    """One run. `go` may be called once."""

    def __init__(
        self,
        market: RecordedDays,
        settings: Settings,
        strategy: LoadedStrategy,
        *,
        every_bar: bool = False,
        columns: bool | None = None,
        taped: TapeInputs | None = None,
        tape: TapeWriter | None = None,
        clock: Clock | None = None,
        keeps_state: bool = False,
    ) -> None:
        """Opens the market as a venue. Raises DataError for what cannot be priced.

        `every_bar` skips nothing; `columns` [where bars are skipped] answers from columns made once, not as the live scanner
        does, a bar at a time. `taped` answers instead of a scanner and
        begins with a book. There nothing is skipped, nor where a `tape` is written. `keeps_state` keeps `last_state`.
        """
        self.settings = settings
        self.strategy = strategy
        self.venue: Venue = market.venue(settings)
        self.desk = Desk()
        self.collector = ResultCollector()
        self.last_state: bytes = b""
        """The desk before what was open at the end of the data was closed, where it is kept; empty before that."""
        self._clock = clock or WallClock()
        self._every_bar = every_bar or tape is not None or taped is not None
        self._taped = taped
        self._columns = columns if columns is not None else not self._every_bar
        self._tape = tape
        self._keeps_state = keeps_state
        self._ended = ""
        self._complete = True

    def run_once(self, watcher: ProgressListener | None = None) -> BacktestResult:
        """Run to the end of the data, or until `watcher` has had enough. Raises BrokerError, InvariantBroken."""
        began = self._clock.monotonic_s()
        steps = run_without_loop(self._begin())
        self._live(steps, watcher, began)
        return self._result(steps, self._clock.monotonic_s() - began)

    # ------------------------------------------------------------------------------------------------------ start
    async def _begin(self) -> Driver:
        venue, settings = self.venue, self.settings
        if self._taped is not None:
            self._terminal().ledger.restore(deepcopy(self._taped.books))
        opening = await open_broker(
            venue.broker,
            settings.desk.pairs,
            history_bars=1 if self._taped is not None else history_bars(self.strategy, settings),
            h1_bars=0,
            on_step=_silent,
        )
        self.account = opening.connected.account
        runner = DeskRunner(self.desk, self._tape, venue.from_utc_ns if self._taped is None else self._terminal().now_utc_ns)
        runner.listen(self.collector.on_effect)
        runner.listen(self._hear)
        live: BarScanner
        histories: list[History] = []
        if self._taped is not None:
            live = self._taped.answers
        else:
            scanner = make_scanner(self.strategy, opening.instruments, settings)
            live, histories = scanner, seed_history(scanner, opening, settings)
        steps = self._driver(runner, live, opening, histories)
        started = started_input(
            settings,
            run_id=venue.run_id,
            code_version=code_version(),
            strategy_hash=self.strategy.hash,
            seed=venue.seed,
            mode=venue.mode,
        )
        inputs = await first_inputs(
            venue.broker,
            opening,
            started=started,
            restored=None if self._taped is None else self._taped.state,
            histories=histories,
            calendar=None if self._taped is not None else self._calendar(),
        )
        for item in inputs:
            steps.feed_input(item, self._terminal().now_utc_ns)
        return steps

    def _driver(self, runner: DeskRunner, live: BarScanner, opening: StartupData, histories: list[History]) -> Driver:
        """Every instant, or only those that can matter."""
        venue, settings, terminal = self.venue, self.settings, self._terminal()
        scanner = self._column_scanner(opening) if self._columns or not self._every_bar else None
        self._scanned = scanner or FailureCounter(live)
        if scanner is not None and not self._every_bar:
            return SkippingDriver(
                terminal=terminal,
                broker=DirectBroker(terminal, venue.broker, self.account, opening.instruments, settings.account.magic),
                runner=runner,
                desk=self.desk,
                scanner=scanner,
                settings=settings,
                usual_price={past.symbol: past.usual_spread_price for past in histories},
                until_utc_ns=venue.until_utc_ns,
                marks=self.collector.mark,
            )
        lockstep = Lockstep(
            terminal=terminal,
            broker=venue.broker,
            runner=runner,
            performer=OrderSender(venue.broker, None),
            scans=LocalScanner(self._scanned),
            settings=settings,
            interest=self.desk,
            until_utc_ns=venue.until_utc_ns,
        )
        every = EveryBarDriver(lockstep)
        return every if self._taped is None else TapeDriver(every, lockstep.next_ns, self._taped)

    def _column_scanner(self, opening: StartupData) -> VectorizedScanner:
        market, candles = self._terminal().market, {}
        for symbol in self.settings.desk.pairs:
            whole = market.columns(symbol, "M15")
            if whole is None:
                raise InvariantError(f"a recording has M15 bars of each traded pair (symbol={symbol!r})")
            candles[symbol] = whole
        return VectorizedScanner(self.strategy, opening, self.settings, candles)

    def _terminal(self) -> SimulatedTerminal:
        terminal = self.venue.terminal
        if not isinstance(terminal, SimulatedTerminal):
            raise InvariantError("a backtest runs on a terminal that makes its own time")
        return terminal

    def _calendar(self) -> Calendar:
        news = self.venue.news() if self.venue.news is not None else None
        if news is None:
            return Calendar(available=False, why="no calendar is set that reaches these days (news.files)")
        return Calendar(available=True, events=news, fetched_utc_ns=self.venue.from_utc_ns)

    # -------------------------------------------------------------------------------------------------------- run
    def _live(self, steps: Driver, watcher: ProgressListener | None, began: float) -> None:
        taken = 0
        while not self._ended:
            if not steps.step():
                if steps.ending:
                    break
                self._finish(steps)
                continue
            taken += 1
            if watcher is not None and taken % _LOOK_STEPS == 1 and not steps.ending:
                self._look(steps, watcher, began)

    def _look(self, steps: Driver, watcher: ProgressListener, began: float) -> None:
        at, span = steps.runner.at_utc_ns, self.venue.until_utc_ns - self.venue.from_utc_ns
        done = min(max((at - self.venue.from_utc_ns) / span, 0.0), 1.0)
        told = BacktestProgress(at_utc_ns=at, done_fraction=done, bars=steps.bars, elapsed_s=self._clock.monotonic_s() - began)
        if not watcher(told):
            self._complete = False
            self._finish(steps)

    def _finish(self, steps: Driver) -> None:
        if self._keeps_state:
            self.last_state = self.desk.checkpoint()
        steps.finish()

    def _hear(self, _at_utc_ns: UtcNs, effect: Effect) -> None:
        if isinstance(effect, EndRun):
            self._ended = effect.why

    # -------------------------------------------------------------------------------------------------------- end
    def _result(self, steps: Driver, elapsed_s: float) -> BacktestResult:
        venue, heard, settings = self.venue, self.collector, self.settings
        reached = venue.until_utc_ns if self._complete else steps.runner.at_utc_ns
        return BacktestResult(
            label=venue.label,
            pairs=settings.desk.pairs,
            from_utc_ns=venue.from_utc_ns,
            to_utc_ns=reached,
            currency=self.account.currency,
            start_money=self.account.balance_money if self._taped is None else self.account.equity_money,
            summary=heard.tally.summary(),
            trades=tuple(heard.trades),
            equity=tuple(heard.equity),
            rejected=tuple(heard.rejected),
            entered=tuple(heard.entered),
            settings=plain_tree(settings),
            changed=changed_settings(settings),
            strategy=self.strategy.name,
            strategy_hash=self.strategy.hash,
            code_version=code_version(),
            path=settings.costs.intrabar_order,
            bars=steps.bars,
            bars_fed=steps.bars_fed,
            elapsed_s=elapsed_s,
            complete=self._complete,
            ended=self._ended.removesuffix(": keep") if self._complete else "stopped manually",
            notes=(*venue.notes, *failure_notes(self._scanned.failures, venue.from_utc_ns, reached)),
        )


def _silent(_text: str) -> None:
    """A backtest's opening has nothing to wait for, so nothing to tell."""
