"""`quarterdeck pause`: no new entries."""

from __future__ import annotations

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import Pause


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """No new entries until `quarterdeck resume`. The management of open positions, their stops and closes continue."""
    run_command(Pause(), home, as_json=as_json)
