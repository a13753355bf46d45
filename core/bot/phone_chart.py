"""The picture of a report: equity over time as PNG, drawn on an array, for a phone cannot show the SVG charts of reports.

Promises: no library but NumPy; every number in it is in the caption too. Does not: decide which points are shown.
Source of the file format: PNG, ISO/IEC 15948 (signature, IHDR, IDAT, IEND; colour type 2, filter 0).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quarterdeck.core.model.units import Money

WIDTH, HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 20, 150, 30, 30
_GLYPHS = {
    "0": "01110100011001110101110011000101110",
    "1": "00100011000010000100001000010001110",
    "2": "01110100010000100010001000100011111",
    "3": "11111000100010000010000011000101110",
    "4": "00010001100101010010111110001000010",
    "5": "11111100001111000001000011000101110",
    "6": "00110010001000011110100011000101110",
    "7": "11111000010001000100010000100001000",
    "8": "01110100011000101110100011000101110",
    "9": "01110100011000101111000010001001100",
    ".": "00000000000000000000000000110001100",
    "-": "00000000000000011111000000000000000",
}
_GLYPH_WIDTH, _GLYPH_HEIGHT, _SCALE = 5, 7, 2
_PAPER, _INK, _RULE, _GAIN, _LOSS = (255, 255, 255), (60, 60, 60), (205, 205, 205), (20, 120, 70), (190, 50, 40)

Canvas = NDArray[np.uint8]


def equity_png(points: Sequence[tuple[int, Money]]) -> bytes | None:
    """Equity as a line, its first value as a dashed rule; `points` are (UTC ns, money) in order. None under two points."""
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    times = np.array([at for at, _ in points], dtype=np.float64)
    money = np.array([value for _, value in points], dtype=np.float64)
    low, high = float(money.min()), float(money.max())
    margin = (high - low) * 0.05 or max(abs(high), 1.0) * 0.001
    low, high = low - margin, high + margin
    canvas: Canvas = np.full((HEIGHT, WIDTH, 3), _PAPER, dtype=np.uint8)
    columns = np.arange(_LEFT, WIDTH - _RIGHT)
    values = np.interp(np.linspace(times[0], times[-1], len(columns)), times, money)
    tall = HEIGHT - _TOP - _BOTTOM - 1
    rows = np.round(_TOP + (high - values) / (high - low) * tall).astype(int)
    start_row = int(rows[0])
    canvas[[_TOP, HEIGHT - _BOTTOM], _LEFT : WIDTH - _RIGHT] = _RULE
    canvas[start_row, [column for column in columns if column // 6 % 2]] = _INK
    colour = _GAIN if money[-1] >= money[0] else _LOSS
    before = start_row
    for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
        canvas[min(before, row) : max(before, row) + 3, column] = colour
        before = row
    ends = ((_TOP, high - margin), (HEIGHT - _BOTTOM, low + margin), (int(rows[-1]), float(money[-1])))
    for row, value in ends[: 2 + all(abs(ends[2][0] - at) > 2 * _GLYPH_HEIGHT * _SCALE for at, _ in ends[:2])]:
        _write(canvas, f"{value:.2f}", WIDTH - _RIGHT + 8, row - _GLYPH_HEIGHT)
    return _png(canvas)


def _write(canvas: Canvas, text: str, left: int, top: int) -> None:
    for letter in text:
        bits = np.array([bit == "1" for bit in _GLYPHS[letter]]).reshape(_GLYPH_HEIGHT, _GLYPH_WIDTH)
        large = np.kron(bits, np.ones((_SCALE, _SCALE), dtype=bool)).astype(bool)
        place = canvas[top : top + large.shape[0], left : left + large.shape[1]]
        place[large[: place.shape[0], : place.shape[1]]] = _INK
        left += (_GLYPH_WIDTH + 1) * _SCALE


def _png(canvas: Canvas) -> bytes:
    height, width, _ = canvas.shape
    rows = np.concatenate((np.zeros((height, 1), dtype=np.uint8), canvas.reshape(height, width * 3)), axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
