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


LETTERS = [*"FpqrRQcCmuwhnxvzMHSfbBdt019?/.>< ]}~", "\r", "\t", "\x7f", "\x10", "ä", "為"]


@pytest.mark.parametrize("letter", LETTERS)
def test_escape_and_a_key_in_one_packet_are_two_keys(letter: str) -> None:
    alone = heard(letter)[1]
    assert heard(f"\x1b{letter}") == ("", ["escape", *alone])
    assert heard("\x1b", letter) == ("", ["escape", *alone])
    assert heard(f"a\x1b{letter}\x1b\x1b{letter}b")[1] == ["a", "escape", *alone, "escape", "escape", *alone, "b"]


@pytest.mark.parametrize("opener", ["[", "O"])
def test_a_sequence_that_never_comes_was_two_keys(opener: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = PasteSafeParser()
    keys = [event.key for event in parser.feed(f"\x1b{opener}") if isinstance(event, events.Key)]
    assert keys == [], "an arrow may still come"
    monkeypatch.setattr("textual._parser.get_time", lambda: float("inf"))
    keys = [event.key for event in parser.tick() if isinstance(event, events.Key)]
    assert keys == ["escape", *heard(opener)[1]]
    assert [event.key for event in parser.feed("F")] == ["F"]  # type: ignore[attr-defined]


def test_sequences_stay_sequences_behind_escape() -> None:
    assert heard("\x1b\x1b[A", "\x1b[20~", "\x1bOP", "\x1b[1;5C")[1] == ["escape", "up", "f9", "f1", "ctrl+right"]
    assert heard("\x1b", "[", "A", "\x1b", "F")[1] == ["up", "escape", "F"]


@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_escape_then_flatten_works_however_it_is_cut(cut: int) -> None:
    whole = f"\x1bF\x1b[B\x1bF{START}x{END}\x1bF"
    pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    assert heard(*pieces) == ("x", ["escape", "F", "down", "escape", "F", "escape", "F"])


@pytest.mark.parametrize(
    "answer",
    ["\x1b]52;c;AAAA\x07", "\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1bP1+R\x1b\\", "\x1bP>|tmux 3.4\x1b\\", "\x1b_Gi=1;OK\x1b\\"],
)
def test_what_a_terminal_answers_is_nobodys_typing(answer: str) -> None:
    assert heard(f"a{answer}F") == ("", ["a", "F"])


@pytest.mark.parametrize("at", [6, 9, 12])
def test_a_split_terminal_answer_holds_no_key_back(at: int) -> None:
    answer = "\x1b]52;c;AAAA\x07"
    assert heard(f"a{answer[:at]}", f"{answer[at:]}F", "q")[1] == ["a", "F", "q"]
    assert heard(f"a{answer[:at]}", "F", "q")[1] == ["a", "F", "q"]
