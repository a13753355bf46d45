"""The server's clock by each rule, both ways, over years of clock changes; the rollover of New York."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock, new_york_week_s, next_rollover_ns
from quarterdeck.core.model.units import NS_PER_S

SECONDS = st.integers(1_300_000_000, 1_900_000_000)
RULES = {"new_york_plus_7": ("America/New_York", 7 * 3_600), "eet": ("Europe/Athens", 0)}


def wall(second, zone):
    return int((datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)).timestamp())


@given(second=SECONDS, rule=st.sampled_from(sorted(RULES)))
def test_server_time_is_the_zones_wall_clock(second, rule):
    zone, lead = RULES[rule]
    clock = SimulatedServerClock(rule)
    at = second * NS_PER_S
    assert clock.server_s(at) == wall(second, zone) + lead
    assert clock.server_ms(at + 5_000_000) == clock.server_s(at) * 1_000 + 5
    assert clock.server_s_column(np.array([at, at]))[1] == clock.server_s(at)
    back = clock.utc_ns(clock.server_s(at))
    assert back in (at, at - 3_600 * NS_PER_S)
    assert clock.server_s(back) == clock.server_s(at)


def test_a_fixed_clock_and_one_that_jumped():
    clock = SimulatedServerClock("fixed", 7_200)
    assert clock.server_s(10 * NS_PER_S) == 7_210
    assert clock.utc_ns(7_210) == 10 * NS_PER_S
    assert SimulatedServerClock("fixed", 7_200, jump_s=60).server_s_column(np.array([0]))[0] == 7_260


@pytest.mark.parametrize(
    ("at", "hours"),
    [("2024-07-03T10:00", 11), ("2024-01-03T10:00", 12), ("2024-03-09T22:30", 22.5), ("2024-07-03T21:00", 24)],
)
def test_the_next_rollover_is_17_in_new_york(at, hours):
    now = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * NS_PER_S
    assert next_rollover_ns(now) == now + int(hours * 3_600) * NS_PER_S
    assert new_york_week_s(next_rollover_ns(now)) % 86_400 == 17 * 3_600
