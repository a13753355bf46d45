"""The scanner of a run: the strategy that settings name, seeded with what the broker had."""

from __future__ import annotations

from collections.abc import Sequence

from core.clock.wall import Clock
from core.engine.lockstep import BarScanner
from core.engine.opening import Opening
from core.model.inputs import History
from core.model.market import Bar, Instrument
from core.model.signals import NoSignal, Signal
from core.scan.history import history_of
from core.scan.plan import plan_for, withheld
from core.scan.scanner import Scanner
from core.settings.load import for_pair
from core.settings.schema import Settings
from core.strategy.load import LoadedStrategy

_USUAL_SPREAD_PERCENTILE = 50.0
"""The spread that counts as usual is the median of what was seen at that time of the week."""


def history_bars(loaded: LoadedStrategy, settings: Settings) -> int:
    """M15 bars that every pair should begin with, so that nothing depends on when the run began."""
    return max(plan_for(loaded, settings, symbol).history_rows for symbol in settings.desk.pairs)


def warmup_bars(loaded: LoadedStrategy, settings: Settings) -> int:
    """M15 bars without which a pair is not judged at all."""
    return max(plan_for(loaded, settings, symbol).warmup_rows for symbol in settings.desk.pairs)


def seed(scanner: Scanner, opening: Opening, settings: Settings) -> list[History]:
    """Give the scanner each pair's past, and the desk its share of it."""
    specs: dict[str, Instrument] = {spec.symbol: spec for spec in opening.instruments}
    histories = []
    for symbol in settings.desk.pairs:
        candles = opening.history[symbol]
        scanner.seed(symbol, candles, opening.h1.get(symbol))
        floor = for_pair(settings, symbol).costs.spread_floor_pips * specs[symbol].pip
        histories.append(
            history_of(
                symbol,
                candles,
                point=specs[symbol].point,
                h1_bars=settings.correlation.bars + 1,
                percentile_pct=_USUAL_SPREAD_PERCENTILE,
                add_price=floor,
            )
        )
    return histories


def make_scanner(loaded: LoadedStrategy, instruments: Sequence[Instrument], settings: Settings) -> Scanner:
    """A scanner for the traded pairs among `instruments`."""
    traded = [spec for spec in instruments if spec.symbol in settings.desk.pairs]
    return Scanner(loaded, traded, settings)


class TimedScanner:
    """A scanner beside a live market: an answer that a strategy of the operator's own was too slow with is withheld.

    What is late is not traded on, and why is on the tape. Recorded days have no such limit: their result must not depend on the
    speed of a machine.
    """

    def __init__(self, scanner: BarScanner, settings: Settings, clock: Clock) -> None:
        """The shipped strategy is not measured."""
        self._scanner = scanner
        self._measured = scanner if isinstance(scanner, Scanner) and scanner.own else None
        self._limit_ms = settings.strategy.time_limit_ms
        self._clock = clock

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """The strategy's answer, or that it came too late."""
        if self._measured is None:
            return self._scanner.on_bar(symbol, bar)
        began_s = self._clock.monotonic_s()
        found = self._measured.on_bar(symbol, bar)
        took_ms = (self._clock.monotonic_s() - began_s) * 1000.0
        if took_ms <= self._limit_ms:
            return found
        why = f"the strategy took {took_ms:.0f} ms; strategy.time_limit_ms allows {self._limit_ms:g}"
        return withheld(self._measured.plan(symbol), symbol, bar.open_utc_ns, why)
