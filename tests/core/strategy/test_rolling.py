"""Fixed windows forget everything before them, and H1 figures are seen only once their hour is over."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.core.model.candles import Candles
from quarterdeck.core.model.units import H1_NS, M15_NS
from quarterdeck.core.strategy.rolling import (
    closed_h1_rows,
    efficiency,
    lagged,
    lagged_mean,
    mean_true_range,
    onto_m15,
    ramp,
    slope,
    true_range,
    window_mean,
)

RNG = np.random.default_rng(5)
VALUES = 1.1 + np.cumsum(RNG.normal(0, 0.001, 500))
HIGH, LOW = VALUES + RNG.random(500) * 0.002, VALUES - RNG.random(500) * 0.002
CANDLES = Candles(np.arange(500) * M15_NS, VALUES, HIGH, LOW, VALUES)


@pytest.mark.parametrize("bars", [1, 2, 13, 48])
@pytest.mark.parametrize("figure", [window_mean, efficiency, lagged])
def test_a_value_depends_on_its_own_window_alone(figure, bars):
    whole = figure(VALUES, bars)
    for end in (120, 333, 500):
        assert figure(VALUES[end - bars - 1 : end], bars)[-1] == whole[end - 1]
        assert figure(VALUES[:end], bars)[-1] == whole[end - 1]


def test_slope_and_mean_true_range_use_only_their_window():
    for end in (120, 333, 500):
        assert slope(VALUES[end - 48 : end], 48)[-1] == slope(VALUES, 48)[end - 1]
        assert mean_true_range(CANDLES[end - 15 : end], 14)[-1] == mean_true_range(CANDLES, 14)[end - 1]


@pytest.mark.parametrize("figure", [window_mean, slope])
@pytest.mark.parametrize("rows", [63, 64, 65, 111])
def test_few_and_many_windows_sum_identically(figure, rows):
    signs = np.where(np.arange(300) % 7 < 3, -0.0, VALUES[:300] * np.where(np.arange(300) % 2, 1.0, -1.0))
    for values in (VALUES[:300], signs, np.full(300, -0.0)):
        many, few = figure(values, 48), figure(values[300 - 47 - rows :], 48)
        assert few[47:].tobytes() == many[300 - rows :].tobytes()


def test_lagged_mean_sums_from_nearest_to_farthest():
    found = lagged_mean(VALUES, 7, 3)
    assert np.isnan(found[:21]).all()
    expected = (lagged(VALUES, 7) + lagged(VALUES, 14) + lagged(VALUES, 21)) / 3
    assert found.tobytes() == expected.tobytes()
    assert lagged_mean(VALUES[200:], 7, 3)[-1] == found[-1]
    assert np.isnan(lagged_mean(VALUES[:21], 7, 3)).all()


def test_figures_are_what_their_names_say():
    assert slope(VALUES, 48)[-1] == pytest.approx(np.polyfit(np.arange(48), VALUES[-48:], 1)[0])
    assert window_mean(VALUES, 16)[-1] == pytest.approx(VALUES[-16:].mean())
    assert efficiency(np.array([1.0, 2.0, 1.0, 3.0]), 3)[-1] == pytest.approx(2.0 / 4.0)
    assert efficiency(np.ones(9), 3)[-1] == 0.0
    assert true_range(CANDLES)[7] == max(HIGH[7], VALUES[6]) - min(LOW[7], VALUES[6])
    assert np.isnan(mean_true_range(CANDLES, 14)[:14]).all()
    assert ramp(np.array([0.0, 1.5, 9.0]), 1.0, 2.0).tolist() == [0.0, 0.5, 1.0]
    assert ramp(np.array([50.0, 45.0, 30.0]), 45.0, 33.0).tolist() == [0.0, 0.0, 1.0]


def test_windows_longer_than_the_data_are_blank():
    for figure in (window_mean, efficiency, lagged, slope):
        assert np.isnan(figure(VALUES[:5], 9)).all()


def test_hour_is_visible_only_from_the_quarter_ending_it():
    m15 = Candles(np.arange(9) * M15_NS, *(np.ones(9) for _ in range(4)))
    h1 = Candles(np.arange(3) * H1_NS, *(np.ones(3) for _ in range(4)))
    rows = closed_h1_rows(m15, h1)
    assert rows.tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1]
    seen = onto_m15(np.array([7.0, 8.0, 9.0]), rows)
    assert np.isnan(seen[:3]).all()
    assert seen[3:].tolist() == [7.0, 7.0, 7.0, 7.0, 8.0, 8.0]
    assert np.isnan(onto_m15(np.zeros(0), np.full(4, -1))).all()
