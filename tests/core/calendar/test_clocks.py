"""The clock, the countries and the impact words of tables of other people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quarterdeck.core.calendar.calendar_file import parse_calendar
from quarterdeck.core.filters.news_window import NewsPolicy, NewsSchedule, closed_windows, update_schedule
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.inputs import Calendar

SCRAPE = """Date,Time,Currency,Event,Impact
2024-03-08,{nfp},USD,Non-Farm Employment Change,High
2024-03-12,{cpi},USD,CPI m/m,High
2024-03-11,10:00,USD,Consumer Expectations,Low
"""


def at(event) -> str:
    return datetime.fromtimestamp(event.at_utc_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("nfp", "cpi"),
    [("08:30", "08:30"), ("21:30", "20:30"), ("15:30", "15:30"), ("13:30", "12:30")],
    ids=["NY", "utc+8", "NY+7", "utc"],
)
def test_known_releases_prove_the_clock_of_a_table(nfp, cpi):
    events = parse_calendar(SCRAPE.format(nfp=nfp, cpi=cpi).encode(), "scrape.csv")
    known = {event.title: at(event) for event in events}
    assert known["Non-Farm Employment Change"] == "2024-03-08 13:30"
    assert known["CPI m/m"] == "2024-03-12 12:30"
    assert {event.title: event.impact for event in events}["Consumer Expectations"] == "low"


def test_a_declared_clock_that_the_releases_contradict_is_refused():
    text = SCRAPE.format(nfp="08:30", cpi="08:30").encode()
    assert len(parse_calendar(text, "scrape.csv", "new_york")) == 3
    with pytest.raises(DataError, match="on the clock utc only 0 of 2 known releases are at their hour"):
        parse_calendar(text, "scrape.csv", "utc")


def test_a_table_without_a_known_release_asks_for_its_clock():
    text = b"Date,Time,Currency,Event,Impact\n2024-03-11,10:00,USD,Consumer Expectations,Low\n"
    with pytest.raises(DataError, match="its clock cannot be proved") as asked:
        parse_calendar(text, "scrape.csv")
    assert "news.files_clock" in asked.value.what_to_do
    (event,) = parse_calendar(text, "scrape.csv", "new_york")
    assert at(event) == "2024-03-11 14:00"


@pytest.mark.parametrize(
    ("word", "currency"),
    [
        ("US", "USD"),
        ("EU", "EUR"),
        ("EMU", "EUR"),
        ("Germany", "EUR"),
        ("GB", "GBP"),
        ("UK", "GBP"),
        ("JP", "JPY"),
        ("CN", "CNY"),
        ("All", "All"),
    ],
)
def test_countries_are_their_currencies(word, currency):
    table = f"time_utc,currency,impact,event\n2024-03-01T00:00:00Z,{word},high,X\n"
    assert parse_calendar(table.encode(), "c.csv")[0].currency == currency
    body = f'[{{"title":"X","country":"{word}","date":"2024-03-01T00:00:00Z","impact":"High"}}]'
    assert parse_calendar(body.encode(), "c.json")[0].currency == currency


@pytest.mark.parametrize("word", ["XQ", "ZZZ", "FED", ""])
def test_a_code_that_no_currency_has_names_its_line(word):
    table = f"time_utc,currency,impact,event\n2024-03-01T00:00:00Z,USD,high,X\n2024-03-01T01:00:00Z,{word},high,X\n"
    with pytest.raises(DataError, match=r"line 3: .* is no currency or country known"):
        parse_calendar(table.encode(), "c.csv")


@pytest.mark.parametrize("pair", [("USD", "CNH"), ("USD", "CNY")])
def test_a_chinese_release_bars_onshore_and_offshore_yuan(pair):
    table = b"time_utc,currency,impact,event\n2024-03-01T01:30:00Z,CN,high,PMI\n"
    events = parse_calendar(table, "c.csv")
    book = update_schedule(NewsSchedule(), Calendar(available=True, events=events), events[0].at_utc_ns - 10**9)
    policy = NewsPolicy(impacts=("high",), before_ns=10**9, after_ns=10**9)
    assert len(closed_windows(book, pair, policy)) == 1
    assert not closed_windows(book, ("EUR", "USD"), policy)


def test_low_is_low_unless_the_table_shows_the_other_words():
    rows = "2024-03-08,08:30,USD,Non-Farm Employment Change,High\n2024-03-08,All Day,JPY,Bank Holiday,Low\n"
    head = "Date,Time,Currency,Event,Impact\n"
    mixed_up = parse_calendar((head + rows + "2024-03-08,09:00,USD,Speech,Non-Economic\n").encode(), "c.csv")
    assert {event.title: event.impact for event in mixed_up} == {
        "Non-Farm Employment Change": "high",
        "Bank Holiday": "holiday",
        "Speech": "low",
    }
    plain = parse_calendar((head + rows).encode(), "c.csv")
    assert {event.title: event.impact for event in plain}["Bank Holiday"] == "low"
