"""What travels with the program: settings.toml and the themes, the same in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_folder() -> Path:
    """Where the shipped files stand: beside the packages in a checkout, inside `core/_shipped` in a wheel."""
    inside = _PACKAGE / "_shipped"
    return inside if inside.is_dir() else _PACKAGE.parent


def shipped_text(name: str) -> str:
    """The text of one shipped file, e.g. `settings.toml` or `themes/harbour.toml`. Raises OSError when it is not shipped."""
    return (shipped_folder() / name).read_text(encoding="utf-8")


def shipped_names(folder: str) -> tuple[str, ...]:
    """Names of the shipped files of a folder, sorted."""
    return tuple(sorted(path.name for path in (shipped_folder() / folder).iterdir() if path.is_file()))
