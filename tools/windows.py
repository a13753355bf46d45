"""`make windows`: the tests that a Windows desk is on, run on a Windows Python under Wine, group by group.

`make windows ARGS=quick` runs the part that CI runs; `ARGS="tests/core/link -x"` goes to pytest. A machine that cannot have the
Windows Python says why; with `--or-skip` packages that cannot be had are no failure.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
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
    "program": ("tests/e2e/test_windows_program.py",),
}
"""What a Windows desk is on, by room; the screen as far as no console is needed."""
QUICK_GROUPS: dict[str, tuple[str, ...]] = {
    "vendor's module": ("tests/core/brokers/mt5/test_module_calls.py", "tests/core/brokers/mt5/test_parsing.py"),
    **{room: GROUPS[room] for room in ("model", "settings", "pipes", "clock", "link", "filters")},
    "engine": ("tests/core/engine/test_engine_process.py", "tests/core/engine/test_console.py"),
    "cli": ("tests/cli/test_main.py", "tests/cli/test_supervise.py"),
    "program": GROUPS["program"],
}
_PYTEST = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


class Outcome(NamedTuple):
    """What one group gave."""

    name: str
    code: int
    seconds: float
    counts: dict[str, int]


def run_group(python: WindowsPython, name: str, words: Sequence[str]) -> Outcome:
    """Run pytest on some paths and show what it says."""
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    last = ""
    # pipes at both ends: a Wine program takes no file of ours for its console
    with subprocess.Popen(
        python.command(*_PYTEST, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=python.environment({}),
        cwd=CHECKOUT,
    ) as process:
        assert process.stdout is not None
        for data in process.stdout:
            line = data.decode(errors="replace").rstrip()
            print(line, flush=True)
            last = line or last
    return Outcome(name, process.returncode, time.monotonic() - began, counted(last))


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
    seconds = sum(outcome.seconds for outcome in outcomes)
    last = f"Windows: {total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped"
    return "\n".join([*rows, f"{'together':16} {'':7} {seconds:5.0f} s", last])


def main(arguments: Sequence[str]) -> int:
    """Set the Windows Python up and run groups; 0 when none failed."""
    words = [word for word in arguments if word != OR_SKIP]
    python = WindowsPython(CHECKOUT)
    began = time.monotonic()
    try:
        python.ensure()
    except SetupError as error:
        print(f"no Windows Python: {error}", file=sys.stderr)
        return 0 if OR_SKIP in arguments and isinstance(error, Unavailable) else 2
    print(f"a Windows Python is ready after {time.monotonic() - began:.0f} s", flush=True)
    if words and words != [QUICK]:
        groups: dict[str, tuple[str, ...]] = {"asked for": tuple(words)}
    else:
        groups = QUICK_GROUPS if words else GROUPS
    outcomes = [run_group(python, name, paths) for name, paths in groups.items()]
    print(summary(outcomes), flush=True)
    return int(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
