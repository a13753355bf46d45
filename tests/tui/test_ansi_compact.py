"""A lean frame draws the same cells."""

from __future__ import annotations

from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.tui.ansi_compact import compact_ansi

COLOURS = st.sampled_from(
    ["31", "97", "42", "100", "38;5;188", "48;5;16", "38;2;1;2;3", "48;2;9;9;9", "1", "4", "7", "3", "9", "0"]
)
LOOKS = st.lists(COLOURS, max_size=4).map(lambda codes: f"\x1b[{';'.join(codes)}m")
MOVES = st.tuples(st.integers(1, 6), st.integers(1, 20)).map(lambda at: f"\x1b[{at[0]};{at[1]}H")
PIECES = st.one_of(LOOKS, MOVES, st.sampled_from(["\x1b[0m", " ", "   ", "a", "bc d", "│", "\x1b[K"]))


def cells(frame: str) -> tuple[list[Any], tuple[Any, ...]]:
    """What a terminal shows; the colour of a letter that is a blank is nobody's business."""
    screen = pyte.Screen(24, 8)
    pyte.Stream(screen).feed(frame)
    shown = []
    for y in range(8):
        for x in range(24):
            cell = screen.buffer[y][x]
            unseen = cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough)
            shown.append(cell._replace(fg="", bold=False, italics=False) if unseen else cell)
    attributes = screen.cursor.attrs
    return shown, (attributes.fg, attributes.bg, attributes.bold, attributes.reverse, attributes.underscore)


@given(st.lists(PIECES, max_size=30))
def test_every_cell_has_the_look_it_had(pieces: list[str]) -> None:
    frame = "".join([*pieces, "\x1b[0m"])
    assert cells(compact_ansi(frame)) == cells(frame)
    assert len(compact_ansi(frame)) <= len(frame) + 8


def test_colours_are_said_once() -> None:
    frame = "\x1b[38;5;1;48;5;2mone\x1b[0m\x1b[38;5;1;48;5;2m two \x1b[0m\x1b[38;5;9;48;5;2m  \x1b[0m\x1b[1;38;5;9;48;5;2mthree\x1b[0m"
    assert compact_ansi(frame) == "\x1b[38;5;1;48;5;2mone two   \x1b[1;38;5;9mthree\x1b[0m"


@pytest.mark.parametrize("frame", ["", "plain", "\x1b[?1049h", "\x1b[58;5;3mnot known\x1b[0m", "\x1b[38mbroken"])
def test_what_it_does_not_know_stays_as_it_came(frame: str) -> None:
    assert compact_ansi(frame) == frame
