"""Wall clocks of zones against the standard library's own arithmetic, around every switch of ten years."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.clock.time_zones import (
    NEW_YORK,
    day_and_second,
    day_started,
    local_s,
    next_local_time,
    utc_of_local,
    week_second,
)
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, S_PER_HOUR

ZONES = (NEW_YORK, "Europe/London", "Asia/Tokyo", "Europe/Athens", "Australia/Sydney", "UTC")
INSTANTS = st.integers(1_420_070_400, 2_208_988_800)


@given(INSTANTS, st.sampled_from(ZONES))
def test_local_time_agrees_with_the_standard_library(utc_s: int, zone: str) -> None:
    moment = datetime.fromtimestamp(utc_s, ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None
    assert local_s(utc_s * NS_PER_S, zone) - utc_s == offset.total_seconds()
    assert day_and_second(utc_s * NS_PER_S, zone) == (moment.weekday(), moment.hour * 3600 + moment.minute * 60 + moment.second)


@given(INSTANTS, st.sampled_from(ZONES))
def test_instant_round_trips_through_local_time_except_repeated_hours(utc_s: int, zone: str) -> None:
    back = utc_of_local(local_s(utc_s * NS_PER_S, zone), zone) // NS_PER_S
    assert back in (utc_s, utc_s - S_PER_HOUR, utc_s + S_PER_HOUR)
    if back != utc_s:
        assert local_s(back * NS_PER_S, zone) == local_s(utc_s * NS_PER_S, zone)


@given(INSTANTS, st.sampled_from(ZONES), st.integers(0, S_PER_DAY - 1))
def test_next_time_of_day_is_later_and_previous_is_not(utc_s: int, zone: str, second: int) -> None:
    now = utc_s * NS_PER_S
    ahead, behind = next_local_time(now, zone, second), day_started(now, zone, second)
    assert behind <= now < ahead
    assert ahead - behind <= 25 * S_PER_HOUR * NS_PER_S


def test_forex_day_starts_an_hour_earlier_utc_in_summer() -> None:
    winter = next_local_time(int(datetime(2025, 3, 7, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S, NEW_YORK, 17 * S_PER_HOUR)
    summer = next_local_time(int(datetime(2025, 3, 10, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S, NEW_YORK, 17 * S_PER_HOUR)
    hours = [datetime.fromtimestamp(instant / NS_PER_S, ZoneInfo("UTC")).hour for instant in (winter, summer)]
    assert hours == [22, 21]


def test_the_week_begins_on_sunday() -> None:
    sunday = int(datetime(2024, 8, 4, 12, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S
    assert week_second(sunday, "UTC") == 12 * S_PER_HOUR


def test_an_unknown_zone_says_what_to_write() -> None:
    with pytest.raises(SettingsError, match="Europe/Lundon"):
        local_s(0, "Europe/Lundon")


@pytest.mark.parametrize(
    ("zone", "day", "wall", "utc"),
    [
        ("Europe/Prague", (2024, 3, 30), "02:30", "01:00"),
        (NEW_YORK, (2025, 3, 8), "02:15", "07:00"),
        ("Australia/Lord_Howe", (2024, 10, 5), "02:10", "15:30"),
    ],
)
def test_a_skipped_day_start_begins_after_the_skip(zone: str, day: tuple[int, int, int], wall: str, utc: str) -> None:
    second = int(wall[:2]) * 3600 + int(wall[3:]) * 60
    noon = int(datetime(*day, 12 if zone != "Australia/Lord_Howe" else 1, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S
    start = next_local_time(noon, zone, second)
    assert datetime.fromtimestamp(start / NS_PER_S, ZoneInfo("UTC")).strftime("%H:%M") == utc
    assert day_started(start, zone, second) == start
    assert day_started(start - 1, zone, second) < start
