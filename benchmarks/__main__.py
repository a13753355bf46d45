"""`make bench`: measure speed, start-up and memory, and print one table with the machine it was measured on.

`ARGS="--all"` adds the slow parts, `ARGS="--write"` puts the table into docs/figures.md, `ARGS="engine journal"` chooses parts.
Promises: a part that cannot run here says why and stops no other. Does not: judge; budgets are in the issues and in tests.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "figures.md"
_OWN_TALK = ("market_realism",)
"""Parts that print tables of their own instead of figures."""
_SLOW = ("live_hours", "market_realism", "scaling")
_FIRST = "engine"
_TABLE = "| figure | command |"


class Row(NamedTuple):
    """One line of the table."""

    part: str
    name: str
    value: str


def parts() -> list[str]:
    """What can be measured: the modules beside this one, the engine first."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    return [_FIRST, *(name for name in found if name != _FIRST)]


def measured(part: str) -> list[Row]:
    """The figures of one part; one that prints for itself gives none."""
    module: Any = importlib.import_module(f"benchmarks.{part}")
    if part in _OWN_TALK or not hasattr(module, "figures"):
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=True, cwd=CHECKOUT)
        return []
    return [Row(part, figure.name, shown(figure.value, figure.unit)) for figure in module.figures()]


def shown(value: float, unit: str) -> str:
    """A figure for people: four digits that mean something."""
    digits = 0 if abs(value) >= 1_000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def machine() -> str:
    """What it was measured on, and how busy that was."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # another system; what it calls itself must do
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}{load}"


def commit() -> str:
    """The commit in the checkout, marked where it was changed."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=10"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def write(rows: Sequence[Row], where: str) -> None:
    """Put the rows into the page's table: a known figure's row is replaced, a new one is added at the table's end."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    for row in rows:
        line = f"| {row.name} | `make bench` | {row.value} | {where} | {commit()} |"
        place = next((n for n, old in enumerate(lines) if old.startswith(f"| {row.name} | `make bench` |")), None)
        if place is None:
            lines.insert(_table_end(lines), line)
        else:
            lines[place] = line
    PAGE.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def _table_end(lines: Sequence[str]) -> int:
    """The line after the table of figures."""
    place = next(n for n, line in enumerate(lines) if line.startswith(_TABLE))
    while place < len(lines) and lines[place].startswith("|"):
        place += 1
    return place


def main() -> int:
    """Measure what was asked for and print it."""
    known = parts()
    asked = argparse.ArgumentParser(prog="make bench", description=__doc__)
    asked.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(known)}")
    asked.add_argument("--all", action="store_true", help=f"measure {' and '.join(_SLOW)} as well, which takes minutes")
    asked.add_argument("--write", action="store_true", help="put the table into docs/figures.md")
    given = asked.parse_args()
    unknown = [part for part in given.parts if part not in known]
    if unknown:
        asked.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = given.parts or [part for part in known if given.all or part not in _SLOW]
    where, failed = machine(), 0
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {where}, commit {commit()}", flush=True)
    rows: list[Row] = []
    for part in wanted:
        try:
            found = measured(part)
        except (OSError, RuntimeError, SystemExit, subprocess.SubprocessError) as error:
            print(f"{part}: not measured: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        rows += found
        for row in found:
            print(f"{row.part:10} {row.value:>16}  {row.name}", flush=True)
    if given.write:
        write(rows, where)
        print(f"written to {PAGE.relative_to(CHECKOUT)}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
