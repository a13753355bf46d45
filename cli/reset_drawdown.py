"""`quarterdeck reset-drawdown`: accept the drawdown; nothing else lets that breaker go."""

from __future__ import annotations

from typing import Annotated

import typer

from quarterdeck.cli.engine_client import with_engine
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.link.engine_watch import fresh_snapshot
from quarterdeck.core.model.commands import ResetDrawdown
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.snapshot import DeskView
from quarterdeck.core.settings.home import resolve_home

_WORD = "rearm"


def command(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reset the drawdown breaker: the peak starts again at today's equity. Other breakers reset by themselves.

    Asks first, with the old and the new peak; refused while that breaker has not tripped.
    """
    if not yes:
        desk = with_engine(resolve_home(home).root, fresh_snapshot, watch=True).desk
        if any(reason.code == "drawdown" for reason in desk.reasons):
            _agree(desk)
    run_command(ResetDrawdown(), home, as_json=as_json)


def _agree(desk: DeskView) -> None:
    figures = "; ".join(
        (
            "the drawdown is not known" if desk.drawdown_fraction is None else f"the drawdown is {desk.drawdown_fraction:.2%}",
            f"the peak goes from {_money(desk.peak_money)} to {_money(desk.equity_money)}",
            "the same drawdown may be lost again before entries stop",
        )
    )
    if typer.prompt(f"{figures}. Type {_WORD} to continue", err=True).strip() != _WORD:
        raise UsageError("nothing was changed", what_to_do=f"type {_WORD}, or give --yes")


def _money(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"
