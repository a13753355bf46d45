"""Who looks at closed bars in a run: this loop, the process of an operator's strategy, or the scanning machines.

Promises: one seam, `AsyncBarScanner`, whoever it is; what was started here is ended here.
Does not: know how any of them works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.core.engine.history_check import HistoryCheck
from quarterdeck.core.engine.lockstep import AsyncBarScanner
from quarterdeck.core.engine.remote_scan.address import RedisAddress, redis_address
from quarterdeck.core.engine.remote_scan.dispatcher import ScanDispatcher
from quarterdeck.core.engine.scanner_setup import RemoteScanner
from quarterdeck.core.engine.start_sequence import StartupData
from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.engine.strategy_supervision import bar_scanner_for
from quarterdeck.core.model.signals import NoSignal
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.settings.secrets import Secrets

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine


class ScanRouting:
    """See the module. `made`, then `start`, then `stop`; the last is safe at any time."""

    def __init__(self, engine: Engine, secrets: Secrets, apart: StrategyProcess | None) -> None:
        """`apart` is where the strategy is asked when it is not in this process. Raises SettingsError for a bad scan.redis."""
        self._engine = engine
        self._apart = apart
        self._place: RedisAddress | None = redis_address(engine.runtime_settings.settings.scan, secrets)
        self._machines: ScanDispatcher | None = None
        self._history: HistoryCheck | None = None

    def made(self, scanner: Scanner, opening: StartupData) -> AsyncBarScanner:
        """Who is to be asked; `scanner` keeps the bars. In a market that keeps its own time incomplete pairs are withheld."""
        scans = self._asked(scanner)
        if self._engine.venue.terminal is None:
            scans = self._history = HistoryCheck(self._engine, scans, scanner, opening)
        return scans

    def at_start(self) -> list[NoSignal]:
        """What the desk is given of withheld pairs before the first quote."""
        return [] if self._history is None else self._history.at_start()

    def _asked(self, scanner: Scanner) -> AsyncBarScanner:
        here = bar_scanner_for(self._engine, scanner, self._apart)
        if self._place is None:
            return here
        self._machines = ScanDispatcher(self._engine, self._place, self._apart)
        return RemoteScanner(scanner, self._machines)

    async def start(self, on_step: Callable[[str], None]) -> None:
        """Find the scanning machines, where there should be any."""
        if self._machines is not None and self._place is not None:
            on_step(f"looking for scanning machines at {self._place.address}")
            await self._machines.start()

    async def stop(self) -> None:
        """End what was started."""
        if self._machines is not None:
            await self._machines.stop()
        if self._apart is not None:
            await self._apart.stop()
