"""The screen on a busy desk (28 pairs, 20 positions, five quotes a second each): bytes, processor, keys, orders, memory.

The screen runs in a process and on a terminal of its own; what it sends is counted where the terminal would read it. A flatten is
measured the whole way: key, dialog, link, desk, adapter, the call that enters the terminal. `python -m benchmarks.screen` prints
the figures alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

CHECKOUT = Path(__file__).resolve().parent.parent
SECONDS = 12.0
KEYS = 50
DAY_SNAPSHOTS = 1_200
FLATTENS = 8
SIZES = ((80, 24), (120, 40), (200, 60))
THIN_PER_S = 0.5
LIMIT_S = 120.0


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


def figures() -> list[Figure]:
    """All figures of the screen, in order."""
    found: list[Figure] = []
    for size in SIZES:
        words = f"screen {size[0]}x{size[1]}"
        with Screen(size) as screen:
            sent, share = screen.watched(SECONDS)
            found += [
                Figure(f"{words}, bytes to the terminal", sent / 1e3, "kB/s"),
                Figure(f"{words}, of a core", share * 100, "%"),
            ]
            if size == (120, 40):
                found += _waits(f"{words}, key to paint", screen.keys(KEYS))
                found += _waits(f"{words}, flatten key to its preview", screen.dialogs(KEYS))
    with Screen((120, 40), THIN_PER_S) as screen:
        sent, _ = screen.watched(SECONDS)
        found.append(Figure(f"screen 120x40 on a thin line (ui.paint_per_s = {THIN_PER_S}), bytes", sent / 1e3, "kB/s"))
    found += _waits("last key of a flatten to its first close order", asyncio.run(key_to_order(FLATTENS)))
    grown, whole = day()
    found.append(Figure(f"screen, memory gained over {DAY_SNAPSHOTS:,} paints", grown / 1e6, "MB"))
    found.append(Figure("screen, memory in all", whole / 1e6, "MB"))
    return found


def _waits(name: str, took: list[float]) -> list[Figure]:
    worst = statistics.quantiles(took, n=100, method="inclusive")[98]
    return [Figure(f"{name}, p50", statistics.median(took) * 1e3, "ms"), Figure(f"{name}, p99", worst * 1e3, "ms")]


class Screen:
    """A screen in its process; its terminal is read here."""

    def __init__(self, size: tuple[int, int], paint_per_s: float = 4.0) -> None:
        """`size` in columns and rows."""
        self._size, self._paint_per_s = size, paint_per_s
        self._tail = b""

    def __enter__(self) -> Self:
        """Start it and wait for its first full paint."""
        self._line, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self._size[1], self._size[0], 0, 0))
        self._told, tells = os.pipe()
        words = [sys.executable, "-m", "benchmarks._screen", "live", str(self._paint_per_s)]
        command = ["sh", "-c", f'exec "$@" 3>&{tells}', "sh", *words]
        env = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}
        env.pop("COLORTERM", None)
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, env=env, stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=(tells,), start_new_session=True
        )
        os.close(theirs)
        os.close(tells)
        self.wait_for(b"detach")
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
            seen = seen[-200:] + os.read(self._line, 65_536)

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
            self.read(0.07 + 0.003 * number)
            took.append(self._answer(key, word))
        return took

    def dialogs(self, count: int) -> list[float]:
        """Seconds from the flatten key to its preview."""
        took = []
        for number in range(count):
            self.read(0.07 + 0.003 * number)
            took.append(self._answer(b"F", b"FLATTEN: close"))
            self._answer(b"\r", b"pause")
        return took

    def _answer(self, key: bytes, word: bytes) -> float:
        began = time.perf_counter()
        os.write(self._line, key)
        self.wait_for(word)
        return time.perf_counter() - began

    def _spent(self) -> list[tuple[float, float]]:
        lines = b""
        while not lines or select.select([self._told], [], [], 0)[0]:
            lines += os.read(self._told, 65_536)
        rows = [line.split() for line in lines.decode().splitlines()]
        return [(float(wall), float(cpu)) for wall, cpu in rows]


def day() -> tuple[float, float]:
    """Bytes of memory that a day of paints adds, and all of it."""
    words = [sys.executable, "-m", "benchmarks._screen", "day", str(DAY_SNAPSHOTS)]
    said = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
    return float(said[1]) - float(said[0]), float(said[1])


async def key_to_order(count: int) -> list[float]:
    """Seconds from the last key of a flatten to the moment its first close enters the terminal; screen and engine in one loop."""
    from core.engine.session import RunWish, run_to_end, start_run
    from core.link.client import SocketClient
    from core.model.commands import Resume
    from core.settings.home import resolve_home
    from tui.app import DeskApp

    with tempfile.TemporaryDirectory(prefix="qd-bench-") as folder:
        ready = await start_run(RunWish(home=resolve_home(Path(folder) / "home"), speed_given=True), on_step=lambda _: None)
        entered = Entered(ready.engine.venue.terminal)
        running = asyncio.create_task(run_to_end(ready))
        client = SocketClient(ready.engine.home.root, client="screen", watch=True)
        await client.start()
        app = DeskApp(client, ready.loaded.settings.ui)
        took: list[float] = []
        async with app.run_test(size=(120, 40), tooltips=False) as pilot:
            while len(took) < count:
                took.append(await _flattened(app, pilot, entered))
                await pilot.press("escape")
                await client.send(Resume())
        await client.close()
        ready.engine.stop(why="measured")
        await running
    return took


class Entered:
    """Notes when a request enters the simulated terminal."""

    def __init__(self, terminal: Any) -> None:
        """Stands in front of the module that `terminal` is seen through."""
        self.at: float | None = None
        self._send = terminal.module.order_send
        terminal.module.order_send = self._noted

    def forget(self) -> None:
        """Begin anew."""
        self.at = None

    def _noted(self, *request: Any, **named: Any) -> Any:
        if self.at is None:
            self.at = time.perf_counter()
        return self._send(*request, **named)


class Later:
    """True once two more snapshots came than there were."""

    def __init__(self, snapshot: Callable[[], Any]) -> None:
        """From now."""
        self._snapshot, self._number = snapshot, snapshot().number

    def __call__(self) -> bool:
        """Whether they came."""
        return bool(self._snapshot().number > self._number + 1)


async def _flattened(app: Any, pilot: Any, entered: Entered) -> float:
    """Let the market run to the next position, hold it there, and flatten with the keys."""
    from core.link.messages import ReplayControl

    def snapshot() -> Any:
        return app.memory.snapshot

    while True:
        await app.client.control(ReplayControl(action="speed", speed=7_200.0))
        await _until(lambda: snapshot() is not None and snapshot().desk.positions)
        await app.client.control(ReplayControl(action="pause"))
        await _until(Later(snapshot))
        if snapshot().desk.positions:
            break
    await pilot.press("F", "f", "l", "a")
    entered.forget()
    began = time.perf_counter()
    await pilot.press("t")
    await _until(lambda: entered.at is not None)
    await _until(lambda: snapshot().desk.state == "HALTED")
    assert entered.at is not None
    return entered.at - began


async def _until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not done():  # noqa: ASYNC110 - what is waited for happens in another process, or knows nothing of this
            await asyncio.sleep(0.005)


def _lines() -> Iterator[str]:
    for figure in figures():
        yield f"{figure.value:>12,.2f} {figure.unit:<5} {figure.name}"


if __name__ == "__main__":
    for line in _lines():
        print(line, flush=True)
