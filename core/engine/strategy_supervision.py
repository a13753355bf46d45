"""What the engine does about a strategy in its own process: its limits, its output in the log, its failures reported and counted.

Promises: each failure is a line in log and journal and a count per class; an alert after several of one pair in a row;
recorded days know no limit of time that could change an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.event_publisher import EventLevel
from quarterdeck.core.engine.lockstep import AsyncBarScanner
from quarterdeck.core.engine.scanner_setup import LocalScanner, RemoteScanner
from quarterdeck.core.engine.strategy_process import StrategyFailure, StrategyProcess
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

RunStrategy = tuple[LoadedStrategy, StrategyProcess | None]


async def strategy_for_run(settings: Settings, home: Path, clock: Clock) -> RunStrategy:
    """The strategy that settings name: the shipped one here, a file's in a process of its own. Raises SettingsError."""
    if not settings.strategy.file:
        return load_strategy(settings, home), None
    process = StrategyProcess(settings, home, clock)
    return await process.start(), process


def bar_scanner_for(engine: Engine, scanner: Scanner, process: StrategyProcess | None) -> AsyncBarScanner:
    """Who looks at closed bars: the scanner here, or the process with the scanner's questions."""
    if process is None:
        return LocalScanner(scanner)
    StrategySupervision(engine, process)
    return RemoteScanner(scanner, process)


def _failing(text: str, file: Path) -> str:
    return (
        f"The strategy fails and gives no signals: {text}. No new entries come from it; open positions are still managed. "
        f"Correct {file}, then run `quarterdeck restart`."
    )


class StrategySupervision:
    """See the module."""

    def __init__(self, engine: Engine, process: StrategyProcess) -> None:
        """Hear `process` from now on, under the limits of the engine's venue."""
        self._engine = engine
        self._file = engine.home.root / engine.runtime_settings.settings.strategy.file
        settings, venue = engine.runtime_settings.settings, engine.venue
        if not venue.ends:
            process.limit_s = settings.strategy.time_limit_ms / 1000.0
            # beside a live market an answer later than this is not traded on; a market that waits for it is not kept long
            process.wait_s = settings.scan.signal_age_max_s if venue.terminal is None else settings.scan.round_wait_s
        process.listen_to_process(self._line, self._trouble)

    def _line(self, text: str) -> None:
        self._say("info", text)

    def _trouble(self, trouble: StrategyFailure) -> None:
        engine = self._engine
        engine.health.count_error(trouble.kind)
        text = f"{trouble.text}" + (f" ({trouble.in_a_row} times in a row)" if trouble.in_a_row > 1 else "")
        self._say("error", text, trouble.symbol)
        engine.journal.error("strategy", text, symbol=trouble.symbol)
        if trouble.in_a_row == engine.runtime_settings.settings.engine.alert_after_failures:
            alert = Alert(kind="error", level="critical", text=_failing(text, self._file), symbol=trouble.symbol)
            engine.publisher.publish_alert(engine.runner.at_utc_ns, alert)

    def _say(self, level: EventLevel, text: str, symbol: str = "") -> None:
        at = self._engine.runner.at_utc_ns
        self._engine.publisher.publish_line(LogLine(at_utc_ns=at, level=level, kind="strategy", text=text, symbol=symbol))
