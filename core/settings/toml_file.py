"""The text of a settings file: UTF-8 with or without its mark; another encoding is named, and no line blamed for it.

A character that an editor does not show, or shows like another one, is named where the file is no valid TOML because of it.
"""

from __future__ import annotations

import unicodedata
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from pathlib import Path

from quarterdeck.core.model.errors import SettingsError

_SAVE = "save it as UTF-8"
_LIKE_QUOTES = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4\uff02"


def toml_file_text(path: Path) -> str:
    """What a TOML file says.

    Raises:
        SettingsError: when it is written in another encoding than UTF-8.
        OSError: when it cannot be read.
    """
    data = path.read_bytes()
    if data.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        raise SettingsError(f"{path}: is written in UTF-32", what_to_do=_SAVE)
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in data[:2]:
        raise SettingsError(f"{path}: is written in UTF-16", what_to_do=_SAVE)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        what = f"{path}: line {line}: holds NUL bytes, as a file does that was cut off while it was written"
        raise SettingsError(what, what_to_do="restore it from a copy")
    if b"\r" in data and b"\n" not in data:
        raise SettingsError(f"{path}: its lines end with CR alone", what_to_do="save it with LF or CRLF line ends")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}: line {line}: is not UTF-8", what_to_do=_SAVE) from error


def odd_letter(text: str) -> str:
    """The first character outside comments that looks like a blank or a quote and is none to TOML, with its line; "" for none."""
    for number, line in enumerate(text.splitlines(), start=1):
        for letter in line.partition("#")[0]:
            unseen = letter not in " \t" and unicodedata.category(letter) in ("Zs", "Cf", "Cc")
            if unseen or letter in _LIKE_QUOTES:
                name = unicodedata.name(letter, "a control character")
                return f"line {number} holds U+{ord(letter):04X} ({name})"
    return ""
