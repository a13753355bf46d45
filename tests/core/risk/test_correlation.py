"""Correlation at common closed bars, and the book as one correlated sum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.risk.correlation import (
    CloseSeries,
    CloseSeriesCache,
    CorrelationMatrix,
    CorrelationPair,
    OverLimitPolicy,
    book_risk_money,
    check_correlation,
    correlate,
    matrix,
)

H1 = 3_600_000_000_000
CURRENCIES = {"EURUSD": ("EUR", "USD"), "GBPUSD": ("GBP", "USD"), "AUDNZD": ("AUD", "NZD")}


def closes(*steps: float, start: int = 0, skip: tuple[int, ...] = ()) -> CloseSeries:
    price = np.exp(np.cumsum([0.0, *steps]) / 1000.0)
    at = np.arange(start, start + len(price), dtype=np.int64) * H1
    keep = np.array([row not in skip for row in range(len(price))])
    return CloseSeries(at[keep], np.log(price[keep]))


def pairwise(value: float | None) -> CorrelationMatrix:
    one = CorrelationPair(value=1.0, returns=0)
    link = CorrelationPair(value=value, returns=500)
    return CorrelationMatrix(("EURUSD", "GBPUSD"), ((one, link), (link, one)))


def test_correlation_of_returns_worked_out_by_hand() -> None:
    # (1, 2, 3) against (2, 2, 5): covariance 3, variances 2 and 6: 3 / sqrt(12).
    link = correlate(closes(1, 2, 3), closes(2, 2, 5), bars=500, bars_min=3, share_currency=True)
    assert link.value == pytest.approx(3 / math.sqrt(12))
    assert link.returns == 3
    assert correlate(closes(1, 2, 3), closes(-1, -2, -3), bars=500, bars_min=3, share_currency=True).value == pytest.approx(-1.0)


def test_only_common_bars_count_and_returns_may_span_gaps() -> None:
    # Bar 2 lacks in the second: the first's returns become 1 and 2 + 3, the second's 4 and 9.
    link = correlate(closes(1, 2, 3, 1), closes(4, 5, 4, 2, skip=(2,)), bars=500, bars_min=2, share_currency=True)
    assert link.returns == 3
    expected = np.corrcoef([1, 5, 1], [4, 9, 2])[0, 1]
    assert link.value == pytest.approx(expected)


def test_the_newest_bars_count() -> None:
    link = correlate(closes(9, -9, 1, 2, 3), closes(1, 1, 2, 2, 5), bars=3, bars_min=3, share_currency=True)
    assert link.value == pytest.approx(3 / math.sqrt(12))


@pytest.mark.parametrize(("shared", "value"), [(True, None), (False, 0.0)])
def test_few_returns_are_not_independence_when_a_currency_is_shared(shared: bool, value: float | None) -> None:
    assert correlate(closes(1, 2, 3), closes(2, 2, 5), bars=500, bars_min=4, share_currency=shared).value == value
    assert correlate(closes(0, 0, 0, 0), closes(2, 2, 5, 1), bars=500, bars_min=4, share_currency=shared).value == value


def test_matrix_detects_shared_currency_and_treats_missing_history_as_short() -> None:
    known = {"EURUSD": closes(1, 2, 3), "GBPUSD": closes(2, 2, 5)}
    links = matrix(known, CURRENCIES, ("EURUSD", "GBPUSD", "AUDNZD"), bars=500, bars_min=3)
    assert links.link("EURUSD", "EURUSD").value == 1.0
    assert links.link("GBPUSD", "EURUSD").value == pytest.approx(3 / math.sqrt(12))
    assert links.link("EURUSD", "AUDNZD").value == 0.0
    unknown = matrix({}, CURRENCIES, ("EURUSD", "GBPUSD"), bars=500, bars_min=3)
    assert unknown.link("EURUSD", "GBPUSD").value is None


@pytest.mark.parametrize(
    ("risks", "value", "expected"),
    [
        ((100.0, 100.0), 0.5, math.sqrt(30_000)),
        ((100.0, 100.0), 1.0, 200.0),
        ((100.0, -100.0), 0.5, 100.0),  # sqrt(10000): an offset, above the floor of half of 141.4
        ((100.0, -100.0), 0.9, math.sqrt(20_000) / 2),  # sqrt(2000) = 44.7 is believed only down to 70.7
        ((100.0, -100.0), None, 200.0),  # unknown: the worse direction
        ((100.0, 100.0), None, 200.0),
        ((100.0, 0.0), -1.0, 100.0),
    ],
)
def test_book_risk(risks: tuple[float, float], value: float | None, expected: float) -> None:
    signed = [("EURUSD", risks[0]), ("GBPUSD", risks[1])]
    assert book_risk_money(signed, pairwise(value), offset_max_fraction=0.5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("policy", "own", "value", "take"),
    [
        ("skip", 100.0, 0.0, 1.0),  # 223.6 fits under 300
        ("skip", 200.0, 1.0, 0.0),
        ("shrink", 200.0, 1.0, 0.5),  # 200 + 100 = 300
        ("hedge", 200.0, 1.0, 0.0),
    ],
)
def test_policies(policy: OverLimitPolicy, own: float, value: float, take: float) -> None:
    verdict = check_correlation(
        [("EURUSD", 200.0)],
        ("GBPUSD", own),
        pairwise(value),
        equity_money=10_000.0,
        max_fraction=0.03,
        offset_max_fraction=0.5,
        policy=policy,
    )
    assert verdict.take_fraction == pytest.approx(take, abs=1e-6)
    assert verdict.check.passed is (take > 0.0)
    assert verdict.check.threshold == 300.0


def test_only_hedge_policy_admits_trades_lowering_excess_book_risk() -> None:
    for policy, take in (("skip", 0.0), ("shrink", 0.0), ("hedge", 1.0)):
        verdict = check_correlation(
            [("EURUSD", 400.0)],
            ("GBPUSD", -100.0),
            pairwise(0.8),
            equity_money=10_000.0,
            max_fraction=0.03,
            offset_max_fraction=0.5,
            policy=policy,  # type: ignore[arg-type]
        )
        assert verdict.take_fraction == take
        assert verdict.after_money < verdict.before_money


@given(st.lists(st.floats(-500, 500), min_size=2, max_size=2), st.floats(-1, 1), st.floats(0, 1), st.floats(1, 600))
def test_shrunk_fits_and_offsets_are_bounded(risks: list[float], value: float, offset: float, limit: float) -> None:
    links, signed = pairwise(value), [("EURUSD", risks[0]), ("GBPUSD", risks[1])]
    risk = book_risk_money(signed, links, offset_max_fraction=offset)
    alone = book_risk_money(signed, links, offset_max_fraction=0.0)
    assert (1 - offset) * alone - 1e-9 <= risk <= abs(risks[0]) + abs(risks[1]) + 1e-6
    verdict = check_correlation(
        signed[:1], signed[1], links, equity_money=limit, max_fraction=1.0, offset_max_fraction=offset, policy="shrink"
    )
    if verdict.take_fraction > 0.0:
        part = [signed[0], ("GBPUSD", risks[1] * verdict.take_fraction)]
        assert book_risk_money(part, links, offset_max_fraction=offset) <= limit + 1e-6


STEP = st.sampled_from(["hour", "hour", "amend", "hole", "forget", "anew", "inside"])


@given(st.lists(st.tuples(STEP, st.integers(1, 9)), max_size=40))
def test_hourly_arrays_always_equal_the_list_version(steps: list[tuple[str, int]]) -> None:
    kept, opens, prices = CloseSeriesCache(), [0], [1.0]
    for step, size in steps:
        if step in ("hour", "hole"):
            opens.append((opens[-1] if opens else 0) + H1 * (1 if step == "hour" else size))
            prices.append(1.0 + size / 100.0)
        elif step == "amend" and prices:
            prices[-1] += size / 1000.0
        elif step == "inside" and prices:
            prices[len(prices) // 2] += size / 1000.0
        elif step == "forget":
            del opens[:size], prices[:size]
        elif step == "anew":
            opens, prices = [one + H1 * (size - 5) for one in opens], [*prices]
        for count in {len(opens), max(len(opens) - 1, 0)}:
            seen = kept.first(count, opens, prices)
            fresh = CloseSeries(np.array(opens[:count], dtype=np.int64), np.log(np.array(prices[:count], dtype=np.float64)))
            assert seen.open_utc_ns.tolist() == opens[:count]
            assert seen.log_price.tobytes() == fresh.log_price.tobytes()
            assert kept.first(count, opens, prices) is seen
            assert seen.newest(5).around_mean.tobytes() == fresh.newest(5).around_mean.tobytes()
