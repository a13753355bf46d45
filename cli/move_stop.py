"""`quarterdeck move-stop`: set the stop of one position of ours."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import MoveStop


def command(
    position: Annotated[int, typer.Argument(metavar="TICKET", min=1, help="The position's number.")],
    price: Annotated[float, typer.Argument(metavar="PRICE", min=0.0, help="The new stop price.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the stop of a position. You may loosen it; that is recorded in the journal."""
    run_command(MoveStop(position_id=position, stop_price=price), home, as_json=as_json)
