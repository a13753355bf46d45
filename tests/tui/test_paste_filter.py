"""A paste arrives as one paste, however it is cut up and whatever lies in it."""

from __future__ import annotations

import pytest
from textual import events

from quarterdeck.tui.paste_filter import PasteSafeParser

START, END = "\x1b[200~", "\x1b[201~"


def heard(*pieces: str) -> tuple[str, list[str]]:
    """What was pasted, and the keys besides."""
    parser = PasteSafeParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    pasted = "".join(event.text for event in found if isinstance(event, events.Paste))
    return pasted, [event.key for event in found if isinstance(event, events.Key)]


@pytest.mark.parametrize(
    "text", ["flat", "\x1b[A Fflat and more than a sequence can be long", "\x1b", "\x1b[201", "\x1b\x1b[20Fflat", START]
)
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_pasted_text_is_never_keys_and_later_keys_work(text: str, cut: int) -> None:
    whole = f"a{START}{text}{END}b"
    pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    assert heard(*pieces) == (text.replace("\x1b", ""), ["a", "b"])


def test_keys_are_keys() -> None:
    assert heard("F", "\x1b[A", "\x1b[20~", "x") == ("", ["F", "up", "f9", "x"])


def test_two_pastes_in_one_packet_are_two() -> None:
    assert heard(f"{START}one{END}{START}\x1btwo{END}q") == ("onetwo", ["q"])
