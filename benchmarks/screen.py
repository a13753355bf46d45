"""The screen on a busy desk (28 pairs, 20 positions, five quotes a second each): bytes, processor, keys, orders, memory.

The screen runs in a process and on a terminal of its own. A flatten is measured the whole way, between two processes: the key
leaves the terminal, `quarterdeck monitor` takes it, the link, the desk, the adapter, the call that enters the broker's terminal.
A simulated day is lived by a real engine with a real screen on it. `python -m benchmarks.screen` prints the figures alone.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._terminal import CHECKOUT, LIMIT_S, Screen, memory_bytes

SECONDS = 12.0
KEYS = 50
DAY_SNAPSHOTS = 1_200
FLATTENS = 12
SIZES = ((80, 24), (120, 40), (200, 60))
THIN_PER_S = 0.5
DAY_SPEED = 900.0
"""A day of the market in 96 s."""
WARM_HOURS, DAY_HOURS = 1, 24
HOUR_NS = 3_600_000_000_000


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


def figures() -> list[Figure]:
    """All figures of the screen, in order."""
    found: list[Figure] = []
    for size in SIZES:
        found += _sight(size)
    with Screen.busy((120, 40), THIN_PER_S) as screen:
        sent, _ = screen.watched(SECONDS)
        found.append(Figure(f"screen 120x40 on a thin line (ui.paint_per_s = {THIN_PER_S}), bytes", sent / 1e3, "kB/s"))
    with Screen.busy((200, 60)) as screen:
        screen.press(b"v")
        screen.read(3.0)
        sent, share = screen.watched(SECONDS)
        found.append(Figure("chart page 200x60, M15 beside H1 over equity, bytes", sent / 1e3, "kB/s"))
        found.append(Figure("chart page 200x60, of a core", share * 100, "%"))
    found += _waits("last key of a flatten to its first close order, over the link", asyncio.run(key_to_order(FLATTENS)))
    grown, whole = day_of_paints()
    found.append(Figure(f"screen, memory gained over {DAY_SNAPSHOTS:,} paints", grown / 1e6, "MB"))
    found.append(Figure("screen, memory in all", whole / 1e6, "MB"))
    for name, grown, whole in asyncio.run(day_of_market()):
        found.append(Figure(f"{name}, memory gained over a simulated day", grown / 1e6, "MB"))
        found.append(Figure(f"{name}, memory after it", whole / 1e6, "MB"))
    return found


def _sight(size: tuple[int, int]) -> list[Figure]:
    words = f"screen {size[0]}x{size[1]}"
    with Screen.busy(size) as screen:
        sent, share = screen.watched(SECONDS)
        found = [
            Figure(f"{words}, bytes to the terminal", sent / 1e3, "kB/s"),
            Figure(f"{words}, of a core", share * 100, "%"),
        ]
        if size == (120, 40):
            found += _waits(f"{words}, key to paint", screen.keys(KEYS))
            found += _waits(f"{words}, flatten key to its preview", screen.dialogs(KEYS))
    return found


def _waits(name: str, took: list[float]) -> list[Figure]:
    worst = statistics.quantiles(took, n=100, method="inclusive")[98]
    return [Figure(f"{name}, p50", statistics.median(took) * 1e3, "ms"), Figure(f"{name}, p99", worst * 1e3, "ms")]


def day_of_paints() -> tuple[float, float]:
    """Bytes of memory that so many paints add, and all of it."""
    words = [sys.executable, "-m", "benchmarks._screen", "day", str(DAY_SNAPSHOTS)]
    said = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
    return float(said[1]) - float(said[0]), float(said[1])


async def day_of_market() -> list[tuple[str, float, float]]:
    """(who, bytes gained, bytes in all) of an engine and the screen on it, from the first hour of a simulated day to its last."""
    from core.link.client import SocketClient
    from core.model.errors import NoEngineError
    from core.model.snapshot import Snapshot

    with tempfile.TemporaryDirectory(prefix="qd-bench-") as folder:
        home = Path(folder) / "home"
        words = [sys.executable, "-m", "cli.main", "run", "--no-ui", "--home", str(home), "--speed", str(DAY_SPEED)]
        engine = await asyncio.create_subprocess_exec(
            *words, cwd=CHECKOUT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        client = SocketClient(home, client="bench", watch=True)
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await client.start()
                    break
                except NoEngineError:
                    await asyncio.sleep(0.2)
        with Screen.monitor((120, 40), home) as screen:
            reading = asyncio.create_task(_read_on(screen))
            pids = {"engine": engine.pid, "screen": screen.pid}
            began, before = 0, dict.fromkeys(pids, 0)
            while True:
                event = await client.next()
                if not isinstance(event, Snapshot):
                    continue
                began = began or event.desk.at_utc_ns
                hours = (event.desk.at_utc_ns - began) / HOUR_NS
                if hours >= WARM_HOURS and not before["engine"]:
                    before = {name: memory_bytes(pid) for name, pid in pids.items()}
                if hours >= DAY_HOURS:
                    break
            after = {name: memory_bytes(pid) for name, pid in pids.items()}
            reading.cancel()
            await client.close()
            engine.terminate()
            await engine.wait()
    return [(name, float(after[name] - before[name]), float(after[name])) for name in pids]


async def _read_on(screen: Screen) -> None:
    """Take what the screen sends, so that it never waits for its terminal."""
    while True:
        await asyncio.to_thread(screen.read, 0.5)


async def key_to_order(count: int) -> list[float]:
    """Seconds from the last key of a flatten on the terminal to the moment its first close enters the broker's terminal."""
    from core.engine.session import RunWish, run_to_end, start_run
    from core.link.client import SocketClient
    from core.settings.home import resolve_home

    with tempfile.TemporaryDirectory(prefix="qd-bench-") as folder:
        ready = await start_run(RunWish(home=resolve_home(Path(folder) / "home"), speed_given=True), on_step=lambda _: None)
        entered = Entered(ready.engine.venue.terminal)
        running = asyncio.create_task(run_to_end(ready))
        client = SocketClient(ready.engine.home.root, client="bench", watch=True)
        await client.start()
        seen = Seen(client)
        screen = Screen.monitor((120, 40), ready.engine.home.root)
        await asyncio.to_thread(screen.__enter__)
        took = [await _flattened(screen, client, seen, entered) for _ in range(count)]
        await asyncio.to_thread(screen.__exit__)
        seen.stop()
        await client.close()
        ready.engine.stop(why="measured")
        await running
    return took


