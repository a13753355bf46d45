"""Hours follow their cities' clocks, through the weeks in which summer times differ."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from quarterdeck.core.filters.trading_hours import (
    entry_hours,
    is_open,
    next_close,
    next_open,
    parse_clock,
    parse_day_clock,
    parse_hours,
    rollover,
    session,
    weekend,
)
from tests.core.filters.when import text, utc
from tests.core.risk.trade import pair

LONDON = parse_hours("Europe/London 07:00-20:00")
ROLL = parse_hours("16:45-18:15", "America/New_York")


@pytest.mark.parametrize(
    ("at", "passed", "again"),
    [
        ("2024-01-15 06:59:59", False, "2024-01-15 07:00:00"),
        ("2024-01-15 07:00:00", True, ""),
        ("2024-01-15 19:59:59", True, ""),
        ("2024-01-15 20:00:00", False, "2024-01-16 07:00:00"),
        ("2024-07-15 06:00:00", True, ""),  # summer time: London is an hour ahead of UTC
        ("2024-07-15 19:00:00", False, "2024-07-16 06:00:00"),
        ("2024-03-30 20:30:00", False, "2024-03-31 06:00:00"),  # the clocks change in that night
    ],
)
def test_entry_hours_in_london(at: str, passed: bool, again: str) -> None:
    ruling = entry_hours(utc(at), (LONDON,))
    assert ruling.passed is passed
    assert ruling.may_pass_later is not passed
    assert (text(ruling.passes_from_utc_ns) if ruling.passes_from_utc_ns else "") == again


def test_any_city_session_suffices_and_earliest_start_is_named() -> None:
    tokyo = parse_hours("Asia/Tokyo 09:00-15:00")
    assert entry_hours(utc("2024-07-15 01:00:00"), (LONDON, tokyo)).passed
    ruling = entry_hours(utc("2024-07-15 22:00:00"), (LONDON, tokyo))
    assert text(ruling.passes_from_utc_ns) == "2024-07-16 00:00:00"
    assert ruling.check.note == "Europe/London 07:00-20:00, Asia/Tokyo 09:00-15:00"
    assert entry_hours(utc("2024-07-15 22:00:00"), ()).passed


@pytest.mark.parametrize(
    ("at", "inside", "again"),
    [
        ("2024-01-15 21:44:59", False, ""),
        ("2024-01-15 21:45:00", True, "2024-01-15 23:15:00"),
        ("2024-03-11 20:45:00", True, "2024-03-11 22:15:00"),  # New York has summer time, London not yet
        ("2024-07-15 22:15:00", False, ""),
    ],
)
def test_rollover_is_new_yorks(at: str, inside: bool, again: str) -> None:
    ruling = rollover(utc(at), ROLL)
    assert ruling.passed is not inside
    assert (text(ruling.passes_from_utc_ns) if ruling.passes_from_utc_ns else "") == again


def test_a_span_over_midnight() -> None:
    night = parse_hours("Asia/Tokyo 22:00-02:00")
    assert [night.contain(utc(at)) for at in ("2024-01-15 13:00", "2024-01-15 16:59", "2024-01-15 17:00")] == [True, True, False]


@pytest.mark.parametrize(
    ("at", "passed"),
    [
        ("2024-01-19 16:59", True),
        ("2024-01-19 17:00", False),
        ("2024-01-20 12:00", False),
        ("2024-01-21 21:59", False),
        ("2024-01-21 22:00", True),
    ],
)
def test_no_entries_from_friday_noon_until_the_week_opens(at: str, passed: bool) -> None:
    ruling = weekend(utc(at), parse_day_clock("Fri 12:00"))
    assert ruling.passed is passed
    assert passed or text(ruling.passes_from_utc_ns) == "2024-01-21 22:00:00"
    assert not ruling.may_pass_later


def test_sessions_and_their_edges() -> None:
    eurusd = pair("EURUSD")
    assert is_open(eurusd, utc("2024-01-19 21:59:59"))
    assert not is_open(eurusd, utc("2024-01-19 22:00"))
    assert text(next_open(eurusd, utc("2024-01-19 22:00"))) == "2024-01-21 22:00:00"
    assert text(next_close(eurusd, utc("2024-03-10 23:00"))) == "2024-03-15 21:00:00"
    hour = 3600
    daily = tuple((day * 24 * hour + 18 * hour, (day + 1) * 24 * hour + 17 * hour) for day in range(5))
    gold = replace(pair("XAUUSD"), sessions=daily)
    assert not is_open(gold, utc("2024-01-16 22:30"))
    assert text(next_open(gold, utc("2024-01-16 22:30"))) == "2024-01-16 23:00:00"
    assert text(next_close(gold, utc("2024-01-16 20:00"))) == "2024-01-16 22:00:00"
    glued = replace(gold, sessions=((17 * hour, 48 * hour), (48 * hour, 5 * 24 * hour + 17 * hour)))
    assert text(next_close(glued, utc("2024-01-15 20:00"))) == "2024-01-19 22:00:00"
    closed = session(gold, utc("2024-01-16 22:30"))
    assert (closed.passed, closed.may_pass_later, text(closed.passes_from_utc_ns)) == (False, False, "2024-01-16 23:00:00")


@pytest.mark.parametrize("bad", ["7-20", "Europe/London 25:00-26:00", "07:00-20:61", "07:00-20:00"])
def test_texts_that_are_no_hours(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_hours(bad)
    assert parse_clock("24:00") == 86_400
