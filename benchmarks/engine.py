"""The engine: how fast it replays, how long a decision takes, how soon it is ready and what it weighs.

Replay, scan and decision run in this process, through the engine and the lockstep driver that `run` uses; start and weight are
those of `quarterdeck run --no-ui` as a process. `python -m benchmarks.engine` prints them alone.
A pair's full decision begins with its closed bar at the desk's door and ends with the order asked for or the candidate refused,
all of it on the tape: features, votes and signal, then filters, size, caps and gate. The broker's answer is not part of it.
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
from typing import Any, NamedTuple

from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.lockstep import Lockstep, run_without_loop
from quarterdeck.core.engine.order_sender import OrderSender
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.engine.runner import DeskRunner
from quarterdeck.core.engine.scanner_setup import LocalScanner, history_bars, make_scanner, seed_history, warmup_bars
from quarterdeck.core.engine.simulated_venues import ReplayRequest, replay_venue, simulated_venue
from quarterdeck.core.engine.start_sequence import first_inputs, open_broker, run_row_at_start, started_input
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.effects import Effect, Submit, Verdict
from quarterdeck.core.model.inputs import BarClosed, Calendar, Input
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import UtcNs
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy

CHECKOUT = Path(__file__).resolve().parent.parent
FOUR = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF")
MAJORS = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "JPY")
TWENTY_EIGHT = tuple(base + quote for place, base in enumerate(MAJORS) for quote in MAJORS[place + 1 :])
"""Every pair of the eight, the better known name first."""
_CLOSES = 120
_DECISIONS = 12_000
"""Bar closes of one pair: half a year, with some hundred candidates."""
_NOTHING_STOPS: tuple[tuple[str, Any], ...] = (
    ("strategy.confidence_min", 0.0),
    ("filters.entry_hours", []),
    ("breakers.drawdown_max_pct", 100.0),
    ("breakers.day_loss_max_pct", 100.0),
    ("breakers.consecutive_losses_max", 1000),
    ("breakers.entries_per_day_max", 10_000),
    ("breakers.positions_per_pair_max", 5),
)
"""So that candidates go the whole way, to size, caps and gate, and not only to the first filter."""
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
        decided = [*_decided(home, data), *_scanned(home / "scan.sqlite")]
        return [*decided, *replayed, *_started(home, data), *_weight(home / "weight")]


def recorded_m15() -> Path | None:
    """Folder of the recorded quarter hours, where there is one."""
    named = os.environ.get("QUARTERDECK_DATA")
    folder = (Path(named).resolve() if named else CHECKOUT.parent / "shared" / "data") / "m15"
    return folder if folder.is_dir() else None


# -------------------------------------------------------------------------------------------------------------- replay
async def _replayed(home: Path, data: Path) -> list[Figure]:
    """A quarter year of four recorded pairs, journal and link included."""
    wish = RunRequest(
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
    bars = ready.engine.run_loop.bars
    return [
        Figure("replay through the engine, symbol-bars a second", bars / wall_s, "1/s"),
        Figure("replay through the engine, symbol-bars a second of CPU", bars / cpu_s, "1/s"),
        Figure("replay, inputs of the desk a symbol-bar", ready.engine.runner.seq / bars, ""),
    ]


# ---------------------------------------------------------------------------------------------------- decision and scan
class _Watched(DeskRunner):
    """A runner that notes how long one pair's bar took from its close to what became of it."""

    def __init__(self, desk: Desk, journal: JournalWriter, at_utc_ns: UtcNs) -> None:
        """As a runner; nothing is noted yet."""
        super().__init__(desk, journal, at_utc_ns)
        self.every_ms: list[float] = []
        self.candidates_ms: list[float] = []
        self.entered_ms: list[float] = []
        self._began_s = 0.0

    def feed_input(self, item: Input, at_utc_ns: UtcNs) -> tuple[Effect, ...]:
        """As a runner does."""
        if isinstance(item, BarClosed):
            self._began_s = time.perf_counter()
        effects = super().feed_input(item, at_utc_ns)
        if isinstance(item, Signal | NoSignal):
            took_ms = (time.perf_counter() - self._began_s) * 1000.0
            self.every_ms.append(took_ms)
            if any(isinstance(effect, Verdict) for effect in effects):
                self.candidates_ms.append(took_ms)
            if any(isinstance(effect, Submit) for effect in effects):
                self.entered_ms.append(took_ms)
        return effects


class _Scans(LocalScanner):
    """Scans here, and adds up how long that took since somebody last asked."""

    def __init__(self, scanner: Scanner) -> None:
        """As `LocalScanner`."""
        super().__init__(scanner)
        self.took_s = 0.0

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """As `LocalScanner`."""
        began_s = time.perf_counter()
        found = await super().scan(symbol, bar)
        self.took_s += time.perf_counter() - began_s
        return found


