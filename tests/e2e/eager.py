"""A strategy file for rehearsals: every pair is bought at every bar, so that what follows an entry need not be waited for."""

from __future__ import annotations

from pathlib import Path

NAME = "eager.py"
SETTINGS = f"""[strategy]
file = '{NAME}'
name = 'Eager'
net_reward_risk_min = 0.0
[filters]
entry_hours = ['UTC 00:00-24:00']
rollover_hours = '00:00-00:01'
spread_stop_max_pct = 100.0
spread_typical_max_x = 100.0
atr_price_max_pct = 10.0
atr_percentile_min = 0.0
atr_percentile_max = 100.0
[risk]
risk_per_trade_pct = 0.3
[correlation]
risk_max_pct = 100.0
"""
_TEXT = """
from pathlib import Path

import numpy as np
from msgspec import Struct

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.strategy.interface import Columns, Decision


class Parameters(Struct, frozen=True, kw_only=True):
    pass


class {name}:
    name = "{word}"
    timeframes = ("M15", "H1")
    Parameters = Parameters
    warmup_bars = 100
    warmup_h1_bars = 20

    def __init__(self, parameters):
        pass

    def prepare(self, m15, h1, instrument):
        return Columns(m15, h1)

    def candidates(self, columns):
        if Path(__file__).with_name("{broken_by}").exists():
            raise ZeroDivisionError
        return np.ones(len(columns), np.bool_)

    def decide(self, columns, row, instrument):
        close = float(columns.m15.close[row])
        return Decision(side=Side.BUY, entry_price=close, stop_price=close * 0.99, target_price=close * 1.05, confidence={confidence})
"""


BROKEN_BY = "strategy_fails"
"""A file beside the strategy's own: while it is there the strategy fails."""


def strategy_text(name: str = "Eager", confidence: float = 0.9) -> str:
    """The file of a strategy of that class name."""
    return _TEXT.format(name=name, word=name.lower(), confidence=confidence, broken_by=BROKEN_BY)


def write_strategy(home: Path) -> None:
    """Put the file into a home whose settings name it."""
    (home / NAME).write_text(strategy_text())
