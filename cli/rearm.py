"""`quarterdeck rearm`: accept the drawdown; nothing else lets that breaker go."""

from __future__ import annotations

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.order import carry
from quarterdeck.core.model.commands import RearmDrawdown


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Rearm the drawdown breaker: the peak begins again at today's equity. Other breakers rearm by themselves."""
    carry(RearmDrawdown(), home, as_json=as_json)
