"""Words of impact and time, as calendars write them."""

from __future__ import annotations

import pytest

from quarterdeck.core.calendar.impact_and_time import SCRAPED_IMPACTS, impact_of, time_of_day


@pytest.mark.parametrize(
    ("text", "hour", "minute"), [("12:00am", 0, 0), ("12:30pm", 12, 30), ("11:59PM", 23, 59), ("00:05", 0, 5), ("9:07am", 9, 7)]
)
def test_twelve_and_twenty_four_hours(text: str, hour: int, minute: int) -> None:
    assert time_of_day(text) == (hour, minute)


@pytest.mark.parametrize("text", ["13:00pm", "0:30am", "9:75am", "24:00"])
def test_times_that_do_not_exist(text: str) -> None:
    with pytest.raises(ValueError, match="no time of the day"):
        time_of_day(text)


def test_impacts_and_the_scraper_that_swapped_two() -> None:
    assert [impact_of(word) for word in ("High", " moderate ", "Non-Economic", "Holiday")] == [
        "high",
        "medium",
        "low",
        "holiday",
    ]
    assert [impact_of(word, SCRAPED_IMPACTS) for word in ("Low", "Non-economic")] == ["holiday", "low"]
    with pytest.raises(ValueError, match="none of"):
        impact_of("huge")
