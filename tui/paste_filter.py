"""What comes from the terminal, before Textual reads it: a paste is one paste, and Escape is Escape whatever follows it.

Promises: an escape character between the marks of a paste is dropped; Textual would take the text behind it for keys, and pasted
words could order something. Escape and the next key are two keys at any distance, in one packet as well (as SSH sends them):
Textual would wait for a sequence and lose both. No key is taken for one with Alt, which terminals write the same way.
Does not: judge text pasted without marks, which nobody can tell from typing; or tell Escape, `[` and a letter in one packet from
the key of that sequence.
What a terminal answers in a control string (its colours, its name, a clipboard) is dropped: it is nobody's typing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

_ESC: Final = "\x1b"
_START: Final = "\x1b[200~"
_END: Final = "\x1b[201~"
_OPENERS: Final = "[O"
"""With one of these behind an escape character a sequence begins, if more follows in time."""
_STRING: Final = re.compile("\x1b[]P_^X][^\x1b\x07]*(?:\x07|\x1b\\\\)")
"""A control string whole: OSC, DCS, APC, PM or SOS, up to BEL or ST."""
_OPEN_STRING: Final = re.compile(r"\x1b(?:][0-9]+;|P[0-9;]*[+$>|!])[^\x1b\x07]*\x1b?\Z")
"""One that continues in the next packet: nobody types Escape, `]`, a number and `;` in one."""
_STRING_END: Final = re.compile("[^\x1b\x07]*(?:\x07|\x1b?\\\\)")


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
        self._pending = ""
        """What may become a sequence, from its escape character on."""
        self._in_string = False
        """The packet before ended inside a control string."""

    def feed(self, data: str) -> Iterable[Message]:
        """Parse; an empty text is the end of all input."""
        calm = self._without_strings("".join(map(self._calm, data)))
        if not data:
            yield from super().feed("")
        while calm:
            if not self._pending:
                plain, escape, calm = calm.partition(_ESC)
                if plain:
                    yield from super().feed(plain)
                if escape:
                    yield from self._next(_ESC)
            else:
                character, calm = calm[0], calm[1:]
                yield from self._next(character)

    def tick(self) -> Iterable[Message]:
        """Look whether a sequence was waited for in vain; its escape character and its opener were two keys."""
        waited = self._timeout_time is not None
        found = list(super().tick())
        if waited and self._timeout_time is None:
            found, self._pending = self._as_keys(found), ""
        yield from found

    def _next(self, character: str) -> Iterable[Message]:
        """One character of what may be a sequence."""
        opened = len(self._pending) == 2 and self._pending[1] in _OPENERS
        if (self._pending == _ESC and character not in (*_OPENERS, _ESC)) or (opened and character == _ESC):
            self._timeout_time = 0.0  # nothing more belongs to it: the wait is over now
            yield from self.tick()
        yield from super().feed(character)
        in_sequence = self._awaiting.timeout is not None
        self._pending = (_ESC if character == _ESC else self._pending + character) if in_sequence else ""

    def _without_strings(self, text: str) -> str:
        """Drop control strings; the rest of one is dropped from the next packet alone, so that no key is held back for long."""
        if self._in_string and text:
            self._in_string = False
            text = _STRING_END.sub("", text, count=1) if _STRING_END.match(text) else text
        text = _STRING.sub("", text)
        cut = _OPEN_STRING.search(text)
        self._in_string = self._in_string or cut is not None
        return text if cut is None else text[: cut.start()]

    def _as_keys(self, found: list[Message]) -> list[Message]:
        """Textual would take the opener for a key with Alt, or alone."""
        if len(self._pending) != 2:
            return found
        return [events.Key("escape", _ESC), *self._sequence_to_key_events(self._pending[1])]

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
