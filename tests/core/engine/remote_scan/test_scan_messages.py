"""What travels to scanning machines loses nothing, and what is not ours is refused by name."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from msgspec.structs import replace

from quarterdeck.core.engine.remote_scan import scan_messages
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.scan.scan_request import ScanRequest, answer_request
from quarterdeck.core.scan.scanner import Scanner
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.scan.random_walks import instrument, walk

SETTINGS = shipped_settings()
LOADED = load_strategy(SETTINGS)
US = scan_messages.StrategyIdentity(strategy=LOADED.name, strategy_hash=LOADED.hash, code_version="1.0")


def question(seed: int = 1) -> ScanRequest:
    m15 = walk(seed, 6_000)
    scanner = Scanner(LOADED, [instrument("EURUSD")], SETTINGS)
    scanner.seed("EURUSD", m15[:-1])
    look = scanner.scan_request("EURUSD", m15.bar(len(m15) - 1))
    assert isinstance(look, ScanRequest)
    return look


def signal() -> Signal:
    return Signal(
        symbol="EURUSD",
        strategy=LOADED.name,
        strategy_hash=LOADED.hash,
        bar_open_utc_ns=900_000_000_000,
        side=Side.BUY,
        entry_price=1.1,
        stop_price=1.09,
        target_price=1.12,
        confidence=0.9,
    )


def test_remote_answer_equals_local_answer_to_the_last_bit() -> None:
    look = question()
    identity, told = scan_messages.decode_scan_job(scan_messages.encode_scan_job(US, look))
    assert identity == US
    assert answer_request(LOADED, told) == answer_request(LOADED, look)


def test_an_answer_comes_back_whole() -> None:
    for found in (signal(), answer_request(LOADED, question())):
        answer = scan_messages.ScanResult(machine="a", found=found)
        assert scan_messages.decode_scan_result(scan_messages.encode_scan_result(answer)) == answer


@pytest.mark.parametrize(
    "text",
    [None, 3, {"a": 1}, "", "no base64!", "AAAA", "x" * (scan_messages.ANSWER_CHARS_MAX + 1)],
    ids=["nothing", "number", "object", "empty", "no-base64", "short", "too-long"],
)
def test_what_is_no_answer_is_refused(text: object) -> None:
    with pytest.raises(scan_messages.BadScanMessage):
        scan_messages.decode_scan_result(text)


def test_what_is_no_question_is_refused() -> None:
    whole = scan_messages.encode_scan_job(US, question())
    bombs = [b"", b"\x80\x04.", whole[:-9], b"\0" * (scan_messages.QUESTION_BYTES_MAX + 1)]
    bombs.append(zlib.compress(b"\0" * (64 * 1024 * 1024)))
    bombs.append(zlib.compress(msgspec.msgpack.encode({"identity": 1})))
    for data in bombs:
        with pytest.raises(scan_messages.BadScanMessage):
            scan_messages.decode_scan_job(data)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"strategy_hash": "another"}, "it was made by strategy trend another, not"),
        ({"symbol": "GBPUSD"}, "another pair or bar"),
        ({"bar_open_utc_ns": 0}, "another pair or bar"),
        ({"stop_price": 1.11}, "do not lie in that order"),
        ({"stop_price": float("nan")}, "do not lie in that order"),
        ({"target_price": float("inf")}, "do not lie in that order"),
        ({"side": Side.SELL}, "do not lie in that order"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
    ],
)
def test_mismatched_answer_is_refused_with_the_reason(changes: dict[str, object], why: str) -> None:
    found = replace(signal(), **changes)
    said = scan_messages.mismatch_reason(found, US, "EURUSD", 900_000_000_000)
    assert (said == "") is (why == "")
    assert why in said
    nothing = NoSignal(symbol="EURUSD", strategy=US.strategy, strategy_hash="x", bar_open_utc_ns=900_000_000_000)
    assert "strategy trend x" in scan_messages.mismatch_reason(nothing, US, "EURUSD", 900_000_000_000)


def test_another_strategy_or_version_has_another_queue_and_says_why() -> None:
    other = replace(US, strategy_hash="0123")
    newer = replace(US, code_version="1.1+abc")
    assert len({US.queue, other.queue, newer.queue}) == 3
    assert "strategy trend 0123, not trend" in US.differs(other)
    assert US.differs(newer) == "quarterdeck 1.1+abc, not 1.0"
    assert US.differs(US) == ""


def test_what_others_wrote_cannot_steer_a_terminal() -> None:
    assert scan_messages.shortened("a\x1b[2J\nb\x07" + "c" * 5_000) == "a?[2J b?" + "c" * 192
