"""Inputs and effects as bytes: MessagePack maps with their tag inside, the same everywhere.

Promises: what is decoded is equal to what was encoded; a field that an older tape does not have takes its default.
Does not: decide how bodies are stored, or pack quotes (`core.journal.quotes`).
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.inputs import Fate, Input

_ENCODER = msgspec.msgpack.Encoder()
_INPUTS: msgspec.msgpack.Decoder[Input] = msgspec.msgpack.Decoder(Input)
_EFFECTS: msgspec.msgpack.Decoder[Effect] = msgspec.msgpack.Decoder(Effect)
_FATES: msgspec.msgpack.Decoder[Fate] = msgspec.msgpack.Decoder(Fate)
_PLACE = struct.Struct("<qq")

encode = _ENCODER.encode
"""Any model struct as bytes."""
decode_input = _INPUTS.decode
"""Bytes to an input; raises msgspec.DecodeError when they are none."""
decode_effect = _EFFECTS.decode
"""Bytes to an effect; raises msgspec.DecodeError when they are none."""
decode_fate = _FATES.decode
"""Bytes to what became of an order; raises msgspec.DecodeError when they are none."""


@cache
def tag_of(kind: type[Struct]) -> str:
    """The tag that a kind of input or effect carries on the tape."""
    tag: Any = kind.__struct_config__.tag
    return str(tag)


def link_of(seq: int, at_utc_ns: int, body: bytes) -> bytes:
    """What an ordinary row adds to the chain, a running CRC-32 over place and content: no change or swap passes unseen."""
    return _PLACE.pack(seq, at_utc_ns) + body


def same_effect(recorded: bytes, effect: Effect) -> bool:
    """Whether an effect equals a recorded one, field by field; fields that came later count with their defaults."""
    body = encode(effect)
    if body == recorded:
        return True
    return encode(decode_effect(body)) == encode(decode_effect(recorded))
