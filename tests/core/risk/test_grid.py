"""Volumes and prices land on the broker's grids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.market import Side
from quarterdeck.core.risk.grid import floor_lots, partial_lots, price_away, price_down, price_up
from tests.core.risk.trade import pair

EURUSD, USDJPY = pair("EURUSD"), pair("USDJPY")


@pytest.mark.parametrize(
    ("lots", "expected"), [(0.29, 0.29), (0.299, 0.29), (0.0099, 0.0), (0.01, 0.01), (1.0 - 1e-12, 1.0), (-1.0, 0.0)]
)
def test_lots_go_down_to_the_step_and_never_under_the_minimum(lots: float, expected: float) -> None:
    assert floor_lots(EURUSD, lots) == expected


def test_steps_count_from_the_minimum_where_it_is_off_the_grid() -> None:
    odd = replace(EURUSD, volume_min_lots=0.05, volume_step_lots=0.02)
    assert [floor_lots(odd, lots) for lots in (0.04, 0.05, 0.06, 0.07, 0.1)] == [0.0, 0.05, 0.05, 0.07, 0.09]


@pytest.mark.parametrize(
    ("lots", "fraction", "expected"),
    [(0.03, 0.5, 0.01), (0.02, 0.5, 0.01), (0.01, 0.5, 0.0), (0.29, 0.5, 0.14), (0.01, 1.0, 0.01), (0.03, 0.9, 0.02)],
)
def test_part_of_a_position_leaves_a_rest_that_can_stand_alone(lots: float, fraction: float, expected: float) -> None:
    assert partial_lots(EURUSD, lots, fraction) == expected


def test_part_is_cut_so_that_the_rest_reaches_the_minimum() -> None:
    coarse = replace(EURUSD, volume_min_lots=0.1, volume_step_lots=0.1)
    assert partial_lots(coarse, 0.3, 0.9) == 0.2
    assert partial_lots(coarse, 0.1, 0.9) == 0.0


def test_prices_land_on_ticks_and_keep_their_distance() -> None:
    assert price_down(EURUSD, 1.085004) == 1.085
    assert price_up(EURUSD, 1.085004) == 1.08501
    assert price_down(EURUSD, 1.08501) == 1.08501
    assert price_up(USDJPY, 150.89) == 150.89
    assert price_away(EURUSD, Side.BUY, 1.0850, 0.001234) == 1.08376
    assert price_away(EURUSD, Side.SELL, 1.0850, 0.001234) == 1.08624


@given(st.integers(1, 10_000), st.floats(0.0, 0.009))
def test_grid_volumes_stay_what_they_are(steps: int, more: float) -> None:
    lots = round(steps * 0.01, 2)
    assert floor_lots(EURUSD, lots) == lots
    assert floor_lots(EURUSD, lots + more) in {lots, round(lots + 0.01, 2)}
    assert floor_lots(EURUSD, lots + more) <= lots + more + 1e-9
