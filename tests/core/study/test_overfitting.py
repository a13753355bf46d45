"""The deflated Sharpe ratio of its authors' example, and overfitting reported from skill on made-up trials."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.core.study.overfitting import (
    clusters,
    deflated_probability,
    deflated_sharpe,
    expected_max_sharpe,
    overfitting_probability,
)


@pytest.mark.parametrize(("trials", "expected", "probability"), [(100, 0.1132, 0.9004), (46, None, 0.9505)])
def test_the_example_of_the_paper(trials: int, expected: float | None, probability: float) -> None:
    # annual Sharpe 2.5 with a variance of 1/2 between trials, 1,250 days of 250 a year, skewness -3, kurtosis 10
    highest = expected_max_sharpe(0.5 / 250.0, trials)
    if expected is not None:
        assert highest == pytest.approx(expected, abs=5e-5)
    found = deflated_probability(2.5 / math.sqrt(250.0), highest, 1250, -3.0, 10.0)
    assert found == pytest.approx(probability, abs=5e-5)


def noise(trials: int, days: int = 320, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (trials, days))


def test_the_best_of_many_without_skill_is_deflated_to_chance() -> None:
    probabilities = []
    for seed in range(40):
        trials = noise(60, seed=seed)
        best = max(trials, key=lambda one: one.mean() / one.std())
        found = deflated_sharpe(best, trials, 60)
        assert found is not None
        probabilities.append(found.probability)
    assert 0.35 < np.mean(probabilities) < 0.65
    assert sum(one > 0.95 for one in probabilities) <= 5


def test_more_trials_deflate_more() -> None:
    trials = noise(20)
    few, many = deflated_sharpe(trials[0], trials, 20), deflated_sharpe(trials[0], trials, 2_000)
    assert few is not None
    assert many is not None
    assert many.probability < few.probability


def test_overfitting_is_a_coin_without_skill_and_seldom_with_it() -> None:
    without = [overfitting_probability(noise(24, 160, seed)) for seed in range(6)]
    assert 0.3 < np.mean([one for one in without if one is not None]) < 0.7
    skilled = noise(24)
    skilled[7] += 0.004
    assert overfitting_probability(skilled) < 0.02  # type: ignore[operator]


def test_overfitting_by_hand_on_four_blocks() -> None:
    # whoever wins two quarters loses the others: of the six halves, the winner inside is always the last outside
    up, down = [0.01, 0.02, 0.01, 0.02], [-0.01, -0.02, -0.01, -0.02]
    first, second = [*up, *up, *down, *down], [*down, *down, *up, *up]
    third, fourth = [*up, *down, *up, *down], [*down, *up, *down, *up]
    fifth, sixth = [*up, *down, *down, *up], [*down, *up, *up, *down]
    assert overfitting_probability([first, second, third, fourth, fifth, sixth], blocks=4) == 1.0


@pytest.mark.parametrize("trials", [noise(3), noise(8, 60), [[0.1] * 100, [0.1] * 99, [0.1] * 100, [0.1] * 100]])
def test_too_few_trials_or_days_are_not_computable(trials: list[list[float]]) -> None:
    assert overfitting_probability(trials) is None


def test_trials_that_move_together_are_one_cluster() -> None:
    ideas = noise(3)
    trials = [idea + 0.002 * noise(1, seed=7 + place)[0] for idea in ideas for place in range(10)]
    assert clusters(trials) == 3
    assert clusters([*trials, np.zeros(320)]) == 4
