"""Log lines can be filtered by pair and ticket, rotate, fold their repeats and keep secrets to themselves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.journal.log_file import LOG_NAME, LibraryLog, LogFile, RepeatFilter, newest_lines, parsed, shown
from quarterdeck.core.model.snapshot import LogLine
from quarterdeck.core.model.units import NS_PER_MS
from tests.core.bounded import MILLION, little_work
from tests.core.journal.tapes import MONDAY_NS, Watch, journal_settings


def line(text: str = "something", at_s: float = 0.0, **changes: Any) -> LogLine:
    facts: dict[str, Any] = {"level": "info", "kind": "note"} | changes
    return LogLine(at_utc_ns=MONDAY_NS + round(at_s * 1000) * NS_PER_MS, text=text, **facts)


def log_file(folder: Path, secrets: tuple[str, ...] = (), **settings: Any) -> LogFile:
    return LogFile(folder, msgspec.structs.replace(journal_settings(), **settings), secrets=secrets)


def text_of(folder: Path) -> str:
    return (folder / LOG_NAME).read_text(encoding="utf-8")


@given(st.text(), st.sampled_from(["", "EURUSD"]), st.integers(0, 1 << 60))
def test_a_line_is_read_back(text: str, symbol: str, ticket: int) -> None:
    whole = line(text, symbol=symbol, ticket=ticket, level="warning")
    assert "\n" not in shown(whole)
    assert parsed(shown(whole)) == whole


def test_pair_and_ticket_can_be_grepped(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    log.write(line("opened", kind="fill", symbol="EURUSD", ticket=123))
    log.write(line("state", kind="state"))
    log.close()
    first, second = text_of(tmp_path).splitlines()
    assert first == 'at=2024-08-05T00:00:00.000Z level=info kind=fill pair=EURUSD ticket=123 text="opened"'
    assert "pair=" not in second


def test_lines_below_the_level_are_not_written(tmp_path: Path) -> None:
    log = log_file(tmp_path, log_level="WARNING")
    log.write(line("quiet"))
    log.write(line("loud", level="error"))
    log.close()
    assert [found.text for found in newest_lines(tmp_path, 10)] == ["loud"]


def test_files_rotate_and_their_number_is_bounded(tmp_path: Path) -> None:
    log = log_file(tmp_path, log_file_mb=0.001, log_files=3)
    for number in range(60):
        log.write(line(f"fill {number}", at_s=number))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine.log", "engine.log.1", "engine.log.2"]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())
    newest = newest_lines(tmp_path, 20)
    assert [found.text for found in newest] == [f"fill {number}" for number in range(40, 60)]


def test_one_file_alone_starts_again(tmp_path: Path) -> None:
    log = log_file(tmp_path, log_file_mb=0.0005, log_files=1)
    for number in range(30):
        log.write(line(f"fill {number}", at_s=number))
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["engine.log"]
    assert newest_lines(tmp_path, 1)[0].text == "fill 29"


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for text in ("first", "second"):
        log = log_file(tmp_path)
        log.write(line(text))
        log.close()
    assert [found.text for found in newest_lines(tmp_path, 5)] == ["first", "second"]


def test_newest_lines_are_those_asked_for(tmp_path: Path) -> None:
    log = log_file(tmp_path, log_level="DEBUG")
    for number in range(40):
        pair = ("EURUSD", "USDJPY")[number % 2]
        log.write(line(f"n{number}", at_s=number, symbol=pair, ticket=number, level=("debug", "error")[number % 4 == 1]))
    log.close()
    assert [found.ticket for found in newest_lines(tmp_path, 3, symbol="EURUSD")] == [34, 36, 38]
    assert [found.ticket for found in newest_lines(tmp_path, 3, ticket=7)] == [7]
    assert [found.ticket for found in newest_lines(tmp_path, 2, level="error")] == [33, 37]
    assert newest_lines(tmp_path / "nowhere", 3) == ()


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_text('what\nat=2024-08-05T00:00:00.000Z level=info kind=a text="whole"\nat=2024-08-05T0\n')
    assert [found.text for found in newest_lines(tmp_path, 5)] == ["whole"]


def test_repeats_are_folded_into_a_count() -> None:
    folder = RepeatFilter()
    written = [got for second in range(50) for got in folder.take(line(f"late by {second} s", second, level="warning"))]
    assert [got.text for got in written] == ["late by 0 s"]
    after = folder.take(line("other", 61.0))
    assert [got.text for got in after] == ["49 more like: late by 0 s", "other"]


def test_two_fills_are_no_repeats() -> None:
    folder = RepeatFilter()
    fills = [
        line("opened at 1.1", kind="fill", ticket=1),
        line("opened at 1.1", kind="fill", ticket=2),
        line("opened at 1.2", kind="fill"),
    ]
    assert [got for fill in fills for got in folder.take(fill)] == fills


def test_what_is_critical_is_never_folded() -> None:
    folder = RepeatFilter()
    assert len([got for _ in range(5) for got in folder.take(line("crash", level="critical"))]) == 5


def test_connection_back_after_down_is_never_folded_as_repeat() -> None:
    folder = RepeatFilter()
    down = line("the connection to the broker is down: no answer", kind="alert.connection", level="critical")
    back = line("ACTIVE the connection to the broker is back", 1.0, kind="state")
    flapping = [down, back] * 3
    assert [got for one in flapping for got in folder.take(one)] == flapping, "back after down is no repeat of an earlier back"
    assert folder.take(back) == ()
    assert [got.text for got in folder.take(down)] == [f"1 more like: {back.text}", down.text]


def test_counts_are_written_at_the_end(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    for _ in range(3):
        log.write(line("requote", level="warning"))
    log.close()
    assert [found.text for found in newest_lines(tmp_path, 5)] == ["requote", "2 more like: requote"]


def test_a_market_that_begins_again_earlier_is_no_trouble() -> None:
    folder = RepeatFilter()
    folder.take(line("a", 1000.0))
    folder.take(line("a", 1001.0))
    assert [got.text for got in folder.take(line("b", 0.0))] == ["1 more like: a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "login with password=hunter22 failed",
        'sent {"password": "hunter22"}',
        "Authorization: hunter22",
        "Authorization: Bearer hunter22",
        "via https://me:hunter22@host/path",
        "via tgram://hunter22/12345",
        "plain hunter22 in the middle",
    ],
)
def test_secrets_never_appear(tmp_path: Path, text: str) -> None:
    log = log_file(tmp_path, secrets=("hunter22",) if text.startswith("plain") else ())
    log.write(line(text, level="error"))
    log.close()
    assert "hunter22" not in text_of(tmp_path)
    assert "***" in text_of(tmp_path)


@pytest.mark.parametrize("word", ["a", "a.", "a:", "a://", "://", "password ", "a=", "@", 'token="', "a+", " "])
def test_a_word_of_any_length_costs_linear_time(tmp_path: Path, word: str) -> None:
    log = log_file(tmp_path)
    with little_work():
        shown_line = log.write(line(word * MILLION, level="error"))
        log.write(line(word * 900, level="error", symbol=word * MILLION))
        log.close()
    assert len(shown_line.text) < 3_000
    assert len(text_of(tmp_path)) < 20_000


@pytest.mark.parametrize("secret", ["tgram://hunter22/12345", "hunter22-and-more", "https://me:hunter22@host/"])
@pytest.mark.parametrize("kept", range(4, 22, 3))
def test_a_cut_leaves_no_half_of_a_secret(tmp_path: Path, secret: str, kept: int) -> None:
    log = log_file(tmp_path, secrets=("hunter22-and-more",))
    said = log.write(line("x" * (1_999 - kept) + " " + secret * 9, level="error")).text
    log.close()
    assert "hunter" not in said


def test_what_screens_are_shown_is_what_the_file_holds(tmp_path: Path) -> None:
    log = log_file(tmp_path, log_level="ERROR")
    assert log.write(line("via tgram://hunter22/12345")).text == "via tgram://***"
    log.close()


def test_a_foreign_line_of_any_length_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_text("a" * MILLION + '\nat=2024-08-05T00:00:00.000Z level=info kind=a text="whole"\n')
    with little_work():
        assert [found.text for found in newest_lines(tmp_path, 5)] == ["whole"]


def test_secrets_learned_later_are_hidden_too(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    log.hide(["s3cret", "no"])
    log.write(line("s3cret and no"))
    log.close()
    assert newest_lines(tmp_path, 1)[0].text == "*** and no"


def test_a_disk_that_will_not_serve_is_counted(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = log_file(tmp_path / "logs")
    log.write(line())
    log.close()
    assert log.failures == 1


def test_what_libraries_say_is_written(tmp_path: Path) -> None:
    log = log_file(tmp_path)
    handler = LibraryLog(log, Watch())
    logger = logging.getLogger("tests.websockets")
    logger.addHandler(handler)
    logger.propagate = False
    logger.info("not this")
    try:
        raise ValueError("bad frame")
    except ValueError:
        logger.exception("closing")
    log.close()
    (found,) = newest_lines(tmp_path, 5)
    assert (found.level, found.kind, found.text) == ("error", "library.tests.websockets", "closing: ValueError: bad frame")
    logger.removeHandler(handler)
