"""Frames with no colour said twice: Textual ends every piece of text with a reset and starts the next with all its colours anew.

Promises: each cell gets the look that the frame gave it; a frame begins and ends in the terminal's own look; a code that is not
known leaves the frame as it came. Halves what goes over a slow line. Does not: know what is drawn.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_LOOK: Final = re.compile("\x1b\\[([0-9;]*)m")
_MOVES: Final = re.compile("(?:\r\n|\x1b\\[[0-9]+;[0-9]+H)+")
"""What draws nothing, so that the look does not matter."""
_SEEN_ON_BLANKS: Final = frozenset(["4", "7", "9", "21", "53"])
"""Underline, reverse, strike and their kin: they show where there is no letter."""


class _State(NamedTuple):
    """The look of what is written next: codes of letter, ground, and attributes; empty is the terminal's own."""

    letter: str = ""
    ground: str = ""
    marks: frozenset[str] = frozenset()


_OWN: Final = _State()


def compact_ansi(frame: str) -> str:
    """The same frame in fewer bytes."""
    pieces = _LOOK.split(frame)
    if len(pieces) == 1:
        return frame
    out: list[str] = []
    have = want = _OWN
    for number, piece in enumerate(pieces):
        if number % 2:
            read = _read(piece, want)
            if read is None:
                return frame
            want = read
        elif piece:
            if want != have and not _MOVES.fullmatch(piece):
                now = want._replace(letter=have.letter) if _blank(piece, want, have) else want
                out.append(_change(have, now))
                have = now
            out.append(piece)
    if have != want:
        out.append(_change(have, want))
    return "".join(out)


def _blank(piece: str, want: _State, have: _State) -> bool:
    """Whether the colour of letters makes no difference."""
    return not piece.strip(" ") and not (want.marks | have.marks) & _SEEN_ON_BLANKS


@lru_cache(maxsize=4096)
def _change(have: _State, want: _State) -> str:
    """What turns one look into the other."""
    if have == want:
        return ""
    if want == _OWN:
        return "\x1b[0m"
    codes: list[str] = []
    if have.marks - want.marks:
        codes.append("0")
        have = _OWN
    codes += sorted(want.marks - have.marks)
    if want.letter != have.letter:
        codes.append(want.letter or "39")
    if want.ground != have.ground:
        codes.append(want.ground or "49")
    return f"\x1b[{';'.join(codes)}m"


@lru_cache(maxsize=4096)
def _read(codes: str, state: _State) -> _State | None:
    """The look after a sequence; None for one that is not known."""
    parts = codes.split(";") if codes else ["0"]
    while parts:
        code = parts.pop(0)
        if code in ("0", ""):
            state = _OWN
        elif code in ("38", "48"):
            count = {"5": 2, "2": 4}.get(parts[0] if parts else "", 0)
            if not count or len(parts) < count:
                return None
            colour = ";".join([code, *parts[:count]])
            del parts[:count]
            state = state._replace(letter=colour) if code == "38" else state._replace(ground=colour)
        elif code.isdigit() and (30 <= int(code) <= 37 or 90 <= int(code) <= 97):
            state = state._replace(letter=code)
        elif code.isdigit() and (40 <= int(code) <= 47 or 100 <= int(code) <= 107):
            state = state._replace(ground=code)
        elif code in ("1", "2", "3", "4", "5", "7", "9", "21", "53"):
            state = state._replace(marks=state.marks | {code})
        else:
            return None
    return state
