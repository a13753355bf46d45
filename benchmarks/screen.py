"""The screen on a busy desk (28 pairs, 20 positions, five quotes a second each): bytes, processor, keys, orders, memory.

The screen runs in a process and on a terminal of its own. A flatten is measured the whole way, between two processes: the key
leaves the terminal, `quarterdeck monitor` takes it, the link, the desk, the adapter, the call that enters the broker's terminal.
A simulated day is lived by a real engine with a real screen on it, on the desk of `busy.toml`. Waits are measured at real-time
priority where that is allowed, and the figure says so. `python -m benchmarks.screen` prints the figures, each beside its aim.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._terminal import CHECKOUT, LIMIT_S, Screen, at_realtime_priority, memory_bytes

SECONDS = 12.0
KEYS = 150
DAY_SNAPSHOTS = 1_200
FLATTENS = 10
SIZES = ((80, 24), (120, 40), (200, 60))
THIN_PER_S = 0.5
BUSY = Path(__file__).with_name("busy.toml")
BUSY_POSITIONS = 20
WARM_HOURS, DAY_HOURS = 1, 24
"""The day, 96 s at the speed of `busy.toml`, begins when so many positions are open and the market has run so long."""
HOUR_NS = 3_600_000_000_000
BYTES_AIM_KB, THIN_AIM_KB, CORE_AIM_PCT, WAIT_AIM_MS, GROWTH_AIM_MB = 20.0, 2.0, 8.0, 50.0, 5.0


class Figure(NamedTuple):
    """One measured figure, and what it should stay under."""

    name: str
    value: float
    unit: str
    aim: float | None = None


def figures() -> list[Figure]:
    """All figures of the screen, in order."""
    return list(one_by_one())


def one_by_one() -> Iterator[Figure]:
    """The figures as they are measured."""
    for size in SIZES:
        yield from _sight(size)
    with Screen.busy((120, 40), THIN_PER_S) as screen:
        sent, _ = screen.watched(SECONDS)
        name = f"screen 120x40 on a thin line (ui.max_fps = {THIN_PER_S}), bytes"
        yield Figure(name, sent / 1e3, "kB/s", THIN_AIM_KB)
    with Screen.busy((200, 60)) as screen:
        screen.press(b"v")
        screen.read(3.0)
        sent, share = screen.watched(SECONDS)
        yield Figure("chart page 200x60, M15 beside H1 over equity, bytes", sent / 1e3, "kB/s")
        yield Figure("chart page 200x60, of a core", share * 100, "%")
    yield from _keys()
    took, priority = asyncio.run(key_to_order(FLATTENS))
    name = f"last key of a flatten of {BUSY_POSITIONS} positions and more to its first close order, over the link"
    yield from _waits(name, took, priority, WAIT_AIM_MS)
    grown, whole = day_of_paints()
    yield Figure(f"screen, memory gained over {DAY_SNAPSHOTS:,} paints", grown / 1e6, "MB", GROWTH_AIM_MB)
    yield Figure("screen, memory in all", whole / 1e6, "MB")
    rows, held = asyncio.run(day_of_market())
    for name, grown, whole in rows:
        yield Figure(f"{name}, memory gained over a simulated day of 28 pairs", grown / 1e6, "MB", GROWTH_AIM_MB)
        yield Figure(f"{name}, memory after it", whole / 1e6, "MB")
    yield Figure("positions open over that day, median", statistics.median(held), "")


def _sight(size: tuple[int, int]) -> Iterator[Figure]:
    words, aimed = f"screen {size[0]}x{size[1]}", size == (120, 40)
    with Screen.busy(size) as screen:
        sent, share = screen.watched(SECONDS)
    yield Figure(f"{words}, bytes to the terminal", sent / 1e3, "kB/s", BYTES_AIM_KB if aimed else None)
    yield Figure(f"{words}, of a core", share * 100, "%", CORE_AIM_PCT if aimed else None)


def _keys() -> Iterator[Figure]:
    with at_realtime_priority() as priority, Screen.busy((120, 40)) as screen:
        panels, previews = screen.keys(KEYS), screen.dialogs(KEYS)
    yield from _waits("screen 120x40, key to paint", panels, priority, WAIT_AIM_MS)
    yield from _waits("screen 120x40, flatten key to its preview", previews, priority)


def _waits(name: str, took: list[float], priority: str, aim: float | None = None) -> Iterator[Figure]:
    worst = statistics.quantiles(took, n=100, method="inclusive")[98]
    yield Figure(f"{name}, p50 of {len(took)}, {priority}", statistics.median(took) * 1e3, "ms")
    yield Figure(f"{name}, p99 of {len(took)}, {priority}", worst * 1e3, "ms", aim)


def day_of_paints() -> tuple[float, float]:
    """Bytes of memory that so many paints add, and all of it."""
    words = [sys.executable, "-m", "benchmarks._screen", "day", str(DAY_SNAPSHOTS)]
    said = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
    return float(said[1]) - float(said[0]), float(said[1])


def busy_home(folder: str) -> Path:
    """A home whose desk trades 28 pairs."""
    home = Path(folder) / "home"
    home.mkdir()
    shutil.copy(BUSY, home / "settings.toml")
    return home


async def day_of_market() -> tuple[list[tuple[str, float, float]], list[int]]:
    """(who, bytes gained, bytes in all) of an engine and the screen on it over a simulated day, and the positions it held."""
    from quarterdeck.core.link.link_client import SocketClient
    from quarterdeck.core.model.errors import EngineNotRunningError
    from quarterdeck.core.model.snapshot import Snapshot

    with tempfile.TemporaryDirectory(prefix="qd-bench-") as folder:
        home = busy_home(folder)
        words = [sys.executable, "-m", "quarterdeck.cli.main", "run", "--no-ui", "--home", str(home)]
        engine = await asyncio.create_subprocess_exec(
            *words, cwd=CHECKOUT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        client = SocketClient(home, client="bench", watch=True)
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await client.start()
                    break
                except EngineNotRunningError:
                    if engine.returncode is not None:
                        raise RuntimeError(f"the engine ended with {engine.returncode}") from None
                    await asyncio.sleep(0.2)
        with Screen.monitor((120, 40), home) as screen:
            reading = asyncio.create_task(_read_on(screen))
            pids = {"engine": engine.pid, "screen": screen.pid}
            opened, began, held, before = 0, 0, list[int](), dict[str, int]()
            while True:
                event = await client.next()
                if not isinstance(event, Snapshot):
                    continue
                now, count = event.desk.at_utc_ns, len(event.desk.positions)
                opened = opened or now
                if not before and count >= BUSY_POSITIONS and now - opened >= WARM_HOURS * HOUR_NS:
                    began, before = now, {name: memory_bytes(pid) for name, pid in pids.items()}
                if before:
                    held.append(count)
                    if now - began >= DAY_HOURS * HOUR_NS:
                        break
            after = {name: memory_bytes(pid) for name, pid in pids.items()}
            reading.cancel()
            await client.close()
            engine.terminate()
            await engine.wait()
    return [(name, float(after[name] - before[name]), float(after[name])) for name in pids], held


async def _read_on(screen: Screen) -> None:
    """Take what the screen sends, so that it never waits for its terminal."""
    while True:
        await asyncio.to_thread(screen.read, 0.5)


async def key_to_order(count: int) -> tuple[list[float], str]:
    """Seconds from a flatten's last key on the terminal until its first close enters the broker's terminal; and the priority."""
    from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
    from quarterdeck.core.engine.run_request import RunRequest
    from quarterdeck.core.link.link_client import SocketClient
    from quarterdeck.core.settings.home import resolve_home

    with tempfile.TemporaryDirectory(prefix="qd-bench-") as folder:
        ready = await start_run(RunRequest(home=resolve_home(busy_home(folder)), speed_given=True), on_step=lambda _: None)
        entered = RequestTimer(ready.engine.venue.terminal)
        running = asyncio.create_task(run_to_end(ready))
        client = SocketClient(ready.engine.home.root, client="bench", watch=True)
        await client.start()
        seen = NewestSnapshot(client)
        screen = Screen.monitor((120, 40), ready.engine.home.root)
        with at_realtime_priority() as priority:  # which the screen keeps; the engine has it for the moments that are measured
            await asyncio.to_thread(screen.__enter__)
        took = [await _flattened(screen, client, seen, entered) for _ in range(count)]
        await asyncio.to_thread(screen.__exit__)
        seen.stop()
        await client.close()
        ready.engine.stop(why="measured")
        await running
    return took, priority


class NewestSnapshot:
    """The newest snapshot that a client got."""

    def __init__(self, client: Any) -> None:
        """Listens from now on."""
        self.snapshot: Any = None
        self._task = asyncio.create_task(self._listen(client))

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()

    async def _listen(self, client: Any) -> None:
        from quarterdeck.core.model.snapshot import Snapshot

        while True:
            event = await client.next()
            if isinstance(event, Snapshot):
                self.snapshot = event


class TwoSnapshotsLater:
    """True once two more snapshots came than there were."""

    def __init__(self, seen: NewestSnapshot) -> None:
        """From now."""
        self._seen, self._number = seen, seen.snapshot.number

    def __call__(self) -> bool:
        """Whether they came."""
        return bool(self._seen.snapshot.number > self._number + 1)


class RequestTimer:
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


async def _flattened(screen: Screen, client: Any, seen: NewestSnapshot, entered: RequestTimer) -> float:
    """Let the market run until twenty positions are open, hold it there, and flatten with the keys."""
    from quarterdeck.core.link.messages import ReplayControl
    from quarterdeck.core.model.commands import Resume

    while True:
        await client.control(ReplayControl(action="speed", speed=7_200.0))
        await _until(lambda: seen.snapshot is not None and len(seen.snapshot.desk.positions) >= BUSY_POSITIONS)
        await client.control(ReplayControl(action="pause"))
        await _until(TwoSnapshotsLater(seen))
        if len(seen.snapshot.desk.positions) >= BUSY_POSITIONS:
            break
    with at_realtime_priority():
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


def line_of(figure: Figure) -> str:
    """A figure for people, beside its aim."""
    aim = "" if figure.aim is None else f"under {figure.aim:g}" if figure.value < figure.aim else f"NOT under {figure.aim:g}"
    return f"{figure.value:>12,.2f} {figure.unit:<5} {aim:<13} {figure.name}"


if __name__ == "__main__":
    for found in one_by_one():
        print(line_of(found), flush=True)
