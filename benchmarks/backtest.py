"""Symbol-bars a second of a backtest: five pairs of seeded synthetic M15 bars, from arrays in memory to trades and counts.

Run: `python -m benchmarks.backtest [bars a pair] [--twin BARS] [--plain] [--calm] [--profile]`.
The work (`benchmarks._busy`): EMA 17/42 cross filtered by RSI 14, stop 2 ATR, target 3 ATR; all filters and caps, Kelly, a funded
account's rules, profit retracement, trail, adds, age and weekend on, a release of news a day, breakers that reset each day,
pessimistic path. Figures of the strategy are included, the report is not. The desk is compiled first, where it can be. Beside
the long run a shorter one lives every bar and one is made from the source; small ones meet the refusals that would end the long
run.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._busy import ASIDES, PAIRS, ShortRun, market_of, settings_of
from benchmarks._refusals import never_refused_by, words
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.compiled.build import build
from quarterdeck.core.compiled.load import SWITCH, backtested, fits, is_compiled
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.model.units import DAY_NS, M15_NS
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings

_ASIDE_BARS = 6_000


def told(name: str, result: BacktestResult, wall_s: float, cpu_s: float) -> None:
    """Two lines of figures, then the counts."""
    total = result.summary
    rate = f"{result.bars:,} symbol-bars, {result.bars / cpu_s:,.0f} a CPU second"
    print(f"{name}: {rate}, {cpu_s:.2f} s of CPU, {wall_s:.2f} s, peak {peak_mib():.0f} MiB, digest {total.digest}")
    held = sum(held_bars(trade) for trade in result.trades) / result.bars
    print(f"  {total.trades:,} trades, a position open in {held:.1%} of the symbol-bars, exits {total.exits}")
    print(f"  {total.signals:,} candidates, {sum(total.refusals.values()):,} refused; reported bar by bar {result.bars_fed:,}")
    print(f"  {len(words(total.refusals))} reasons: {counts(total.refusals)}")


def counts(refusals: dict[str, int]) -> str:
    """Reasons with how often."""
    return ", ".join(f"{reason} {count:,}" for reason, count in refusals.items())


def held_bars(trade: TradeClosed) -> int:
    """In how many M15 bars a trade was open, weekends left out."""
    day = 5 * DAY_NS
    weeks = (trade.closed_utc_ns + day) // (7 * DAY_NS) - (trade.opened_utc_ns + day) // (7 * DAY_NS)
    return max((trade.closed_utc_ns - trade.opened_utc_ns) // M15_NS - weeks * 192, 0)


def peak_mib() -> float:
    """The most memory this process had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(settings: Settings, bars: int, *, every_bar: bool, profiled: bool = False) -> BacktestResult:
    """One run, its figures printed."""
    market, strategy = market_of(settings, bars)
    profile = cProfile.Profile()
    wall, cpu = time.perf_counter(), time.process_time()
    if profiled:
        profile.enable()
    result = backtested(market, settings, strategy, every_bar=every_bar, columns=True)
    if profiled:
        profile.disable()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    how = "every bar" if every_bar else "skipping", "compiled" if is_compiled() else "from the source"
    told(", ".join(how), result, *spent)
    if profiled:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(60)
    return result


def beside(seen: dict[str, int]) -> None:
    """Short runs for what the long one cannot have, and what none of them had."""
    print(f"not in that run: {', '.join(never_refused_by(seen)) or '-'}; beside it, {_ASIDE_BARS:,} bars a pair each:")
    found = set(seen)
    for aside in ASIDES:
        refusals = aside_refusals(aside)
        print(f"  {aside.why}: {counts({reason: refusals.get(reason, 0) for reason in aside.wanted})}")
        found |= set(refusals)
    print(f"  in none of them: {', '.join(never_refused_by(found)) or '-'}")


def aside_refusals(aside: ShortRun) -> dict[str, int]:
    """How often each reason refused in one of the short runs."""
    with TemporaryDirectory() as folder:
        settings = settings_of(Path(folder), *aside.changes)
        market, strategy = market_of(settings, _ASIDE_BARS, news=aside.news, minutes=aside.minutes)
        return backtested(market, settings, strategy).summary.refusals


def prepare(*, plain: bool) -> None:
    """Have the compiled desk of this source, or say why there is none."""
    if plain:
        os.environ[SWITCH] = "0"
    elif not fits():
        print("compiling the desk first; one to three minutes", flush=True)
        try:
            build()
        except QuarterdeckError as error:
            print(f"from the source: {error.one_line()}")
        fits.cache_clear()


def main() -> None:
    """Measure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("bars", nargs="?", type=int, default=250_000)
    asked.add_argument("--twin", type=int, default=8_000, help="bars a pair of the run beside it, every bar lived")
    asked.add_argument("--plain", action="store_true", help="from the source, although a compiled desk is there")
    asked.add_argument("--calm", action="store_true", help="the shipped strategy, which trades seldom")
    asked.add_argument("--profile", action="store_true")
    given = asked.parse_args()
    prepare(plain=given.plain)
    with TemporaryDirectory() as folder:
        settings = settings_of(Path(folder))
        if given.calm:
            settings = shipped_settings(("desk.pairs", list(PAIRS)), ("breakers.drawdown_max_pct", 100.0))
        result = measured(settings, given.bars, every_bar=False, profiled=given.profile)
        if not given.calm:
            beside(result.summary.refusals)
        if given.twin:
            print(f"each way, {given.twin:,} bars a pair:")
            runs = [measured(settings, given.twin, every_bar=every_bar) for every_bar in (False, True)]
            os.environ[SWITCH] = "0"
            runs.append(measured(settings, given.twin, every_bar=False))
            same = all(
                (run.summary, run.rejected, run.equity) == (runs[0].summary, runs[0].rejected, runs[0].equity) for run in runs
            )
            print(f"  {'the same' if same else 'DIFFERENT'} to the last refusal and mark of equity")


if __name__ == "__main__":
    main()