class _Bench:
    """Scanner, desk and journal over a market, the broker beneath."""

    def __init__(self, settings: Settings, strategy: LoadedStrategy, venue: Venue, path: Path) -> None:
        """Nothing is opened yet."""
        assert isinstance(venue.terminal, SimulatedTerminal)
        self.settings = settings
        self._strategy, self._venue, self._terminal = strategy, venue, venue.terminal
        self.journal = JournalWriter(path, settings.journal, clock=WallClock(), durable=False, threaded=False)

    async def open(self) -> None:
        """Everything that comes before the first quote."""
        settings, strategy, venue = self.settings, self._strategy, self._venue
        opening = await open_broker(
            venue.broker, settings.desk.pairs, history_bars=history_bars(strategy, settings), h1_bars=0, on_step=lambda _: None
        )
        self.journal.begin_run(run_row_at_start(venue, opening.connected.account, strategy.hash, 0))
        desk, scanner = Desk(), make_scanner(strategy, opening.instruments, settings)
        self.runner, self.scans = _Watched(desk, self.journal, venue.from_utc_ns), _Scans(scanner)
        self.steps = Lockstep(
            terminal=self._terminal,
            broker=venue.broker,
            runner=self.runner,
            performer=OrderSender(venue.broker, self.journal),
            scans=self.scans,
            settings=settings,
            interest=desk,
        )
        started = started_input(
            settings, run_id="bench", code_version="bench", strategy_hash=strategy.hash, seed=1, mode=venue.mode
        )
        inputs = await first_inputs(
            venue.broker,
            opening,
            started=started,
            restored=None,
            histories=seed_history(scanner, opening, settings),
            calendar=Calendar(available=True),
        )
        for item in inputs:
            await self.steps.feed_input(item, self._terminal.now_utc_ns)


def _decided(home: Path, data: Path | None) -> list[Figure]:
    """Bar closes of one pair, each followed alone from its bar to its order or refusal."""
    settings = shipped_settings(("desk.pairs", ["EURUSD"]), *_NOTHING_STOPS)
    strategy = load_strategy(settings)
    if data is None:
        venue = simulated_venue(settings, run_id="bench", speed=None)
    else:
        request = ReplayRequest(
            folders=(data,),
            from_day=date(2024, 1, 1),
            to_day=date(2024, 12, 31),
            warmup_bars=warmup_bars(strategy, settings),
            history_bars=history_bars(strategy, settings),
        )
        venue = replay_venue(settings, request, Home(home))
    watched = run_without_loop(_one_by_one(_Bench(settings, strategy, venue, home / "decided.sqlite")))
    whole = "one pair's full decision at bar close"
    return [
        *_spread(whole, watched.candidates_ms),
        *_spread(f"{whole}, those that became orders", watched.entered_ms),
        *_spread(f"{whole}, every bar", watched.every_ms),
    ]


async def _one_by_one(bench: _Bench) -> _Watched:
    await bench.open()
    while len(bench.runner.every_ms) < _DECISIONS:
        await bench.steps.step()
    bench.journal.close()
    return bench.runner


def _scanned(journal: Path) -> list[Figure]:
    """Bar closes of 28 pairs: bars and quotes read, scanned, judged together, decided and queued for the journal."""
    settings = shipped_settings(("desk.pairs", list(TWENTY_EIGHT)))
    venue = simulated_venue(settings, run_id="bench", speed=None)
    whole_ms, scan_ms = run_without_loop(_closes(_Bench(settings, load_strategy(settings), venue, journal)))
    return [*_spread("28 pairs' scan", scan_ms), *_spread("28 pairs, from bar close to the last decision", whole_ms)]


async def _closes(bench: _Bench) -> tuple[list[float], list[float]]:
    await bench.open()
    whole_ms: list[float] = []
    scan_ms: list[float] = []
    while len(whole_ms) < _CLOSES:
        bench.scans.took_s, bars, began_s = 0.0, bench.steps.bars, time.perf_counter()
        await bench.steps.step()
        if bench.steps.bars - bars == len(TWENTY_EIGHT):
            whole_ms.append((time.perf_counter() - began_s) * 1000.0)
            scan_ms.append(bench.scans.took_s * 1000.0)
    bench.journal.close()
    return whole_ms, scan_ms


def _spread(name: str, took_ms: list[float]) -> list[Figure]:
    """What half and what almost all of them stayed under."""
    return [
        Figure(f"{name}, p50", statistics.median(took_ms), "ms"),
        Figure(f"{name}, p99", statistics.quantiles(took_ms, n=100)[98], "ms"),
    ]


# ---------------------------------------------------------------------------------------------------- start and weight
@contextmanager
def _process(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """A headless engine and the seconds it took to be ready; stopped at the end."""
    environ = {**os.environ}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's second start compiles nothing, and so is the median's
    command = [sys.executable, "-m", "quarterdeck.cli.main", "run", "--no-ui", "--home", str(home), *words]
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
