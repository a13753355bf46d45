"""`quarterdeck flatten`: close everything, and say so only when it is so."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from quarterdeck.cli.engine_client import with_engine
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, say, warn
from quarterdeck.core.link.engine_watch import flatten_and_watch
from quarterdeck.core.model.errors import CheckFailedError, UsageError
from quarterdeck.core.settings.home import resolve_home

_WORD = "account"


def command(
    account: Annotated[bool, typer.Option("--account", help="Close positions that this desk did not open, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before closing positions that this desk did not open.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=1.0, help="How long to wait for it.")] = 120.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close every position of this desk: entries stop, pending orders are cancelled, the largest risk is closed first.

    Ends with 0 when two readings of the broker's list show nothing left to close, with 9 otherwise; the engine keeps closing
    either way.
    """
    if account and not yes:
        _agree()
    scope: Literal["ours", "account"] = "account" if account else "ours"
    end = with_engine(resolve_home(home).root, lambda client: flatten_and_watch(client, scope, wait_s, warn), watch=True)
    left = list(end.left_open)
    if as_json:
        say(end.text)
        print_json({"flat": end.done and not left, "text": end.text, "left": left})
    if not end.done or left:
        raise CheckFailedError(
            f"not flat: {end.text}{': ' + ', '.join(left) if left else ''}", what_to_do="see `quarterdeck status`"
        )
    if not as_json:
        say(end.text)


def _agree() -> None:
    typed = typer.prompt(f"This closes positions that this desk did not open, too. Type {_WORD} to continue", err=True)
    if typed.strip() != _WORD:
        raise UsageError("nothing was closed", what_to_do=f"type {_WORD}, or give --yes")
