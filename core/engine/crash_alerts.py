"""Telling who is away that the engine died, or does not come up again (H3).

Why: a killed process says nothing itself, and one that a supervisor starts in vain says it to a log that nobody reads at night.
Promises: a run without an end is told by the next one, once; a start that fails where nobody looks on is told at most once an
hour, however often a supervisor tries. Does not: act; and it is silent where the market is made up or no service is named.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import AlreadyRunningError, QuarterdeckError
from quarterdeck.core.model.units import NS_PER_S, UtcNs

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

START_FAILED_NAME = "start-failed"
"""In the home; its age says when a failed start was told last. Empty, so that a full disk has room for it."""
_AGAIN_NS = 3_600 * NS_PER_S


def alert_crashed_run(engine: Engine, died_utc_ns: UtcNs | None) -> None:
    """The engine is up. Where the run before it ended without a word, at `died_utc_ns` or soon after, that is said now."""
    with contextlib.suppress(OSError):
        (engine.home.root / START_FAILED_NAME).unlink(missing_ok=True)
    if died_utc_ns is None:
        return
    held = sum(1 for position in engine.desk.view().positions if position.ours)
    when = f"{iso(died_utc_ns)[:16].replace('T', ' ')} UTC or soon after"
    text = f"the run before this one ended without a word, {when} (killed, or the machine went down); up again, {held} in care"
    alert = Alert(kind="crash", level="critical", text=text)
    engine.publisher.publish_alert(engine.runner.at_utc_ns, alert)


def alert_failed_start(engine: Engine, error: Exception) -> None:
    """The engine does not come up: say so, unless somebody looks on or was told lately."""
    made_up = engine.venue.terminal is not None
    if (
        made_up
        or isinstance(error, AlreadyRunningError)
        or not hasattr(engine, "publisher")
        or (sys.stderr and sys.stderr.isatty())
    ):
        return
    if not engine.publisher.alerts.active or not _stamped(engine.home.root / START_FAILED_NAME, engine.clock.utc_ns()):
        return
    why = error.one_line() if isinstance(error, QuarterdeckError) else f"{type(error).__name__}: {error}"
    text = f"the engine did not start, nothing is in care: {why}"
    engine.publisher.publish_alert(engine.clock.utc_ns(), Alert(kind="crash", level="critical", text=text))


def _stamped(path: Path, now_utc_ns: UtcNs) -> bool:
    """Whether it is time to tell, noted for the next process; a home that takes no file is told of each time."""
    try:
        if path.exists() and 0 <= now_utc_ns - path.stat().st_mtime_ns < _AGAIN_NS:
            return False
        path.touch()
        os.utime(path, ns=(now_utc_ns, now_utc_ns))
    except OSError:
        return True
    return True
