"""Every known format against its recorded original, and each kind of damage named with its line."""

from __future__ import annotations

import contextlib
import gzip
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.calendar.calendar_file import parse_calendar, read_calendar
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import NewsEvent


def said(event: NewsEvent) -> tuple[str, str, str, str, bool]:
    when = datetime.fromtimestamp(event.at_utc_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")
    return when, event.currency, event.impact, event.title, event.all_day


def named(events: tuple[NewsEvent, ...], title: str, currency: str = "USD") -> list[str]:
    return [said(event)[0] for event in events if event.title == title and event.currency == currency]


def test_weekly_json_has_new_york_offsets(recorded_data: Path) -> None:
    events = read_calendar(recorded_data / "raw_samples/ff_feed/ff_calendar_thisweek_2026-08-02.json")
    assert len(events) == 99
    assert named(events, "Non-Farm Employment Change") == ["2026-08-07 12:30"]
    assert said(events[0]) == ("2026-08-02 09:15", "All", "medium", "OPEC-JMMC Meetings", False)
    assert sum(event.impact == "high" for event in events) == 8
    assert sum(event.impact == "holiday" for event in events) == 2
    assert len(read_calendar(recorded_data / "raw_samples/ff_feed/ff_calendar_thisweek_2026-07-26.json")) == 92


def test_weekly_xml_is_month_first_in_gmt_and_windows_1252(recorded_data: Path) -> None:
    events = read_calendar(recorded_data / "raw_samples/ff_feed/ff_calendar_thisweek_2025-06-08.xml")
    assert len(events) == 73
    assert said(events[0]) == ("2025-06-08 21:00", "AUD", "holiday", "Bank Holiday", False)
    assert named(events, "CPI m/m") == ["2025-06-11 12:30"], "08:30 New York"


def test_monthly_xml_is_day_first_new_york_and_matches_calendar(recorded_data: Path) -> None:
    events = read_calendar(recorded_data / "raw_samples/ff_feed/monthly_variant_2023-03_head60.xml")
    clean = read_calendar(recorded_data / "calendar/ff_calendar_2023.csv.gz")
    assert len(events) == 59, "one of the 60 is an empty filler for a day without events"
    assert named(events, "ISM Manufacturing PMI") == ["2023-03-01 15:00"]
    timed = {(event.at_utc_ns, event.currency, event.title) for event in events if not event.all_day}
    known = {(event.at_utc_ns, event.currency, event.title) for event in clean}
    assert len(timed & known) >= 0.9 * len(timed)


def test_scrape_on_a_utc8_clock_equals_the_cleaned_calendar(recorded_data: Path) -> None:
    scraped = read_calendar(recorded_data / "raw_samples/ff_feed/ff_scrape_utc8_2012_head400.csv")
    clean = set(map(said, read_calendar(recorded_data / "calendar/ff_calendar_2010-2019.csv.gz")))
    assert named(scraped, "Non-Farm Employment Change") == ["2012-01-06 13:30"]
    assert [event for event in map(said, scraped) if event not in clean] == []


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("ff_calendar_2023", 4802),
        ("ff_high_impact_2023-2025", 2554),
        ("ff_calendar_2010-2019", 43056),
        ("investing_2023-2025", 30590),
    ],
)
def test_cleaned_calendars(recorded_data: Path, name: str, rows: int) -> None:
    events = read_calendar(recorded_data / f"calendar/{name}.csv.gz")
    assert len(events) == rows
    assert [event.at_utc_ns for event in events] == sorted(event.at_utc_ns for event in events)


def test_listings_in_utc8_and_in_london_time_though_headed_gmt(recorded_data: Path) -> None:
    folder = recorded_data / "raw_samples/investing"
    assert named(read_calendar(folder / "investing_2024-02-13_utc8.md"), "CPI (YoY) (Jan)") == ["2024-02-13 13:30"]
    summer = read_calendar(folder / "investing_2025-06-06_london.md")
    assert named(summer, "Nonfarm Payrolls (May)") == ["2025-06-06 12:30"]
    assert {event.impact for event in summer} == {"low", "medium", "high"}


