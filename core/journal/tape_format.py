"""Inputs and effects as bytes: MessagePack maps with their tag inside, the same everywhere.

Promises: what is decoded is equal to what was encoded; a field that an older tape does not have takes its default. A checkpoint's
state is packed with a checksum, so that a changed one is noticed; one that an older version left unpacked is taken as it is.
Does not: decide how bodies are stored, or pack quotes (`core.journal.quote_blocks`).
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.commands import SetSettings
from quarterdeck.core.model.effects import (
    Alert,
    CommandDone,
    Effect,
    EndRun,
    LogEvent,
    MoneyMoved,
    PartialClose,
    QueryBook,
    SettingApplied,
    StateChanged,
    TradeClosed,
    Verdict,
)
from quarterdeck.core.model.inputs import CommandReceived, Input, OrderOutcome, SettingsChanged
from quarterdeck.core.model.renamed_keys import current_key
from quarterdeck.core.model.tape_v1 import EXIT_REASONS, current_body, every_tag

_ENCODER = msgspec.msgpack.Encoder()
_INPUTS: msgspec.msgpack.Decoder[Input] = msgspec.msgpack.Decoder(Input)
_EFFECTS: msgspec.msgpack.Decoder[Effect] = msgspec.msgpack.Decoder(Effect)
_OUTCOMES: msgspec.msgpack.Decoder[OrderOutcome] = msgspec.msgpack.Decoder(OrderOutcome)
_PLACE = struct.Struct("<qq")
_LEVEL = 6
_PACKED = zlib.compress(b"", _LEVEL)[:1]
"""First byte of every zlib stream; a state that is not packed is a map of MessagePack and begins otherwise."""

_SENTENCES: dict[type[Effect], dict[str, str | bool]] = {
    Alert: {"text": "", "resolved": False},
    LogEvent: {"text": ""},
    StateChanged: {"text": ""},
    CommandDone: {"text": ""},
    MoneyMoved: {"text": ""},
    EndRun: {"why": ""},
    QueryBook: {"why": ""},
}
"""Fields that only people read, and what takes their place where decisions are compared."""

encode = _ENCODER.encode
"""Any model struct as bytes."""
_Kind = TypeVar("_Kind")


def decode_input(body: bytes) -> Input:
    """Bytes to an input, of tape version 1 or 2. Raises msgspec.DecodeError when they are none."""
    item = _decoded(_INPUTS, body)
    if isinstance(item, SettingsChanged):
        return replace(item, changes=tuple((current_key(key), old, new) for key, old, new in item.changes))
    if isinstance(item, CommandReceived) and isinstance(item.command, SetSettings):
        changes = tuple((current_key(key), value) for key, value in item.command.changes)
        return replace(item, command=replace(item.command, changes=changes))
    return item


def decode_effect(body: bytes) -> Effect:
    """Bytes to an effect, of tape version 1 or 2. Raises msgspec.DecodeError when they are none."""
    effect = _decoded(_EFFECTS, body)
    if isinstance(effect, TradeClosed | PartialClose) and effect.reason in EXIT_REASONS:
        return replace(effect, reason=EXIT_REASONS[effect.reason])
    if isinstance(effect, SettingApplied):
        return replace(effect, key=current_key(effect.key))
    return effect


def decode_outcome(body: bytes) -> OrderOutcome:
    """Bytes to what became of an order, of tape version 1 or 2. Raises msgspec.DecodeError when they are none."""
    return _decoded(_OUTCOMES, body)


def _decoded(decoder: msgspec.msgpack.Decoder[_Kind], body: bytes) -> _Kind:
    # a tag, field or value that version 2 does not know fails to decode: then the body may be one of version 1
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return decoder.decode(_ENCODER.encode(current_body(msgspec.msgpack.decode(body))))


@cache
def tags_of(*kinds: type[Struct]) -> tuple[str, ...]:
    """Every tag under which a journal may hold these kinds: today's and that of tape version 1."""
    return tuple(tag for kind in kinds for tag in every_tag(tag_of(kind)))


def pack_state(state: bytes) -> bytes:
    """A checkpoint's state as the journal keeps it: a zlib stream, which carries its own checksum."""
    return zlib.compress(state, _LEVEL)


def unpack_state(body: bytes) -> bytes:
    """The state of a checkpoint. Raises ValueError where it was changed or cut."""
    if not body.startswith(_PACKED):
        return body
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise ValueError(f"its checksum does not fit ({error})") from error


@cache
def tag_of(kind: type[Struct]) -> str:
    """The tag that a kind of input or effect carries on the tape."""
    tag: Any = kind.__struct_config__.tag
    return str(tag)


def chain_bytes(seq: int, at_utc_ns: int, body: bytes) -> bytes:
    """What an ordinary row adds to the chain, a running CRC-32 over place and content: no change or swap passes unseen."""
    return _PLACE.pack(seq, at_utc_ns) + body


def same_effect(recorded: bytes, effect: Effect) -> bool:
    """Whether an effect equals a recorded one, field by field; fields that came later count with their defaults."""
    body = encode(effect)
    if body == recorded:
        return True
    return encode(decode_effect(body)) == encode(decode_effect(recorded))


def same_decision(recorded: bytes, effect: Effect) -> bool:
    """Whether an effect equals a recorded one in all but the sentences that it holds for people."""
    return _without_sentences(decode_effect(encode(effect))) == _without_sentences(decode_effect(recorded))


def _without_sentences(effect: Effect) -> bytes:
    if isinstance(effect, Verdict):
        effect = replace(effect, checks=tuple(replace(check, note="") for check in effect.checks))
    return encode(replace(effect, **_SENTENCES.get(type(effect), {})))
