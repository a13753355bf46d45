"""What a calendar covers of the next day's open market; the market is open from Sunday 17:00 to Friday 17:00 New York."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quarterdeck.core.calendar.coverage import gap_ahead, news_rules_on
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.settings.settings_loader import shipped_settings


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def week(first: str, last: str) -> list[NewsEvent]:
    return [NewsEvent(at_utc_ns=utc(f"2025-01-{day}"), currency="USD", impact="high", title="x") for day in (first, last)]


WEEKLY = week("06 13:30", "10 18:00")
"""Monday to Friday."""


@pytest.mark.parametrize(
    ("at", "events", "gap"),
    [
        ("06 00:00", WEEKLY, ""),
        ("09 21:00", WEEKLY, ""),  # Thursday: Friday's close is covered
        ("10 16:00", WEEKLY, ""),  # Friday: so is the rest of the week
        ("11 12:00", WEEKLY, ""),  # Saturday: the market stays shut for the next day
        ("12 12:00", WEEKLY, "it ends at 2025-01-12T22:00"),  # Sunday: the market opens within it
        ("13 12:00", WEEKLY, "it ends before now"),
        ("12 12:00", week("06 13:30", "13 08:00"), ""),
        ("07 08:00", week("07 08:30", "07 20:00"), "it ends at 2025-01-08T02:00"),
        ("06 21:30", week("06 08:30", "06 23:30"), "it ends at 2025-01-07T05:30"),  # a trading day that has only begun
        ("07 08:00", week("07 08:30", "08 04:00"), ""),
        ("10 12:00", week("06 13:30", "10 05:00"), ""),  # Friday at midnight in New York
        ("07 08:00", [], "it ends before now"),
        ("07 08:00", week("12 08:00", "13 08:00"), "it knows no release between"),
    ],
)
def test_gap_in_the_next_day_of_open_market(at: str, events: list[NewsEvent], gap: str) -> None:
    found = gap_ahead(events, utc(f"2025-01-{at}"))
    assert found.startswith(gap) if gap else found == ""


def test_news_rules_are_on_where_any_pair_has_them() -> None:
    assert news_rules_on(shipped_settings())
    assert not news_rules_on(shipped_settings(("news.impacts", [])))
    assert news_rules_on(shipped_settings(("news.impacts", []), ("pair.EURUSD.news.impacts", ["high"])))
