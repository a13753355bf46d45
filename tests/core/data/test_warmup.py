"""A hole in the past is no warm-up: holes, thin data and the newest bars, by each pair's own hours and holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from quarterdeck.core.data.recorded_prices import load_recording
from quarterdeck.core.data.warmup import good_friday, holiday_closure, missing_quarters
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import M15_NS, NS_PER_S
from tests.core.data.test_recorded_prices import write_days


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def opens(first: str, last: str) -> np.ndarray:
    return np.arange(at(first), at(last), M15_NS, dtype=np.int64)


def lacking(symbol: str, first: str, last: str, *without: tuple[str, str]):
    there = opens(first, last)
    for begin, end in without:
        there = there[(there < at(begin)) | (there >= at(end))]
    return missing_quarters(symbol, there, at(first), at(last))


def test_a_weekend_is_no_hole() -> None:
    found = lacking("EURUSD", "2024-07-01", "2024-07-09", ("2024-07-05 20:00", "2024-07-07 21:00"))
    assert (found.quarters, found.hole, found.newest, found.too_much) == (0, None, None, False)


def test_two_hours_in_a_row_are_a_hole() -> None:
    found = lacking("EURUSD", "2024-06-20", "2024-07-09", ("2024-07-01 10:00", "2024-07-01 12:00"))
    assert found.hole == (at("2024-07-01 10:00"), at("2024-07-01 11:45"))
    assert not lacking("EURUSD", "2024-06-20", "2024-07-09", ("2024-07-01 10:00", "2024-07-01 11:45")).too_much


def test_more_than_one_in_a_hundred_is_too_much() -> None:
    hours = [(f"2024-07-0{day} {hour:02d}:00", f"2024-07-0{day} {hour:02d}:30") for day in (1, 2, 3) for hour in (8, 12)]
    found = lacking("EURUSD", "2024-07-01", "2024-07-09", *hours)
    assert (found.quarters, found.hole, found.too_much) == (12, None, True)


@pytest.mark.parametrize(("quarter", "too_much"), [("22:15", True), ("21:15", False), ("12:00", False)])
def test_the_newest_bars_must_be_there_but_for_the_rollover(quarter: str, too_much: bool) -> None:
    # a range from 2024-07-10 00:00 UTC: its last sixteen quarters begin at 20:00; 21:00 is 17:00 in New York
    end = f"2024-07-09 {quarter[:3]}{int(quarter[3:]) + 14}"
    assert lacking("EURUSD", "2024-06-20", "2024-07-10", (f"2024-07-09 {quarter}", end)).too_much is too_much


def test_holidays_are_no_holes() -> None:
    christmas = ("2024-12-24 18:00", "2024-12-25 23:45")
    assert not lacking("EURUSD", "2024-12-10", "2024-12-31", christmas).too_much
    friday = ("2024-03-28 21:00", "2024-03-29 21:00")
    assert not lacking("XAUUSD", "2024-03-15", "2024-04-05", friday, ("2024-03-15 21:00", "2024-03-15 22:00")).too_much
    assert lacking("EURUSD", "2024-03-15", "2024-04-05", friday).hole is not None


def test_good_friday_and_early_closes_of_metals_by_the_calendar() -> None:
    assert [good_friday(year) for year in (2023, 2024, 2025)] == [date(2023, 4, 7), date(2024, 3, 29), date(2025, 4, 18)]
    closed = [date(2024, 1, 15), date(2024, 5, 27), date(2024, 6, 19), date(2024, 7, 4), date(2024, 9, 2), date(2024, 11, 29)]
    assert all(holiday_closure(day, metal=True) for day in closed)
    assert not any(holiday_closure(day, metal=False) for day in closed)
    assert not any(holiday_closure(day, metal=True) for day in (date(2024, 1, 16), date(2024, 7, 3), date(2024, 11, 22)))


def test_a_range_behind_a_hole_is_refused_with_the_hole(tmp_path) -> None:
    write_days(tmp_path / "m15", "EURUSD_M15_a.csv", 5, 2)
    write_days(tmp_path / "m15", "EURUSD_M15_b.csv", 12, 5)
    words = {"to_day": date(2024, 8, 16), "warmup_bars": 100}
    with pytest.raises(DataError) as refused:
        load_recording([tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 13), **words)
    assert "no data from 2024-08-07 00:00 to " in str(refused.value)
    assert "from 2024-08-14 on they are" in str(refused.value)
    assert load_recording([tmp_path / "m15"], ["EURUSD"], from_day=date(2024, 8, 14), **words).notes == ()


def test_hours_in_which_an_exotic_never_trades_are_no_holes() -> None:
    night = [(f"2024-06-{day:02d} 01:00", f"2024-06-{day:02d} 05:00") for day in range(1, 31)]
    assert not lacking("USDRUB", "2024-06-01", "2024-07-01", *night).too_much
    assert lacking("EURUSD", "2024-06-01", "2024-07-01", *night).hole is not None
    assert lacking("USDRUB", "2024-06-01", "2024-07-01", *night, ("2024-06-19 10:00", "2024-06-19 12:00")).hole is not None
    assert lacking("USDRUB", "2024-06-20", "2024-07-01", *night).hole is not None, "too few weeks to learn from"
