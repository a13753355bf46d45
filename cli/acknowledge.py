"""`quarterdeck acknowledge`: the operator has seen what stops entries and lets them continue."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import Acknowledge


def command(
    what: Annotated[str, typer.Argument(metavar="REASON", help="The reason as `quarterdeck status` shows it, or `alerts`.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you have seen it, for instance a position of someone else's without a stop.

    `acknowledge alerts` ends the reminders of all that is wrong now; what goes wrong later is reported again.
    """
    run_command(Acknowledge(what=what), home, as_json=as_json)
