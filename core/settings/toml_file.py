"""The text of a settings file: UTF-8 with or without its mark; another encoding is named, and no line blamed for it."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from quarterdeck.core.model.errors import SettingsError

_SAVE = "save it as UTF-8"


def toml_file_text(path: Path) -> str:
    """What a TOML file says.

    Raises:
        SettingsError: when it is written in another encoding than UTF-8.
        OSError: when it cannot be read.
    """
    data = path.read_bytes()
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in data[:64]:
        raise SettingsError(f"{path}: is written in UTF-16", what_to_do=_SAVE)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}: line {line}: is not UTF-8", what_to_do=_SAVE) from error
