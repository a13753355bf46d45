"""Every input and effect goes to bytes and back, and older bytes are still read."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from core.journal.codec import decode_effect, decode_fate, decode_input, encode, same_effect, tag_of
from core.model.effects import Effect, Noted, Verdict
from core.model.inputs import Fate, Input
from tests.core.journal.tapes import example

KINDS = [(kind, decode_input) for kind in get_args(Input)] + [(kind, decode_effect) for kind in get_args(Effect)]


@pytest.mark.parametrize(("kind", "decode"), KINDS, ids=lambda it: getattr(it, "__name__", ""))
def test_there_and_back(kind: Any, decode: Any) -> None:
    body = encode(example(kind))
    assert encode(decode(body)) == body
    assert type(decode(body)) is kind


@pytest.mark.parametrize("kind", get_args(Fate), ids=lambda it: it.__name__)
def test_fates_there_and_back(kind: Any) -> None:
    assert decode_fate(encode(example(kind))) == example(kind)


def test_tags_are_given_once() -> None:
    for union in (Input, Effect, Fate):
        tags = [tag_of(kind) for kind in get_args(union)]
        assert len(tags) == len(set(tags))


def test_an_effect_of_an_older_tape_counts_with_todays_defaults() -> None:
    whole = Verdict(symbol="EURUSD", bar_open_utc_ns=0, strategy="trend", outcome="none", reason="")
    shorter = {"type": "verdict", "symbol": "EURUSD", "bar_open_utc_ns": 0, "strategy": "trend", "outcome": "none", "reason": ""}
    assert same_effect(msgspec.msgpack.encode(shorter), whole)
    assert not same_effect(msgspec.msgpack.encode(shorter | {"reason": "spread"}), whole)


def test_a_whole_number_in_a_price_is_no_difference() -> None:
    body = encode(decode_effect(encode(example(Noted))))
    assert same_effect(body, example(Noted))
