"""Every input and effect goes to bytes and back, and older bytes are still read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from quarterdeck.core.journal.tape_format import decode_effect, decode_input, decode_outcome, encode, same_effect, tag_of
from quarterdeck.core.model.commands import Command, SetSettings
from quarterdeck.core.model.effects import Effect, LogEvent, SettingApplied, TradeClosed, Verdict
from quarterdeck.core.model.inputs import CommandReceived, Input, OrderOutcome
from quarterdeck.core.model.tape_v1 import TAGS, current_body
from tests.core.journal.tapes import example

KINDS = [(kind, decode_input) for kind in get_args(Input)] + [(kind, decode_effect) for kind in get_args(Effect)]


@pytest.mark.parametrize(("kind", "decode"), KINDS, ids=lambda it: getattr(it, "__name__", ""))
def test_there_and_back(kind: Any, decode: Any) -> None:
    body = encode(example(kind))
    assert encode(decode(body)) == body
    assert type(decode(body)) is kind


@pytest.mark.parametrize("kind", get_args(OrderOutcome), ids=lambda it: it.__name__)
def test_fates_there_and_back(kind: Any) -> None:
    assert decode_outcome(encode(example(kind))) == example(kind)


def test_tags_are_given_once() -> None:
    for union in (Input, Effect, OrderOutcome):
        tags = [tag_of(kind) for kind in get_args(union)]
        assert len(tags) == len(set(tags))


def test_an_effect_of_an_older_tape_counts_with_todays_defaults() -> None:
    whole = Verdict(symbol="EURUSD", bar_open_utc_ns=0, strategy="trend", outcome="none", reason="")
    shorter = {"type": "verdict", "symbol": "EURUSD", "bar_open_utc_ns": 0, "strategy": "trend", "outcome": "none", "reason": ""}
    assert same_effect(msgspec.msgpack.encode(shorter), whole)
    assert not same_effect(msgspec.msgpack.encode(shorter | {"reason": "spread"}), whole)


def test_a_whole_number_in_a_price_is_no_difference() -> None:
    body = encode(decode_effect(encode(example(LogEvent))))
    assert same_effect(body, example(LogEvent))


GOLDEN = Path(__file__).parents[2] / "golden"
GOLDEN_TAPE = GOLDEN / "tape_v2.txt"
"""One body of every kind as version 2 writes it: `family tag hex`, a line each. `tape_v1.txt` holds what version 1 wrote."""


def bodies(path: Path) -> list[tuple[str, str, bytes]]:
    lines = path.read_text(encoding="ascii").splitlines()
    return [(family, tag, bytes.fromhex(body)) for family, tag, body in (line.split() for line in lines)]


def test_version_2_is_read_with_every_field(request: pytest.FixtureRequest) -> None:
    kinds = [("input", kind) for kind in get_args(Input)] + [("effect", kind) for kind in get_args(Effect)]
    if request.config.getoption("--golden-update"):
        known = {(family, tag) for family, tag, _ in bodies(GOLDEN_TAPE)} if GOLDEN_TAPE.exists() else set()
        added = [
            f"{family} {tag_of(kind)} {encode(example(kind)).hex()}"
            for family, kind in kinds
            if (family, tag_of(kind)) not in known
        ]
        with GOLDEN_TAPE.open("a", encoding="ascii", newline="\n") as file:
            file.writelines(f"{line}\n" for line in added)
    for family, tag, body in bodies(GOLDEN_TAPE):
        item = (decode_input if family == "input" else decode_effect)(body)
        assert tag_of(type(item)) == tag
        assert_kept(msgspec.msgpack.decode(body), msgspec.msgpack.decode(encode(item)), tag)
    assert {(family, tag_of(kind)) for family, kind in kinds} == {(family, tag) for family, tag, _ in bodies(GOLDEN_TAPE)}


def test_version_1_is_read_through_the_table() -> None:
    for family, tag, body in bodies(GOLDEN / "tape_v1.txt"):
        item = (decode_input if family == "input" else decode_effect)(body)
        assert tag_of(type(item)) == TAGS.get(tag, tag)
        assert_kept(current_body(msgspec.msgpack.decode(body)), msgspec.msgpack.decode(encode(item)), tag)


def test_no_old_tag_is_a_new_one() -> None:
    tags = {tag_of(kind) for union in (Input, Effect, Command, OrderOutcome) for kind in get_args(union)}
    assert not tags & set(TAGS), "an old body would be read as something else"
    assert set(TAGS.values()) <= tags


def test_old_words_of_exits_and_keys_are_read_as_todays() -> None:
    closed = msgspec.structs.replace(example(TradeClosed), reason="hand")
    assert decode_effect(encode(closed)).reason == "manual"
    applied = msgspec.structs.replace(example(SettingApplied), key="pair.XAUUSD.position.time_exit_hours")
    assert decode_effect(encode(applied)).key == "pair.XAUUSD.position.time_exit_hours"
    changed = CommandReceived(command_id="1", origin="a test", command=SetSettings(changes=(("funded.enabled", "true"),)))
    assert decode_input(encode(changed)).command.changes == (("prop_firm.enabled", "true"),)


def assert_kept(old: Any, new: Any, place: str) -> None:
    """Every value of an older body is there under its name; newer fields may be beside it."""
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
