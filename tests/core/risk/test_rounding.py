"""Volumes and prices land on the broker's grids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.risk.rounding import floor_lots, partial_lots, price_down, price_up, stop_at_distance
from tests.core.risk.trade import pair

EURUSD, USDJPY = pair("EURUSD"), pair("USDJPY")


@pytest.mark.parametrize(
    ("lots", "expected"), [(0.29, 0.29), (0.299, 0.29), (0.0099, 0.0), (0.01, 0.01), (1.0 - 1e-12, 1.0), (-1.0, 0.0)]
)
def test_lots_round_down_to_step_and_respect_the_minimum(lots: float, expected: float) -> None:
    assert floor_lots(EURUSD, lots) == expected


def test_volume_steps_start_at_an_off_step_minimum() -> None:
    odd = replace(EURUSD, volume_min_lots=0.05, volume_step_lots=0.02)
    assert [floor_lots(odd, lots) for lots in (0.04, 0.05, 0.06, 0.07, 0.1)] == [0.0, 0.05, 0.05, 0.07, 0.09]


@pytest.mark.parametrize(
    ("lots", "fraction", "expected"),
    [(0.03, 0.5, 0.01), (0.02, 0.5, 0.01), (0.01, 0.5, 0.0), (0.29, 0.5, 0.14), (0.01, 1.0, 0.01), (0.03, 0.9, 0.02)],
)
def test_partial_close_leaves_a_tradable_remainder(lots: float, fraction: float, expected: float) -> None:
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
    assert stop_at_distance(EURUSD, Side.BUY, 1.0850, 0.001234) == 1.08376
    assert stop_at_distance(EURUSD, Side.SELL, 1.0850, 0.001234) == 1.08624


@given(st.integers(1, 10_000), st.floats(0.0, 0.009))
def test_grid_volumes_stay_what_they_are(steps: int, more: float) -> None:
    lots = round(steps * 0.01, 2)
    assert floor_lots(EURUSD, lots) == lots
    assert floor_lots(EURUSD, lots + more) in {lots, round(lots + 0.01, 2)}
    assert floor_lots(EURUSD, lots + more) <= lots + more + 1e-9
