"""Every input and effect goes to bytes and back, and older bytes are still read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from quarterdeck.core.journal.codec import decode_effect, decode_fate, decode_input, encode, same_effect, tag_of
from quarterdeck.core.model.effects import Effect, Noted, Verdict
from quarterdeck.core.model.inputs import Fate, Input
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


GOLDEN_TAPE = Path(__file__).parents[2] / "golden" / "tape_v1.txt"
"""One body of every kind as version 1 wrote it: `family tag hex`, a line each."""


def test_what_version_1_wrote_is_read_with_every_field(request: pytest.FixtureRequest) -> None:
    kinds = [("input", kind) for kind in get_args(Input)] + [("effect", kind) for kind in get_args(Effect)]
    if request.config.getoption("--golden-update"):
        known = {tuple(line.split()[:2]) for line in GOLDEN_TAPE.read_text().splitlines()} if GOLDEN_TAPE.exists() else set()
        added = [
            f"{family} {tag_of(kind)} {encode(example(kind)).hex()}"
            for family, kind in kinds
            if (family, tag_of(kind)) not in known
        ]
        with GOLDEN_TAPE.open("a", encoding="ascii", newline="\n") as file:
            file.writelines(f"{line}\n" for line in added)
    lines = GOLDEN_TAPE.read_text(encoding="ascii").splitlines()
    for line in lines:
        family, tag, body = line.split()
        item = (decode_input if family == "input" else decode_effect)(bytes.fromhex(body))
        assert tag_of(type(item)) == tag
        assert_kept(msgspec.msgpack.decode(bytes.fromhex(body)), msgspec.msgpack.decode(encode(item)), tag)
    assert {(family, tag_of(kind)) for family, kind in kinds} == {tuple(line.split()[:2]) for line in lines}, "make golden-update"


def assert_kept(old: Any, new: Any, place: str) -> None:
    """Every value of an older body is there under its name; newer fields may stand beside it."""
    if isinstance(old, dict):
        assert old.keys() <= new.keys(), f"{place}: {sorted(old.keys() - new.keys())} lost"
        for name, value in old.items():
            assert_kept(value, new[name], f"{place}.{name}")
    elif isinstance(old, list):
        assert len(old) == len(new), place
        for before, after in zip(old, new, strict=True):
            assert_kept(before, after, place)
    else:
        assert old == new, place
