"""The picture of a report is a PNG that any reader takes, with the line where the money was."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from quarterdeck.core.bot.phone_chart import HEIGHT, WIDTH, equity_png


def pixels(png: bytes) -> np.ndarray:
    """A decoder of its own: chunks, checksums and rows without filter."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, kinds = 8, b"", []
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        data += body if kind == b"IDAT" else b""
        kinds.append(kind)
        at += 12 + size
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(HEIGHT, 1 + WIDTH * 3)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(("last", "colour"), [(120.0, (20, 120, 70)), (80.0, (190, 50, 40))])
def test_the_line_ends_where_the_money_ended(last: float, colour: tuple[int, int, int]) -> None:
    png = equity_png([(0, 100.0), (5, 100.0), (10, last)])
    assert png is not None
    line = np.argwhere((pixels(png) == colour).all(axis=2))
    first, final = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert bool(final[0] < first[0]) is (last > 100.0)


@pytest.mark.parametrize("points", [[], [(0, 1.0)], [(3, 1.0), (3, 2.0)]])
def test_too_few_points_make_no_picture(points: list[tuple[int, float]]) -> None:
    assert equity_png(points) is None


@pytest.mark.parametrize("money", [0.0, -5.0, 1e12, 100_000.0])
def test_a_flat_day_is_drawn_too(money: float) -> None:
    png = equity_png([(0, money), (10**9, money)])
    assert png is not None
    pixels(png)
