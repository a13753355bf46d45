"""Pieces of a table as columns of texts and numbers: fields cut at the separator, quotes heeded, a whole piece at once.

Promises: a line whose number of fields is not the table's is left out and counted; an empty field too many at the end of a line
is no field; numbers are exact doubles of what is written, with a point or a comma before the decimals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.core.model.candles import FloatArray

Letters = npt.NDArray[np.uint8]
_NEWLINE, _QUOTE, _SPACE, _COMMA, _POINT = 10, 34, 32, 44, 46
FIELD_BYTES_MAX = 48
"""Longer fields are remarks: what is cut off is never needed."""


class FieldTable(NamedTuple):
    """The fields of a piece: where each starts and ends, one row for each line that has the table's shape."""

    text: Letters
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    misshapen: int


def cut(piece: bytes, separator: str, width: int) -> FieldTable:
    """Cut the lines of a piece into `width` fields; blank lines count as nothing."""
    if b'"' in piece:
        piece = _unquoted_lines(piece, separator)
    text = np.frombuffer(piece, np.uint8)
    line_ends = np.flatnonzero(text == _NEWLINE)
    line_starts = np.append(0, line_ends[:-1] + 1)
    signs = np.flatnonzero(text == ord(separator))
    if b'"' in piece:
        inside = np.cumsum(text == _QUOTE) & 1
        signs = signs[inside[signs] == 0]
    first = np.searchsorted(signs, line_starts)
    counts = np.searchsorted(signs, line_ends) - first
    filled = line_ends > line_starts
    wanted = width - 1
    trailing = filled & (counts == wanted + 1)
    if trailing.any():
        last = signs[np.minimum(first + wanted, len(signs) - 1)]
        trailing &= last == line_ends - 1
    good = filled & ((counts == wanted) | trailing)
    misshapen = int(np.count_nonzero(filled & ~good))
    rows = np.flatnonzero(good)
    places = signs[first[rows][:, None] + np.arange(wanted)] if wanted else np.zeros((len(rows), 0), np.int64)
    ends = line_ends[rows] - trailing[rows]
    starts = np.concatenate([line_starts[rows][:, None], places + 1], axis=1)
    return FieldTable(text, starts, np.concatenate([places, ends[:, None]], axis=1), misshapen)


def column(fields: FieldTable, at: int) -> Letters:
    """The texts of a column, one a row, filled up with zero bytes; blanks and quotes around them are taken off."""
    start, end = fields.starts[:, at].copy(), fields.ends[:, at].copy()
    for _ in range(3):
        edge = fields.text[np.minimum(start, len(fields.text) - 1)]
        start += (start < end) & ((edge == _SPACE) | (edge == _QUOTE))
        edge = fields.text[np.maximum(end - 1, 0)]
        end -= (start < end) & ((edge == _SPACE) | (edge == _QUOTE))
    width = int(min(max((end - start).max(initial=1), 1), FIELD_BYTES_MAX))
    offsets = start[:, None] + np.arange(width)
    letters: Letters = fields.text[np.minimum(offsets, len(fields.text) - 1)]
    letters[offsets >= end[:, None]] = 0
    return letters


def beside(left: Letters, right: Letters, join: int) -> Letters:
    """Two columns as one, with a byte between them."""
    between = np.full((len(left), 1), join, np.uint8)
    return np.concatenate([left, between, right], axis=1)


def texts(letters: Letters) -> npt.NDArray[np.bytes_]:
    """A column as byte strings."""
    return np.ascontiguousarray(letters).view(f"S{letters.shape[1]}").ravel()


def numbers(letters: Letters, *, decimal_comma: bool) -> FloatArray:
    """A column as numbers; what is none, and what is empty, is NaN."""
    if decimal_comma:
        letters = letters.copy()
        letters[letters == _POINT] = _SPACE
        letters[letters == _COMMA] = _POINT
    elif (letters == _COMMA).any():
        letters = np.where(letters == _COMMA, np.uint8(_SPACE), letters)
    column_texts = texts(letters)
    try:
        return np.where(column_texts == b"", b"nan", column_texts).astype(np.float64)
    except ValueError:
        return np.array([_number(text) for text in column_texts.tolist()])


def decimals(letters: Letters, *, decimal_comma: bool) -> int:
    """The most decimals that a column of numbers is written with."""
    points = letters == (_COMMA if decimal_comma else _POINT)
    rows = np.flatnonzero(points.any(axis=1))
    if not len(rows):
        return 0
    lengths = (letters[rows] != 0).sum(axis=1)
    return int((lengths - 1 - points[rows].argmax(axis=1)).max())


def _unquoted_lines(piece: bytes, separator: str) -> bytes:
    """Without the quotes around whole lines, and without all of them where no field needs any."""
    lines = piece.split(b"\n")
    whole = [line for line in lines if line]
    if all(line.count(b'"') == 2 and line[:1] == b'"' and line.rstrip()[-1:] == b'"' for line in whole):
        return piece.replace(b'"', b"")
    if not any(separator.encode() in field for line in whole[:50] for field in line.split(b'"')[1::2]):
        needs = any(separator.encode() in field for line in whole for field in line.split(b'"')[1::2])
        return piece if needs else piece.replace(b'"', b"")
    return piece


def _number(text: bytes) -> float:
    plain = text.replace(b" ", b"").replace(b"\xc2\xa0", b"").replace(b"'", b"")
    try:
        return float(plain)
    except ValueError:
        return float("nan")
