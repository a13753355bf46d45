"""Text of foreign origin: whatever it holds, a terminal that prints it obeys none of it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.plain_text import plain_text

_TURNING = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(alphabet=st.characters(codec=None, categories=None)))
def test_nothing_a_terminal_acts_on_is_left(text: str) -> None:
    shown = plain_text(text)
    assert all(letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in shown)
    assert not _TURNING & set(shown)
    assert plain_text(shown) == shown


def test_letters_of_every_language_stay() -> None:
    assert plain_text("Überweisung 為替 €\n") == "Überweisung 為替 €\n"


def test_an_error_line_shows_what_was_sent_as_its_number() -> None:
    error = BrokerError("the gateway says \x1b]0;owned\x07 hello", what_to_do="look\x9b2J there")
    assert error.one_line() == "the gateway says \\x1b]0;owned\\x07 hello; look\\x9b2J there"
