"""`quarterdeck resume`: take the operator's own halts away."""

from __future__ import annotations

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import Resume


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take away what you stopped: a pause, or the halt after a flatten. A breaker stays until it resets."""
    run_command(Resume(), home, as_json=as_json)
