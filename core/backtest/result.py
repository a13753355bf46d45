"""What a backtest came to, as one value that can be written, opened again and compared.

Promises: made of effects alone, by the same tally as every other run; a file read back equals what was written.
Does not: judge (`diagnosis`) or draw (`report_folder`). Units: money in account currency, instants UTC ns.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.held import HeldMark
from quarterdeck.core.model.effects import Effect, EquityMarked, PositionOpened, TradeClosed, Verdict
from quarterdeck.core.model.errors import UNREADABLE, DataError
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Money, Price, PriceDistance, UtcNs
from quarterdeck.core.settings.safe_files import replace_file
from quarterdeck.core.study.summary import Summary, SummaryCounter

RESULT_NAME = "result.json.gz"


class EquityMark(Struct, frozen=True, array_like=True):
    """Equity at an instant."""

    at_utc_ns: UtcNs
    equity_money: Money
    balance_money: Money
    drawdown_fraction: float


class RefusedCandidate(Struct, frozen=True, array_like=True):
    """A candidate that did not become an order, with the word for why."""

    symbol: str
    bar_open_utc_ns: UtcNs
    side: Side | None
    reason: str
    value: float | None
    """The number of the check that decided."""
    threshold: float | None


class EntryRecord(Struct, frozen=True, array_like=True):
    """A position as it was opened: its first stop and target, before anybody moved them."""

    position_id: int
    symbol: str
    side: Side
    opened_utc_ns: UtcNs
    open_price: Price
    stop_price: Price
    target_price: Price | None
    spread_price: PriceDistance


class CandidateOutcome(Struct, frozen=True, array_like=True):
    """What became of one candidate at last: `entered`, `waiting`, or why it was refused."""

    side: Side | None
    word: str


class BacktestResult(Struct, frozen=True, kw_only=True):
    """One finished or interrupted backtest."""

    label: str
    pairs: tuple[str, ...]
    from_utc_ns: UtcNs
    to_utc_ns: UtcNs
    currency: str
    start_money: Money
    summary: Summary
    trades: tuple[TradeClosed, ...]
    equity: tuple[EquityMark, ...]
    rejected: tuple[RefusedCandidate, ...]
    entered: tuple[EntryRecord, ...]
    settings: dict[str, Any]
    """The whole validated tree, as it held."""
    changed: dict[str, str]
    """Settings that differ from the shipped ones, as written in TOML."""
    strategy: str
    strategy_hash: str
    code_version: str
    path: str
    """Which way prices took inside a bar without finer data."""
    bars: int
    """Symbol-bars lived through."""
    bars_fed: int
    """Symbol-bars that the desk got one by one; the rest could not change anything."""
    elapsed_s: float
    complete: bool
    ended: str
    """Why it ended, in words."""
    notes: tuple[str, ...] = ()

    @property
    def bars_per_s(self) -> float:
        """Symbol-bars a second."""
        return self.bars / self.elapsed_s if self.elapsed_s > 0.0 else 0.0


class ResultCollector:
    """Hears the effects of a run and keeps what a result needs."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self.tally = SummaryCounter()
        self.trades: list[TradeClosed] = []
        self.equity: list[EquityMark] = []
        self.rejected: list[RefusedCandidate] = []
        self.entered: list[EntryRecord] = []
        self.decided: dict[tuple[str, UtcNs], CandidateOutcome] = {}
        """Candidates by pair and bar."""
        self._keeps: dict[type, Callable[[UtcNs, Any], None]] = {
            EquityMarked: self._equity,
            Verdict: self._judged,
            TradeClosed: self._closed,
            PositionOpened: self._opened,
        }

    def on_effect(self, at_utc_ns: UtcNs, effect: Effect) -> None:
        """An outlet of the runner."""
        keep = self._keeps.get(type(effect))
        if keep is not None:
            keep(at_utc_ns, effect)

    def mark(self, at_utc_ns: UtcNs, mark: HeldMark) -> None:
        """Equity at an instant that was passed."""
        self.tally.day_result(mark.day_result_money)
        self._mark(at_utc_ns, mark.equity_money, mark.balance_money, mark.drawdown_fraction)

    def _mark(self, at_utc_ns: UtcNs, equity_money: Money, balance_money: Money, drawdown_fraction: float) -> None:
        self.equity.append(EquityMark(at_utc_ns, equity_money, balance_money, drawdown_fraction))

    def _equity(self, at_utc_ns: UtcNs, effect: EquityMarked) -> None:
        self.tally.day_result(effect.day_result_money)
        self._mark(at_utc_ns, effect.equity_money, effect.balance_money, effect.drawdown_fraction)

    def _closed(self, _at_utc_ns: UtcNs, effect: TradeClosed) -> None:
        self.tally.trade(effect)
        self.trades.append(effect)

    def _opened(self, at_utc_ns: UtcNs, effect: PositionOpened) -> None:
        prices = (effect.open_price, effect.stop_price, effect.target_price, effect.spread_price)
        self.entered.append(EntryRecord(effect.position_id, effect.symbol, effect.side, at_utc_ns, *prices))

    def _judged(self, _at_utc_ns: UtcNs, effect: Verdict) -> None:
        self.tally.verdict(effect)
        if effect.outcome == "none":
            return
        word = effect.reason if effect.outcome == "refused" else effect.outcome
        self.decided[effect.symbol, effect.bar_open_utc_ns] = CandidateOutcome(effect.side, word)
        if effect.outcome == "refused":
            decided = next((check for check in effect.checks if check.name == effect.reason and not check.passed), None)
            value, threshold = (None, None) if decided is None else (decided.value, decided.threshold)
            bar = effect.bar_open_utc_ns
            self.rejected.append(RefusedCandidate(effect.symbol, bar, effect.side, effect.reason, value, threshold))


def write_result(folder: Path, result: BacktestResult) -> Path:
    """Put a result into a folder, whole, and return the file. Raises OSError."""
    path = folder / RESULT_NAME
    draft = folder / f".{RESULT_NAME}"
    try:
        draft.write_bytes(gzip.compress(msgspec.json.encode(result), compresslevel=5, mtime=0))
        replace_file(draft, path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return path


def read_result(folder: Path) -> BacktestResult:
    """A result from its folder, or from any file in it.

    Raises:
        DataError: there is none, or it was written by a program that knew other figures.
    """
    path = folder.with_name(RESULT_NAME) if folder.is_file() else folder / RESULT_NAME
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=BacktestResult)
    except (gzip.BadGzipFile, zlib.error, *UNREADABLE, EOFError) as error:
        raise DataError(
            f"{path}: is not the result of a backtest: {error}", what_to_do="run it again with this version"
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise DataError(f"{path}: no finished backtest can be read: {why}", what_to_do="name the folder of a report") from error
