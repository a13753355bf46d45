"""`quarterdeck stop`: end the engine in order, by the shutdown policy or another one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import StopEngine
from quarterdeck.core.model.errors import UsageError


def command(
    flatten: Annotated[bool, typer.Option("--flatten", help="Close every position of this desk first.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave positions open, with their stops at the broker.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the engine. Without an option `engine.shutdown_action` decides about open positions."""
    if flatten and keep:
        raise UsageError("--flatten and --keep contradict each other", what_to_do="choose one")
    policy: Literal["settings", "flatten", "keep"] = "flatten" if flatten else "keep" if keep else "settings"
    run_command(StopEngine(policy=policy, why="stop command"), home, as_json=as_json)
