"""How likely the best of many trials is only the luckiest: deflated Sharpe ratio and probability of backtest overfitting.

Guarantees: pure and deterministic; what cannot be computed is None.
Does not: run trials or know settings.
Units: returns are shares of equity per day, Sharpe ratios are per day and not annualised.
Sources: Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio"; Bailey, Borwein, Lopez de Prado and Zhu (2017), "The
Probability of Backtest Overfitting" (combinatorially symmetric cross-validation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from quarterdeck.core.model.candles import FloatArray

BLOCKS = 16
DAYS_A_BLOCK_MIN = 4
_TRIALS_MIN = 4
_AT_ONCE = 512
"""Combinations computed in one go, so that memory does not grow with their number."""
_EULER = 0.5772156649015329
_SAME_IDEA = 0.5
"""Trials whose daily results correlate at least so much are one cluster."""
_NORMAL = NormalDist()


class Deflated(Struct, frozen=True, kw_only=True):
    """The Sharpe ratio of the best trial against the best that as many trials without skill would show."""

    sharpe_daily: float
    expected_max_daily: float
    """SR0: the highest of `trials` Sharpe ratios when none has skill."""
    probability: float
    """That the true Sharpe ratio is above zero, 0..1."""
    days: int
    trials: int


def expected_max_sharpe(variance: float, trials: int) -> float:
    """SR0 = sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), g the Euler-Mascheroni constant; 0 for one trial."""
    if trials < 2 or variance <= 0.0:
        return 0.0
    first, second = _NORMAL.inv_cdf(1.0 - 1.0 / trials), _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * first + _EULER * second)


def deflated_probability(sharpe: float, expected_max: float, days: int, skewness: float, kurtosis: float) -> float | None:
    """DSR = Phi((SR - SR0) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)); `kurtosis` of a normal distribution is 3."""
    spread = 1.0 - skewness * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe
    if days < 2 or spread <= 0.0:
        return None
    return _NORMAL.cdf((sharpe - expected_max) * math.sqrt(days - 1) / math.sqrt(spread))


def deflated_sharpe(best: Sequence[float], all_trials: Sequence[Sequence[float]], trials: int) -> Deflated | None:
    """DSR of the best trial's daily returns; `trials` counts all that were tried, also those that `all_trials` lacks.

    None where a Sharpe ratio cannot be computed: too few days or trials, or nothing that varies.
    """
    returns = np.asarray(best, dtype=np.float64)
    sharpes = [one for one in (daily_sharpe(np.asarray(each, dtype=np.float64)) for each in all_trials) if one is not None]
    sharpe = daily_sharpe(returns)
    if sharpe is None or len(sharpes) < 2:
        return None
    centred = returns - returns.mean()
    variance = float((centred**2).mean())
    skewness, kurtosis = float((centred**3).mean()) / variance**1.5, float((centred**4).mean()) / variance**2
    expected = expected_max_sharpe(float(np.var(sharpes, ddof=1)), max(trials, len(sharpes)))
    probability = deflated_probability(sharpe, expected, len(returns), skewness, kurtosis)
    if probability is None:
        return None
    return Deflated(sharpe_daily=sharpe, expected_max_daily=expected, probability=probability, days=len(returns), trials=trials)


def daily_sharpe(returns: FloatArray) -> float | None:
    """Mean by sample deviation; None under two days or without any deviation."""
    if len(returns) < 2:
        return None
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread if spread > 1e-15 else None


def overfitting_probability(trials: Sequence[Sequence[float]], blocks: int = BLOCKS) -> float | None:
    """Share of the ways to split the days in halves where the best of one half is in the lower half of the other.

    `trials` are daily returns over the same days. None with under four trials, under four days a block, or other days.
    """
    if len(trials) < _TRIALS_MIN or len({len(one) for one in trials}) != 1 or len(trials[0]) < blocks * DAYS_A_BLOCK_MIN:
        return None
    table = np.asarray(trials, dtype=np.float64).T
    parts = np.array_split(table, blocks)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    days = np.array([float(len(part)) for part in parts])
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, half in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, half] = 1.0
    lower = 0.0
    for begin in range(0, len(chosen), _AT_ONCE):
        some = chosen[begin : begin + _AT_ONCE]
        inside = _sharpes(some @ sums, some @ squares, some @ days)
        outside = _sharpes((1.0 - some) @ sums, (1.0 - some) @ squares, (1.0 - some) @ days)
        picked = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
        # the middle of its rank among equals, from 1 to the number of trials
        rank = (outside < picked).sum(axis=1) + 0.5 * ((outside == picked).sum(axis=1) + 1.0)
        lower += float((rank / (table.shape[1] + 1.0) <= 0.5).sum())
    return lower / len(chosen)


def clusters(trials: Sequence[Sequence[float]]) -> int:
    """How many different ideas the trials are: a trial joins the first cluster whose first member it correlates with."""
    leaders: list[npt.NDArray[np.float64]] = []
    idle = 0
    for one in trials:
        centred = np.asarray(one, dtype=np.float64)
        centred = centred - centred.mean() if len(centred) else centred
        size = float(np.sqrt((centred**2).sum()))
        if size <= 1e-15:
            idle = 1  # trials that never traded are one idea
            continue
        unit = centred / size
        if not any(len(unit) == len(leader) and float(unit @ leader) >= _SAME_IDEA for leader in leaders):
            leaders.append(unit)
    return len(leaders) + idle


def _sharpes(sums: FloatArray, squares: FloatArray, days: FloatArray) -> FloatArray:
    count = days[:, None]
    means = sums / count
    variances = np.maximum(squares / count - means**2, 0.0)
    quiet = variances <= 1e-30
    found: FloatArray = np.where(quiet, 0.0, means / np.sqrt(np.where(quiet, 1.0, variances)))
    return found
