"""`quarterdeck monitor`: the same screen over an engine that runs, and gone again without a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quarterdeck.cli.engine_client import with_engine
from quarterdeck.cli.options import HomeOption
from quarterdeck.cli.output import has_terminal
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import resolve_home


def command(
    plain: Annotated[
        bool, typer.Option("--plain", help="One line per change: for pipes, slow connections and screen readers.")
    ] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    home: HomeOption = None,
) -> None:
    """Attach a screen to the running engine. Leaving it, or losing the connection, changes nothing for the engine."""
    root = resolve_home(home).root
    if plain:
        raise typer.Exit(_follow(root))
    if not has_terminal():
        raise UsageError("a screen needs a terminal", what_to_do="use `--plain`, or `quarterdeck status` for the state now")
    from quarterdeck.cli.screen_attached import monitor

    raise typer.Exit(monitor(root, mouse=not no_mouse))


def _follow(home: Path) -> int:
    from quarterdeck.tui.plain import follow_engine

    return with_engine(home, lambda client: follow_engine(client, lambda line: print(line, flush=True)), watch=True, brief=False)
