"""The engine of the seeded market: what one unit of each currency is worth in dollars, tick by tick, a trading day at a time.

Why currencies and not pairs: every pair is a ratio of two worths, so crosses agree with their legs by construction.
Promises: a fair game (a worth's expected change is nothing; the half variance is taken off the logarithm); a day depends on
seed, day number and the state carried over, not on how it is asked for, nor on which pairs are traded.
Calibration: correlations, deviations and hourly activity of seven majors and gold in recorded quarter hours, June 2024 to June
2025. Volatility is a slow common part (days), a quick part of each currency (hours) and a part of each quarter hour; news add a
jump and an unrest that dies away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from quarterdeck.core.brokers.simulator.market_news import news_between
from quarterdeck.core.model.candles import FloatArray, IntArray
from quarterdeck.core.model.units import M15_NS, NS_PER_S, S_PER_DAY, S_PER_HOUR, UtcNs

CURRENCIES = ("EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "XAU")
"""Worths are in USD, which is worth 1."""
START_WORTH = (1.085, 1.27, 1 / 148.0, 1 / 0.88, 0.66, 0.605, 1 / 1.36, 2_350.0)
QUARTERS_A_DAY = 96

_CORRELATIONS = (
    (1.00, 0.78, 0.43, 0.68, 0.58, 0.64, 0.54, 0.28),
    (0.78, 1.00, 0.35, 0.53, 0.65, 0.68, 0.57, 0.29),
    (0.43, 0.35, 1.00, 0.64, 0.19, 0.31, 0.17, 0.23),
    (0.68, 0.53, 0.64, 1.00, 0.33, 0.43, 0.33, 0.27),
    (0.58, 0.65, 0.19, 0.33, 1.00, 0.87, 0.67, 0.28),
    (0.64, 0.68, 0.31, 0.43, 0.87, 1.00, 0.64, 0.28),
    (0.54, 0.57, 0.17, 0.33, 0.67, 0.64, 1.00, 0.23),
    (0.28, 0.29, 0.23, 0.27, 0.28, 0.28, 0.23, 1.00),
)
# deviation of a quarter hour's logarithm; what news add comes on top
_QUARTER_DEVIATION = (4.7e-4, 4.4e-4, 6.6e-4, 5.0e-4, 6.0e-4, 5.9e-4, 3.6e-4, 9.6e-4)
# mean absolute quarter-hour move by New York hour, relative to its own mean
_ACTIVITY = (
    (
        0.56, 0.76, 1.13, 1.40, 1.26, 1.02, 1.06, 1.05, 1.48, 1.44, 1.62, 1.32,
        1.05, 0.99, 0.93, 0.78, 0.62, 0.50, 0.59, 0.70, 0.86, 0.77, 0.70, 0.58,
    ),
    (
        0.55, 0.76, 1.24, 1.39, 1.27, 1.05, 1.13, 1.13, 1.42, 1.46, 1.66, 1.36,
        1.03, 1.00, 0.92, 0.77, 0.60, 0.50, 0.53, 0.63, 0.78, 0.75, 0.65, 0.57,
    ),
    (
        0.84, 0.99, 1.18, 1.21, 1.05, 0.83, 0.83, 0.91, 1.36, 1.36, 1.42, 1.10,
        0.84, 0.82, 0.82, 0.66, 0.55, 0.55, 0.80, 1.14, 1.29, 1.12, 0.88, 0.78,
    ),
    (
        0.61, 0.78, 1.13, 1.38, 1.23, 1.07, 0.99, 1.04, 1.55, 1.48, 1.62, 1.27,
        1.02, 0.96, 0.85, 0.72, 0.70, 0.60, 0.60, 0.73, 0.85, 0.80, 0.67, 0.61,
    ),
    (
        0.76, 0.96, 1.10, 1.15, 1.02, 0.83, 0.85, 0.88, 1.24, 1.35, 1.55, 1.20,
        0.96, 0.95, 0.91, 0.78, 0.61, 0.50, 0.64, 0.86, 1.10, 1.16, 1.01, 0.86,
    ),
    (
        0.76, 0.89, 1.10, 1.17, 1.00, 0.85, 0.86, 0.85, 1.28, 1.33, 1.50, 1.14,
        0.90, 0.91, 0.89, 0.77, 0.69, 0.55, 0.75, 0.88, 1.16, 1.16, 1.05, 0.87,
    ),
    (
        0.52, 0.67, 0.98, 1.10, 0.94, 0.79, 0.84, 1.00, 1.43, 1.64, 1.72, 1.41,
        1.15, 1.12, 1.09, 1.01, 0.95, 0.50, 0.67, 0.74, 0.82, 0.82, 0.66, 0.59,
    ),
    (
        0.66, 0.93, 1.04, 1.07, 0.96, 0.86, 0.92, 0.97, 1.44, 1.70, 1.62, 1.25,
        1.00, 0.88, 0.79, 0.79, 0.55, 0.40, 0.65, 0.66, 1.04, 1.21, 0.95, 0.74,
    ),
)  # fmt: skip
_SLOW_DEVIATION, _SLOW_DAYS = 0.36, 5.0
_QUICK_DEVIATION, _QUICK_QUARTERS = 0.18, 16.0
_SHARED_DEVIATION, _OWN_DEVIATION = 0.30, 0.12
_WEEKEND_QUARTERS = 10.0
"""The jump over a weekend has the variance of so many quarter hours."""
_JUMP = {"high": 1.9, "medium": 0.6}
"""Deviation of a release's jump, in quarter hours' deviations."""
_JUMP_MAX = 2.2
_SPILL = 0.5
"""Share of its correlation with which a release in one currency moves the others."""
UNREST = {"high": 1.3, "medium": 0.3}
"""How much a release adds to volatility, at once."""
UNREST_S = 1_200.0
"""... and in what time that dies away."""
_UNREST_OVER_S = 40.0 * UNREST_S
"""After that it is less than a number near 1 can tell."""


class FactorState(NamedTuple):
    """What one day leaves to the next."""

    worth_log: tuple[float, ...]
    slow: float
    quick: tuple[float, ...]


class FactorDay(NamedTuple):
    """One trading day: instants, worths (currency x tick) and liveliness (currency x quarter hour, 1 is usual)."""

    at_utc_ns: IntArray
    worth: FloatArray
    liveliness: FloatArray
    state: FactorState


def first_state(worths: Mapping[str, float]) -> FactorState:
    """Where a market begins; `worths` in dollars, by currency, instead of the usual ones."""
    usual = zip(CURRENCIES, START_WORTH, strict=True)
    return FactorState(tuple(math.log(worths.get(name, worth)) for name, worth in usual), 0.0, (0.0,) * len(CURRENCIES))


def factor_day(seed: int, day: int, start_utc_ns: UtcNs, state: FactorState, tick_s: int, *, after_weekend: bool) -> FactorDay:
    """The trading day that ends on calendar day `day` and begins at `start_utc_ns`; a tick each `tick_s` seconds."""
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, day))))
    count = len(CURRENCIES)
    ticks_a_quarter = 900 // tick_s
    ticks = QUARTERS_A_DAY * ticks_a_quarter
    slow, quick, own = _volatility(draw, state)
    hours = (17 + np.arange(QUARTERS_A_DAY) // 4) % 24
    activity = np.array(_ACTIVITY)
    activity = activity / np.sqrt((activity**2).mean(axis=1, keepdims=True))
    variance = _SLOW_DEVIATION**2 + _QUICK_DEVIATION**2 + _SHARED_DEVIATION**2 + _OWN_DEVIATION**2
    volatility = np.exp(slow + quick + own - variance)
    jumps, unrest = _news(seed, draw, start_utc_ns, tick_s, ticks)
    deviation = np.array(_QUARTER_DEVIATION)[:, None]
    calm = deviation * activity[:, hours] * volatility / math.sqrt(ticks_a_quarter)
    moves = np.linalg.cholesky(np.array(_CORRELATIONS)) @ draw.standard_normal((count, ticks))
    each = np.repeat(calm, ticks_a_quarter, axis=1) * (1.0 + unrest)
    steps = moves * each - each**2 / 2.0
    steps[:, 0] += _opening(draw, deviation[:, 0]) if after_weekend else 0.0
    logs = np.array(state.worth_log)[:, None] + np.cumsum(steps + jumps * deviation - (jumps * deviation) ** 2 / 2.0, axis=1)
    lively = activity[:, hours] * volatility * (1.0 + unrest.reshape(count, QUARTERS_A_DAY, -1).mean(axis=2))
    left = FactorState(tuple(logs[:, -1].tolist()), float(slow[0, -1]), tuple(quick[:, -1].tolist()))
    at = start_utc_ns + np.arange(ticks, dtype=np.int64) * (tick_s * NS_PER_S)
    return FactorDay(at, np.exp(logs), lively, left)


def _volatility(draw: np.random.Generator, state: FactorState) -> tuple[FloatArray, FloatArray, FloatArray]:
    count = len(CURRENCIES)
    slow_keep, quick_keep = math.exp(-1.0 / (_SLOW_DAYS * QUARTERS_A_DAY)), math.exp(-1.0 / _QUICK_QUARTERS)
    slow = np.empty((1, QUARTERS_A_DAY))
    quick = np.empty((count, QUARTERS_A_DAY))
    slow_noise = draw.standard_normal(QUARTERS_A_DAY) * _SLOW_DEVIATION * math.sqrt(1.0 - slow_keep**2)
    quick_noise = draw.standard_normal((count, QUARTERS_A_DAY)) * _QUICK_DEVIATION * math.sqrt(1.0 - quick_keep**2)
    last_slow, last_quick = state.slow, np.array(state.quick)
    for quarter in range(QUARTERS_A_DAY):
        last_slow = last_slow * slow_keep + slow_noise[quarter]
        last_quick = last_quick * quick_keep + quick_noise[:, quarter]
        slow[0, quarter] = last_slow
        quick[:, quarter] = last_quick
    shared = draw.standard_normal((1, QUARTERS_A_DAY)) * _SHARED_DEVIATION
    own: FloatArray = shared + draw.standard_normal((count, QUARTERS_A_DAY)) * _OWN_DEVIATION
    return slow, quick, own


def _opening(draw: np.random.Generator, deviation: FloatArray) -> FloatArray:
    gap: FloatArray = np.linalg.cholesky(np.array(_CORRELATIONS)) @ draw.standard_normal(len(CURRENCIES))
    spread: FloatArray = deviation * math.sqrt(_WEEKEND_QUARTERS)
    return gap * spread - spread**2 / 2.0


def _news(seed: int, draw: np.random.Generator, start_utc_ns: UtcNs, tick_s: int, ticks: int) -> tuple[FloatArray, FloatArray]:
    """Jumps (in deviations) and unrest of each currency at each tick; what moves the dollar moves all others."""
    count = len(CURRENCIES)
    jumps, unrest = np.zeros((count, ticks)), np.zeros((count, ticks))
    seconds = np.arange(ticks) * float(tick_s)
    for event in news_between(seed, start_utc_ns, start_utc_ns + S_PER_DAY * NS_PER_S - 1):
        size = float(np.clip(draw.standard_normal(), -_JUMP_MAX, _JUMP_MAX)) * _JUMP[event.impact]
        since = seconds - (event.at_utc_ns - start_utc_ns) / NS_PER_S
        place, over = np.searchsorted(since, (0.0, _UNREST_OVER_S)).tolist()
        fading = np.exp(-since[place:over] / UNREST_S) * UNREST[event.impact]
        if event.currency == "USD":
            moved, stirred = np.ones(count), np.ones(count)
        else:
            moved = _SPILL * np.array(_CORRELATIONS[CURRENCIES.index(event.currency)])
            moved[CURRENCIES.index(event.currency)] = 1.0
            stirred = moved**2
        stirring = unrest[:, place:over]
        np.maximum(stirring, np.outer(stirred, fading), out=stirring)
        if place < ticks:
            jumps[:, place] += size * moved
    return jumps, unrest


def quarter_of(at_utc_ns: IntArray, start_utc_ns: UtcNs) -> IntArray:
    """Which quarter hour of the trading day each instant lies in."""
    quarters: IntArray = (at_utc_ns - start_utc_ns) // M15_NS
    return quarters


def hour_offset_s(at_utc_ns: IntArray, start_utc_ns: UtcNs) -> IntArray:
    """Seconds since the day's 17:00 New York."""
    seconds: IntArray = (at_utc_ns - start_utc_ns) // NS_PER_S
    return seconds


ROLLOVER_HOUR_S = S_PER_HOUR
"""The first hour of a trading day is the one with the wide spreads."""
