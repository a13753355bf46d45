"""The program's first instants: Ctrl-C before there is anything to interrupt ends it with one word, not with a traceback.

Why: until the commands are imported nobody could catch it, and an import that is broken off tells of itself at length. Imports
nothing that takes time.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

EXIT_INTERRUPTED = 130
_ODD_LETTERS = "backslashreplace" if sys.platform == "win32" else "surrogateescape"
"""How a name that is no valid text is written: on POSIX as the bytes that it is."""


def speak_utf8() -> None:
    """Redirected output is UTF-8 on every system; a terminal keeps its encoding, and what that lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors=_ODD_LETTERS)


def exit_on_interrupt() -> None:
    """Leave at once on Ctrl-C from now on; where it is ignored (`nohup`), it stays so."""
    _exchange(signal.default_int_handler, _leave)


def raise_on_interrupt() -> None:
    """There is something to interrupt: Ctrl-C is an exception again, which `cli.main` knows."""
    _exchange(_leave, signal.default_int_handler)


def _exchange(before: Callable[[int, FrameType | None], object], after: Callable[[int, FrameType | None], object]) -> None:
    if signal.getsignal(signal.SIGINT) is before:
        with contextlib.suppress(ValueError):  # another thread than the main one hears no signals
            signal.signal(signal.SIGINT, after)


def main() -> int:
    """What the installed command calls."""
    speak_utf8()
    exit_on_interrupt()
    from quarterdeck.cli.main import main as run

    return run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"quarterdeck: interrupted\n")
    os._exit(EXIT_INTERRUPTED)  # nothing was begun, so nothing is to be put away