OWN = "time_utc,currency,impact,event,all_day,tentative\n"


def test_our_own_csv_with_what_may_be_left_out() -> None:
    table = OWN + "2024-06-07T12:30:00Z,usd,High,NFP,0,0\n2024-06-14,JPY,high,BoJ,,1\n2024-06-07T12:30:00Z,usd,High,NFP,0,0\n"
    events = parse_calendar(gzip.compress(table.encode()), "x.csv.gz")
    assert [said(event) for event in events] == [
        ("2024-06-07 12:30", "USD", "high", "NFP", False),
        ("2024-06-14 00:00", "JPY", "high", "BoJ", False),
    ]
    assert events[1].tentative
    short = parse_calendar(b"\xef\xbb\xbfimpact;time_utc;currency\r\nlow;2024-06-07T14:30:00+02:00;EUR\r\n", "y.csv")
    assert said(short[0]) == ("2024-06-07 12:30", "EUR", "low", "", False)


WEEK = "<weeklyevents><event>\n<title>x</title><country>USD</country><date>06-10-2025</date><time>{}</time><impact>{}</impact></event></weeklyevents>"


@pytest.mark.parametrize(
    ("clock", "all_day", "tentative"),
    [("All Day", True, False), ("Tentative", False, True), ("Day 2", True, False), ("", False, True), ("8:30am", False, False)],
)
def test_times_that_are_no_times(clock: str, all_day: bool, tentative: bool) -> None:
    event = parse_calendar(WEEK.format(clock, "High").encode(), "week.xml")[0]
    assert (event.all_day, event.tentative) == (all_day, tentative)
    assert said(event)[0] == ("2025-06-10 08:30" if clock == "8:30am" else "2025-06-10 00:00")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x00rubbish", "damaged gzip"),
        (b"a,b,c\n1,2,3\n", "line 1: not a known calendar format"),
        (
            (OWN + "2024-06-07T12:30:00Z,USD,high,NFP,0,0\nyesterday,USD,high,x,0,0\n").encode(),
            "line 3: 'yesterday' is not a known time format",
        ),
        ((OWN + "2024-06-07T12:30:00Z,USD,enormous,NFP,0,0\n").encode(), "line 2: impact 'enormous'"),
        ((OWN + "2024-06-07T12:30:00Z,US$,high,NFP,0,0\n").encode(), "line 2: 'US$' is no currency"),
        ((OWN + "2024-06-07T12:30:00Z,USD\n").encode(), "line 2: 2 fields instead of 6"),
        ((OWN + "2024-06-07T12:30:00Z,USD,high,Caf\xe9,0,0\n").encode("latin-1"), "line 2: is not UTF-8"),
        (b'[{"title":"x",\n"country":"USD","impact":"High"}]', "line 1, entry 1: 'date' is missing"),
        (b'[{"title":"x","country":"USD","date":"2024-06-07T12:30:00","impact":"High"}]', "has no offset"),
        (b'[{"country":"USD","date":"2024-06-07T12:30:00Z","impact":"High"},\n{"country"', "line 2"),
        (b'[{"country":"USD","date":"2024-06-07T12:30:00Z","impact":"High"}', "line 1: the list breaks off"),
        (b"[1]", "entry 1"),
        (b'{"error":"no"}', "a list of events was expected"),
        (b"<!DOCTYPE html><html><head><title>Request Denied</title></head><br></html>", "a web page came"),
        (b"<rss><event/></rss>", "<rss> is not a known calendar format"),
        (b"<weeklyevents><event>", "line 1: no element found"),
        (WEEK.format("25:61am", "High").encode(), "line 1: '25:61am' is no time"),
        (
            b"\n<weeklyevents>\n<event><country>USD</country><time>1:00am</time></event></weeklyevents>",
            "line 3: <date> is missing",
        ),
        (b"| Time (GMT) | Currency | Importance | Event |\n| 08:00 | USD | High | x |", "line 2: a row before its date"),
        (b"## 5 Brumaire 2024", "line 1: 'Brumaire' is not a month"),
    ],
)
def test_damage_is_named(data: bytes, complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_calendar(data, "file")
    assert str(caught.value).startswith("file: ")
    assert complaint in str(caught.value)
    assert caught.value.what_to_do


def test_weekly_file_spanning_months_is_refused() -> None:
    day_first = "".join(
        f"<event><country>USD</country><date>{day:02d}-03-2023</date><time>1:00am</time><impact>Low</impact></event>"
        for day in (1, 2, 3)
    )
    with pytest.raises(DataError, match="spans 59 days"):
        parse_calendar(f"<weeklyevents>{day_first}</weeklyevents>".encode(), "file")


def test_countdowns_are_left_out_and_a_missing_file_is_named(tmp_path: Path) -> None:
    page = b"## 6 June 2025 - x\n| Time (GMT) | Currency | Importance | Event |\n|---|---|---|---|\n| 42 min | USD | High | x |\n"
    assert parse_calendar(page, "page") == ()
    with pytest.raises(DataError, match="No such file"):
        read_calendar(tmp_path / "none.csv")


@given(st.binary(max_size=200), st.sampled_from([b"", b"[", b"<weeklyevents>", b"## 6 June 2025\n|", OWN.encode()]))
def test_whatever_comes_is_events_or_a_data_error(data: bytes, start: bytes) -> None:
    with contextlib.suppress(DataError):
        parse_calendar(start + data, "file")


def test_nesting_without_an_end_is_refused_by_line() -> None:
    with pytest.raises(DataError, match="line 2: lists within lists"):
        parse_calendar(b"[\n" + b"[" * 100_000, "calendar.json")


NULL_IMPACT = """[{"title": "Payrolls", "country": "USD", "date": "2024-03-08T08:30:00-05:00", "impact": null},
{"title": "Speech", "country": "USD", "date": "2024-03-08T10:30:00-05:00", "impact": "Low"}]"""
NO_IMPACT_TAG = """<weeklyevents>
<event><title>Payrolls</title><country>USD</country><date>03-08-2024</date><time></time></event>
<event><title>b</title><country>USD</country><date>03-08-2024</date><time>3:00pm</time><impact>Low</impact></event>
</weeklyevents>"""
ROW = "time_utc,currency,impact,event,all_day\n2024-03-08T15:00:00Z,USD,low,Speech,\n"


@pytest.mark.parametrize(
    ("text", "impact", "all_day", "tentative", "words"),
    [
        (ROW + "2024-03-08T13:30:00Z,USD,,Payrolls,\n", "high", False, False, "1 of 2 rows say no impact; they count as high"),
        (ROW + "2024-03-08,USD,medium,Payrolls,\n", "medium", False, True, "1 of 2 rows say no time"),
        (ROW + "2024-03-08,USD,medium,Payrolls,yes\n", "medium", True, False, ""),
        (
            NULL_IMPACT,
            "high",
            False,
            False,
            "1 of 2 rows say no impact",
        ),
        (
            NO_IMPACT_TAG,
            "high",
            False,
            True,
            "1 of 2 rows say no impact",
        ),
    ],
)
def test_what_a_row_leaves_open_closes_more_and_is_said(
    text: str, impact: str, all_day: bool, tentative: bool, words: str
) -> None:
    notes: list[str] = []
    (payrolls,) = (one for one in parse_calendar(text.encode(), "week", notes=notes) if one.title == "Payrolls")
    assert (payrolls.impact, payrolls.all_day, payrolls.tentative) == (impact, all_day, tentative)
    assert any(words in note for note in notes) if words else not notes


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2024-03-08T13:30:00Z,USD,,Payrolls,", "no row says an impact"),
        ("2024-03-08T13:30:00Z,,high,Payrolls,", "line 2: '' is no currency or country known"),
        ("2024-03-08T13:30:00Z,USD,high,Payrolls,maybe", "line 2: 'maybe' is neither yes nor no"),
        ("2024-03-08T13:30:00Z,USD,0.3%,Payrolls,", "impact '0.3%' is none of"),
    ],
)
def test_what_nothing_decides_is_refused(row: str, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        parse_calendar(f"{ROW.splitlines()[0]}\n{row}\n".encode(), "week")
