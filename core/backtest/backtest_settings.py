"""Settings of a backtest: the home's or a file's, with the command line's on top, and how they differ from the shipped ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.parameters import parameters
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import (
    load_settings,
    look_up,
    merged,
    read_toml,
    shipped_tree,
    toml_text,
    validated,
    with_values,
)


def settings_for_backtest(home: Home, file: Path | None, values: Iterable[tuple[str, Any]]) -> Settings:
    """Settings in force for a backtest; `file` is in place of the home's own files.

    Raises:
        SettingsError: with every mistake.
    """
    if file is None:
        return load_settings(home.root, values).settings
    tree = merged(shipped_tree(), read_toml(file))
    return validated(with_values(tree, values), str(file))


def with_changes(settings: Settings, values: Iterable[tuple[str, Any]]) -> Settings:
    """The same settings with some values changed, checked as a whole. Raises SettingsError."""
    return validated(with_values(plain_tree(settings), values), "--set")


def plain_tree(settings: Settings) -> dict[str, Any]:
    """The whole tree as plain data."""
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return tree


def changed_settings(settings: Settings) -> dict[str, str]:
    """What differs from the shipped settings, by key, as TOML writes it."""
    tree, shipped = plain_tree(settings), shipped_tree()
    found = {}
    for key in parameters():
        mine, theirs = look_up(tree, key), look_up(shipped, key)
        if toml_text(mine) != toml_text(theirs):
            found[key] = toml_text(mine)
    for table in ("pip", "pair"):
        if toml_text(tree.get(table, {})) != toml_text(shipped.get(table, {})):
            found[table] = toml_text(tree.get(table, {}))
    return found
