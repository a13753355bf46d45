"""Commands that give the running engine one order and report what became of it: shared by pause, resume, resolve and others."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.cli.engine_client import send_command
from quarterdeck.cli.output import print_json, say
from quarterdeck.core.model.commands import Command
from quarterdeck.core.settings.home import resolve_home


def run_command(command: Command, home: Path | None, *, as_json: bool) -> None:
    """Give `command` to the engine of the home and print its answer. Raises NoEngineError, or VerdictError when it refuses."""
    result = send_command(resolve_home(home).root, command)
    say(result.text)
    if as_json:
        print_json({"ok": result.ok, "text": result.text})
