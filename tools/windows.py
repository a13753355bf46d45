"""`make windows`: the tests that a Windows desk is on, run on a Windows Python under Wine, group by group.

`make windows ARGS=quick` runs the part that CI runs, `ARGS="link tui"` those groups, `ARGS="tests/core/link -x"` goes to pytest.
A machine that cannot have the Windows Python says why; with `--or-skip` packages or rights that cannot be had are no failure.
A group that runs longer than its limit is killed with every process it started, and has failed.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tools.find_python import SetupError
from tools.windows_python import Unavailable, WindowsPython

CHECKOUT = Path(__file__).resolve().parent.parent
OR_SKIP = "--or-skip"
QUICK = "quick"
_ROOMS = "model risk settings pipes clock journal link strategy filters calendar data scan desk engine brokers"
GROUPS: dict[str, tuple[str, ...]] = {
    **{room: (f"tests/core/{room}",) for room in _ROOMS.split()},
    "laws": ("tests/laws",),
    "cli": ("tests/cli",),
    "tui": ("tests/tui",),
    "clients": ("tests/clients",),
    "program": ("tests/e2e/test_windows_program.py", "tests/e2e/test_recorded_broker.py"),
}
"""What a Windows desk is on, by room; the screen as far as no console is needed."""
_PROGRAM = "tests/e2e/test_windows_program.py"
QUICK_GROUPS: dict[str, tuple[str, ...]] = {
    "program": (
        f"{_PROGRAM}::test_an_operator_steers_kills_and_restarts_an_engine",
        f"{_PROGRAM}::test_a_home_of_any_name_runs_an_engine[polish]",
    ),
    "rooms": (
        *("tests/core/brokers/mt5/test_module_calls.py", "tests/core/brokers/mt5/test_parsing.py"),
        *(f"tests/core/{room}" for room in ("model", "settings", "pipes", "clock", "link", "filters")),
        *("tests/core/engine/test_engine_process.py", "tests/core/engine/test_console.py"),
        *("tests/cli/test_main.py", "tests/cli/test_supervise.py"),
    ),
}
"""Two groups, one a core: each start of pytest under Wine takes seconds."""
LIMIT_S, QUICK_LIMIT_S = 1800.0, 330.0
"""How long a group may take: several times what it takes on two idle cores."""
SILENCE_S = 15.0
_PYTEST = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
_END = re.compile(r" in \d+\.\d+s")
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


class Outcome(NamedTuple):
    """What one group gave."""

    name: str
    code: int
    seconds: float
    counts: dict[str, int]


def run_group(python: WindowsPython, name: str, words: Sequence[str], limit_s: float) -> Outcome:
    """Run pytest on some paths for at most `limit_s` seconds and show each line as it comes, with the group's name before it."""
    began, counts = time.monotonic(), dict[str, int]()
    # pipes at both ends: a Wine program takes no file of ours for its console
    with subprocess.Popen(
        python.command(*_PYTEST, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=python.environment({"PYTHONUNBUFFERED": "1"}),
        cwd=CHECKOUT,
    ) as process:
        watch = threading.Timer(limit_s, process.kill)
        watch.start()
        try:
            assert process.stdout is not None
            for line in _lines(process.stdout.fileno()):
                if said := line.decode(errors="replace").rstrip():
                    counts = counted(said) if _END.search(said) else counts
                    print(f"{name:10} {said}", flush=True)
        finally:
            watch.cancel()
            process.kill()
    seconds = time.monotonic() - began
    if process.returncode == -signal.SIGKILL:
        print(f"{name:10} killed after {seconds:.0f} s: a test hangs, or the group is too large for its limit of {limit_s:.0f} s")
        counts = {"failed": 1}
    return Outcome(name, process.returncode, seconds, counts)


def _lines(source: int) -> Iterator[bytes]:
    """Lines as they come, and after a silence what there is of the next: a line of dots takes minutes where tests are slow."""
    rest = shown = b""
    while True:
        if not select.select([source], [], [], SILENCE_S)[0]:
            if rest != shown:
                shown = rest
                yield rest
            continue
        data = os.read(source, 65_536)
        if not data:
            break
        *whole, rest = (rest + data).split(b"\n")
        yield from whole
    yield rest


def counted(line: str) -> dict[str, int]:
    """Pytest's closing line as numbers."""
    return {kind.removesuffix("s") if kind.startswith("error") else kind: int(count) for count, kind in _COUNT.findall(line)}


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line a group and the sum."""
    rows = [
        f"{outcome.name:16} {'ok' if outcome.code == 0 else 'FAILED':7} {outcome.seconds:5.0f} s  "
        + ", ".join(f"{count} {kind}" for kind, count in outcome.counts.items())
        for outcome in outcomes
    ]
    total = {kind: sum(outcome.counts.get(kind, 0) for outcome in outcomes) for kind in ("passed", "failed", "error", "skipped")}
    last = f"Windows: {total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped"
    return "\n".join([*rows, last])


def main(arguments: Sequence[str]) -> int:
    """Set the Windows Python up and run groups, one on each of two cores; 0 when none failed."""
    words = [word for word in arguments if word != OR_SKIP]
    python = WindowsPython(CHECKOUT)
    began = time.monotonic()
    try:
        python.ensure()
    except SetupError as error:
        print(f"no Windows Python: {error}", file=sys.stderr)
        return 0 if OR_SKIP in arguments and isinstance(error, Unavailable) else 2
    print(f"a Windows Python is ready after {time.monotonic() - began:.0f} s", flush=True)
    groups, limit_s = chosen(words)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        outcomes = list(pool.map(lambda name: run_group(python, name, groups[name], limit_s), groups))
    print(f"{summary(outcomes)} after {time.monotonic() - began:.0f} s", flush=True)
    return int(any(outcome.code for outcome in outcomes))


def chosen(words: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], float]:
    """The groups to run and the seconds that each may take."""
    if not words:
        return GROUPS, LIMIT_S
    if list(words) == [QUICK]:
        return QUICK_GROUPS, QUICK_LIMIT_S
    if all(word in GROUPS for word in words):
        return {word: GROUPS[word] for word in words}, LIMIT_S
    return {"asked for": tuple(words)}, LIMIT_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
