"""Check what a strategy answers: plain numbers, one `Decision`, truth values; or a named error.

Why: a file of the operator's may answer anything. The process beside a live market sends answers over a pipe, a backtest uses
them where they are; only an answer made of plain values is the same in both.
Guarantees: what is returned holds plain values alone: numpy scalars, decimals and fractions become floats, texts are cut at a
fixed length. Reading an answer may run code of the strategy, so callers read it through `foreign.attempted`.
Does not: judge whether prices make sense (`core.scan.plan`).
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeGuard, get_args

import numpy as np

from quarterdeck.core.model.candles import Candles, IntArray
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.strategy.guarded_call import TEXT_LETTERS_MAX, WrongAnswer, plain_text
from quarterdeck.core.strategy.interface import BoolArray, Columns, Decision, Regime, Trend

VOTES_MAX = 200
WARMUP_BARS_MAX = 1_000_000
"""28 years of quarter hours."""
_SHOWN_LETTERS_MAX = 60
_REGIMES, _TRENDS = get_args(Regime), get_args(Trend)


def decision_of(answer: Any) -> Decision:
    """The decision in plain values. Raises WrongAnswer."""
    if _is_plain(answer):
        plain: Decision = answer
        return plain
    if not issubclass(type(answer), Decision):
        raise WrongAnswer(f"decide answered {type(answer).__name__}, not a Decision")
    side = answer.side
    if side is not None and type(side) is not Side:
        raise WrongAnswer(f"side is {shown(side)}, not a Side")
    return Decision(
        side=side,
        entry_price=_number("entry_price", answer.entry_price),
        stop_price=_number("stop_price", answer.stop_price),
        target_price=_number("target_price", answer.target_price),
        confidence=_number("confidence", answer.confidence),
        votes=_votes(answer.votes),
        exit_now=_truth("exit_now", answer.exit_now),
        regime=_word("regime", answer.regime, _REGIMES),
        h1_trend=_word("h1_trend", answer.h1_trend, _TRENDS),
        m15_state=_text("m15_state", answer.m15_state),
    )


def candidates_of(answer: Any, m15: Candles) -> BoolArray:
    """The candidates as a column of their own. Raises WrongAnswer: numbers are no truth values, a NaN least of all."""
    if type(answer) is np.ndarray and answer.dtype == np.bool_ and answer.shape == m15.close.shape:
        return answer
    found = np.array(answer)
    if isinstance(answer, np.ma.MaskedArray):
        raise WrongAnswer("candidates() gives masked values, true or false is needed for each bar")
    if found.shape != m15.close.shape:
        raise WrongAnswer(_wrong_shape(found, len(m15)))
    if found.dtype != np.bool_ and found.size:
        raise WrongAnswer(f"candidates() gives {found.dtype} values, true or false is needed for each bar")
    return found.astype(np.bool_)


def columns_of(answer: Any, open_utc_ns: IntArray) -> Columns:
    """The columns, proved to be those of the M15 bars that open then. Raises WrongAnswer."""
    if not issubclass(type(answer), Columns):
        raise WrongAnswer(f"prepare() answered {type(answer).__name__}, not Columns")
    if type(answer.m15) is not Candles or not (
        answer.m15.open_utc_ns is open_utc_ns or np.array_equal(answer.m15.open_utc_ns, open_utc_ns)
    ):
        raise WrongAnswer("prepare() answered Columns of other M15 bars than it was given")
    columns: Columns = answer
    return columns


def warmup_of(strategy: Any) -> tuple[int, int]:
    """M15 and H1 bars that a strategy declares. Raises WrongAnswer."""
    return bars_of(strategy.warmup_bars, strategy.warmup_h1_bars)


def bars_of(m15_bars: Any, h1_bars: Any) -> tuple[int, int]:
    """Declared numbers of M15 and H1 bars as whole numbers. Raises WrongAnswer."""
    if not all(_is_whole(count) and 0 <= int(count) <= WARMUP_BARS_MAX for count in (m15_bars, h1_bars)):
        most = f"give whole numbers up to {WARMUP_BARS_MAX:,}"
        raise WrongAnswer(f"warmup_bars and warmup_h1_bars are ({shown(m15_bars)}, {shown(h1_bars)}); {most}")
    return int(m15_bars), int(h1_bars)


def shown(value: Any) -> str:
    """A value of foreign code in a message, short and on one line."""
    return plain_text(" ".join(repr(value).split()), _SHOWN_LETTERS_MAX)


def _is_plain(answer: Any) -> bool:
    """Whether nothing of it need be made plain, as in almost every answer."""
    if type(answer) is not Decision:
        return False
    found: Any = answer  # what is in it is not what its type says
    return (
        (found.side is None or type(found.side) is Side)
        and type(found.entry_price) is type(found.stop_price) is type(found.target_price) is type(found.confidence) is float
        and type(found.exit_now) is bool
        and _is_plain_text(found.regime)
        and found.regime in _REGIMES
        and _is_plain_text(found.h1_trend)
        and found.h1_trend in _TRENDS
        and _is_plain_text(found.m15_state)
        and type(found.votes) is tuple
        and len(found.votes) <= VOTES_MAX
        and all(map(_is_plain_vote, found.votes))
    )


def _is_plain_vote(vote: Any) -> bool:
    if type(vote) is not Check:
        return False
    found: Any = vote
    return (
        (found.value is None or type(found.value) is float)
        and (found.threshold is None or type(found.threshold) is float)
        and type(found.passed) is bool
        and _is_plain_text(found.name)
        and _is_plain_text(found.note)
    )


def _is_plain_text(text: Any) -> bool:
    return type(text) is str and len(text) <= TEXT_LETTERS_MAX and text.isascii()


def _number(name: str, value: Any) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not _is_number(value):
        raise WrongAnswer(f"{name} is {shown(value)}, not a number")
    try:
        return float.__float__(value if isinstance(value, float) else float(value))
    except (OverflowError, ValueError) as error:
        raise WrongAnswer(f"{name} is {shown(value)}, not a number of a usable size") from error


def _is_number(value: Any) -> bool:
    # numpy counts a span of time among its whole numbers, Python a truth value
    return isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool | np.timedelta64)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise WrongAnswer(f"{name} is {shown(value)}, not true or false")
    return bool(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise WrongAnswer(f"{name} is {shown(value)}, not a text")
    return plain_text(str.__str__(value))


def _word(name: str, value: Any, words: Sequence[Any]) -> Any:
    text = _text(name, value)
    if text not in words:
        raise WrongAnswer(f"{name} is {shown(value)}; it can be {', '.join(words)}")
    return text


def _votes(votes: Any) -> tuple[Check, ...]:
    if not _is_sequence(votes):
        raise WrongAnswer(f"votes is {shown(votes)}, not a tuple of Check")
    if len(votes) > VOTES_MAX:
        raise WrongAnswer(f"there are {len(votes):,} votes, at most {VOTES_MAX}")
    return tuple([_vote(vote) for vote in votes])


def _is_sequence(votes: Any) -> TypeGuard[Sequence[Any]]:
    return type(votes) in (tuple, list)


def _vote(vote: Any) -> Check:
    if not issubclass(type(vote), Check):
        raise WrongAnswer(f"a vote is {shown(vote)}, not a Check")
    value, threshold = vote.value, vote.threshold
    return Check(
        _text("a vote's name", vote.name),
        None if value is None else _number("a vote's value", value),
        None if threshold is None else _number("a vote's threshold", threshold),
        _truth("a vote's verdict", vote.passed),
        _text("a vote's note", vote.note),
    )


def _wrong_shape(found: Any, bars: int) -> str:
    count = "no column of" if found.ndim != 1 else f"{len(found):,}"
    return f"candidates() gives {count} truth values for {bars:,} M15 bars; one for each is wanted"
