"""Spread against the stop and against the pair's own week."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.filters.spread import QUARTERS_OF_WEEK, UsualSpreads, quarter_of_week, spread_stop, spread_vs_typical
from tests.core.filters.when import utc

WEEK = 7 * 86_400_000_000_000
NOON = utc("2024-01-16 12:00")


def test_the_week_starts_on_sunday_utc() -> None:
    assert quarter_of_week(utc("2024-01-14 00:00")) == 0
    assert quarter_of_week(utc("2024-01-14 00:15")) == 1
    assert quarter_of_week(utc("2024-01-20 23:59:59")) == QUARTERS_OF_WEEK - 1


def test_typical_spread_falls_back_to_neighbours_then_other_days() -> None:
    table = UsualSpreads([])
    assert table.typical(NOON) is None
    table.observe(NOON, 0.0002)
    assert table.typical(NOON) == pytest.approx(0.0002)
    assert table.typical(NOON + 900_000_000_000) == pytest.approx(0.0002)
    assert table.typical(NOON + 2 * 86_400_000_000_000) == pytest.approx(0.0002)
    assert table.typical(NOON + 3_600_000_000_000 * 5) is None


def test_learning_follows_slowly_and_one_spike_counts_little() -> None:
    table = UsualSpreads([])
    for week in range(4):
        table.observe(NOON + week * WEEK, 0.0001)
    table.observe(NOON + 4 * WEEK, 0.0100)
    assert table.typical(NOON) == pytest.approx(0.000175), "a quarter of the way to four times the usual"
    for week in range(5, 30):
        table.observe(NOON + week * WEEK, 0.0003)
    assert table.typical(NOON) == pytest.approx(0.0003, rel=0.01)


def test_a_spread_of_nothing_was_seen() -> None:
    table = UsualSpreads([])
    table.observe(NOON, 0.0)
    assert table.typical(NOON) == pytest.approx(0.0, abs=1e-8)
    raw = spread_vs_typical(0.00002, table.typical(NOON), pip=0.0001, max_x=3.0, usual_min_price=0.00002)
    assert raw.passed
    assert not spread_vs_typical(0.00007, table.typical(NOON), pip=0.0001, max_x=3.0, usual_min_price=0.00002).passed


def test_verdicts_carry_numbers_and_may_be_asked_again() -> None:
    ruling = spread_stop(0.0003, 0.0020, max_fraction=0.10)
    assert (ruling.check.value, ruling.check.threshold) == (pytest.approx(0.15), 0.10)
    assert (ruling.passed, ruling.may_pass_later) == (False, True)
    assert spread_stop(0.0002, 0.0020, max_fraction=0.10).passed
    assert not spread_stop(0.0002, 0.0, max_fraction=0.10).passed
    assert not spread_vs_typical(0.0004, 0.0001, pip=0.0001, max_x=3.0, usual_min_price=0.0).passed
    assert spread_vs_typical(0.0004, None, pip=0.0001, max_x=3.0, usual_min_price=0.0).passed
    assert not spread_vs_typical(0.0004, 0.0, pip=0.0001, max_x=3.0, usual_min_price=0.0).passed
    assert spread_vs_typical(0.00012, 0.00004, pip=0.0001, max_x=3.0, usual_min_price=0.0).passed, (
        "three times is three times, whatever floats say"
    )


def test_the_usual_spread_is_told_in_pips() -> None:
    assert spread_vs_typical(0.00004, 0.00004, pip=0.0001, max_x=3.0, usual_min_price=0.0).check.note == "usual 0.4 pips"
    assert spread_vs_typical(0.002, 0.002, pip=0.01, max_x=3.0, usual_min_price=0.0).check.note == "usual 0.2 pips"


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=30))
def test_what_is_usual_stays_within_what_was_seen(seen: list[float]) -> None:
    table = UsualSpreads([])
    for week, spread in enumerate(seen):
        table.observe(NOON + week * WEEK, spread)
    usual = table.typical(NOON)
    assert usual is not None
    assert min(seen) - 1e-9 <= usual <= max(seen) + 1e-9
