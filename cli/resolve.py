"""`quarterdeck resolve`: the operator's decision on an order whose outcome is not proven, on money, or on the clock."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import MACHINE_CLOCK, Resolve
from quarterdeck.core.model.errors import UsageError


def command(
    order: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The order's id, as `quarterdeck status` shows it; `money`: money that no deal explains; a deal's ticket; "
            "or `clock`.",
        ),
    ],
    absent: Annotated[bool, typer.Option("--not-executed", help="The order surely did not execute.")] = False,
    position: Annotated[
        int | None, typer.Option("--position", metavar="TICKET", min=1, help="The order executed and is this position.")
    ] = None,
    result: Annotated[bool, typer.Option("--result", help="The money is a profit or loss.")] = False,
    transfer: Annotated[bool, typer.Option("--transfer", help="The money, or that deal, is a deposit or withdrawal.")] = False,
    payout: Annotated[bool, typer.Option("--payout", help="The money, or that deal, is a payout of a funded account.")] = False,
    pc_right: Annotated[bool, typer.Option("--pc-right", help="This machine's clock is right (ID is `clock`).")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what became of an unconfirmed order, what money is that no deal explains, or that this machine's clock is right.

    Look into the terminal first. Your answer decides whether the order's risk still counts, whether the desk manages the
    position, or how the money is booked.
    """
    if sum((absent, position is not None, result, transfer, payout, pc_right)) != 1:
        raise UsageError(
            "nothing was resolved: say what became of it",
            what_to_do="one of --not-executed and --position TICKET for an order, --result, --transfer and --payout for money, "
            "--pc-right for the clock",
        )
    if pc_right != (order == MACHINE_CLOCK):
        raise UsageError(
            f"--pc-right and the id `{MACHINE_CLOCK}` belong together", what_to_do="quarterdeck resolve clock --pc-right"
        )
    if position is not None:
        word = Resolve(client_id=order, outcome="filled", position_id=position)
    else:
        said: Literal["absent", "result", "transfer", "payout", "pc_right"]
        said = "absent" if absent else "result" if result else "payout" if payout else "pc_right" if pc_right else "transfer"
        word = Resolve(client_id=order, outcome=said)
    run_command(word, home, as_json=as_json)
