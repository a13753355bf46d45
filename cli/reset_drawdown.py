"""`quarterdeck reset-drawdown`: accept the drawdown; nothing else lets that breaker go."""

from __future__ import annotations

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import run_command
from quarterdeck.core.model.commands import ResetDrawdown


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Reset the drawdown breaker: the peak begins again at today's equity. Other breakers reset by themselves."""
    run_command(ResetDrawdown(), home, as_json=as_json)
