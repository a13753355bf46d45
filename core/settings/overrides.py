"""overrides.toml: what was changed while running, written by the program alone.

Promises: an override remembers the file's value that it replaced; when the file changes that key, the override is dropped with a
note. Written atomically, so a crash leaves the old file or the new one. Does not: judge values
(`core.settings.settings_loader` does).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.errors import UNREADABLE, SettingsError, StorageError
from quarterdeck.core.model.renamed_keys import current_key
from quarterdeck.core.model.units import NS_PER_S, S_PER_MINUTE, UtcNs
from quarterdeck.core.settings.safe_files import replace_file
from quarterdeck.core.settings.toml_file import toml_file_text

OVERRIDES_NAME = "overrides.toml"
_TABLES = ("override", "return")


class Override(Struct, frozen=True):
    """One key's value in force, and the file's value it replaced."""

    value: Any
    replaced: Any


class TimedOverride(Struct, frozen=True):
    """Values that come back by themselves."""

    at_utc_ns: UtcNs
    minutes: float
    """After so many of the market's minutes."""
    values: dict[str, Any]

    def due(self, now_utc_ns: UtcNs) -> bool:
        """Its time is over; or this market's clock is before the change was made, so it was made in another one."""
        return not self.at_utc_ns - round(self.minutes * S_PER_MINUTE * NS_PER_S) <= now_utc_ns < self.at_utc_ns


def read_overrides(path: Path, file_value: Callable[[str], Any]) -> tuple[dict[str, Override], tuple[str, ...]]:
    """Overrides that still hold, and notes on those dropped because the file changed that key since.

    Raises:
        SettingsError: the file is damaged.
    """
    if not path.is_file():
        return {}, ()
    try:
        whole = tomllib.loads(toml_file_text(path))
        strange = [key for key in whole if key not in _TABLES]
        if strange:
            raise ValueError(f"it has {strange[0]}, which `quarterdeck set` never writes; put it into settings.toml")
        content = whole.get("override", {})
        found = {current_key(key): Override(row["value"], row.get("replaced")) for key, row in content.items()}
    except (*UNREADABLE, OSError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path}: damaged: {error}", what_to_do="delete it to go back to settings.toml") from error
    held: dict[str, Override] = {}
    notes: list[str] = []
    for key, item in found.items():
        now = file_value(key)
        if now == item.replaced:
            held[key] = item
        else:
            notes.append(f"override {key} = {item.value!r} dropped: the file changed from {item.replaced!r} to {now!r}")
    return held, tuple(notes)


def read_returns(path: Path) -> tuple[TimedOverride, ...]:
    """What was changed for a time and has not come back yet; a run that ends takes nothing of it away.

    Raises:
        SettingsError: the file is damaged.
    """
    if not path.is_file():
        return ()
    try:
        rows = tomllib.loads(toml_file_text(path)).get("return", [])
        found = msgspec.convert(rows, tuple[TimedOverride, ...])
        return tuple(replace(row, values={current_key(key): value for key, value in row.values.items()}) for row in found)
    except (*UNREADABLE, OSError) as error:
        raise SettingsError(f"{path}: damaged: {error}", what_to_do="delete it to go back to settings.toml") from error


def write_overrides(path: Path, overrides: dict[str, Override], returns: Sequence[TimedOverride] = ()) -> None:
    """Replace the file by `overrides` and what comes back, atomically. Raises StorageError when it cannot be written."""
    content: dict[str, Any] = {
        "override": {
            key: {name: value for name, value in (("value", item.value), ("replaced", item.replaced)) if value is not None}
            for key, item in overrides.items()
        }
    }
    if returns:
        content["return"] = [msgspec.to_builtins(item) for item in returns]
    beside = path.with_suffix(".tmp")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"# Written by quarterdeck; `quarterdeck set` changes it.\n" + tomli_w.dumps(content).encode())
            file.flush()
            os.fsync(file.fileno())  # a change is acknowledged once it is safe, and the next start reads it here
        replace_file(beside, path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}", what_to_do="free or unlock the home folder") from error
