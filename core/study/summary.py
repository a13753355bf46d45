"""What a run came to: signals, refusals by reason, trades, result and costs, and one digest over the trades.

Why: two runs are the same when their trades are, so one short word must stand for all of them.
Promises: made of effects alone, so every shell gives the same summary for the same decisions; the digest reads in the order in
which trades closed, with prices to six places and money to the cent, and nothing else enters it.
Does not: mix runs, or judge the result.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from msgspec import Struct

from quarterdeck.core.journal.tape_reader import Run, TapeReader
from quarterdeck.core.model.effects import Effect, EquityMarked, TradeClosed, Verdict
from quarterdeck.core.model.units import Money, UtcNs
from quarterdeck.core.study.queries import effects_of

_TRADE_LINE = "%s %s %d %d %.4f %.6f %.6f %s %.2f %.2f %.2f\n"


class Summary(Struct, frozen=True, kw_only=True):
    """The figures of one run; money in account currency, R in multiples of the risk at entry."""

    digest: str
    trades: int
    signals: int
    entered: int
    waiting: int
    """Candidates whose passing condition had not passed when the run ended."""
    refusals: dict[str, int]
    """Counts by the reason that decided, the most frequent first."""
    result_money: Money
    result_r: float
    gross_money: Money
    commission_money: Money
    swap_money: Money
    costs_r: float
    """Commission and swap in R; the spread is in the prices."""
    won: int
    best_r: float
    worst_r: float
    by_pair: dict[str, int]
    by_side: dict[str, int]
    exits: dict[str, int]
    """Trades by the reason of their exit, the most frequent first."""
    result_by_pair_money: dict[str, Money]
    ambiguous: int
    """Trades whose exit bar held both stop and target."""
    worst_day_money: Money
    """The lowest that the account's own day was at when equity was marked; 0 where no day was below its beginning."""


class SummaryCounter:
    """Counts effects as they come; `summary` may be asked at any time."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._digest = hashlib.sha256()
        self._outcomes: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._waiting: dict[tuple[str, str, UtcNs], str] = {}
        self._exits: Counter[str] = Counter()
        self._pairs: Counter[str] = Counter()
        self._sides: Counter[str] = Counter()
        self._pair_money: dict[str, Money] = {}
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        self._r_range = (0.0, 0.0)
        self._won = 0
        self._ambiguous = 0
        self._worst_day_money = 0.0

    def on_effect(self, at_utc_ns: UtcNs, effect: Effect) -> None:
        """Count one effect; an outlet of the runner."""
        del at_utc_ns
        if isinstance(effect, Verdict):
            self.verdict(effect)
        elif isinstance(effect, TradeClosed):
            self.trade(effect)
        elif isinstance(effect, EquityMarked):
            self.day_result(effect.day_result_money)

    def day_result(self, day_result_money: Money) -> None:
        """What the account's own day was at when equity was marked."""
        self._worst_day_money = min(self._worst_day_money, day_result_money)

    def summary(self) -> Summary:
        """The figures up to here."""
        net, net_r, gross, commission, swap, costs_r = self._sums
        settled = self._outcomes["entered"] + self._outcomes["refused"]
        return Summary(
            digest=self._digest.hexdigest()[:16],
            trades=self._pairs.total(),
            signals=settled + len(self._waiting),
            entered=self._outcomes["entered"],
            waiting=len(self._waiting),
            refusals=_ranked(self._refusals),
            result_money=round(net, 2),
            result_r=round(net_r, 4),
            gross_money=round(gross, 2),
            commission_money=round(commission, 2),
            swap_money=round(swap, 2),
            costs_r=round(costs_r, 4),
            won=self._won,
            best_r=round(self._r_range[1], 4),
            worst_r=round(self._r_range[0], 4),
            by_pair=dict(sorted(self._pairs.items())),
            by_side=dict(sorted(self._sides.items())),
            exits=_ranked(self._exits),
            result_by_pair_money={pair: round(money, 2) for pair, money in sorted(self._pair_money.items())},
            ambiguous=self._ambiguous,
            worst_day_money=round(self._worst_day_money, 2),
        )

    def verdict(self, verdict: Verdict) -> None:
        """What became of a candidate."""
        if verdict.outcome == "none":
            return
        key = (verdict.strategy, verdict.symbol, verdict.bar_open_utc_ns)
        if verdict.outcome == "waiting":
            self._waiting[key] = verdict.reason
            return
        self._waiting.pop(key, None)
        self._outcomes[verdict.outcome] += 1
        if verdict.outcome == "refused":
            self._refusals[verdict.reason] += 1

    def trade(self, trade: TradeClosed) -> None:
        """A closed trade."""
        self._digest.update(trade_line(trade).encode())
        costs_r = (trade.commission_money + trade.swap_money) / trade.risk_money if trade.risk_money > 0 else 0.0
        net, net_r, gross, commission, swap, costs = self._sums
        self._sums = (
            net + trade.net_money,
            net_r + trade.result_r,
            gross + trade.gross_money,
            commission + trade.commission_money,
            swap + trade.swap_money,
            costs + costs_r,
        )
        self._r_range = (min(self._r_range[0], trade.result_r), max(self._r_range[1], trade.result_r))
        self._exits[trade.reason] += 1
        self._pairs[trade.symbol] += 1
        self._sides[trade.side.word] += 1
        self._pair_money[trade.symbol] = self._pair_money.get(trade.symbol, 0.0) + trade.net_money
        self._won += trade.net_money > 0
        self._ambiguous += trade.ambiguous


def trade_line(trade: TradeClosed) -> str:
    """One trade as the digest reads it: pair, side, times, lots, prices, reason, costs."""
    return _TRADE_LINE % (
        trade.symbol,
        trade.side.word,
        trade.opened_utc_ns,
        trade.closed_utc_ns,
        trade.lots,
        trade.open_price,
        trade.close_price,
        trade.reason,
        trade.gross_money,
        trade.commission_money,
        trade.swap_money,
    )


def digest_of(trades: list[TradeClosed]) -> str:
    """The digest of trades in the order in which they closed."""
    tally = SummaryCounter()
    for trade in trades:
        tally.on_effect(trade.closed_utc_ns, trade)
    return tally.summary().digest


def summary_of(reader: TapeReader, run: Run) -> Summary:
    """The summary of a run from its journal alone; the same that the run itself gave. Raises StorageError."""
    tally = SummaryCounter()
    for effect in effects_of(reader, run, Verdict, TradeClosed, EquityMarked):
        tally.on_effect(0, effect)
    return tally.summary()


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
