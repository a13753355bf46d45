"""Keep an engine running where the system has no supervisor that looks at exit codes: what the Windows task runs.

Promises: a crash and `quarterdeck restart` start the engine again, after growing pauses for a crash; a stop by the operator
and what another start cannot change (settings, data, a second engine), end this process with the engine's exit code. Ctrl-C,
Ctrl-Break, a log-off and a shutdown are the engine's to obey; this process waits for its end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from quarterdeck.cli.output import warn
from quarterdeck.cli.start_record import EXIT_RESTART, SUPERVISOR_VARIABLE
from quarterdeck.core.clock.wall import Clock, WallClock
from quarterdeck.core.model.errors import AlreadyRunningError, DataError, SettingsError, StorageError, UsageError

FINAL_CODES = (0, 130, *(kind.exit_code for kind in (UsageError, SettingsError, DataError, StorageError, AlreadyRunningError)))
"""Ends that another start would only repeat; `deploy/quarterdeck.service` has the same."""
PAUSES_S = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_STEADY_S = 600.0
"""A run that lasted so long makes the next pause the first one again."""


def keep_running(
    arguments: Sequence[str],
    *,
    started: Callable[[Sequence[str]], int] | None = None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Clock | None = None,
) -> int:
    """Run `quarterdeck ARGUMENTS` until an end that is final; returns its exit code."""
    now = clock or WallClock()
    run = started or _run
    crashes = 0
    while True:
        began = now.monotonic_s()
        code = run(arguments)
        if code in FINAL_CODES:
            return code
        if code == EXIT_RESTART:
            continue
        crashes = 0 if now.monotonic_s() - began >= _STEADY_S else crashes
        pause_s = PAUSES_S[min(crashes, len(PAUSES_S) - 1)]
        crashes += 1
        warn(f"the engine ended with code {code}; it is started again in {pause_s:.0f} s")
        sleep(pause_s)


def _run(arguments: Sequence[str]) -> int:
    """One run of the engine on this console; what interrupts it is left to it."""
    numbers = [signal.SIGINT]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        environ = {**os.environ, SUPERVISOR_VARIABLE: "quarterdeck"}
        return subprocess.Popen([sys.executable, "-P", "-m", "quarterdeck.cli.main", *arguments], env=environ).wait()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
