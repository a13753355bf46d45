"""`quarterdeck set`: what can be set, what it is now, and changing it.

With an engine running the change is a command: refused with a reason, or journaled and in force at the next safe point. Without
one the override is written for the next start. Everything shown is made of the settings' own types.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from quarterdeck.cli.engine_client import NotReached, ask_engine, send_command
from quarterdeck.cli.option_parsing import parse_assignment
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, print_table, say, warn
from quarterdeck.core.link.messages import SettingsQuery, SettingsReply
from quarterdeck.core.model.commands import SetSettings
from quarterdeck.core.model.errors import SettingsError, UsageError
from quarterdeck.core.settings.home import Home, prepare, resolve_home
from quarterdeck.core.settings.overrides import write_overrides
from quarterdeck.core.settings.parameters import OWN, Parameter, parameters
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import (
    StrategyParameters,
    Tree,
    load_settings,
    look_up,
    merge_overrides,
    parse_value,
    shipped_tree,
    toml_text,
    validated,
    with_strategy_parameters,
    with_values,
)


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY | KEY=VALUE]...", help="Nothing: list. A key or its beginning: explain. KEY=VALUE: change."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, help="Go back to the old values after so many minutes.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show settings, or change them.

    `quarterdeck set risk` explains a section, `quarterdeck set risk.risk_per_trade_pct=0.5` changes a value. Several
    changes in one call are applied together or not at all. A change survives a restart; deleting overrides.toml goes back to
    settings.toml.
    """
    place = resolve_home(home)
    given = words or []
    changing = [word for word in given if "=" in word]
    if changing and len(changing) != len(given):
        raise UsageError("one call shows or changes, not both", what_to_do="write every change as KEY=VALUE")
    if minutes is not None and not changing:
        raise UsageError("--minutes goes with a change", what_to_do="add KEY=VALUE")
    if changing:
        _change(place, dict(parse_assignment(word, "set") for word in changing), minutes, as_json)
    else:
        _show(place, given, as_json)


class _Known(msgspec.Struct, frozen=True):
    """What is set, with the strategy's own parameters, from the engine where one runs and else from the files."""

    tree: Tree
    shipped: Tree
    overridden: tuple[str, ...]
    own: StrategyParameters
    pending: tuple[str, ...] = ()


def _change(place: Home, texts: dict[str, str], minutes: float | None, as_json: bool) -> None:
    own = _known(place.root, strategy=True).own if any(f"{OWN}." in key for key in texts) else ()
    values = {key: parse_value(key, text, own) for key, text in texts.items()}
    try:
        changes = tuple((key, toml_text(value)) for key, value in values.items())
        said, running = send_command(place.root, SetSettings(changes=changes, minutes=minutes)).text, True
    except NotReached:
        if minutes is not None:
            raise
        said, running = _override(place, values, own), False
    say(said)
    if as_json:
        print_json({"changed": values, "running": running, "text": said})


def _override(place: Home, values: dict[str, Any], own: StrategyParameters) -> str:
    prepare(place)
    loaded = load_settings(place.root)
    validated(with_values(loaded.tree, values.items()), "set", own)
    write_overrides(place.overrides, merge_overrides(loaded.overrides, loaded.file_tree, values.items(), own))
    changed = ", ".join(f"{key} = {toml_text(value)}" for key, value in values.items())
    return f"{changed}: no engine is running, in force from the next start"


def _show(place: Home, words: list[str], as_json: bool) -> None:
    known = _known(place.root, strategy=not words or not all(map(_elsewhere, words)))
    rows = _chosen(words, parameters(known.own))
    if as_json:
        print_json({row.key: look_up(known.tree, row.key) for row in rows})
    elif len(rows) <= 1 or words:
        for row in rows:
            print(_explained(row, known))
    else:
        print_table([(row.key, toml_text(look_up(known.tree, row.key)), row.unit, row.meaning) for row in rows])


def _chosen(words: list[str], known: dict[str, Parameter]) -> list[Parameter]:
    if not words:
        return list(known.values())
    exact = [word for word in words if any(key == word or key.startswith(f"{word}.") for key in known)]
    chosen = [row for key, row in known.items() if any(key == word or key.startswith(f"{word}.") for word in exact)]
    chosen = chosen or [row for key, row in known.items() if any(word in key for word in words)]
    strange = [word for word in words if word not in exact and not any(word in row.key for row in chosen)]
    if strange:
        # `set KEY VALUE` shows nothing rather than seem to have changed something
        remedy = f"a change is written {words[0]}=VALUE" if exact == words[:1] and len(words) == 2 else ""
        what_to_do = remedy or "`quarterdeck set` lists them all"
        raise UsageError(f"no parameter is called {' or '.join(map(_word, strange))}", what_to_do=what_to_do)
    return chosen


def _word(word: str) -> str:
    """A word as an error may show it: what is no name may be a secret, or endless."""
    return word if re.fullmatch(r"[\w.-]{1,60}", word) else f"a word of {len(word):,} letters"


def _elsewhere(word: str) -> bool:
    """Whether a word names parameters, none of them the strategy's: its file need not be read for them."""
    found = [key for key in parameters() if key == word or key.startswith(f"{word}.")]
    return bool(found) and not any(key.startswith("strategy.") for key in found)


def _known(home: Path, *, strategy: bool) -> _Known:
    try:
        now = ask_engine(home, SettingsQuery())
    except NotReached:
        loaded = load_settings(home)
        own = _declared(loaded.settings, home) if strategy else ()
        return _Known(
            with_strategy_parameters(loaded.tree, own),
            with_strategy_parameters(shipped_tree(), own),
            tuple(loaded.overrides),
            own,
        )
    assert isinstance(now, SettingsReply)
    tree: Tree = msgspec.msgpack.decode(now.tree)
    return _Known(tree, with_strategy_parameters(shipped_tree(), now.own), now.overridden, now.own, now.pending)


def _declared(settings: Settings, home: Path) -> StrategyParameters:
    """What the strategy of the settings declares; where its file cannot be read, its parameters are one row that says nothing."""
    from quarterdeck.core.strategy.strategy_loader import strategy_parameters

    try:
        return strategy_parameters(settings.strategy, home)
    except SettingsError as error:
        warn(error.one_line())
        return ()


def _explained(row: Parameter, known: _Known) -> str:
    now, shipped = look_up(known.tree, row.key), look_up(known.shipped, row.key)
    source = ", set while running" if row.key in known.overridden else ""
    source += ", waits for the next start" if row.key in known.pending else ""
    return (
        f"{row.key} = {toml_text(now)}{f' {row.unit}' if row.unit else ''}{source}\n"
        f"    {row.meaning}; {row.allowed}; shipped as {toml_text(shipped)}; takes effect {row.takes_effect}\n"
    )
