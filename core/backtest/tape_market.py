"""A stretch of a tape to be run again: its bars and quotes become a market, its signals the answers, its book the start.

Promises: what the strategy said is taken from the tape, so only the desk's own settings can make a difference; a quarter hour in
which the tape holds every quote is lived by them, any other as a bar is in a backtest; what the tape does not hold (bars of
conversion pairs) is made of its quotes. Does not: know prices that nobody asked for at the time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from quarterdeck.core.backtest.recorded_days import RecordedDays
from quarterdeck.core.backtest.restore_account import restored_books, restored_desk
from quarterdeck.core.backtest.tape_replay import TapeInputs
from quarterdeck.core.backtest.tape_slice import TapeQuotes, TapeSlice, final_state, read_tape_slice, runs_of_account
from quarterdeck.core.data.series import BarSeries, PairData, Recording, Series, TickSeries, candles_of
from quarterdeck.core.desk.desk_state import DeskState
from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.candles import IntArray
from quarterdeck.core.model.effects import PositionOpened, TradeClosed
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.market_data import Bar
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.model.units import M15_NS, NS_PER_S, UtcNs
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import settings_from_tape
from quarterdeck.core.study.queries import effects_of

_BARS_MIN = 3
_QUOTES_MIN = 12
_EDGE_NS = 60 * NS_PER_S
_SILENCE_NS = 120 * NS_PER_S


class TapeMarket(Struct, frozen=True, kw_only=True):
    """What was found on a tape."""

    market: RecordedDays
    taped: TapeInputs
    settings: Settings
    """As they held when the stretch begins, with a simulated account like the real one."""
    settings_now: Settings
    """As they held at its end."""
    strategy_hash: str
    begun: DeskState
    """The desk at its beginning."""
    ended: DeskState | None
    """The desk at the tape's end."""
    trades: tuple[TradeClosed, ...]
    """What really happened: trades that closed in the stretch."""
    run: Run
    notes: tuple[str, ...] = ()


class TapeAnswers:
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


def load_tape_market(
    reader: TapeReader, run: Run, *, from_utc_ns: UtcNs = 0, rates: dict[str, float] | None = None
) -> TapeMarket:
    """Read a run's tape, and that of the account's runs before it, from about an instant on.

    Raises:
        DataError: the tape holds too few bars; StorageError: it cannot be read.
    """
    runs = runs_of_account(reader, run)
    reel = read_tape_slice(reader, runs, from_utc_ns)
    if reel.state is None or reel.begin_settings is None or reel.settings is None or reel.state.account is None:
        raise DataError(f"run {run.run} has no beginning on the tape", what_to_do="choose another run with --run")
    account = reel.state.account
    settings, now = _settings(reel.begin_settings, account), _settings(reel.settings, account)
    recording = _recording(reel, settings)
    known = {pair.symbol for pair in (*recording.pairs, *recording.conversions)}
    books, notes = restored_books(reel.state, settings, known, reel.begin_utc_ns)
    trades = (trade for one in runs for trade in effects_of(reader, one, TradeClosed) if isinstance(trade, TradeClosed))
    return TapeMarket(
        market=RecordedDays(recording, label=f"the tape of run {run.run} ({run.run_id})", rates=rates or {}, news=None),
        taped=TapeInputs(
            answers=TapeAnswers(reel.answers),
            state=restored_desk(reel.state, settings),
            books=books,
            told=tuple(reel.told),
            signals=_signals(reader, runs),
        ),
        settings=settings,
        settings_now=now,
        strategy_hash=reel.strategy_hash,
        begun=reel.state,
        ended=final_state(reader, run),
        trades=tuple(trade for trade in trades if trade.closed_utc_ns >= reel.begin_utc_ns and _within(trade, recording)),
        run=run,
        notes=notes,
    )


def _signals(reader: TapeReader, runs: tuple[Run, ...]) -> dict[int, str]:
    opened = (effect for run in runs for effect in effects_of(reader, run, PositionOpened))
    return {effect.position_id: effect.signal_id for effect in opened if isinstance(effect, PositionOpened)}


def _within(trade: TradeClosed, recording: Recording) -> bool:
    """What a replay closes because its data are over is reported a moment after them."""
    return trade.closed_utc_ns < recording.to_utc_ns or trade.reason == "end"


def _settings(raw: msgspec.Raw, account: Account) -> Settings:
    """The settings of the tape, with a simulated account like the one it was traded on."""
    tree: dict[str, Any] = msgspec.to_builtins(settings_from_tape(bytes(raw)))
    tree["simulation"] |= {
        "currency": account.currency,
        "balance_money": account.balance_money,
        "leverage": account.leverage,
        "hedging": account.hedging,
    }
    return msgspec.convert(tree, Settings, strict=False)


