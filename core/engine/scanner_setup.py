"""The scanner of a run: the strategy that settings name, seeded with what the broker had, asked here or where it lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quarterdeck.core.engine.event_publisher import EventLevel
from quarterdeck.core.engine.lockstep import BarScanner
from quarterdeck.core.engine.start_sequence import StartupData
from quarterdeck.core.engine.strategy_process import ScanBackend
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.inputs import History
from quarterdeck.core.model.market_data import Bar, Instrument
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.plan import scan_plan_for
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.scan.startup_history import learned_notes, startup_history
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy

_USUAL_SPREAD_PERCENTILE = 50.0
"""The spread that counts as usual is the median of what was seen at that time of the week."""


def history_bars(loaded: LoadedStrategy, settings: Settings) -> int:
    """M15 bars that every pair should begin with, so that nothing depends on when the run began."""
    return max(scan_plan_for(loaded, settings, symbol).history_rows for symbol in settings.desk.pairs)


def warmup_bars(loaded: LoadedStrategy, settings: Settings) -> int:
    """M15 bars without which a pair is not judged at all."""
    return max(scan_plan_for(loaded, settings, symbol).warmup_rows for symbol in settings.desk.pairs)


def seed_history(scanner: Scanner, opening: StartupData, settings: Settings) -> list[History]:
    """Give the scanner each pair's past, and the desk its share of it."""
    specs: dict[str, Instrument] = {spec.symbol: spec for spec in opening.instruments}
    histories = []
    for symbol in settings.desk.pairs:
        candles = opening.history[symbol]
        scanner.seed(symbol, candles, opening.h1.get(symbol))
        floor = for_pair(settings, symbol).costs.spread_floor_pips * specs[symbol].pip
        histories.append(
            startup_history(
                symbol,
                candles,
                point=specs[symbol].point,
                h1_bars=settings.correlation.lookback_bars + 1,
                percentile_pct=_USUAL_SPREAD_PERCENTILE,
                add_price=floor,
            )
        )
    return histories


def say_past(
    say: Callable[[EventLevel, str, str], None],
    venue: Venue,
    opening: StartupData,
    loaded: LoadedStrategy,
    settings: Settings,
) -> None:
    """Say from how many of a broker's bars each pair's usual figures were learned."""
    if venue.terminal is not None:
        return  # recorded days and the simulated market have said it themselves
    counts = {symbol: len(opening.history[symbol]) for symbol in settings.desk.pairs}
    for note in learned_notes(counts, history_bars(loaded, settings), "the start"):
        say("info", "data", note)


def make_scanner(loaded: LoadedStrategy, instruments: Sequence[Instrument], settings: Settings) -> Scanner:
    """A scanner for the traded pairs among `instruments`."""
    traded = [spec for spec in instruments if spec.symbol in settings.desk.pairs]
    return Scanner(loaded, traded, settings)


class LocalScanner:
    """Scans here and now: the shipped strategy, columns made before, a tape's answers."""

    def __init__(self, scanner: BarScanner) -> None:
        """`scanner` answers at once."""
        self._scanner = scanner

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """See `Scans`; it never suspends."""
        return self._scanner.on_bar(symbol, bar)

    def take(self, symbol: str, bar: Bar) -> None:
        """See `Scans`."""
        if isinstance(self._scanner, Scanner):
            self._scanner.scan_request(symbol, bar)


class RemoteScanner:
    """Keeps the bars here and asks the strategy where it lives."""

    def __init__(self, scanner: Scanner, asked: ScanBackend) -> None:
        """`scanner` makes the questions, `asked` answers them."""
        self._scanner = scanner
        self._asked = asked

    async def scan(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """See `Scans`."""
        look = self._scanner.scan_request(symbol, bar)
        return look if isinstance(look, NoSignal) else await self._asked.ask(look)

    def take(self, symbol: str, bar: Bar) -> None:
        """See `Scans`."""
        self._scanner.scan_request(symbol, bar)
