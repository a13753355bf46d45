"""A bound on the work of a block, in seconds of this process: what takes more than linear time never ends with the inputs used here."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

MILLION = 1_000_000


@contextmanager
def little_work(limit_s: float = 20.0) -> Iterator[None]:
    """Fail when the block uses more than `limit_s` of processor time; other processes on the machine do not count."""
    if sys.platform == "win32":
        yield
        return

    def too_much(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"more than {limit_s:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, too_much)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)
