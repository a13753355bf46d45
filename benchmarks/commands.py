"""Commands to a live engine: how long until the answer, which leaves when the journal has the command, and how many a second.

Real processes: an engine of 28 pairs over a gateway, spoken to through its socket. Pause and resume in turn, on an idle desk and
while all pairs close a bar. `python -m benchmarks.commands` prints the figures alone. Where libfaketime is not installed the bar
is waited for.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.engine import TWENTY_EIGHT
from quarterdeck.core.link.link_client import SocketClient
from quarterdeck.core.model.commands import Command, Pause, Resume
from quarterdeck.core.model.snapshot import Snapshot
from tests.e2e.moved_clock import LIBRARY, MovedClock, weekday_at
from tests.e2e.processes import EngineProcess
from tests.e2e.test_acknowledged import gateway, live_home

_IDLE, _BURST, _AT_ONCE = 300, 1_000, 64
_CLOSING_S = 8.0
"""Bars of all pairs come within so many seconds after the quarter hour."""
_QUARTER_S = 900.0
_PAUSE_S = 0.02


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


def figures() -> list[Figure]:
    """All figures, in order."""
    pairs = f"{list(TWENTY_EIGHT)}"
    settings = f"[simulation]\nhistory_days = 30\n[desk]\npairs = {pairs}\n"
    with tempfile.TemporaryDirectory(prefix="quarterdeck-commands-") as name:
        folder = Path(name)
        clock = MovedClock(folder / "clock", weekday_at(10, 11) if LIBRARY else datetime.now(UTC))
        moved = clock.environ() if LIBRARY else {}
        with gateway(folder / "gateway", settings=settings, **moved) as address:
            home = live_home(folder / "desk", folder / "gateway", address, pairs=pairs)
            engine = EngineProcess(home, **moved)
            try:
                engine.ready()
                return asyncio.run(_figures(home, clock))
            finally:
                engine.close()


async def _figures(home: Path, clock: MovedClock) -> list[Figure]:
    client = SocketClient(home, client="bench", watch=False)
    await client.start()
    lags: list[float] = []
    watching = asyncio.create_task(_lags(home, lags))
    try:
        idle = [await _given(client, number) for number in range(_IDLE)]
        began_s = time.perf_counter()
        for first in range(0, _BURST, _AT_ONCE):
            await asyncio.gather(*(client.send(_command(number)) for number in range(first, first + _AT_ONCE)))
        sent = len(range(0, _BURST, _AT_ONCE)) * _AT_ONCE
        a_second = sent / (time.perf_counter() - began_s)
        now_s = clock.now().timestamp()
        await asyncio.sleep(_QUARTER_S - now_s % _QUARTER_S)
        closing, until_s = list[float](), time.monotonic() + _CLOSING_S
        while time.monotonic() < until_s:
            closing.append(await _given(client, len(closing)))
    finally:
        watching.cancel()
        await client.close()
    return [
        *_spread("command, from the socket to its answer on disk, idle", idle),
        *_spread("command, the same while 28 pairs close a bar", closing),
        Figure("durable commands a second, 64 at once", a_second, "1/s"),
        Figure("loop lag of the engine, p99 of its shown maxima", statistics.quantiles(lags, n=100)[98], "ms"),
    ]


async def _lags(home: Path, lags: list[float]) -> None:
    client = SocketClient(home, client="bench lag", watch=True)
    await client.start()
    while True:
        event = await client.next()
        if isinstance(event, Snapshot):
            lags.append(event.engine.loop_lag_ms)


def _command(number: int) -> Command:
    return Resume() if number % 2 else Pause()


async def _given(client: SocketClient, number: int) -> float:
    """Milliseconds until the answer."""
    began_s = time.perf_counter()
    await client.send(_command(number))
    took_ms = (time.perf_counter() - began_s) * 1000.0
    await asyncio.sleep(_PAUSE_S)
    return took_ms


def _spread(name: str, took_ms: list[float]) -> list[Figure]:
    return [
        Figure(f"{name}, p50", statistics.median(took_ms), "ms"),
        Figure(f"{name}, p99", statistics.quantiles(took_ms, n=100)[98], "ms"),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.value:>12,.2f} {figure.unit:<4} {figure.name}")
