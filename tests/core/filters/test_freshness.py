"""Age of quotes and signals, and prices that moved."""

from __future__ import annotations

import pytest

from quarterdeck.core.filters.freshness import price_moved, quote_age, signal_age
from quarterdeck.core.filters.trading_hours import parse_early_close
from quarterdeck.core.model.market_data import Quote
from tests.core.filters.when import text, utc
from tests.core.risk.trade import pair

EURUSD = pair("EURUSD")


def quote(at: str) -> Quote:
    return Quote(symbol="EURUSD", at_utc_ns=utc(at), bid=1.085, ask=1.0851)


def test_a_quote_is_stale_only_inside_the_symbols_own_hours() -> None:
    at = utc("2024-01-16 12:01:00")
    assert quote_age(at, quote("2024-01-16 12:00:00"), EURUSD, max_s=60.0).passed
    stale = quote_age(at, quote("2024-01-16 11:59:59"), EURUSD, max_s=60.0)
    assert (stale.check.name, stale.check.value, stale.may_pass_later) == ("quote_age", 61.0, True)
    assert not quote_age(at, None, EURUSD, max_s=60.0).passed
    closed = quote_age(utc("2024-01-20 12:00"), quote("2024-01-19 21:59"), EURUSD, max_s=60.0)
    assert (closed.check.name, closed.may_pass_later, text(closed.passes_from_utc_ns)) == (
        "session",
        False,
        "2024-01-21 22:00:00",
    )


@pytest.mark.parametrize(
    ("listed", "at", "opens"),
    [
        ("2026-11-26 13:00", "2026-11-26 18:01", "2026-11-26 22:00:00"),  # Thanksgiving: until the bank day's end
        ("2026-11-27 13:00", "2026-11-27 18:01", "2026-11-29 22:00:00"),  # the Friday after: until Sunday evening
        ("2026-12-25", "2026-12-25 12:00", "2026-12-27 22:00:00"),  # Christmas on a Friday
        ("2024-12-25", "2024-12-24 22:30", "2024-12-25 22:00:00"),  # in the middle of a week, begun the evening before
    ],
)
def test_after_early_close_market_is_closed_and_quotes_not_stale(listed: str, at: str, opens: str) -> None:
    known = (parse_early_close(listed),)
    now = utc(at)
    closed = quote_age(now, None, EURUSD, max_s=60.0, known=known)
    assert (closed.check.name, closed.check.note, text(closed.passes_from_utc_ns)) == ("session", "the market is closed", opens)
    assert quote_age(now, None, EURUSD, max_s=60.0).check.name == "quote_age"
    assert quote_age(closed.passes_from_utc_ns, None, EURUSD, max_s=60.0, known=known).check.name == "quote_age"
    before = known[0].at_utc_ns - 1
    assert quote_age(before, None, EURUSD, max_s=60.0, known=known).check.name == "quote_age"


@pytest.mark.parametrize(("age_s", "passed"), [(0, True), (120, True), (121, False), (-1, False), (180_000, False)])
def test_a_signal_grows_old_for_good(age_s: int, passed: bool) -> None:
    end = utc("2024-01-19 21:45:00")
    ruling = signal_age(end + age_s * 1_000_000_000, end, max_s=120.0)
    assert (ruling.passed, ruling.may_pass_later, ruling.check.value) == (passed, False, float(age_s))


@pytest.mark.parametrize(("now", "passed"), [(1.0854, True), (1.0846, True), (1.08541, False), (1.08459, False)])
def test_price_may_move_twenty_percent_of_stop_either_way(now: float, passed: bool) -> None:
    ruling = price_moved(1.0850, now, 0.0020, max_fraction=0.2000001)
    assert (ruling.passed, ruling.may_pass_later) == (passed, not passed)
    assert not price_moved(1.0850, 1.0850, 0.0, max_fraction=0.2).passed