class Seen:
    """The newest snapshot that a client was told."""

    def __init__(self, client: Any) -> None:
        """Listens from now on."""
        self.snapshot: Any = None
        self._task = asyncio.create_task(self._listen(client))

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()

    async def _listen(self, client: Any) -> None:
        from core.model.snapshot import Snapshot

        while True:
            event = await client.next()
            if isinstance(event, Snapshot):
                self.snapshot = event


class Later:
    """True once two more snapshots came than there were."""

    def __init__(self, seen: Seen) -> None:
        """From now."""
        self._seen, self._number = seen, seen.snapshot.number

    def __call__(self) -> bool:
        """Whether they came."""
        return bool(self._seen.snapshot.number > self._number + 1)


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


async def _flattened(screen: Screen, client: Any, seen: Seen, entered: Entered) -> float:
    """Let the market run to the next position, hold it there, and flatten with the keys."""
    from core.link.messages import ReplayControl
    from core.model.commands import Resume

    while True:
        await client.control(ReplayControl(action="speed", speed=7_200.0))
        await _until(lambda: seen.snapshot is not None and seen.snapshot.desk.positions)
        await client.control(ReplayControl(action="pause"))
        await _until(Later(seen))
        if seen.snapshot.desk.positions:
            break
    await asyncio.to_thread(screen.read, 0.5)
    await asyncio.to_thread(screen.answer, b"F", b"FLATTEN: close")
    screen.press(b"fla")
    await asyncio.to_thread(screen.read, 0.5)
    entered.forget()
    began = screen.press(b"t")
    await _until(lambda: entered.at is not None)
    await _until(lambda: seen.snapshot.desk.state == "HALTED")
    screen.press(b"\r")
    await asyncio.to_thread(screen.read, 0.5)
    await client.send(Resume())
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
