"""Windows around releases: both currencies, impacts, moved, all-day and unannounced events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.filters.news_window import (
    NewsPolicy,
    NewsSchedule,
    PairReleases,
    closed_windows,
    news_window,
    next_release,
    update_schedule,
)
from quarterdeck.core.model.inputs import Calendar, NewsEvent
from tests.core.filters.when import text, utc

MINUTE = 60_000_000_000
POLICY = NewsPolicy(impacts=("high",), before_ns=30 * MINUTE, after_ns=30 * MINUTE)
PAIR = ("EUR", "USD")
NFP = NewsEvent(at_utc_ns=utc("2024-06-07 12:30"), currency="USD", impact="high", title="Non-Farm Employment Change")


def book(*events: NewsEvent, before: NewsSchedule | None = None, at: str = "2024-06-05 00:00") -> NewsSchedule:
    return update_schedule(before or NewsSchedule(), Calendar(available=True, events=events, fetched_utc_ns=1), utc(at))


def at(when: str, news: NewsSchedule, currencies: tuple[str, str] = PAIR):
    return news_window(utc(when), PairReleases(news, currencies, POLICY), hold_when_unavailable=False)


@pytest.mark.parametrize(
    ("when", "passed", "minutes"),
    [
        ("2024-06-07 11:59:59", True, 30 + 1 / 60),
        ("2024-06-07 12:00:00", False, 30.0),
        ("2024-06-07 12:59:59", False, -30 + 1 / 60),
        ("2024-06-07 13:00:00", True, None),
    ],
)
def test_half_an_hour_before_to_half_an_hour_after(when: str, passed: bool, minutes: float | None) -> None:
    ruling = at(when, book(NFP))
    assert ruling.passed is passed
    assert ruling.check.value == (None if minutes is None else pytest.approx(minutes))
    assert ruling.check.threshold == 30.0
    if not passed:
        assert ruling.may_pass_later
        assert text(ruling.passes_from_utc_ns) == "2024-06-07 13:00:00"
        assert ruling.check.note == "USD high Non-Farm Employment Change"


def test_either_currency_blocks_other_currencies_do_not_all_blocks_everyone() -> None:
    assert not at("2024-06-07 12:30", book(NFP), ("USD", "JPY")).passed
    assert at("2024-06-07 12:30", book(NFP), ("EUR", "GBP")).passed
    medium = NewsEvent(at_utc_ns=NFP.at_utc_ns, currency="USD", impact="medium", title="x")
    assert at("2024-06-07 12:30", book(medium)).passed
    opec = NewsEvent(at_utc_ns=NFP.at_utc_ns, currency="All", impact="high", title="OPEC Meetings")
    assert not at("2024-06-07 12:30", book(opec), ("EUR", "GBP")).passed


def test_overlapping_windows_reopen_together() -> None:
    speech = NewsEvent(at_utc_ns=utc("2024-06-07 13:15"), currency="EUR", impact="high", title="ECB President Speaks")
    assert text(at("2024-06-07 12:30", book(NFP, speech)).passes_from_utc_ns) == "2024-06-07 13:45:00"


def test_moved_event_keeps_both_windows_even_when_moved_twice() -> None:
    moved = NewsEvent(at_utc_ns=utc("2024-06-07 15:00"), currency="USD", impact="high", title=NFP.title)
    again = NewsEvent(at_utc_ns=utc("2024-06-07 18:00"), currency="USD", impact="high", title=NFP.title)
    once = book(moved, before=book(NFP))
    twice = book(again, before=once)
    for when in ("2024-06-07 12:30", "2024-06-07 15:00", "2024-06-07 18:00"):
        assert not at(when, twice).passed, when
    assert at("2024-06-07 13:30", twice).passed
    assert book(again, before=twice) == twice, "the same calendar again changes nothing"


def test_cancelled_event_is_dropped_and_next_week_is_separate() -> None:
    assert at("2024-06-07 12:30", book(before=book(NFP))).passed
    next_month = NewsEvent(at_utc_ns=utc("2024-07-05 12:30"), currency="USD", impact="high", title=NFP.title)
    later = book(next_month, before=book(NFP), at="2024-06-06 00:00")
    assert len(closed_windows(later, PAIR, POLICY)) == 1


def test_what_has_happened_does_not_move() -> None:
    auction = NewsEvent(at_utc_ns=utc("2024-06-05 12:00"), currency="USD", impact="high", title="Fed Member Speaks")
    second = NewsEvent(at_utc_ns=utc("2024-06-07 12:00"), currency="USD", impact="high", title="Fed Member Speaks")
    later = book(second, before=book(auction), at="2024-06-06 00:00")
    assert later.planned[0].also_utc_ns == ()


def test_all_day_events_block_the_day_until_time_is_known() -> None:
    day = utc("2024-06-14 00:00")
    tentative = NewsEvent(at_utc_ns=day, currency="JPY", impact="high", title="Monetary Policy Statement", tentative=True)
    unknown = book(tentative)
    assert not at("2024-06-14 09:00", unknown, ("USD", "JPY")).passed
    assert "time not announced" in at("2024-06-14 09:00", unknown, ("USD", "JPY")).check.note
    known = NewsEvent(at_utc_ns=utc("2024-06-14 03:25"), currency="JPY", impact="high", title="Monetary Policy Statement")
    announced = book(known, before=unknown)
    assert not at("2024-06-14 03:25", announced, ("USD", "JPY")).passed
    assert at("2024-06-14 09:00", announced, ("USD", "JPY")).passed
    g7 = NewsEvent(at_utc_ns=day, currency="All", impact="high", title="G7 Meetings", all_day=True)
    assert text(at("2024-06-14 09:00", book(g7)).passes_from_utc_ns) == "2024-06-15 00:00:00"


def test_without_a_calendar_the_operator_chose() -> None:
    lost = update_schedule(book(NFP), Calendar(available=False, why="timed out"), utc("2024-06-07 00:00"))
    held = news_window(utc("2024-06-07 09:00"), PairReleases(lost, PAIR, POLICY), hold_when_unavailable=True)
    assert (held.passed, held.may_pass_later, held.check.note) == (False, True, "no calendar: timed out")
    assert at("2024-06-07 09:00", lost).passed
    assert not at("2024-06-07 12:30", lost).passed, "what was known before still closes"


def test_next_release_for_the_screen_and_old_ones_are_dropped() -> None:
    news = book(NFP)
    found = next_release(utc("2024-06-07 12:00"), news, PAIR, ("high",))
    assert found is not None
    assert found.title == NFP.title
    assert next_release(utc("2024-06-07 12:31"), news, PAIR, ("high",)) is None
    assert book(NFP, at="2024-06-10 00:00").planned == ()


TITLES = st.sampled_from(["CPI", "Rate Decision", "Holiday"])
EVENTS = st.lists(
    st.builds(
        NewsEvent,
        at_utc_ns=st.integers(0, 96).map(lambda hours: utc("2024-06-03 00:00") + hours * 60 * MINUTE),
        currency=st.sampled_from(["USD", "EUR", "JPY", "All"]),
        impact=st.sampled_from(["high", "low"]),
        title=TITLES,
        all_day=st.booleans(),
    ),
    max_size=12,
)


@given(st.lists(EVENTS, min_size=1, max_size=3), st.integers(-200, 8000))
def test_prepared_releases_match_a_full_search(calendars: list[list[NewsEvent]], minute: int) -> None:
    news = NewsSchedule()
    for events in calendars:
        news = book(*events, before=news, at="2024-06-03 00:00")
    now = utc("2024-06-03 00:00") + minute * MINUTE
    releases = PairReleases(news, PAIR, POLICY)
    inside = [window for window in closed_windows(news, PAIR, POLICY) if window.from_utc_ns <= now < window.to_utc_ns]
    assert releases.near(now) is bool(inside)
    assert releases.following(now) == next_release(now, news, PAIR, POLICY.impacts)
    assert news_window(now, releases, hold_when_unavailable=False).passed is not bool(inside)


def test_bank_holiday_is_shown_and_blocks_only_when_configured() -> None:
    swiss = NewsEvent(at_utc_ns=utc("2025-06-09 05:00"), currency="CHF", impact="holiday", title="Bank Holiday")
    dated = NewsEvent(
        at_utc_ns=utc("2025-06-09 00:00"), currency="EUR", impact="holiday", title="French Bank Holiday", all_day=True
    )
    known = book(swiss, dated, at="2025-06-08 12:00")
    shipped = news_window(utc("2025-06-09 09:00"), PairReleases(known, ("EUR", "CHF"), POLICY), hold_when_unavailable=False).check
    assert shipped.passed
    assert shipped.note == "EUR holiday French Bank Holiday (all day), CHF holiday Bank Holiday: closes nothing"
    assert at("2025-06-10 09:00", known, ("EUR", "CHF")).check.note == ""
    assert at("2025-06-09 09:00", known, ("GBP", "USD")).check.note == ""
    closing = NewsPolicy(impacts=("high", "holiday"), before_ns=30 * MINUTE, after_ns=30 * MINUTE)

    def closed(when: str, *currencies: str) -> str:
        ruling = news_window(utc(when), PairReleases(known, (currencies[0], currencies[1]), closing), hold_when_unavailable=False)
        return "" if ruling.passed else text(ruling.passes_from_utc_ns)

    assert closed("2025-06-09 04:45", "CHF", "JPY") == "", "from the time that the calendar gives, not half an hour before"
    assert closed("2025-06-09 05:00", "CHF", "JPY") == closed("2025-06-09 20:59", "CHF", "JPY") == "2025-06-09 21:00:00"
    assert closed("2025-06-09 21:00", "CHF", "JPY") == "", "the bank day is over at 17:00 in New York"
    assert closed("2025-06-09 23:00", "EUR", "USD") == "2025-06-10 00:00:00"
