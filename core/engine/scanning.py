"""The scanner of a run: the strategy that settings name, seeded with what the broker had."""

from __future__ import annotations

from collections.abc import Sequence

from core.engine.opening import Opening
from core.model.inputs import History
from core.model.market import Instrument
from core.scan.history import history_of
from core.scan.plan import plan_for
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
    return max(plan_for(loaded, settings, symbol).m15_rows for symbol in settings.desk.pairs)


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
