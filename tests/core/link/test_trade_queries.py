"""An operator's words narrow the trades, and mean the same on the screen and in the engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from quarterdeck.core.link.trade_queries import TradeFilter, filter_of
from quarterdeck.core.model.effects import TradeClosed
from tests.core.study.test_summary import trade

HOUR = 3_600_000_000_000


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


NOW = utc("2024-08-07T11:30")


def closed(at: str = "2024-08-07T10:00", **changes: Any) -> TradeClosed:
    return trade(closed_utc_ns=utc(at), **changes)


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ("", True),
        ("eurusd", True),
        ("EUR buy won target", True),
        ("USD", True),
        ("JPY", False),
        ("sell", False),
        ("lost", False),
        ("stop", False),
        ("#77", True),
        ("78", False),
        ("nonsense", False),
    ],
)
def test_each_word_must_name_the_trade(words: str, passes: bool) -> None:
    assert filter_of(words, NOW).passes(closed(position_id=77)) is passes


def test_a_stop_that_trailed_is_no_stop() -> None:
    trailed = closed(reason="trail", rule="range_stop", net_money=12.0)
    assert not filter_of("stop", NOW).passes(trailed)
    assert filter_of("trail", NOW).passes(trailed)


@pytest.mark.parametrize(
    ("word", "first", "past_the_last"),
    [
        ("today", "2024-08-07T00:00", "2024-08-08T00:00"),
        ("yesterday", "2024-08-06T00:00", "2024-08-07T00:00"),
        ("7d", "2024-08-01T00:00", ""),
        ("2024-07-31", "2024-07-31T00:00", "2024-08-01T00:00"),
        ("2024-02", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("2024-12", "2024-12-01T00:00", "2025-01-01T00:00"),
        ("2024", "2024-01-01T00:00", "2025-01-01T00:00"),
        ("2023", "2023-01-01T00:00", "2024-01-01T00:00"),
        ("2024-07-01..2024-08-05", "2024-07-01T00:00", "2024-08-06T00:00"),
        ("2024-07..2024-08-05", "2024-07-01T00:00", "2024-08-06T00:00"),
        ("2024-07..", "2024-07-01T00:00", ""),
    ],
)
def test_a_period_holds_its_first_and_last_day(word: str, first: str, past_the_last: str) -> None:
    found = filter_of(f"buy {word}", NOW)
    assert (found.words, found.from_utc_ns) == (("buy",), utc(first))
    assert found.until_utc_ns == (utc(past_the_last) if past_the_last else TradeFilter().until_utc_ns)


@pytest.mark.parametrize("word", ["2024-13", "2024-02-30", "0000-01-01", "..", "2024-1", "99999d"])
def test_what_is_no_period_narrows_to_nothing_and_breaks_nothing(word: str) -> None:
    found = filter_of(word, NOW)
    assert found.passes(closed(position_id=1)) is (word == "99999d" and bool(found.words == ()))


def test_a_trade_belongs_to_the_day_of_its_close() -> None:
    over_night = closed("2024-08-07T00:00", opened_utc_ns=utc("2024-08-06T22:00"))
    assert filter_of("today", NOW).passes(over_night)
    assert not filter_of("yesterday", NOW).passes(over_night)
