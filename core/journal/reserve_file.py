"""The reserve: a file allocated at the start, where orders that reduce risk are recorded while the journal cannot be written.

Why: a full disk must not keep a desk from closing what is open, and a crash in that hour must not lose what it did (law 5).
Promises: recording needs no new room on the disk and is flushed before it returns; what was torn by a crash is left out, what was
whole is read back; a record is the input and all effects, as the tape has them.
Does not: decide what is worth recording (`core.journal.writer`).

Layout: a mark, then records of length u32, checksum u32, body; a length of 0 ends the list.
"""

from __future__ import annotations

import os
import struct
from io import FileIO
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import StorageError

_MARK = b"QDKRSV1\n"
_HEAD = struct.Struct("<II")
_END = bytes(_HEAD.size)
_CHUNK = 65_536


class ReserveRecord(Struct, frozen=True, array_like=True):
    """One input with its effects, as bytes of the tape, and the journal's number of the run it belongs to."""

    run: int
    seq: int
    at_utc_ns: int
    body: bytes
    effects: tuple[bytes, ...]


class ReserveFile:
    """The open reserve file; one writer."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        """Allocate what is missing up to `size_bytes`, keeping records of an earlier run. Raises StorageError."""
        self.path = path
        self._size = size_bytes
        self._file: FileIO | None = None
        try:
            path.touch(mode=0o600, exist_ok=True)
            self._file = FileIO(path, "r+")
            self._allocate(self._file)
        except OSError as error:
            self.close()
            remedy = "make room on that disk, or choose another home with --home DIR"
            what = f"the reserve file {path} cannot be allocated: {error.strerror or error}"
            raise StorageError(what, what_to_do=remedy) from error
        self._next = len(_MARK) + sum(_HEAD.size + len(msgspec.msgpack.encode(kept)) for kept in self.read())

    def _allocate(self, file: FileIO) -> None:
        held = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(_MARK)) != _MARK:
            file.seek(0)
            _write(file, _MARK + _END)
            held = file.tell()
        file.seek(held)
        for place in range(held, self._size, _CHUNK):
            _write(file, bytes(min(_CHUNK, self._size - place)))
        os.fsync(file.fileno())

    def read(self) -> tuple[ReserveRecord, ...]:
        """The records that are complete, in the order they were made."""
        content = self.path.read_bytes()
        found: list[ReserveRecord] = []
        place = len(_MARK)
        while place + _HEAD.size <= len(content):
            length, check = _HEAD.unpack_from(content, place)
            body = content[place + _HEAD.size : place + _HEAD.size + length]
            if length == 0 or len(body) < length or crc32(body) != check:
                break
            found.append(msgspec.msgpack.decode(body, type=ReserveRecord))
            place += _HEAD.size + length
        return tuple(found)

    def record(self, entries: list[ReserveRecord]) -> bool:
        """Record and flush; False when the reserve is full or will not serve (risk is still reduced then, unrecorded)."""
        blob = b"".join(_HEAD.pack(len(body), crc32(body)) + body for body in map(msgspec.msgpack.encode, entries))
        if self._next + len(blob) + len(_END) > self._size:
            return False
        if not self._overwrite(self._next, blob + _END):
            return False
        self._next += len(blob)
        return True

    def clear(self) -> None:
        """Forget the records: the journal holds them now. A failure leaves them, and completing twice changes nothing."""
        if self._overwrite(len(_MARK), _END):
            self._next = len(_MARK)

    def close(self) -> None:
        """Let go of the file; the records stay."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _overwrite(self, place: int, data: bytes) -> bool:
        if self._file is None:
            return False
        try:
            self._file.seek(place)
            _write(self._file, data)
            os.fsync(self._file.fileno())
        except OSError:
            return False
        return True


def _write(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
