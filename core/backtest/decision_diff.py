"""What two runs of the same days decided differently: candidates by verdict, exits by reason, and each position that stands.

Promises: a candidate is one pair's signal of one bar, counted once by its last verdict; positions of two runs, and the real ones,
are one where they came of the same signal. Lists are bounded; counts are complete. Does not: run anything.
Units: money in account currency, instants UTC ns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from quarterdeck.core.backtest.result import CandidateOutcome
from quarterdeck.core.desk.desk_state import DeskState, ManagedPosition
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

ROWS_MAX = 200
_NEITHER = "no candidate"


class ReasonChange(Struct, frozen=True, kw_only=True):
    """So many decisions that were one thing and are another."""

    was: str
    now: str
    count: int
    difference_money: Money = 0.0
    """Of exits: what the changed run made more."""


class DecisionChange(Struct, frozen=True, kw_only=True):
    """One candidate that the runs judged differently."""

    symbol: str
    side: Side | None
    bar_open_utc_ns: UtcNs
    was: str
    now: str


class DecisionDiff(Struct, frozen=True, kw_only=True):
    """Candidates side by side. Words are `entered`, or the reason of the refusal; `waiting` where it was not settled."""

    candidates: int
    changed: int
    by: tuple[ReasonChange, ...]
    rows: tuple[DecisionChange, ...]
    """The first `ROWS_MAX` of them, in order of time."""


class ExitDiff(Struct, frozen=True, kw_only=True):
    """Trades of the same signal side by side, by the reason of their exit."""

    both: int
    """Signals that both runs traded."""
    changed: int
    """Of them, those that ended at another time, price, volume or for another reason."""
    by: tuple[ReasonChange, ...]
    difference_money: Money
    """The changed run's result less the other's, over all that both traded."""


class PositionOutcome(Struct, frozen=True, kw_only=True):
    """What became of a position in one run, or in reality."""

    open: bool
    lots: Lots
    """Still open; of a closed one the whole volume."""
    stop_price: Price | None
    target_price: Price | None
    closed_utc_ns: UtcNs
    """0 while it is open."""
    reason: str
    """Of the exit; empty while it is open."""
    net_money: Money | None
    """The whole trade; of an open one as if it were closed at the last price. None where that is not known."""


class PositionEffect(Struct, frozen=True, kw_only=True):
    """One position that is at the beginning, or at the end in either run or in reality."""

    symbol: str
    side: Side
    opened_utc_ns: UtcNs
    position_id: int
    """The real one's number where there is a real one, else the simulated broker's."""
    real: bool
    """It really exists or existed."""
    at_begin: bool
    as_is: PositionOutcome | None
    """None where that run never opened it."""
    changed: PositionOutcome | None
    really: PositionOutcome | None
    difference_money: Money | None
    """The changed run's less the other's; a position that one run never opened counts as 0 there."""


def diff_decisions(
    first: Mapping[tuple[str, UtcNs], CandidateOutcome], second: Mapping[tuple[str, UtcNs], CandidateOutcome]
) -> DecisionDiff:
    """The verdicts of two runs by (symbol, bar)."""
    keys = sorted({**first, **second}, key=lambda key: (key[1], key[0]))
    moved: Counter[tuple[str, str]] = Counter()
    rows: list[DecisionChange] = []
    for key in keys:
        one, other = first.get(key), second.get(key)
        was, now = (_NEITHER if found is None else found.word for found in (one, other))
        if was == now:
            continue
        moved[was, now] += 1
        if len(rows) < ROWS_MAX:
            seen = one or other
            side = None if seen is None else seen.side
            rows.append(DecisionChange(symbol=key[0], side=side, bar_open_utc_ns=key[1], was=was, now=now))
    by = tuple(ReasonChange(was=was, now=now, count=count) for (was, now), count in _ranked(moved))
    return DecisionDiff(candidates=len(keys), changed=moved.total(), by=by, rows=tuple(rows))


def diff_exits(first: Sequence[TradeClosed], second: Sequence[TradeClosed]) -> ExitDiff:
    """The trades of two runs by the signal they came of."""
    mine, theirs = ({_key(trade): trade for trade in trades} for trades in (first, second))
    both = [(trade, theirs[key]) for key, trade in mine.items() if key in theirs]
    moved: Counter[tuple[str, str]] = Counter()
    money: dict[tuple[str, str], Money] = {}
    for one, other in both:
        if _ended(one) != _ended(other):
            moved[one.reason, other.reason] += 1
            more = other.net_money - one.net_money
            money[one.reason, other.reason] = money.get((one.reason, other.reason), 0.0) + more
    by = tuple(
        ReasonChange(was=was, now=now, count=count, difference_money=round(money[was, now], 2))
        for (was, now), count in _ranked(moved)
    )
    difference = round(sum(other.net_money - one.net_money for one, other in both), 2)
    return ExitDiff(both=len(both), changed=moved.total(), by=by, difference_money=difference)


class RunOutcome(Struct, frozen=True, kw_only=True):
    """What one run, or reality, knows of its positions: trades that closed, and the desk before the end closed what was left."""

    trades: Sequence[TradeClosed]
    ended: DeskState | None


def diff_positions(
    begun: DeskState | None, as_is: RunOutcome, changed: RunOutcome, really: RunOutcome | None
) -> tuple[PositionEffect, ...]:
    """Each position that is at the beginning or at the end, the oldest first."""
    started = {} if begun is None else {_state_key(held): held for held in begun.positions.values()}
    courses = [course for course in (really, as_is, changed) if course is not None]
    open_now = [{_state_key(held): held for held in course.ended.positions.values()} for course in courses if course.ended]
    keys = list(dict.fromkeys((*started, *(key for held in open_now for key in held))))
    found = []
    for key in keys:
        held = started.get(key) or next(one[key] for one in open_now if key in one)
        was, now = _fate(as_is, key), _fate(changed, key)
        real = None if really is None else _fate(really, key)
        found.append(
            PositionEffect(
                symbol=held.symbol,
                side=held.side,
                opened_utc_ns=held.opened_utc_ns,
                position_id=held.position_id,
                real=key in started or real is not None,
                at_begin=key in started,
                as_is=was,
                changed=now,
                really=real,
                difference_money=_difference(was, now),
            )
        )
    return tuple(islice(sorted(found, key=lambda row: (row.opened_utc_ns, row.position_id)), ROWS_MAX))


def _fate(course: RunOutcome, key: str) -> PositionOutcome | None:
    trade = next((trade for trade in course.trades if _key(trade) == key), None)
    held = None
    if course.ended is not None:
        held = next((held for held in course.ended.positions.values() if _state_key(held) == key), None)
    if held is not None:
        worth = trade.net_money if trade is not None else held.net_money
        return PositionOutcome(
            open=True,
            lots=held.lots,
            stop_price=held.stop_price,
            target_price=held.target_price,
            closed_utc_ns=0,
            reason="",
            net_money=None if worth is None else round(worth, 2),
        )
    if trade is None:
        return None
    return PositionOutcome(
        open=False,
        lots=trade.lots,
        stop_price=trade.stop_price,
        target_price=None,
        closed_utc_ns=trade.closed_utc_ns,
        reason=trade.reason,
        net_money=round(trade.net_money, 2),
    )


def _difference(was: PositionOutcome | None, now: PositionOutcome | None) -> Money | None:
    worth = [0.0 if fate is None else fate.net_money for fate in (was, now)]
    return None if worth[0] is None or worth[1] is None else round(worth[1] - worth[0], 2)


def _key(trade: TradeClosed) -> str:
    return trade.signal_id or f"#{trade.position_id}"


def _state_key(held: ManagedPosition) -> str:
    return held.entry.signal_id or f"#{held.position_id}"


def _ended(trade: TradeClosed) -> tuple[object, ...]:
    return trade.closed_utc_ns, trade.close_price, trade.lots, trade.reason, trade.stop_price


def _ranked(counts: Counter[tuple[str, str]]) -> Iterable[tuple[tuple[str, str], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
