"""`quarterdeck resolve`: the operator's word on an order whose fate nobody can prove."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import Resolve
from quarterdeck.core.model.errors import UsageError


def command(
    order: Annotated[str, typer.Argument(metavar="ID", help="The order's id, as `quarterdeck status` shows it.")],
    absent: Annotated[bool, typer.Option("--not-executed", help="It surely did not execute; its risk is released.")] = False,
    position: Annotated[
        int | None, typer.Option("--position", metavar="TICKET", min=1, help="It executed and is this position.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what became of an order of unknown fate.

    Look into the terminal first: your word frees the risk it holds, or adopts the position.
    """
    if absent == (position is not None):
        raise UsageError("say what became of it", what_to_do="either --not-executed or --position TICKET")
    word = (
        Resolve(client_id=order, outcome="absent")
        if absent
        else Resolve(client_id=order, outcome="filled", position_id=position or 0)
    )
    run_command(word, home, as_json=as_json)
