"""What operators type: understood, or refused with what would be right."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.cli.option_parsing import parse_assignment, parse_days, parse_pairs, parse_rates, parse_settings, parse_speed
from quarterdeck.core.model.errors import SettingsError, UsageError


@pytest.mark.parametrize(
    ("text", "speed"), [("max", None), ("MAX", None), ("1", 1.0), ("x120", 120.0), ("120x", 120.0), ("0.5", 0.5)]
)
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["banana", "", "0", "-3", "nan", "inf", "1e9", "10000000", "x", "1 2"])
def test_no_speeds(text: str) -> None:
    with pytest.raises(UsageError, match="is not a speed"):
        parse_speed(text)


def test_a_period_holds_both_its_days() -> None:
    assert parse_days("2024-07-01", "2024-07-01") == (date(2024, 7, 1), date(2024, 7, 1))


def test_an_open_period_has_open_ends() -> None:
    assert parse_days(None, None) == (None, None)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2024-07-02", "2024-07-01", "--to 2024-07-01 lies before --from 2024-07-02"),
        ("yesterday", None, "--from 'yesterday' is not a day"),
        (None, "2024-02-30", "--to '2024-02-30' is not a day"),
    ],
)
def test_no_periods(first: str | None, last: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_days(first, last)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("EURUSD,GBPUSD", ("EURUSD", "GBPUSD")),
        (" eurusd  gbpusd,", ("EURUSD", "GBPUSD")),
        ("EURUSD.m,#US30", None),
        ("XAUUSD", ("XAUUSD",)),
        ("EURUSDm", ("EURUSDm",)),
    ],
)
def test_pairs(text: str, pairs: tuple[str, ...] | None) -> None:
    if pairs is None:
        with pytest.raises(UsageError, match="is not a symbol"):
            parse_pairs(text)
    else:
        assert parse_pairs(text) == pairs


@pytest.mark.parametrize(("text", "said"), [("", "names no pair"), (" , ", "names no pair"), ("EURUSD,EURUSD", "EURUSD twice")])
def test_no_pairs(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_pairs(text)


def test_assignments_keep_what_follows_the_first_sign() -> None:
    assert parse_assignment(" ui.theme = a=b ") == ("ui.theme", "a=b")
    assert parse_assignment("account.gateway=") == ("account.gateway", "")
    for text in ("risk", "=1", "="):
        with pytest.raises(UsageError, match="is not a KEY=VALUE pair"):
            parse_assignment(text)


def test_settings_of_the_command_line_are_checked() -> None:
    assert parse_settings(["risk.risk_per_trade_pct=1"]) == (("risk.risk_per_trade_pct", 1.0),)
    with pytest.raises(SettingsError, match=r"did you mean risk\.risk_per_trade_pct"):
        parse_settings(["risk.risk_per_trade=1"])


def test_rates() -> None:
    assert parse_rates(["USDJPY=150", "eurusd=1.1"]) == {"USDJPY": 150.0, "EURUSD": 1.1}
    for text in ("USDJPY=0", "USDJPY=-1", "USDJPY=nan", "USDJPY=inf", "USDJPY=much", "USDJPY,EURUSD=1"):
        with pytest.raises(UsageError, match="is no price"):
            parse_rates([text])


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    for parse in (parse_speed, parse_pairs, parse_assignment, lambda word: parse_days(word, word)):
        with contextlib.suppress(UsageError):
            parse(text)
