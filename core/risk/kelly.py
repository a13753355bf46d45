"""Risk per trade from the desk's own results: the fraction that maximises the mean growth of log equity, held back on purpose.

f maximises the mean of log(1 + f R) over net results in R (Kelly 1956; for two outcomes f = p - q / b). It is shrunk by
n / (n + prior), multiplied by a fraction, and kept between a floor and the fixed risk.
Promises: never above the fixed risk. Does not: mix accounts, strategies or modes; the caller hands the right trades.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.signals import Check

_EDGE = 1e-12
_STEPS_MAX = 100
_NEAR = 1e-7
"""A step of Newton's that is so small, as a share of f, ends about where floats end."""
_FARTHER_X = 2.0


class KellyPolicy(Struct, frozen=True, kw_only=True):
    """How much of the optimum is believed and used."""

    trades: int
    """Newest closed trades looked at."""
    trades_min: int
    """Under so many: fixed risk."""
    shrink_trades: float
    fraction: float
    risk_min_fraction: float
    risk_fixed_fraction: float
    """Risk per trade without Kelly; also the ceiling."""


class KellyRisk(Struct, frozen=True, kw_only=True):
    """Risk per trade as a fraction of equity, and how it came about. `negative` asks for an alert."""

    risk_fraction: float
    optimum: float | None
    """f before shrinking; None under the least number of trades."""
    trades: int
    source: Literal["fixed", "kelly", "floor", "ceiling"]
    checks: tuple[Check, ...]
    note: str
    """The same in a few words."""

    @property
    def negative(self) -> bool:
        """The optimum says: do not play."""
        return self.optimum is not None and self.optimum <= 0.0


def kelly_optimum(results_r: list[float]) -> float:
    """The f that maximises mean log(1 + f R); its sign is that of the mean, its size bounded by ruin (1 + f R > 0).

    With no loss among the results (or no win, for a negative mean) growth has no maximum: then the bound is 1, or -1.

    Raises:
        ValueError: when there are no results.
    """
    if not results_r:
        raise ValueError("no results")
    worst, best = min(results_r), max(results_r)
    mean = sum(results_r) / len(results_r)
    if mean > 0.0:
        high = 1.0 if worst >= 0.0 else -1.0 / worst
        return high if worst >= 0.0 else _root(results_r, 0.0, high * (1.0 - _EDGE))
    if mean < 0.0:
        low = -1.0 if best <= 0.0 else -1.0 / best
        return low if best <= 0.0 else _root(results_r, low * (1.0 - _EDGE), 0.0)
    return 0.0


def _root(results_r: list[float], low: float, high: float) -> float:
    """Growth is concave in f, so its slope falls from `low` to `high`: where it is nothing, to the last float.

    The slope falls in floats as well: rounding keeps the order of each term and of their sum. So there is one pair of neighbours
    between which its sign turns, whatever way leads there.
    """
    near, low, high = _close_by(results_r, low, high)
    rising = _slope(results_r, near) > 0.0
    low, high = (near, high) if rising else (low, near)
    reach = math.ulp(near)
    while True:
        middle = (low + high) / 2.0
        if not low < middle < high:
            return middle  # no number lies between them
        # ever farther out from where the steps ended, until the other end is as near
        at = min(low + reach, middle) if rising else max(high - reach, middle)
        low, high = (at, high) if _slope(results_r, at) > 0.0 else (low, at)
        reach *= _FARTHER_X


def _slope(results_r: list[float], at: float) -> float:
    slope = 0.0
    for r in results_r:
        slope += r / (1.0 + at * r)
    return slope


def _close_by(results_r: list[float], low: float, high: float) -> tuple[float, float, float]:
    """A number very near to the root by Newton's steps from 0.0, and the ends that were narrowed on the way."""
    at = 0.0
    for _ in range(_STEPS_MAX):
        slope, falls = 0.0, 0.0
        for r in results_r:
            one = r / (1.0 + at * r)
            slope += one
            falls += one * one
        low, high = (at, high) if slope > 0.0 else (low, at)
        ahead = at + slope / falls if falls > 0.0 else high
        if not low < ahead < high:
            ahead = (low + high) / 2.0
        moved, at = abs(ahead - at), ahead
        if moved <= _NEAR * abs(at):
            break
    return at, low, high


def kelly_risk(results_r: list[float], policy: KellyPolicy) -> KellyRisk:
    """Risk per trade from net results in R, oldest first; only the newest `policy.trades` count."""
    recent = results_r[-policy.trades :] if policy.trades > 0 else []
    count = len(recent)
    enough = Check("kelly_trades", float(count), float(policy.trades_min), count >= policy.trades_min and count > 0)
    if not enough.passed:
        fixed = Check("kelly_risk", policy.risk_fixed_fraction, None, True, "fixed risk until there are enough trades")
        return KellyRisk(
            risk_fraction=policy.risk_fixed_fraction,
            optimum=None,
            trades=count,
            source="fixed",
            checks=(enough, fixed),
            note=_note(policy.risk_fixed_fraction, "fixed", count),
        )
    optimum = kelly_optimum(recent)
    shrunk = optimum * count / (count + policy.shrink_trades)
    used = shrunk * policy.fraction
    bounded = min(max(used, policy.risk_min_fraction), policy.risk_fixed_fraction)
    source: Literal["kelly", "floor", "ceiling"] = "kelly"
    if used < bounded:
        source = "floor"
    elif used > bounded:
        source = "ceiling"
    checks = (
        enough,
        Check(
            "kelly_optimum",
            optimum,
            0.0,
            optimum > 0.0,
            f"{sum(r > 0.0 for r in recent)} of {count} won, mean {sum(recent) / count:.3f} R",
        ),
        Check("kelly_shrunk", shrunk, None, True, f"x {count} / ({count} + {policy.shrink_trades:g})"),
        Check("kelly_used", used, None, True, f"x {policy.fraction:g}"),
        Check(
            "kelly_risk",
            bounded,
            None,
            True,
            f"{source}: between {policy.risk_min_fraction:.3%} and {policy.risk_fixed_fraction:.3%}",
        ),
    )
    return KellyRisk(
        risk_fraction=bounded,
        optimum=optimum,
        trades=count,
        source=source,
        checks=checks,
        note=_note(bounded, source, count),
    )


def _note(risk_fraction: float, source: str, trades: int) -> str:
    return f"{risk_fraction:.3%} ({source}, {trades} trades)"


class KellyCache:
    """Kelly's answer for the results last asked about; the same results under the same policy are not worked out again."""

    __slots__ = ("_answer", "_policy", "_recent")

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._recent: list[float] = []
        self._policy: KellyPolicy | None = None
        self._answer: KellyRisk | None = None

    def risk(self, results_r: list[float], policy: KellyPolicy) -> KellyRisk:
        """What `kelly_risk` says."""
        recent = results_r[-policy.trades :]
        if self._answer is None or self._policy is not policy or self._recent != recent:
            self._recent, self._policy, self._answer = recent, policy, kelly_risk(recent, policy)
        return self._answer
