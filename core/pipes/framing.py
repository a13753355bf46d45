"""Frames over the pipes of a child process: both ends' reading and writing, for every child that we start.

Why: the vendor's module and an operator's own strategy each live in a process that may be killed at any byte, and whose code
prints what it likes; how bytes become whole messages must be right once.
Promises: a frame is complete or it is not handed out; its length is bounded before anything is read; in the child nothing but
frames leaves through the pipe (what anybody prints goes to stderr, and input is empty for him); the end of the pipe is reported
as such.
Does not: know what a message means (`gateway.wire`, `strategy_wire`), or start and end processes.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import asyncio  # a child does without it, and starts the sooner

FRAME_BYTES_MAX = 64 * 1024 * 1024
_HEADER = struct.Struct(">I")


class MalformedMessage(Exception):
    """Bytes that are no message of ours."""


def pack_frame(data: bytes) -> bytes:
    """A message with its length before it."""
    return _HEADER.pack(len(data)) + data


async def read_frame(source: asyncio.StreamReader | None) -> bytes:
    """The parent's end: the next message.

    Raises:
        EOFError: the child is gone. Garbled: a length that cannot be.
    """
    if source is None:
        raise EOFError
    header = await source.readexactly(_HEADER.size)
    return await source.readexactly(_length(header))


class ChildPipe:
    """The child's end: its standard pipes are kept for frames alone from here on."""

    def __init__(self) -> None:
        """Takes descriptors 0 and 1 away from everybody else in the process."""
        kept_in, kept_out = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(kept_in, os.O_BINARY)
            msvcrt.setmode(kept_out, os.O_BINARY)
        self._source = os.fdopen(kept_in, "rb", buffering=0)
        self._sink = os.fdopen(kept_out, "wb", buffering=0)

    def receive(self) -> bytes | None:
        """The next message, None at the end of the pipe. Raises Garbled for a length that cannot be."""
        header = _exactly(self._source, _HEADER.size)
        return None if header is None else _exactly(self._source, _length(header))

    def send(self, data: bytes) -> None:
        """A message, wholly. Raises OSError when the parent is gone."""
        view = memoryview(pack_frame(data))
        while view:
            view = view[self._sink.write(view) :]


def _length(header: bytes) -> int:
    length = int(_HEADER.unpack(header)[0])
    if not 0 < length <= FRAME_BYTES_MAX:
        raise MalformedMessage(f"a message of {length} bytes")
    return length


def _exactly(source: BinaryIO, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count > 0:
        part = source.read(count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
