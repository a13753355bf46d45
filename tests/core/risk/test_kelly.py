"""Kelly's fraction from results in R."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.risk.kelly import KellyCache, KellyPolicy, kelly_optimum, kelly_risk

POLICY = KellyPolicy(
    trades=200, trades_min=30, shrink_trades=50.0, fraction=0.5, risk_min_fraction=0.0025, risk_fixed_fraction=0.01
)


def test_kelly_of_55_percent_wins_at_1p5_r_is_quarter() -> None:
    assert kelly_optimum([1.5] * 55 + [-1.0] * 45) == pytest.approx(0.25, abs=1e-12)


@pytest.mark.parametrize(
    ("wins", "win_r", "expected"), [(60, 1.0, 0.2), (50, 2.0, 0.25), (40, 3.0, 0.2), (50, 1.0, 0.0), (45, 1.0, -0.1)]
)
def test_two_outcomes_give_p_minus_q_over_b(wins: int, win_r: float, expected: float) -> None:
    assert kelly_optimum([win_r] * wins + [-1.0] * (100 - wins)) == pytest.approx(expected, abs=1e-9)


def test_kelly_without_wins_or_losses_is_bounded_and_never_fails() -> None:
    assert kelly_optimum([1.0, 2.0]) == 1.0
    assert kelly_optimum([-1.0, -0.5]) == -1.0
    with pytest.raises(ValueError, match="no results"):
        kelly_optimum([])


def test_shrunk_halved_and_kept_under_the_fixed_risk() -> None:
    results = [1.5] * 55 + [-1.0] * 45
    used = kelly_risk(results, replace(POLICY, risk_fixed_fraction=0.10))
    assert used.risk_fraction == pytest.approx(0.25 * 100 / 150 * 0.5)
    assert used.source == "kelly"
    capped = kelly_risk(results, POLICY)
    assert (capped.risk_fraction, capped.source) == (0.01, "ceiling")


def test_too_few_trades_keep_the_fixed_risk() -> None:
    few = kelly_risk([1.0] * 29, POLICY)
    assert (few.risk_fraction, few.source, few.optimum, few.negative) == (0.01, "fixed", None, False)
    assert kelly_risk([], replace(POLICY, trades_min=0)).source == "fixed"


def test_a_losing_record_gives_the_floor_and_says_so() -> None:
    losing = kelly_risk([1.0] * 20 + [-1.0] * 30, POLICY)
    assert (losing.risk_fraction, losing.source, losing.negative) == (0.0025, "floor", True)


def test_only_the_newest_trades_count() -> None:
    assert kelly_risk([-1.0] * 500 + [1.5] * 110 + [-1.0] * 90, POLICY).optimum == pytest.approx(0.25)


@given(st.lists(st.floats(-3, 5), min_size=1, max_size=40))
def test_no_other_fraction_grows_faster_and_result_is_bounded(results: list[float]) -> None:
    best = kelly_optimum(results)
    assert all(1 + best * r > 0 or abs(best) == 1.0 for r in results)
    if min(results) < -1e-3 and max(results) > 1e-3:
        growth = sum(math.log1p(best * r) for r in results)
        for other in (best * 0.98, best * 0.5, 0.0):
            assert growth >= sum(math.log1p(other * r) for r in results) - 1e-9
    assert POLICY.risk_min_fraction <= kelly_risk(results * 30, POLICY).risk_fraction <= POLICY.risk_fixed_fraction


def halved(results: list[float], low: float, high: float) -> float:
    """The long way: the interval halved until no number lies between its ends."""
    while low < (middle := (low + high) / 2.0) < high:
        low, high = (middle, high) if sum(r / (1.0 + middle * r) for r in results) > 0.0 else (low, middle)
    return (low + high) / 2.0


def ends(results: list[float]) -> tuple[float, float]:
    """Between which the slope of growth turns."""
    inside = 1.0 - 1e-12
    return (0.0, -1.0 / min(results) * inside) if sum(results) > 0.0 else (-1.0 / max(results) * inside, 0.0)


RESULT_R = st.one_of(
    st.floats(-1.2, 4.0), st.sampled_from([-1.0, -1.02, 1.5, 3.0, 0.0]), st.floats(-1e-6, 1e-6), st.floats(-100, 100)
)


@given(st.lists(RESULT_R, min_size=2, max_size=60))
def test_kelly_root_equals_bisection_to_the_last_float(results: list[float]) -> None:
    assume(min(results) < -1e-9 and max(results) > 1e-9 and sum(results) != 0.0)
    assert kelly_optimum(results) == halved(results, *ends(results))


@given(st.lists(RESULT_R, min_size=2, max_size=12))
def test_kelly_root_is_within_slope_rounding_error(results: list[float]) -> None:
    assume(min(results) < -1e-9 and max(results) > 1e-9 and sum(results) != 0.0)
    best = kelly_optimum(results)
    terms = [Fraction(r) / (1 + Fraction(best) * Fraction(r)) for r in results]
    # each term is off by its rounding and that of 1 + f r, the sum by as many roundings as it has terms
    off = sum(
        abs(term) * (len(results) + 4 + 4 / abs(1 + Fraction(best) * Fraction(r))) for term, r in zip(terms, results, strict=True)
    )
    moved = Fraction(math.ulp(best)) * sum(term * term for term in terms)
    assert abs(sum(terms)) <= off * Fraction(2) ** -53 + 2 * moved


def test_the_same_results_are_answered_from_memory_and_others_anew() -> None:
    kept, results = KellyCache(), [1.5] * 55 + [-1.0] * 45
    first = kept.risk(results, POLICY)
    assert first == kelly_risk(results, POLICY)
    assert kept.risk([*results], POLICY) is first
    assert kept.risk([9.0, *results, -1.0], POLICY) == kelly_risk([9.0, *results, -1.0], POLICY)
    assert kept.risk([*results], replace(POLICY, fraction=0.25)).checks != first.checks
    results.append(-1.0)
    assert kept.risk(results, POLICY) == kelly_risk(results, POLICY)
