"""`quarterdeck close`: one position, a part of it, or a group of ours; the rest of the desk continues."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import CloseGroup, ClosePosition, Command
from quarterdeck.core.model.errors import UsageError

_CURRENCY_LETTERS = 3


def command(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A position's number, `losers`, `winners`, a currency (USD) or a pair (EURUSD).")
    ],
    lots: Annotated[float | None, typer.Option("--lots", min=0.0, help="Close only a part of one position.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close one position of this desk or a group; `flatten` closes everything and halts, this does not."""
    if lots is not None and not what.isdigit():
        raise UsageError("--lots belongs to one position", what_to_do="name it by its number")
    run_command(_meant(what, lots), home, as_json=as_json)


def _meant(what: str, lots: float | None) -> Command:
    if what.isdigit():
        return ClosePosition(position_id=int(what), lots=lots)
    if what in ("losers", "winners"):
        return CloseGroup(which="losers" if what == "losers" else "winners")
    name = what.upper()
    if len(name) < _CURRENCY_LETTERS or not name[:_CURRENCY_LETTERS].isalpha():
        raise UsageError(f"{what!r} is not a position, group, currency or pair", what_to_do="see `quarterdeck status`")
    return CloseGroup(which="currency" if len(name) == _CURRENCY_LETTERS else "symbol", name=name)
