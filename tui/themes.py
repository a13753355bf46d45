"""Themes: one TOML file each, shipped in `themes/` or the operator's own in `HOME/themes/`.

Promises: every colour is checked before Textual sees it (a bad one would end the app); a bad file is left out with a reason,
and the default is always there. Does not: give meaning to a colour that words do not give as well.
"""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from textual.color import Color, ColorParseError
from textual.theme import Theme

from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.settings.packaged_files import shipped_names, shipped_text

DEFAULT: Final = "harbour"
SLOW_LINE_THEME: Final = "ansi16"
"""Worn by itself where a terminal has sixteen colours, or none are wanted."""
LOOKS: Final = tuple(
    "muted strong good bad warn alarm alarm-text accent title key key-text real real-text "  # noqa: SIM905 - reads as a list of words
    "unreal unreal-text cursor cursor-text frame focus".split()
)
_COLOURS: Final = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
_FIELDS: Final = frozenset((*_COLOURS, "name", "dark", "ansi", "luminosity_spread", "text_alpha", "variables"))


class Themes(NamedTuple):
    """Themes by name, the default first, and why some files are not among them."""

    known: dict[str, Theme]
    refused: tuple[str, ...]


def load_themes(own: Path | None = None) -> Themes:
    """All themes; a file of the operator's own replaces a shipped one of the same name."""
    texts: list[tuple[str, str]] = []
    refused: list[str] = []
    for name in shipped_names("themes"):
        if name.endswith(".toml"):
            try:
                texts.append((name, shipped_text(name)))
            except StorageError as error:
                refused.append(str(error))
    for path in sorted(own.glob("*.toml")) if own is not None and own.is_dir() else ():
        try:
            texts.append((str(path), path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            refused.append(f"{path}: {error}")
    found: dict[str, Theme] = {}
    for origin, text in texts:
        theme, why = parse_theme(text, PurePosixPath(origin).stem)
        if theme is None:
            refused.append(f"{origin}: {why}")
        else:
            found[theme.name] = theme
    first = {DEFAULT: found.pop(DEFAULT)} if DEFAULT in found else {}
    return Themes({**first, **found}, tuple(refused))


def parse_theme(text: str, name: str) -> tuple[Theme | None, str]:
    """A theme, or None and everything that is wrong with it."""
    try:
        tree: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, f"not valid TOML: {error}"
    tree.setdefault("name", name)
    variables = tree.setdefault("variables", {})
    wrong = [f"{key} is not known" for key in tree if key not in _FIELDS]
    wrong += [f"{key} is missing" for key in ("primary", "background", "foreground") if key not in tree]
    if not isinstance(variables, dict):
        return None, "variables must be a table"
    wrong += [f"desk-{look} is missing" for look in LOOKS if f"desk-{look}" not in variables]
    wrong += [f"{key} must be a text" for key, value in variables.items() if not isinstance(value, str)]
    colours = {key: tree[key] for key in _COLOURS if key in tree}
    colours |= {key: value for key, value in variables.items() if key.startswith("desk-") and isinstance(value, str)}
    wrong += [f"{key} = {value!r} is no colour" for key, value in colours.items() if not _is_colour(value)]
    return (None, ", ".join(wrong)) if wrong else (Theme(**tree), "")


def look_defaults() -> dict[str, str]:
    """Looks for Textual's own themes, so that any of them can be worn."""
    theme = load_themes().known[DEFAULT]
    return {f"desk-{look}": theme.variables[f"desk-{look}"] for look in LOOKS}


def _is_colour(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True
