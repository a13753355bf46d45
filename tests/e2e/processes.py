"""Real processes for the tests: candle files made manually, commands run to their end, engines that live until reported otherwise."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.journal.tape_reader import TapeReader
from tests.conftest import CHECKOUT

HEADER = "time_utc,open,high,low,close,tick_volume,spread_points"
MONDAY = datetime(2024, 5, 27, tzinfo=UTC)
LONG_S = 90.0
"""A limit that no test should ever come near; waiting is for a condition."""


def environment(**more: str) -> dict[str, str]:
    """What a process of ours is given: the checkout's code, and nothing of the user's wishes."""
    mine = {key: value for key, value in os.environ.items() if key not in ("QUARTERDECK_HOME", "INVOCATION_ID", "NOTIFY_SOCKET")}
    return {**mine, "PYTHONUNBUFFERED": "1", **more}


def command(*words: str | Path) -> list[str]:
    """The command line of `quarterdeck WORDS`."""
    return [sys.executable, "-m", "quarterdeck.cli.main", *map(str, words)]


class Done(msgspec.Struct):
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def last_error(self) -> str:
        """The last line on stderr."""
        return (self.err.splitlines() or [""])[-1]

    def json(self) -> dict[str, Any]:
        """The object on the last line of stdout."""
        found: dict[str, Any] = msgspec.json.decode(self.out.splitlines()[-1])
        return found


def quarterdeck(*words: str | Path, limits: Any = None, **environ: str) -> Done:
    """Run one command to its end; `limits` is called in the child before it begins."""
    done = subprocess.run(
        command(*words),
        cwd=CHECKOUT,
        env=environment(**environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_S,
        stdin=subprocess.DEVNULL,
        preexec_fn=limits,
    )
    return Done(done.returncode, done.stdout, done.stderr)


# -------------------------------------------------------------------------------------------------------- candle files
OPEN_QUARTERS = (*[range(96)] * 4, range(84), range(0), range(84, 96))
"""By weekday: to Friday 21:00 and from Sunday 21:00."""


def candle_lines(seed: int, weeks: int = 4, start: float = 1.1) -> list[str]:
    """Lines of quarter hours of a random walk, from Monday on without the hours that the market is closed over the weekend."""
    rng, price, lines = random.Random(seed), start, []
    for day in (MONDAY + timedelta(days=n) for n in range(7 * weeks)):
        for quarter in OPEN_QUARTERS[day.weekday()]:
            opened, close = price, price * (1.0 + rng.gauss(0.0, 0.0004))
            high, low = max(opened, close) * 1.0001, min(opened, close) * 0.9999
            stamp = f"{day + timedelta(minutes=15 * quarter):%Y-%m-%dT%H:%M:%SZ}"
            lines.append(f"{stamp},{opened:.5f},{high:.5f},{low:.5f},{close:.5f},100,5")
            price = float(f"{close:.5f}")
    return lines


def write_candles(folder: Path, symbol: str, lines: Sequence[str]) -> Path:
    """A packed candle file as the recorded ones are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{symbol}_M15.csv.gz"
    path.write_bytes(gzip.compress("\n".join((HEADER, *lines, "")).encode(), mtime=0))
    return path


def small_recording(folder: Path) -> Path:
    """Four weeks of two pairs."""
    write_candles(folder, "EURUSD", candle_lines(1))
    write_candles(folder, "GBPUSD", candle_lines(2, start=1.27))
    return folder


REPLAY_WORDS = ("--pairs", "EURUSD,GBPUSD", "--from", "2024-06-12", "--to", "2024-06-14", "--speed", "max")


# ------------------------------------------------------------------------------------------------------------- engines
class EngineProcess:
    """An engine without a screen, in a process of its own."""

    def __init__(self, home: Path, *words: str | Path, limits: Any = None, **environ: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._err_path = home.with_name(f"{home.name}.err")
        self._out_path = home.with_name(f"{home.name}.out")
        with self._err_path.open("wb") as err, self._out_path.open("wb") as out:
            self.process = subprocess.Popen(
                command("run", "--no-ui", "--home", home, *words),
                cwd=CHECKOUT,
                env=environment(**environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=limits,  # noqa: PLW1509 - these tests start no threads
            )

    @property
    def err(self) -> str:
        return self._err_path.read_text(encoding="utf-8")

    @property
    def out(self) -> str:
        return self._out_path.read_text(encoding="utf-8")

    def until_said(self, words: str) -> None:
        """Until stderr holds `words`."""
        wait_for(lambda: words in self.err or self.process.poll() is not None, f"{words!r}, in {self.err!r}")
        assert words in self.err, self.err

    def ready(self) -> EngineProcess:
        """Until it is up."""
        self.until_said("quarterdeck: ready")
        return self

    def tell(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(LONG_S)

    def kill(self) -> None:
        """What no process can hear."""
        self.process.kill()
        self.process.wait(LONG_S)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


@contextlib.contextmanager
def engine(home: Path, *words: str | Path, **options: Any) -> Iterator[EngineProcess]:
    """An engine for the length of a block."""
    process = EngineProcess(home, *words, **options)
    try:
        yield process
    finally:
        process.close()


def wait_for(holds: Any, what: str) -> None:
    """Look often until something holds."""
    end = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------------------- journal
def journal_opens(home: Path) -> bool:
    """Whether there is a journal; one that does not open raises."""
    path = home / "journal.sqlite"
    if not path.exists():
        return False
    with TapeReader(path) as tape:
        for run in tape.runs():
            assert all(entry.intact for entry in tape.entries(run))
    return True


ONE_LINE = re.compile(r"^quarterdeck: [^\n]{20,700}$")


def is_one_clear_line(done: Done) -> bool:
    """The last word is one line with a remedy, and no traceback is before it."""
    return bool(ONE_LINE.match(done.last_error)) and "; " in done.last_error and "Traceback" not in done.err
