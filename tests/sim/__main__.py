"""Live through simulated days: `python -m tests.sim SEED [COUNT]`. Says what was drawn before anything happens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.sim.law_checker import LawBroken
from tests.sim.random_day import Day, live_through
from tests.sim.simulated_engine import Stuck

FINE, LAW_BROKEN, STUCK, CRASHED, USAGE = 0, 10, 11, 12, 2


def main(arguments: list[str]) -> int:
    """Run the seeds and return what became of the first that failed."""
    try:
        first, count = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    except (IndexError, ValueError):
        print(__doc__)
        return USAGE
    commit = subprocess.run(("git", "rev-parse", "--short", "HEAD"), capture_output=True, text=True, check=False).stdout.strip()
    for seed in range(first, first + count):
        print(f"seed {seed}, commit {commit or 'unknown'}: {Day(seed).one_line()}", flush=True)
        code = lived(seed)
        if code:
            return code
    return FINE


def lived(seed: int) -> int:
    """One day and its exit code."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-sim-") as folder:
        try:
            world, watch = live_through(Path(folder), seed)
        except LawBroken as broken:
            print(f"  law broken: {broken}")
            return LAW_BROKEN
        except Stuck as stuck:
            print(f"  stuck: {stuck}")
            return STUCK
        except Exception:  # noqa: BLE001 - the rim of the runner: reported, and the code says it
            traceback.print_exc()
            return CRASHED
    struck = ", ".join(f"{count} {name}" for name, count in sorted(world.faults.drawn.items())) or "nothing"
    print(f"  fine: {len(watch.submitted)} entries, {len(watch.closes)} closes, {len(watch.trades)} trades; struck: {struck}")
    return FINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
