"""The engine: how fast it replays, how long a bar close of 28 pairs takes, how soon it is ready and what it weighs.

Replay and scan run in this process, through the engine and the lockstep driver that `run` uses; start and weight are those of
`quarterdeck run --no-ui` as a process. `python -m benchmarks.engine` prints them alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from core.brokers.simulator.terminal import SimulatedTerminal
from core.clock.wall import WallClock
from core.desk.desk import Desk
from core.engine.lockstep import Lockstep, run_now
from core.engine.opening import first_inputs, open_broker, run_head, started_input
from core.engine.perform import Performer
from core.engine.runner import Runner
from core.engine.scanning import InLoop, history_bars, make_scanner, seed
from core.engine.session import RunWish, run_to_end, start_run
from core.engine.venues import simulated_venue
from core.journal.writer import JournalWriter
from core.model.inputs import Calendar
from core.settings.home import Home
from core.settings.load import shipped_settings
from core.settings.schema import Settings
from core.strategy.load import LoadedStrategy, load_strategy

CHECKOUT = Path(__file__).resolve().parent.parent
FOUR = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF")
MAJORS = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "JPY")
TWENTY_EIGHT = tuple(base + quote for place, base in enumerate(MAJORS) for quote in MAJORS[place + 1 :])
"""Every pair of the eight, the better known name first."""
_CLOSES = 120
_STARTS = 7
_SETTLE_S = 10.0


class Figure(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str


def figures() -> list[Figure]:
    """All figures of the engine, in order."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-", dir=Path.cwd()) as folder:
        home = Path(folder)
        data = recorded_m15()
        replayed = asyncio.run(_replayed(home / "replay", data)) if data is not None else []
        return [*replayed, *_scanned(home / "scan.sqlite"), *_started(home, data), *_weight(home / "weight")]


def recorded_m15() -> Path | None:
    """Folder of the recorded quarter hours, where there is one."""
    named = os.environ.get("QUARTERDECK_DATA")
    folder = (Path(named).resolve() if named else CHECKOUT.parent / "shared" / "data") / "m15"
    return folder if folder.is_dir() else None


# -------------------------------------------------------------------------------------------------------------- replay
async def _replayed(home: Path, data: Path) -> list[Figure]:
    """A quarter year of four recorded pairs, journal and link included."""
    wish = RunWish(
        home=Home(home),
        pairs=FOUR,
        replay=(data,),
        from_day=date(2024, 7, 1),
        to_day=date(2024, 9, 30),
        speed=None,
        speed_given=True,
    )
    ready = await start_run(wish, on_step=lambda _: None)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    await run_to_end(ready)
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    bars = ready.engine.drive.bars
    return [
        Figure("replay through the engine, symbol-bars a second", bars / wall_s, "1/s"),
        Figure("replay through the engine, symbol-bars a second of CPU", bars / cpu_s, "1/s"),
        Figure("replay, inputs of the desk a symbol-bar", ready.engine.runner.seq / bars, ""),
    ]


# ---------------------------------------------------------------------------------------------------------------- scan
def _scanned(journal: Path) -> list[Figure]:
    """Bar closes of 28 pairs: bars and quotes read, scanned, judged together, decided and queued for the journal."""
    settings = shipped_settings(("desk.pairs", list(TWENTY_EIGHT)))
    took_ms = run_now(_closes(settings, load_strategy(settings.strategy), journal))
    return [
        Figure("28 pairs, from bar close to the last decision, p50", statistics.median(took_ms), "ms"),
        Figure("28 pairs, from bar close to the last decision, p99", statistics.quantiles(took_ms, n=100)[98], "ms"),
    ]


async def _closes(settings: Settings, strategy: LoadedStrategy, path: Path) -> list[float]:
    venue = simulated_venue(settings, run_id="bench", speed=None)
    assert isinstance(venue.terminal, SimulatedTerminal)
    opening = await open_broker(
        venue.broker, settings.desk.pairs, history_bars=history_bars(strategy, settings), h1_bars=0, on_step=lambda _: None
    )
    journal = JournalWriter(path, settings.journal, clock=WallClock(), durable=False, threaded=False)
    journal.begin_run(run_head(venue, opening.connected.account, strategy.hash, 0))
    desk = Desk()
    runner = Runner(desk, journal, venue.from_utc_ns)
    scanner = make_scanner(strategy, opening.instruments, settings)
    started = started_input(settings, run_id="bench", code_version="bench", strategy_hash=strategy.hash, seed=1, mode="simulated")
    steps = Lockstep(
        terminal=venue.terminal,
        broker=venue.broker,
        runner=runner,
        performer=Performer(venue.broker, journal),
        scans=InLoop(scanner),
        settings=settings,
        interest=desk,
    )
    inputs = await first_inputs(
        venue.broker,
        opening,
        started=started,
        restored=None,
        histories=seed(scanner, opening, settings),
        calendar=Calendar(available=True),
    )
    for item in inputs:
        await steps.give(item, venue.terminal.now_utc_ns)
    took_ms: list[float] = []
    while len(took_ms) < _CLOSES:
        bars, began_s = steps.bars, time.perf_counter()
        await steps.step()
        if steps.bars - bars == len(TWENTY_EIGHT):
            took_ms.append((time.perf_counter() - began_s) * 1000.0)
    journal.close()
    return took_ms


# ---------------------------------------------------------------------------------------------------- start and weight
@contextmanager
def _process(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """A headless engine and the seconds it took to be ready; stopped at the end."""
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's second start compiles nothing, and so is the median's
    command = [sys.executable, "-m", "cli.main", "run", "--no-ui", "--home", str(home), *words]
    began_s = time.perf_counter()
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.strip() == "quarterdeck: ready":
                break
        else:
            raise SystemExit(f"the engine did not start: {''.join(said)}")
        try:
            yield process, time.perf_counter() - began_s
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def _started(home: Path, data: Path | None) -> list[Figure]:
    found = []
    for name, words in (
        ("on the simulated market", ("--speed", "1")),
        (
            "on recorded days of four pairs",
            ("--replay", str(data), "--pairs", ",".join(FOUR), "--from", "2024-07-01", "--to", "2024-07-05", "--speed", "1"),
        ),
    ):
        if data is None and "--replay" in words:
            continue
        took_s = []
        for number in range(_STARTS):
            with _process(home / f"start{number}", *words) as (_, ready_s):
                took_s.append(ready_s)
        found.append(Figure(f"process start to ready, {name}, median of {_STARTS}", statistics.median(took_s), "s"))
    return found


def _weight(home: Path) -> list[Figure]:
    with _process(home, "--speed", "120") as (process, _):
        time.sleep(_SETTLE_S)
        return [
            Figure(f"resident memory headless, simulated market, {_SETTLE_S:g} s after ready", _resident_mib(process.pid), "MiB")
        ]


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    raise SystemExit("this system does not tell what a process weighs")


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.value:>12,.2f} {figure.unit:<4} {figure.name}")
