"""Settings while the engine runs: a change is validated whole, written to overrides.toml, and becomes one input of the desk.

Promises: a bad value is refused with the reason and changes nothing; a set of changes is taken whole or not at all; a change for
a time goes back by itself; what takes effect at the next start is kept for it, and this run continues with what it began with.
Does not: decide when a value takes effect (the desk books it at a safe point).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.inputs import SettingsChanged
from quarterdeck.core.model.units import NS_PER_S, S_PER_MINUTE, UtcNs
from quarterdeck.core.settings.overrides import OVERRIDES_NAME, TimedOverride, read_returns, write_overrides
from quarterdeck.core.settings.parameters import TABLES, parameters, sections
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import (
    LoadedSettings,
    StrategyParameters,
    Tree,
    load_settings,
    look_up,
    merge_overrides,
    parse_value,
    toml_text,
    validated,
    with_strategy_parameters,
    with_values,
    without,
)

KeyValue = tuple[str, str]
"""(dotted key, value as written in TOML)"""


_MINUTES_MAX = 525_600
"""A year; what is to hold for longer is set for good."""


class RuntimeSettings:
    """The settings in force and what may change them."""

    def __init__(self, home: Path, loaded: LoadedSettings, own: StrategyParameters = ()) -> None:
        """`loaded` is what the engine started with, `own` what its strategy declares."""
        self.own = own
        self._home = home
        self._loaded = loaded
        self._tree = loaded.tree
        """As set; what takes effect at the next start may not be in force."""
        self._now = loaded.tree
        """In force."""
        self._overrides = dict(loaded.overrides)
        self._returns = read_returns(home / OVERRIDES_NAME)
        self.settings = loaded.settings

    @property
    def tree(self) -> Tree:
        """The whole tree as it is set, plain data, the defaults of the strategy's own parameters in it.

        It is in force but for what is `pending`.
        """
        return with_strategy_parameters(self._tree, self.own)

    @property
    def pending(self) -> tuple[str, ...]:
        """Keys that hold another value from the next start on."""
        return tuple(key for key, _, _ in _differences(self._now, self._tree, self.own))

    @property
    def file_tree(self) -> Tree:
        """Shipped values and the operator's file, without overrides."""
        return self._loaded.file_tree

    @property
    def overridden(self) -> tuple[str, ...]:
        """Keys whose value is not the file's."""
        return tuple(self._overrides)

    def change(self, changes: Iterable[KeyValue], cause: str, at_utc_ns: UtcNs, minutes: float | None = None) -> SettingsChanged:
        """Validate and keep a set of changes.

        Raises:
            SettingsError: with the reason; nothing was changed.
            StorageError: overrides.toml cannot be written; nothing was changed.
        """
        if minutes is not None and not 0.0 < minutes <= _MINUTES_MAX:
            raise SettingsError(
                f"{minutes:g} minutes: must be above 0 and at most {_MINUTES_MAX:,}", what_to_do="set it for good"
            )
        values = tuple((key, parse_value(key, text, self.own)) for key, text in changes)
        fixed = [key for key, _ in values if _waits(key, self.own)]
        if fixed and minutes is not None:
            raise SettingsError(
                f"{', '.join(fixed)}: takes effect at the next start only, so it cannot be changed for some minutes",
                what_to_do="set it for good",
            )
        return self._apply(values, cause, self._returns_after(values, at_utc_ns, minutes))

    @property
    def pending_reverts(self) -> tuple[TimedOverride, ...]:
        """What comes back by itself, and when."""
        return self._returns

    def _returns_after(
        self, values: tuple[tuple[str, Any], ...], at_utc_ns: UtcNs, minutes: float | None
    ) -> tuple[TimedOverride, ...]:
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
        return (*kept, TimedOverride(at_utc_ns + round(minutes * S_PER_MINUTE * NS_PER_S), minutes, old))

    def preview_settings(self, changes: Iterable[KeyValue]) -> SettingsChanged:
        """What a set of changes would be, validated and not kept. Raises SettingsError with the reason."""
        values = tuple((key, parse_value(key, text, self.own)) for key, text in changes)
        tree = with_values(self._tree, values)
        settings, _ = self._judged(tree)
        return self._told(settings, "tried", tree)

    def reload(self, cause: str) -> SettingsChanged:
        """Read the operator's file again. Raises SettingsError; the old settings then stay."""
        loaded = load_settings(self._home)
        self._judged(loaded.tree)
        self._loaded, self._overrides = loaded, dict(loaded.overrides)
        return self._become(loaded.tree, cause)

    def due(self, at_utc_ns: UtcNs) -> SettingsChanged | None:
        """The change back that falls due by now, if any."""
        for item in self._returns:
            if item.due(at_utc_ns):
                left = tuple(other for other in self._returns if other is not item)
                return self._apply(tuple(item.values.items()), "its time is up", left)
        return None

    def _apply(self, values: tuple[tuple[str, Any], ...], cause: str, returns: tuple[TimedOverride, ...]) -> SettingsChanged:
        file_tree = self._loaded.file_tree
        overrides = merge_overrides(self._overrides, file_tree, values, self.own)
        tree = self._tree
        for key in self._overrides.keys() - overrides.keys():
            filed = look_up(file_tree, key)
            tree = without(tree, key) if filed is None else with_values(tree, ((key, filed),))
        tree = with_values(tree, values)
        self._judged(tree)
        write_overrides(self._home / OVERRIDES_NAME, overrides, returns)
        self._overrides, self._returns = overrides, returns
        return self._become(tree, cause)

    def _become(self, tree: Tree, cause: str) -> SettingsChanged:
        self.settings, now = self._judged(tree)
        told = self._told(self.settings, cause, tree)
        self._tree, self._now = tree, now
        return told

    def _told(self, settings: Settings, cause: str, tree: Tree) -> SettingsChanged:
        changes = _differences(self._tree, tree, self.own)
        return SettingsChanged(settings=msgspec.Raw(msgspec.msgpack.encode(settings)), cause=cause, changes=changes)

    def _judged(self, tree: Tree) -> tuple[Settings, Tree]:
        """What would be in force if `tree` were set, now; both must be allowed. Raises SettingsError."""
        validated(tree, "the change", self.own)
        now = _in_force(self._now, tree)
        return validated(now, "the change, with what holds until the next start"), now


