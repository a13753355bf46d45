"""How a backtest and a search scale: time over 1, 2, 4, 8 years, trials a second on 1 and 2 workers, memory over 1,000 trials.

Run: `python -m benchmarks.scaling [years|workers|memory ...]`. Years are synthetic (`benchmarks.backtest`), trials short ones
over made-up files, so that a search is measured, not the reading of a long recording. Linear is a ratio near 1.
"""

from __future__ import annotations

import csv
import gc
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._busy import market_of, settings_of, workload_candles
from quarterdeck.core.backtest.backtest_settings import plain_tree
from quarterdeck.core.backtest.optimize import BATCH_SIZE, SearchRequest, WorkerPool, search, worker_pool
from quarterdeck.core.backtest.search_space import Dimension
from quarterdeck.core.backtest.search_store import SearchSpec, SearchStore
from quarterdeck.core.backtest.trial import TrialJob
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.compiled.load import backtested
from quarterdeck.core.settings.settings_loader import shipped_settings

YEARS = (1, 2, 4, 8)
_YEAR_BARS = 96 * 5 * 52
_TRIALS_TIMED = 48
_TRIALS_LONG = 1_000
_FILE_BARS = 6_000
SPACE = (
    Dimension(key="position.time_exit_hours", kind="number", low=1.0, high=12.0, step=0.5),
    Dimension(key="strategy.confidence_min", kind="number", low=0.4, high=0.9, step=0.05),
    Dimension(key="position.trail_x_atr", kind="number", low=1.0, high=4.0, step=0.25),
)


def years() -> None:
    """CPU seconds a symbol-bar for growing ranges, against the shortest."""
    with TemporaryDirectory() as folder:
        settings, base = settings_of(Path(folder)), 0.0
        for count in YEARS:
            market, strategy = market_of(settings, count * _YEAR_BARS)
            gc.collect()
            began = time.process_time()
            result = backtested(market, settings, strategy)
            spent = time.process_time() - began
            each = spent / result.bars
            base = base or each
            print(
                f"{count} years: {result.bars:,} symbol-bars, {result.summary.trades:,} trades, {spent:.1f} CPU s, "
                f"{1e6 * each:.1f} us a symbol-bar, {each / base:.2f} x that of one year",
                flush=True,
            )


def workers() -> None:
    """Trials a second, by the wall, on one process and on two; the studies are the same."""
    with TemporaryDirectory() as folder:
        asked, found = _asked(Path(folder), _TRIALS_TIMED), []
        for count in (1, 2):
            study = SearchStore(None, _head(asked))
            with worker_pool(count) as hands:
                _warm(asked, hands)
                began = time.perf_counter()
                search(asked, study, hands)
                spent = time.perf_counter() - began
            found.append(study.trials)
            judged = sum(trial.goal is not None for trial in study.trials)
            print(f"{count} workers: {judged} trials judged, {judged / spent:.2f} a second", flush=True)
        print(f"the same study: {'yes' if found[0] == found[1] else 'NO'}")


def memory() -> None:
    """Resident memory of the searching process while it runs 1,000 trials itself."""
    with TemporaryDirectory() as folder:
        print("trials, MiB: " + ", ".join(f"{count} {size:.1f}" for count, size in remembered(Path(folder), _TRIALS_LONG)))


def remembered(folder: Path, trials: int) -> list[tuple[int, float]]:
    """(trials done, resident MiB) ten times over a search in this process."""
    asked, seen = _asked(folder, trials), list[tuple[int, float]]()
    study = SearchStore(folder / "study.jsonl", _head(asked))

    def told(now: SearchStore) -> bool:
        if len(now.trials) * 10 // trials > len(seen):
            gc.collect()
            seen.append((len(now.trials), resident_mib()))
        return True

    with worker_pool(1) as hands:
        search(asked, study, hands, told)
    return seen


def resident_mib() -> float:
    """What this process holds in memory now. Raises OSError where the system does not say."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024.0
    raise OSError("the system does not say how much memory is held")


def _asked(folder: Path, trials: int) -> SearchRequest:
    data = folder / "prices"
    data.mkdir()
    bars = workload_candles("EURUSD", _FILE_BARS, 5)
    with (data / "EURUSD_M15.csv").open("w", encoding="ascii", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("time_utc", "open", "high", "low", "close", "tick_volume", "spread_points"))
        for row in range(len(bars)):
            bar = bars.bar(row)
            stamp = iso(bar.open_utc_ns)[:19]
            rows.writerow((stamp, bar.open, bar.high, bar.low, bar.close, bar.tick_volume, bar.spread_points))
    settings = shipped_settings(("desk.pairs", ["EURUSD"]), ("filters.atr_percentile_days", 5), ("filters.entry_hours", []))
    job = TrialJob(
        home=str(folder),
        folders=(str(data),),
        from_day=None,
        to_day=None,
        rates={},
        settings=plain_tree(settings),
        values={},
        goal="expectancy",
        trades_min=1,
    )
    return SearchRequest(job=job, space=SPACE, trials=trials, seed=3)


def _head(asked: SearchRequest) -> SearchSpec:
    return SearchSpec(space=asked.space, goal=asked.job.goal, seed=asked.seed, batch=BATCH_SIZE, data="made up", settings_hash="")


def _warm(asked: SearchRequest, hands: WorkerPool) -> None:
    """Processes are started and have read their prices before the clock runs."""
    search(asked, SearchStore(None, _head(asked)), hands, lambda _study: False)


PARTS = {"years": years, "workers": workers, "memory": memory}


def main() -> int:
    """Measure what was asked for, else all."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in wanted:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
