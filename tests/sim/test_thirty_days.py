"""A month of market time with five positions open: memory, open files and the journal's growth stay level."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.study.audit import audit
from tests.core.engine.test_book_news import PAIRS, Polled
from tests.sim import simulated_engine
from tests.sim.simulated_engine import World

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what a process weighs"),
]
BYTES_A_DAY_MAX = 5_000_000
_MIB_MORE_MAX = 30.0
_POLL_MS = 15_000.0


def resident_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmRSS:"))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("days", [3, 30])
def test_days_with_five_positions_stay_level(days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes are polled every 15 s, not four times a second: what grows by the poll is measured by `benchmarks.live_hours`."""
    monkeypatch.setattr(simulated_engine, "CALLS_MAX", 10**9)
    settings: dict[str, Any] = {
        "desk__pairs": PAIRS,
        "engine__quote_poll_ms": _POLL_MS,
        "account__manage_external_positions": True,
    }
    world = Polled(tmp_path, seed=11, tick_s=15, history_days=6, **settings)
    samples: list[tuple[float, int, int]] = []

    async def live(world: World) -> None:
        engine = await world.start()
        before = 0
        for day in range(1, days + 1):
            for _ in range(24):
                for pair in set(PAIRS) - {symbol for symbol, _, _ in world.desk_lots().values()}:
                    world.by_hand(pair, Side.BUY, 0.05)
                await world.hours(1.0)
            world.effects.clear()
            engine.journal.flush_blocking()
            grown, before = engine.journal._store.tape_bytes - before, engine.journal._store.tape_bytes
            samples.append((resident_mib(), open_files(), grown))
            print(f"day {day}: {samples[-1][0]:.1f} MiB, {samples[-1][1]} files open, journal +{grown / 1e6:.2f} MB", flush=True)
        await world.close()

    world.run(live)
    assert max(grown for _, _, grown in samples) < BYTES_A_DAY_MAX
    assert samples[-1][0] - samples[0][0] < _MIB_MORE_MAX
    assert samples[-1][1] <= samples[0][1] + 1
    found = audit(tmp_path / "journal.sqlite", Desk)
    assert (found.findings, found.agree) == ({}, found.decisions)
