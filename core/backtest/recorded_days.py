"""The recorded market of a backtest, loaded once and opened as often as wanted, and the wish it is loaded from.

Promises: each opening is fresh (its own terminal, its own book) over the same prices; the past before the range is as long as the
strategy under these settings asks for, no longer, so that a run in a series equals the run alone.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.brokers.simulator.terminal_builder import recorded_terminal
from quarterdeck.core.data.series import Recording
from quarterdeck.core.engine.scanner_setup import history_bars, warmup_bars
from quarterdeck.core.engine.simulated_venues import ReplayRequest, file_news, recorded_venue, replay_label, replay_recording
from quarterdeck.core.engine.venue import Venue
from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy


class DataRequest(Struct, frozen=True, kw_only=True):
    """Which days of which data, UTC days both inclusive, and rates for pairs that the data lack."""

    folders: tuple[Path, ...]
    from_day: date | None = None
    to_day: date | None = None
    rates: dict[str, float] = {}


class RecordedDays:
    """A recording with its calendar."""

    def __init__(self, recording: Recording, *, label: str, rates: dict[str, float], news: tuple[NewsEvent, ...] | None) -> None:
        """`news` is None where no calendar is named."""
        self.recording = recording
        self.label = label
        self.rates = rates
        self.news = news

    def with_recording(self, recording: Recording) -> RecordedDays:
        """The same market with other prices or days."""
        return RecordedDays(recording, label=self.label, rates=self.rates, news=self.news)

    def candles(self, settings: Settings) -> dict[str, Candles]:
        """M15 bars of the traded pairs, the past before the range included, as the market shows them."""
        terminal = recorded_terminal(settings, self.recording, fixed_rates=self.rates)
        found = {symbol: terminal.market.columns(symbol, "M15") for symbol in settings.desk.pairs}
        return {symbol: candles for symbol, candles in found.items() if candles is not None}

    def venue(self, settings: Settings) -> Venue:
        """A fresh venue over it. Raises DataError for what cannot be priced."""
        return recorded_venue(settings, self.recording, label=self.label, rates=self.rates, news=self.news)


def load_market(wish: DataRequest, settings: Settings, strategy: LoadedStrategy, home: Home) -> RecordedDays:
    """Read what the wish names. Raises DataError for data that cannot carry the run."""
    request = ReplayRequest(
        folders=wish.folders,
        from_day=wish.from_day,
        to_day=wish.to_day,
        rates=wish.rates,
        warmup_bars=warmup_bars(strategy, settings),
        history_bars=history_bars(strategy, settings),
    )
    recording = replay_recording(settings, request)
    notes: list[str] = []
    news = file_news(settings, home, notes)
    recording = msgspec.structs.replace(recording, notes=(*recording.notes, *notes))
    return RecordedDays(recording, label=replay_label(request), rates=wish.rates, news=news)
