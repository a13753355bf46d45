"""Run as a process: writes a tape without end, saying after each flush up to where it is safe. The test kills it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.writer import JournalWriter
from tests.core.journal.tapes import day, journal_settings, new_run


async def write_until_killed(path: Path) -> None:
    journal = JournalWriter(path, journal_settings(), clock=WallClock(), durable=True)
    journal.begin_run(new_run(mode="demo"))
    for stamped in day(100_000):
        journal.append(stamped)
        if stamped.seq % 37 == 0:
            assert await journal.flush()
            print(stamped.seq, flush=True)


if __name__ == "__main__":
    asyncio.run(write_until_killed(Path(sys.argv[1])))
