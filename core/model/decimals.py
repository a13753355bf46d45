"""Rounding to a number of decimals, as Python's `round` does it, without its way through text."""

from __future__ import annotations

from math import floor

_DIGITS_MAX = 15
_POWERS = tuple(10.0**digits for digits in range(_DIGITS_MAX + 1))
_SCALED_MAX = 1e15
"""Up to here a product is out by a sixteenth at most."""
_TIE = 0.43
"""Nearer than that to the half between two decimals only the exact way tells which it is."""


def rounded(x: float, digits: int) -> float:
    """The very float that `round(x, digits)` gives: the one nearest to the decimal nearest to `x`; `digits` 0..15.

    A whole number up to 2**53 divided by a power of ten is the float nearest to that decimal (IEEE 754 division is exactly
    rounded), so the quotient is the answer wherever the whole number is beyond doubt.
    """
    power = _POWERS[digits]
    scaled = x * power
    if -_SCALED_MAX < scaled < _SCALED_MAX:
        whole = floor(scaled + 0.5)
        if -_TIE < scaled - whole < _TIE:
            return whole / power if whole else scaled * 0.0  # nothing keeps its sign
    return round(x, digits)
