"""A whole run from the command line's wishes to its end: settings, strategy, venue, engine, signals, and what to say afterwards.

Used by `run --no-ui` (and so by the engine child), and by a screen that holds the engine in its own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.brokers.simulator.demo_start import demo_terminal
from quarterdeck.core.brokers.simulator.fault_options import fault_rates
from quarterdeck.core.clock.steady import MachineClock, SteadyClock
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.engine.console import ConsoleEvents
from quarterdeck.core.engine.crash_alerts import alert_failed_start, tell_unbuilt
from quarterdeck.core.engine.engine import Engine, RunEnd, StepReporter
from quarterdeck.core.engine.event_publisher import EventListener
from quarterdeck.core.engine.run_request import RunRequest, settings_for_run
from quarterdeck.core.engine.scanner_setup import history_bars, warmup_bars
from quarterdeck.core.engine.simulated_venues import (
    ReplayRequest,
    crash_venue,
    faults_of,
    new_run_id,
    replay_venue,
    simulated_venue,
)
from quarterdeck.core.engine.strategy_supervision import strategy_for_run
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.errors import QuarterdeckError, UsageError
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.settings.home import prepare
from quarterdeck.core.settings.secrets import Secrets, read_secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

EXIT_INTERRUPTED = 130


class StartInterrupted(QuarterdeckError):
    """A signal ended the start."""

    exit_code = EXIT_INTERRUPTED


class StartedRun(Struct, frozen=True, kw_only=True):
    """A started engine and the settings it started with."""

    engine: Engine
    loaded: LoadedSettings
    signals: OsSignals | None = None
    """Who has been hearing signals since the start; None where nobody has."""


def make_venue(wish: RunRequest, loaded: LoadedSettings, strategy: LoadedStrategy, secrets: Secrets, clock: Clock) -> Venue:
    """The venue that the wish and settings ask for. Raises DataError, SettingsError, BrokerError, UsageError (faults)."""
    settings = loaded.settings
    rates = fault_rates(wish.faults)
    if wish.faults and not (wish.crash or wish.replay or settings.desk.mode == "simulated"):
        raise UsageError(
            f"--fault works on the simulated terminal only, and desk.mode is {settings.desk.mode}",
            what_to_do="leave --fault out, or rehearse with --set desk.mode=simulated or over `quarterdeck gateway --simulated`",
        )
    if wish.crash:
        return crash_venue(settings, wish.speed, rates)
    if wish.replay:
        request = ReplayRequest(
            folders=wish.replay,
            from_day=wish.from_day,
            to_day=wish.to_day,
            speed=wish.speed,
            rates=wish.rates,
            faults=rates,
            warmup_bars=warmup_bars(strategy, settings),
            history_bars=history_bars(strategy, settings),
        )
        return replay_venue(settings, request, wish.home)
    run_id = new_run_id(clock)
    if settings.desk.mode == "simulated":
        speed = wish.speed if wish.speed_given else settings.simulation.speed
        # where a strategy apart would find something is not known before it is asked bar by bar
        faults = faults_of(rates, settings.simulation.seed)
        terminal = None if strategy.own else demo_terminal(settings, strategy, faults)
        return simulated_venue(settings, run_id=run_id, speed=speed, terminal=terminal, faults=faults)
    from quarterdeck.core.engine.live_venues import live_venue, paper_venue

    if settings.desk.mode == "paper":
        return paper_venue(settings, wish.home, secrets, run_id=run_id, clock=clock)
    return live_venue(settings, wish.home, secrets, run_id=run_id, clock=clock, yes_real=wish.yes_real)


async def start_run(
    wish: RunRequest,
    *,
    on_step: StepReporter,
    on_line: Callable[[LogLine], None] | None = None,
    clock: Clock | None = None,
) -> StartedRun:
    """Build and start an engine. Raises QuarterdeckError (`StartInterrupted` for a signal); nothing is left open then."""
    starting = asyncio.current_task()
    signals = OsSignals()
    signals.set_handlers(lambda _: starting is not None and starting.cancel())
    try:
        engine, loaded = await _started(wish, on_step, on_line, clock or await _clock(wish))
    except BaseException as error:
        signals.release()
        if isinstance(error, asyncio.CancelledError) and signals.heard:
            text = f"interrupted ({signals.heard[0]}) before the desk was ready; nothing was traded"
            raise StartInterrupted(text) from error
        raise
    if signals.heard:  # the last step was over before it could be given up
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        signals.release()
        await engine.close(RunEnd(clean=True, why=f"{signals.heard[0]} at the start"))
        raise StartInterrupted(f"interrupted ({signals.heard[0]}) as the desk became ready; nothing was traded")
    signals.set_handlers(None)
    return StartedRun(engine=engine, loaded=loaded, signals=signals)


async def _clock(wish: RunRequest) -> Clock:
    """The machine's clock, or a rehearsal's; settings that cannot be read are reported by the start itself."""
    machine: MachineClock = WallClock()
    with contextlib.suppress(QuarterdeckError):
        settings = settings_for_run(wish).settings
        if settings.desk.mode != "simulated" and settings.account.gateway and not (wish.crash or wish.replay):
            from quarterdeck.core.engine.live_venues import machine_clock

            machine = await machine_clock(settings, wish.home.root)
    return SteadyClock(machine)


async def _started(
    wish: RunRequest, on_step: StepReporter, on_line: Callable[[LogLine], None] | None, clock: Clock
) -> tuple[Engine, LoadedSettings]:
    try:
        engine, loaded = await _built(wish, on_step, on_line, clock)
    except Exception as error:
        await tell_unbuilt(wish, error, clock)
        raise
    try:
        await engine.start(on_step)
    except BaseException as error:
        if isinstance(error, Exception) and hasattr(engine, "publisher"):
            alert_failed_start(engine, error)
        elif isinstance(error, Exception):
            await tell_unbuilt(wish, error, clock)
        await engine.close(RunEnd(clean=False, why=f"Engine failed to start: {str(error) or type(error).__name__}"))
        raise
    return engine, loaded


async def _built(
    wish: RunRequest, on_step: StepReporter, on_line: Callable[[LogLine], None] | None, clock: Clock
) -> tuple[Engine, LoadedSettings]:
    on_step("reading settings")
    loaded = settings_for_run(wish)
    prepare(wish.home)
    secrets = read_secrets(wish.home.secrets, alert_urls=loaded.alert_urls, news_urls=loaded.news_urls)
    for note in loaded.notes:
        on_step(note)
    if loaded.settings.strategy.file:
        on_step(f"loading the strategy {loaded.settings.strategy.file}")
    strategy, apart = await strategy_for_run(loaded.settings, wish.home.root, clock)
    try:
        on_step("loading the market")
        venue = await asyncio.to_thread(make_venue, wish, loaded, strategy, secrets, clock)
        on_step(venue.label)
        if wish.crash:
            on_step(
                f"time exit is {loaded.settings.position.time_exit_hours:g} h in this replay, so that some positions meet "
                "the crash"
            )
        engine = Engine(
            home=wish.home,
            loaded=loaded,
            venue=venue,
            strategy=strategy,
            clock=clock,
            secrets=secrets,
            on_line=on_line,
            apart=apart,
        )
    except BaseException:
        if apart is not None:
            await apart.stop()
        raise
    return engine, loaded


async def run_to_end(ready: StartedRun, *, screen: bool = False) -> RunEnd:
    """Run until it is over, obeying signals, and close everything; they are obeyed once, and taken in until the last flush.

    Without a screen in this process a hang-up reads the settings again; with one it means that the terminal is gone.
    """
    engine, signals = ready.engine, ready.signals or OsSignals()
    signals.set_handlers(lambda name: engine.stop(why=name), (lambda: engine.stop(why="SIGHUP")) if screen else engine.reload)
    try:
        end = await engine.run()
    except BaseException as error:
        await engine.close(RunEnd(clean=False, why=f"{type(error).__name__}: {error}"))
        raise
    else:
        end = await engine.close(end)
    finally:
        signals.set_handlers(_deaf)
        if screen or sys.platform == "win32":
            signals.release()
    heard = signals.heard if not screen else [*signals.heard, *signals.hung_up]
    code = EXIT_INTERRUPTED if "SIGINT" in heard and end.exit_code == 0 else end.exit_code
    return msgspec.structs.replace(end, exit_code=code, signal=next(iter(heard), ""))


def watch_engine(engine: Engine, watcher: EventListener) -> None:
    """Give `watcher` every snapshot and log line of an engine in this process, and its goodbye."""
    engine.watch(watcher)


def _deaf(_name: str) -> None:
    """All is done: nothing is left that a signal could stop."""


class OsSignals:
    """SIGTERM, SIGINT and SIGHUP from the first step of a start to the last flush, with no gap between.

    Heard where nobody obeys yet, a wish to stop is kept and obeyed then. Only the main thread hears signals. Windows has no
    SIGHUP; there Ctrl-Break, a closed console, a log-off and a shutdown are wishes to stop. What held before holds again after
    `release`, or when the event loop ends.
    """

    def __init__(self) -> None:
        """Hear from here on."""
        self.heard: list[str] = []
        """Wishes to stop, in order."""
        self.hung_up: list[str] = []
        self._stop: Callable[[str], object] | None = None
        self._hang_up: Callable[[], object] | None = None
        self._loop = asyncio.get_running_loop()
        self._before: dict[str, Any] = {}
        self._console: ConsoleEvents | None = None
        if threading.current_thread() is threading.main_thread():
            self._take()

    def set_handlers(self, stop: Callable[[str], object] | None, hang_up: Callable[[], object] | None = None) -> None:
        """Called from now on; None keeps a wish to stop for whoever comes next."""
        waiting = self.heard[:1] if self._stop is None and self._before else []
        self._stop, self._hang_up = stop, hang_up
        if stop is not None:
            for name in waiting:
                stop(name)

    def release(self) -> None:
        """Hear nothing more."""
        if self._console is not None:
            self._console.finished()
            self._console = None
        for name, handler in self._before.items():
            if sys.platform != "win32":
                with contextlib.suppress(ValueError, RuntimeError):
                    self._loop.remove_signal_handler(getattr(signal, name))
            signal.signal(getattr(signal, name), handler)
        self._before.clear()

    def _take(self) -> None:
        for name in ("SIGTERM", "SIGINT") if sys.platform == "win32" else ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name)
            self._before[name] = signal.getsignal(number)
            if sys.platform == "win32":
                signal.signal(number, lambda *_, name=name: self._loop.call_soon_threadsafe(self._hear, name))
            else:
                self._loop.add_signal_handler(number, self._hear, name)
        if sys.platform == "win32":
            self._console = ConsoleEvents(lambda name: self._loop.call_soon_threadsafe(self._hear, name))

    def _hear(self, name: str) -> None:
        if name == "SIGHUP":
            self.hung_up.append(name)
            del self.hung_up[1:]
            if self._hang_up is not None:
                self._hang_up()
            return
        self.heard.append(name)
        del self.heard[8:]
        if self._stop is not None:
            self._stop(name)