def _recording(reel: TapeSlice, settings: Settings) -> Recording:
    pairs = []
    for symbol in settings.desk.pairs:
        bars = [bar for _, bar in sorted(reel.bars.get(symbol, {}).items())]
        inside = sum(bar.open_utc_ns >= reel.begin_utc_ns for bar in bars)
        if inside < _BARS_MIN:
            raise DataError(f"{symbol}: the tape has {inside} bars of that time", what_to_do="ask for more --days of it")
        pairs.append(PairData(symbol=symbol, series=(*_dense(reel, symbol, bars), _bars(symbol, bars))))
    others = [
        symbol
        for symbol, quoted in reel.quotes.items()
        if symbol in reel.specs and symbol not in settings.desk.pairs and len(quoted.at_utc_ns) >= _BARS_MIN
    ]
    conversions = [PairData(symbol=symbol, series=(_quoted(reel, symbol),)) for symbol in others]
    end = max(pair.series[-1].end_utc_ns for pair in pairs)
    return Recording(pairs=tuple(pairs), conversions=tuple(conversions), from_utc_ns=reel.begin_utc_ns, to_utc_ns=end)


def _bars(symbol: str, bars: list[Bar]) -> BarSeries:
    stamps = np.array([bar.open_utc_ns for bar in bars], dtype=np.int64)
    prices = [np.array([getattr(bar, part) for bar in bars]) for part in ("open", "high", "low", "close")]
    volume, spread = ([getattr(bar, part) for bar in bars] for part in ("tick_volume", "spread_points"))
    return BarSeries(symbol=symbol, timeframe="M15", bid=candles_of(stamps, prices, volume, spread), spread_known=True)


def _dense(reel: TapeSlice, symbol: str, bars: list[Bar]) -> list[Series]:
    """Stretches of whole quarter hours in which every quote reached the desk (something was open), as ticks."""
    quoted = reel.quotes.get(symbol)
    if quoted is None or len(quoted.at_utc_ns) < _QUOTES_MIN:
        return []
    at = np.array(quoted.at_utc_ns, dtype=np.int64)
    opened = {bar.open_utc_ns: bar for bar in bars}
    quarters = [quarter for quarter in _whole_quarters(at) if quarter in opened]
    edges = [0, *(place + 1 for place, (one, other) in enumerate(pairwise(quarters)) if other != one + M15_NS), len(quarters)]
    return [
        _ticks(symbol, quoted, at, opened[quarters[first]], quarters[last - 1] + M15_NS)
        for first, last in pairwise(edges)
        if last > first
    ]


def _whole_quarters(at: IntArray) -> list[UtcNs]:
    """Opens of the quarter hours with quotes from edge to edge and no long silence, in order."""
    found = []
    slots, firsts, counts = np.unique(at // M15_NS, return_index=True, return_counts=True)
    for slot, first, count in zip(slots.tolist(), firsts.tolist(), counts.tolist(), strict=True):
        if count < _QUOTES_MIN:
            continue
        inside = at[first : first + count]
        whole = inside[0] <= slot * M15_NS + _EDGE_NS and inside[-1] >= (slot + 1) * M15_NS - _EDGE_NS
        if whole and int(np.diff(inside).max()) <= _SILENCE_NS:
            found.append(slot * M15_NS)
    return found


def _ticks(symbol: str, quoted: TapeQuotes, at: IntArray, first_bar: Bar, end_utc_ns: UtcNs) -> TickSeries:
    """The quotes of whole quarter hours, with one at each edge so that the market takes the first and the last hour too."""
    low, high = (int(row) for row in np.searchsorted(at, (first_bar.open_utc_ns, end_utc_ns)))
    spread = quoted.ask[low] - quoted.bid[low]
    return TickSeries(
        symbol=symbol,
        at_utc_ns=np.concatenate(([first_bar.open_utc_ns], at[low:high], [end_utc_ns - 1])),
        bid=np.array([first_bar.open, *quoted.bid[low:high], quoted.bid[high - 1]]),
        ask=np.array([first_bar.open + spread, *quoted.ask[low:high], quoted.ask[high - 1]]),
    )


def _quoted(reel: TapeSlice, symbol: str) -> BarSeries:
    """Bars of a pair that is only quoted: flat at the last quote of each quarter hour, with the quote's own spread."""
    quoted, point = reel.quotes[symbol], reel.specs[symbol].point
    last = {at // M15_NS * M15_NS: row for row, at in enumerate(quoted.at_utc_ns)}
    first = min(last)
    rows = {min(first, reel.begin_utc_ns) - M15_NS: last[first], **last}
    stamps = np.array(list(rows), dtype=np.int64)
    bids = np.array([quoted.bid[row] for row in rows.values()])
    spread = [round((quoted.ask[row] - quoted.bid[row]) / point) for row in rows.values()]
    return BarSeries(symbol=symbol, timeframe="M15", bid=candles_of(stamps, [bids] * 4, None, spread), spread_known=True)
