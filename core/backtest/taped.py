"""A stretch of a tape as something to run again: its bars become a market, its signals the answers, its first account the money.

Promises: what the strategy said is taken from the tape, so only the desk's own settings can make a difference; what the tape does
not hold (bars of conversion pairs) is made of its quotes. Does not: know prices inside a bar; they are modelled as in a backtest.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from core.backtest.market import Market
from core.backtest.run import Taped
from core.data.series import Bars, PairData, Recording, candles_of
from core.journal.tape import Run, TapeReader
from core.model.book import Account
from core.model.effects import TradeClosed
from core.model.errors import DataError
from core.model.inputs import AccountRead, BarClosed, Calendar, History, Instruments, News, SettingsChanged, Started
from core.model.market import Bar, Instrument, Quote
from core.model.signals import NoSignal, Signal
from core.model.units import M15_NS, UtcNs
from core.settings.load import remembered
from core.settings.schema import Settings
from core.study.reading import effects_of

_BARS_MIN = 3


class Stretch(Struct, frozen=True, kw_only=True):
    """What was found on a tape."""

    market: Market
    taped: Taped
    settings: Settings
    strategy_hash: str
    trades: tuple[TradeClosed, ...]
    """What really happened."""
    run: Run


class Answers:
    """The strategy's answers by pair and bar; a bar without one found nothing."""

    def __init__(self, found: dict[tuple[str, UtcNs], Signal | NoSignal]) -> None:
        """`found` by (symbol, bar open)."""
        self._found = found

    def on_bar(self, symbol: str, bar: Bar) -> Signal | NoSignal:
        """What the tape says of that bar."""
        answer = self._found.get((symbol, bar.open_utc_ns))
        if answer is not None:
            return answer
        return NoSignal(
            symbol=symbol, strategy="tape", strategy_hash="", bar_open_utc_ns=bar.open_utc_ns, withheld="not on the tape"
        )


class _Reel:
    """Collects while the tape is read."""

    def __init__(self, from_utc_ns: UtcNs) -> None:
        self.from_utc_ns = from_utc_ns
        self.settings: msgspec.Raw | None = None
        self.strategy_hash = ""
        self.account: Account | None = None
        self.specs: dict[str, Instrument] = {}
        self.histories: dict[str, History] = {}
        self.news: tuple[News, ...] | None = None
        self.bars: dict[str, dict[UtcNs, Bar]] = {}
        self.quotes: dict[str, dict[UtcNs, Quote]] = {}
        self.answers: dict[tuple[str, UtcNs], Signal | NoSignal] = {}

    def take(self, at: UtcNs, told: Any) -> None:
        within = at >= self.from_utc_ns
        match told:
            case Started():
                self.settings, self.strategy_hash = told.settings, told.strategy_hash
            case SettingsChanged():
                self.settings = told.settings
            case Instruments():
                self.specs.update((spec.symbol, spec) for spec in told.instruments)
            case History():
                self.histories[told.symbol] = told
            case Calendar() if told.available:
                self.news = told.events
            case AccountRead() if self.account is None or not within:
                self.account = told.account
            case BarClosed() if told.timeframe == "M15":
                self.bars.setdefault(told.symbol, {})[told.bar.open_utc_ns] = told.bar
            case Signal() | NoSignal():
                self.answers[told.symbol, told.bar_open_utc_ns] = told
            case Quote() if within:
                self.quotes.setdefault(told.symbol, {})[told.at_utc_ns // M15_NS * M15_NS] = told
            case _:
                pass


def stretch_of(reader: TapeReader, run: Run, *, from_utc_ns: UtcNs = 0, rates: dict[str, float] | None = None) -> Stretch:
    """Read a run's tape from an instant on.

    Raises:
        DataError: the tape holds too few bars; StorageError: it cannot be read.
    """
    reel = _Reel(from_utc_ns)
    for entry in reader.entries(run):
        reel.take(entry.stamped.at_utc_ns, entry.stamped.input)
    trades = [effect for effect in effects_of(reader, run, TradeClosed) if isinstance(effect, TradeClosed)]
    if reel.settings is None or reel.account is None:
        raise DataError(f"run {run.run} has no beginning on the tape", what_to_do="choose another run with --run")
    settings = _settings(reel.settings, reel.account)
    recording = _recording(reel, settings)
    begun = tuple(trade for trade in trades if trade.opened_utc_ns >= recording.from_utc_ns)
    return Stretch(
        market=Market(recording, label=f"the tape of run {run.run} ({run.run_id})", rates=rates or {}, news=reel.news),
        taped=Taped(answers=Answers(reel.answers), histories=tuple(reel.histories.values())),
        settings=settings,
        strategy_hash=reel.strategy_hash,
        trades=begun,
        run=run,
    )


def _settings(raw: msgspec.Raw, account: Account) -> Settings:
    """The settings of the tape, with a simulated account like the one it began with."""
    settings = remembered(bytes(raw))
    tree = msgspec.to_builtins(settings)
    tree["simulation"] |= {
        "currency": account.currency,
        "balance_money": account.balance_money,
        "leverage": account.leverage,
        "hedging": account.hedging,
    }
    return msgspec.convert(tree, Settings, strict=False)


def _recording(reel: _Reel, settings: Settings) -> Recording:
    pairs = []
    for symbol in settings.desk.pairs:
        bars = [bar for opened, bar in sorted(reel.bars.get(symbol, {}).items()) if opened >= reel.from_utc_ns - M15_NS]
        if len(bars) < _BARS_MIN:
            raise DataError(
                f"{symbol}: the tape holds {len(bars)} bars of the time asked for", what_to_do="choose an earlier begin"
            )
        pairs.append(PairData(symbol=symbol, series=(_bars(symbol, bars),)))
    others = [
        symbol for symbol in reel.specs if symbol not in settings.desk.pairs and len(reel.quotes.get(symbol, {})) >= _BARS_MIN
    ]
    conversions = [PairData(symbol=symbol, series=(_quoted(reel, symbol),)) for symbol in others]
    begin = max(pair.series[0].first_utc_ns for pair in (*pairs, *conversions)) + M15_NS
    end = max(pair.series[0].end_utc_ns for pair in pairs)
    return Recording(pairs=tuple(pairs), conversions=tuple(conversions), from_utc_ns=begin, to_utc_ns=end)


def _bars(symbol: str, bars: list[Bar]) -> Bars:
    stamps = np.array([bar.open_utc_ns for bar in bars], dtype=np.int64)
    prices = [np.array([getattr(bar, part) for bar in bars]) for part in ("open", "high", "low", "close")]
    volume, spread = ([getattr(bar, part) for bar in bars] for part in ("tick_volume", "spread_points"))
    return Bars(symbol=symbol, timeframe="M15", bid=candles_of(stamps, prices, volume, spread), spread_known=True)


def _quoted(reel: _Reel, symbol: str) -> Bars:
    """Bars of a pair that is only quoted: flat at the last quote of each quarter hour, with the quote's own spread."""
    found, point = sorted(reel.quotes[symbol].items()), reel.specs[symbol].point
    stamps = np.array([opened for opened, _ in found], dtype=np.int64)
    bids = np.array([quote.bid for _, quote in found])
    spread = [round((quote.ask - quote.bid) / point) for _, quote in found]
    return Bars(symbol=symbol, timeframe="M15", bid=candles_of(stamps, [bids] * 4, None, spread), spread_known=True)
