"""The files that travel with the program, read the same way from a checkout and from an installed wheel.

Why: `settings.toml` and `themes/` are at the top of a checkout, where an owner looks for them, but a wheel has no top.
Promises: names are relative to the shipped root, with forward slashes; nothing outside that root is ever read.
Does not: know what the files mean, or write any of them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath

from quarterdeck.core.model.errors import StorageError

_PACKAGE_DATA = "_shipped"


@cache
def shipped_root() -> Path:
    """Folder that holds the shipped files: inside the installed package, or the top of the checkout."""
    package = Path(__file__).resolve().parents[2]  # `quarterdeck` when installed, the top of a checkout otherwise
    installed = package / _PACKAGE_DATA
    return installed if installed.is_dir() else package


def shipped_text(name: str) -> str:
    """Text of the shipped file `name`, e.g. `settings.toml` or `themes/night.toml`.

    Raises:
        StorageError: when the file is not there or cannot be read; the installation is damaged.
    """
    path = _within(name)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"{name} does not come with this installation ({path}: {error})", what_to_do="install Quarterdeck again"
        ) from error


def shipped_names(folder: str) -> tuple[str, ...]:
    """Names of the shipped files in `folder`, sorted, as `shipped_text` takes them; none where the folder is missing."""
    top = _within(folder)
    if not top.is_dir():
        return ()
    return tuple(sorted(f"{folder}/{path.name}" for path in top.iterdir() if path.is_file() and not path.name.startswith(".")))


def _within(name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise StorageError(f"{name!r} is no name of a shipped file", what_to_do="use a name inside the installation")
    return shipped_root().joinpath(*pure.parts)
