"""What the engine and the process of a strategy say to each other: plain data in frames (`core.pipes`).

Promises: types are checked on both sides; nothing is evaluated. The question and the answer are
those of `core.scan.look`, whatever the way between.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.pipes.frames import Garbled
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.apart import Declared


class Load(Struct, frozen=True, kw_only=True, tag="load"):
    """Load the strategy; the first message."""

    settings: Settings
    home: str


class Ask(Struct, frozen=True, kw_only=True, tag="ask"):
    """Look at one pair."""

    number: int
    limit_s: float
    """The process ends itself, with its traceback, when the strategy takes longer."""
    look: Raw


class Wrong(Struct, frozen=True, kw_only=True, tag="wrong"):
    """The strategy cannot be loaded."""

    error: str
    what_to_do: str


class Answer(Struct, frozen=True, kw_only=True, tag="answer"):
    """What the strategy said."""

    number: int
    found: Signal | NoSignal


ToChild = Load | Ask
FromChild = Declared | Wrong | Answer
_encoder = msgspec.msgpack.Encoder()
_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def encode(message: ToChild | FromChild) -> bytes:
    """A message as bytes, for a frame."""
    return _encoder.encode(message)


def to_child(data: bytes) -> ToChild:
    """The engine's message. Raises Garbled."""
    try:
        return _to_child.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise Garbled(str(error)) from error


def from_child(data: bytes) -> FromChild:
    """The process's message. Raises Garbled."""
    try:
        return _from_child.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise Garbled(str(error)) from error
