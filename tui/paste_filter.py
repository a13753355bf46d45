"""What comes from the terminal, before Textual reads it: a paste is one paste, whatever lies in it.

Promises: an escape character between the marks of a paste is dropped; Textual would take the text behind it for keys, and pasted
words could order something. Does not: judge text pasted without marks; nobody can tell it from typing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from textual._xterm_parser import XTermParser
from textual.message import Message

_ESC: Final = "\x1b"
_START: Final = "\x1b[200~"
_END: Final = "\x1b[201~"


class PasteSafeParser(XTermParser):
    """The parser of Textual over cleaned input."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As Textual builds its own."""
        super().__init__(*arguments, **options)
        self._seen = ""
        """The last characters outside a paste: where one may begin."""
        self._held = ""
        """What may become the end of a paste."""
        self._pasting = False

    def feed(self, data: str) -> Iterable[Message]:
        """Parse; an empty text is the end of all input."""
        calm = "".join(map(self._calm, data))
        if calm or not data:
            yield from super().feed(calm)

    def _calm(self, character: str) -> str:
        if not self._pasting:
            self._seen = (self._seen + character)[-len(_START) :]
            self._pasting = self._seen == _START
            return character
        if not self._held and character != _ESC:
            return character
        self._held += character
        if self._held == _END:
            self._pasting, self._held, self._seen = False, "", ""
            return _END
        if _END.startswith(self._held):
            return ""
        broken, self._held = self._held, _ESC if character == _ESC else ""
        return broken.replace(_ESC, "")
