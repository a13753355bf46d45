"""Telling who is away that the engine died, or does not come up again.

Why: a killed process says nothing itself, and one that a supervisor starts in vain says it to a log that nobody reads at night.
Promises: a run without an end is reported by the next one, once; every start that fails where nobody looks on is reported,
whichever step it failed at: at once for a new reason, else once an hour, however often a supervisor tries. Does not: act; and
it is silent where the market is made up or no service is named.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.core.clock.wall import Clock, iso
from quarterdeck.core.desk.trading_state import sentence
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
"""In the home; its age says when a failed start was last reported, its text why. A full disk has no room for text."""
_AGAIN_NS = 3_600 * NS_PER_S
_SEND_S = 10.0


def alert_crashed_run(engine: Engine, died_utc_ns: UtcNs | None) -> None:
    """The engine is up. Where the run before it ended silently, at `died_utc_ns` or soon after, that is said now."""
    with contextlib.suppress(OSError):
        (engine.home.root / START_FAILED_NAME).unlink(missing_ok=True)
    if died_utc_ns is None:
        return
    held = sum(1 for position in engine.desk.view().positions if position.ours)
    when = f"{iso(died_utc_ns)[:16].replace('T', ' ')} UTC"
    text = (
        f"The engine crashed at about {when} (the process was killed, or the machine went down) and runs again now. "
        f"{_positions(held)} managed again; while it was down, only stops at the broker protected positions. Look for the "
        f"cause in the log ({engine.home.logs})."
    )
    alert = Alert(kind="crash", level="critical", text=text)
    engine.publisher.publish_alert(engine.runner.at_utc_ns, alert)


def _positions(count: int) -> str:
    return "1 open position is" if count == 1 else f"{count} open positions are"


def failed_start(home: Home, error: Exception, now_utc_ns: UtcNs) -> Alert | None:
    """What to tell of a start that failed; None where someone looks on, or it was reported recently."""
    if isinstance(error, AlreadyRunningError) or (sys.stderr and sys.stderr.isatty()):
        return None
    why = error.one_line() if isinstance(error, QuarterdeckError) else f"{type(error).__name__}: {error}"
    if not _stamped(home.root / START_FAILED_NAME, now_utc_ns, hashlib.sha256(why.encode()).hexdigest()[:16]):
        return None
    word = last_word(read_heartbeat(home.heartbeat), now_utc_ns)
    text = (
        f"The engine failed to start. Open positions are NOT managed; only their stops at the broker protect them. Cause: {why}. "
        f"{sentence(word) + ' ' if word else ''}The home is {home.root}. If you cannot "
        "start it now, close the positions in the terminal."
    )
    return Alert(kind="crash", level="critical", text=text)


def alert_failed_start(engine: Engine, error: Exception) -> None:
    """The engine does not come up, and has a voice already."""
    if engine.venue.terminal is not None or not engine.publisher.alerts.active:
        return
    alert = failed_start(engine.home, error, engine.clock.utc_ns())
    if alert is not None:
        engine.publisher.publish_alert(engine.clock.utc_ns(), alert)


async def tell_unbuilt(wish: RunRequest, error: Exception, clock: Clock) -> None:
    """There is no engine yet: its settings, its secrets, its strategy or its venue failed; whoever can be alerted is."""
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
    """Whether it is time to tell, noted for the next process; a home that takes no file is alerted each time."""
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
