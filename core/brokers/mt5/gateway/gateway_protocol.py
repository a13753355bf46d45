"""What passes between client, front and child: msgpack messages with a closed set of types; arrays as bytes with their dtype.

Promises: decoding builds numbers, texts, lists, dictionaries and numeric arrays, nothing else; a message that does not fit raises
`MalformedMessage`. The protocol's number rises when a message changes its meaning; both ends say theirs first.
Does not: pickle, evaluate or import anything that came over the wire.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Raw, Struct
from msgspec.msgpack import Ext

from quarterdeck.core.brokers.base import CallReply, TerminalCall
from quarterdeck.core.clock.market_clock import MarketClock
from quarterdeck.core.pipes.framing import FRAME_BYTES_MAX, MalformedMessage

T = TypeVar("T")

PROTOCOL = 2
"""2: the token is proved, not sent; leases."""
WRONG_TOKEN, TOO_MANY = "wrong token", "too many clients"
"""Why a front says goodbye before its welcome."""
CLIENT_MESSAGE_BYTES_MAX = 256 * 1024
ANSWER_BYTES_MAX = FRAME_BYTES_MAX
_ARRAY = 1
_FORMAT = re.compile(r"^[<|][iuf][1248]$")


class GatewayHello(Struct, frozen=True, tag="hello"):
    """First word of a client, with a number that was never used before."""

    protocol: int
    client: str = ""
    nonce: bytes = b""


class Challenge(Struct, frozen=True, tag="challenge"):
    """The front's answer: it proves first that it knows the token, and gives a number of its own to be proved upon."""

    nonce: bytes
    proof: bytes


class Proof(Struct, frozen=True, tag="proof"):
    """The client's proof that it knows the token."""

    proof: bytes


class GatewayWelcome(Struct, frozen=True, tag="welcome"):
    """The front's answer to a good proof."""

    protocol: int
    gateway: str
    """Version of the package that serves."""
    module: str
    """`MetaTrader5`, or what is in for it."""
    module_version: str
    market: MarketClock | None = None
    """The market time of a rehearsal; None where it is the machine's."""


class GatewayBye(Struct, frozen=True, tag="bye"):
    """The front's last word."""

    why: str


class CallBatch(Struct, frozen=True, tag="ask"):
    """Calls to be made one after the other within `deadline_s`, counted from when the first enters the module."""

    id: int
    calls: tuple[TerminalCall, ...]
    deadline_s: float
    lease: int = 0
    """Under which an order is sent; reads need none."""


class AskLease(Struct, frozen=True, tag="ask_lease"):
    """Take the account for a home, or prolong the lease of a `number` that was granted."""

    id: int
    home_id: str = ""
    who: str = ""
    number: int = 0


class LeaseAnswer(Struct, frozen=True, tag="lease"):
    """The number granted or prolonged; 0 and why not."""

    id: int
    number: int
    why: str = ""


Status = Literal["ok", "lost", "not_sent", "not_owner"]


class CallResult(Struct, frozen=True, tag="answer"):
    """What became of an `CallBatch`: replies in order, or why there are none."""

    id: int
    status: Status
    replies: Raw = Raw(b"\x90")
    why: str = ""


class ChildReady(Struct, frozen=True, tag="ready"):
    """First word of a child."""

    module: str
    module_version: str


class ChildFailed(Struct, frozen=True, tag="unfit"):
    """First and last word of a child, and of a gateway beside its engine, that cannot serve."""

    why: str
    what_to_do: str


ToFront = GatewayHello | Proof | CallBatch | AskLease
FromFront = Challenge | GatewayWelcome | GatewayBye | CallResult | LeaseAnswer
FromTerminalChild = ChildReady | ChildFailed | CallResult


def _hook(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        names = value.dtype.names
        fields = [["", value.dtype.str]] if names is None else [[name, value.dtype[name].str] for name in names]
        return Ext(_ARRAY, msgspec.msgpack.encode([fields, value.tobytes()]))
    raise TypeError(f"{type(value).__name__} does not pass the gateway")


def _ext_hook(code: int, data: memoryview) -> Any:
    if code != _ARRAY:
        raise ValueError(f"extension {code} is not known")
    fields, content = msgspec.msgpack.decode(data, type=tuple[list[tuple[str, str]], bytes])
    if not fields or not all(_FORMAT.match(kind) for _, kind in fields):
        raise ValueError("an array of other things than numbers")
    dtype = np.dtype(fields[0][1]) if fields[0][0] == "" else np.dtype(fields)
    return np.frombuffer(content, dtype=dtype)


encoder = msgspec.msgpack.Encoder(enc_hook=_hook)
_to_front: msgspec.msgpack.Decoder[ToFront] = msgspec.msgpack.Decoder(ToFront)
_from_front: msgspec.msgpack.Decoder[FromFront] = msgspec.msgpack.Decoder(FromFront)
_from_child: msgspec.msgpack.Decoder[FromTerminalChild] = msgspec.msgpack.Decoder(FromTerminalChild)
_replies = msgspec.msgpack.Decoder(tuple[CallReply, ...], ext_hook=_ext_hook)


def encode(message: Struct) -> bytes:
    """A message as bytes."""
    return encoder.encode(message)


def encode_replies(replies: tuple[CallReply, ...]) -> Raw:
    """Replies as the part of an `CallResult` that the front passes on unread."""
    return Raw(encoder.encode(replies))


def decode_replies(raw: Raw) -> tuple[CallReply, ...]:
    """Replies out of an `CallResult`, lists as tuples again. Raises Garbled."""
    try:
        replies = _replies.decode(raw)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
        raise MalformedMessage(f"replies: {error}") from error
    return tuple(
        CallReply(tuple(reply.value), reply.error_code, reply.error_text) if isinstance(reply.value, list) else reply
        for reply in replies
    )


def from_client(data: bytes) -> ToFront:
    """A client's message. Raises Garbled."""
    return _decoded(_to_front, data)


def from_front(data: bytes) -> FromFront:
    """The front's message. Raises Garbled."""
    return _decoded(_from_front, data)


def from_child(data: bytes) -> FromTerminalChild:
    """The child's message. Raises Garbled."""
    return _decoded(_from_child, data)


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
        raise MalformedMessage(str(error)) from error
