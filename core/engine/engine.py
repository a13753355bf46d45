"""One run from the first step of the start to the last flush: the desk, who feeds it, who performs, who is told.

Promises: exactly one consumer feeds the desk; every task is supervised; a broken promise ends the run with exit code 10 after
what was recorded is flushed; however the run ends, the journal is closed in order and the link says goodbye.
Does not: choose the venue (`core.engine.venues`), or know a screen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from core.calendar.source import CalendarSource
from core.clock.wall import Clock
from core.desk.desk import Desk
from core.engine.alerting import AlertSender
from core.engine.desk_side import DeskSide
from core.engine.drive import Drive, LiveDrive, LockstepDrive
from core.engine.health import Health
from core.engine.loglines import log_line
from core.engine.opening import Opening, first_inputs, open_broker, started_input
from core.engine.overlay import with_newest
from core.engine.perform import Performer
from core.engine.recovery import recovered
from core.engine.runner import Runner
from core.engine.scanning import history_bars, make_scanner, seed
from core.engine.supervise import Supervisor
from core.engine.tuning import Tuning
from core.engine.venue import Venue
from core.journal.heartbeat import Heart
from core.journal.logs import LogFile
from core.journal.owner import Owner
from core.journal.store import NewRun
from core.journal.tape import TAPE_VERSION
from core.journal.writer import JournalWriter
from core.link.server import LinkServer
from core.model.commands import StopEngine
from core.model.effects import Alert, Effect, EndRun
from core.model.errors import BrokerError, InvariantBroken, QuarterdeckError
from core.model.inputs import Calendar, CommandGiven, EngineTrouble
from core.model.market import Quote
from core.model.snapshot import LogLine, Snapshot
from core.model.units import NS_PER_S, UtcNs
from core.settings.home import Home
from core.settings.load import Loaded
from core.settings.secrets import Secrets
from core.settings.version import code_version
from core.strategy.load import LoadedStrategy

Step = Callable[[str], None]
NO_QUOTES: Mapping[str, Quote] = MappingProxyType({})
Policy = Literal["settings", "flatten", "keep"]
Level = Literal["info", "warning", "error", "critical"]
_MADE_UP = ("simulated", "replay")
_SNAPSHOTS_PER_S_MAX = 5.0


class RunEnd(Struct, frozen=True, kw_only=True):
    """How a run ended."""

    clean: bool
    why: str
    exit_code: int = 0


class Engine:
    """See the module. `start`, then `run`, which returns when the run is over."""

    def __init__(
        self,
        *,
        home: Home,
        loaded: Loaded,
        venue: Venue,
        strategy: LoadedStrategy,
        clock: Clock,
        secrets: Secrets,
        on_line: Callable[[LogLine], None] | None = None,
        real_time: bool = True,
    ) -> None:
        """Nothing is opened before `start`. `on_line` hears the log beside its file.

        `real_time` is false on a virtual loop: no thread, and nobody to measure or paint for.
        """
        self.venue = venue
        self.home = home
        self.clock = clock
        self.desk = Desk()
        self.tuning = Tuning(home.root, loaded)
        self.ended: asyncio.Future[RunEnd] = asyncio.get_running_loop().create_future()
        self.watchers: list[Callable[[Snapshot | LogLine], None]] = []
        self._strategy = strategy
        self._secrets = secrets
        self._on_line = on_line
        self._real_time = real_time
        self._alerts = AlertSender(secrets.alert_urls or loaded.settings.alerts.urls, lambda: self.tuning.settings.alerts, clock)
        engine = loaded.settings.engine
        self._supervisor = Supervisor(
            retry_min_s=engine.retry_min_s, retry_max_s=engine.retry_max_s, on_failure=self._task_failed
        )
        self._numbers = 0
        self._stopping: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------------------ start
    async def start(self, on_step: Step) -> None:
        """Everything of C1, each step bounded and reported. Raises QuarterdeckError with what to do."""
        settings = self.tuning.settings
        on_step("opening the journal")
        self._owner = Owner(self.home, self.clock)
        self._log = LogFile(self.home.logs, settings.journal, secrets=self._secrets.texts())
        made_up = self.venue.mode in _MADE_UP
        self.journal = JournalWriter(
            self.home.journal,
            settings.journal,
            clock=self.clock,
            durable=not made_up,
            threaded=self._real_time and not self.venue.ends,
            on_trouble=self._journal_trouble,
        )
        opening = await self._open(on_step)
        account = opening.connected.account
        if self.venue.live:
            self.venue.mode = account.mode
        if not made_up:
            self._owner.hold_account(account.server, account.login)
        restored = None if made_up else recovered(self.home.journal, account, self.venue.mode, on_step)
        self.journal.begin_run(self._new_run(opening))
        self.runner = Runner(self.desk, self.journal, self.venue.from_utc_ns or self.clock.utc_ns())
        self.runner.listen(self._hear)
        self.side = DeskSide(self)
        self.drive = self._make_drive()
        self.health = Health(self.venue, self.clock, self.drive.pacer, str(self.home.root))
        self.heart = Heart(self.home.heartbeat, self.journal)
        await self._first(opening, restored)
        on_step("opening the link")
        self.link = LinkServer(self.home.root, self.side)
        await self.link.start()
        self.watchers += [self._to_link]
        self.health.ready = True
        self._beat()

    async def _open(self, on_step: Step) -> Opening:
        settings, broker = self.tuning.settings, self.venue.broker
        if self.venue.mode == "replay":
            for note in self.venue.notes:
                self._say("warning", "data", note)
        pairs = settings.desk.pairs
        limit_s = settings.engine.broker_start_timeout_s
        try:
            opening = await asyncio.wait_for(
                open_broker(
                    broker,
                    pairs,
                    history_bars=history_bars(self._strategy, settings),
                    h1_bars=settings.correlation.bars if self.venue.terminal is None else 0,
                    on_step=on_step,
                ),
                limit_s if self.venue.terminal is None else None,
            )
        except TimeoutError as error:
            raise BrokerError(
                f"the broker did not answer within {limit_s:g} s",
                what_to_do="see `quarterdeck doctor`, or raise engine.broker_start_timeout_s",
            ) from error
        for warning in opening.connected.warnings:
            self._say("warning", "broker", warning)
        return opening

    def _make_drive(self) -> Drive:
        performer = Performer(self.venue.broker, self.journal)
        if self.venue.terminal is not None:
            return LockstepDrive(self, performer)
        return LiveDrive(self, performer, self._supervisor)

    async def _first(self, opening: Opening, restored: bytes | None) -> None:
        settings = self.tuning.settings
        self.calendar = await self._first_calendar()
        self.scanner = make_scanner(self._strategy, opening.instruments, settings)
        histories = seed(self.scanner, opening, settings)
        started = started_input(
            settings,
            run_id=self.venue.run_id,
            code_version=code_version(),
            strategy_hash=self._strategy.hash,
            seed=self.venue.seed,
            mode=self.venue.mode,
        )
        inputs = await first_inputs(
            self.venue.broker,
            opening,
            started=started,
            restored=restored,
            histories=histories,
            calendar=self.calendar,
        )
        await self.drive.begin(inputs)

    async def _first_calendar(self) -> Calendar:
        """What the desk knows of news at the start (C4)."""
        if self.venue.calendar is not None:
            return await self.venue.calendar.read(self.clock.utc_ns())
        return self.market_calendar()

    def market_calendar(self) -> Calendar:
        """The calendar of a market that makes its own time, as of now."""
        news = self.venue.news() if self.venue.news is not None else None
        if news is None:
            return Calendar(available=False, why="no calendar is set (news.files)")
        return Calendar(available=True, events=news, fetched_utc_ns=self.runner.at_utc_ns)

    async def _keep_calendar(self, source: CalendarSource) -> None:
        """Read the calendar again whenever a feed's time has come, for ever."""
        while True:
            now = self.clock.utc_ns()
            await asyncio.sleep(max((source.due_utc_ns(now) - now) / NS_PER_S, 1.0))
            self.take_calendar(await source.read(self.clock.utc_ns()))

    def take_calendar(self, calendar: Calendar) -> None:
        """Tell the desk, if it is another calendar than before."""
        before, self.calendar = self.calendar, calendar
        if (before.available, before.events, before.why) != (calendar.available, calendar.events, calendar.why):
            self.drive.post(calendar)

    def _new_run(self, opening: Opening) -> NewRun:
        account = opening.connected.account
        return NewRun(
            run_id=self.venue.run_id,
            mode=self.venue.mode,
            account=account.login,
            server=account.server,
            currency=account.currency,
            currency_digits=account.currency_digits,
            code_version=code_version(),
            strategy_hash=self._strategy.hash,
            seed=self.venue.seed,
            started_utc_ns=self.clock.utc_ns(),
            tape_version=TAPE_VERSION,
        )

    # -------------------------------------------------------------------------------------------------------- run
    async def run(self) -> RunEnd:
        """Live until the desk says that it is done, the market is over, or a promise broke."""
        keep = self._supervisor.keep
        keep("drive", self.drive.run)
        keep("heartbeat", self._beating)
        if self._real_time:
            keep("snapshots", self._publishing)
            keep("loop lag", self.health.watch_loop)
        if self._alerts.active:
            keep("alerts", self._alerts.run)
        source = self.venue.calendar
        if source is not None:
            keep("calendar", lambda: self._keep_calendar(source))
        await asyncio.wait((self.ended, self._supervisor.fatal), return_when=asyncio.FIRST_COMPLETED)
        if self._supervisor.fatal.done():
            error = self._supervisor.fatal.result()
            return RunEnd(
                clean=False, why=f"a promise of the program does not hold: {error}", exit_code=InvariantBroken.exit_code
            )
        return self.ended.result()

    def stop(self, policy: Policy = "settings", why: str = "signal") -> None:
        """Ask the desk to end the run by a policy; what takes longer than the limit is left with its stops at the broker."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(policy, why), name="stop")

    def reload(self) -> None:
        """Read the operator's file again (SIGHUP); a bad file changes nothing and is said."""
        try:
            changed = self.tuning.reload("settings.toml was read again")
        except QuarterdeckError as error:
            self._say("error", "setting", error.one_line())
        else:
            self.drive.post(changed)

    async def _stop(self, policy: Policy, why: str) -> None:
        self._numbers += 1
        command = StopEngine(policy=policy, why=why)
        self.drive.post(CommandGiven(command_id=f"stop-{self._numbers}", origin=why, command=command))
        self.drive.hurry()
        limit_s = self.tuning.settings.engine.shutdown_timeout_s
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), limit_s)
        if not self.ended.done():
            left = len(self.desk.view().positions)
            self._tell(Alert(kind="crash", level="critical", text=f"stopped with {left} positions open; their stops stand"))
            self.ended.set_result(RunEnd(clean=False, why=f"{why}; not flat within {limit_s:g} s", exit_code=0))

    async def close(self, end: RunEnd) -> None:
        """End all tasks, flush, say goodbye. Safe after a failed start."""
        await self._supervisor.stop()
        if hasattr(self, "drive"):
            await self.drive.stop()
            if not self.runner.broken:
                self.journal.checkpoint(self.runner.at_utc_ns, self.desk.checkpoint(), "end")
            self._publish()
        await self._alerts.drain(5.0)
        if hasattr(self, "link"):
            await self.link.stop(end.why)
        if hasattr(self, "heart"):
            self.heart.stopped(self.clock.utc_ns(), end.why, clean=end.clean)
        with contextlib.suppress(OSError):
            await self.venue.broker.close()
        if hasattr(self, "journal"):
            self.journal.end_run(end.why)
            self.journal.close()
        if hasattr(self, "_log"):
            self._log.close()
        if hasattr(self, "_owner"):
            self._owner.release()

    # ------------------------------------------------------------------------------------------------------ hearing
    def _hear(self, at_utc_ns: UtcNs, effect: Effect) -> None:
        line = log_line(at_utc_ns, effect)
        if line is not None:
            self._line(line)
        self.side.hear(effect)
        self.drive.heard(effect)
        if isinstance(effect, Alert):
            self._alerts.take(effect)
        elif isinstance(effect, EndRun) and not self.ended.done():
            self.ended.set_result(RunEnd(clean=effect.clean, why=effect.why))

    def _line(self, line: LogLine) -> None:
        self._log.write(line)
        if self._on_line is not None:
            self._on_line(line)
        for watcher in self.watchers:
            watcher(line)

    def _say(self, level: Level, kind: str, text: str) -> None:
        at = self.runner.at_utc_ns if hasattr(self, "runner") else self.clock.utc_ns()
        self._line(LogLine(at_utc_ns=at, level=level, kind=kind, text=text))

    def _tell(self, alert: Alert) -> None:
        self._alerts.take(alert)
        self._say(alert.level, f"alert.{alert.kind}", alert.text)

    def _task_failed(self, name: str, error: BaseException, failures: int) -> None:
        text = f"{name}: {type(error).__name__}: {error}"
        self._say("error", "task", text)
        self.health.errors = dict(self._supervisor.errors)
        self.journal.error("task", text)
        if failures == self.tuning.settings.engine.alert_after_failures or isinstance(error, InvariantBroken):
            self._tell(Alert(kind="error", level="critical", text=f"{text} ({failures} times in a row)"))

    def _journal_trouble(self, active: bool, why: str) -> None:
        if hasattr(self, "drive"):
            self.drive.post_threadsafe(EngineTrouble(kind="journal", active=active, why=why))

    # ----------------------------------------------------------------------------------------------------- telling
    def _to_link(self, event: Snapshot | LogLine) -> None:
        if isinstance(event, Snapshot):
            self.link.publish(event)
        else:
            self.link.log(event)

    async def _publishing(self) -> None:
        while True:
            await asyncio.sleep(1.0 / min(self.tuning.settings.ui.paint_per_s, _SNAPSHOTS_PER_S_MAX))
            if self.link.watched or len(self.watchers) > 1:
                at_utc_ns, quotes = self.drive.newest_quotes()
                self._publish(at_utc_ns, quotes)

    def _publish(self, at_utc_ns: UtcNs = 0, quotes: Mapping[str, Quote] = NO_QUOTES) -> None:
        if not hasattr(self, "health"):
            return
        snapshot = self.snapshot()
        age_max_s = self.tuning.settings.filters.quote_age_max_s
        shown = msgspec.structs.replace(snapshot, desk=with_newest(snapshot.desk, quotes, at_utc_ns, age_max_s))
        for watcher in self.watchers:
            watcher(shown)

    def snapshot(self) -> Snapshot:
        """The desk and the machine now."""
        self._numbers += 1
        self.health.count_bars(self.drive.bars)
        self.health.feed_up, self.health.feed_why = self.drive.feed
        health = self.health.view(self.runner.at_utc_ns, self.runner.seq, self._journal_figures)
        return Snapshot(number=self._numbers, desk=self.desk.view(), engine=health)

    def _journal_figures(self) -> tuple[bool, float, int]:
        return self.journal.writable, 0.0, self.journal.bytes_a_day

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(self.tuning.settings.engine.heartbeat_s)
            self._beat()

    def _beat(self) -> None:
        self.heart.beat(self.snapshot())
