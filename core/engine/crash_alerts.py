"""Telling who is away that the engine died, or does not come up again (H3).

Why: a killed process says nothing itself, and one that a supervisor starts in vain says it to a log that nobody reads at night.
Promises: a run without an end is told by the next one, once; every start that fails where nobody looks on is told, whichever step
it failed at: at once for a new reason, else once an hour, however often a supervisor tries. Does not: act; and it is silent where
the market is made up or no service is named.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.engine.alerting import KEPT_NAME, AlertSender
from quarterdeck.core.engine.run_request import RunRequest, settings_for_run
from quarterdeck.core.journal.heartbeat import last_word, read_heartbeat
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import AlreadyRunningError, QuarterdeckError, SettingsError
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.secrets import Secrets, read_secrets
from quarterdeck.core.settings.settings_loader import shipped_settings

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine

START_FAILED_NAME = "start-failed"
"""In the home; its age says when a failed start was told last, its text for which reason. A full disk has room for no text."""
_AGAIN_NS = 3_600 * NS_PER_S
_SEND_S = 10.0


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


def failed_start(home: Home, error: Exception, now_utc_ns: UtcNs) -> Alert | None:
    """What to tell of a start that failed; None where somebody looks on, or it was told lately."""
    if isinstance(error, AlreadyRunningError) or (sys.stderr and sys.stderr.isatty()):
        return None
    why = error.one_line() if isinstance(error, QuarterdeckError) else f"{type(error).__name__}: {error}"
    if not _stamped(home.root / START_FAILED_NAME, now_utc_ns, hashlib.sha256(why.encode()).hexdigest()[:16]):
        return None
    word = last_word(read_heartbeat(home.heartbeat), now_utc_ns)
    text = f"the engine did not start, nothing is in care: {why}{f'; {word}' if word else ''}"
    return Alert(kind="crash", level="critical", text=text)


def alert_failed_start(engine: Engine, error: Exception) -> None:
    """The engine does not come up, and has a voice already."""
    if engine.venue.terminal is not None or not engine.publisher.alerts.active:
        return
    alert = failed_start(engine.home, error, engine.clock.utc_ns())
    if alert is not None:
        engine.publisher.publish_alert(engine.clock.utc_ns(), alert)


async def tell_unbuilt(wish: RunRequest, error: Exception, clock: Clock) -> None:
    """There is no engine yet: its settings, its secrets, its strategy or its venue failed; whoever can be told is."""
    if wish.replay or wish.crash:
        return
    try:
        loaded = settings_for_run(wish)
    except SettingsError:
        loaded = None
    if loaded is not None and loaded.settings.desk.mode == "simulated":
        return
    try:
        secrets = read_secrets(wish.home.secrets, alert_urls=loaded.alert_urls if loaded is not None else ())
    except SettingsError:
        secrets = Secrets()
    told = (shipped_settings() if loaded is None else loaded.settings).alerts
    sender = AlertSender(secrets.alert_urls, lambda: told, clock, kept=wish.home.root / KEPT_NAME)
    if not sender.active:
        return
    alert = failed_start(wish.home, error, clock.utc_ns())
    if alert is not None:
        sender.take(alert)
        await sender.drain(_SEND_S)


def _stamped(path: Path, now_utc_ns: UtcNs, reason: str) -> bool:
    """Whether it is time to tell, noted for the next process; a home that takes no file is told of each time."""
    try:
        if path.exists() and 0 <= now_utc_ns - path.stat().st_mtime_ns < _AGAIN_NS and path.read_text() in (reason, ""):
            return False
        path.touch()
        with contextlib.suppress(OSError):
            path.write_text(reason)
        os.utime(path, ns=(now_utc_ns, now_utc_ns))
    except (OSError, UnicodeDecodeError):
        return True
    return True
