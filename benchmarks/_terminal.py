"""A screen in a process and on a terminal of its own, as a benchmark holds it: what it sends is counted at the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

CHECKOUT = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0
PRIORITY = 5
"""Of the real-time ones the least but four: above everything ordinary, below what the system itself needs."""
TELL_ON = "QUARTERDECK_BENCH_FD"
"""Names the file descriptor on which `benchmarks._screen` says what it cost."""


class Screen:
    """A command that paints; its terminal is read here."""

    def __init__(self, size: tuple[int, int], words: Sequence[str]) -> None:
        """`size` in columns and rows; `words` are what Python is given."""
        self._size, self._words = size, words

    @classmethod
    def busy(cls, size: tuple[int, int], paint_per_s: float = 4.0) -> Self:
        """The screen alone over a busy desk (`benchmarks._screen`)."""
        return cls(size, ("-m", "benchmarks._screen", "live", str(paint_per_s)))

    @classmethod
    def monitor(cls, size: tuple[int, int], home: Path) -> Self:
        """`quarterdeck monitor` on the engine of a home."""
        return cls(size, ("-m", "quarterdeck.cli.main", "monitor", "--home", str(home)))

    def __enter__(self) -> Self:
        """Start it and wait for its first full paint."""
        self._line, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self._size[1], self._size[0], 0, 0))
        self._told, tells = os.pipe()
        command = [sys.executable, *self._words]
        env = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", TELL_ON: str(tells)}
        env.pop("COLORTERM", None)
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, env=env, stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=(tells,), start_new_session=True
        )
        os.close(theirs)
        os.close(tells)
        self.wait_for(b"FLATTEN")
        self.read(3.0)
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._process.terminate()
        with contextlib.suppress(OSError):
            while os.read(self._line, 65_536):
                pass
        self._process.wait(LIMIT_S)
        os.close(self._line)
        os.close(self._told)

    @property
    def pid(self) -> int:
        """The screen's process."""
        return self._process.pid

    def read(self, seconds: float) -> int:
        """Bytes that came in that time."""
        count, until = 0, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self._line], [], [], left)[0]:
                count += len(os.read(self._line, 65_536))
        return count

    def wait_for(self, wanted: bytes) -> None:
        """Read until `wanted` came."""
        seen = b""
        while wanted not in seen:
            if not select.select([self._line], [], [], LIMIT_S)[0]:
                raise TimeoutError(f"never came: {wanted!r}")
            try:
                came = os.read(self._line, 65_536)
            except OSError as error:
                raise RuntimeError(f"the screen ended: {seen.decode(errors='replace')[-300:]}") from error
            seen = seen[-300:] + came

    def press(self, keys: bytes) -> float:
        """Send keys; the instant at which they left."""
        left = time.perf_counter()
        os.write(self._line, keys)
        return left

    def answer(self, key: bytes, word: bytes) -> float:
        """Seconds from a key to a word that it brings."""
        began = self.press(key)
        self.wait_for(word)
        return time.perf_counter() - began

    def watched(self, seconds: float) -> tuple[float, float]:
        """Bytes a second, and the share of a core, over that time."""
        self._spent()
        count = self.read(seconds)
        (from_s, from_cpu_s), *_, (to_s, to_cpu_s) = self._spent()
        return count / seconds, (to_cpu_s - from_cpu_s) / (to_s - from_s)

    def keys(self, count: int) -> list[float]:
        """Seconds from a key to what it shows: another panel in front."""
        took = []
        for number in range(count):
            key, word = ((b"2", b"Signals"), (b"3", b"Positions"))[number % 2]
            self.read(_pause(number))
            took.append(self.answer(key, word))
        return took

    def dialogs(self, count: int) -> list[float]:
        """Seconds from the flatten key to its preview."""
        took = []
        for number in range(count):
            self.read(_pause(number))
            took.append(self.answer(b"F", b"FLATTEN: close"))
            self.answer(b"\r", b"pause")
        return took

    def _spent(self) -> list[tuple[float, float]]:
        lines = b""
        while not lines or select.select([self._told], [], [], 0)[0]:
            lines += os.read(self._told, 65_536)
        rows = [line.split() for line in lines.decode().splitlines()]
        return [(float(wall), float(cpu)) for wall, cpu in rows]


def _pause(number: int) -> float:
    """Seconds between keys, another each time: no key rides on the clock by which the screen paints."""
    return 0.07 + 0.003 * (number % 50)


@contextlib.contextmanager
def at_realtime_priority() -> Iterator[str]:
    """Real-time priority for this process and what it starts meanwhile, where that is allowed; says which priority it is.

    Waits are then the program's own, also on a machine that has other work.
    """
    try:
        for thread in _threads():
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))
        said = f"real-time priority {PRIORITY}"
    except (OSError, AttributeError):
        said = "ordinary priority, for no other is allowed here"
    try:
        yield said
    finally:
        for thread in _threads():
            with contextlib.suppress(OSError, AttributeError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _threads() -> list[int]:
    """Threads of this process; where they cannot be listed, 0: the one that asks."""
    tasks = Path("/proc/self/task")
    return [int(task.name) for task in tasks.iterdir()] if tasks.exists() else [0]


def memory_bytes(pid: int | str = "self") -> int:
    """Resident memory of a process on Linux."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
