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
    """Accept what stops entries, so that they continue; or end reminders.

    `foreign_no_stop`: positions that this desk did not open and that have no stop are accepted as they are, and their risk is
    estimated. `EURUSD:no_stop`: entries in that pair continue after the broker opened a position there without its stop.
    `alerts`: no more reminders of anything that is wrong now; what goes wrong later is reported again.
    """
    run_command(Acknowledge(what=what), home, as_json=as_json)
