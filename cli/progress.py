"""Progress of a long computation on stderr, and Ctrl-C as a wish to stop at the next chance instead of a crash.

Promises: one line that rewrites itself on a terminal, a line every ten seconds elsewhere; where a program reads it, JSON several
times a second, and when nobody reads any more the run ends. The second Ctrl-C ends at once.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from quarterdeck.core.backtest.backtester import BacktestProgress
from quarterdeck.core.clock.wall import WallClock, iso

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C."""
_SEEN_S = 0.2
_UNSEEN_S = 10.0


class InterruptFlag:
    """What Ctrl-C asked for."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.interrupted = False


class ProgressMeter:
    """Shows progress; called by a backtest, it answers whether to continue."""

    def __init__(self, wishes: InterruptFlag, name: str = "", *, told: bool = False) -> None:
        """`name` is before the figures where several runs follow each other; `told`: a program reads them."""
        self._wishes, self._word, self._told = wishes, name, told
        self._name = f"{name} " if name else ""
        self._seen = sys.stderr.isatty() and not told
        self._clock = WallClock()
        self._next_s = 0.0

    def __call__(self, progress: BacktestProgress) -> bool:
        """Tell how far it is, not too often."""
        now = self._clock.monotonic_s()
        if now >= self._next_s:
            self._next_s = now + (_SEEN_S if self._seen or self._told else _UNSEEN_S)
            self._show(progress)
        return not self.interrupted

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._wishes.interrupted

    def _show(self, progress: BacktestProgress) -> None:
        rate = progress.bars / progress.elapsed_s if progress.elapsed_s > 0.0 else 0.0
        if self._told:
            self._tell(progress, rate)
            return
        left = "" if progress.left_s is None else f", {duration_text(progress.left_s)} left"
        text = f"{self._name}{iso(progress.at_utc_ns)[:10]}  {progress.done_fraction:4.0%}  {rate:,.0f} bars/s{left}"
        print(f"\r{text:<72}" if self._seen else text, end="" if self._seen else "\n", file=sys.stderr, flush=True)

    def _tell(self, progress: BacktestProgress, rate: float) -> None:
        told = {
            "progress": round(progress.done_fraction, 4),
            "name": self._word,
            "at": iso(progress.at_utc_ns)[:10],
            "bars_per_s": round(rate),
            "left_s": None if progress.left_s is None else round(progress.left_s, 1),
        }
        try:
            print(json.dumps(told), file=sys.stderr, flush=True)
        except OSError:  # whoever wanted to know is gone
            self._wishes.interrupted = True

    def named(self, name: str) -> ProgressMeter:
        """The same wishes under another name, for runs that follow."""
        return ProgressMeter(self._wishes, name, told=self._told)

    def over(self) -> None:
        """Take the line away."""
        if self._seen:
            print(f"\r{'':<72}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def catch_interrupt() -> Iterator[InterruptFlag]:
    """Ctrl-C becomes a wish that someone looks at in time; a second one ends at once. The handler of before comes back."""
    wishes = InterruptFlag()

    def asked(_number: int, _frame: FrameType | None) -> None:
        if wishes.interrupted:
            raise KeyboardInterrupt
        wishes.interrupted = True

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield wishes
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruptible(name: str = "", *, told: bool = False) -> Iterator[ProgressMeter]:
    """A meter that Ctrl-C stops; `told` as `ProgressMeter`."""
    with catch_interrupt() as wishes:
        meter = ProgressMeter(wishes, name, told=told)
        try:
            yield meter
        finally:
            meter.over()


def duration_text(seconds: float) -> str:
    """A span as people say it: `40 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
