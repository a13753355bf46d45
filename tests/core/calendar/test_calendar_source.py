"""Files and feeds together, cut to what lies ahead; not available is said with its why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.core.calendar.calendar_source import CalendarSource
from quarterdeck.core.calendar.feed_download import FetchPolicy, HttpResponse
from quarterdeck.core.model.errors import DataError

POLICY = FetchPolicy(refresh_s=3600.0, retry_min_s=10.0, retry_max_s=60.0, timeout_s=5.0)
HEADER = "time_utc,currency,impact,event\n"


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def row(when: str, title: str = "x") -> str:
    return f"{when}Z,USD,high,{title}\n"


def test_recorded_days_see_the_last_day_and_eight_ahead(recorded_data: Path) -> None:
    source = CalendarSource(files=[recorded_data / "calendar/ff_high_impact_2023-2025.csv.gz"])
    seen = source.read_files(utc("2024-06-05"))
    assert seen.available
    assert seen.events[0].at_utc_ns >= utc("2024-06-04")
    assert seen.events[-1].at_utc_ns <= utc("2024-06-13")
    assert [event.title for event in seen.events if event.at_utc_ns == utc("2024-06-07 12:30") and event.currency == "USD"] == [
        "Average Hourly Earnings m/m",
        "Non-Farm Employment Change",
        "Unemployment Rate",
    ]
    beyond = source.read_files(utc("2025-12-01"))
    assert (beyond.available, beyond.why) == (False, "it ends before now")


def test_nothing_set_and_missing_files(tmp_path: Path) -> None:
    assert not CalendarSource(files=[]).read_files(0).available
    with pytest.raises(DataError, match=r"none\.csv"):
        CalendarSource(files=[tmp_path / "none.csv"]).read_files(0)


async def test_files_and_feeds_merge_and_changed_files_are_reread(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + row("2024-06-07T10:00:00", "mine"))
    body = b'[{"title":"theirs","country":"USD","date":"2024-06-07T08:30:00-04:00","impact":"High"}]'

    def answer(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        return HttpResponse(status=200, body=body)

    source = CalendarSource(files=[path], urls=["https://feed.example/x"], policy=POLICY, opener=answer)
    at = utc("2024-06-06")
    seen = await source.read(at)
    assert [event.title for event in seen.events] == ["mine", "theirs"]
    assert (seen.available, seen.why, seen.fetched_utc_ns) == (True, "", at)
    path.write_text(HEADER + row("2024-06-07T11:00:00", "moved"))
    os.utime(path, ns=(1, 1))
    assert [event.title for event in (await source.read(at)).events] == ["moved", "theirs"]
    assert at < source.due_utc_ns(at) <= at + 3_600_000_000_000


async def test_failed_feed_keeps_file_events_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + row("2024-06-07T10:00:00"))

    def down(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        raise OSError("line down")

    source = CalendarSource(files=[path], urls=["https://feed.example/x"], policy=POLICY, opener=down)
    seen = await source.read(utc("2024-06-06"))
    assert (seen.available, seen.why, len(seen.events)) == (True, "feed.example: line down", 1)
    path.unlink()
    gone = await source.read(utc("2024-06-06"))
    assert gone.available, "the last good version stays"
    assert "mine.csv" in gone.why
    alone = CalendarSource(files=[], urls=["https://feed.example/x"], policy=POLICY, opener=down)
    assert not (await alone.read(utc("2024-06-06"))).available


async def test_the_shipped_feed_may_fail_where_files_cover(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    url = "https://feed.example/x"

    def down(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        raise OSError("line down")

    def source(**more: Any) -> CalendarSource:
        return CalendarSource(files=[path], urls=[url], policy=POLICY, opener=down, **more)

    at = utc("2024-06-06 10:00")
    path.write_text(HEADER + row("2024-06-06T12:00:00") + row("2024-06-07T12:00:00"))
    for shipped, why in (([url], ""), ([], "feed.example: line down")):
        found = source(default_urls=shipped)
        await found.read(at)
        assert found.uncovered(at) == why
    path.write_text(HEADER + row("2024-06-06T12:00:00"))
    found = source(default_urls=[url])
    await found.read(at)
    assert found.uncovered(at) == "feed.example: line down"
    assert CalendarSource(files=[]).uncovered(at) == "no calendar is set (news.urls, news.files)"


async def test_public_addresses_are_asked_hourly_and_private_ones_as_set() -> None:
    asked: list[str] = []

    def busy(url: str, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        asked.append(url)
        return HttpResponse(status=200, body=b"[]")

    often = FetchPolicy(refresh_s=300.0, retry_min_s=10.0, retry_max_s=60.0, timeout_s=5.0)
    source = CalendarSource(files=[], urls=["https://a.example"], private_urls=["https://b.example"], policy=often, opener=busy)
    for minute in range(0, 120, 5):
        await source.read(utc("2024-06-06") + minute * 60_000_000_000)
    assert (asked.count("https://a.example"), asked.count("https://b.example")) == (2, 24)
