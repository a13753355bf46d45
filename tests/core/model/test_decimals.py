"""`rounded` gives the float that `round` gives, sign of zero and ties included."""

from __future__ import annotations

import math
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quarterdeck.core.model.decimals import rounded


def same(x: float, digits: int) -> bool:
    """Whether both ways give one and the same float, to the bit."""
    return pack("<d", rounded(x, digits)) == pack("<d", round(x, digits))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 15))
@example(2.675, 2)
@example(-1e-9, 8)
@example(0.5, 0)
@example(1e300, 8)
def test_any_float(x: float, digits: int) -> None:
    """Whatever the size."""
    assert same(x, digits)


@given(st.integers(-(10**12), 10**12), st.integers(0, 10), st.integers(-3, 3))
def test_near_decimals_and_near_ties(units: int, digits: int, ulps: int) -> None:
    """The floats around a decimal and around the half between two."""
    for x in (units / 10.0**digits, (units + 0.5) / 10.0**digits):
        assert same(x + ulps * math.ulp(x), digits)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_differences_of_lots_and_money(one: float, other: float) -> None:
    """What sums and differences of rounded figures leave."""
    assert same(round(one, 2) - round(other, 2), 8)


@pytest.mark.parametrize("x", [math.inf, -math.inf])
def test_infinity_stays(x: float) -> None:
    """An infinity is answered as `round` answers it."""
    assert rounded(x, 8) == x


def test_nan_stays() -> None:
    """Not a number stays none."""
    assert math.isnan(rounded(math.nan, 8))
