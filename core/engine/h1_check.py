"""The broker's H1 bars as a check on our own (D1): what differs is reported, and changes no decision.

Why: a broker that corrects, shifts or loses bars shows it first where its hours are not what its quarters add up to.
Promises: each closed hour of each pair is compared once; a difference beyond `scan.h1_tolerance_ticks` is a line in log and
journal and counted in the health; an alert the first time, and again for a pair after a day.
Does not: trade on the broker's hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.engine.lockstep import BarScanner
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import DAY_NS, UtcNs
from quarterdeck.core.scan.scanner import Scanner

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

ERROR_CLASS = "H1Differs"


def h1_check_for(engine: Engine, scanner: BarScanner) -> H1Check | None:
    """A check for a scanner that builds hours; None for one that does not."""
    return H1Check(engine, scanner) if isinstance(scanner, Scanner) else None


class H1Check:
    """See the module."""

    def __init__(self, engine: Engine, scanner: Scanner) -> None:
        """`scanner` builds our own hours."""
        self._engine = engine
        self._scanner = scanner
        self._told_utc_ns: dict[str, UtcNs] = {}

    def compare(self, symbol: str, brokers: Bar) -> None:
        """The broker's closed hour against our own; nothing where we have none."""
        engine = self._engine
        ticks = engine.runtime_settings.settings.scan.h1_tolerance_ticks
        found = self._scanner.hour_difference(symbol, brokers, tolerance_ticks=ticks)
        if not found:
            return
        at = engine.runner.at_utc_ns
        text = (
            f"{symbol}: the broker's H1 bar of {iso(brokers.open_utc_ns)} differs from its own M15 bars ({found}). The desk "
            "uses the M15 bars and trades on. If it repeats, report it to the broker."
        )
        engine.health.count_error(ERROR_CLASS)
        engine.journal.error("h1", text, level="warning", symbol=symbol)
        if at - self._told_utc_ns.get(symbol, -DAY_NS) >= DAY_NS:
            self._told_utc_ns[symbol] = at
            engine.publisher.publish_alert(at, Alert(kind="error", level="warning", text=text, symbol=symbol))
        else:
            engine.publisher.publish_line(LogLine(at_utc_ns=at, level="warning", kind="h1", text=text, symbol=symbol))
