"""Settings while the engine runs: a change is validated whole, written to overrides.toml, and becomes one input of the desk (A4).

Promises: a bad value is refused with the reason and changes nothing; a set of changes is taken whole or not at all; a change for
a time goes back by itself. Does not: decide when a value takes effect (the desk books it at a safe point).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from core.model.errors import SettingsError
from core.model.inputs import SettingsChanged
from core.model.units import NS_PER_S, S_PER_MINUTE, UtcNs
from core.settings.load import Loaded, load_settings, look_up, parse_value, shown, validated, with_values
from core.settings.overrides import OVERRIDES_NAME, Override, Return, read_returns, write_overrides
from core.settings.parameters import parameters

Change = tuple[str, str]
"""(dotted key, value as written in TOML)"""


class Tuning:
    """The settings in force and what may change them."""

    def __init__(self, home: Path, loaded: Loaded) -> None:
        """`loaded` is what the engine started with."""
        self._home = home
        self._loaded = loaded
        self._tree = loaded.tree
        self._overrides = dict(loaded.overrides)
        self._returns = read_returns(home / OVERRIDES_NAME)
        self.settings = loaded.settings

    @property
    def tree(self) -> dict[str, Any]:
        """The whole tree in force, plain data."""
        return self._tree

    @property
    def file_tree(self) -> dict[str, Any]:
        """Shipped values and the operator's file, without overrides."""
        return self._loaded.file_tree

    @property
    def overridden(self) -> tuple[str, ...]:
        """Keys whose value is not the file's."""
        return tuple(self._overrides)

    def change(self, changes: Iterable[Change], cause: str, at_utc_ns: UtcNs, minutes: float | None = None) -> SettingsChanged:
        """Validate and keep a set of changes.

        Raises:
            SettingsError: with the reason; nothing was changed.
            StorageError: overrides.toml cannot be written; nothing was changed.
        """
        values = tuple((key, parse_value(key, text)) for key, text in changes)
        self._only_while_running(values)
        return self._apply(values, cause, self._returns_after(values, at_utc_ns, minutes))

    @property
    def returns(self) -> tuple[Return, ...]:
        """What comes back by itself, and when."""
        return self._returns

    def _returns_after(self, values: tuple[tuple[str, Any], ...], at_utc_ns: UtcNs, minutes: float | None) -> tuple[Return, ...]:
        """A key that is changed anew is not taken back; changed for a time again, it comes back to the first value."""
        keys = dict(values)
        first = {key: value for item in reversed(self._returns) for key, value in item.values.items()}
        rest = (
            msgspec.structs.replace(item, values={key: value for key, value in item.values.items() if key not in keys})
            for item in self._returns
        )
        kept = tuple(item for item in rest if item.values)
        if minutes is None:
            return kept
        old = {key: first.get(key, look_up(self._tree, key)) for key in keys}
        return (*kept, Return(at_utc_ns + round(minutes * S_PER_MINUTE * NS_PER_S), minutes, old))

    def wished(self, changes: Iterable[Change]) -> SettingsChanged:
        """What a set of changes would be, validated and not kept. Raises SettingsError with the reason."""
        values = tuple((key, parse_value(key, text)) for key, text in changes)
        self._only_while_running(values)
        tree = with_values(self._tree, values)
        settings = validated(tree, "the change")
        return SettingsChanged(
            settings=msgspec.Raw(msgspec.msgpack.encode(settings)), cause="tried", changes=_differences(self._tree, tree)
        )

    def reload(self, cause: str) -> SettingsChanged:
        """Read the operator's file again. Raises SettingsError; the old settings then stay."""
        self._loaded = load_settings(self._home)
        self._overrides = dict(self._loaded.overrides)
        return self._become(self._loaded.tree, cause)

    def due(self, at_utc_ns: UtcNs) -> SettingsChanged | None:
        """The change back that falls due by now, if any."""
        for item in self._returns:
            if item.due(at_utc_ns):
                left = tuple(other for other in self._returns if other is not item)
                return self._apply(tuple(item.values.items()), "its time is over", left)
        return None

    def _apply(self, values: tuple[tuple[str, Any], ...], cause: str, returns: tuple[Return, ...]) -> SettingsChanged:
        tree = with_values(self._tree, values)
        validated(tree, "the change")
        overrides = dict(self._overrides)
        for key, value in values:
            filed = look_up(self._loaded.file_tree, key)
            if value == filed:
                overrides.pop(key, None)
            else:
                overrides[key] = Override(value, filed)
        write_overrides(self._home / OVERRIDES_NAME, overrides, returns)
        self._overrides, self._returns = overrides, returns
        return self._become(tree, cause)

    def _become(self, tree: dict[str, Any], cause: str) -> SettingsChanged:
        before, self._tree = self._tree, tree
        self.settings = validated(tree, "settings")
        changes = _differences(before, tree)
        return SettingsChanged(settings=msgspec.Raw(msgspec.msgpack.encode(self.settings)), cause=cause, changes=changes)

    @staticmethod
    def _only_while_running(values: Iterable[tuple[str, Any]]) -> None:
        known = parameters()
        fixed = [key for key, _ in values if key in known and known[key].takes_effect == "next start"]
        if fixed:
            raise SettingsError(
                f"{', '.join(fixed)}: takes effect at the next start only", what_to_do="put it into settings.toml and restart"
            )


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """(key, old, new) of each parameter that differs, as TOML writes them."""
    return tuple(
        (key, shown(look_up(before, key)), shown(look_up(after, key)))
        for key in parameters()
        if look_up(before, key) != look_up(after, key)
    )
