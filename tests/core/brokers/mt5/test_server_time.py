from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.model.units import NS_PER_S, S_PER_HOUR

RULES = [("new_york_plus_7", 0), ("eet", 0), ("fixed", 0), ("fixed", 10_800), ("fixed", -18_000), ("fixed", 20_700)]
TEN_YEARS = st.integers(int(datetime(2016, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2026, 12, 31, tzinfo=UTC).timestamp()))
ZONES = {"new_york_plus_7": (ZoneInfo("America/New_York"), 7), "eet": (ZoneInfo("Europe/Athens"), 0)}


def expected_offset(rule: str, fixed: int, utc_s: int) -> int:
    if rule == "fixed":
        return fixed
    zone, lead = ZONES[rule]
    delta = datetime.fromtimestamp(utc_s, UTC).astimezone(zone).utcoffset()
    assert delta is not None
    return int(delta.total_seconds()) + lead * S_PER_HOUR


@pytest.mark.parametrize(("rule", "fixed"), RULES)
@given(utc_s=TEN_YEARS)
def test_there_and_back_over_ten_years(rule, fixed, utc_s):
    clock = ServerClock(rule, fixed)
    assert clock.offset_s(utc_s * NS_PER_S) == expected_offset(rule, fixed, utc_s)
    server = clock.server_s(utc_s * NS_PER_S)
    back = clock.utc_ns(server)
    twice = clock.offset_s((utc_s - S_PER_HOUR) * NS_PER_S) > clock.offset_s(utc_s * NS_PER_S)
    assert back == utc_s * NS_PER_S or (twice and back == (utc_s - S_PER_HOUR) * NS_PER_S)
    assert clock.server_s(back) == server
    assert clock.utc_ns_of_ms(server * 1000 + 250) == back + 250_000_000


@pytest.mark.parametrize(("rule", "fixed"), RULES)
def test_around_every_switch_of_ten_years_columns_equal_single_values(rule, fixed):
    clock = ServerClock(rule, fixed)
    instants = []
    for year in range(2016, 2027):
        for month, last in ((3, 31), (10, 31), (11, 15)):
            start = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
            instants.extend(range(start, start + last * 86_400, 1_800))
    utc = np.array(instants, dtype=np.int64) * NS_PER_S
    server = clock.server_s_column(utc)
    assert server.tolist() == [clock.server_s(int(value)) for value in utc]
    assert clock.utc_ns_column(server).tolist() == [clock.utc_ns(int(value)) for value in server]
    wrong = np.flatnonzero(clock.utc_ns_column(server) != utc)
    assert all(clock.offset_s(int(utc[row]) - S_PER_HOUR * NS_PER_S) > clock.offset_s(int(utc[row])) for row in wrong)


def test_known_moments_in_the_weeks_between_american_and_european_switches():
    new_york, eet = ServerClock("new_york_plus_7"), ServerClock("eet")
    between = int(datetime(2024, 3, 20, 12, tzinfo=UTC).timestamp()) * NS_PER_S
    assert (new_york.offset_s(between), eet.offset_s(between)) == (10_800, 7_200)
    autumn = int(datetime(2024, 10, 30, 12, tzinfo=UTC).timestamp()) * NS_PER_S
    assert (new_york.offset_s(autumn), eet.offset_s(autumn)) == (10_800, 7_200)
