"""Strategies of operators that misbehave, each in its own way, and a question to ask them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.strategy_process import StrategyProcess
from quarterdeck.core.scan.scan_request import ScanRequest
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import shipped_settings
from quarterdeck.core.strategy.strategy_loader import TRIAL_INSTRUMENT, trial_candles

GOOD = """
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.settings.schema import number
from quarterdeck.core.strategy.interface import Columns, Decision
import numpy as np
from msgspec import Struct
from typing import Annotated


class Parameters(Struct, frozen=True, kw_only=True):
    reach: Annotated[float, number("Reach", "x", 0, 10)] = 1.0


class Mine:
    name = "mine"
    timeframes = ("M15", "H1")
    Parameters = Parameters
    warmup_bars = 100
    warmup_h1_bars = 20

    def __init__(self, parameters):
        self.p = parameters

    def prepare(self, m15, h1, instrument):
        return Columns(m15, h1)

    def candidates(self, columns):
        return np.ones(len(columns), np.bool_)

    def decide(self, columns, row, instrument):
        close = float(columns.m15.close[row])
        self.misbehave(instrument)
        return Decision(side=Side.BUY, entry_price=close, stop_price=close - 0.01 * self.p.reach, target_price=close + 0.02, confidence=0.9)

    def misbehave(self, instrument):
        if instrument.symbol == "GBPUSD":
            BAD
"""


def strategy_file(
    folder: Path, bad: str = "pass", *, top: str = "", everywhere: bool = False, name: str = "Mine", **values: Any
) -> Settings:
    """Settings that name a file which does `bad` when it is asked about GBPUSD, or `everywhere`."""
    text = GOOD.replace('instrument.symbol == "GBPUSD"', "True") if everywhere else GOOD
    (folder / "mine.py").write_text(f"{top}\n{text.replace('BAD', bad)}")
    own = [(f"strategy.{key}", value) for key, value in values.items()]
    return shipped_settings(("strategy.file", "mine.py"), ("strategy.name", name), ("engine.retry_min_s", 0.1), *own)


def question(symbol: str = "EURUSD") -> ScanRequest:
    m15, h1 = trial_candles(1100, 300)
    return ScanRequest(instrument=replace(TRIAL_INSTRUMENT, symbol=symbol), m15=m15, h1=h1, figures=(0.001, 0.002, 50.0))


def process(folder: Path, settings: Settings) -> StrategyProcess:
    return StrategyProcess(settings, folder, WallClock())
