"""`quarterdeck monitor`: the same screen over an engine that runs, and gone again without a trace."""

from __future__ import annotations

import typer

from cli.options import HomeOption
from cli.output import has_terminal
from core.model.errors import UsageError
from core.settings.home import resolve_home


def command(home: HomeOption = None) -> None:
    """Attach a screen to the running engine. Leaving it, or losing the line, changes nothing for the engine."""
    if not has_terminal():
        raise UsageError("a screen needs a terminal", what_to_do="`quarterdeck status` says how the engine is")
    from cli.screen import monitor

    raise typer.Exit(monitor(resolve_home(home).root))
