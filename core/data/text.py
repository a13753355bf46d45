"""Text files of any encoding as pieces of whole lines, so that a file of any size takes a few megabytes at a time.

Promises: gzip and a zip with one file of prices are unpacked on the way; UTF-8, UTF-16 (with and without its mark) and one-byte
encodings become UTF-8; lines end with one newline, whatever ended them; the end-of-file sign of old systems is dropped.
"""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from quarterdeck.core.model.errors import DataError

PIECE_BYTES = 1 << 22
_HEAD_BYTES = 1 << 12
_LINE_BYTES_MAX = 1 << 16
_LEGACY = ("utf-8", "cp1252", "cp1251", "gb18030", "shift_jis", "latin-1")
"""Encodings of header words, the likeliest first; figures are the same in all of them."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it is gzipped, or a zip that holds one text file.

    Raises:
        DataError: when it cannot be read, is cut off, or the zip holds several files.
    """
    try:
        with path.open("rb") as raw:
            magic = raw.read(2)
            raw.seek(0)
            if magic == b"\x1f\x8b":
                with gzip.open(raw) as plain:
                    yield plain  # type: ignore[misc]
            elif magic == b"PK":
                with zipfile.ZipFile(raw) as held, held.open(_inner_name(path, held)) as plain:
                    yield plain
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cut off or damaged ({error})", what_to_do="fetch or copy the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}", what_to_do="check its name and rights") from error


def _inner_name(path: Path, held: zipfile.ZipFile) -> str:
    names = [name for name in held.namelist() if name.lower().endswith((".csv", ".txt"))]
    data = [name for name in names if name.lower().endswith(".csv")] or names
    if len(data) != 1:
        raise DataError(f"{path}: holds {len(data)} files of prices, one is wanted", what_to_do="unpack it and name the files")
    return data[0]


def pieces(path: Path, size: int = PIECE_BYTES) -> Iterator[bytes]:
    """The text of a file as UTF-8, in pieces of whole lines that end with a newline.

    Raises:
        DataError: when it cannot be read, is cut off or empty, or a line has no end.
    """
    rest = b""
    some = False
    with opened(path) as plain:
        for block in _normal(_decoded(plain, size)):
            text = rest + block
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            if len(rest) > _LINE_BYTES_MAX:
                raise DataError(f"{path}: a line of more than {_LINE_BYTES_MAX:,} bytes", what_to_do="this is no table of prices")
            if text[:end].strip():
                some = True
                yield text[:end]
    if rest.strip():
        some = True
        yield rest + b"\n"
    if not some:
        raise DataError(f"{path}: is empty", what_to_do="remove the file or fetch it again")


def whole_text(path: Path) -> bytes:
    """The text of a file as UTF-8, all at once. Raises DataError when it cannot be read or is cut off."""
    with opened(path) as plain:
        return b"".join(_decoded(plain, PIECE_BYTES)).removeprefix(codecs.BOM_UTF8)


def encoding_of(head: bytes) -> str:
    """The encoding of a text by its first bytes: its mark, or where the zero bytes of wide letters stand."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def header_texts(line: bytes) -> tuple[str, ...]:
    """What a first line may say, by encodings that can read it."""
    found: dict[str, None] = {}
    for encoding in _LEGACY:
        try:
            found.setdefault(line.decode(encoding))
        except UnicodeDecodeError:
            continue
    return tuple(found)


def _decoded(plain: IO[bytes], size: int) -> Iterator[bytes]:
    head = plain.read(_HEAD_BYTES)
    encoding = encoding_of(head)
    head += plain.read(size)
    if encoding == "utf-8":
        yield head
        while block := plain.read(size):
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(head).encode()
    while block := plain.read(size):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", True).encode()


def _normal(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        text = held + block
        held = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield text.replace(b"\x1a", b"")
    if held:
        yield b"\n"
