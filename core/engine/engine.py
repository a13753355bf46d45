"""One run from the start to the last flush: the desk, what feeds it, what executes its decisions, and what hears of them.

Promises: exactly one consumer feeds the desk; every task is supervised; a broken promise ends the run with exit code 10 after
what was recorded is flushed; however the run ends, the journal is closed in order and the link says goodbye.
Does not: choose the venue (`core.engine.simulated_venues`), or know a screen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.alerting import KEPT_NAME, AlertSender
from quarterdeck.core.engine.crash_alerts import alert_crashed_run
from quarterdeck.core.engine.event_publisher import EventLevel, EventListener, EventPublisher, PublishedEvent
from quarterdeck.core.engine.health import HealthMonitor
from quarterdeck.core.engine.latest_quotes import FlatOnRecord, with_latest_quotes
from quarterdeck.core.engine.link_handler import LinkHandler
from quarterdeck.core.engine.maintenance import Maintenance
from quarterdeck.core.engine.monitoring import Monitoring
from quarterdeck.core.engine.order_sender import OrderSender
from quarterdeck.core.engine.ownership import Ownership
from quarterdeck.core.engine.record_watch import RecordWatch
from quarterdeck.core.engine.recovery import Found, confirm_real_account, recover_run
from quarterdeck.core.engine.run_loop import LiveRunLoop, LockstepRunLoop, RunLoop
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.runtime_settings import RuntimeSettings
from quarterdeck.core.engine.scan_routing import ScanRouting
from quarterdeck.core.engine.scanner_setup import history_bars, make_scanner, say_past, seed_history
from quarterdeck.core.engine.silence_detection import usual_gaps_s
from quarterdeck.core.engine.start_sequence import (
    StartupData,
    first_inputs,
    late_bars,
    newest_bar_opens,
    open_broker_in_time,
    run_row_at_start,
    started_input,
)
from quarterdeck.core.engine.stopping import ShutdownPolicy, Stopping
from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.engine.systemd_notify import SystemdNotifier as SystemSupervisor
from quarterdeck.core.engine.task_supervisor import TaskSupervisor
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.engine.vitals import Judged
from quarterdeck.core.journal.engine_lock import EngineLock, home_id
from quarterdeck.core.journal.log_file import LogFile
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.link.link_server import LinkServer
from quarterdeck.core.link.messages import LinkBye
from quarterdeck.core.model.effects import Alert, Effect, EndRun
from quarterdeck.core.model.errors import InvariantError, QuarterdeckError, StorageError
from quarterdeck.core.model.inputs import CommandReceived
from quarterdeck.core.model.snapshot import LogLine, Snapshot
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.secrets import Secrets
from quarterdeck.core.settings.settings_loader import LoadedSettings
from quarterdeck.core.settings.version import code_version
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

StepReporter = Callable[[str], None]
_CRASHED = 1
_MADE_UP = ("simulated", "replay")
_SNAPSHOTS_PER_S_MAX = 5.0
_LAST_ALERTS_S = 5.0


class RunEnd(Struct, frozen=True, kw_only=True):
    """How a run ended."""

    clean: bool
    why: str
    exit_code: int = 0
    signal: str = ""
    """The first signal that asked for the end; empty where none did."""


class Engine:
    """See the module. `start`, then `run`, which returns when the run is over."""

    def __init__(
        self,
        *,
        home: Home,
        loaded: LoadedSettings,
        venue: Venue,
        strategy: LoadedStrategy,
        clock: Clock,
        secrets: Secrets,
        on_line: Callable[[LogLine], None] | None = None,
        real_time: bool = True,
        apart: StrategyProcess | None = None,
    ) -> None:
        """Nothing is opened before `start`. `on_line` hears the log beside its file; `apart` is where `strategy` is asked.

        `real_time` is false on a virtual loop: no thread, and nobody to measure or paint for.
        """
        self.venue = venue
        self.home = home
        self.clock = clock
        self.desk = Desk()
        self.runtime_settings = RuntimeSettings(home.root, loaded, strategy.parameters)
        self.ended: asyncio.Future[RunEnd] = asyncio.get_running_loop().create_future()
        self.strategy = strategy
        self._secrets = secrets
        self._on_line = on_line
        self._real_time = real_time
        self._scan_side = ScanRouting(self, secrets, apart)
        self._system = SystemSupervisor()
        self._made_up = venue.mode in _MADE_UP
        engine = loaded.settings.engine
        self._supervisor = TaskSupervisor(
            retry_min_s=engine.retry_min_s, retry_max_s=engine.retry_max_s, on_failure=self._task_failed
        )
        self._numbers = 0
        self._flat = FlatOnRecord()
        self._record = RecordWatch(self)
        self._stopping = Stopping(self)
        self._ownership: Ownership | None = None

    # ------------------------------------------------------------------------------------------------------ start
    async def start(self, on_step: StepReporter) -> None:
        """Everything of C1, each step bounded and reported. Raises QuarterdeckError with what to do."""
        settings = self.runtime_settings.settings
        on_step("opening the journal")
        self._owner = EngineLock(self.home, self.clock)
        self._log = LogFile(self.home.logs, settings.journal, secrets=self._secrets.texts())
        self.publisher = EventPublisher(self._log, self._alert_sender(), self.clock, self._on_line)
        self.journal = JournalWriter(
            self.home.journal,
            settings.journal,
            clock=self.clock,
            durable=not self._made_up,
            threaded=self._real_time and not self.venue.ends,
            on_trouble=self._record.trouble,
            on_left_out=self._record.left_out,
        )
        self.publisher.keep = self.journal.alert
        opening = await self._open(on_step)
        account = opening.connected.account
        if self.venue.live:
            self.venue.mode = account.mode
        if self.venue.mode in ("real", "demo"):  # a paper account is its home's alone
            confirm_real_account(self.home.journal, account, self.venue.yes_real)
            self._owner.hold_account(account.server, account.login)
        found = Found() if self._made_up else recover_run(self.home, account, self.venue.mode, on_step)
        past = found.past
        if self.venue.lease is not None:
            self._ownership = Ownership(self.venue.lease, home_id(self.home), self._owner.shown(), self.clock)
            if past is None or not past.not_owner:
                on_step("taking the account's lease at the gateway")
                await self._ownership.begin()
        if past is not None:
            self.venue.broker.resume_deals(past.until_utc_ns, past.known_deals, past.first_utc_ns, past.known_deals)
        self.journal.begin_run(run_row_at_start(self.venue, account, self.strategy.hash, self.clock.utc_ns()))
        self.runner = DeskRunner(self.desk, self.journal, self.venue.from_utc_ns or self.clock.utc_ns())
        self.runner.listen(self._hear)
        self.side = LinkHandler(self)
        self.maintenance = Maintenance(self, made_up=self._made_up)
        self.run_loop = self._make_drive()
        self.health = HealthMonitor(self.venue, self.clock, self.run_loop.pacer, str(self.home.root))
        self.monitoring = Monitoring(self, self._record)
        await self._first(opening, found, on_step)
        on_step("opening the link")
        self.link = LinkServer(self.home.root, self.side, on_watcher=self._publish)
        await self.link.start()
        self.publisher.watchers.append(self._to_link)
        self.health.ready = True
        alert_crashed_run(self, None if past is None else past.died_utc_ns)
        await self.journal.written()  # who hears of this run finds it in the journal
        self.monitoring.beat()
        self._system.notify_systemd("READY=1", f"STATUS={self.venue.label}")

    def _alert_sender(self) -> AlertSender:
        """No one is alerted to days long past."""
        urls = () if self.venue.ends else self._secrets.alert_urls
        kept = self.home.root / KEPT_NAME
        sender = AlertSender(urls, lambda: self.runtime_settings.settings.alerts, self.clock, kept=kept)
        sender.on_failure = lambda text: self.say("warning", "alert", text)
        return sender

    async def _open(self, on_step: StepReporter) -> StartupData:
        settings, broker = self.runtime_settings.settings, self.venue.broker
        for note in self.venue.notes:
            self.say("warning", "data", note)
        live = self.venue.terminal is None
        opening = await open_broker_in_time(
            broker,
            settings.desk.pairs,
            history_bars=history_bars(self.strategy, settings),
            h1_bars=settings.correlation.lookback_bars if live else 0,
            on_step=on_step,
            limit_s=settings.engine.broker_start_timeout_s if live else None,
        )
        for warning in opening.connected.warnings:
            self.say("warning", "broker", warning)
        return opening

    def _make_drive(self) -> RunLoop:
        performer = OrderSender(self.venue.broker, self.journal)
        if self.venue.terminal is not None:
            return LockstepRunLoop(self, performer)
        return LiveRunLoop(self, performer, self._supervisor)

    async def _first(self, opening: StartupData, found: Found, on_step: StepReporter) -> None:
        settings, past = self.runtime_settings.settings, found.past
        self.scanner = make_scanner(self.strategy, opening.instruments, settings)
        self.scans = Judged(self._scan_side.made(self.scanner, opening), self.monitoring.vitals.judged)
        histories = seed_history(self.scanner, opening, settings)
        say_past(self.say, self.venue, opening, self.strategy, settings)
        started = started_input(
            settings,
            run_id=self.venue.run_id,
            code_version=code_version(),
            strategy_hash=self.strategy.hash,
            seed=self.venue.seed,
            mode=self.venue.mode,
        )
        inputs = await first_inputs(
            self.venue.broker,
            opening,
            started=started,
            restored=None if past is None else past.state,
            histories=histories,
            calendar=await self.maintenance.first_calendar(),
            late=() if past is None else late_bars(opening, past.until_utc_ns),
        )
        inputs += [*found.inputs(), *self._scan_side.at_start()]
        self.history_ends = newest_bar_opens(opening)
        self.usual_gaps_s = {symbol: usual_gaps_s(candles) for symbol, candles in opening.history.items()}
        await self.run_loop.begin(inputs)
        await self._scan_side.start(on_step)
        self.maintenance.begin(self.runner.at_utc_ns)

    # -------------------------------------------------------------------------------------------------------- run
    async def run(self) -> RunEnd:
        """Live until the desk says that it is done, the market is over, or a promise broke."""
        keep = self._supervisor.keep
        keep("drive", self.run_loop.run, essential=self.venue.terminal is not None)
        keep("heartbeat", self.monitoring.beating)
        if self._real_time:
            keep("snapshots", self._publishing)
            keep("loop lag", self.health.watch_loop)
            self.monitoring.keep_reachable(keep)
            keep("watchdog", lambda: self._system.watch(lambda: not self.runner.broken))
        if self.publisher.alerts.active:
            keep("alerts", self.publisher.alerts.run)
        ownership = self._ownership
        if ownership is not None:
            keep("lease", lambda: ownership.keep(self))
        source = self.venue.calendar
        if source is not None:
            keep("calendar", lambda: self.maintenance.keep_calendar(source))
        await asyncio.wait((self.ended, self._supervisor.fatal), return_when=asyncio.FIRST_COMPLETED)
        if self._supervisor.fatal.done():
            return _broken_off(self._supervisor.fatal.result())
        return self.ended.result()

    def stop(self, policy: ShutdownPolicy = "settings", why: str = "signal") -> CommandReceived | None:
        """See `Stopping.ask`."""
        self._system.notify_systemd("STOPPING=1")
        return self._stopping.ask(policy, why)

    def reload(self) -> None:
        """Read the operator's file again (SIGHUP); a bad file changes nothing and is said."""
        try:
            changed = self.runtime_settings.reload("settings.toml was read again")
        except QuarterdeckError as error:
            self.say("error", "setting", error.one_line())
        else:
            self.run_loop.post(changed)

    def end_badly(self, why: str, exit_code: int = 0) -> None:
        """The run is over, and not as it should be; may be called from any thread."""
        end = RunEnd(clean=False, why=why, exit_code=exit_code)
        self.ended.get_loop().call_soon_threadsafe(self.end, end)

    def end(self, end: RunEnd) -> None:
        """The run is over; the first word holds."""
        if not self.ended.done():
            self.ended.set_result(end)

    async def close(self, end: RunEnd) -> RunEnd:
        """End all tasks, flush, say goodbye; returns how it ended in the end. Safe after a failed start."""
        await self._supervisor.stop()
        await self._scan_side.stop()
        if hasattr(self, "maintenance") and hasattr(self, "health"):
            await self.run_loop.stop()
            if not self.runner.broken and self.runner.seq:
                self.journal.checkpoint(self.runner.at_utc_ns, self.desk.checkpoint(), "end")
                self._publish()
        if hasattr(self, "publisher"):
            await self.publisher.alerts.drain(_LAST_ALERTS_S)
            if hasattr(self, "link"):
                await self.journal.written()  # answers that wait for it leave before the goodbye
            self.publisher.publish_event(LinkBye(why=end.why))
        if hasattr(self, "link"):
            await self.link.stop(end.why)
        if hasattr(self, "monitoring"):
            self.monitoring.stopped(self.health.wall_utc_ns(), end.why, clean=end.clean)
        with contextlib.suppress(OSError):
            await self.venue.broker.close()
        if hasattr(self, "journal"):
            self.journal.end_run(end.why)
            self.journal.close()
            if self.journal.trouble and not end.exit_code:
                why = f"{end.why}; the journal is incomplete: {self.journal.trouble}"
                end = RunEnd(clean=False, why=why, exit_code=StorageError.exit_code)
        if hasattr(self, "publisher"):
            self.publisher.close()
        if hasattr(self, "_owner"):
            self._owner.release()
        return end

    # ------------------------------------------------------------------------------------------------------ hearing
    def _hear(self, at_utc_ns: UtcNs, effect: Effect) -> None:
        self.publisher.publish_effect(at_utc_ns, effect, self.runner.told)
        self.side.hear(effect)
        self.run_loop.on_effect(effect)
        if isinstance(effect, EndRun):
            # of a market that ended nothing was kept: there is nothing to say of a policy
            why = effect.why.removesuffix(": keep") if self.venue.ends else effect.why
            self.end(RunEnd(clean=effect.clean, why=why))

    def say(self, level: EventLevel, kind: str, text: str) -> None:
        """A line of the engine's own, now."""
        self.publisher.publish_text(self.runner.at_utc_ns if hasattr(self, "runner") else self.clock.utc_ns(), level, kind, text)

    def tell(self, alert: Alert) -> None:
        """An alert of the engine's own, now."""
        self.publisher.publish_alert(self.runner.at_utc_ns, alert)

    def _task_failed(self, name: str, error: BaseException, failures: int) -> None:
        text = self.publisher.cleaned(f"{name}: {type(error).__name__}: {error}")
        self.health.count_error(type(error).__name__)
        self.journal.error("task", text)
        if failures == self.runtime_settings.settings.engine.alert_after_failures or isinstance(error, InvariantError):
            self.tell(Alert(kind="error", level="critical", text=_failing(text, failures, self.home.logs)))
        else:
            self.say("error", "task", text)

    # ----------------------------------------------------------------------------------------------------- telling
    def watch(self, watcher: EventListener) -> None:
        """Give `watcher` every snapshot and log line, and the goodbye."""
        self.publisher.watchers.append(watcher)

    def _to_link(self, told: PublishedEvent) -> None:
        if isinstance(told, Snapshot):
            self.link.publish(told)
        elif isinstance(told, LogLine):
            self.link.log(told)

    async def _publishing(self) -> None:
        while True:
            await asyncio.sleep(1.0 / min(self.runtime_settings.settings.ui.max_fps, _SNAPSHOTS_PER_S_MAX))
            if self.link.watched or len(self.publisher.watchers) > 1:
                self._publish()

    def _publish(self) -> None:
        at_utc_ns, quotes = self.run_loop.newest_quotes()
        snapshot = self.snapshot()
        age_max_s = self.runtime_settings.settings.filters.quote_age_max_s
        desk = self._flat.shown(snapshot.desk, self.journal.holds)
        self.publisher.publish_event(
            msgspec.structs.replace(snapshot, desk=with_latest_quotes(desk, quotes, at_utc_ns, age_max_s))
        )

    def snapshot(self) -> Snapshot:
        """The desk and the machine now."""
        self._numbers += 1
        self.health.count_bars(self.run_loop.bars)
        self.health.count_queue(self.journal.queued)
        self.health.feed_up, self.health.feed_why = self.run_loop.feed_status
        journal = (self.journal.writable, self.journal.bytes_a_day)
        desk = self.desk.view()
        self.monitoring.look(desk)
        health = self.health.view(self.runner.at_utc_ns, self.runner.seq, journal)
        return Snapshot(number=self._numbers, desk=desk, engine=health)


def _failing(text: str, failures: int, logs: Path) -> str:
    return (
        f"A part of the engine keeps failing ({failures} times in a row): {text}. It is restarted each time and trading "
        "continues without it meanwhile; stops at the broker stay in force. "
        f"Look into the log ({logs}), then run `quarterdeck restart`."
    )


def _broken_off(error: BaseException) -> RunEnd:
    """How a run ended that nothing could carry on."""
    if isinstance(error, InvariantError):
        why = f"The program found an error in itself and stopped: {error}"
        return RunEnd(clean=False, why=why, exit_code=InvariantError.exit_code)
    if isinstance(error, QuarterdeckError):
        return RunEnd(clean=False, why=error.one_line(), exit_code=error.exit_code)
    return RunEnd(clean=False, why=f"The market data failed: {type(error).__name__}: {error}", exit_code=_CRASHED)
