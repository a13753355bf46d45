"""What Windows says to a console process: Ctrl-Break, the window closed, the user logs off, the machine shuts down.

Why: after the last three Windows ends the process as soon as its handler returns, [5 s] later at the latest; Python's own handler
returns at once, so nothing would be closed.
Promises: each event is reported by name; the handler of one that ends the process returns when `finished` is called, or when the
system's time is nearly over. Does not: exist elsewhere; POSIX sends signals.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

EVENTS = {1: "SIGBREAK", 2: "console closed", 5: "log-off", 6: "shutdown"}
"""Names of the events that are heard, by Windows' own numbers; 0 is Ctrl-C, which stays a signal."""
_ENDING = (2, 5, 6)
PATIENCE_S = 4.5
"""How long the handler of an ending event waits; Windows gives a console process 5 s."""


class ConsoleEvents:
    """Hears the console's events from its making to `finished`."""

    def __init__(self, told: Callable[[str], object], patience_s: float = PATIENCE_S) -> None:
        """`told` is called with the event's name, in a thread of the system's."""
        self._told = told
        self._patience_s = patience_s
        self._finished = threading.Event()
        self._routine: Any = None
        if sys.platform == "win32":
            import ctypes

            self._routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(self.handle)
            ctypes.windll.kernel32.SetConsoleCtrlHandler(self._routine, 1)

    def handle(self, event: int) -> bool:
        """What the system calls; True for an event that nobody else needs to hear of."""
        name = EVENTS.get(event)
        if name is None:
            return False
        self._told(name)
        if event in _ENDING:
            self._finished.wait(self._patience_s)
        return True

    def finished(self) -> None:
        """Everything is closed: the handler may return, and hears nothing more."""
        self._finished.set()
        if sys.platform == "win32" and self._routine is not None:
            import ctypes

            ctypes.windll.kernel32.SetConsoleCtrlHandler(self._routine, 0)
            self._routine = None
