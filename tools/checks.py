"""Run lint, import contracts and types beside the tests, and say at the end what failed.

Two cores: the tests take both, the static checks slip in between. Each check's output is shown only if it fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("package", "core", "tui", "cli", "tools", "benchmarks", "tests")


@dataclass(frozen=True)
class Outcome:
    """What one check gave."""

    name: str
    code: int
    seconds: float
    output: str


def static_checks(python: str) -> dict[str, list[str]]:
    """The checks that read code without running it, by name."""
    ruff = [python, "-m", "ruff"]
    return {
        "lint": [*ruff, "check", *SOURCES],
        "format": [*ruff, "format", "--check", *SOURCES],
        "imports": [python, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
        "types": [python, "-m", "mypy"],
    }


def pytest_command(python: str, extra: Sequence[str] = ()) -> list[str]:
    """The tests on all cores; what must not run together shares a group."""
    return [python, "-m", "pytest", "-n", str(os.cpu_count() or 1), "--dist", "loadgroup", "-q", *extra]


def run_one(name: str, command: Sequence[str], cwd: Path) -> Outcome:
    """Run one check to its end, quietly."""
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=cwd)
        code, output = done.returncode, done.stdout
    except OSError as error:
        code, output = 1, f"{command[0]}: {error}"
    return Outcome(name, code, time.monotonic() - began, output)


def run_static(checks: Mapping[str, Sequence[str]], cwd: Path) -> list[Outcome]:
    """All static checks, one after the other; none stops the next."""
    return [run_one(name, command, cwd) for name, command in checks.items()]


def run_all(cwd: Path, extra: Sequence[str] = (), python: str = sys.executable) -> int:
    """Static checks beside the tests; the exit code of the whole, 0 only if all passed."""
    outcomes: list[Outcome] = []
    beside = threading.Thread(target=lambda: outcomes.extend(run_static(static_checks(python), cwd)), daemon=True)
    beside.start()
    code, last = _stream(pytest_command(python, extra), cwd)
    beside.join()
    report(outcomes)
    print(last, flush=True)
    return max([code, *(1 for outcome in outcomes if outcome.code)])


def report(outcomes: Sequence[Outcome]) -> None:
    """One line a check, and the whole output of those that failed."""
    for outcome in outcomes:
        if outcome.code:
            print(f"\n--- {outcome.name} ---\n{outcome.output.rstrip()}", flush=True)
    for outcome in outcomes:
        print(f"{outcome.name:8} {'ok' if not outcome.code else 'FAILED'} ({outcome.seconds:.0f} s)", flush=True)


def _stream(command: Sequence[str], cwd: Path) -> tuple[int, str]:
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, bufsize=1) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.rstrip() or last
    return process.returncode, last


def main(arguments: Sequence[str]) -> int:
    """`all [PYTEST ARGUMENTS]`, or the names of static checks."""
    if arguments[:1] == ["all"]:
        return run_all(Path.cwd(), arguments[1:])
    known = static_checks(sys.executable)
    outcomes = run_static({name: known[name] for name in arguments}, Path.cwd())
    report(outcomes)
    return int(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
