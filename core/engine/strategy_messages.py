"""What the engine and the process of a strategy say to each other: plain data in frames (`core.pipes`).

Promises: types are checked on both sides; nothing is evaluated. The question and the answer are
those of `core.scan.scan_request`, whatever the way between.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from quarterdeck.core.model.signals import NoSignal, Signal
from quarterdeck.core.pipes.framing import MalformedMessage
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.strategy.strategy_proxy import StrategyDeclaration


class LoadStrategy(Struct, frozen=True, kw_only=True, tag="load"):
    """Load the strategy; the first message."""

    settings: Settings
    home: str


class StrategyQuestion(Struct, frozen=True, kw_only=True, tag="ask"):
    """Look at one pair."""

    number: int
    limit_s: float
    """The process ends itself, with its traceback, when the strategy takes longer."""
    look: Raw


class StrategyLoadError(Struct, frozen=True, kw_only=True, tag="wrong"):
    """The strategy cannot be loaded."""

    error: str
    what_to_do: str


class StrategyAnswer(Struct, frozen=True, kw_only=True, tag="answer"):
    """What the strategy said."""

    number: int
    found: Signal | NoSignal


ToChild = LoadStrategy | StrategyQuestion
FromChild = StrategyDeclaration | StrategyLoadError | StrategyAnswer
_encoder = msgspec.msgpack.Encoder()
_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def encode(message: ToChild | FromChild) -> bytes:
    """A message as bytes, for a frame."""
    return _encoder.encode(message)


def decode_for_child(data: bytes) -> ToChild:
    """The engine's message. Raises Garbled."""
    try:
        return _to_child.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedMessage(str(error)) from error


def decode_from_child(data: bytes) -> FromChild:
    """The process's message. Raises Garbled."""
    try:
        return _from_child.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedMessage(str(error)) from error