def _waits(key: str, own: StrategyParameters) -> bool:
    """Whether a parameter takes effect at the next start; a pair's own does as that of all."""
    parts = key.split(".")
    row = parameters(own).get(".".join(parts[2:]) if parts[0] == "pair" else key)
    return parts[0] == "pip" or (row is not None and row.takes_effect == "next start")


def _in_force(now: Tree, wanted: Tree) -> Tree:
    """`wanted`, but what takes effect at the next start as it is now."""
    pairs = {
        symbol: _laid(now["pair"].get(symbol, {}), wanted["pair"].get(symbol, {})) for symbol in {**now["pair"], **wanted["pair"]}
    }
    return {**_laid(now, {name: wanted[name] for name in sections()}), "pip": now["pip"], "pair": pairs}


def _laid(now: Tree, wanted: Tree) -> Tree:
    """Sections of `wanted`, but what takes effect at the next start as it is in `now`."""
    found: Tree = {}
    for section in (name for name in {**now, **wanted} if name not in TABLES):
        old, new = now.get(section, {}), wanted.get(section, {})
        found[section] = {
            name: value
            for name in {**old, **new}
            if (value := (old if _waits(f"{section}.{name}", ()) else new).get(name)) is not None
        }
    return found


def _differences(before: Tree, after: Tree, own: StrategyParameters) -> tuple[tuple[str, str, str], ...]:
    """(key, old, new) of each parameter that differs, as TOML writes them."""
    before, after = with_strategy_parameters(before, own), with_strategy_parameters(after, own)
    keys = dict.fromkeys((*parameters(own), *_keys_by_symbol(before), *_keys_by_symbol(after)))
    values = ((key, _value(before, key), _value(after, key)) for key in keys)
    return tuple((key, toml_text(old), toml_text(new)) for key, old, new in values if old != new)


def _keys_by_symbol(tree: Tree) -> Iterator[str]:
    """Dotted keys of what is set for single pairs."""
    yield from (f"pip.{symbol}" for symbol in tree["pip"])
    for symbol, parts in tree["pair"].items():
        for section, values in parts.items():
            for name, value in values.items():
                key = f"pair.{symbol}.{section}.{name}"
                yield from (f"{key}.{part}" for part in value) if isinstance(value, dict) else (key,)


def _value(tree: Tree, key: str) -> Any:
    """What holds under a key: for a pair without a value of its own, that of all."""
    found = look_up(tree, key)
    if found is None and key.startswith("pair."):
        return look_up(tree, ".".join(key.split(".")[2:]))
    return "by the rule" if found is None and key.startswith("pip.") else found
