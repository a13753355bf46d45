"""Spread against the stop distance, and against what is usual for that quarter hour of the week.

Why: a spread that is fine at noon in London is a trap at rollover, and each pair has its own week.
Promises: what is usual is learned from what was seen before, never from what is judged; a pair that was never seen at that time
is judged by its stop distance alone. Does not: learn from one spike: an observation counts at most four times the usual.
Units: spreads and distances in price, shares as fractions.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.filters.ruling import FilterResult
from quarterdeck.core.model.signals import Check
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, PriceDistance, UtcNs

QUARTERS_OF_WEEK = 672
_QUARTER_S = 900
_QUARTERS_OF_DAY = 96
_THURSDAY_IN_WEEK_S = 4 * S_PER_DAY
"""1970-01-01 was a Thursday; the table starts on Sunday."""
MEMORY = 0.25
"""Weight of a new observation: about four weeks count."""
SPIKE_X = 4.0
SEEN_AS_ZERO = 1e-9
"""A spread of nothing was seen; 0.0 in the table means that nothing was seen."""
_NOISE_X = 1.0 + 1e-9
"""Three times that floats hold as 3.0000000000000004 is three times."""


def quarter_of_week(utc_ns: UtcNs) -> int:
    """Quarter hour of the week from Sunday 00:00 UTC, 0 to 671."""
    return (utc_ns // NS_PER_S + _THURSDAY_IN_WEEK_S) // _QUARTER_S % QUARTERS_OF_WEEK


class UsualSpreads(Struct):
    """One pair's usual spread by quarter hour of the week, in price; 0.0 where nothing was seen. `price` may be shared."""

    price: list[float]

    def observe(self, utc_ns: UtcNs, spread_price: PriceDistance) -> None:
        """Learn from a spread seen at an instant."""
        if not self.price:
            self.price.extend([0.0] * QUARTERS_OF_WEEK)
        row = quarter_of_week(utc_ns)
        seen, before = max(spread_price, SEEN_AS_ZERO), self.price[row]
        if before > 0.0:
            around = self.typical(utc_ns) or before
            seen = before + MEMORY * (min(seen, SPIKE_X * max(before, around)) - before)
        self.price[row] = seen

    def typical(self, utc_ns: UtcNs) -> PriceDistance | None:
        """Usual spread at an instant: of that quarter hour, of those beside it, or of that time on other days; None if unseen."""
        if not self.price:
            return None
        row = quarter_of_week(utc_ns)
        if self.price[row] > 0.0:
            return self.price[row]
        beside = [self.price[row - 1], self.price[(row + 1) % QUARTERS_OF_WEEK]]
        return _mean(beside) or _mean(self.price[row % _QUARTERS_OF_DAY :: _QUARTERS_OF_DAY])


def _mean(spreads: list[float]) -> float | None:
    seen = [spread for spread in spreads if spread > 0.0]
    return sum(seen) / len(seen) if seen else None


def spread_cap(spread_price: PriceDistance, pip: PriceDistance, *, max_pips: float) -> FilterResult:
    """The spread itself, in pips."""
    pips = spread_price / pip
    passed = pips <= max_pips * _NOISE_X
    return FilterResult(check=Check("spread_cap", pips, max_pips, passed, "pips"), may_pass_later=not passed)


def spread_stop(spread_price: PriceDistance, stop_distance: PriceDistance, *, max_fraction: float) -> FilterResult:
    """The spread as a share of the stop distance."""
    share = spread_price / stop_distance if stop_distance > 0.0 else None
    passed = share is not None and share <= max_fraction * _NOISE_X
    return FilterResult(
        check=Check("spread_stop", share, max_fraction, passed, "share of the stop distance"), may_pass_later=not passed
    )


def spread_vs_typical(
    spread_price: PriceDistance,
    usual_price: PriceDistance | None,
    *,
    pip: PriceDistance,
    max_x: float,
    usual_min_price: PriceDistance,
) -> FilterResult:
    """The spread as a multiple of the usual one; an account that quotes none at all is measured against `usual_min_price`."""
    if usual_price is None:
        return FilterResult(check=Check("spread_usual", None, max_x, True, "nothing usual is known for this time of the week"))
    usual = max(usual_price, usual_min_price)
    times = spread_price / usual if usual > 0.0 else None
    passed = times is not None and times <= max_x * _NOISE_X
    return FilterResult(
        check=Check("spread_usual", times, max_x, passed, f"usual {usual / pip:.3g} pips"), may_pass_later=not passed
    )
