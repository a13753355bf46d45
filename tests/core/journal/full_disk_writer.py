"""Run as a process: files may not grow past a limit, which is what a full disk looks like; closes are recorded, then it crashes."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.writer import JournalWriter
from tests.core.journal.tapes import MONDAY_NS, day, journal_settings, new_run
from tests.core.journal.test_writer import close_order, timer


def main(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    troubles: list[tuple[bool, str]] = []
    settings = journal_settings()
    journal = JournalWriter(
        path,
        settings,
        clock=WallClock(),
        durable=True,
        threaded=False,
        on_trouble=lambda active, why: troubles.append((active, why)),
    )
    journal.begin_run(new_run(mode="demo"))
    limit = max(settings.reserve_kib * 1024, 1_100_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    last = 0
    for stamped in day(100_000):
        journal.append(stamped)
        last = stamped.seq
        if stamped.seq % 50 == 0 and not journal.flush_blocking():
            break
    journal.append(timer(last + 1), (close_order(),))
    assert not journal.flush_blocking()
    assert troubles[0][0]
    assert MONDAY_NS
    print(last, troubles[0][1], flush=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
